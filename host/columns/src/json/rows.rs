//! Rows, one after the other, as fast as what was learned holds.
//!
//! In: a chunk and the place of a `{`; out: where the scan stopped and why. After each value the learned successors of its node are
//! compared with what comes; one that fits leads to the next value without looking at commas, keys, colons, brackets or row ends. Where
//! none fits, the generic step reads them one by one, looks the keys up and learns. Both do the same; the fast way is only a guess that
//! was checked.
//!
//! A value ends where it ends by itself: a text behind its closing quote, a number before the first byte that is no part of it. So a literal
//! begins at a place that depends on nothing but the value, and it ends before the value, whose first byte says its type each time anew.

use super::keys::Words;
use super::learned::{INSIDE, Leaf, Learned};
use super::number::Number;
use super::stop::Stop;
use super::{number, skip, text};
use crate::lanes::{Lanes, Portable};
use crate::reject::Refusal;
use crate::routes::Router;
use crate::row::check_length;
use crate::schema::{NONE, Object, Role};
use crate::shape::{Shapes, Step, Values, Walk};
use crate::stage::{Kind, Span};
use crate::tables::Tables;

/// What a scan works with.
pub(super) struct Rows<'a> {
    pub chunk: &'a [u8],
    /// The events stand in an array, with commas between them.
    pub in_array: bool,
    pub arrived_unix_ns: i64,
    pub tables: &'a mut Tables,
    pub router: &'a dyn Router,
    pub learned: Learned,
    /// The `{` of the row.
    pub row_start: usize,
    /// The row must be read once more, because a guess was wrong.
    pub again: bool,
}

/// Where the generic step begins.
#[derive(Clone, Copy)]
pub(super) enum Before {
    /// At the `{` of the event.
    Row,
    /// Behind a value of the field.
    Next(u32),
    /// Behind the `{` that is the field's value.
    Inside(u32),
}

/// What comes next.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// The value of the node's field begins there.
    Value { at: usize, leaf: Leaf },
    /// The row ended there, and what follows is no other.
    End(usize),
}

/// A value that is no plain text or number, read.
pub(super) enum Found {
    Text(Span),
    Number(Number),
    Bool(bool),
    Null,
    /// Its text.
    Array(Span),
    Object,
}

/// In place of the end of a value: it is an object.
const OBJECT: usize = usize::MAX;

impl Rows<'_> {
    /// Scans rows from the `{` at `row_start` on, as many as there are; the end of the last. On a stop `row_start` is where the row
    /// begins that was not taken.
    #[inline(always)]
    pub fn run<L: Lanes>(&mut self) -> Result<usize, Stop> {
        let mut shapes = std::mem::take(&mut self.learned.shapes);
        let end = loop {
            let end = self.rows::<L>(&mut shapes);
            if !std::mem::take(&mut self.again) {
                break end;
            }
            shapes.give_up();
            self.tables.abandon();
        };
        self.learned.shapes = shapes;
        end
    }

    #[inline(always)]
    fn rows<L: Lanes>(&mut self, shapes: &mut Shapes) -> Result<usize, Stop> {
        // In a variable, so that it need not be loaded anew after each store.
        let chunk = self.chunk;
        loop {
            self.tables.stage.begin();
            let walked = shapes.walk::<L, _>(chunk, self.row_start, None, self)?;
            let end = match walked {
                Walk::Whole { number, end, head } => {
                    self.end_row(chunk, end)?;
                    shapes.took::<Self>(chunk, self.row_start, number, head, &self.tables.stage);
                    end
                }
                Walk::Part { number, steps, at, head } => {
                    shapes.began(head);
                    self.stepped::<L>(chunk, shapes, number, steps, at)?
                }
            };
            match self.next_row(chunk, end) {
                Some(start) => self.row_start = start,
                None => return Ok(end),
            }
        }
    }

    /// Takes the rest of a row value by value, of which the first `steps` values came as in a shape and end at `at`; the row's end.
    #[inline(always)]
    fn stepped<L: Lanes>(
        &mut self,
        chunk: &[u8],
        shapes: &mut Shapes,
        number: usize,
        steps: usize,
        at: usize,
    ) -> Result<usize, Stop> {
        let tracing = shapes.begin_steps(number, steps);
        let mut next = if steps > 0 {
            let (node, before) = self.resume(shapes.steps(number, steps))?;
            self.next::<L>(chunk, node, at, before, shapes)?
        } else if shapes.are_failing() && !tracing {
            match self.by_frame::<L>(chunk)? {
                Some(end) => return Ok(end),
                None => self.by_keys::<L>(chunk)?,
            }
        } else {
            let first = self.learned.first();
            self.next::<L>(chunk, first, at, Before::Row, shapes)?
        };
        loop {
            let (at, leaf) = match next {
                Next::Value { at, leaf } => (at, leaf),
                Next::End(end) => return Ok(end),
            };
            let mut node = leaf.node;
            let end = self.leaf::<L>(chunk, at, leaf)?;
            if matches!(leaf.role, Role::Route(_))
                && let Some(table) = self.tables.stage.table
            {
                node = self.learned.enter(node, table);
            }
            next = if end == OBJECT {
                shapes.give_up();
                self.enter_object(leaf, skip::space(self.chunk, at)? + 1)?
            } else {
                self.next::<L>(chunk, node, end, Before::Next(leaf.field), shapes)?
            };
        }
    }

    /// Takes a row of a sender whose shapes fail: each key of the event itself is looked up, nothing is guessed and
    /// nothing learned. What comes where it must go on otherwise, because an object begins, or the row's end.
    #[inline(always)]
    fn by_keys<L: Lanes>(&mut self, chunk: &[u8]) -> Result<Next, Stop> {
        let (mut at, mut before) = (self.row_start, Before::Row);
        self.tables.stage.unordered = true;
        loop {
            let starts = matches!(before, Before::Row);
            let known = self.known_key::<L>(chunk, at, starts, NONE, Object::ROOT.0);
            let (value_at, leaf) = match known {
                Some((value_at, leaf)) => {
                    take_key(self.tables, leaf.canonical)?;
                    (value_at, leaf)
                }
                None => match self.step(NONE, at, at + usize::from(starts), before)? {
                    Next::Value { at, leaf }
                        if self.tables.fields.object_of(leaf.field) == Object::ROOT.0 =>
                    {
                        (at, leaf)
                    }
                    next => return Ok(next),
                },
            };
            let end = self.leaf::<L>(chunk, value_at, leaf)?;
            if end == OBJECT {
                return self.enter_object(leaf, skip::space(self.chunk, value_at)? + 1);
            }
            (at, before) = (end, Before::Next(leaf.field));
        }
    }

    /// The value of a leaf at `at`; what follows it, or [`OBJECT`].
    #[inline(always)]
    pub(super) fn leaf<L: Lanes>(&mut self, chunk: &[u8], at: usize, leaf: Leaf) -> Result<usize, Stop> {
        match leaf.role {
            Role::Value => self.plain::<L>(chunk, at, leaf.field, leaf.canonical),
            Role::Time => self.event_time::<L>(chunk, at),
            Role::Route(route) => self.route::<L>(chunk, at, leaf.field, route),
        }
    }

    /// The key that comes at `at` behind a comma (or the `{` of the row) and was seen before, and where its value begins.
    #[inline(always)]
    fn known_key<L: Lanes>(
        &self,
        chunk: &[u8],
        at: usize,
        starts: bool,
        context: u32,
        object: u32,
    ) -> Option<(usize, Leaf)> {
        let begins = if starts { b"{\"" } else { b",\"" };
        if chunk.get(at..)?.first_chunk::<2>()? != begins {
            return None;
        }
        let start = at + 2;
        let end = L::plain_end(chunk, start);
        if chunk.get(end..)?.first_chunk::<2>()? != b"\":" {
            return None;
        }
        let words = Words::at(chunk, start, end - start, context, object)?;
        Some((end + 2, self.learned.keys.find(&words)?))
    }

    /// Notes the keys of the steps that came, and where the row stands behind the last of them.
    #[inline(never)]
    fn resume(&mut self, steps: &[Step]) -> Result<(u32, Before), Stop> {
        let mut last = NONE;
        for step in steps {
            for mark in &step.marks {
                take_key(self.tables, *mark)?;
            }
            take_key(self.tables, step.canonical)?;
            last = step.field;
        }
        let mut node = self.learned.known(last);
        if let Some(table) = self.tables.stage.table {
            node = self.learned.enter(node, table);
        }
        Ok((node, Before::Next(last)))
    }

    /// What comes at `at`, behind a value or at the start of the row.
    #[inline(always)]
    fn next<L: Lanes>(
        &mut self,
        chunk: &[u8],
        node: u32,
        at: usize,
        before: Before,
        shapes: &mut Shapes,
    ) -> Result<Next, Stop> {
        if shapes.is_tracing() {
            return self.traced(node, at, before, shapes);
        }
        if let Some(next) = self.guess::<L>(chunk, node, at)? {
            return Ok(next);
        }
        let starts = matches!(before, Before::Row);
        if let Some(next) = self.by_key::<L>(chunk, node, at, starts)? {
            return Ok(next);
        }
        self.step(node, at, at + usize::from(starts), before)
    }

    /// The same for a row whose shape is learned.
    #[inline(never)]
    fn traced(&mut self, node: u32, at: usize, before: Before, shapes: &mut Shapes) -> Result<Next, Stop> {
        self.learned.missed(node);
        let next = self.step(node, at, at + usize::from(matches!(before, Before::Row)), before)?;
        match next {
            Next::Value { at: value_at, leaf } if leaf.node != NONE => {
                let text = self.chunk.get(at..value_at).unwrap_or_default();
                shapes.trace(text, leaf.field, leaf.canonical, leaf.role, &self.learned.marks);
            }
            Next::End(end) if self.tables.stage.dropped == 0 => {
                shapes.end_trace(self.chunk.get(at..end).unwrap_or_default());
            }
            _ => shapes.give_up(),
        }
        Ok(next)
    }

    /// Goes into an object where a leaf was expected. Objects that are always there are passed inside a literal and do not come here.
    #[inline(never)]
    fn enter_object(&mut self, leaf: Leaf, at: usize) -> Result<Next, Stop> {
        let mut inside = NONE;
        if leaf.node != NONE {
            let context = self.learned.node(leaf.node).map_or(NONE, |node| node.context);
            inside = self.learned.node_of(context, NONE, Leaf { field: leaf.field | INSIDE, ..leaf });
        }
        match self.guess::<Portable>(self.chunk, inside, at)? {
            Some(next) => Ok(next),
            None => {
                self.learned.missed(inside);
                self.step(inside, at, at, Before::Inside(leaf.field))
            }
        }
    }

    /// Follows a learned successor that fits; none: none fits.
    #[inline(always)]
    fn guess<L: Lanes>(&mut self, chunk: &[u8], node: u32, at: usize) -> Result<Option<Next>, Stop> {
        let Some(entry) = self.learned.node(node).filter(|entry| entry.is_trusted()) else { return Ok(None) };
        let [first, second] = &entry.successors;
        let successor = if L::matches(chunk, at, &first.literal) && first.node != NONE {
            first
        } else if L::matches(chunk, at, &second.literal) && second.node != NONE {
            second
        } else {
            return Ok(None);
        };
        let value_at = at + successor.length as usize;
        for mark in &successor.marks {
            take_key(self.tables, *mark)?;
        }
        take_key(self.tables, successor.canonical)?;
        let leaf = self.learned.leaf(successor.node);
        self.learned.fitted(node);
        Ok(leaf.map(|leaf| Next::Value { at: value_at, leaf }))
    }

    /// Where no literal fits: the end of the row, or a key that was seen before, as senders write them without spaces. None: the generic
    /// step must look, or learn.
    #[inline(always)]
    fn by_key<L: Lanes>(
        &mut self,
        chunk: &[u8],
        node: u32,
        at: usize,
        starts: bool,
    ) -> Result<Option<Next>, Stop> {
        let object = match self.learned.node(node) {
            _ if starts => Object::ROOT.0,
            Some(entry) => entry.object,
            None => return Ok(None),
        };
        if chunk.get(at) == Some(&b'}') && object == Object::ROOT.0 {
            self.end_row(chunk, at + 1)?;
            return Ok(Some(Next::End(at + 1)));
        }
        let Some(entry) = self.learned.missed(node) else { return Ok(None) };
        let (context, wants) = (entry.context, entry.wants());
        if context == NONE
            && let Some(table) = self.tables.stage.table
        {
            self.learned.missed_shared(table);
        }
        if wants {
            return Ok(None);
        }
        let Some((value_at, leaf)) = self.known_key::<L>(chunk, at, starts, context, object) else {
            return Ok(None);
        };
        take_key(self.tables, leaf.canonical)?;
        Ok(Some(Next::Value { at: value_at, leaf }))
    }

    /// Stages the value at `at`; what follows it, or [`OBJECT`].
    #[inline(always)]
    fn plain<L: Lanes>(
        &mut self,
        chunk: &[u8],
        at: usize,
        field: u32,
        canonical: u32,
    ) -> Result<usize, Stop> {
        match chunk.get(at) {
            Some(b'"') => {
                let start = at + 1;
                let end = L::plain_end(chunk, start);
                let length = end - start;
                if chunk.get(end) == Some(&b'"') && length <= self.tables.settings.limits.string_bytes_max {
                    self.tables.stage.push_text(canonical, Span { start, length, copied: false });
                    return Ok(end + 1);
                }
            }
            Some(b'0'..=b'9' | b'-') => match L::number(chunk, at) {
                Some((Number::Int(value), end)) => {
                    self.tables.stage.push(canonical, Kind::Int, value as u64);
                    return Ok(end);
                }
                Some((Number::Float(value), end)) => {
                    self.tables.stage.push(canonical, Kind::Float, value.to_bits());
                    return Ok(end);
                }
                _ => {}
            },
            Some(b't') if starts_with(chunk, at, b"true") => {
                self.tables.stage.push(canonical, Kind::Bool, 1);
                return Ok(at + 4);
            }
            Some(b'f') if starts_with(chunk, at, b"false") => {
                self.tables.stage.push(canonical, Kind::Bool, 0);
                return Ok(at + 5);
            }
            _ => {}
        }
        self.rare_value(at, field, canonical)
    }

    /// Any value, with care.
    #[inline(never)]
    fn rare_value(&mut self, at: usize, field: u32, canonical: u32) -> Result<usize, Stop> {
        let (found, end) = self.read(at, field)?;
        let limit = self.tables.settings.limits.string_bytes_max;
        let stage = &mut self.tables.stage;
        match found {
            Found::Text(span) | Found::Array(span) => {
                check_length(span.length, limit)?;
                stage.push_text(canonical, span);
            }
            Found::Number(Number::Int(value)) => stage.push(canonical, Kind::Int, value as u64),
            Found::Number(Number::UInt(value)) => stage.push(canonical, Kind::UInt, value),
            Found::Number(Number::Float(value)) => stage.push(canonical, Kind::Float, value.to_bits()),
            Found::Bool(value) => stage.push(canonical, Kind::Bool, u64::from(value)),
            Found::Null => {}
            Found::Object => return Ok(OBJECT),
        }
        Ok(end)
    }

    /// Reads any value at `at`; what follows it.
    #[inline(never)]
    pub(super) fn read(&mut self, at: usize, field: u32) -> Result<(Found, usize), Stop> {
        let at = skip::space(self.chunk, at)?;
        Ok(match skip::get(self.chunk, at)? {
            b'"' => {
                let start = at + 1;
                let plain_end = Portable::plain_end(self.chunk, start);
                let (span, end) = text::read(self.chunk, start, plain_end, &mut self.tables.stage.scratch)?;
                (Found::Text(span), end)
            }
            b'0'..=b'9' | b'-' => {
                let (number, end) = number::read(self.chunk, at)?;
                (Found::Number(number), end)
            }
            b't' => (Found::Bool(true), skip::word(self.chunk, at, b"true")?),
            b'f' => (Found::Bool(false), skip::word(self.chunk, at, b"false")?),
            b'n' => (Found::Null, skip::word(self.chunk, at, b"null")?),
            b'{' => (Found::Object, at + 1),
            b'[' => self.array(at, field)?,
            _ => return Err(Stop::syntax("expected a value", at)),
        })
    }

    /// An array as its text.
    fn array(&mut self, at: usize, field: u32) -> Result<(Found, usize), Stop> {
        let depth = self.tables.settings.limits.depth_max.saturating_sub(self.tables.fields.depth_of(field));
        let end = self.skip(at, depth)?;
        Ok((Found::Array(Span { start: at, length: end - at, copied: false }), end))
    }

    /// Commits the row whose event ends at `end`.
    #[inline(always)]
    pub(super) fn end_row(&mut self, chunk: &[u8], end: usize) -> Result<(), Stop> {
        let (limits, bytes) = (&self.tables.settings.limits, end - self.row_start);
        if bytes > limits.event_bytes_max {
            return Err(Refusal::event_too_long(limits.event_bytes_max).into());
        }
        if self.tables.stage.keys > limits.keys_max {
            return Err(self.tables.too_many_keys().into());
        }
        if self.tables.stage.guessed && self.tables.passed_over_wrongly(chunk) {
            self.again = true;
            return Err(Stop::cut(end));
        }
        Ok(self.tables.commit(chunk, bytes, self.arrived_unix_ns, self.router)?)
    }

    /// The `{` of the next event, where nothing but the usual stands before it.
    #[inline(always)]
    fn next_row(&self, chunk: &[u8], at: usize) -> Option<usize> {
        // Most often.
        if let Some(b"\n{") = chunk.get(at..).and_then(|rest| rest.first_chunk::<2>())
            && !self.in_array
        {
            return Some(at + 1);
        }
        let mut at = skip::space(chunk, at).ok()?;
        if self.in_array {
            if chunk.get(at) != Some(&b',') {
                return None;
            }
            at = skip::space(chunk, at + 1).ok()?;
        }
        (chunk.get(at) == Some(&b'{')).then_some(at)
    }
}

impl Values for Rows<'_> {
    type Stop = Stop;

    #[inline(always)]
    fn value<L: Lanes>(&mut self, chunk: &[u8], at: usize, step: &Step) -> Result<Option<usize>, Stop> {
        let leaf = Leaf { node: NONE, field: step.field, canonical: step.canonical, role: step.role };
        let end = self.leaf::<L>(chunk, at, leaf)?;
        Ok((end != OBJECT).then_some(end))
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
        // The closing quote.
        Some(span.start + span.length + 1)
    }
}

#[inline(always)]
fn starts_with<const N: usize>(chunk: &[u8], at: usize, word: &[u8; N]) -> bool {
    chunk.get(at..).and_then(|rest| rest.first_chunk::<N>()) == Some(word)
}

/// Marks a key that stands in a literal.
#[inline(always)]
pub(super) fn take_key(tables: &mut Tables, canonical: u32) -> Result<(), Stop> {
    tables.stage.keys += 1;
    if !tables.fields.mark(canonical, tables.stage.stamp) {
        return Err(tables.duplicate(canonical).into());
    }
    Ok(())
}

/// The scan with the portable steps.
pub(super) fn run_portable(rows: &mut Rows<'_>) -> Result<usize, Stop> {
    rows.run::<Portable>()
}

/// The scan with AVX2.
///
/// # Safety
/// The machine must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[allow(unsafe_code)]
pub(super) unsafe fn run_avx2(rows: &mut Rows<'_>) -> Result<usize, Stop> {
    rows.run::<crate::lanes::avx2::Avx2>()
}
