//! Short pieces of bytes, compared, checked and copied without a call.

/// Whether `bytes` begin with `name`, most often a few words long.
#[inline(always)]
pub(crate) fn starts_with(bytes: &[u8], name: &[u8]) -> bool {
    let Some(head) = bytes.get(..name.len()) else { return false };
    if let (Some(last), Some(last_name)) = (head.last_chunk::<8>(), name.last_chunk::<8>()) {
        // Words from the front, and the last one, which may lie over the one before.
        let words = head.chunks_exact(8).zip(name.chunks_exact(8));
        return last == last_name && words.into_iter().all(|(one, other)| same_word(one, other));
    }
    if let (Some(last), Some(last_name)) = (head.last_chunk::<4>(), name.last_chunk::<4>()) {
        return last == last_name && head.first_chunk::<4>() == name.first_chunk::<4>();
    }
    head.iter().zip(name).all(|(one, other)| one == other)
}

#[inline(always)]
fn same_word(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<8>() == other.first_chunk::<8>()
}

/// Whether the bytes are UTF-8; no call for ASCII.
#[inline(always)]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || std::str::from_utf8(bytes).is_ok()
}

#[inline(always)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    let words = bytes.chunks_exact(8);
    let rest = words.remainder().iter().fold(0u8, |sum, byte| sum | byte);
    let sum = words
        .filter_map(|word| word.first_chunk::<8>())
        .fold(0u64, |sum, word| sum | u64::from_ne_bytes(*word));
    rest < 0x80 && sum & 0x8080_8080_8080_8080 == 0
}

/// Appends a piece, most often a few words long.
#[inline(always)]
pub(crate) fn append(to: &mut Vec<u8>, piece: &[u8]) {
    let end = to.len() + piece.len();
    // A word from the front, and one that ends where the piece does and may lie over it.
    if let (Some(first), Some(last)) = (piece.first_chunk::<8>(), piece.last_chunk::<8>())
        && piece.len() <= 16
    {
        to.extend_from_slice(first);
        to.truncate(end - 8);
        to.extend_from_slice(last);
    } else if let (Some(first), Some(last)) = (piece.first_chunk::<16>(), piece.last_chunk::<16>())
        && piece.len() <= 32
    {
        to.extend_from_slice(first);
        to.truncate(end - 16);
        to.extend_from_slice(last);
    } else {
        to.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_all_lengths_are_compared_whole() {
        let text = b"abcdefghijklmnopqrstuvwxyz0123456789";
        for length in 0..=text.len() {
            assert!(starts_with(text, &text[..length]));
            for wrong in 0..length {
                let mut name = text[..length].to_vec();
                name[wrong] ^= 1;
                assert!(!starts_with(text, &name), "{length} {wrong}");
                name[wrong] = 0xc3;
                assert!(!is_utf8(&name), "{length} {wrong}");
            }
            assert!(is_utf8(&text[..length]));
        }
        for length in 0..=text.len() {
            let mut all = b"before".to_vec();
            append(&mut all, &text[..length]);
            append(&mut all, b"after");
            assert_eq!(all, [b"before", &text[..length], b"after"].concat());
        }
        assert!(!starts_with(b"abc", b"abcd"));
        assert!(is_utf8("größer als acht".as_bytes()));
    }
}
