//! What differs between two configurations: as text for people, and member by member for programs.
//!
//! In: two TOML texts. Out: a unified diff (the form of `diff -u`), and [`Change`]s in which sections are matched by their name (`name`, `id`, `metric`,
//! `triplet`), so that a section that only moved is no change. Works on any keys, known or not. Bounds: [`CHANGES_MAX`] changes;
//! [`EFFORT`] of searching for the shortest text diff, then a longer one comes out.

use std::time::Duration;

use serde_json::{Map, Value};
use similar::TextDiff;
use toml::de::{DeTable, DeValue};

use crate::config::json;

pub const CHANGES_MAX: usize = 1_000;
const EFFORT: Duration = Duration::from_millis(200);
/// Lines around each change.
const CONTEXT_LINES: usize = 3;
/// Members that name a section of a list.
const NAMES: [&str; 4] = ["name", "id", "metric", "triplet"];

/// One member or section that is not the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `pipeline "p", unit "u"`; empty at the top of the file.
    pub place: String,
    /// Path inside the section, like `config.keep`; none where the whole section came or went.
    pub member: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Change {
    pub fn word(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }
}

/// In the form of `diff -u`; empty where the texts are equal.
pub fn unified(before: (&str, &str), after: (&str, &str)) -> String {
    let diff = TextDiff::configure().timeout(EFFORT).diff_lines(before.1, after.1);
    let mut unified = diff.unified_diff();
    unified.context_radius(CONTEXT_LINES).header(before.0, after.0).to_string()
}

/// In the order of the text after, what went last. A text that is not TOML counts as empty.
pub fn changes(before: &str, after: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&tree(before), &tree(after), "", "", &mut changes);
    changes.truncate(CHANGES_MAX);
    changes
}

/// One line for the list of revisions, as in `changes unit "u" of pipeline "p" (config.keep) and 2 more`.
pub fn summary(changes: &[Change]) -> String {
    let Some(first) = changes.first() else { return "changes only comments or layout".to_owned() };
    let verb = match first.word() {
        "added" => "adds",
        "removed" => "removes",
        _ => "changes",
    };
    let place = match (first.place.is_empty(), &first.member) {
        (true, Some(member)) => member.clone(),
        (false, Some(member)) => format!("{}, {member}", first.place),
        _ => first.place.clone(),
    };
    match changes.len() - 1 {
        0 => format!("{verb} {place}"),
        more => format!("{verb} {place} and {more} more"),
    }
}

fn tree(text: &str) -> Map<String, Value> {
    let members = |table: &DeTable<'_>| -> Map<String, Value> {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        let pairs = members.into_iter();
        pairs.map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref() as &DeValue<'_>))).collect()
    };
    DeTable::parse(text).map(|document| members(document.get_ref())).unwrap_or_default()
}

fn compare(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    place: &str,
    path: &str,
    changes: &mut Vec<Change>,
) {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    for name in after.keys().chain(gone) {
        if changes.len() > CHANGES_MAX {
            return;
        }
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (old, new) {
            _ if is_list(old) || is_list(new) => {
                sections(old, new, place, &inner, changes);
            }
            (Some(Value::Object(old)), Some(Value::Object(new))) => compare(old, new, place, &inner, changes),
            _ => changes.push(Change {
                place: place.to_owned(),
                member: Some(inner),
                before: old.cloned(),
                after: new.cloned(),
            }),
        }
    }
}

/// Whether it is a list of sections with names of their own.
fn is_list(value: Option<&Value>) -> bool {
    let Some(Value::Array(entries)) = value else { return false };
    !entries.is_empty() && entries.iter().all(|entry| name_of(entry).is_some())
}

fn name_of(entry: &Value) -> Option<&str> {
    NAMES.iter().find_map(|name| entry.get(*name)?.as_str())
}

fn sections(old: Option<&Value>, new: Option<&Value>, place: &str, kind: &str, changes: &mut Vec<Change>) {
    let entries = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (entries(old), entries(new));
    let here = |name: &str| {
        let own = format!("{kind} \"{name}\"");
        if place.is_empty() { own } else { format!("{place}, {own}") }
    };
    for entry in &new {
        let name = name_of(entry).unwrap_or_default();
        match old.iter().find(|known| name_of(known) == Some(name)) {
            Some(known) => {
                if let (Some(before), Some(after)) = (known.as_object(), entry.as_object()) {
                    compare(before, after, &here(name), "", changes);
                }
            }
            None => changes.push(whole(here(name), None, Some(entry))),
        }
    }
    for entry in &old {
        let name = name_of(entry).unwrap_or_default();
        if !new.iter().any(|known| name_of(known) == Some(name)) {
            changes.push(whole(here(name), Some(entry), None));
        }
    }
}

fn whole(place: String, before: Option<&Value>, after: Option<&Value>) -> Change {
    Change { place, member: None, before: before.cloned(), after: after.cloned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BEFORE: &str = "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n[[pipeline.unit]]\nname = \"u\"\nconfig = { keep = \"x\", n = 1 }\n[[pipeline.unit]]\nname = \"v\"\n";
    const AFTER: &str = "# new\n[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/d\"]\n[[pipeline.unit]]\nname = \"w\"\n[[pipeline.unit]]\nname = \"u\"\nconfig = { keep = \"y\", n = 1 }\n";

    #[test]
    fn sections_are_matched_by_name_and_members_by_path() {
        let told: Vec<(&str, String, Option<String>)> = changes(BEFORE, AFTER)
            .iter()
            .map(|change| (change.word(), change.place.clone(), change.member.clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("changed", "pipeline \"p\"".into(), Some("from".into())),
                ("added", "pipeline \"p\", unit \"w\"".into(), None),
                ("changed", "pipeline \"p\", unit \"u\"".into(), Some("config.keep".into())),
                ("removed", "pipeline \"p\", unit \"v\"".into(), None),
            ]
        );
        assert_eq!(changes(BEFORE, AFTER)[2].after, Some(json!("y")));
        assert_eq!(summary(&changes(BEFORE, AFTER)), "changes pipeline \"p\", from and 3 more");
    }

    #[test]
    fn a_comment_is_no_change_but_stands_in_the_text() {
        let commented = format!("# why\n{BEFORE}");
        assert_eq!(changes(BEFORE, &commented), []);
        assert_eq!(summary(&[]), "changes only comments or layout");
        let text = unified(("1", BEFORE), ("2", &commented));
        assert!(text.starts_with("--- 1\n+++ 2\n@@ "), "{text}");
        assert!(text.contains("+# why\n"), "{text}");
        assert_eq!(unified(("1", BEFORE), ("2", BEFORE)), "");
    }
}
