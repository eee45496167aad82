//! Lists that are written in one value, `unit = [{ name = "a" }, { name = "b" }]`, on one line or on several: where an entry is put in, and what is cut for one.
//!
//! In: the text and the list as it was parsed. Out: pieces for [`super::document`]. A new entry stands on a line of its own where the others do. A comment
//! between two entries belongs to the one before it.

use std::ops::Range;

use super::document::{Splice, line_start};
use super::tree::Tree;

/// The new entry becomes number `index`, or the last.
pub fn insert(text: &str, list: &Tree, index: usize, rendered: &str) -> Splice {
    let entries = list.entries_of();
    let between = |entry: &Tree| {
        let start = line_start(text, entry.span.start);
        let indent = text.get(start..entry.span.start).unwrap_or_default();
        // Only white space before it: entries have lines of their own.
        if indent.trim().is_empty() && start > list.span.start {
            format!(",\n{indent}")
        } else {
            ", ".to_owned()
        }
    };
    match (entries.get(index), entries.last()) {
        (Some(next), _) => (next.span.start..next.span.start, format!("{rendered}{}", between(next))),
        (None, Some(last)) => (last.span.end..last.span.end, format!("{}{rendered}", between(last))),
        (None, None) => {
            let at = list.span.start + 1;
            (at..at, rendered.to_owned())
        }
    }
}

/// What goes with an entry.
pub fn cut(text: &str, list: &Tree, index: usize) -> Range<usize> {
    let entries = list.entries_of();
    let before = index.checked_sub(1).and_then(|before| entries.get(before));
    match (entries.get(index), entries.get(index + 1), before) {
        (Some(entry), Some(next), _) => entry.span.start..next.span.start,
        (Some(entry), None, Some(before)) => before.span.end..entry.span.end,
        (Some(entry), None, None) => entry.span.start..behind_comma(text, entry.span.end),
        (None, ..) => list.span.start..list.span.start,
    }
}

/// A list of nothing takes no comma.
fn behind_comma(text: &str, end: usize) -> usize {
    let rest = text.get(end..).unwrap_or_default();
    let white = rest.len() - rest.trim_start().len();
    if rest.trim_start().starts_with(',') { end + white + 1 } else { end }
}
