//! The generic step: what stands between two values, token by token.
//!
//! In: where a value ended, and of which field, or where a row or an object begins. Out: where the next value begins and whose it is, or the
//! row's end. Keys are looked up, or become new fields; brackets, white space, duplicates, depth and room are seen to; what led here is
//! learned. Everything that is refused about the frame of an event is refused here.

use super::learned::Leaf;
use super::rows::{Before, Next, Rows};
use super::stop::Stop;
use super::{skip, text};
use crate::lanes::{Lanes, Portable};
use crate::literal::LITERAL_BYTES_MAX;
use crate::reject::Refusal;
use crate::row::check_length;
use crate::schema::{NONE, Object, Role};
use crate::stage::Span;
use crate::tables::Tables;

impl Rows<'_> {
    /// Reads what stands between the value that ended at `from_at` and the next one, byte by byte, and learns it.
    #[inline(never)]
    pub(super) fn step(
        &mut self,
        from: u32,
        from_at: usize,
        at: usize,
        before: Before,
    ) -> Result<Next, Stop> {
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
                    self.end_row(self.chunk, at)?;
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
            let (name, leaf) = (entry.name.as_bytes(), Leaf { node, ..leaf });
            self.learned.keys.remember(name, context, object, leaf);
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

    /// Checks a value that there is no room for; what follows it.
    fn pass_over(&mut self, object: u32, at: usize) -> Result<usize, Stop> {
        self.tables.stage.keys += 1;
        // Null is no value.
        self.tables.stage.dropped += u64::from(skip::get(self.chunk, at)? != b'n');
        let limits = &self.tables.settings.limits;
        let depth = limits.depth_max.saturating_sub(self.tables.fields.depth(object));
        let end = self.skip(at, depth)?;
        if skip::get(self.chunk, at)? != b'{' {
            check_length((end - at).saturating_sub(2), limits.string_bytes_max)?;
        }
        Ok(end)
    }

    /// Passes over a value with so many brackets inside each other at most, and checks its texts.
    pub(super) fn skip(&self, at: usize, depth: usize) -> Result<usize, Stop> {
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
        let name = self.tables.stage.text(self.chunk, span);
        if self.tables.has_no_room() && !(object == Object::ROOT.0 && self.tables.settings.is_special(name)) {
            self.tables.stage.guessed |= self.tables.stage.table.is_none();
            return Ok((NONE, value_at));
        }
        let name = name.to_vec();
        Ok((self.tables.new_field(object, previous, &name)?, value_at))
    }
}
