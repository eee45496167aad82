//! Maps that come in a shape that was learned: the heads of the maps and all keys are compared, values alone are read.
//!
//! In: where a map starts. Out: where it ends, its row written; or that it must be read pair by pair ([`event`](super::event)), where it has no known shape,
//! a value is rare (an array, bytes, an extension that is no timestamp), or anything is wrong with it: then the reason is found there.

use super::event::timestamp;
use super::head::{Head, Reader};
use crate::input::Input;
use crate::lanes::{Lanes, Portable, Vectors};
use crate::reject::Refusal;
use crate::schema::Role;
use crate::shape::{Shapes, Step};
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
        let chunk = self.input.chunk;
        let Some((mut number, mut shape)) = self.shapes.first() else { return Ok(None) };
        self.tables.stage.begin();
        let (mut at, mut steps) = (start, 0);
        loop {
            let step = shape.steps.get(steps);
            if !L::matches(chunk, at, step.map_or(&shape.tail, |step| &step.literal)) {
                match self.shapes.other(number, steps, |literal, _| Portable::matches(chunk, at, literal)) {
                    Some(found) => (number, shape) = found,
                    None => return Ok(None),
                }
                continue;
            }
            let Some(step) = step else { break };
            match value::<L>(self.tables, chunk, at + step.length, step) {
                Some(end) => at = end,
                None => return Ok(None),
            }
            steps += 1;
        }
        let end = at + shape.tail.length();
        if end > self.bounded {
            return Ok(None);
        }
        self.tables.commit(chunk, end - start, self.input.arrived_unix_ns, self.input.router)?;
        self.shapes.came(number);
        Ok(Some(end))
    }
}

/// Stages the value at `at`; what follows it. None: it is rare or wrong.
#[inline(always)]
fn value<L: Lanes>(tables: &mut Tables, chunk: &[u8], at: usize, step: &Step) -> Option<usize> {
    let mut reader = Reader { bytes: chunk, at };
    let head = reader.head().ok()?;
    if let Head::Str(length) = head {
        let start = reader.at;
        let text = chunk.get(start..start + length)?;
        let is_text = L::is_ascii(chunk, start, length) || std::str::from_utf8(text).is_ok();
        if !is_text || length > tables.settings.limits.string_bytes_max {
            return None;
        }
        let span = Span { start, length, copied: false };
        match step.role {
            Role::Value => tables.stage.push_text(step.canonical, span),
            Role::Route(route) => tables.stage_route(chunk, route, span),
            Role::Time => tables.stage.time_unix_ns = Some(tables.time.read(text)?),
        }
        return Some(start + length);
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
