//! How a decoder makes a row: names to fields, values into them, then commit.
//!
//! ```text
//! let mut row = tables.row(chunk, &router);
//! let host = row.field(Object::ROOT, None, b"host")?;
//! row.put(host, Value::Text("web-1"))?;
//! row.commit(event_bytes, arrived_unix_ns)?;
//! ```
//! A row that is dropped leaves nothing behind, not even the names that it brought. Every call may answer with a [`Refusal`]; the decoder
//! then drops the row, reports it as rejected and calls [`Tables::count_rejected`]. Codes: `too_many_keys`, `key_too_long`,
//! `string_too_long`, `duplicate_key`, `bad_time`, `event_too_long`, `number_out_of_range` (not finite), `invalid_utf8` (of a name), and
//! those of the [`Router`].

use crate::reject::{Refusal, shown};
use crate::routes::{Router, UNKNOWN};
use crate::schema::{Field, FieldEntry, NONE, Object, Role};
use crate::stage::{Kind, Span};
use crate::tables::Tables;
use crate::value::Value;

/// A field that is there, and what it is for.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub field: Field,
    pub canonical: u32,
    pub role: Role,
}

/// A row in the making.
pub struct Row<'t> {
    tables: &'t mut Tables,
    chunk: &'t [u8],
    router: &'t dyn Router,
    committed: bool,
}

impl<'t> Row<'t> {
    pub(crate) fn begin(tables: &'t mut Tables, chunk: &'t [u8], router: &'t dyn Router) -> Self {
        tables.stage.begin();
        Self { tables, chunk, router, committed: false }
    }

    /// The field of a name in an object. `previous` is the field before it in the same object; knowing it makes the search one comparison
    /// where senders repeat their order. Marks the field as there, so that a second one of that name is refused.
    pub fn field(&mut self, object: Object, previous: Option<Field>, name: &[u8]) -> Result<Field, Refusal> {
        let previous = previous.map_or(NONE, |field| field.0);
        let field = match self.tables.fields.find(object.0, previous, name) {
            Some(field) => field,
            None => self.tables.new_field(object.0, previous, name)?,
        };
        self.tables.take_key(field)?;
        Ok(Field(field))
    }

    /// The field that followed `previous` in an object last time, where `comes` says of its entry that it comes next; marked as there.
    #[inline(always)]
    pub(crate) fn guess(
        &mut self,
        object: Object,
        previous: Option<Field>,
        comes: impl FnOnce(&FieldEntry) -> bool,
    ) -> Result<Option<Leaf>, Refusal> {
        let previous = previous.map_or(NONE, |field| field.0);
        let Some((field, entry)) = self.tables.fields.expected(object.0, previous) else { return Ok(None) };
        if !comes(entry) {
            return Ok(None);
        }
        let leaf = Leaf { field: Field(field), canonical: entry.canonical, role: entry.role };
        self.tables.take_canonical(field, leaf.canonical)?;
        Ok(Some(leaf))
    }

    /// As [`Row::field`], with what is needed to put its value.
    pub(crate) fn leaf(
        &mut self,
        object: Object,
        previous: Option<Field>,
        name: &[u8],
    ) -> Result<Leaf, Refusal> {
        let field = self.field(object, previous, name)?;
        let entry = self.tables.fields.get(field.0);
        let (canonical, role) = entry.map_or((field.0, Role::Value), |entry| (entry.canonical, entry.role));
        Ok(Leaf { field, canonical, role })
    }

    /// Whether the field stays, whatever becomes of the row.
    pub(crate) fn is_settled(&self, field: Field) -> bool {
        self.tables.fields.is_settled(field.0)
    }

    /// Length of a field's name.
    #[inline(always)]
    pub(crate) fn name_bytes(&self, field: Field) -> usize {
        self.tables.fields.get(field.0).map_or(0, |entry| entry.name.len())
    }

    /// As [`Row::put`].
    #[inline(always)]
    pub(crate) fn put_leaf(&mut self, leaf: Leaf, value: Value<'_>) -> Result<(), Refusal> {
        match leaf.role {
            Role::Value => self.put_value(leaf.canonical, value),
            Role::Route(route) => self.put_route(leaf.field, route, value),
            Role::Time => self.put_time(value),
        }
    }

    /// The object under a field, for the fields inside it. The decoder bounds the depth by `Limits::depth_max`.
    pub fn object(&mut self, field: Field) -> Object {
        Object(self.tables.fields.child(field.0))
    }

    /// The value of a field; null is no call. A field of the route or the time is read as that.
    pub fn put(&mut self, field: Field, value: Value<'_>) -> Result<(), Refusal> {
        let Some(entry) = self.tables.fields.get(field.0) else { return Ok(()) };
        let (role, canonical) = (entry.role, entry.canonical);
        match role {
            Role::Value => self.put_value(canonical, value),
            Role::Route(route) => self.put_route(field, route, value),
            Role::Time => self.put_time(value),
        }
    }

    /// As [`Row::put`], of bytes that were found to be UTF-8.
    #[inline(always)]
    pub(crate) fn put_utf8(&mut self, leaf: Leaf, text: &[u8]) -> Result<(), Refusal> {
        match leaf.role {
            Role::Value => {
                let span = self.place(text)?;
                self.tables.stage.push_text(leaf.canonical, span);
            }
            Role::Route(route) => {
                let span = self.place(text)?;
                self.tables.stage_route(self.chunk, route, span);
            }
            Role::Time => match self.tables.time.read(text) {
                Some(time_unix_ns) => self.tables.stage.time_unix_ns = Some(time_unix_ns),
                None => return self.put_time(Value::Text(std::str::from_utf8(text).unwrap_or_default())),
            },
        }
        Ok(())
    }

    /// Writes the row. `event_bytes`: as it came.
    pub fn commit(mut self, event_bytes: usize, arrived_unix_ns: i64) -> Result<(), Refusal> {
        let limit = self.tables.settings.limits.event_bytes_max;
        if event_bytes > limit {
            return Err(Refusal::event_too_long(limit));
        }
        self.tables.commit(self.chunk, event_bytes, arrived_unix_ns, self.router)?;
        self.committed = true;
        Ok(())
    }

    #[inline(always)]
    fn put_value(&mut self, field: u32, value: Value<'_>) -> Result<(), Refusal> {
        let stage = &mut self.tables.stage;
        match value {
            Value::Int(value) => stage.push(field, Kind::Int, value as u64),
            Value::UInt(value) => stage.push(field, Kind::UInt, value),
            Value::Float(value) if !value.is_finite() => return Err(Refusal::number_out_of_range()),
            Value::Float(value) => stage.push(field, Kind::Float, value.to_bits()),
            Value::Bool(value) => stage.push(field, Kind::Bool, u64::from(value)),
            Value::Time(value) => stage.push(field, Kind::Time, value as u64),
            Value::Text(text) => {
                let span = self.place(text.as_bytes())?;
                self.tables.stage.push_text(field, span);
            }
            Value::Bytes(bytes) => {
                check_length(bytes.len(), self.tables.settings.limits.string_bytes_max)?;
                let span = stage.copy(bytes);
                stage.push(field, Kind::Bytes, span.start as u64);
                if let Some(cell) = stage.cells.last_mut() {
                    cell.length = span.length as u32;
                }
            }
        }
        Ok(())
    }

    fn put_route(&mut self, field: Field, route: u8, value: Value<'_>) -> Result<(), Refusal> {
        let Value::Text(text) = value else {
            return Err(self
                .router
                .not_text(&self.tables.fields.column_name(field.0, &self.tables.settings)));
        };
        let span = self.place(text.as_bytes())?;
        self.tables.stage_route(self.chunk, route, span);
        Ok(())
    }

    fn put_time(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        let unit = self.tables.settings.time_unit;
        let (found, said) = match value {
            Value::Time(time_unix_ns) => (Some(time_unix_ns), String::new()),
            Value::Int(value) => (unit.integer(value), "a number out of range".to_owned()),
            Value::Float(value) => (unit.float(value), "a number out of range".to_owned()),
            Value::UInt(_) => (None, "a number out of range".to_owned()),
            Value::Text(text) => match self.tables.time.text(text) {
                Some(time_unix_ns) => (Some(time_unix_ns), String::new()),
                None => (None, format!("`{}`", shown(text))),
            },
            Value::Bool(_) | Value::Bytes(_) => (None, "another type".to_owned()),
        };
        let Some(time_unix_ns) = found else { return Err(self.tables.bad_time(&said)) };
        self.tables.stage.time_unix_ns = Some(time_unix_ns);
        Ok(())
    }

    /// Where a text lies: in the chunk, or copied.
    #[inline(always)]
    fn place(&mut self, text: &[u8]) -> Result<Span, Refusal> {
        check_length(text.len(), self.tables.settings.limits.string_bytes_max)?;
        let start = (text.as_ptr() as usize).wrapping_sub(self.chunk.as_ptr() as usize);
        if self.chunk.get(start..start.saturating_add(text.len())).is_some() {
            return Ok(Span { start, length: text.len(), copied: false });
        }
        Ok(self.tables.stage.copy(text))
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.tables.abandon();
        }
    }
}

impl Tables {
    /// A field that was never seen, on probation.
    #[inline(never)]
    pub(crate) fn new_field(&mut self, object: u32, previous: u32, name: &[u8]) -> Result<u32, Refusal> {
        let limit = self.settings.limits.name_bytes_max;
        let Ok(name) = std::str::from_utf8(name) else {
            return Err(Refusal::new("invalid_utf8", "the name of a key is not UTF-8"));
        };
        if self.fields.prefix(object).len() + name.len() > limit {
            let message = format!("the path of key `{}` has more than {limit} bytes", shown(name));
            return Err(Refusal::new("key_too_long", message));
        }
        Ok(self.fields.insert(object, previous, name, &self.settings))
    }

    /// Counts a key of the row; refuses a second one of the same path and one too many.
    #[inline(always)]
    pub(crate) fn take_key(&mut self, field: u32) -> Result<(), Refusal> {
        self.stage.keys += 1;
        if self.stage.keys > self.settings.limits.keys_max {
            return Err(self.too_many_keys());
        }
        let canonical = self.fields.get(field).map_or(field, |entry| entry.canonical);
        self.mark(field, canonical)
    }

    /// The same, where the canonical field is known.
    #[inline(always)]
    fn take_canonical(&mut self, field: u32, canonical: u32) -> Result<(), Refusal> {
        self.stage.keys += 1;
        if self.stage.keys > self.settings.limits.keys_max {
            return Err(self.too_many_keys());
        }
        self.mark(field, canonical)
    }

    #[inline(always)]
    fn mark(&mut self, field: u32, canonical: u32) -> Result<(), Refusal> {
        if !self.fields.mark(canonical, self.stage.stamp) {
            return Err(self.duplicate(field));
        }
        Ok(())
    }

    /// Notes a part of the route, and finds the table when it is the last one.
    #[inline(always)]
    pub(crate) fn stage_route(&mut self, chunk: &[u8], route: u8, span: Span) {
        let Some(slot) = self.stage.route.get_mut(route as usize) else { return };
        *slot = span;
        self.stage.named |= 1 << route;
        let number = self.routes.number(route, self.stage.text(chunk, span));
        self.stage.all_recent &= number != UNKNOWN;
        self.stage.route_numbers.say(route, number);
        if self.stage.named == self.all_routes {
            self.stage.table = match self.routes.recent(self.stage.route_numbers) {
                Some(table) if self.stage.all_recent => Some(table),
                _ => self.known_table(chunk),
            };
        }
    }

    /// Notes parts of the route of a row of which only its table was noted.
    pub(crate) fn restage_route(&mut self, chunk: &[u8], route: impl Iterator<Item = (u8, Span)>) {
        self.stage.table = None;
        for (number, span) in route {
            self.stage_route(chunk, number, span);
        }
    }

    #[cold]
    pub(crate) fn too_many_keys(&self) -> Refusal {
        Refusal::new(
            "too_many_keys",
            format!("the event has more than {} keys", self.settings.limits.keys_max),
        )
    }

    #[cold]
    pub(crate) fn duplicate(&self, field: u32) -> Refusal {
        let name = self.fields.column_name(field, &self.settings);
        Refusal::new("duplicate_key", format!("key `{}` stands twice in the event", shown(&name)))
    }

    #[cold]
    pub(crate) fn bad_time(&self, said: &str) -> Refusal {
        let field = self.settings.time_field.as_deref().unwrap_or("time");
        let message =
            format!("`{field}` must be RFC 3339 or a number of s, ms, µs or ns since 1970, not {said}");
        Refusal::new("bad_time", message)
    }
}

#[inline(always)]
pub(crate) fn check_length(bytes: usize, limit: usize) -> Result<(), Refusal> {
    if bytes <= limit {
        return Ok(());
    }
    let message = format!("a text or array has {bytes} bytes, more than {limit}");
    Err(Refusal::new("string_too_long", message))
}
