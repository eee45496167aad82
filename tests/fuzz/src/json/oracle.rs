//! What a text of JSON events must come to, by serde_json and the documentation of the codec `json`.
//!
//! In: a whole input. Out: [`Expected`]. It reads each input anew and event by event, without learning anything: slow and plain. Where it is left open whether
//! decoding goes on behind a bad event or on the next line, and that makes a difference, the input is not judged.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use weir_core::codec::Limits;
use weir_core::codec::time::{TimeReader, from_float, from_integer};
use weir_core::triplet::Triplet;

use crate::expected::{Event, Expected};
use crate::subject::{ARRIVED_UNIX_NS, Cell, STREAM};

const PARTS: [&str; 3] = ["application", "environment", "type"];
const TIME: &str = "time";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where we are between two events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    ArrayFirst,
    ArrayNext,
    ArrayValue,
    /// In an array, after something that was no JSON.
    ArrayLoose,
}

/// How the reading goes on after a rejected event.
enum After {
    /// It was whole and ends there.
    Behind(usize),
    Line,
    /// One of both, and it is open which.
    Either(usize),
}

struct Reading<'a> {
    input: &'a [u8],
    place: Place,
    /// The rest of the line belongs to a rejected event.
    discarding: bool,
    /// Lines that can only be the rest of a rejected event are skipped.
    continues: bool,
    events: Vec<Event>,
}

pub fn expect(input: &[u8]) -> Expected {
    let mut reading =
        Reading { input, place: Place::Top, discarding: false, continues: false, events: Vec::new() };
    match reading.run() {
        Ok(()) => Expected::Events(reading.events),
        Err(why) => Expected::Open(why),
    }
}

impl Reading<'_> {
    fn run(&mut self) -> Result<(), &'static str> {
        let mut at = if self.input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        loop {
            if self.discarding {
                let Some(newline) = self.find(at, |byte| byte == b'\n') else { return Ok(()) };
                self.discarding = false;
                at = newline;
            }
            let Some(next) = self.find(at, |byte| !is_space(byte)) else { break };
            at = self.step(next)?;
        }
        if !matches!(self.place, Place::Top | Place::ArrayLoose) {
            self.events.push(Event::Bad { offset: self.input.len(), codes: vec!["cut_off"] });
        }
        Ok(())
    }

    fn find(&self, at: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
        Some(at + self.input.get(at..)?.iter().position(|byte| wanted(*byte))?)
    }

    fn step(&mut self, at: usize) -> Result<usize, &'static str> {
        let byte = self.input.get(at).copied().unwrap_or_default();
        if self.continues && matches!(byte, b'"' | b'}') {
            self.discarding = true;
            return Ok(at);
        }
        self.continues = false;
        match (byte, self.place) {
            (b'{', Place::Top | Place::ArrayFirst | Place::ArrayValue | Place::ArrayLoose) => {
                return self.event(at);
            }
            (b'[', Place::Top | Place::ArrayLoose) => self.place = Place::ArrayFirst,
            (b']', Place::ArrayFirst | Place::ArrayNext | Place::ArrayLoose) => self.place = Place::Top,
            (b',', Place::ArrayNext) => self.place = Place::ArrayValue,
            (b',', Place::ArrayLoose) => {}
            (_, Place::ArrayFirst | Place::ArrayValue) if !matches!(byte, b',' | b']' | b'}') => {
                let after = self.other_value(at)?;
                return self.reject(at, vec!["not_an_object"], after);
            }
            (_, place) => {
                let codes = match place {
                    Place::Top | Place::ArrayLoose => vec!["not_an_object"],
                    _ => vec!["syntax"],
                };
                let next = self.reject(at, codes, After::Line);
                self.continues = false;
                return next;
            }
        }
        Ok(at + 1)
    }

    fn event(&mut self, at: usize) -> Result<usize, &'static str> {
        let rest = self.input.get(at..).unwrap_or_default();
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let plain;
        let (raw, end, is_utf8) = match stream.next() {
            Some(Ok(raw)) => (raw.get(), at + stream.byte_offset(), true),
            _ => {
                // Whole but for texts that are no UTF-8?
                plain = without_other_bytes(rest);
                let mut stream = serde_json::Deserializer::from_slice(&plain).into_iter::<&RawValue>();
                match stream.next() {
                    Some(Ok(raw)) => (raw.get(), at + stream.byte_offset(), false),
                    _ => return self.reject(at, Vec::new(), After::Line),
                }
            }
        };
        let mut row = Reader { limits: Limits::default(), malformed: !is_utf8, ..Reader::default() };
        row.object(raw, "", 1);
        if raw.len() > row.limits.event_bytes_max {
            row.problems.push("event_too_long");
        }
        row.place();
        if let Some(why) = row.open {
            return Err(why);
        }
        if row.malformed {
            // A key that stands once as it is and once with an escape was made two by the `x`.
            let sure = row.problems.is_empty() && (is_utf8 || !raw.contains("\\u"));
            let after = if sure { After::Line } else { After::Either(end) };
            return self.reject(at, Vec::new(), after);
        }
        if row.problems.contains(&"too_deep") {
            // A parser may have a bound of its own below which it does not look.
            return self.reject(at, Vec::new(), After::Either(end));
        }
        if !row.problems.is_empty() {
            return self.reject(at, row.problems, After::Behind(end));
        }
        let Reader { stream, time_unix_ns, cells, .. } = row;
        let time_unix_ns = time_unix_ns.unwrap_or(ARRIVED_UNIX_NS);
        self.events.push(Event::Row { stream, time_unix_ns, cells });
        self.after_event();
        Ok(end)
    }

    /// What stands in an array in the place of an event, where it ends.
    fn other_value(&self, at: usize) -> Result<After, &'static str> {
        let rest = self.input.get(at..).unwrap_or_default();
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        match stream.next() {
            Some(Ok(raw)) if raw.get().len() == rest.len() && !raw.get().ends_with(['"', '}', ']']) => {
                Err("whether a number or a word at the end of the input is whole")
            }
            Some(Ok(raw)) if serde_json::from_str::<serde_json::Value>(raw.get()).is_ok() => {
                Ok(After::Behind(at + stream.byte_offset()))
            }
            Some(Ok(_)) => Ok(After::Either(at + stream.byte_offset())),
            Some(Err(_)) if rest.iter().any(|byte| !byte.is_ascii()) => {
                Err("whether a value ends that is no UTF-8")
            }
            _ if rest.first().is_some_and(|byte| matches!(byte, b'-' | b'0'..=b'9' | b't' | b'f' | b'n')) => {
                Err("where a number or a word ends that is followed by something else")
            }
            _ => Ok(After::Line),
        }
    }

    fn reject(&mut self, at: usize, codes: Vec<&'static str>, after: After) -> Result<usize, &'static str> {
        self.events.push(Event::Bad { offset: at, codes });
        match after {
            After::Behind(end) => {
                self.after_event();
                return Ok(end);
            }
            After::Either(end) if !self.alone(at, end) => return Err("how it goes on after a bad event"),
            After::Either(_) | After::Line => {}
        }
        if self.place != Place::Top {
            self.place = Place::ArrayLoose;
        }
        self.discarding = true;
        self.continues = true;
        Ok(at)
    }

    /// Whether the event stands on one line, as the last of it, outside of arrays, and nothing follows that could be taken for its rest.
    fn alone(&self, at: usize, end: usize) -> bool {
        let one_line = !self.input.get(at..end).is_some_and(|event| event.contains(&b'\n'));
        let line_ends = self.find(end, |byte| !is_space(byte)).is_none_or(|next| {
            let between = self.input.get(end..next).unwrap_or_default();
            let may_be_rest = self.input.get(next).is_some_and(|byte| matches!(byte, b'"' | b'}'));
            between.contains(&b'\n') && !may_be_rest
        });
        self.place == Place::Top && one_line && line_ends
    }

    fn after_event(&mut self) {
        if matches!(self.place, Place::ArrayFirst | Place::ArrayValue) {
            self.place = Place::ArrayNext;
        }
    }
}

/// The same with an `x` for each byte that is not ASCII.
fn without_other_bytes(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if byte.is_ascii() { *byte } else { b'x' }).collect()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// One event that serde_json finds to be whole.
#[derive(Default)]
struct Reader {
    limits: Limits,
    parts: [Option<String>; 3],
    stream: String,
    time_unix_ns: Option<i64>,
    cells: Vec<(String, Cell)>,
    keys: usize,
    /// Paths of keys, those of nulls and objects too.
    paths: std::collections::HashSet<String>,
    problems: Vec<&'static str>,
    /// A text that is none.
    malformed: bool,
    open: Option<&'static str>,
}

impl Reader {
    /// `path`: what the names of its columns begin with.
    fn object(&mut self, raw: &str, path: &str, depth: usize) {
        if depth > self.limits.depth_max {
            self.problems.push("too_deep");
            return;
        }
        let Ok(members) = members(raw) else {
            self.malformed = true;
            return;
        };
        for (key, value) in members {
            let name = format!("{path}{key}");
            if name.len() > self.limits.name_bytes_max {
                self.problems.push("key_too_long");
            }
            self.keys += 1;
            if self.keys > self.limits.keys_max {
                self.problems.push("too_many_keys");
            }
            if !self.paths.insert(name.clone()) {
                self.problems.push("duplicate_key");
            }
            self.value(value, name, depth);
        }
    }

    fn value(&mut self, raw: &str, name: String, depth: usize) {
        let first = raw.bytes().next().unwrap_or_default();
        let part = PARTS.iter().position(|part| *part == name).filter(|_| depth == 1);
        match first {
            b'n' => {}
            _ if part.is_some() => self.part(part.unwrap_or_default(), raw),
            _ if depth == 1 && name == TIME => self.time(raw),
            b'{' => self.object(raw, &format!("{name}."), depth + 1),
            b'[' => self.array(raw, name, depth),
            b'"' => match serde_json::from_str::<String>(raw) {
                Ok(text) => self.text(name, text),
                Err(_) => self.malformed = true,
            },
            b't' | b'f' => self.cells.push((name, Cell::Bool(first == b't'))),
            _ => match number(raw) {
                Some(cell) => self.cells.push((name, cell)),
                None => self.problems.push("number_out_of_range"),
            },
        }
    }

    fn text(&mut self, name: String, text: String) {
        if text.len() > self.limits.string_bytes_max {
            self.problems.push("string_too_long");
        }
        self.cells.push((name, Cell::Text(text)));
    }

    fn array(&mut self, raw: &str, name: String, depth: usize) {
        if depth + brackets(raw) > self.limits.depth_max {
            self.problems.push("too_deep");
        } else if has_malformed_text(raw) {
            self.open = Some("a text inside of an array that is none");
        }
        self.text(name, raw.to_owned());
    }

    fn part(&mut self, part: usize, raw: &str) {
        if !raw.starts_with('"') {
            self.problems.push("bad_triplet");
            // Both are wrong of such a number, and either may be told.
            if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && number(raw).is_none()
            {
                self.problems.push("number_out_of_range");
            }
            return;
        }
        match serde_json::from_str::<String>(raw) {
            Ok(text) => {
                if let Some(slot) = self.parts.get_mut(part) {
                    *slot = Some(text);
                }
            }
            Err(_) => self.malformed = true,
        }
    }

    fn time(&mut self, raw: &str) {
        let found = if raw.starts_with('"') {
            let Ok(text) = serde_json::from_str::<String>(raw) else {
                self.malformed = true;
                return;
            };
            TimeReader::default().text(&text)
        } else {
            match number(raw).filter(|_| !raw.starts_with(['{', '[', 't', 'f'])) {
                Some(Cell::Int(value)) => from_integer(value),
                Some(Cell::Float(value)) => from_float(value),
                _ => None,
            }
        };
        self.time_unix_ns = found;
        if found.is_none() {
            self.problems.extend(["bad_time", "number_out_of_range"]);
        }
    }

    /// Finds the stream, after all else.
    fn place(&mut self) {
        let mut parts = STREAM.split('/').map(str::to_owned).zip(&mut self.parts);
        let mut part =
            || parts.next().map(|(default, named)| named.take().unwrap_or(default)).unwrap_or_default();
        match Triplet::new(&part(), &part(), &part()) {
            Ok(triplet) => self.stream = triplet.to_string(),
            Err(_) => self.problems.push("bad_triplet"),
        }
    }
}

/// None: not finite as f64.
fn number(raw: &str) -> Option<Cell> {
    if !raw.contains(['.', 'e', 'E']) {
        if let Ok(value) = raw.parse() {
            return Some(Cell::Int(value));
        }
        if let Ok(value) = raw.parse() {
            return Some(Cell::UInt(value));
        }
    }
    raw.parse().ok().filter(|value: &f64| value.is_finite()).map(Cell::Float)
}

/// Most brackets that are open at once.
fn brackets(raw: &str) -> usize {
    let (mut depth, mut most, mut text, mut escaped) = (0_usize, 0, false, false);
    for byte in raw.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = text,
            b'"' => text = !text,
            b'[' | b'{' if !text => depth += 1,
            b']' | b'}' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

/// Escapes of half a surrogate pair, which skipping does not see.
fn has_malformed_text(raw: &str) -> bool {
    raw.contains("\\u")
        && serde_json::from_str::<serde_json::Value>(raw).is_err_and(|error| {
            !error.to_string().contains("recursion") && !error.to_string().contains("out of range")
        })
}

/// Keys and values of an object in their order, twice where they are there twice.
fn members(raw: &str) -> Result<Vec<(String, &str)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de str)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                members.push((key, value.get()));
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(raw).deserialize_map(Members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(input: &str) -> Vec<Event> {
        match expect(input.as_bytes()) {
            Expected::Events(events) => events,
            Expected::Open(why) => panic!("{input}: {why}"),
        }
    }

    #[test]
    fn an_event_is_flattened_with_all_that_the_columns_show() {
        let found = events(
            r#"{"type":"t","o":{"a":1,"b":null},"l":[1, 2],"f":1.50,"u":18446744073709551615,"time":1}"#,
        );
        let [Event::Row { stream, time_unix_ns, cells }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((stream.as_str(), *time_unix_ns), ("a/b/t", 1_000_000_000));
        let cell = |name: &str, cell: Cell| (name.to_owned(), cell);
        let expected = [
            cell("o.a", Cell::Int(1)),
            cell("l", Cell::Text("[1, 2]".into())),
            cell("f", Cell::Float(1.5)),
            cell("u", Cell::UInt(u64::MAX)),
        ];
        assert_eq!(*cells, expected);
    }

    #[test]
    fn bad_events_are_found_where_they_start() {
        let places = |input: &str| -> Vec<(usize, Vec<&str>)> {
            let bad = |event| match event {
                Event::Bad { offset, codes } => Some((offset, codes)),
                Event::Row { .. } => None,
            };
            events(input).into_iter().filter_map(bad).collect()
        };
        assert_eq!(
            places("{\"a\":1,\"a\":2}{\"time\":true}"),
            [(0, vec!["duplicate_key"]), (13, vec!["bad_time", "number_out_of_range"])]
        );
        assert_eq!(
            places("{\"a\":}\n\n  x\n[1,{}"),
            [(0, vec![]), (10, vec!["not_an_object"]), (13, vec!["not_an_object"]), (17, vec!["cut_off"])]
        );
    }
}
