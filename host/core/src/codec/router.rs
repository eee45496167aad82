//! Which stream an event is of: what it says itself, else what its source's configuration says.
//!
//! Codes of events that are refused: `no_triplet`, `bad_triplet`, `not_allowed`, `too_many_streams`.

use std::sync::Arc;

use weir_columns::{Refusal, Router};

use super::Defaults;
use crate::triplet::Triplet;

pub(super) struct StreamRouter<'a> {
    defaults: &'a Defaults,
}

impl<'a> StreamRouter<'a> {
    pub fn new(defaults: &'a Defaults) -> Self {
        Self { defaults }
    }

    fn triplet(&self, parts: &[Option<&str>]) -> Result<Triplet, Refusal> {
        let default = self.defaults.triplet.as_ref();
        let part = |number: usize, default: Option<&'a str>| match parts.get(number) {
            Some(Some(part)) => Some((*part).to_owned()),
            _ => default.map(str::to_owned),
        };
        let (Some(application), Some(environment), Some(event_type)) = (
            part(0, default.map(Triplet::application)),
            part(1, default.map(Triplet::environment)),
            part(2, default.map(Triplet::event_type)),
        ) else {
            let fields = &self.defaults.fields;
            let message = format!(
                "the event must name its stream with `{}`, `{}` and `{}`, or the source needs a `triplet`",
                fields.application, fields.environment, fields.event_type
            );
            return Err(Refusal::new("no_triplet", message));
        };
        Triplet::new(&application, &environment, &event_type)
            .map_err(|error| Refusal::new("bad_triplet", error.to_string()))
    }
}

impl Router for StreamRouter<'_> {
    fn table(&self, parts: &[Option<&str>]) -> Result<Arc<str>, Refusal> {
        let triplet = self.triplet(parts)?;
        if self.defaults.may_write.iter().any(|selector| selector.matches(&triplet)) {
            return Ok(triplet.as_str().into());
        }
        let message = format!("the source may not write `{triplet}`; see its `may_write`");
        Err(Refusal::new("not_allowed", message))
    }

    fn not_text(&self, field: &str) -> Refusal {
        Refusal::new("bad_triplet", format!("`{field}` must be a text"))
    }

    fn too_many(&self, name: &str, limit: usize) -> Refusal {
        Refusal::new("too_many_streams", format!("`{name}` would be one more than {limit} streams"))
    }
}
