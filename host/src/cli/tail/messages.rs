//! Events as messages of a codec component, for `weir tail --codec`.
//!
//! In: events as the API shows them. Out: the messages that the codec makes of them, one behind the other, nothing between. Numbers, texts and booleans keep
//! their type, the time its ns; a timestamp is a text here, as it is in the API. Rows that the codec cannot write are told on standard error with their
//! reason; a codec that fails is an error.

use std::io::Write;

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use weir::units::codec::WasmCodec;
use weir_core::codec::{Defaults, FieldNames, Gather, JsonDecoder, Limits, decode_whole};
use weir_core::triplet::Triplet;

use super::super::codec::maker;
use super::super::say;

/// Name of a member that no event has: the codec of JSON rejects names of that length.
const NO_MEMBER_BYTES: usize = 1_024;

pub struct Messages {
    codec: WasmCodec,
    decoder: JsonDecoder,
    gather: Gather,
    defaults: Defaults,
}

impl Messages {
    pub fn new(triplet: &Triplet, uses: &str, config: Option<&str>) -> anyhow::Result<Self> {
        let mut defaults = Defaults::new("tail");
        defaults.triplet = Some(triplet.clone());
        let [application, environment, event_type] =
            ["1", "2", "3"].map(|n| n.repeat(NO_MEMBER_BYTES).into());
        let time = FieldNames::default().time;
        defaults.fields = FieldNames { application, environment, event_type, time };
        Ok(Self {
            codec: WasmCodec::new(maker(uses, config)?),
            decoder: JsonDecoder::new(),
            gather: Gather::new(Limits::default(), "tail"),
            defaults,
        })
    }

    pub fn write(&mut self, out: &mut impl Write, events: &[&Value]) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, &line(event)).context("write an event as JSON")?;
            lines.push(b'\n');
        }
        let mut rejected = Vec::new();
        let (decoder, gather) = (&mut self.decoder, &mut self.gather);
        let taken = decode_whole(decoder, &lines, 0, &self.defaults, gather, &mut rejected);
        if let Some(first) = rejected.first() {
            bail!("{} events of the host's answer cannot be read: {}", taken.rejected, first.message);
        }
        let batches = self.gather.take_all();
        if batches.is_empty() {
            return Ok(());
        }
        let encoded = self.codec.encode(&batches)?;
        for range in &encoded.unwritable {
            let rows = range.indexes.len();
            say(&format!("weir: {rows} events cannot be written: {}: {}", range.code, range.reason));
        }
        for index in 0..encoded.messages.len() {
            out.write_all(encoded.messages.get(index))?;
        }
        Ok(())
    }
}

/// An event as a sender would have written it.
fn line(event: &Value) -> Map<String, Value> {
    let mut members = event.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(time) = event.get("time") {
        members.insert("time".to_owned(), time.clone());
    }
    members
}
