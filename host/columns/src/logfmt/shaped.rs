//! Lines that come in a shape that was learned: all keys are compared, values alone are read.
//!
//! In: a line. Out: whether its row was written; where not, it must be read pair by pair ([`line`](super::line)), because it has no known
//! shape, a value is rare (escapes, bytes that are not ASCII), or anything is wrong with it: then the reason is found there.

use std::convert::Infallible;

use super::value::{self, Plain};
use crate::input::Input;
use crate::json::number::Number;
use crate::lanes::{Lanes, Portable, Vectors};
use crate::reject::Refusal;
use crate::schema::Role;
use crate::shape::{Shapes, Step, Values, Walk};
use crate::stage::{Kind, Span};
use crate::tables::Tables;
use crate::value::Value;

/// What a line is taken with.
pub(super) struct Shaped<'a> {
    pub input: Input<'a>,
    pub tables: &'a mut Tables,
    pub shapes: &'a mut Shapes,
    /// Where the line starts and ends in the chunk.
    pub start: usize,
    pub end: usize,
}

impl Shaped<'_> {
    /// Whether the line was taken.
    #[inline(always)]
    fn run<L: Lanes>(&mut self) -> Result<bool, Refusal> {
        let (chunk, tables) = (self.input.chunk, &mut *self.tables);
        tables.stage.begin();
        let walked = self.shapes.walk::<L, _>(chunk, self.start, Some(self.end), &mut Staged { tables });
        let (number, head) = match walked {
            Ok(Walk::Whole { number, head, .. }) => (number, head),
            Ok(Walk::Part { head, .. }) => {
                self.shapes.began(head);
                return Ok(false);
            }
        };
        tables.commit(chunk, self.end - self.start, self.input.arrived_unix_ns, self.input.router)?;
        self.shapes.took::<Staged<'_>>(chunk, self.start, number, head, &tables.stage);
        Ok(true)
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
        Ok(match step.role {
            Role::Value => value::<L>(self.tables, chunk, at, step),
            _ => chosen::<L>(self.tables, chunk, at, step),
        })
    }

    #[inline(always)]
    fn begins(&mut self, table: u32) {
        self.tables.stage.table = Some(table);
    }

    #[inline(never)]
    fn leaves(&mut self, chunk: &[u8], route: impl Iterator<Item = (u8, Span)>) {
        self.tables.restage_route(chunk, route);
    }

    fn behind_text(chunk: &[u8], span: Span) -> Option<usize> {
        let end = span.start + span.length;
        let is_quoted = chunk.get(span.start.checked_sub(1)?) == Some(&b'"');
        Some(end + usize::from(is_quoted))
    }
}

/// Stages the value at `at`; what follows it. None: it is rare or wrong, and nothing is staged.
#[inline(always)]
fn value<L: Lanes>(tables: &mut Tables, chunk: &[u8], at: usize, step: &Step) -> Option<usize> {
    let first = *chunk.get(at)?;
    // Whether it cannot be anything but a text.
    let is_text = match first {
        b'-' | b'0'..=b'9' => match L::number(chunk, at) {
            // What goes on behind a number that is whole JSON is none.
            Some((_, end)) if chunk.get(end).is_some_and(|byte| *byte > b' ') => true,
            Some((number, end)) => {
                match number {
                    Number::Int(value) => tables.stage.push(step.canonical, Kind::Int, value as u64),
                    Number::UInt(value) => tables.stage.push(step.canonical, Kind::UInt, value),
                    Number::Float(value) => tables.stage.push(step.canonical, Kind::Float, value.to_bits()),
                }
                return Some(end);
            }
            None => false,
        },
        b'"' => {
            let span = quoted::<L>(chunk, at)?;
            text(tables, span, step)?;
            return Some(span.start + span.length + 1);
        }
        b't' | b'f' | b'n' => false,
        _ => first > b' ',
    };
    let span = word::<L>(chunk, at)?;
    if is_text {
        text(tables, span, step)?;
    } else {
        rare(tables, chunk, span, step)?;
    }
    Some(at + span.length)
}

/// The same of a value that chooses the table or is the time.
#[inline(always)]
fn chosen<L: Lanes>(tables: &mut Tables, chunk: &[u8], at: usize, step: &Step) -> Option<usize> {
    let is_quoted = chunk.get(at) == Some(&b'"');
    let span = if is_quoted { quoted::<L>(chunk, at)? } else { word::<L>(chunk, at)? };
    let found = chunk.get(span.start..span.start + span.length)?;
    match step.role {
        Role::Route(route) if is_quoted || (found != b"null" && !found.is_empty()) => {
            check(tables, span)?;
            tables.stage_route(chunk, route, span);
        }
        Role::Time => match tables.time.read(found) {
            Some(time_unix_ns) => tables.stage.time_unix_ns = Some(time_unix_ns),
            None if is_quoted => return None,
            None => rare(tables, chunk, span, step)?,
        },
        _ => rare(tables, chunk, span, step)?,
    }
    Some(span.start + span.length + usize::from(is_quoted))
}

/// The text in quotes at `at`, where it has nothing but plain characters.
#[inline(always)]
fn quoted<L: Lanes>(chunk: &[u8], at: usize) -> Option<Span> {
    let start = at + 1;
    let end = L::plain_end(chunk, start);
    let span = Span { start, length: end - start, copied: false };
    (chunk.get(end) == Some(&b'"')).then_some(span)
}

/// The word at `at`, where it ends with white space.
#[inline(always)]
fn word<L: Lanes>(chunk: &[u8], at: usize) -> Option<Span> {
    let end = L::word_end(chunk, at);
    let ends = chunk.get(end).is_none_or(|byte| *byte <= b' ');
    ends.then_some(Span { start: at, length: end - at, copied: false })
}

#[inline(always)]
fn check(tables: &Tables, span: Span) -> Option<()> {
    (span.length <= tables.settings.limits.string_bytes_max).then_some(())
}

#[inline(always)]
fn text(tables: &mut Tables, span: Span, step: &Step) -> Option<()> {
    check(tables, span)?;
    tables.stage.push_text(step.canonical, span);
    Some(())
}

/// A word that may be a number, a truth value or nothing.
#[inline(never)]
fn rare(tables: &mut Tables, chunk: &[u8], span: Span, step: &Step) -> Option<()> {
    match value::of(chunk.get(span.start..span.start + span.length)?) {
        Plain::Nothing => Some(()),
        Plain::Text if step.role == Role::Value => text(tables, span, step),
        Plain::Text => None,
        Plain::Value(value) => scalar(tables, value, step),
    }
}

fn scalar(tables: &mut Tables, value: Value<'_>, step: &Step) -> Option<()> {
    let unit = tables.settings.time_unit;
    let (kind, bits) = match (step.role, value) {
        (Role::Value, Value::Int(value)) => (Kind::Int, value as u64),
        (Role::Value, Value::UInt(value)) => (Kind::UInt, value),
        (Role::Value, Value::Float(value)) => (Kind::Float, value.to_bits()),
        (Role::Value, Value::Bool(value)) => (Kind::Bool, u64::from(value)),
        (Role::Time, Value::Int(value)) => {
            tables.stage.time_unix_ns = Some(unit.integer(value)?);
            return Some(());
        }
        (Role::Time, Value::Float(value)) => {
            tables.stage.time_unix_ns = Some(unit.float(value)?);
            return Some(());
        }
        _ => return None,
    };
    tables.stage.push(step.canonical, kind, bits);
    Some(())
}

/// Whether the line was taken; where not, the staged row is to be begun anew.
#[inline]
#[allow(unsafe_code)]
pub(super) fn take(mut shaped: Shaped<'_>, vectors: Vectors) -> Result<bool, Refusal> {
    #[cfg(target_arch = "x86_64")]
    if vectors.are_there() {
        // SAFETY: the machine was asked, see `Vectors`.
        return unsafe { take_avx2(&mut shaped) };
    }
    let _ = vectors;
    shaped.run::<Portable>()
}

/// # Safety
/// The machine must have what is named.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[allow(unsafe_code)]
unsafe fn take_avx2(shaped: &mut Shaped<'_>) -> Result<bool, Refusal> {
    shaped.run::<crate::lanes::avx2::Avx2>()
}
