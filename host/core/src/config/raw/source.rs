//! The keys of a `[[source]]`. Which of them a kind has is checked later, so that one wrong word gives one problem.

use serde_json::Value;

use super::super::reader::Section;
use super::super::source::PATHS_MAX;
use super::super::{Place, SELECTORS_MAX};
use super::{At, Text, call};

#[derive(Debug)]
pub struct Source {
    pub place: Place,
    pub name: Text,
    pub kind: Text,
    pub listen: Option<Text>,
    pub framing: Option<Text>,
    pub tls: Option<Tls>,
    pub receive_buffer: Option<Text>,
    pub paths: Option<Vec<Text>>,
    pub read: Option<Text>,
    pub begin: Option<Text>,
    pub at_end: Option<Text>,
    pub codec: Option<Text>,
    /// For a codec that is a component; its place knows the lines.
    pub config: Value,
    pub durability: Option<Text>,
    pub triplet: Option<Text>,
    pub may_write: Option<Vec<Text>>,
    pub fields: Fields,
    pub dedup: Option<Dedup>,
    pub idempotency: Option<Idempotency>,
}

#[derive(Debug)]
pub struct Dedup {
    pub line: u32,
    pub producer: Option<Text>,
    pub seq: Option<Text>,
}

#[derive(Debug)]
pub struct Idempotency {
    pub line: u32,
    pub keep: Option<Text>,
    pub keys_max: Option<At<i64>>,
}

#[derive(Debug)]
pub struct Tls {
    pub place: Place,
    pub certificate: Text,
    pub key: Text,
}

#[derive(Debug, Default)]
pub struct Fields {
    pub place: Place,
    pub application: Option<At<String>>,
    pub environment: Option<At<String>>,
    pub event_type: Option<At<String>>,
    pub time: Option<At<String>>,
}

pub(super) fn source(mut section: Section<'_>) -> Source {
    let name = section.required("name", "\"tcp\"");
    call(&mut section, "", "source", &name);
    Source {
        kind: section.required("kind", "\"tcp\" (or udp, http, websocket, file, stdin, host, weir)"),
        listen: section.text("listen"),
        framing: section.text("framing"),
        tls: section.table("tls").map(tls),
        receive_buffer: section.text("receive_buffer"),
        paths: section.texts("paths", PATHS_MAX),
        read: section.text("read"),
        begin: section.text("begin"),
        at_end: section.text("at_end"),
        codec: section.text("codec"),
        config: section.json("config"),
        durability: section.text("durability"),
        triplet: section.text("triplet"),
        may_write: section.texts("may_write", SELECTORS_MAX),
        fields: section.table("fields").map(fields).unwrap_or_default(),
        dedup: section.table("dedup").map(dedup),
        idempotency: section.table("idempotency").map(idempotency),
        name,
        place: section.finish(),
    }
}

fn tls(mut section: Section<'_>) -> Tls {
    let certificate = section.required("certificate", "\"/etc/weir/server.pem\"");
    let key = section.required("key", "\"/etc/weir/server.key\"");
    Tls { certificate, key, place: section.finish() }
}

fn dedup(mut section: Section<'_>) -> Dedup {
    let (producer, seq) = (section.text("producer"), section.text("seq"));
    Dedup { producer, seq, line: section.finish().line }
}

fn idempotency(mut section: Section<'_>) -> Idempotency {
    let (keep, keys_max) = (section.text("keep"), section.integer("keys_max"));
    Idempotency { keep, keys_max, line: section.finish().line }
}

fn fields(mut section: Section<'_>) -> Fields {
    let application = section.text("application");
    let environment = section.text("environment");
    let event_type = section.text("type");
    let time = section.text("time");
    Fields { application, environment, event_type, time, place: section.finish() }
}
