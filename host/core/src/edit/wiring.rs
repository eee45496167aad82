//! Who takes what from whom in one pipeline, as the text says it or leaves it to its defaults.
//!
//! A reference is `in`, `unit` (its first port) or `unit.port`; `unit.first` is written `unit` here, so that equal things are equal. [`Wiring::write`] brings a
//! changed wiring back into the text and touches only what no longer says the same.

use serde_json::Value;

use super::EditError;
use super::document::{Document, List};
use crate::config::hint;

pub type FirstPort<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Something that takes rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    pub kind: Kind,
    /// Unit, metric, triplet or rule.
    pub name: String,
    pub from: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unit,
    Series,
    Stream,
    Rule,
}

impl Taker {
    /// As in the `to` of the API's units, without the pipeline.
    pub fn word(&self) -> String {
        match self.kind {
            Kind::Unit => self.name.clone(),
            Kind::Series => format!("series {}", self.name),
            Kind::Stream => format!("stream {}", self.name),
            Kind::Rule => format!("rule/{}", self.name),
        }
    }
}

pub struct Wiring<'a> {
    pipeline: String,
    /// Units in the order of the text first.
    pub takers: Vec<Taker>,
    first_port: FirstPort<'a>,
}

impl<'a> Wiring<'a> {
    pub fn read(document: &Document, pipeline: &str, first_port: FirstPort<'a>) -> Self {
        let mut wiring = Self { pipeline: pipeline.to_owned(), takers: Vec::new(), first_port };
        for (list, kind) in LISTS {
            let mut before = default_of(document, list, 0);
            for (index, entry) in document.list(list).into_iter().enumerate() {
                let name = entry.text(list.naming()).to_owned();
                let from = entry.texts("from").unwrap_or_else(|| vec![before.clone()]);
                let from = from.iter().map(|from| wiring.canonical(from)).collect();
                wiring.takers.push(Taker { kind, name, from });
                before = default_of(document, list, index + 1);
            }
        }
        for rule in document.list(List::Rules) {
            if let Some((place, on)) = rule.text("on").split_once('/')
                && place == wiring.pipeline
            {
                let from = vec![wiring.canonical(on)];
                let name = rule.text("name").to_owned();
                wiring.takers.push(Taker { kind: Kind::Rule, name, from });
            }
        }
        wiring
    }

    /// `unit.first` as `unit`.
    pub fn canonical(&self, reference: &str) -> String {
        match reference.split_once('.') {
            Some((unit, port)) if (self.first_port)(unit).is_some_and(|first| first == port) => {
                unit.to_owned()
            }
            _ => reference.to_owned(),
        }
    }

    /// A reference that an operator gave, with the pipeline before it or not.
    pub fn reference(&self, given: &str) -> Result<String, EditError> {
        let own = given.strip_prefix(&format!("{}/", self.pipeline)).unwrap_or(given);
        let unit = own.split_once('.').map_or(own, |(unit, _)| unit);
        let units = || self.takers.iter().filter(|taker| taker.kind == Kind::Unit).map(|unit| &*unit.name);
        if unit != "in" && !units().any(|name| name == unit) {
            let near = hint(unit, units().chain(["in"]));
            return Err(EditError::NotFound(format!("there is no unit `{unit}` in this pipeline{near}")));
        }
        Ok(self.canonical(own))
    }

    /// Index of a taker in the words of [`Taker::word`], with the pipeline before a unit or not.
    pub fn taker(&self, given: &str) -> Result<usize, EditError> {
        let own = given.strip_prefix(&format!("{}/", self.pipeline)).unwrap_or(given);
        self.takers.iter().position(|taker| taker.word() == own).ok_or_else(|| {
            let words: Vec<String> = self.takers.iter().map(Taker::word).collect();
            let near = hint(own, words.iter().map(String::as_str));
            EditError::NotFound(format!("nothing in this pipeline is called `{own}`{near}"))
        })
    }

    /// Brings it into the text, whose sections are the takers in the same order.
    pub fn write(&self, document: &mut Document) -> Result<(), EditError> {
        for (list, kind) in LISTS {
            let wanted = self.takers.iter().filter(|taker| taker.kind == kind);
            for (index, (taker, entry)) in wanted.zip(document.list(list)).enumerate() {
                let says = entry.texts("from").unwrap_or_else(|| vec![default_of(document, list, index)]);
                let says: Vec<String> = says.iter().map(|from| self.canonical(from)).collect();
                if says != taker.from {
                    document.set(list, index, "from", &Value::from(taker.from.clone()))?;
                }
            }
        }
        for (index, entry) in document.list(List::Rules).into_iter().enumerate() {
            let is_it = |taker: &&Taker| taker.kind == Kind::Rule && taker.name == entry.text("name");
            let Some(wanted) = self.takers.iter().find(is_it).and_then(|taker| taker.from.first()) else {
                continue;
            };
            let says = entry.text("on").split_once('/').map(|(_, on)| self.canonical(on));
            if says.as_ref() != Some(wanted) {
                let on = format!("{}/{wanted}", self.pipeline);
                document.set(List::Rules, index, "on", &Value::from(on))?;
            }
        }
        Ok(())
    }
}

const LISTS: [(List, Kind); 3] =
    [(List::Units, Kind::Unit), (List::Series, Kind::Series), (List::Streams, Kind::Stream)];

/// What an entry without `from` takes: a unit the one before it, everything else the last.
fn default_of(document: &Document, list: List, index: usize) -> String {
    let names = document.unit_names();
    let before = if list == List::Units { index.checked_sub(1) } else { names.len().checked_sub(1) };
    before.and_then(|before| names.get(before)).cloned().unwrap_or_else(|| "in".to_owned())
}
