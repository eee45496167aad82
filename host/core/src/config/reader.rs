//! Reads TOML by hand, member by member, so that every mistake is reported and not only the first.
//!
//! In: the text. Out: values with the line where each stands ([`At`]), and problems, collected in the [`Reader`]. A [`Section`] is one
//! table: ask for each member that it may have, then call `finish`, which makes each member that nobody asked for a problem with the
//! nearest known name. A value of the wrong type is a problem and counts as absent. Bounds: text, sections and list entries, given by the caller.

use std::cell::RefCell;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::json::json;
use super::near::hint;
use super::{PROBLEMS_MAX, Place, Problem};

/// A value and the line where it stands, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub line: u32,
}

/// Knows the lines and collects the problems.
pub struct Reader {
    line_starts: Vec<usize>,
    problems: RefCell<Vec<(u32, Problem)>>,
}

impl Reader {
    pub fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { line_starts: std::iter::once(0).chain(breaks).collect(), problems: RefCell::default() }
    }

    pub fn line(&self, offset: usize) -> u32 {
        self.line_starts.partition_point(|start| *start <= offset) as u32
    }

    /// Line and column, from 1; columns count characters.
    pub fn spot(&self, text: &str, offset: usize) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.line_starts.get(line.saturating_sub(1) as usize).copied().unwrap_or(0);
        let before = text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() as u32 + 1)
    }

    /// `line` is where it belongs in the report; the place already names it for people.
    pub fn problem(&self, line: u32, place: String, message: impl Into<String>) {
        self.problems.borrow_mut().push((line, Problem { place, message: message.into() }));
    }

    pub fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// In the order of the text, each once, bounded.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(line, _)| *line);
        let mut problems: Vec<Problem> = problems.into_iter().map(|(_, problem)| problem).collect();
        problems.dedup();
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        if more > 0 {
            problems.truncate(PROBLEMS_MAX);
            problems.push(Problem {
                place: "configuration".into(),
                message: format!("and {more} more problems"),
            });
        }
        problems
    }
}

/// One table while it is read.
pub struct Section<'a> {
    pub place: Place,
    reader: &'a Reader,
    members: Vec<(&'a str, u32, &'a DeValue<'a>)>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub fn new(reader: &'a Reader, words: &str, line: u32, table: &'a DeTable<'a>) -> Self {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(name, _)| name.span().start);
        let members = members
            .into_iter()
            .map(|(name, value)| (&**name.get_ref(), reader.line(name.span().start), value.get_ref()))
            .collect();
        let place = Place { words: words.to_owned(), line, config_lines: Vec::new() };
        Self { place, reader, members, asked: Vec::new() }
    }

    pub fn problem(&self, line: u32, member: &str, message: impl Into<String>) {
        let place = Place { words: self.place.words.clone(), line, config_lines: Vec::new() };
        let place = if self.place.words.is_empty() {
            Place { words: member.to_owned(), ..place }.here()
        } else {
            place.member(member)
        };
        self.reader.problem(line, place, message);
    }

    fn take(&mut self, name: &'static str) -> Option<(u32, &'a DeValue<'a>)> {
        self.asked.push(name);
        self.members.iter().find(|(member, ..)| *member == name).map(|(_, line, value)| (*line, *value))
    }

    fn wrong(&self, line: u32, name: &str, value: &DeValue<'_>, wanted: &str) {
        self.problem(line, name, format!("is of type {}; write {wanted}", value.type_str()));
    }

    pub fn text(&mut self, name: &'static str) -> Option<At<String>> {
        let (line, value) = self.take(name)?;
        match value.as_str() {
            Some(text) => Some(At { value: text.to_owned(), line }),
            None => {
                self.wrong(line, name, value, "a text in quotes");
                None
            }
        }
    }

    /// Absent is a problem, and gives an empty text so that reading goes on.
    pub fn required(&mut self, name: &'static str, example: &str) -> At<String> {
        let there = self.members.iter().any(|(member, ..)| *member == name);
        let text = self.text(name);
        if !there {
            self.problem(self.place.line, name, format!("is missing; add `{name} = {example}`"));
        }
        text.unwrap_or(At { value: String::new(), line: self.place.line })
    }

    pub fn integer(&mut self, name: &'static str) -> Option<At<i64>> {
        let (line, value) = self.take(name)?;
        match value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok()) {
            Some(value) => Some(At { value, line }),
            None => {
                self.wrong(line, name, value, "a whole number");
                None
            }
        }
    }

    pub fn flag(&mut self, name: &'static str) -> Option<At<bool>> {
        let (line, value) = self.take(name)?;
        match value.as_bool() {
            Some(value) => Some(At { value, line }),
            None => {
                self.wrong(line, name, value, "true or false");
                None
            }
        }
    }

    /// A number with or without fraction.
    pub fn number(&mut self, name: &'static str) -> Option<At<f64>> {
        let (line, value) = self.take(name)?;
        match json(value).as_f64() {
            Some(value) => Some(At { value, line }),
            None => {
                self.wrong(line, name, value, "a number");
                None
            }
        }
    }

    /// A list of texts, at most `max`; none where absent.
    pub fn texts(&mut self, name: &'static str, max: usize) -> Option<Vec<At<String>>> {
        let (line, value) = self.take(name)?;
        let Some(list) = value.as_array() else {
            self.wrong(line, name, value, "a list of texts, like [\"a\", \"b\"]");
            return None;
        };
        if list.len() > max {
            self.problem(line, name, format!("has {} entries; at most {max} are allowed", list.len()));
            return None;
        }
        let mut texts = Vec::with_capacity(list.len());
        for entry in list.iter() {
            let line = self.reader.line(entry.span().start);
            match entry.get_ref().as_str() {
                Some(text) => texts.push(At { value: text.to_owned(), line }),
                None => self.wrong(line, name, entry.get_ref(), "texts in quotes"),
            }
        }
        Some(texts)
    }

    /// A table inside this one.
    pub fn table(&mut self, name: &'static str) -> Option<Section<'a>> {
        let (line, value) = self.take(name)?;
        let Some(table) = value.as_table() else {
            self.wrong(line, name, value, &format!("a table, `[{name}]` or {{ ... }}"));
            return None;
        };
        let words = if self.place.words.is_empty() {
            name.to_owned()
        } else {
            format!("{}, {name}", self.place.words)
        };
        Some(Section::new(self.reader, &words, line, table))
    }

    /// A list of tables, `[[name]]`, at most `max`. Their place is named by their number until they say their own name.
    pub fn tables(&mut self, name: &'static str, max: usize) -> Vec<Section<'a>> {
        let Some((line, value)) = self.take(name) else { return Vec::new() };
        let list = value.as_array().filter(|list| list.iter().all(|entry| entry.get_ref().is_table()));
        let Some(list) = list else {
            self.wrong(line, name, value, &format!("each one as a section of its own, `[[{name}]]`"));
            return Vec::new();
        };
        if list.len() > max {
            self.problem(line, name, format!("stands {} times; at most {max} are allowed", list.len()));
        }
        let prefix =
            if self.place.words.is_empty() { String::new() } else { format!("{}, ", self.place.words) };
        let tables = list.iter().take(max).enumerate().filter_map(|(number, entry)| {
            let words = format!("{prefix}{name} number {}", number + 1);
            let line = self.reader.line(entry.span().start);
            entry.get_ref().as_table().map(|table| Section::new(self.reader, &words, line, table))
        });
        tables.collect()
    }

    /// A member of more than one form, as JSON; null where it holds a number that JSON has not.
    pub fn free(&mut self, name: &'static str) -> Option<At<Value>> {
        self.take(name).map(|(line, value)| At { value: json(value), line })
    }

    /// Free content, as JSON: `config`. An empty object where absent. Remembers the lines of its members in `place`.
    pub fn json(&mut self, name: &'static str) -> Value {
        let Some((line, value)) = self.take(name) else { return Value::Object(Map::new()) };
        if !value.is_table() {
            self.wrong(line, name, value, &format!("a table, `{name} = {{ ... }}`"));
            return Value::Object(Map::new());
        }
        let mut lines = vec![(String::new(), line)];
        self.walk(value, "", name, &mut lines);
        self.place.config_lines = lines;
        json(value)
    }

    /// Notes the lines of all members, and what JSON cannot hold.
    fn walk(&self, value: &DeValue<'_>, pointer: &str, name: &str, lines: &mut Vec<(String, u32)>) {
        let mut child = |key: &str, line: u32, value: &DeValue<'_>| {
            let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            lines.push((pointer.clone(), line));
            if json(value).is_null() {
                let place = format!("{name}{}", pointer.replace('/', "."));
                self.problem(line, &place, "is a number that is not finite or too large; write another");
            }
            self.walk(value, &pointer, name, lines);
        };
        match value {
            DeValue::Table(table) => {
                for (key, value) in table.iter() {
                    child(key.get_ref(), self.reader.line(key.span().start), value.get_ref());
                }
            }
            DeValue::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    child(&index.to_string(), self.reader.line(value.span().start), value.get_ref());
                }
            }
            _ => {}
        }
    }

    /// Every member must have been asked for.
    pub fn finish(self) -> Place {
        for (member, line, _) in &self.members {
            if !self.asked.contains(member) {
                let near = hint(member, self.asked.iter().copied());
                self.problem(*line, member, format!("is not a known key{near}"));
            }
        }
        self.place
    }
}
