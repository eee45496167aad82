//! Whole columns of texts: access by row, comparison, patterns.
//!
//! Order and equality are those of the bytes. A pattern of `like`: `%` any number of characters, `_` one, `\%` and `\_` themselves.

use std::borrow::Cow;

use crate::column::Packed;
use crate::node::{Comparison, Matching};
use crate::number::Flat;
use crate::value::Texts;

/// Texts of the rows, wherever they lie.
#[derive(Clone, Debug)]
pub enum Strings<'a> {
    One(Cow<'a, [u8]>),
    Packed(Packed<'a>),
    Owned(Texts),
    /// A code over the count of names reads as empty.
    Coded {
        codes: Cow<'a, [u32]>,
        names: Names<'a>,
    },
}

#[derive(Clone, Debug)]
pub enum Names<'a> {
    Packed(Packed<'a>),
    Owned(Texts),
}

impl Names<'_> {
    pub fn get(&self, index: usize) -> &[u8] {
        match self {
            Self::Packed(packed) => packed.get(index),
            Self::Owned(texts) => texts.get(index),
        }
    }

    pub fn into_texts(self) -> Texts {
        match self {
            Self::Owned(texts) => texts,
            Self::Packed(packed) => {
                let mut texts = Texts::with_capacity(packed.len(), packed.data.len());
                (0..packed.len()).for_each(|index| texts.push(packed.get(index)));
                texts
            }
        }
    }
}

impl Strings<'_> {
    pub fn get(&self, row: usize) -> &[u8] {
        match self {
            Self::One(text) => text,
            Self::Packed(packed) => packed.get(row),
            Self::Owned(texts) => texts.get(row),
            Self::Coded { codes, names } => codes.get(row).map_or(&[], |code| names.get(*code as usize)),
        }
    }

    pub fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }

    pub fn map<'b, U: Copy>(&self, rows: usize, f: impl Fn(&[u8]) -> U) -> Flat<'b, U> {
        match self {
            Self::One(text) => Flat::One(f(text)),
            _ => Flat::Many((0..rows).map(|row| f(self.get(row))).collect()),
        }
    }

    pub fn zip<'b>(&self, right: &Strings, rows: usize, f: impl Fn(&[u8], &[u8]) -> bool) -> Flat<'b, u8> {
        match (self, right) {
            (Self::One(a), Strings::One(b)) => Flat::One(u8::from(f(a, b))),
            (_, Strings::One(b)) => Flat::Many((0..rows).map(|row| u8::from(f(self.get(row), b))).collect()),
            _ => Flat::Many((0..rows).map(|row| u8::from(f(self.get(row), right.get(row)))).collect()),
        }
    }
}

pub fn compare<'a>(op: Comparison, left: &Strings, right: &Strings, rows: usize) -> Flat<'a, u8> {
    match op {
        Comparison::Equal => left.zip(right, rows, |a, b| a == b),
        Comparison::Unequal => left.zip(right, rows, |a, b| a != b),
        _ => left.zip(right, rows, |a, b| op.holds(a.cmp(b))),
    }
}

pub fn matches<'a>(op: Matching, left: &Strings, right: &Strings, rows: usize) -> Flat<'a, u8> {
    match (op, right) {
        (Matching::Like, Strings::One(pattern)) => {
            let parts = pattern_parts(&String::from_utf8_lossy(pattern));
            left.map(rows, |text| u8::from(like(text, &parts)))
        }
        // The parser lets only texts in quotes be patterns.
        (Matching::Like, _) => Flat::One(0),
        (Matching::StartsWith, _) => left.zip(right, rows, |text, part| text.starts_with(part)),
        (Matching::EndsWith, _) => left.zip(right, rows, |text, part| text.ends_with(part)),
        (Matching::Contains, _) => left.zip(right, rows, contains),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return true };
    let mut from = 0;
    while let Some(step) = text.get(from..).and_then(|rest| rest.iter().position(|byte| byte == first)) {
        from += step;
        if text.get(from..).is_some_and(|rest| rest.starts_with(part)) {
            return true;
        }
        from += 1;
    }
    false
}

#[derive(Debug, PartialEq)]
enum Part {
    Any,
    One,
    Byte(u8),
}

fn pattern_parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' if parts.last() == Some(&Part::Any) => {}
            b'%' => parts.push(Part::Any),
            b'_' => parts.push(Part::One),
            b'\\' => match bytes.next_if(|next| matches!(next, b'%' | b'_')) {
                Some(sign) => parts.push(Part::Byte(sign)),
                None => parts.push(Part::Byte(b'\\')),
            },
            other => parts.push(Part::Byte(other)),
        }
    }
    parts
}

/// Greedy with one point to come back to: at most text times pattern steps, no recursion.
fn like(text: &[u8], parts: &[Part]) -> bool {
    let (mut at, mut part) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < text.len() {
        let stepped = match parts.get(part) {
            Some(Part::Any) => {
                back = Some((at, part + 1));
                part += 1;
                continue;
            }
            Some(Part::One) => Some(character(text, at)),
            Some(Part::Byte(byte)) if text.get(at) == Some(byte) => Some(1),
            _ => None,
        };
        match (stepped, back) {
            (Some(bytes), _) => (at, part) = (at + bytes, part + 1),
            (None, Some((from, resume))) => {
                let next = from + character(text, from);
                back = Some((next, resume));
                (at, part) = (next, resume);
            }
            (None, None) => return false,
        }
    }
    parts.iter().skip(part).all(|part| *part == Part::Any)
}

/// Bytes of the character that starts at `at`.
fn character(text: &[u8], at: usize) -> usize {
    let rest = text.get(at + 1..).unwrap_or_default();
    1 + rest.iter().take_while(|byte| **byte & 0xC0 == 0x80).count()
}
