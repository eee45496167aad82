//! The text of a configuration with one pipeline of it in hand, changed by cutting and putting in pieces of text: what is not cut stays as it is, to the byte.
//!
//! Each change parses the text anew for the places of things ([`Tree`]); texts are at most 1 MiB and an edit is a few changes. A section that is put
//! in stands behind the one before it; one that is removed takes the comment right above it along, and what stands before an empty
//! line stays. Sections must be written with headers (`[[pipeline.unit]]`), not as inline lists.

use std::ops::Range;

use serde_json::Value;

use super::EditError;
use super::inline;
use super::tree::{Shape, Tree};
use super::value;
use crate::config::hint;

pub struct Document {
    text: String,
    /// Empty where the edit is of something else.
    pipeline: String,
}

/// The lists in a pipeline and at the top of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Units,
    Series,
    Streams,
    Rules,
    Charts,
    Metrics,
}

impl List {
    pub fn key(self) -> &'static str {
        match self {
            Self::Units => "unit",
            Self::Series => "series",
            Self::Streams => "stream",
            Self::Rules => "rule",
            Self::Charts => "chart",
            Self::Metrics => "metric",
        }
    }

    /// Whether it is one of the pipeline's, not of the top.
    fn is_inner(self) -> bool {
        matches!(self, Self::Units | Self::Series | Self::Streams)
    }

    fn header(self) -> String {
        if self.is_inner() { format!("[[pipeline.{}]]", self.key()) } else { format!("[[{}]]", self.key()) }
    }

    /// The member that names an entry.
    pub fn naming(self) -> &'static str {
        match self {
            Self::Units | Self::Rules | Self::Metrics => "name",
            Self::Series => "metric",
            Self::Streams => "triplet",
            Self::Charts => "id",
        }
    }
}

/// A piece of text to be put in place of another.
pub type Splice = (Range<usize>, String);

impl Document {
    pub fn open(text: &str, pipeline: &str) -> Result<Self, EditError> {
        let tree = Tree::parse(text).map_err(EditError::Bad)?;
        let names: Vec<&str> = tree.entries("pipeline").iter().map(|entry| entry.text("name")).collect();
        if !names.contains(&pipeline) {
            let near = hint(pipeline, names);
            return Err(EditError::NotFound(format!("there is no pipeline `{pipeline}` in the text{near}")));
        }
        Ok(Self { pipeline: pipeline.to_owned(), ..Self::whole(text)? })
    }

    /// For edits of what stands at the top.
    pub fn whole(text: &str) -> Result<Self, EditError> {
        Tree::parse(text).map_err(EditError::Bad)?;
        // The last line gets an end, so that something can stand behind it.
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        Ok(Self { text: format!("{text}{end}"), pipeline: String::new() })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of an entry, with its sections and without what stands around.
    pub fn text_of(&self, entry: &Tree) -> String {
        let start = if entry.shape == Shape::Section {
            line_start(&self.text, entry.span.start)
        } else {
            entry.span.start
        };
        let end = if entry.shape == Shape::Section { self.after(entry.end()) } else { entry.span.end };
        self.text.get(start..end).unwrap_or_default().to_owned()
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn pipeline_name(&self) -> String {
        self.pipeline.clone()
    }

    /// It is parsed after each change; a change that broke it would be found by the check of the whole.
    fn tree(&self) -> Tree {
        Tree::parse(&self.text).unwrap_or_default()
    }

    fn pipeline(&self) -> Option<Tree> {
        let tree = self.tree();
        tree.entries("pipeline").iter().find(|entry| entry.text("name") == self.pipeline).cloned()
    }

    /// The entries of a list, in the order of the text.
    pub fn list(&self, list: List) -> Vec<Tree> {
        self.around(list).map(|tree| tree.entries(list.key()).to_vec()).unwrap_or_default()
    }

    /// What the list is a member of.
    fn around(&self, list: List) -> Option<Tree> {
        if list.is_inner() { self.pipeline() } else { Some(self.tree()) }
    }

    /// The list where it is written in one value.
    fn inline_list(&self, list: List) -> Option<Tree> {
        let member = self.around(list)?.member(list.key())?.clone();
        member.is_inline_list().then_some(member)
    }

    pub fn unit_names(&self) -> Vec<String> {
        self.list(List::Units).iter().map(|unit| unit.text("name").to_owned()).collect()
    }

    /// Index of a unit.
    pub fn unit(&self, name: &str) -> Result<usize, EditError> {
        let names = self.unit_names();
        names.iter().position(|known| known == name).ok_or_else(|| {
            let near = hint(name, names.iter().map(String::as_str));
            EditError::NotFound(format!("there is no unit `{name}` in this pipeline{near}"))
        })
    }

    /// Sets a member of an entry.
    pub fn set(&mut self, list: List, index: usize, member: &str, wanted: &Value) -> Result<(), EditError> {
        let Some(entry) = self.list(list).into_iter().nth(index) else { return Ok(()) };
        let rendered = value::render(wanted, member).map_err(EditError::Bad)?;
        if entry.shape == Shape::Inline {
            return self.update(&entry, &with(&entry.value, member, wanted), "").map(drop);
        }
        match entry.member(member) {
            Some(known) if known.value == *wanted => {}
            Some(known) => self.splice(vec![(known.span.clone(), rendered)]),
            None => {
                let at = self.after(entry.direct_end());
                self.splice(vec![(at..at, format!("{member} = {rendered}\n"))]);
            }
        }
        Ok(())
    }

    /// Makes the `config` of a unit equal to `wanted`; gives the members that changed, as `config.keep`.
    pub fn set_config(&mut self, index: usize, wanted: &Value) -> Result<Vec<String>, EditError> {
        if !wanted.is_object() {
            return Err(EditError::Bad(
                "`config` must be an object, like {\"keep\": \"ms > 100\"}".to_owned(),
            ));
        }
        let Some(unit) = self.list(List::Units).into_iter().nth(index) else { return Ok(Vec::new()) };
        let Some(config) = unit.member("config") else {
            if wanted.as_object().is_some_and(serde_json::Map::is_empty) {
                return Ok(Vec::new());
            }
            self.set(List::Units, index, "config", wanted)?;
            return Ok(vec!["config".to_owned()]);
        };
        if unit.shape == Shape::Inline && config.shape == Shape::Dotted {
            return self.update(&unit, &with(&unit.value, "config", wanted), "");
        }
        self.update(config, wanted, "config")
    }

    /// Makes a member, or an entry, equal to `wanted`; gives the members that changed.
    pub fn update(&mut self, known: &Tree, wanted: &Value, path: &str) -> Result<Vec<String>, EditError> {
        let mut update = value::Update::new(&self.text);
        update.run(known, wanted, path).map_err(EditError::Bad)?;
        let (splices, changed) = update.finish();
        self.splice(splices);
        Ok(changed)
    }

    /// A new entry of a list, as number `index`.
    pub fn insert(&mut self, list: List, index: usize, members: &[(&str, Value)]) -> Result<(), EditError> {
        let around = self.around(list).unwrap_or_default();
        if around.shape == Shape::Inline && around.member(list.key()).is_none() {
            let wanted = with(&around.value, list.key(), &Value::Array(vec![object(members)]));
            return self.update(&around, &wanted, "").map(drop);
        }
        if let Some(known) = self.inline_list(list) {
            let rendered = value::render(&object(members), list.key()).map_err(EditError::Bad)?;
            self.splice(vec![inline::insert(&self.text, &known, index, &rendered)]);
            return Ok(());
        }
        let mut section = format!("{}\n", list.header());
        for (member, wanted) in members {
            let rendered = value::render_member(wanted, member).map_err(EditError::Bad)?;
            section.push_str(&format!("{member} = {rendered}\n"));
        }
        self.insert_section(list, index, &section);
        Ok(())
    }

    fn insert_section(&mut self, list: List, index: usize, section: &str) {
        let entries = self.list(list);
        let before = index.checked_sub(1).and_then(|before| entries.get(before));
        // As the text does it: an empty line between sections, or none.
        let gap = if self.text.contains("\n\n[") || !list.is_inner() { "\n" } else { "" };
        let pipeline = if list.is_inner() { self.pipeline() } else { None };
        let (at, piece) = match (before, entries.first(), pipeline) {
            (Some(before), ..) => (self.after_comments(self.after(before.end())), format!("{gap}{section}")),
            (None, Some(first), _) => {
                (comment_above(&self.text, first.span.start), format!("{section}{gap}"))
            }
            (None, None, Some(pipeline)) => {
                (self.after_comments(self.after(pipeline.direct_end())), format!("{gap}{section}"))
            }
            (None, None, None) => {
                let gap = if self.text.is_empty() || self.text.ends_with("\n\n") { "" } else { gap };
                (self.text.len(), format!("{gap}{section}"))
            }
        };
        self.splice(vec![(at..at, piece)]);
    }

    pub fn remove(&mut self, list: List, index: usize) {
        if let Some(known) = self.inline_list(list) {
            self.splice(vec![(inline::cut(&self.text, &known, index), String::new())]);
            return;
        }
        let Some(entry) = self.list(list).into_iter().nth(index) else { return };
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for section in entry.sections() {
            let start = comment_above(&self.text, section.span.start);
            let end = self.after_comments(self.after(section.direct_end()));
            match ranges.last_mut().filter(|last| last.end == start) {
                Some(last) => last.end = end,
                None => ranges.push(start..end),
            }
        }
        let with_empty_lines = |range: Range<usize>| {
            let above = self.text.get(..range.start).unwrap_or_default();
            let below = self.text.get(range.end..).unwrap_or_default();
            let empty = below.len() - below.trim_start_matches('\n').len();
            let joins = above.is_empty() || above.ends_with("\n\n");
            // At the end of the text the empty line above goes too.
            let start = range.start - usize::from(below.is_empty() && above.ends_with("\n\n"));
            (start..range.end + if joins { empty } else { 0 }, String::new())
        };
        let splices = ranges.into_iter().map(with_empty_lines).collect();
        self.splice(splices);
    }

    fn splice(&mut self, mut splices: Vec<Splice>) {
        splices.sort_by_key(|(range, _)| range.start);
        for (range, piece) in splices.into_iter().rev() {
            // Ranges come from a parse of this very text, so they are at characters.
            if self.text.get(range.clone()).is_some() {
                self.text.replace_range(range, &piece);
            }
        }
    }

    /// The begin of the line after `at`.
    fn after(&self, at: usize) -> usize {
        line_end(&self.text, at)
    }

    /// Behind comments that follow directly and belong to what is before them: those that are not right above a header.
    fn after_comments(&self, at: usize) -> usize {
        let mut end = at;
        loop {
            let line = self.text.get(end..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
            if !line.starts_with('#') {
                return if line.is_empty() { end } else { at };
            }
            end = line_end(&self.text, end);
        }
    }
}

/// A table with one member set.
fn with(table: &Value, member: &str, wanted: &Value) -> Value {
    let mut table = table.clone();
    if let Some(members) = table.as_object_mut() {
        members.insert(member.to_owned(), wanted.clone());
    }
    table
}

fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// The begin of the line after the one that `at` is in.
pub fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end + 1)
}

pub fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Where the comment begins that stands right above a header.
fn comment_above(text: &str, header: usize) -> usize {
    let mut start = line_start(text, header);
    while start > 0 {
        let above = line_start(text, start - 1);
        if !text.get(above..start).is_some_and(|line| line.trim_start().starts_with('#')) {
            break;
        }
        start = above;
    }
    start
}
