//! Changes that are asked for while everything runs: a whole configuration, an edit of one unit or metric, a way back.
//!
//! One at a time, each checked against the revision that it was made for where it names one. Out: the new revision with its position, or why not ([`Refused`]);
//! then nothing has changed. A change to the very text that runs makes no revision. Slow (it may compile): call it off the async runtime.

use std::sync::Arc;

use weir_core::config::Problem;
use weir_core::diff;
use weir_core::edit::{self, Edit, EditError};

use super::configure::{Checked, How, Lock};
use super::{Runtime, switch};
use crate::view;

/// Who asks, and for what state of things.
#[derive(Debug, Clone, Default)]
pub struct By {
    /// default, file, api, cli or page
    pub origin: String,
    /// None: made from what differs.
    pub summary: Option<String>,
    /// Only if this revision still runs.
    pub if_revision: Option<u64>,
}

impl By {
    pub fn origin(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }
}

/// What a change came to.
#[derive(Debug, Clone)]
pub struct Changed {
    pub revision: u64,
    pub position: u64,
    pub summary: String,
    pub warnings: Vec<view::ProblemView>,
}

/// Why a change was not made. The texts are for the one who asked.
#[derive(Debug, Clone)]
pub enum Refused {
    /// All that is wrong with the configuration.
    Problems(Vec<view::ProblemView>),
    /// Another revision runs than the one that the change was made for.
    Conflict {
        revision: u64,
    },
    /// Earlier changes still wait for a flow that lags.
    Busy(String),
    Edit(EditError),
    /// The revision is not kept.
    NoRevision(String),
}

impl Runtime {
    /// Takes a whole configuration.
    pub fn configure(&self, toml: &str, by: &By) -> Result<Changed, Refused> {
        let lock = self.begin_change(by)?;
        self.take_text(lock, toml, by.clone())
    }

    /// Changes one unit or metric.
    pub fn edit(&self, edit: &Edit, by: &By) -> Result<Changed, Refused> {
        let lock = self.begin_change(by)?;
        let pipeline = edit.pipeline().unwrap_or_default();
        if let Some(topology) = self.topology()
            && let Some(made) = edit::by_metric(&topology, pipeline, edit.unit())
        {
            return Err(Refused::Edit(made));
        }
        let text = self.configuration();
        let first_port = |unit: &str| self.first_port(pipeline, unit);
        let edited = edit::apply(&text, edit, &first_port).map_err(Refused::Edit)?;
        let summary = by.summary.clone().or(Some(edited.summary));
        self.take_text(lock, &edited.text, By { summary, ..by.clone() })
    }

    /// Back to the text of an older revision, or of the one before.
    pub fn undo(&self, to: Option<u64>, by: &By) -> Result<Changed, Refused> {
        let lock = self.begin_change(by)?;
        let found = {
            let configured = self.configured.lock();
            let revisions = &configured.revisions;
            let wanted = match to {
                Some(to) => revisions.get(to),
                None => revisions.before(configured.revision),
            };
            wanted.map(|revision| (revision.revision, Arc::clone(&revision.text)))
        };
        let Some((revision, text)) = found else {
            return Err(Refused::NoRevision(match to {
                Some(to) => format!(
                    "revision {to} is not kept; GET /api/configuration/revisions lists those that are"
                ),
                None => "there is no earlier revision".to_owned(),
            }));
        };
        let summary = by.summary.clone().or_else(|| Some(format!("goes back to revision {revision}")));
        self.take_text(lock, &text, By { summary, ..by.clone() })
    }

    /// What is wrong and what is odd with a configuration, without taking it.
    pub fn check(&self, toml: &str) -> (Vec<view::ProblemView>, Vec<view::ProblemView>) {
        match Checked::new(toml, &self.components) {
            Ok(checked) => (Vec::new(), view::problems(toml, &checked.warnings)),
            Err(problems) => (view::problems(toml, &problems), Vec::new()),
        }
    }

    fn begin_change(&self, by: &By) -> Result<Lock<'_>, Refused> {
        let lock = self.configuring.lock();
        let revision = self.configured.lock().revision;
        if by.if_revision.is_some_and(|wanted| wanted != revision) {
            return Err(Refused::Conflict { revision });
        }
        let waiting = {
            let mut handoffs = self.handoffs.lock();
            handoffs.retain(|(_, handoff)| !handoff.is_complete());
            handoffs.len()
        };
        if waiting >= switch::WAITING_MAX {
            return Err(Refused::Busy(format!(
                "{waiting} changes still wait for a flow that lags; try again when it has caught up, or see GET /api/pipelines"
            )));
        }
        Ok(lock)
    }

    fn take_text(&self, lock: Lock<'_>, toml: &str, by: By) -> Result<Changed, Refused> {
        if let Some(changed) = self.unchanged(toml) {
            return Ok(changed);
        }
        let views = |problems: Vec<Problem>| Refused::Problems(view::problems(toml, &problems));
        let summary =
            by.summary.unwrap_or_else(|| diff::summary(&diff::changes(&self.configuration(), toml)));
        let checked = Checked::new(toml, &self.components).map_err(views)?;
        let warnings = view::problems(toml, &checked.warnings);
        let (revision, position) =
            self.take_up(lock, checked, &by.origin, &summary, How::Change).map_err(views)?;
        Ok(Changed { revision, position: position.offset, summary, warnings })
    }

    fn unchanged(&self, toml: &str) -> Option<Changed> {
        let configured = self.configured.lock();
        let newest = configured.revisions.newest().filter(|newest| *newest.text == *toml)?;
        Some(Changed {
            revision: newest.revision,
            position: newest.position.offset,
            summary: "changes nothing".to_owned(),
            warnings: Vec::new(),
        })
    }

    fn first_port(&self, pipeline: &str, unit: &str) -> Option<String> {
        let configured = self.configured.lock();
        let id = format!("{pipeline}/{unit}");
        let node = configured.nodes().find(|node| *node.made.id == *id)?;
        node.made.plan.ports.first().map(|port| port.name.to_string())
    }
}
