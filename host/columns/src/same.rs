//! Equality of short texts without a call: names and parts of routes are a few bytes long.

/// `a == b`.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Two loads that overlap cover any length between one load and two.
    if let (Some(a_first), Some(a_last), Some(b_first), Some(b_last)) =
        (a.first_chunk::<8>(), a.last_chunk::<8>(), b.first_chunk::<8>(), b.last_chunk::<8>())
        && a.len() <= 16
    {
        return a_first == b_first && a_last == b_last;
    }
    if let (Some(a_first), Some(a_last), Some(b_first), Some(b_last)) =
        (a.first_chunk::<4>(), a.last_chunk::<4>(), b.first_chunk::<4>(), b.last_chunk::<4>())
        && a.len() <= 8
    {
        return a_first == b_first && a_last == b_last;
    }
    a == b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_told_apart_at_every_place() {
        for length in 0..40usize {
            let text: Vec<u8> = (0..length as u8).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&text[..], &[0]].concat()));
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!same(&text, &other), "{length} {at}");
            }
        }
    }
}
