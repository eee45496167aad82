//! The `[[source]]` sections: what they mean, and their checks.
//!
//! At most one source each of the kinds `http`, `websocket`, `stdin`, `host` and `weir`: they have no address of their own that could tell two
//! apart. Files and components that a section names are looked for by the host, not here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::check::Check;
use super::durability::{Durability, one_of};
use super::raw::{self, At};
use super::{NAME_BYTES_MAX, Place};
use crate::triplet::{Selector, Triplet};

mod dedup;
mod kind;

const FIELD_BYTES_MAX: usize = 256;

/// Patterns of one source of kind `file`.
pub const PATHS_MAX: usize = 64;

/// Longest path of a file, a certificate or a component.
const PATH_BYTES_MAX: usize = 1_024;

/// What a UDP source asks of the kernel where nothing else is said.
pub const RECEIVE_BUFFER_BYTES: u64 = 8 << 20;

#[derive(Clone, Debug, PartialEq)]
pub struct SourceSpec {
    pub name: Arc<str>,
    pub kind: SourceKind,
    pub codec: CodecSpec,
    /// For events that do not name their own; none: such events are rejected, or the URL path names it (`http`, `websocket`).
    pub triplet: Option<Triplet>,
    /// Which triplets this source may write; what does not match is rejected and counted. Never empty.
    pub may_write: Vec<Selector>,
    pub fields: FieldNames,
    /// What an acknowledgement means, or how soon its events are on disk.
    pub durability: Durability,
    /// None: events are not told apart by it.
    pub dedup: Option<DedupSpec>,
    /// Of requests that name themselves by a key.
    pub requests: RequestSpec,
    pub place: Place,
}

/// Names of the columns by which an event that came before is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupSpec {
    pub producer: String,
    pub seq: String,
}

impl Default for DedupSpec {
    fn default() -> Self {
        Self { producer: "producer".to_owned(), seq: "seq".to_owned() }
    }
}

/// For how long the keys of requests are known, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSpec {
    pub keep_ns: i64,
    pub keys_max: usize,
}

impl Default for RequestSpec {
    fn default() -> Self {
        Self { keep_ns: 600_000_000_000, keys_max: 1_000_000 }
    }
}

impl SourceSpec {
    /// Whether the other one says the same; where in the text it stands does not matter.
    pub fn reads_as(&self, other: &Self) -> bool {
        Self { place: other.place.clone(), ..self.clone() } == *other
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A byte stream for each connection.
    Tcp {
        listen: SocketAddr,
        framing: Framing,
        tls: Option<TlsSpec>,
    },
    /// Each datagram is one message.
    Udp {
        listen: SocketAddr,
        receive_buffer_bytes: u64,
    },
    /// `POST /ingest/...` on the server's address.
    Http,
    /// `GET /ingest/...` on the server's address, upgraded; each message is one message.
    WebSocket,
    /// The program's standard input.
    Stdin {
        at_end: AtEnd,
    },
    File(FileSpec),
    /// This machine, once a second.
    Host,
    /// This program's own counters, once a second.
    Weir,
}

impl SourceKind {
    /// As in the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => "tcp",
            Self::Udp { .. } => "udp",
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Stdin { .. } => "stdin",
            Self::File(_) => "file",
            Self::Host => "host",
            Self::Weir => "weir",
        }
    }

    /// Where nothing is said: on disk before the answer where there is one.
    pub fn durability(&self) -> Durability {
        match self {
            Self::Http | Self::WebSocket | Self::Tcp { .. } => Durability::Fsync,
            _ => Durability::Interval,
        }
    }

    fn listen(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { listen, .. } | Self::Udp { listen, .. } => Some(*listen),
            _ => None,
        }
    }
}

/// Where a message of a byte stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The codec finds it.
    Codec,
    /// A u32, big endian, before each message says its length in bytes.
    Length,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    pub certificate: String,
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Paths, in which `*`, `?`, `[...]` and `**` stand for what is there. Never empty.
    pub paths: Vec<String>,
    /// None: files are read whole, once. Else they are followed.
    pub tail: Option<Begin>,
    pub at_end: AtEnd,
}

/// Where reading begins in a file that is there at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    Start,
    End,
}

/// What happens when all has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// The program goes on.
    Stay,
    /// The program drains and ends.
    Stop,
}

/// What makes events of bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct CodecSpec {
    /// Name of a built-in one, or what [`super::UnitSpec::uses`] says.
    pub uses: String,
    /// For a component. An object.
    pub config: serde_json::Value,
}

impl Default for CodecSpec {
    fn default() -> Self {
        Self { uses: "json".to_owned(), config: serde_json::json!({}) }
    }
}

impl CodecSpec {
    /// Not a component.
    pub fn is_built_in(&self) -> bool {
        crate::codec::decoder(&self.uses).is_some()
    }
}

/// Names of the members in which a codec looks for triplet and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    pub application: String,
    pub environment: String,
    pub event_type: String,
    pub time: String,
}

impl Default for FieldNames {
    fn default() -> Self {
        let [application, environment, event_type, time] =
            ["application", "environment", "type", "time"].map(str::to_owned);
        Self { application, environment, event_type, time }
    }
}

pub fn sources(check: &mut Check<'_>, raw: &[raw::Source], server: SocketAddr) -> Vec<SourceSpec> {
    let names: Vec<(&At<String>, &Place)> = raw.iter().map(|source| (&source.name, &source.place)).collect();
    check.distinct("source", &names);
    let sources: Vec<SourceSpec> = raw.iter().map(|raw| source(check, raw)).collect();
    let server = ("tcp", server.to_string());
    let mut taken: BTreeMap<(&str, String), String> = BTreeMap::from([(server, "the server".to_owned())]);
    for (raw, source) in raw.iter().zip(&sources) {
        let word = source.kind.word();
        let claim = match &source.kind {
            // Port 0 asks for any free port.
            kind if kind.listen().is_some_and(|listen| listen.port() == 0) => continue,
            SourceKind::File(_) => continue,
            kind => (word, kind.listen().map(|listen| listen.to_string()).unwrap_or_default()),
        };
        if let Some(other) = taken.get(&claim) {
            let (member, line, message) = match source.kind.listen() {
                Some(listen) => {
                    let line = raw.listen.as_ref().map_or(0, |listen| listen.line);
                    ("listen", line, format!("`{listen}` is taken by {other}; choose another port"))
                }
                None => ("kind", raw.kind.line, format!("{other} is of this kind already; one is enough")),
            };
            check.problem(&raw.place, member, line, message);
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
    let kind = kind::kind(check, raw);
    let durability = one_of(check, place, "durability", raw.durability.as_ref(), &Durability::WORDS)
        .unwrap_or(kind.durability());
    let spec = SourceSpec {
        name: check.name(place, "name", &raw.name),
        kind,
        durability,
        codec: codec(check, raw),
        triplet: raw.triplet.as_ref().and_then(|text| check.triplet(place, "triplet", text)),
        may_write: check.selectors(place, "may_write", &may_write),
        fields: fields(check, &raw.fields),
        dedup: raw.dedup.as_ref().map(|raw| dedup::columns(check, place, raw)),
        requests: dedup::requests(check, place, raw.idempotency.as_ref()),
        place: place.clone(),
    };
    own_triplet(check, raw, &spec);
    spec
}

/// Whether a component of that name is there is not known here.
fn codec(check: &Check<'_>, raw: &raw::Source) -> CodecSpec {
    let uses = raw.codec.as_ref().map_or_else(|| CodecSpec::default().uses, |text| text.value.clone());
    if let Some(text) = &raw.codec {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let name = uses.len() <= NAME_BYTES_MAX && !uses.is_empty() && uses.chars().all(fits);
        let path = uses.ends_with(".wasm") && is_path(&uses);
        if !(name || path) {
            let message =
                format!("`{uses}` is neither the name of a codec nor a path to a .wasm file; write \"json\"");
            check.problem(&raw.place, "codec", text.line, message);
        }
    }
    let codec = CodecSpec { uses, config: raw.config.clone() };
    if codec.is_built_in() && codec.config != CodecSpec::default().config {
        let message = format!(
            "the codec `{}` has nothing to configure; leave it out, or name a component with `codec`",
            codec.uses
        );
        check.problem(&raw.place, "config", 0, message);
    }
    codec
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && text.len() <= PATH_BYTES_MAX && !text.chars().any(char::is_control)
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

#[cfg(test)]
mod tests;
