//! Passes over one JSON value and checks that it is one.
//!
//! Used for arrays, which become columns as their text, and for finding the end of an event that is refused. No recursion: open brackets
//! are bits of a fixed stack.

use super::stop::Stop;
use super::{number, text};
use crate::reject::Refusal;

/// Most brackets inside each other that can be passed over.
pub(super) const DEPTH_MAX: usize = 1_024;

/// Open brackets: one bit each, set for objects.
struct Open {
    bits: [u64; DEPTH_MAX / 64],
    depth: usize,
}

impl Open {
    fn push(&mut self, object: bool) {
        if let Some(word) = self.bits.get_mut(self.depth / 64) {
            *word = *word & !(1 << (self.depth % 64)) | u64::from(object) << (self.depth % 64);
        }
        self.depth += 1;
    }

    fn in_object(&self) -> bool {
        let at = self.depth.wrapping_sub(1);
        self.bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

/// What follows the value at `at`, which may have `depth_max` brackets inside each other (at most [`DEPTH_MAX`]).
pub(super) fn value(chunk: &[u8], at: usize, depth_max: usize) -> Result<usize, Stop> {
    let mut open = Open { bits: [0; DEPTH_MAX / 64], depth: 0 };
    let mut at = space(chunk, at)?;
    loop {
        // A value begins at `at`.
        let byte = get(chunk, at)?;
        at = match byte {
            b'{' | b'[' => {
                if open.depth >= depth_max.min(DEPTH_MAX) {
                    return Err(Refusal::too_deep(depth_max).into());
                }
                let inside = space(chunk, at + 1)?;
                match (byte, get(chunk, inside)?) {
                    (b'{', b'}') | (b'[', b']') => inside + 1,
                    (b'{', _) => {
                        open.push(true);
                        at = name(chunk, inside)?;
                        continue;
                    }
                    _ => {
                        open.push(false);
                        at = inside;
                        continue;
                    }
                }
            }
            b'"' => string(chunk, at)?,
            b'-' | b'0'..=b'9' => number::skip(chunk, at)?,
            b't' => word(chunk, at, b"true")?,
            b'f' => word(chunk, at, b"false")?,
            b'n' => word(chunk, at, b"null")?,
            _ => return Err(Stop::syntax("expected a value", at)),
        };
        // A value ended at `at`.
        loop {
            if open.depth == 0 {
                return Ok(at);
            }
            at = space(chunk, at)?;
            match (get(chunk, at)?, open.in_object()) {
                (b'}', true) | (b']', false) => {
                    open.depth -= 1;
                    at += 1;
                }
                (b',', true) => {
                    at = name(chunk, space(chunk, at + 1)?)?;
                    break;
                }
                (b',', false) => {
                    at = space(chunk, at + 1)?;
                    break;
                }
                (_, true) => return Err(Stop::syntax("expected `,` or `}`", at)),
                (_, false) => return Err(Stop::syntax("expected `,` or `]`", at)),
            }
        }
    }
}

/// A key and its colon; where the value begins.
fn name(chunk: &[u8], at: usize) -> Result<usize, Stop> {
    if get(chunk, at)? != b'"' {
        return Err(Stop::syntax("expected a key in quotes", at));
    }
    let at = space(chunk, string(chunk, at)?)?;
    if get(chunk, at)? != b':' {
        return Err(Stop::syntax("expected `:`", at));
    }
    space(chunk, at + 1)
}

fn string(chunk: &[u8], at: usize) -> Result<usize, Stop> {
    let mut at = at + 1;
    loop {
        let rest = chunk.get(at..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
        let Some(found) = found else { return Err(Stop::cut(chunk.len())) };
        at += found;
        match get(chunk, at)? {
            b'"' => return Ok(at + 1),
            b'\\' => at = text::read_escape(chunk, at)?.1,
            _ => return Err(Stop::syntax("a control character in a text", at)),
        }
    }
}

pub(super) fn word(chunk: &[u8], at: usize, word: &[u8]) -> Result<usize, Stop> {
    let end = at + word.len();
    match chunk.get(at..end) {
        Some(found) if found == word => Ok(end),
        None if word.starts_with(chunk.get(at..).unwrap_or_default()) => Err(Stop::cut(chunk.len())),
        _ => Err(Stop::syntax("expected `true`, `false` or `null`", at)),
    }
}

/// The first place from `at` on that is no white space.
#[inline(always)]
pub(super) fn space(chunk: &[u8], at: usize) -> Result<usize, Stop> {
    let mut at = at;
    while is_space(get(chunk, at)?) {
        at += 1;
    }
    Ok(at)
}

#[inline(always)]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[inline(always)]
pub(super) fn get(chunk: &[u8], at: usize) -> Result<u8, Stop> {
    chunk.get(at).copied().ok_or_else(|| Stop::cut(at))
}
