//! One JSON object into one row of a stream's builders.
//!
//! Nested objects become columns with dotted names, arrays text columns with their JSON as it came; null is as if the key were not there.
//! Whole numbers are Int64, above that UInt64, above that Float64; numbers with `.` or an exponent are Float64. The parts of the triplet
//! and the time are read and become no columns. The row is not committed here.
//!
//! [`Stop`] says why a row was not written: bad JSON, a refusal (limits, duplicates, times), another stream's event, or something new
//! (a key, a type) while `learn` was off. The caller then takes the row back.

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, NumberAny, NumberInt, Peek};

use super::super::columns::Value;
use super::super::keys::{NONE, ROOT, Role};
use super::super::stream::Stream;
use super::super::time::{self, TimeReader};
use super::super::{Defaults, FieldNames, Limits};
use super::reader::Reader;
use crate::triplet::Triplet;

/// Longest piece of the input in a message, characters.
const SHOWN_CHARS_MAX: usize = 100;
const ALL_PARTS: u8 = 0b111;

/// Why an event is rejected.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: String) -> Self {
        Self { code, message }
    }

    pub fn too_long(limit: usize) -> Self {
        Self::new("event_too_long", format!("the event has more than {limit} bytes"))
    }
}

#[derive(Debug)]
pub(super) enum Stop {
    /// What jiter found, and where in the event.
    Json(JsonErrorType, usize),
    Refused(Refusal),
    /// The event is of another stream.
    Elsewhere,
    /// The event has a key or a type that the stream does not know.
    Learn,
}

impl Stop {
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Json(JsonErrorType::InvalidUnicodeCodePoint, at) => {
                Refusal::new("invalid_utf8", format!("invalid UTF-8 at byte {at} of the event"))
            }
            Self::Json(error_type, at) if super::is_cut(&error_type) => Refusal::new(
                "cut_off",
                format!("the input ends inside the event, after {at} bytes: {error_type}"),
            ),
            Self::Json(JsonErrorType::RecursionLimitExceeded, at) => {
                Refusal::new("too_deep", format!("too many brackets at byte {at} of the event"))
            }
            Self::Json(JsonErrorType::NumberOutOfRange, at) => Refusal::new(
                "number_out_of_range",
                format!("a number of more than 4,300 digits at byte {at} of the event"),
            ),
            Self::Json(error_type, at) => {
                Refusal::new("syntax", format!("{error_type} at byte {at} of the event"))
            }
            // Only after a survey, which learns everything; a text is better than a panic.
            Self::Elsewhere | Self::Learn => {
                Refusal::new("syntax", "the event could not be placed".to_owned())
            }
        }
    }
}

impl From<JiterError> for Stop {
    fn from(error: JiterError) -> Self {
        match error.error_type {
            JiterErrorType::JsonError(error_type) => Self::Json(error_type, error.index),
            JiterErrorType::WrongType { .. } => Self::Json(JsonErrorType::ExpectedSomeValue, error.index),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The parts of the triplet that an event names.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: [String; 3],
    /// Bits of the parts that the event names.
    named: u8,
    text: String,
}

impl Parts {
    pub fn clear(&mut self) {
        self.named = 0;
    }

    fn set(&mut self, part: u8, text: &str) {
        if let Some(slot) = self.parts.get_mut(part as usize) {
            slot.clear();
            slot.push_str(text);
            self.named |= 1 << part;
        }
    }

    fn with_defaults<'a>(&'a self, defaults: &'a Defaults) -> Option<[&'a str; 3]> {
        let [application, environment, event_type] = &self.parts;
        let default = defaults.triplet.as_ref();
        let part = |number: u8, named: &'a String, default: Option<&'a str>| {
            if self.named & 1 << number != 0 { Some(named.as_str()) } else { default }
        };
        Some([
            part(0, application, default.map(Triplet::application))?,
            part(1, environment, default.map(Triplet::environment))?,
            part(2, event_type, default.map(Triplet::event_type))?,
        ])
    }

    /// The triplet's text; none where a part is missing.
    pub fn text(&mut self, defaults: &Defaults) -> Option<&str> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        for (number, part) in self.with_defaults(defaults)?.into_iter().enumerate() {
            if number > 0 {
                text.push('/');
            }
            text.push_str(part);
        }
        self.text = text;
        Some(&self.text)
    }

    pub fn triplet(&self, defaults: &Defaults) -> Result<Triplet, Refusal> {
        let Some([application, environment, event_type]) = self.with_defaults(defaults) else {
            let fields = &defaults.fields;
            let message = format!(
                "the event must name its stream with `{}`, `{}` and `{}`, or the source needs a `triplet`",
                fields.application, fields.environment, fields.event_type
            );
            return Err(Refusal::new("no_triplet", message));
        };
        Triplet::new(application, environment, event_type)
            .map_err(|error| Refusal::new("bad_triplet", error.to_string()))
    }
}

/// Reads no more of an event than its parts of the triplet.
pub(super) fn find_parts(piece: &[u8], fields: &FieldNames, parts: &mut Parts) -> Result<(), Stop> {
    parts.clear();
    let names = [&fields.application, &fields.environment, &fields.event_type];
    let mut jiter = Jiter::new(piece);
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        let part = names.iter().position(|part| name == &***part);
        match (part, jiter.peek()?) {
            (Some(part), Peek::String) => parts.set(part as u8, jiter.known_str()?),
            (_, peek) => jiter.known_skip(peek)?,
        }
        if parts.named == ALL_PARTS {
            return Ok(());
        }
        key = jiter.next_key()?;
    }
    Ok(())
}

pub(super) struct Row<'a> {
    stream: &'a mut Stream,
    limits: &'a Limits,
    fields: &'a FieldNames,
    time: &'a mut TimeReader,
    row: usize,
    stamp: u64,
    keys: usize,
    /// Bits of the parts of the triplet that the event named.
    named: u8,
    /// Bits of the parts that the event need not name.
    pub by_default: u8,
    /// New keys and types may be learned.
    pub learn: bool,
    /// New keys that there is room for.
    pub learnable: usize,
    /// Where to put the parts, instead of comparing them with the stream's.
    pub parts: Option<&'a mut Parts>,
    /// The event time, where the event has one.
    pub time_unix_ns: Option<i64>,
    /// New keys.
    pub learned: usize,
    /// Values that there was no room for.
    pub dropped: u64,
}

impl<'a> Row<'a> {
    pub fn new(
        stream: &'a mut Stream,
        limits: &'a Limits,
        fields: &'a FieldNames,
        time: &'a mut TimeReader,
    ) -> Self {
        stream.stamp += 1;
        let (row, stamp) = (stream.row(), stream.stamp);
        Self {
            stream,
            limits,
            fields,
            time,
            row,
            stamp,
            keys: 0,
            named: 0,
            by_default: 0,
            learn: false,
            learnable: 0,
            parts: None,
            time_unix_ns: None,
            learned: 0,
            dropped: 0,
        }
    }

    /// Writes the object that the reader stands before.
    pub fn write(&mut self, reader: &mut Reader) -> Result<(), Stop> {
        reader.jiter.peek()?;
        self.object(reader, ROOT, 1).map_err(|stop| match stop {
            Stop::Json(error_type, at) => Stop::Json(error_type, reader.base() + at),
            other => other,
        })?;
        if reader.index() > self.limits.event_bytes_max {
            return Err(Refusal::too_long(self.limits.event_bytes_max).into());
        }
        if self.parts.is_none() && self.named | self.by_default != ALL_PARTS {
            return Err(Stop::Elsewhere);
        }
        Ok(())
    }

    fn object(&mut self, reader: &mut Reader, object: u32, depth: usize) -> Result<(), Stop> {
        if depth > self.limits.depth_max {
            return Err(too_deep(self.limits));
        }
        let mut previous = NONE;
        let mut before = b'{';
        loop {
            let expected = self.stream.keys.expected(object, previous);
            let key = match expected {
                Some((key, written)) if reader.pass(before, written) => Some(key),
                _ => {
                    let jiter = &mut reader.jiter;
                    let name = if before == b'{' { jiter.known_object()? } else { jiter.next_key()? };
                    let Some(name) = name else { return Ok(()) };
                    match self.stream.keys.find(object, previous, name) {
                        Some(key) => Some(key),
                        None => self.new_key(object, previous, name)?,
                    }
                }
            };
            before = b',';
            self.keys += 1;
            if self.keys > self.limits.keys_max {
                let message = format!("the event has more than {} keys", self.limits.keys_max);
                return Err(Refusal::new("too_many_keys", message).into());
            }
            match key {
                Some(key) => {
                    self.value(reader, key, depth)?;
                    previous = key;
                }
                None => self.skip(&mut reader.jiter, depth)?,
            }
        }
    }

    /// Learns a key; none where there is no room for it.
    #[inline(never)]
    fn new_key(&mut self, object: u32, previous: u32, name: &str) -> Result<Option<u32>, Stop> {
        let limit = self.limits.name_bytes_max;
        if self.stream.keys.prefix_bytes(object) + name.len() > limit {
            let shown = shown(name);
            return Err(Refusal::new(
                "key_too_long",
                format!("the path of key `{shown}` has more than {limit} bytes"),
            )
            .into());
        }
        if !self.learn {
            return Err(Stop::Learn);
        }
        // Room for keys that are no columns (objects, nulls), but not without end.
        if self.learned >= self.learnable
            || self.stream.keys.len() >= self.limits.columns_max.max(self.limits.keys_max)
        {
            return Ok(None);
        }
        self.learned += 1;
        Ok(Some(self.stream.keys.insert(object, previous, name, self.fields)))
    }

    #[inline]
    fn value(&mut self, reader: &mut Reader, number: u32, depth: usize) -> Result<(), Stop> {
        let Some(key) = self.stream.keys.get_mut(number) else { return Err(Stop::Learn) };
        if key.seen == self.stamp {
            return Err(self.duplicate(number));
        }
        key.seen = self.stamp;
        let (role, column) = (key.role, key.column);
        if let Role::Part(part) = role
            && self.is_my_part(reader, part)
        {
            return Ok(());
        }
        let jiter = &mut reader.jiter;
        match (role, jiter.peek()?) {
            (_, Peek::Null) => Ok(jiter.known_null()?),
            (Role::Field, Peek::String) => {
                let text = jiter.known_str()?;
                check_text(text, self.limits)?;
                self.put(number, column, Value::Text(text))
            }
            (Role::Field, Peek::Object) => match self.child(number) {
                Some(child) => self.object(reader, child?, depth + 1),
                None => self.skip(jiter, depth),
            },
            (Role::Field, Peek::Array) => {
                let text = take_array(jiter, depth, self.limits)?;
                check_text(text, self.limits)?;
                self.put(number, column, Value::Text(text))
            }
            (Role::Field, peek @ (Peek::True | Peek::False)) => {
                let value = jiter.known_bool(peek)?;
                self.put(number, column, Value::Bool(value))
            }
            (Role::Field, peek) => {
                let value = take_number(jiter, peek)?;
                self.put(number, column, value)
            }
            (Role::Part(part), Peek::String) => self.part(jiter, part),
            (Role::Part(_), _) => {
                let message = format!("`{}` must be a text", self.stream.keys.column_name(number));
                Err(Refusal::new("bad_triplet", message).into())
            }
            (Role::Time, peek) => self.event_time(jiter, peek),
        }
    }

    /// The object under a key; none where there is no room to learn it.
    fn child(&mut self, number: u32) -> Option<Result<u32, Stop>> {
        let key = self.stream.keys.get_mut(number)?;
        if key.child == NONE && !self.learn {
            return Some(Err(Stop::Learn));
        }
        Some(Ok(self.stream.keys.child(number)))
    }

    #[inline]
    fn put(&mut self, key: u32, column: u32, value: Value) -> Result<(), Stop> {
        let Some(builder) = self.stream.columns.get_mut(column as usize) else {
            return self.put_new(key, value);
        };
        if builder.len() > self.row {
            return Err(self.duplicate(key));
        }
        match builder.push(self.row, value) {
            Ok(()) => Ok(()),
            Err(_) if !self.learn => Err(Stop::Learn),
            Err(_) => {
                self.stream.adapt(column, value);
                self.stream.columns.get_mut(column as usize).map_or(Ok(()), |builder| {
                    // Adapted to this very value.
                    builder.push(self.row, value).map_err(|_| Stop::Learn)
                })
            }
        }
    }

    /// A value of a key that has no column yet.
    #[inline(never)]
    fn put_new(&mut self, key: u32, value: Value) -> Result<(), Stop> {
        if self.stream.columns.len() >= self.limits.columns_max {
            self.dropped += 1;
            return Ok(());
        }
        if !self.learn {
            return Err(Stop::Learn);
        }
        let column = self.stream.add_column(key);
        self.put(key, column, value)
    }

    /// Whether the stream's own part comes next, in the usual spelling; passes over it.
    fn is_my_part(&mut self, reader: &mut Reader, part: u8) -> bool {
        let Some([first, rest @ ..]) = self.stream.parts.get(part as usize).map(|part| &**part) else {
            return false;
        };
        let mine = self.parts.is_none() && reader.pass(*first, rest);
        self.named |= u8::from(mine) << part;
        mine
    }

    fn part(&mut self, jiter: &mut Jiter, part: u8) -> Result<(), Stop> {
        let text = jiter.known_str()?;
        if let Some(parts) = &mut self.parts {
            parts.set(part, text);
            return Ok(());
        }
        let triplet = &self.stream.triplet;
        let mine = match part {
            0 => triplet.application(),
            1 => triplet.environment(),
            _ => triplet.event_type(),
        };
        if text != mine {
            return Err(Stop::Elsewhere);
        }
        self.named |= 1 << part;
        Ok(())
    }

    fn event_time(&mut self, jiter: &mut Jiter, peek: Peek) -> Result<(), Stop> {
        let field = &self.fields.time;
        let bad = |shown: String| {
            let message =
                format!("`{field}` must be RFC 3339 or a number of s, ms, µs or ns since 1970, not {shown}");
            Stop::from(Refusal::new("bad_time", message))
        };
        let (found, shown_value) = match peek {
            Peek::String => {
                let text = jiter.known_str()?;
                let found = self.time.text(text);
                (found, if found.is_some() { String::new() } else { format!("`{}`", shown(text)) })
            }
            Peek::True | Peek::False | Peek::Object | Peek::Array => {
                return Err(bad("another type".to_owned()));
            }
            peek => match take_number(jiter, peek)? {
                Value::Int(value) => (time::from_integer(value), String::new()),
                Value::Float(value) => (time::from_float(value), String::new()),
                _ => (None, String::new()),
            },
        };
        let Some(time_unix_ns) = found else {
            return Err(bad(if shown_value.is_empty() {
                "a number out of range".to_owned()
            } else {
                shown_value
            }));
        };
        self.time_unix_ns = Some(time_unix_ns);
        Ok(())
    }

    /// Passes over a value that there is no room for, with the same checks.
    fn skip(&mut self, jiter: &mut Jiter, depth: usize) -> Result<(), Stop> {
        self.dropped += 1;
        match jiter.peek()? {
            Peek::Array | Peek::Object => take_array(jiter, depth, self.limits).map(|_| ()),
            Peek::String => check_text(jiter.known_str()?, self.limits),
            Peek::Null => Ok(jiter.known_null()?),
            peek @ (Peek::True | Peek::False) => Ok(jiter.known_bool(peek).map(|_| ())?),
            peek => take_number(jiter, peek).map(|_| ()),
        }
    }

    fn duplicate(&self, key: u32) -> Stop {
        let name = self.stream.keys.column_name(key);
        Refusal::new("duplicate_key", format!("key `{}` stands twice in the event", shown(&name))).into()
    }
}

/// An array (or object) as its JSON text.
fn take_array<'j>(jiter: &mut Jiter<'j>, depth: usize, limits: &Limits) -> Result<&'j str, Stop> {
    let start = jiter.current_index();
    jiter.next_skip()?;
    let bytes = jiter.slice_to_current(start);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Stop::Json(JsonErrorType::InvalidUnicodeCodePoint, start + error.valid_up_to()))?;
    if depth + depth_of(bytes) > limits.depth_max {
        return Err(too_deep(limits));
    }
    Ok(text)
}

/// Most brackets that are open at once in valid JSON.
fn depth_of(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[inline]
fn take_number<'v>(jiter: &mut Jiter, peek: Peek) -> Result<Value<'v>, Stop> {
    match jiter.known_number(peek) {
        Ok(NumberAny::Int(NumberInt::Int(value))) => Ok(Value::Int(value)),
        Ok(NumberAny::Float(value)) if value.is_finite() => Ok(Value::Float(value)),
        Ok(NumberAny::Float(_)) => Err(out_of_range()),
        Err(error) if error.error_type == JiterErrorType::JsonError(JsonErrorType::NumberOutOfRange) => {
            take_big(jiter, peek)
        }
        Err(error) => Err(error.into()),
    }
}

/// A whole number beyond i64.
#[inline(never)]
fn take_big<'v>(jiter: &mut Jiter, peek: Peek) -> Result<Value<'v>, Stop> {
    let text = std::str::from_utf8(jiter.known_number_bytes(peek)?).unwrap_or_default();
    if let Ok(value) = text.parse::<u64>() {
        return Ok(Value::UInt(value));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Float(value)),
        _ => Err(out_of_range()),
    }
}

fn out_of_range() -> Stop {
    Refusal::new("number_out_of_range", "a number is too large for a 64-bit float".to_owned()).into()
}

fn too_deep(limits: &Limits) -> Stop {
    Refusal::new(
        "too_deep",
        format!("the event has more than {} objects and arrays inside each other", limits.depth_max),
    )
    .into()
}

fn check_text(text: &str, limits: &Limits) -> Result<(), Stop> {
    if text.len() <= limits.string_bytes_max {
        return Ok(());
    }
    let message = format!("a text or array has {} bytes, more than {}", text.len(), limits.string_bytes_max);
    Err(Refusal::new("string_too_long", message).into())
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
