//! A whole `[[metric]]` made, written anew or taken away.
//!
//! In: its members as JSON, as the configuration has them. What is shorter there is taken here too: one text (or table) where a list is wanted, and null for what is
//! left out. Out: the text with the metric as a section behind the last one, its members in the order of the documentation. Written anew, only the members that differ
//! are touched; where they stand in sections of their own (`[[metric.rollup]]`), the whole is written in one. What the members mean is checked with the whole text.

use serde_json::{Map, Value};

use super::EditError;
use super::document::{Document, List};
use crate::config::{MetricSpec, RuleSpec, Topology, hint};

const MEMBERS: [&str; 9] =
    ["name", "from", "where", "key", "value", "lateness", "backfill", "rollup", "chart"];
/// Members that are lists, of which there may be just one.
const LISTS: [&str; 3] = ["from", "key", "rollup"];

/// A metric as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub name: String,
    members: Map<String, Value>,
}

impl Wanted {
    /// `name`: where it does not stand among the members, or must be the same.
    pub fn read(members: &Value, name: Option<&str>) -> Result<Self, EditError> {
        let bad = |message: &str| Err(EditError::Bad(message.to_owned()));
        let Some(given) = members.as_object() else {
            return bad(
                "a metric is an object like {\"name\": \"seen\", \"from\": [\"shop/*/request\"], \"rollup\": [{\"window\": \"1s\", \"is\": \"count\"}]}",
            );
        };
        let name = match (given.get("name").filter(|name| !name.is_null()), name) {
            (Some(Value::String(own)), Some(name)) if own != name => {
                return Err(EditError::Bad(format!(
                    "`name` is `{own}`, but this is the metric `{name}`; a metric keeps its name, because its series are called after it"
                )));
            }
            (Some(Value::String(own)), _) => own.clone(),
            (None, Some(name)) => name.to_owned(),
            _ => return bad("a metric needs a `name`, a text like \"execution_time\""),
        };
        let mut members: Map<String, Value> =
            [("name".to_owned(), Value::from(name.as_str()))].into_iter().collect();
        let unknown = given.keys().map(String::as_str).filter(|key| !MEMBERS.contains(key));
        for member in MEMBERS.into_iter().chain(unknown).filter(|member| *member != "name") {
            match given.get(member) {
                None | Some(Value::Null) => {}
                Some(value) if LISTS.contains(&member) && !value.is_array() => {
                    members.insert(member.to_owned(), Value::Array(vec![without_nulls(value)]));
                }
                Some(value) => {
                    members.insert(member.to_owned(), without_nulls(value));
                }
            }
        }
        Ok(Self { name, members })
    }

    fn listed(&self) -> Vec<(&str, Value)> {
        self.members.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
    }

    /// Its section alone.
    pub fn text(&self) -> Result<String, EditError> {
        let mut document = Document::whole("")?;
        document.insert(List::Metrics, 0, &self.listed())?;
        Ok(document.into_text())
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

pub fn add(document: &mut Document, wanted: &Wanted) -> Result<String, EditError> {
    let names = names(document);
    if names.contains(&wanted.name) {
        let message =
            format!("there is already a metric `{}`; change it, or choose another name", wanted.name);
        return Err(EditError::Exists(message));
    }
    document.insert(List::Metrics, names.len(), &wanted.listed())?;
    Ok(format!("adds the metric `{}`", wanted.name))
}

pub fn set(document: &mut Document, wanted: &Wanted) -> Result<String, EditError> {
    let index = index(document, &wanted.name)?;
    let Some(known) = document.list(List::Metrics).into_iter().nth(index) else { return Ok(String::new()) };
    let members = Value::Object(wanted.members.clone());
    let changed = match document.update(&known, &members, "") {
        Ok(changed) => changed,
        // Sections of its own cannot be changed member by member.
        Err(_) => {
            replace(document, index, wanted)?;
            wanted
                .members
                .iter()
                .filter(|(name, value)| known.member(name).is_none_or(|known| known.value != **value))
                .map(|(name, _)| name.clone())
                .collect()
        }
    };
    Ok(match changed.as_slice() {
        [] => format!("leaves the metric `{}` as it is", wanted.name),
        changed => format!("sets {} of the metric `{}`", changed.join(", "), wanted.name),
    })
}

/// `drop`: with the rules and charts on it, which else keep it.
pub fn remove(document: &mut Document, name: &str, drop: bool) -> Result<String, EditError> {
    let index = index(document, name)?;
    // What runs is good; a text that is not is told by the check of the whole.
    let users = Topology::parse(document.text()).map(|topology| users(&topology, name)).unwrap_or_default();
    if !drop && !users.is_empty() {
        let words: Vec<String> =
            users.iter().map(|(list, user)| format!("{} `{user}`", list.key())).collect();
        return Err(EditError::InUse(format!(
            "{} {} the metric `{name}`; let that take something else first, or remove it too (drop=true)",
            words.join(", "),
            if words.len() == 1 { "takes from" } else { "take from" },
        )));
    }
    document.remove(List::Metrics, index);
    let mut gone = vec![format!("the metric `{name}`")];
    for (list, user) in users {
        let is_it = |entry: &super::tree::Tree| entry.text(list.naming()) == user;
        if let Some(index) = document.list(list).iter().position(is_it) {
            document.remove(list, index);
            gone.push(format!("{} `{user}`", list.key()));
        }
    }
    Ok(format!("removes {}", gone.join(", ")))
}

/// The text with the metric as a section of its own, in place of one of its name.
pub fn placed(text: &str, wanted: &Wanted) -> Result<String, EditError> {
    let mut document = Document::whole(text)?;
    let known = names(&document);
    match known.iter().position(|name| *name == wanted.name) {
        Some(index) => replace(&mut document, index, wanted)?,
        None => document.insert(List::Metrics, known.len(), &wanted.listed())?,
    }
    Ok(document.into_text())
}

/// Written anew in the same place: before the old one goes, so that the place is known.
fn replace(document: &mut Document, index: usize, wanted: &Wanted) -> Result<(), EditError> {
    document.insert(List::Metrics, index, &wanted.listed())?;
    document.remove(List::Metrics, index + 1);
    Ok(())
}

/// Its members as they are written, and its text.
pub fn written(text: &str, name: &str) -> Result<(Value, String), EditError> {
    let document = Document::whole(text)?;
    let index = index(&document, name)?;
    let entry = document.list(List::Metrics).into_iter().nth(index).unwrap_or_default();
    Ok((entry.value.clone(), document.text_of(&entry)))
}

/// Rules on its units and charts of its series, but for its own chart.
fn users(topology: &Topology, name: &str) -> Vec<(List, String)> {
    let Some(metric) = topology.metrics.iter().find(|metric| *metric.name == *name) else {
        return Vec::new();
    };
    let pipeline = topology.pipelines.get(metric.pipeline);
    let stands_on = |rule: &&RuleSpec| {
        let unit = rule.on.unit.and_then(|unit| pipeline?.units.get(unit));
        rule.pipeline == metric.pipeline && unit.is_some_and(|unit| metric.units.contains(&unit.id))
    };
    let rules = topology.rules.iter().filter(stands_on).map(|rule| (List::Rules, rule.name.to_string()));
    let draws = |series: &str| metric.series.iter().any(|(own, _)| **own == *series);
    let charts = topology.charts.iter().filter(|chart| draws(&chart.metric) && !is_own(metric, &chart.id));
    rules.chain(charts.map(|chart| (List::Charts, chart.id.to_string()))).collect()
}

fn is_own(metric: &MetricSpec, chart: &str) -> bool {
    *metric.name == *chart
}

fn names(document: &Document) -> Vec<String> {
    document.list(List::Metrics).iter().map(|metric| metric.text("name").to_owned()).collect()
}

fn index(document: &Document, name: &str) -> Result<usize, EditError> {
    let names = names(document);
    names.iter().position(|known| known == name).ok_or_else(|| {
        let near = hint(name, names.iter().map(String::as_str));
        EditError::NotFound(format!("there is no metric `{name}`{near}"))
    })
}

#[cfg(test)]
mod tests;
