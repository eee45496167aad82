//! Edits as changes of the configuration's text: inject a unit into a pipeline, change one, remove one; make, change and remove a metric.
//!
//! In: the text that runs, the [`Edit`], and the first port of each unit. Out: the new text with a sentence about what was done. Comments and layout of
//! everything that is not touched stay, so that an export gives the operator's file back. Names are resolved here (who feeds whom, with the
//! defaults of the format made visible only where they no longer say the same); whether the result is a good configuration is checked by
//! the caller like any other text. Pure. Errors name what was asked and what there is.

mod document;
mod inject;
mod inline;
mod made;
mod metric;
mod remove;
mod tree;
mod value;
mod wiring;

#[cfg(test)]
mod tests;

pub use made::by_metric;
pub use metric::{Wanted, placed, written};
use serde_json::Value;

use document::{Document, List};

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    Inject(Inject),
    Change(Change),
    Remove {
        pipeline: String,
        unit: String,
        /// Also removes what would then take nothing.
        drop: bool,
    },
    AddMetric(Wanted),
    SetMetric(Wanted),
    RemoveMetric {
        name: String,
        /// Also removes rules and charts on it.
        drop: bool,
    },
}

impl Edit {
    /// Of edits in a pipeline.
    pub fn pipeline(&self) -> Option<&str> {
        match self {
            Self::Inject(inject) => Some(&inject.pipeline),
            Self::Change(change) => Some(&change.pipeline),
            Self::Remove { pipeline, .. } => Some(pipeline),
            Self::AddMetric(_) | Self::SetMetric(_) | Self::RemoveMetric { .. } => None,
        }
    }

    /// The unit that is to be changed or removed.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Self::Change(change) => Some(&change.unit),
            Self::Remove { unit, .. } => Some(unit),
            _ => None,
        }
    }
}

/// A new unit, and between whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inject {
    pub pipeline: String,
    pub name: String,
    pub uses: String,
    pub config: Option<Value>,
    /// What feeds it: `in`, `unit` or `unit.port`. None: what feeds `before`.
    pub after: Option<Vec<String>>,
    /// Who takes from it instead of from `after`. None: all that `after` feeds.
    pub before: Option<Vec<String>>,
    /// Its port that leads on; none: the first.
    pub port: Option<String>,
    pub on_open_circuit: Option<String>,
}

/// New values for members of a unit; none: as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    pub pipeline: String,
    pub unit: String,
    /// The whole configuration.
    pub config: Option<Value>,
    /// A merge patch on the configuration (RFC 7396).
    pub merge: Option<Value>,
    pub uses: Option<String>,
    pub from: Option<Vec<String>>,
    pub on_open_circuit: Option<String>,
}

/// The text after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// For the list of revisions, as in "injects filter `fast` after `slow` in `requests`".
    pub summary: String,
}

/// Why an edit cannot be done; the operator's mistake, with what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Exists(String),
    #[error("{0}")]
    InUse(String),
    /// By a metric, which is what must be edited.
    #[error("{0}")]
    Made(String),
    #[error("{0}")]
    Bad(String),
}

/// `first_port` gives the name of the first port of a unit of the edited pipeline, where it is known.
pub fn apply(
    text: &str,
    edit: &Edit,
    first_port: &dyn Fn(&str) -> Option<String>,
) -> Result<Edited, EditError> {
    let mut document = match edit.pipeline() {
        Some(pipeline) => Document::open(text, pipeline)?,
        None => Document::whole(text)?,
    };
    let summary = match edit {
        Edit::Inject(inject) => inject::inject(&mut document, inject, first_port)?,
        Edit::Change(change) => self::change(&mut document, change)?,
        Edit::Remove { unit, drop, .. } => remove::remove(&mut document, unit, *drop, first_port)?,
        Edit::AddMetric(wanted) => metric::add(&mut document, wanted)?,
        Edit::SetMetric(wanted) => metric::set(&mut document, wanted)?,
        Edit::RemoveMetric { name, drop } => metric::remove(&mut document, name, *drop)?,
    };
    let place = edit.pipeline().map(|pipeline| format!(" in `{pipeline}`")).unwrap_or_default();
    Ok(Edited { text: document.into_text(), summary: format!("{summary}{place}") })
}

fn change(document: &mut Document, change: &Change) -> Result<String, EditError> {
    if change.config.is_some() && change.merge.is_some() {
        return Err(EditError::Bad("`config` and `merge` exclude each other; give one of the two".into()));
    }
    let unit = document.unit(&change.unit)?;
    let before = document.list(List::Units).into_iter().nth(unit).unwrap_or_default();
    let mut done = Vec::new();
    if let Some(uses) = change.uses.as_ref().filter(|uses| before.text("use") != uses.as_str()) {
        done.push(format!("replaces `{}` by `{uses}` as `{}`", before.text("use"), change.unit));
        document.set(List::Units, unit, "use", &Value::from(uses.as_str()))?;
    }
    let wanted = match (&change.config, &change.merge) {
        (Some(config), _) => Some(config.clone()),
        (None, Some(patch)) => {
            let config = before.member("config").map(|config| config.value.clone());
            let mut config = config.unwrap_or_else(|| Value::Object(Default::default()));
            value::merge(&mut config, patch);
            Some(config)
        }
        (None, None) => None,
    };
    if let Some(wanted) = wanted {
        let members = document.set_config(unit, &wanted)?;
        if !members.is_empty() {
            done.push(format!("sets {} of `{}`", members.join(", "), change.unit));
        }
    }
    if let Some(from) = &change.from {
        document.set(List::Units, unit, "from", &Value::from(from.clone()))?;
        done.push(format!("lets `{}` take {}", change.unit, from.join(", ")));
    }
    if let Some(policy) = &change.on_open_circuit {
        document.set(List::Units, unit, "on_open_circuit", &Value::from(policy.as_str()))?;
        done.push(format!("sets on_open_circuit of `{}` to {policy}", change.unit));
    }
    Ok(if done.is_empty() { format!("leaves `{}` as it is", change.unit) } else { done.join("; ") })
}
