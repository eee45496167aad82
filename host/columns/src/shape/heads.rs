//! How rows begin: the bytes up to behind their last route field, as they were once, and the table that they named.
//!
//! Where the fields that choose the table come first, as senders write them, one comparison replaces reading them and looking them up. Which head
//! is tried is the one that followed the last one before, so that streams that take turns are foretold as well as one alone. A head is a guess
//! that was checked: all of its bytes are compared.
//!
//! Bounds: [`HEADS_MAX`] heads of [`HEAD_BYTES_MAX`] bytes; a new one takes the place of the oldest. Where heads fail row after row they are
//! tried and learned ever more rarely.

use super::Values;
use crate::schema::NONE;
use crate::settings::ROUTE_FIELDS_MAX;
use crate::stage::{Span, Stage};

const HEADS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 512;

/// Rows in turn that had no head, after which one row in [`TRIED_EVERY`] is tried.
const FAILING_MAX: u32 = 64;
const TRIED_EVERY: u32 = 16;

/// A beginning of rows.
#[derive(Debug)]
pub(crate) struct Head {
    bytes: Box<[u8]>,
    /// A shape that begins so, and how many of its steps are in here.
    pub shape: usize,
    pub steps: usize,
    table: u32,
    /// Where the parts of the route lie behind the row's start.
    route: [Span; ROUTE_FIELDS_MAX],
    named: u8,
    /// The head that came after it.
    next: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Heads {
    known: Vec<Head>,
    /// The one that came last.
    last: u32,
    /// The place that is taken next.
    oldest: usize,
    /// Rows in turn that had none.
    failing: u32,
}

impl Head {
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    #[inline(always)]
    pub fn table(&self) -> u32 {
        self.table
    }

    /// The parts of the route, of a row that starts at `start`.
    pub fn route(&self, start: usize) -> impl Iterator<Item = (u8, Span)> + '_ {
        let named = |(number, _): &(u8, &Span)| self.named & 1 << number != 0;
        (0u8..)
            .zip(&self.route)
            .filter(named)
            .map(move |(number, span)| (number, Span { start: start + span.start, ..*span }))
    }
}

impl Heads {
    /// The head that is expected, and its number, where the row begins so.
    #[inline(always)]
    pub fn find(&self, chunk: &[u8], start: usize) -> Option<(u32, &Head)> {
        let last = self.known.get(self.last as usize)?;
        let head = self.known.get(last.next as usize)?;
        let begins = self.is_worth_it() && chunk.get(start..start + head.bytes.len())? == &*head.bytes;
        begins.then_some((last.next, head))
    }

    #[inline(always)]
    fn is_worth_it(&self) -> bool {
        self.failing < FAILING_MAX || self.failing.is_multiple_of(TRIED_EVERY)
    }

    /// Notes that a row had that head, as was expected; [`NONE`]: it had not.
    #[inline(always)]
    pub fn came(&mut self, number: u32) {
        if number != NONE {
            self.last = number;
            self.failing = 0;
        }
    }

    /// Notes that a row, which starts at `start`, had none that was expected. Its first `steps` steps in the shape, all of its route fields, are staged, and its table is known.
    #[inline(never)]
    pub fn missed<V: Values>(
        &mut self,
        chunk: &[u8],
        start: usize,
        (shape, steps): (usize, usize),
        stage: &Stage,
    ) {
        self.failing = self.failing.wrapping_add(1);
        if !self.is_worth_it() {
            return;
        }
        let Some(head) = head::<V>(chunk, start, (shape, steps), stage) else { return };
        let number = match self.known.iter().position(|known| known.bytes == head.bytes) {
            Some(number) => number,
            None => self.add(head),
        };
        if let Some(last) = self.known.get_mut(self.last as usize) {
            last.next = number as u32;
        }
        self.last = number as u32;
    }

    fn add(&mut self, head: Head) -> usize {
        let number = self.known.len();
        if number < HEADS_MAX {
            self.known.push(head);
            return number;
        }
        let number = self.oldest % HEADS_MAX;
        self.oldest = number + 1;
        if let Some(place) = self.known.get_mut(number) {
            *place = head;
        }
        number
    }

    /// To be called when a shape gives way or the router changes.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The head of the row that is staged.
fn head<V: Values>(
    chunk: &[u8],
    start: usize,
    (shape, steps): (usize, usize),
    stage: &Stage,
) -> Option<Head> {
    let (table, named) = (stage.table?, stage.named);
    let (mut route, mut end) = ([Span::EMPTY; ROUTE_FIELDS_MAX], start);
    if named.count_ones() as usize != steps {
        return None;
    }
    for (number, (slot, span)) in route.iter_mut().zip(stage.route).enumerate() {
        if named & 1 << number == 0 {
            continue;
        }
        if span.copied {
            return None;
        }
        end = end.max(V::behind_text(chunk, span)?);
        *slot = Span { start: span.start.checked_sub(start)?, ..span };
    }
    let bytes = chunk.get(start..end).filter(|bytes| bytes.len() <= HEAD_BYTES_MAX)?;
    Some(Head { bytes: bytes.into(), shape, steps, table, route, named, next: NONE })
}
