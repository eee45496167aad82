//! The scanner's steps with AVX2 (x86-64).
//!
//! Sources: the digit chain is the one of "Faster integer parsing" with multiply-add; control characters and bytes that are not ASCII are
//! found by one signed comparison, because the latter are negative.
//!
//! Safety: the functions are called only inside [`rows::run_avx2`](crate::json) and its like, which are entered after the machine was asked. Every load
//! is preceded by a check that the chunk has that many bytes from there on.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16,
    _mm_min_epu8, _mm_movemask_epi8, _mm_packus_epi32, _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32,
    _mm_shuffle_epi8, _mm_sub_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use super::{BLOCK_BYTES, Lanes, Marks, at_end};
use crate::json::number::{Number, POWERS};
use crate::literal::Literal;

const LANES: usize = 32;
const HALF: usize = 16;

pub(crate) struct Avx2;

impl Lanes for Avx2 {
    #[inline(always)]
    fn marks(block: &[u8; BLOCK_BYTES]) -> Option<Marks> {
        // SAFETY: a block has 64 bytes. AVX2 is there, see the module.
        let [low, high] = unsafe { [marks(block.as_ptr()), marks(block.as_ptr().add(LANES))] };
        let both = |low: u32, high: u32| u64::from(low) | u64::from(high) << LANES;
        Some(Marks {
            quotes: both(low[0], high[0]),
            colons: both(low[1], high[1]),
            commas: both(low[2], high[2]),
            closing: both(low[3], high[3]),
        })
    }

    #[inline(always)]
    fn matches(chunk: &[u8], at: usize, literal: &Literal) -> bool {
        if at + 2 * LANES > chunk.len() {
            return at_end::matches(chunk, at, literal);
        }
        let mask = literal.mask();
        // SAFETY: the chunk has 64 bytes from `at` on, as checked above; a literal has room for 64. AVX2 is there, see the module.
        let low = unsafe { unequal(chunk.as_ptr().add(at), literal.padded().as_ptr()) };
        if low & mask as u32 != 0 {
            return false;
        }
        let high_mask = (mask >> LANES) as u32;
        // SAFETY: as above, the second half.
        high_mask == 0
            || unsafe { unequal(chunk.as_ptr().add(at + LANES), literal.padded().as_ptr().add(LANES)) }
                & high_mask
                == 0
    }

    #[inline(always)]
    fn plain_end(chunk: &[u8], at: usize) -> usize {
        let mut at = at;
        while at + LANES <= chunk.len() {
            // SAFETY: the chunk has 32 bytes from `at` on, as just checked. AVX2 is there, see the module.
            let found = unsafe { specials(chunk.as_ptr().add(at)) };
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += LANES;
        }
        at_end::plain_end(chunk, at)
    }

    #[inline(always)]
    fn word_end(chunk: &[u8], at: usize) -> usize {
        let mut at = at;
        while at + LANES <= chunk.len() {
            // SAFETY: the chunk has 32 bytes from `at` on, as just checked. AVX2 is there, see the module.
            let found = unsafe { breaks(chunk.as_ptr().add(at)) };
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += LANES;
        }
        at_end::word_end(chunk, at)
    }

    #[inline(always)]
    fn is_ascii(chunk: &[u8], at: usize, length: usize) -> bool {
        if length > LANES || at + LANES > chunk.len() {
            return at_end::is_ascii(chunk, at, length);
        }
        // SAFETY: the chunk has 32 bytes from `at` on, as just checked. AVX2 is there, see the module.
        let not_ascii = unsafe { tops(chunk.as_ptr().add(at)) };
        u64::from(not_ascii) & ((1 << length) - 1) == 0
    }

    #[inline(always)]
    fn number(chunk: &[u8], at: usize) -> Option<(Number, usize)> {
        let negative = chunk.get(at) == Some(&b'-');
        let start = at + usize::from(negative);
        // One byte more than a vector, so that what follows the digits is there.
        if start + HALF >= chunk.len() {
            return None;
        }
        // SAFETY: the chunk has 17 bytes from `start` on, as just checked. AVX2, and so SSE4.1, is there, see the module.
        let (digits, is_digit) = unsafe { digits(chunk.as_ptr().add(start)) };
        let whole = (!is_digit).trailing_zeros() as usize;
        let leading_zero = chunk.get(start) == Some(&b'0') && whole > 1;
        if whole == 0 || whole >= HALF || leading_zero {
            return None;
        }
        let next = *chunk.get(start + whole)?;
        if next == b'.' {
            let end = (!(is_digit | 1 << whole)).trailing_zeros() as usize;
            let fraction = end - whole - 1;
            if fraction == 0 || end >= HALF || matches!(chunk.get(start + end), Some(b'e' | b'E')) {
                return None;
            }
            // SAFETY: AVX2 is there, see the module.
            let mantissa = unsafe { value_of(without(digits, whole), end - 1) };
            // At most 14 digits and a power of at most 14: both exact, so that the one rounding gives the nearest float.
            let value = mantissa as f64 / POWERS.get(fraction)?;
            return Some((Number::Float(if negative { -value } else { value }), start + end));
        }
        if matches!(next, b'e' | b'E') {
            return None;
        }
        // SAFETY: AVX2 is there, see the module.
        let value = unsafe { value_of(digits, whole) } as i64;
        Some((Number::Int(if negative { -value } else { value }), start + whole))
    }
}

/// Bits of the 32 bytes that differ. Both must have 32 bytes.
#[inline(always)]
unsafe fn unequal(a: *const u8, b: *const u8) -> u32 {
    // SAFETY: the caller has 32 bytes at both; the loads need no alignment.
    unsafe {
        let (a, b) = (_mm256_loadu_si256(a.cast::<__m256i>()), _mm256_loadu_si256(b.cast::<__m256i>()));
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)) as u32
    }
}

/// Bits of the 32 bytes that are a quote, a backslash, a control character or not ASCII.
#[inline(always)]
unsafe fn specials(at: *const u8) -> u32 {
    // SAFETY: the caller has 32 bytes there; the load needs no alignment.
    unsafe {
        let bytes = _mm256_loadu_si256(at.cast::<__m256i>());
        let low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
        let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
        let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
        _mm256_movemask_epi8(_mm256_or_si256(low, _mm256_or_si256(quote, backslash))) as u32
    }
}

/// Bits of the 32 bytes for each field of [`Marks`].
#[inline(always)]
unsafe fn marks(at: *const u8) -> [u32; 4] {
    // SAFETY: the caller has 32 bytes there; the load needs no alignment.
    unsafe {
        let bytes = _mm256_loadu_si256(at.cast::<__m256i>());
        let is = |bytes, byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
        // One bit apart are `]` and `}`.
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        [is(bytes, b'"'), is(bytes, b':'), is(bytes, b','), is(folded, b'}')]
            .map(|bytes| _mm256_movemask_epi8(bytes) as u32)
    }
}

/// Bits of the 32 bytes that are a quote, up to the space or not ASCII.
#[inline(always)]
unsafe fn breaks(at: *const u8) -> u32 {
    // SAFETY: the caller has 32 bytes there; the load needs no alignment.
    unsafe {
        let bytes = _mm256_loadu_si256(at.cast::<__m256i>());
        let low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), bytes);
        let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
        _mm256_movemask_epi8(_mm256_or_si256(low, quote)) as u32
    }
}

/// The top bits of the 32 bytes.
#[inline(always)]
unsafe fn tops(at: *const u8) -> u32 {
    // SAFETY: the caller has 32 bytes there; the load needs no alignment.
    unsafe { _mm256_movemask_epi8(_mm256_loadu_si256(at.cast::<__m256i>())) as u32 }
}

/// 16 bytes as digits, and bits of those that are.
#[inline(always)]
unsafe fn digits(at: *const u8) -> (__m128i, u32) {
    // SAFETY: the caller has 16 bytes there; the load needs no alignment.
    unsafe {
        let digits = _mm_sub_epi8(_mm_loadu_si128(at.cast::<__m128i>()), _mm_set1_epi8(b'0' as i8));
        let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
        (digits, _mm_movemask_epi8(is_digit) as u32)
    }
}

/// For each place of the point, the order of the bytes without it.
const WITHOUT: [[u8; HALF]; HALF] = {
    let mut table = [[0x80; HALF]; HALF];
    let mut point = 0;
    while point < HALF {
        let mut at = 0;
        while at + 1 < HALF {
            table[point][at] = if at < point { at as u8 } else { at as u8 + 1 };
            at += 1;
        }
        point += 1;
    }
    table
};

/// Read from byte n on, moves n bytes to the right end and puts zeros before them.
const RIGHT: [u8; 2 * HALF] = {
    let mut table = [0x80; 2 * HALF];
    let mut at = 0;
    while at < HALF {
        table[HALF + at] = at as u8;
        at += 1;
    }
    table
};

/// The bytes with the one at `point` taken out; `point` must be below 16.
#[inline(always)]
unsafe fn without(digits: __m128i, point: usize) -> __m128i {
    // SAFETY: a row has 16 bytes and `point` is a row's number.
    unsafe { _mm_shuffle_epi8(digits, _mm_loadu_si128(WITHOUT.as_ptr().add(point).cast::<__m128i>())) }
}

/// The number that the first `count` digits make; `count` must be 16 at most.
#[inline(always)]
unsafe fn value_of(digits: __m128i, count: usize) -> u64 {
    // SAFETY: 16 bytes from `count` on are inside the 32 of the table.
    unsafe {
        let order = _mm_loadu_si128(RIGHT.as_ptr().add(count).cast::<__m128i>());
        let digits = _mm_shuffle_epi8(digits, order);
        let twos = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
        let fours = _mm_madd_epi16(twos, _mm_set1_epi32(0x0001_0064));
        let eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(0x0001_2710));
        let pair = _mm_cvtsi128_si64(eights) as u64;
        (pair & 0xffff_ffff) * 100_000_000 + (pair >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::number;
    use crate::lanes::Portable;

    #[test]
    fn numbers_are_those_of_the_careful_path() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for case in 0..200_000u32 {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let digits = 10u64.pow((seed >> 33) as u32 % 16);
            let sign = if case % 3 == 0 { "-" } else { "" };
            let fraction = match case % 4 {
                0 => String::new(),
                1 => format!(".{:0width$}", (seed >> 7) % 1_000, width = 3 + (seed >> 50) as usize % 9),
                2 => ".5e3".to_owned(),
                _ => format!(".{}", (seed >> 11) % 10_000_000),
            };
            let text = format!("{sign}{}{fraction}", (seed >> 4) % digits);
            let padded = format!("{text},{}", " ".repeat(20));
            let careful = number::read(padded.as_bytes(), 0).unwrap();
            if let Some((found, end)) = Avx2::number(padded.as_bytes(), 0) {
                assert_eq!((found, end), careful, "{text}");
            }
            if let Some(found) = Portable::number(padded.as_bytes(), 0) {
                assert_eq!(found, careful, "{text}");
            }
        }
    }

    fn marks_by_bytes(block: &[u8; BLOCK_BYTES]) -> Marks {
        let bits = |is: fn(u8) -> bool| (0..).zip(block).map(|(bit, byte)| u64::from(is(*byte)) << bit).sum();
        Marks {
            quotes: bits(|byte| byte == b'"'),
            colons: bits(|byte| byte == b':'),
            commas: bits(|byte| byte == b','),
            closing: bits(|byte| b"}]".contains(&byte)),
        }
    }

    #[test]
    fn marks_and_the_ends_of_words_and_texts_are_those_of_the_portable_path() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        for byte in 0..=u8::MAX {
            for at in 0..70 {
                let mut text = [b'a'; 100];
                text[at] = byte;
                let block = text.first_chunk().unwrap();
                assert_eq!(Avx2::marks(block), Some(marks_by_bytes(block)), "{byte} {at}");
                for from in [0, 1, 33, 68, 80] {
                    assert_eq!(Avx2::word_end(&text, from), Portable::word_end(&text, from), "{byte} {at}");
                    assert_eq!(Avx2::plain_end(&text, from), Portable::plain_end(&text, from), "{byte} {at}");
                    for length in [0, 1, 20, 32, 33, 60] {
                        let portable = Portable::is_ascii(&text, from, length);
                        assert_eq!(Avx2::is_ascii(&text, from, length), portable, "{byte} {at} {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn literals_of_every_length_match_where_they_stand() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let text: Vec<u8> = (0..150).collect();
        for length in 0..=64 {
            let literal = Literal::new(&text[20..20 + length]).unwrap();
            for at in [20, 21, 90, 149, 150] {
                for end in [20 + length, 84, 120, 150] {
                    let chunk = &text[..end];
                    let expected = chunk.get(at..).is_some_and(|rest| rest.starts_with(literal.bytes()));
                    let found = (Avx2::matches(chunk, at, &literal), Portable::matches(chunk, at, &literal));
                    assert_eq!(found, (expected, expected), "{length} {at} {end}");
                }
            }
        }
    }
}
