//! What the scanner does many bytes at a time, on each kind of machine. Every implementation gives the same answers; which one is used
//! is decided once per chunk (`avx2` where the machine has it).

use crate::bytes::is_ascii;
use crate::json::number::Number;
use crate::literal::{LITERAL_BYTES_MAX, Literal};

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;

/// Whether the machine has what `avx2` needs. Only asking makes one that says yes, so that it is a proof.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vectors(bool);

impl Vectors {
    pub const NONE: Self = Self(false);

    pub fn of_the_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        return Self(
            is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt"),
        );
        #[cfg(not(target_arch = "x86_64"))]
        Self::NONE
    }

    #[inline(always)]
    pub fn are_there(self) -> bool {
        self.0
    }
}

impl Default for Vectors {
    fn default() -> Self {
        Self::of_the_machine()
    }
}

/// Bytes that become bits at once.
pub(crate) const BLOCK_BYTES: usize = 64;

/// Bits of 64 bytes, the first the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub quotes: u64,
    pub colons: u64,
    pub commas: u64,
    /// `}` and `]`.
    pub closing: u64,
}

pub(crate) trait Lanes {
    /// What the frame of an event is found by; none: it is not worth looking for.
    fn marks(block: &[u8; BLOCK_BYTES]) -> Option<Marks>;

    /// Whether the chunk goes on with the literal.
    fn matches(chunk: &[u8], at: usize, literal: &Literal) -> bool;

    /// The first byte from `at` on that is a quote, a backslash, a control character or not ASCII; the chunk's end where none is.
    fn plain_end(chunk: &[u8], at: usize) -> usize;

    /// The first byte from `at` on that is a quote, white space (any byte up to the space) or not ASCII; the chunk's end where none is.
    fn word_end(chunk: &[u8], at: usize) -> usize;

    /// Whether the chunk has so many bytes from `at` on and all are ASCII.
    fn is_ascii(chunk: &[u8], at: usize, length: usize) -> bool;

    /// A short number that is whole JSON and does not end with the chunk; none where [`number::read`](crate::json::number::read) must look.
    fn number(chunk: &[u8], at: usize) -> Option<(Number, usize)>;
}

/// The portable steps as calls, for the last bytes of a chunk: inlined, they would take registers from loops that hardly ever come to them.
#[cfg(target_arch = "x86_64")]
mod at_end {
    use super::{Lanes, Literal, Portable};

    #[cold]
    #[inline(never)]
    pub fn matches(chunk: &[u8], at: usize, literal: &Literal) -> bool {
        Portable::matches(chunk, at, literal)
    }

    #[cold]
    #[inline(never)]
    pub fn plain_end(chunk: &[u8], at: usize) -> usize {
        Portable::plain_end(chunk, at)
    }

    #[cold]
    #[inline(never)]
    pub fn word_end(chunk: &[u8], at: usize) -> usize {
        Portable::word_end(chunk, at)
    }

    #[cold]
    #[inline(never)]
    pub fn is_ascii(chunk: &[u8], at: usize, length: usize) -> bool {
        Portable::is_ascii(chunk, at, length)
    }
}

/// Plain Rust, eight bytes at a time. Also the path of the last bytes of a chunk, which no vector may read beyond.
pub(crate) struct Portable;

impl Lanes for Portable {
    /// Made byte by byte they cost more than they save.
    #[inline(always)]
    fn marks(_: &[u8; BLOCK_BYTES]) -> Option<Marks> {
        None
    }

    #[inline(always)]
    fn matches(chunk: &[u8], at: usize, literal: &Literal) -> bool {
        let Some(window) = chunk.get(at..).and_then(|rest| rest.first_chunk::<LITERAL_BYTES_MAX>()) else {
            return chunk.get(at..).is_some_and(|rest| rest.starts_with(literal.bytes()));
        };
        let words = window.chunks_exact(8).zip(literal.padded().chunks_exact(8));
        let differ = |(one, other): (&[u8], &[u8])| match (one.first_chunk::<8>(), other.first_chunk::<8>()) {
            (Some(one), Some(other)) => u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other),
            _ => u64::MAX,
        };
        // The last word has bytes behind the literal, which are shifted out.
        let (whole, rest) = (literal.length() / 8, literal.length() % 8);
        words.enumerate().take(whole + 1).all(|(number, pair)| match number == whole {
            false => differ(pair) == 0,
            true => rest == 0 || differ(pair) << (64 - 8 * rest) == 0,
        })
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
    fn word_end(chunk: &[u8], at: usize) -> usize {
        const ONES: u64 = u64::MAX / 255;
        let mut at = at;
        while let Some(word) = chunk.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            // As above.
            let space = word.wrapping_sub(ONES * 0x21) & !word;
            let xored = word ^ (ONES * u64::from(b'"'));
            let quote = xored.wrapping_sub(ONES) & !xored;
            let found = (space | quote | word) & ONES << 7;
            if found != 0 {
                return at + found.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        let rest = chunk.get(at..).unwrap_or_default();
        let special = |byte: &u8| !(0x21..0x80).contains(byte) || *byte == b'"';
        at + rest.iter().position(special).unwrap_or(rest.len())
    }

    #[inline(always)]
    fn is_ascii(chunk: &[u8], at: usize, length: usize) -> bool {
        chunk.get(at..at + length).is_some_and(is_ascii)
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
