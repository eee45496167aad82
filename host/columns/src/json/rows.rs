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
use crate::literal::LITERAL_BYTES_MAX;
use crate::reject::Refusal;
use crate::routes::Router;
use crate::row::check_length;
use crate::schema::{NONE, Object, Role};
use crate::shape::Shapes;
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
}

/// Where the generic step begins.
#[derive(Clone, Copy)]
enum Before {
    /// At the `{` of the event.
    Row,
    /// Behind a value of the field.
    Next(u32),
    /// Behind the `{` that is the field's value.
    Inside(u32),
}

/// What comes next.
#[derive(Clone, Copy)]
enum Next {
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
        let end = self.rows::<L>(&mut shapes);
        self.learned.shapes = shapes;
        end
    }

    #[inline(always)]
    fn rows<L: Lanes>(&mut self, shapes: &mut Shapes) -> Result<usize, Stop> {
        // In a variable, so that it need not be loaded anew after each store.
        let chunk = self.chunk;
        loop {
            self.tables.stage.begin();
            let end = match self.shaped::<L>(chunk, shapes)? {
                Some(end) => end,
                None => {
                    self.tables.stage.begin();
                    shapes.begin_steps();
                    self.stepped::<L>(chunk, shapes)?
                }
            };
            match self.next_row(chunk, end) {
                Some(start) => self.row_start = start,
                None => return Ok(end),
            }
        }
    }

    /// Takes a row that comes in a shape that was learned; its end. None: it does not, and must be read from its start.
    #[inline(always)]
    fn shaped<L: Lanes>(&mut self, chunk: &[u8], shapes: &mut Shapes) -> Result<Option<usize>, Stop> {
        let Some((mut number, mut shape)) = shapes.first() else { return Ok(None) };
        let (mut at, mut steps) = (self.row_start, 0);
        loop {
            let step = shape.steps.get(steps);
            if !L::matches(chunk, at, step.map_or(&shape.tail, |step| &step.literal)) {
                match shapes.other(number, steps, |literal, _| Portable::matches(chunk, at, literal)) {
                    Some(found) => (number, shape) = found,
                    None => return Ok(None),
                }
                continue;
            }
            let Some(step) = step else { break };
            at += step.length;
            at = match step.role {
                Role::Value => self.value::<L>(chunk, at, step.field, step.canonical)?,
                Role::Time => self.event_time::<L>(chunk, at)?,
                Role::Route(route) => self.route::<L>(chunk, at, step.field, route)?,
            };
            if at == OBJECT {
                return Ok(None);
            }
            steps += 1;
        }
        let end = at + shape.tail.length();
        end_row(self.tables, chunk, self.router, self.arrived_unix_ns, self.row_start, end)?;
        shapes.came(number);
        Ok(Some(end))
    }

    /// Takes a row value by value; its end.
    #[inline(always)]
    fn stepped<L: Lanes>(&mut self, chunk: &[u8], shapes: &mut Shapes) -> Result<usize, Stop> {
        let start = self.row_start;
        let first = self.learned.first();
        let mut next = self.next::<L>(chunk, first, start, Before::Row, shapes)?;
        loop {
            let (at, leaf) = match next {
                Next::Value { at, leaf } => (at, leaf),
                Next::End(end) => return Ok(end),
            };
            let mut node = leaf.node;
            let end = match leaf.role {
                Role::Value => self.value::<L>(chunk, at, leaf.field, leaf.canonical)?,
                Role::Time => self.event_time::<L>(chunk, at)?,
                Role::Route(route) => {
                    let end = self.route::<L>(chunk, at, leaf.field, route)?;
                    if let Some(table) = self.tables.stage.table {
                        node = self.learned.enter(node, table);
                    }
                    end
                }
            };
            next = if end == OBJECT {
                shapes.give_up();
                self.enter_object(leaf, skip::space(self.chunk, at)? + 1)?
            } else {
                self.next::<L>(chunk, node, end, Before::Next(leaf.field), shapes)?
            };
        }
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
                shapes.trace(text, leaf.field, leaf.canonical, leaf.role);
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
        let Some(entry) = self.learned.node(node) else { return Ok(None) };
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
        let Some([b0, b1]) = chunk.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Ok(None);
        };
        let object = match self.learned.node(node) {
            _ if starts => Object::ROOT.0,
            Some(entry) => entry.object,
            None => return Ok(None),
        };
        if *b0 == b'}' && object == Object::ROOT.0 {
            end_row(self.tables, chunk, self.router, self.arrived_unix_ns, self.row_start, at + 1)?;
            return Ok(Some(Next::End(at + 1)));
        }
        let Some(entry) = self.learned.missed(node) else { return Ok(None) };
        let (context, wants) = (entry.context, entry.wants());
        if context == NONE
            && let Some(table) = self.tables.stage.table
        {
            self.learned.missed_shared(table);
        }
        if wants || [*b0, *b1] != [if starts { b'{' } else { b',' }, b'"'] {
            return Ok(None);
        }
        let start = at + 2;
        let end = L::plain_end(chunk, start);
        if chunk.get(end..).and_then(|rest| rest.first_chunk::<2>()) != Some(b"\":") {
            return Ok(None);
        }
        let words = Words::at(chunk, start, end - start, context, object);
        let Some(leaf) = words.and_then(|words| self.learned.keys.find(&words)) else { return Ok(None) };
        take_key(self.tables, leaf.canonical)?;
        Ok(Some(Next::Value { at: end + 2, leaf }))
    }

    /// Stages the value at `at`; what follows it, or [`OBJECT`].
    #[inline(always)]
    fn value<L: Lanes>(
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

    /// Reads what stands between the value that ended at `from_at` and the next one, byte by byte, and learns it.
    #[inline(never)]
    fn step(&mut self, from: u32, from_at: usize, at: usize, before: Before) -> Result<Next, Stop> {
        let (mut object, mut previous, mut first) = match before {
            Before::Row => (Object::ROOT.0, NONE, true),
            Before::Next(field) => (self.tables.fields.object_of(field), field, false),
            Before::Inside(field) => (self.open(field)?, NONE, true),
        };
        let mut at = at;
        self.learned.marks.clear();
        let mut learns = from != NONE;
        loop {
            at = skip::space(self.chunk, at)?;
            match skip::get(self.chunk, at)? {
                b'}' => {
                    at += 1;
                    first = false;
                    if object != Object::ROOT.0 {
                        previous = self.tables.fields.parent_of(object);
                        object = self.tables.fields.object_of(previous);
                        continue;
                    }
                    end_row(self.tables, self.chunk, self.router, self.arrived_unix_ns, self.row_start, at)?;
                    return Ok(Next::End(at));
                }
                b',' if !first => at = skip::space(self.chunk, at + 1)?,
                _ if first => {}
                _ => return Err(Stop::syntax("expected `,` or `}`", at)),
            }
            let (field, value_at) = self.key(object, previous, at)?;
            if field == NONE {
                at = self.pass_over(object, value_at)?;
                (first, learns) = (false, false);
                continue;
            }
            let Some(entry) = self.tables.fields.get(field) else { return Err(Stop::cut(at)) };
            let (canonical, role) = (entry.canonical, entry.role);
            self.tables.take_key(field)?;
            let settled = self.tables.fields.is_settled(field);
            learns &= settled;
            let byte = skip::get(self.chunk, value_at)?;
            if byte == b'{' && role == Role::Value {
                object = self.open(field)?;
                self.learned.marks.push(canonical);
                (at, previous, first) = (value_at + 1, NONE, true);
                continue;
            }
            let mut leaf = Leaf { node: NONE, field, canonical, role };
            if settled {
                leaf.node = self.learn(learns.then_some((from, from_at)), value_at, leaf);
            }
            return Ok(Next::Value { at: value_at, leaf });
        }
    }

    /// The node of the leaf, to which what stands before it now leads.
    #[inline]
    fn learn(&mut self, from: Option<(u32, usize)>, value_at: usize, leaf: Leaf) -> u32 {
        let context = from.and_then(|(from, _)| self.learned.node(from)).map_or(NONE, |from| from.context);
        let generation = self.learned.generation;
        let object = self.tables.fields.object_of(leaf.field);
        let node = self.learned.node_of(context, object, leaf);
        if let Some(entry) = self.tables.fields.get(leaf.field) {
            self.learned.keys.remember(entry.name.as_bytes(), context, object, Leaf { node, ..leaf });
        }
        let Some((from, from_at)) = from else { return node };
        if self.learned.generation != generation
            || value_at - from_at > LITERAL_BYTES_MAX
            || !self.learned.wants(from)
        {
            return node;
        }
        let text = self.chunk.get(from_at..value_at).unwrap_or_default();
        self.learned.learn(from, node, text);
        node
    }

    /// The object that is the value of a field.
    fn open(&mut self, field: u32) -> Result<u32, Stop> {
        let limit = self.tables.settings.limits.depth_max;
        // The field's own object, and the one that opens.
        if self.tables.fields.depth_of(field) + 1 > limit {
            return Err(Refusal::too_deep(limit).into());
        }
        Ok(self.tables.fields.child(field))
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

    /// Checks a value that there is no room for; what follows it.
    fn pass_over(&mut self, object: u32, at: usize) -> Result<usize, Stop> {
        self.tables.stage.keys += 1;
        self.tables.stage.dropped += 1;
        let limits = &self.tables.settings.limits;
        let depth = limits.depth_max.saturating_sub(self.tables.fields.depth(object));
        let end = self.skip(at, depth)?;
        if skip::get(self.chunk, at)? != b'{' {
            check_length((end - at).saturating_sub(2), limits.string_bytes_max)?;
        }
        Ok(end)
    }

    /// Passes over a value with so many brackets inside each other at most, and checks its texts.
    fn skip(&self, at: usize, depth: usize) -> Result<usize, Stop> {
        let limit = self.tables.settings.limits.depth_max;
        let too_deep = |stop: Stop| if stop.is_refusal() { Refusal::too_deep(limit).into() } else { stop };
        let end = skip::value(self.chunk, at, depth).map_err(too_deep)?;
        match std::str::from_utf8(self.chunk.get(at..end).unwrap_or_default()) {
            Ok(_) => Ok(end),
            Err(error) => Err(Stop::utf8(at + error.valid_up_to())),
        }
    }

    /// The key at `at` and where its value begins; [`NONE`]: a new one, and its table has no room.
    #[inline]
    fn key(&mut self, object: u32, previous: u32, at: usize) -> Result<(u32, usize), Stop> {
        if skip::get(self.chunk, at)? != b'"' {
            return Err(Stop::syntax("expected a key in quotes", at));
        }
        let start = at + 1;
        let plain_end = Portable::plain_end(self.chunk, start);
        let mut end = plain_end + 1;
        let mut span = Span { start, length: plain_end - start, copied: false };
        if self.chunk.get(plain_end) != Some(&b'"') {
            (span, end) = text::read(self.chunk, start, plain_end, &mut self.tables.stage.scratch)?;
        }
        end = skip::space(self.chunk, end)?;
        if skip::get(self.chunk, end)? != b':' {
            return Err(Stop::syntax("expected `:`", end));
        }
        let value_at = skip::space(self.chunk, end + 1)?;
        let Tables { fields, stage, .. } = &mut *self.tables;
        if let Some(field) = fields.find(object, previous, stage.text(self.chunk, span)) {
            return Ok((field, value_at));
        }
        if self.tables.has_no_room() {
            return Ok((NONE, value_at));
        }
        let name = self.tables.stage.text(self.chunk, span).to_vec();
        Ok((self.tables.new_field(object, previous, &name)?, value_at))
    }
}

#[inline(always)]
fn starts_with<const N: usize>(chunk: &[u8], at: usize, word: &[u8; N]) -> bool {
    chunk.get(at..).and_then(|rest| rest.first_chunk::<N>()) == Some(word)
}

/// Marks a key that stands in a literal.
#[inline(always)]
fn take_key(tables: &mut Tables, canonical: u32) -> Result<(), Stop> {
    tables.stage.keys += 1;
    if !tables.fields.mark(canonical, tables.stage.stamp) {
        return Err(tables.duplicate(canonical).into());
    }
    Ok(())
}

/// Commits the row whose event ends at `end`.
#[inline(always)]
fn end_row(
    tables: &mut Tables,
    chunk: &[u8],
    router: &dyn Router,
    arrived_unix_ns: i64,
    start: usize,
    end: usize,
) -> Result<(), Stop> {
    let limits = &tables.settings.limits;
    if end - start > limits.event_bytes_max {
        return Err(Refusal::event_too_long(limits.event_bytes_max).into());
    }
    if tables.stage.keys > limits.keys_max {
        return Err(tables.too_many_keys().into());
    }
    Ok(tables.commit(chunk, end - start, arrived_unix_ns, router)?)
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
