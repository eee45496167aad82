//! Short texts as two words and a length, so that telling two apart is three comparisons and no call.

/// Longest text of which two words say all, bytes.
const WHOLE_BYTES_MAX: u32 = 16;

/// The first and the last bytes of a text; of one of up to [`WHOLE_BYTES_MAX`] bytes they are all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    first: u64,
    last: u64,
    length: u32,
}

impl Words {
    /// Those of no text.
    pub const NONE: Self = Self { first: 0, last: 0, length: u32::MAX };

    #[inline(always)]
    pub fn of(text: &[u8]) -> Self {
        let length = text.len() as u32;
        let (first, last) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (Self::of_few(text), 0),
        };
        Self { first, last, length }
    }

    /// Up to 7 bytes.
    #[inline(always)]
    fn of_few(text: &[u8]) -> u64 {
        if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
        }
        let byte = |at: usize| u64::from(text.get(at).copied().unwrap_or_default());
        byte(0) | byte(1) << 8 | byte(2) << 16
    }

    /// Whether equal words mean equal texts.
    #[inline(always)]
    pub fn say_all(&self) -> bool {
        self.length <= WHOLE_BYTES_MAX
    }

    /// Spreads over all bits; who does not know the seeds cannot make texts that meet.
    #[inline(always)]
    pub fn hash(&self, seeds: [u64; 2]) -> u64 {
        let [one, other] = seeds;
        let product = u128::from(self.first ^ one)
            * u128::from(self.last.rotate_left(32) ^ other ^ u64::from(self.length));
        product as u64 ^ (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];

    #[test]
    fn short_texts_are_told_apart_at_every_place_and_by_their_length() {
        for length in 0..=WHOLE_BYTES_MAX as usize {
            let text = vec![b'a'; length];
            let words = Words::of(&text);
            assert!(words.say_all());
            assert_eq!(words, Words::of(&text.clone()));
            assert_ne!(words, Words::of(&vec![b'a'; length + 1]));
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 1;
                assert_ne!(words, Words::of(&other), "{length} {at}");
                assert_ne!(words.hash(SEEDS), Words::of(&other).hash(SEEDS), "{length} {at}");
            }
        }
        assert!(!Words::of(&[b'a'; WHOLE_BYTES_MAX as usize + 1]).say_all());
    }
}
