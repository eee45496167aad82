//! Checks of the `[[source]]` sections.
//!
//! At most one source each of the kinds `http`, `host` and `weir`: they have no address of their own that could tell two apart.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::check::Check;
use super::near::hint;
use super::raw::{self, At};
use super::{FieldNames, Place, SourceKind, SourceSpec};
use crate::triplet::Selector;

const KINDS: [&str; 4] = ["tcp", "http", "host", "weir"];
const FIELD_BYTES_MAX: usize = 256;

pub fn sources(check: &mut Check<'_>, raw: &[raw::Source], server: SocketAddr) -> Vec<SourceSpec> {
    let names: Vec<(&At<String>, &Place)> = raw.iter().map(|source| (&source.name, &source.place)).collect();
    check.distinct("source", &names);
    let sources: Vec<SourceSpec> = raw.iter().map(|raw| source(check, raw)).collect();
    let mut taken: BTreeMap<String, String> = BTreeMap::from([(server.to_string(), "the server".to_owned())]);
    for (raw, source) in raw.iter().zip(&sources) {
        let claim = match &source.kind {
            // Port 0 asks for any free port.
            SourceKind::Tcp { listen } if listen.port() == 0 => continue,
            SourceKind::Tcp { listen } => listen.to_string(),
            kind => format!("kind {}", kind.word()),
        };
        if let Some(other) = taken.get(&claim) {
            let message = match &source.kind {
                SourceKind::Tcp { .. } => format!("`{claim}` is taken by {other}; choose another port"),
                _ => format!("{other} is of this kind already; one is enough"),
            };
            let member = if matches!(source.kind, SourceKind::Tcp { .. }) { "listen" } else { "kind" };
            check.problem(
                &raw.place,
                member,
                raw.listen.as_ref().map_or(raw.kind.line, |listen| listen.line),
                message,
            );
        }
        taken.entry(claim).or_insert_with(|| format!("source \"{}\"", source.name));
    }
    sources
}

fn source(check: &mut Check<'_>, raw: &raw::Source) -> SourceSpec {
    let place = &raw.place;
    let everything = || vec![At { value: "*/*/*".to_owned(), line: place.line }];
    let may_write = raw.may_write.clone().unwrap_or_else(everything);
    if may_write.is_empty() {
        check.problem(
            place,
            "may_write",
            0,
            "is empty, so that all events would be rejected; leave it out to allow all",
        );
    }
    let spec = SourceSpec {
        name: check.name(place, "name", &raw.name),
        kind: kind(check, raw),
        triplet: raw.triplet.as_ref().and_then(|text| check.triplet(place, "triplet", text)),
        may_write: check.selectors(place, "may_write", &may_write),
        fields: fields(check, &raw.fields),
    };
    own_triplet(check, raw, &spec);
    spec
}

fn kind(check: &Check<'_>, raw: &raw::Source) -> SourceKind {
    let word = raw.kind.value.as_str();
    if word != "tcp"
        && let Some(listen) = &raw.listen
    {
        check.problem(
            &raw.place,
            "listen",
            listen.line,
            "only a source of kind \"tcp\" listens by itself; leave it out",
        );
    }
    match word {
        "tcp" => {
            if raw.listen.is_none() {
                check.problem(&raw.place, "listen", 0, "is missing; add `listen = \"127.0.0.1:7171\"`");
            }
            let listen = raw.listen.as_ref().and_then(|listen| check.listen(&raw.place, listen));
            SourceKind::Tcp { listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))) }
        }
        "host" => SourceKind::Host,
        "weir" => SourceKind::Weir,
        "http" | "" => SourceKind::Http,
        _ => {
            let message = format!("there is no kind of source `{word}`{}", hint(word, KINDS));
            check.problem(&raw.place, "kind", raw.kind.line, message);
            SourceKind::Http
        }
    }
}

/// A source that may not write its own default would reject everything.
fn own_triplet(check: &mut Check<'_>, raw: &raw::Source, spec: &SourceSpec) {
    let names_itself = matches!(spec.kind, SourceKind::Host | SourceKind::Weir);
    if names_itself && (spec.triplet.is_some() || spec.fields != FieldNames::default()) {
        let message = format!(
            "kind \"{}\" names its streams itself; `triplet` and `fields` have no effect",
            spec.kind.word()
        );
        check.warning(&raw.place, message);
    }
    if let (Some(triplet), Some(text)) = (&spec.triplet, &raw.triplet) {
        let allows = |selector: &Selector| selector.matches(triplet);
        if !spec.may_write.is_empty() && !spec.may_write.iter().any(allows) {
            check.problem(
                &raw.place,
                "triplet",
                text.line,
                format!("`{triplet}` is not among what `may_write` allows; add it there"),
            );
        }
    }
}

fn fields(check: &Check<'_>, raw: &raw::Fields) -> FieldNames {
    let default = FieldNames::default();
    let one = |member: &str, text: &Option<At<String>>, default: String| {
        let Some(text) = text else { return default };
        if text.value.is_empty()
            || text.value.len() > FIELD_BYTES_MAX
            || text.value.chars().any(char::is_control)
        {
            let message = format!("must be 1 to {FIELD_BYTES_MAX} bytes without control characters");
            check.problem(&raw.place, member, text.line, message);
        }
        text.value.clone()
    };
    FieldNames {
        application: one("application", &raw.application, default.application),
        environment: one("environment", &raw.environment, default.environment),
        event_type: one("type", &raw.event_type, default.event_type),
        time: one("time", &raw.time, default.time),
    }
}
