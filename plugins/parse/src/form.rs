//! The forms of a text, and taking one apart: the wanted parts as texts, or nothing where the text is not of that form.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use crate::{agent, members, url};

/// A part of a text; none where the text has no such part.
pub type Part<'a> = Option<Cow<'a, str>>;

pub enum Form {
    Json,
    KeyValue { between: char, sign: char },
    Regex(Regex),
    Url,
    UserAgent,
}

impl Form {
    /// The parts that there are, with their kinds; empty where any name may be asked for.
    pub fn fields(&self) -> Vec<(String, &'static str)> {
        let listed = |fields: &[(&str, &'static str)]| {
            fields.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
        };
        match self {
            Self::Json | Self::KeyValue { .. } => Vec::new(),
            Self::Regex(regex) => {
                regex.capture_names().flatten().map(|name| (name.to_owned(), "text")).collect()
            }
            Self::Url => listed(&url::FIELDS),
            Self::UserAgent => listed(&agent::FIELDS),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Json | Self::KeyValue { .. } => true,
            Self::Url if name.len() > url::QUERY.len() && name.starts_with(url::QUERY) => true,
            _ => self.fields().iter().any(|(known, _)| known == name),
        }
    }

    /// The parts of those names, in their order; none where the text is not of this form.
    pub fn parts<'a>(&self, text: &'a str, names: &[&str]) -> Option<Vec<Part<'a>>> {
        match self {
            Self::Json => json(text, names),
            Self::KeyValue { between, sign } => key_value(text, *between, *sign, names),
            Self::Regex(regex) => {
                let captures = regex.captures(text)?;
                let group = |name: &&str| captures.name(name).map(|group| Cow::Borrowed(group.as_str()));
                Some(names.iter().map(group).collect())
            }
            Self::Url => {
                let url = url::Url::parse(text)?;
                Some(names.iter().map(|name| url.part(name)).collect())
            }
            Self::UserAgent => {
                let agent = agent::Agent::parse(text)?;
                Some(names.iter().map(|name| agent.part(name)).collect())
            }
        }
    }
}

fn json<'a>(text: &'a str, names: &[&str]) -> Option<Vec<Part<'a>>> {
    if !names.iter().any(|name| name.contains('.')) {
        return members::of(text, names);
    }
    let object: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let part = |name: &&str| members::text(member(&object, name)?).map(Cow::Owned);
    Some(names.iter().map(part).collect())
}

/// A member by its name, or by the names on the way to it with dots between.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    if let Some(found) = object.get(name) {
        return Some(found);
    }
    let dots = name.match_indices('.');
    dots.filter_map(|(at, _)| {
        let (first, rest) = (name.get(..at)?, name.get(at + 1..)?);
        member(object.get(first)?, rest)
    })
    .next()
}

/// Pairs one after the other; of two with one key the later counts. A word without the sign is passed over. A text without any pair is not of this form.
fn key_value<'a>(text: &'a str, between: char, sign: char, names: &[&str]) -> Option<Vec<Part<'a>>> {
    let mut parts: Vec<Part<'a>> = vec![None; names.len()];
    let mut pairs = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let key_end = rest.find([between, sign]).unwrap_or(rest.len());
        let (key, after) = rest.split_at_checked(key_end)?;
        let Some(after) = after.strip_prefix(sign) else {
            rest = after.strip_prefix(between).unwrap_or_default();
            continue;
        };
        let (value, after) = value(after, between);
        pairs += 1;
        let key = key.trim();
        if let Some(place) = names.iter().position(|name| *name == key).and_then(|place| parts.get_mut(place))
        {
            *place = Some(value);
        }
        rest = after;
    }
    (pairs > 0).then_some(parts)
}

/// A value, quoted or not, and what comes after its end.
fn value(text: &str, between: char) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(between).unwrap_or((text, ""));
        return (Cow::Borrowed(value.trim()), rest);
    };
    let mut unescaped = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = quoted.get(at + 1..).unwrap_or_default();
                let rest = rest.split_once(between).map_or("", |(_, rest)| rest);
                return (Cow::Owned(unescaped), rest);
            }
            '\\' => match characters.next() {
                Some((_, 'n')) => unescaped.push('\n'),
                Some((_, 't')) => unescaped.push('\t'),
                Some((_, other)) => unescaped.push(other),
                None => break,
            },
            other => unescaped.push(other),
        }
    }
    // The quote that is missing at the end of a cut line does not take the value with it.
    (Cow::Owned(unescaped), "")
}
