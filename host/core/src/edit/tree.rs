//! A configuration's text as a tree that knows where everything stands.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::json;

/// How a thing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// A text, number, list or the like.
    #[default]
    Plain,
    /// `{ a = 1 }`
    Inline,
    /// `[a]` or an entry `[[a]]`; the span is the header's.
    Section,
    /// `a.b = 1`
    Dotted,
}

#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub key: String,
    pub key_start: usize,
    /// The value, or the header.
    pub span: Range<usize>,
    pub shape: Shape,
    pub value: Value,
    /// Of a table, in the order of the text.
    pub members: Vec<Tree>,
    /// Of a list of tables.
    entries: Vec<Tree>,
}

impl Tree {
    pub fn parse(text: &str) -> Result<Self, String> {
        let document = DeTable::parse(text)
            .map_err(|error| format!("the running configuration is not TOML: {}", error.message()))?;
        Ok(Self { members: members(text, document.get_ref()), shape: Shape::Section, ..Self::default() })
    }

    pub fn member(&self, key: &str) -> Option<&Self> {
        self.members.iter().find(|member| member.key == key)
    }

    /// Entries of a list of tables; none where there is no such member.
    pub fn entries(&self, key: &str) -> &[Self] {
        self.member(key).map(|member| member.entries.as_slice()).unwrap_or_default()
    }

    pub fn entries_of(&self) -> &[Self] {
        &self.entries
    }

    /// Whether it is a list of tables, or of nothing, in one value.
    pub fn is_inline_list(&self) -> bool {
        self.value.is_array() && self.entries.iter().all(|entry| entry.shape != Shape::Section)
    }

    /// A member that is a text; empty where it is not there.
    pub fn text(&self, key: &str) -> &str {
        self.member(key).and_then(|member| member.value.as_str()).unwrap_or_default()
    }

    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        let list = self.member(key)?.value.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The end of all that belongs to it.
    pub fn end(&self) -> usize {
        let inner = self.members.iter().chain(&self.entries).map(Self::end).max().unwrap_or(0);
        self.span.end.max(inner)
    }

    /// The end of what stands under its own header.
    pub fn direct_end(&self) -> usize {
        let own = self.members.iter().filter(|member| !member.has_header());
        self.span.end.max(own.map(Self::direct_end).max().unwrap_or(0))
    }

    fn has_header(&self) -> bool {
        self.shape == Shape::Section || self.entries.iter().any(|entry| entry.shape == Shape::Section)
    }

    /// Itself and what has a header of its own inside it.
    pub fn sections(&self) -> Vec<&Self> {
        let mut sections =
            if self.shape == Shape::Section && self.entries.is_empty() { vec![self] } else { Vec::new() };
        sections.extend(self.members.iter().chain(&self.entries).flat_map(Self::sections));
        sections
    }
}

fn members(text: &str, table: &DeTable<'_>) -> Vec<Tree> {
    let mut members: Vec<Tree> = table
        .iter()
        .map(|(key, value)| Tree {
            key: key.get_ref().to_string(),
            key_start: key.span().start,
            ..tree(text, value)
        })
        .collect();
    members.sort_by_key(|member| member.key_start);
    members
}

fn tree(text: &str, value: &Spanned<DeValue<'_>>) -> Tree {
    let span = value.span();
    let mut tree = Tree { span: span.clone(), value: json(value.get_ref()), ..Tree::default() };
    match value.get_ref() {
        DeValue::Table(table) => {
            tree.members = members(text, table);
            tree.shape = match text.as_bytes().get(span.start) {
                Some(b'{') => Shape::Inline,
                Some(b'[') => Shape::Section,
                _ => Shape::Dotted,
            };
        }
        DeValue::Array(list) if list.iter().any(|entry| entry.get_ref().is_table()) => {
            tree.entries = list.iter().map(|entry| self::tree(text, entry)).collect();
        }
        _ => {}
    }
    tree
}
