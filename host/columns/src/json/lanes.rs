//! What the scanner does many bytes at a time, on each kind of machine. Every implementation gives the same answers; which one is used
//! is decided once per chunk ([`avx2`](super::avx2) where the machine has it).

use super::learned::Literal;
use super::number::Number;

pub(super) trait Lanes {
    /// Whether the chunk goes on with the literal.
    fn matches(chunk: &[u8], at: usize, literal: &Literal) -> bool;

    /// The first byte from `at` on that is a quote, a backslash, a control character or not ASCII; the chunk's end where none is.
    fn plain_end(chunk: &[u8], at: usize) -> usize;

    /// A short number that is whole JSON and does not end with the chunk; none where [`number::read`](super::number::read) must look.
    fn number(chunk: &[u8], at: usize) -> Option<(Number, usize)>;
}

/// Plain Rust, eight bytes at a time. Also the path of the last bytes of a chunk, which no vector may read beyond.
pub(super) struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn matches(chunk: &[u8], at: usize, literal: &Literal) -> bool {
        chunk.get(at..).is_some_and(|rest| rest.starts_with(literal.bytes()))
    }

    #[inline(always)]
    fn plain_end(chunk: &[u8], at: usize) -> usize {
        const ONES: u64 = u64::MAX / 255;
        const TOPS: u64 = ONES << 7;
        let mut at = at;
        while let Some(word) = chunk.get(at..at + 8).and_then(|bytes| bytes.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            // The top bit of a byte is set where the byte is zero after the xor; a borrow can only set bits above the first one.
            let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
            let control = word.wrapping_sub(ONES * 0x20) & !word;
            let quote = zeros(word ^ (ONES * u64::from(b'"')));
            let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
            let found = (control | quote | backslash | word) & TOPS;
            if found != 0 {
                return at + found.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        let rest = chunk.get(at..).unwrap_or_default();
        let special = |byte: &u8| !(0x20..0x80).contains(byte) || matches!(byte, b'"' | b'\\');
        at + rest.iter().position(special).unwrap_or(rest.len())
    }

    #[inline(always)]
    fn number(chunk: &[u8], at: usize) -> Option<(Number, usize)> {
        // Whole numbers of a few digits, the most frequent ones; the rest is read with care anyway.
        let (mut end, mut value) = (at, 0i64);
        while let Some(digit) = chunk.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)
        {
            value = value * 10 + i64::from(digit);
            end += 1;
            if end - at > 15 {
                return None;
            }
        }
        let next = chunk.get(end)?;
        let zero_first = chunk.get(at) == Some(&b'0') && end - at > 1;
        (end > at && !zero_first && !matches!(next, b'.' | b'e' | b'E')).then_some((Number::Int(value), end))
    }
}
