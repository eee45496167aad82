//! Values between JSON, as edits bring them, and the text of TOML. A member that stays equal keeps its very text.
//!
//! TOML has no null and no whole number over 63 bits: such a value is an error that names the member.

use serde_json::{Map, Value};

use super::document::{Splice, line_end, line_start};
use super::tree::{Shape, Tree};

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.shift_remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// The text of a value; `path` is for the error.
pub fn render(value: &Value, path: &str) -> Result<String, String> {
    Ok(match value {
        Value::Null => return Err(format!("{path} is null, which TOML has not; leave the member out")),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(fraction)) if !number.is_u64() => toml::Value::Float(fraction).to_string(),
            _ => return Err(format!("{path} is {number}, more than TOML can hold; write a smaller number")),
        },
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        Value::Array(list) => {
            let entries = list.iter().map(|entry| render(entry, path)).collect::<Result<Vec<_>, _>>()?;
            format!("[{}]", entries.join(", "))
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Ok((name.as_str(), render(value, &format!("{path}.{name}"))?)));
            inline(members.collect::<Result<Vec<_>, String>>()?)
        }
    })
}

/// The same for a member that has lines of its own: a list of several tables has one for each.
pub fn render_member(value: &Value, path: &str) -> Result<String, String> {
    match value.as_array() {
        Some(list) if list.len() > 1 && list.iter().all(Value::is_object) => {
            let lines = list.iter().map(|entry| Ok(format!("  {},\n", render(entry, path)?)));
            Ok(format!("[\n{}]", lines.collect::<Result<String, String>>()?))
        }
        _ => render(value, path),
    }
}

fn inline(members: Vec<(&str, String)>) -> String {
    let members: Vec<String> =
        members.into_iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    // A basic string; JSON's escapes are among those of TOML.
    Value::from(name).to_string()
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Collects the least change that makes a thing equal to a value.
pub struct Update<'a> {
    text: &'a str,
    splices: Vec<Splice>,
    /// Paths of the members that change.
    changed: Vec<String>,
}

impl<'a> Update<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, splices: Vec::new(), changed: Vec::new() }
    }

    pub fn finish(self) -> (Vec<Splice>, Vec<String>) {
        (self.splices, self.changed)
    }

    pub fn run(&mut self, known: &Tree, wanted: &Value, path: &str) -> Result<(), String> {
        if known.value == *wanted {
            return Ok(());
        }
        if known.value.is_array() && !known.is_inline_list() {
            return Err(format!("{path} is written in sections of its own; change it in the text"));
        }
        match (known.shape, wanted.as_object()) {
            (Shape::Inline, Some(members)) => self.inline(known, members, path),
            (Shape::Section | Shape::Dotted, Some(members)) => self.section(known, members, path),
            (Shape::Section | Shape::Dotted, None) => {
                Err(format!("{path} is a section and cannot become a single value"))
            }
            _ => {
                self.changed.push(path.to_owned());
                self.splices.push((known.span.clone(), render(wanted, path)?));
                Ok(())
            }
        }
    }

    fn inline(&mut self, known: &Tree, wanted: &Map<String, Value>, path: &str) -> Result<(), String> {
        let gone = known.members.iter().filter(|member| !wanted.contains_key(&member.key));
        let gone: Vec<String> = gone.map(|member| below(path, &member.key)).collect();
        let new = wanted.keys().any(|name| known.member(name).is_none());
        // Members with dotted keys stand in several places; they are written anew, in one.
        let scattered = known
            .members
            .iter()
            .any(|member| member.shape == Shape::Dotted && wanted.get(&member.key) != Some(&member.value));
        if gone.is_empty() && !new && !scattered {
            for member in &known.members {
                if let Some(value) = wanted.get(&member.key) {
                    self.run(member, value, &below(path, &member.key))?;
                }
            }
            return Ok(());
        }
        self.changed.extend(gone);
        let kept = known.members.iter().filter_map(|member| Some((&member.key, wanted.get(&member.key)?)));
        let added = wanted.iter().filter(|(name, _)| known.member(name).is_none());
        let mut members = Vec::new();
        for (name, value) in kept.chain(added) {
            let whole = |member: &&Tree| member.value == *value && member.shape != Shape::Dotted;
            let same = known.member(name).filter(whole);
            let text = match same.and_then(|member| self.text.get(member.span.clone())) {
                Some(text) => text.to_owned(),
                None => {
                    let path = below(path, name);
                    let text = render(value, &path)?;
                    if known.member(name).is_none_or(|member| member.value != *value) {
                        self.changed.push(path);
                    }
                    text
                }
            };
            members.push((name.as_str(), text));
        }
        self.splices.push((known.span.clone(), inline(members)));
        Ok(())
    }

    /// Members on lines of their own.
    fn section(&mut self, known: &Tree, wanted: &Map<String, Value>, path: &str) -> Result<(), String> {
        for member in &known.members {
            let path = below(path, &member.key);
            match wanted.get(&member.key) {
                Some(value) => self.run(member, value, &path)?,
                None if member.shape == Shape::Section => {
                    return Err(format!("{path} is a section of its own; remove it in the text"));
                }
                None => {
                    let lines = line_start(self.text, member.key_start)..line_end(self.text, member.end());
                    self.splices.push((lines, String::new()));
                    self.changed.push(path);
                }
            }
        }
        for (name, value) in wanted.iter().filter(|(name, _)| known.member(name).is_none()) {
            let path = below(path, name);
            if known.shape == Shape::Dotted {
                return Err(format!("{path} is new among members with dotted keys; add it in the text"));
            }
            let at = line_end(self.text, known.direct_end());
            let text = render_member(value, &path)?;
            let begin =
                if self.text.get(..at).is_some_and(|before| before.ends_with('\n')) { "" } else { "\n" };
            self.splices.push((at..at, format!("{begin}{} = {text}\n", key(name))));
            self.changed.push(path);
        }
        Ok(())
    }
}
