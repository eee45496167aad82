//! Lines that come in a shape that was learned: all keys are compared, values alone are read.
//!
//! In: a line. Out: whether its row was written; where not, it must be read pair by pair ([`line`](super::line)), because it has no known
//! shape, a value is rare (escapes, bytes that are not ASCII), or anything is wrong with it: then the reason is found there.

use super::value::{self, Plain};
use crate::input::Input;
use crate::json::number::Number;
use crate::lanes::{Lanes, Portable, Vectors};
use crate::literal::Literal;
use crate::reject::Refusal;
use crate::schema::Role;
use crate::shape::{Shapes, Step};
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
        let chunk = self.input.chunk;
        let Some((mut number, mut shape)) = self.shapes.first() else { return Ok(false) };
        self.tables.stage.begin();
        let (mut at, mut steps) = (self.start, 0);
        loop {
            let step = shape.steps.get(steps);
            let fits = match step {
                Some(step) => L::matches(chunk, at, &step.literal),
                // What stands behind the last value may be nothing, so that the line's end says more.
                None => at + shape.tail.length() == self.end && L::matches(chunk, at, &shape.tail),
            };
            if !fits {
                let rest = chunk.get(at..self.end).unwrap_or_default();
                let comes = |literal: &Literal, is_tail: bool| {
                    rest.starts_with(literal.bytes()) && (!is_tail || literal.length() == rest.len())
                };
                match self.shapes.other(number, steps, comes) {
                    Some(found) => (number, shape) = found,
                    None => return Ok(false),
                }
                continue;
            }
            let Some(step) = step else { break };
            match value::<L>(self.tables, chunk, at + step.length, step) {
                Some(end) if end <= self.end => at = end,
                _ => return Ok(false),
            }
            steps += 1;
        }
        self.tables.commit(chunk, self.end - self.start, self.input.arrived_unix_ns, self.input.router)?;
        self.shapes.came(number);
        Ok(true)
    }
}

/// Stages the value at `at`; what follows it. None: it is rare or wrong.
#[inline(always)]
fn value<L: Lanes>(tables: &mut Tables, chunk: &[u8], at: usize, step: &Step) -> Option<usize> {
    let first = chunk.get(at)?;
    if *first == b'"' {
        let start = at + 1;
        let end = L::plain_end(chunk, start);
        return (chunk.get(end) == Some(&b'"'))
            .then_some(())
            .and_then(|()| text(tables, chunk, Span { start, length: end - start, copied: false }, step))
            .map(|()| end + 1);
    }
    // Whether it may be anything but a text.
    let mut is_text = false;
    if step.role == Role::Value
        && matches!(first, b'-' | b'0'..=b'9')
        && let Some((number, end)) = L::number(chunk, at)
    {
        // What goes on behind a whole number that has neither point nor exponent is none.
        is_text = chunk.get(end).is_some_and(|byte| *byte > b' ');
        if !is_text {
            match number {
                Number::Int(value) => tables.stage.push(step.canonical, Kind::Int, value as u64),
                Number::UInt(value) => tables.stage.push(step.canonical, Kind::UInt, value),
                Number::Float(value) => tables.stage.push(step.canonical, Kind::Float, value.to_bits()),
            }
            return Some(end);
        }
    }
    let end = L::word_end(chunk, at);
    if chunk.get(end).is_some_and(|byte| *byte > b' ') {
        return None;
    }
    let span = Span { start: at, length: end - at, copied: false };
    if step.role == Role::Time
        && let Some(read) = tables.time.read(chunk.get(at..end)?)
    {
        tables.stage.time_unix_ns = Some(read);
        return Some(end);
    }
    let plain = match chunk.get(at..end)? {
        _ if is_text => Plain::Text,
        word if matches!(step.role, Role::Route(_)) && word != b"null" && !word.is_empty() => Plain::Text,
        word => value::of(word),
    };
    match plain {
        Plain::Nothing => {}
        Plain::Text => text(tables, chunk, span, step)?,
        Plain::Value(value) => scalar(tables, value, step)?,
    }
    Some(end)
}

#[inline(always)]
fn text(tables: &mut Tables, chunk: &[u8], span: Span, step: &Step) -> Option<()> {
    if span.length > tables.settings.limits.string_bytes_max {
        return None;
    }
    match step.role {
        Role::Value => tables.stage.push_text(step.canonical, span),
        Role::Route(route) => tables.stage_route(chunk, route, span),
        Role::Time => {
            let read = tables.time.read(chunk.get(span.start..span.start + span.length)?)?;
            tables.stage.time_unix_ns = Some(read);
        }
    }
    Some(())
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
