//! Maps that come in a shape that was learned: the heads of the maps and all keys are compared, values alone are read.
//!
//! In: where a map starts. Out: where it ends, its row written; or that it must be read pair by pair ([`event`](super::event)), where it has no known shape,
//! a value is rare (an array, bytes, an extension that is no timestamp), or anything is wrong with it: then the reason is found there.

use std::convert::Infallible;

use super::event::timestamp;
use super::head::{Head, Reader};
use crate::input::Input;
use crate::lanes::{Lanes, Portable, Vectors};
use crate::reject::Refusal;
use crate::schema::Role;
use crate::shape::{Shapes, Step, Values, Walk};
use crate::stage::{Kind, Span};
use crate::tables::Tables;

/// What a map is taken with.
pub(super) struct Shaped<'a> {
    pub input: Input<'a>,
    pub tables: &'a mut Tables,
    pub shapes: &'a mut Shapes,
    /// What is behind is too much for one event.
    pub bounded: usize,
}

impl Shaped<'_> {
    /// The end of the map that starts at `start`, which was taken.
    #[inline(always)]
    fn run<L: Lanes>(&mut self, start: usize) -> Result<Option<usize>, Refusal> {
        let (chunk, tables) = (self.input.chunk, &mut *self.tables);
        tables.stage.begin();
        let walked = self.shapes.walk::<L, _>(chunk, start, None, &mut Staged { tables });
        let (number, end, head) = match walked {
            Ok(Walk::Whole { number, end, head }) => (number, end, head),
            Ok(Walk::Part { head, .. }) => {
                self.shapes.began(head);
                return Ok(None);
            }
        };
        if end > self.bounded {
            return Ok(None);
        }
        tables.commit(chunk, end - start, self.input.arrived_unix_ns, self.input.router)?;
        self.shapes.took::<Staged<'_>>(chunk, start, number, head, &tables.stage);
        Ok(Some(end))
    }
}

/// Stages values.
struct Staged<'a> {
    tables: &'a mut Tables,
}

impl Values for Staged<'_> {
    type Stop = Infallible;

    #[inline(always)]
    fn value<L: Lanes>(&mut self, chunk: &[u8], at: usize, step: &Step) -> Result<Option<usize>, Infallible> {
        Ok(value::<L>(self.tables, chunk, at, step))
    }

    #[inline(always)]
    fn begins(&mut self, table: u32) {
        self.tables.stage.table = Some(table);
    }

    #[inline(never)]
    fn leaves(&mut self, chunk: &[u8], route: impl Iterator<Item = (u8, Span)>) {
        self.tables.restage_route(chunk, route);
    }

    fn behind_text(_: &[u8], span: Span) -> Option<usize> {
        Some(span.start + span.length)
    }
}

/// Stages the value at `at`; what follows it. None: it is rare or wrong, and nothing is staged.
#[inline(always)]
fn value<L: Lanes>(tables: &mut Tables, chunk: &[u8], at: usize, step: &Step) -> Option<usize> {
    let first = *chunk.get(at)?;
    let (start, length) = match first {
        0xa0..=0xbf => (at + 1, usize::from(first & 0x1f)),
        0xd9 => (at + 2, usize::from(*chunk.get(at + 1)?)),
        _ => return scalar(tables, chunk, at, first, step),
    };
    if !L::is_ascii(chunk, start, length) && !is_utf8(chunk, start, length) {
        return None;
    }
    text(tables, chunk, start, length, step)
}

/// Stages a text that is UTF-8; what follows it.
#[inline(always)]
fn text(tables: &mut Tables, chunk: &[u8], start: usize, length: usize, step: &Step) -> Option<usize> {
    if length > tables.settings.limits.string_bytes_max {
        return None;
    }
    let span = Span { start, length, copied: false };
    match step.role {
        Role::Value => tables.stage.push_text(step.canonical, span),
        Role::Route(route) => tables.stage_route(chunk, route, span),
        Role::Time => {
            tables.stage.time_unix_ns = Some(tables.time.read(chunk.get(start..start + length)?)?);
        }
    }
    Some(start + length)
}

#[inline(never)]
fn is_utf8(chunk: &[u8], start: usize, length: usize) -> bool {
    chunk.get(start..start + length).is_some_and(|text| std::str::from_utf8(text).is_ok())
}

/// A number as senders write most, else whatever it is.
#[inline(always)]
fn scalar(tables: &mut Tables, chunk: &[u8], at: usize, first: u8, step: &Step) -> Option<usize> {
    let after = chunk.get(at + 1..)?;
    if step.role == Role::Value {
        let (kind, bits, bytes) = match first {
            0x00..=0x7f => (Kind::Int, u64::from(first), 1),
            0xcc => (Kind::Int, u64::from(*after.first()?), 2),
            0xcd => (Kind::Int, u64::from(u16::from_be_bytes(*after.first_chunk()?)), 3),
            0xce => (Kind::Int, u64::from(u32::from_be_bytes(*after.first_chunk()?)), 5),
            0xcb => match f64::from_be_bytes(*after.first_chunk()?) {
                value if value.is_finite() => (Kind::Float, value.to_bits(), 9),
                _ => return None,
            },
            _ => return rare(tables, chunk, at, step),
        };
        tables.stage.push(step.canonical, kind, bits);
        return Some(at + bytes);
    }
    rare(tables, chunk, at, step)
}

/// Any value, with care.
#[inline(never)]
fn rare(tables: &mut Tables, chunk: &[u8], at: usize, step: &Step) -> Option<usize> {
    let mut reader = Reader { bytes: chunk, at };
    let head = reader.head().ok()?;
    if let Head::Str(length) = head {
        let start = reader.at;
        if !is_utf8(chunk, start, length) {
            return None;
        }
        return text(tables, chunk, start, length, step);
    }
    if step.role == Role::Value {
        let (kind, bits) = match head {
            Head::Int(value) => (Kind::Int, value as u64),
            Head::Float(value) if value.is_finite() => (Kind::Float, value.to_bits()),
            Head::UInt(value) => (Kind::UInt, value),
            Head::Bool(value) => (Kind::Bool, u64::from(value)),
            Head::Nil => return Some(reader.at),
            Head::Ext(kind, length) => (Kind::Time, timestamp(kind, reader.take(length).ok()?).ok()?? as u64),
            _ => return None,
        };
        tables.stage.push(step.canonical, kind, bits);
        return Some(reader.at);
    }
    let time_unix_ns = match (step.role, head) {
        (_, Head::Nil) => return Some(reader.at),
        (Role::Time, Head::Int(value)) => tables.settings.time_unit.integer(value)?,
        (Role::Time, Head::Float(value)) => tables.settings.time_unit.float(value)?,
        (Role::Time, Head::Ext(kind, length)) => timestamp(kind, reader.take(length).ok()?).ok()??,
        _ => return None,
    };
    tables.stage.time_unix_ns = Some(time_unix_ns);
    Some(reader.at)
}

/// The end of the map that starts at `start`, which was taken; none: it was not, and the staged row is to be begun anew.
#[inline]
#[allow(unsafe_code)]
pub(super) fn take(mut shaped: Shaped<'_>, start: usize, vectors: Vectors) -> Result<Option<usize>, Refusal> {
    #[cfg(target_arch = "x86_64")]
    if vectors.are_there() {
        // SAFETY: the machine was asked, see `Vectors`.
        return unsafe { take_avx2(&mut shaped, start) };
    }
    let _ = vectors;
    shaped.run::<Portable>(start)
}

/// # Safety
/// The machine must have what is named.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[allow(unsafe_code)]
unsafe fn take_avx2(shaped: &mut Shaped<'_>, start: usize) -> Result<Option<usize>, Refusal> {
    shaped.run::<crate::lanes::avx2::Avx2>(start)
}
