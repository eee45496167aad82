//! Texts that are not plain ASCII to their closing quote: UTF-8, escapes, surrogates.
//!
//! In: the chunk and a place in a text; out: where its content lies (in the chunk, or decoded in a scratch buffer) and what follows its
//! closing quote. Control characters, unknown escapes and lone surrogates are refused (RFC 8259 section 7).

use super::stop::Stop;
use crate::stage::Span;

/// Reads a text whose content starts at `start` and is plain up to `from`.
#[inline(never)]
pub(super) fn read(
    chunk: &[u8],
    start: usize,
    from: usize,
    scratch: &mut Vec<u8>,
) -> Result<(Span, usize), Stop> {
    let mut at = from;
    let mut copied_from = None;
    // What is checked for UTF-8, or copied, next.
    let mut piece_start = start;
    loop {
        let rest = chunk.get(at..).unwrap_or_default();
        let found = memchr::memchr2(b'"', b'\\', rest);
        let plain = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        if let Some(control) = plain.iter().position(|byte| *byte < 0x20) {
            return Err(Stop::syntax("a control character in a text", at + control));
        }
        let Some(found) = found else { return Err(Stop::cut(chunk.len())) };
        let end = at + found;
        let piece = chunk.get(piece_start..end).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(piece) {
            return Err(Stop::utf8(piece_start + error.valid_up_to()));
        }
        let escape = chunk.get(end) == Some(&b'\\');
        if !escape && copied_from.is_none() {
            return Ok((Span { start, length: end - start, copied: false }, end + 1));
        }
        let begin = *copied_from.get_or_insert(scratch.len());
        scratch.extend_from_slice(piece);
        if !escape {
            return Ok((Span { start: begin, length: scratch.len() - begin, copied: true }, end + 1));
        }
        let (character, after) = read_escape(chunk, end)?;
        scratch.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        (at, piece_start) = (after, after);
    }
}

/// The character of the escape at `at`, and what follows it.
pub(super) fn read_escape(chunk: &[u8], at: usize) -> Result<(char, usize), Stop> {
    let Some(letter) = chunk.get(at + 1) else { return Err(Stop::cut(chunk.len())) };
    let character = match letter {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode(chunk, at),
        _ => return Err(Stop::syntax("an unknown escape in a text", at)),
    };
    Ok((character, at + 2))
}

fn read_unicode(chunk: &[u8], at: usize) -> Result<(char, usize), Stop> {
    let lone = || Stop::syntax("a lone surrogate in a text", at);
    let first = hex(chunk, at + 2)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first).map(|character| (character, at + 6)).ok_or_else(lone);
    }
    for (offset, expected) in [(6, b'\\'), (7, b'u')] {
        match chunk.get(at + offset) {
            None => return Err(Stop::cut(chunk.len())),
            Some(byte) if *byte == expected => {}
            Some(_) => return Err(lone()),
        }
    }
    let second = hex(chunk, at + 8)?;
    if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
        return Err(lone());
    }
    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(code).map(|character| (character, at + 12)).ok_or_else(lone)
}

fn hex(chunk: &[u8], at: usize) -> Result<u32, Stop> {
    let mut code = 0;
    for place in at..at + 4 {
        let Some(byte) = chunk.get(place) else { return Err(Stop::cut(chunk.len())) };
        let Some(digit) = char::from(*byte).to_digit(16) else {
            return Err(Stop::syntax("expected four hex digits after `\\u`", place));
        };
        code = code * 16 + digit;
    }
    Ok(code)
}
