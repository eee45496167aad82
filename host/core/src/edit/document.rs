//! The text of a configuration with one pipeline of it in hand, changed by cutting and putting in pieces of text: what is not cut stays as it is, to the byte.
//!
//! Each change parses the text anew for the places of things ([`Tree`]); texts are at most 1 MiB and an edit is a few changes. A section that is put
//! in stands behind the one before it; one that is removed takes the comment right above it along, and what stands before an empty
//! line stays. Sections must be written with headers (`[[pipeline.unit]]`), not as inline lists.

use std::ops::Range;

use serde_json::Value;

use super::EditError;
use super::tree::{Shape, Tree};
use super::value;
use crate::config::hint;

pub struct Document {
    text: String,
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
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::Units => "unit",
            Self::Series => "series",
            Self::Streams => "stream",
            Self::Rules => "rule",
            Self::Charts => "chart",
        }
    }

    /// The member that names an entry.
    pub fn naming(self) -> &'static str {
        match self {
            Self::Units | Self::Rules => "name",
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
        // The last line gets an end, so that something can stand behind it.
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let document = Self { text: format!("{text}{end}"), pipeline: pipeline.to_owned() };
        for list in [List::Units, List::Series, List::Streams, List::Rules, List::Charts] {
            if document.list(list).iter().any(|entry| entry.shape != Shape::Section) {
                return Err(EditError::Bad(format!(
                    "`{} = [...]` is written as a list in one value, which edits do not change; write each entry as a section of its own",
                    list.key()
                )));
            }
        }
        Ok(document)
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

    /// The sections of a list, in the order of the text.
    pub fn list(&self, list: List) -> Vec<Tree> {
        match list {
            List::Rules | List::Charts => self.tree().entries(list.key()).to_vec(),
            _ => self.pipeline().map(|tree| tree.entries(list.key()).to_vec()).unwrap_or_default(),
        }
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
        let mut update = value::Update::new(&self.text);
        update.run(config, wanted, "config").map_err(EditError::Bad)?;
        let (splices, changed) = update.finish();
        self.splice(splices);
        Ok(changed)
    }

    /// A new section of a unit, as number `index`.
    pub fn insert_unit(&mut self, index: usize, section: &str) {
        let units = self.list(List::Units);
        let before = index.checked_sub(1).and_then(|before| units.get(before));
        // As the text does it: an empty line between sections, or none.
        let gap = if self.text.contains("\n\n[") { "\n" } else { "" };
        let (at, piece) = match (before, units.first(), self.pipeline()) {
            (Some(before), ..) => (self.after_comments(self.after(before.end())), format!("{gap}{section}")),
            (None, Some(first), _) => {
                (comment_above(&self.text, first.span.start), format!("{section}{gap}"))
            }
            (None, None, Some(pipeline)) => {
                (self.after_comments(self.after(pipeline.direct_end())), format!("{gap}{section}"))
            }
            (None, None, None) => return,
        };
        self.splice(vec![(at..at, piece)]);
    }

    pub fn remove(&mut self, list: List, index: usize) {
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
