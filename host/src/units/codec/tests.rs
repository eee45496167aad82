//! Codec components through the decoder of sources: the same laws as for the built-in codecs, and what happens when one misbehaves.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use parking_lot::Mutex;
use serde_json::json;
use weir_core::codec::{Decode, Defaults, Gather, Limits as CodecLimits, Rejected, decoder};
use weir_engine::{Engine, Settings};

use super::decoder::EVENT_BYTES_MAX;
use super::*;

const TELEMETRY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/examples/telemetry.wasm");
const HOSTILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/faults/faults-codec.wasm");

fn components() -> Components {
    Components::new(Engine::start(Settings { cache_dir: None, compile_helper: None }).unwrap(), None)
}

struct World {
    decoder: ComponentDecoder,
    gather: Gather,
    rejected: Vec<Rejected>,
    defaults: Defaults,
}

impl World {
    fn new(uses: &str, config: &Value) -> Self {
        let maker = CodecMaker::new(&components(), &"s".into(), uses, config).unwrap();
        let mut defaults = Defaults::new("s");
        defaults.triplet = Some("a/b/c".parse().unwrap());
        Self {
            decoder: ComponentDecoder::new(Arc::new(Mutex::new(WasmCodec::new(maker)))),
            gather: Gather::new(CodecLimits::default(), "s"),
            rejected: Vec::new(),
            defaults,
        }
    }

    fn give(&mut self, bytes: &[u8], end: bool) -> usize {
        self.decoder.decode(bytes, end, 1_000, &self.defaults, &mut self.gather, &mut self.rejected)
    }

    /// A whole column of numbers, of all that came.
    fn numbers(&mut self, column: &str) -> Vec<u64> {
        let batches = self.gather.take_all();
        let values = batches.iter().flat_map(|batch| {
            batch.columns.column_by_name(column).unwrap().as_primitive::<UInt64Type>().values().to_vec()
        });
        values.collect()
    }

    fn codes(&self) -> Vec<&str> {
        self.rejected.iter().map(|row| row.code).collect()
    }
}

/// A frame of the format telemetry with one channel; its README says how.
fn frame(sender: u16) -> Vec<u8> {
    let mut bytes = vec![0xEB, 0x90, 0x20];
    bytes.extend(sender.to_be_bytes());
    bytes.extend([0x61, 0x05, 0, 0, 0, 0, 0x12, 0x30]);
    let crc = bytes.iter().fold(0xFFFF_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    bytes.extend(crc.to_be_bytes());
    bytes
}

/// Three frames, what is between them and behind them no frame.
fn sample() -> Vec<u8> {
    let mut bad = frame(9);
    bad[11] ^= 1;
    [frame(1), b"noise".to_vec(), frame(2), bad, frame(3), vec![0xEB, 0x90, 0x20]].concat()
}

/// The contract of codecs; `expected` are rows and rejected pieces of the sample.
fn keeps_the_laws(make: &mut dyn FnMut() -> Box<dyn Decode>, sample: &[u8], expected: (usize, usize)) {
    let mut defaults = Defaults::new("s");
    defaults.triplet = Some("a/b/c".parse().unwrap());
    let report = laws::check(make, &defaults, sample).unwrap();
    assert_eq!((report.rows, report.rejected, report.cuts), (expected.0, expected.1, sample.len() + 1));
    assert_eq!(report.changed, laws::CHANGED);
}

#[test]
fn a_component_keeps_the_laws_of_codecs() {
    let World { decoder, .. } = World::new(TELEMETRY, &json!({}));
    let mut make = || -> Box<dyn Decode> { Box::new(ComponentDecoder::new(decoder.codec.clone())) };
    keeps_the_laws(&mut make, &sample(), (3, 3));
}

#[test]
fn built_in_codecs_keep_the_same_laws() {
    let json =
        b"{\"n\":1,\"s\":\"x\"}\nno\n[{\"n\":2},{\"n\":2.5}]\n{\"time\":1,\"o\":{\"p\":null}}\n{\"n\":";
    keeps_the_laws(&mut || decoder("json").unwrap(), json, (4, 2));
    let logfmt = b"n=1 s=\"x y\"\nn=2 ok=true\nn=3 n=4\ntime=2026-01-01T00:00:00Z\n";
    keeps_the_laws(&mut || decoder("logfmt").unwrap(), logfmt, (3, 1));
    let msgpack =
        b"\x81\xa1n\x01\x82\xa1n\x02\xa1s\xa1x\x05\x91\x81\xa1n\xcb\x40\x00\x00\x00\x00\x00\x00\x00";
    keeps_the_laws(&mut || decoder("msgpack").unwrap(), msgpack, (3, 1));
}

/// A codec that reads one byte as one row, and breaks a law when it sees its word.
struct Broken(&'static str);

impl Decode for Broken {
    fn decode(
        &mut self,
        chunk: &[u8],
        end: bool,
        _arrived_unix_ns: i64,
        _defaults: &Defaults,
        gather: &mut Gather,
        rejected: &mut Vec<Rejected>,
    ) -> usize {
        let code = if self.0 == "faults" { CODEC_FAULT } else { "no" };
        let offset = if self.0 == "rejects elsewhere" { chunk.len() + 1 } else { 0 };
        if !end || self.0 != "forgets" {
            gather.count_rejected_rows(1);
            rejected.push(Rejected { offset, length: 1, line: 1, code, message: "broken".to_owned() });
        }
        if self.0 == "takes too much" { chunk.len() + 1 } else { chunk.len() }
    }
}

#[test]
fn who_breaks_a_law_is_found() {
    for (word, said) in [
        ("takes too much", "it consumed"),
        ("rejects elsewhere", "it rejects byte"),
        ("faults", "broken"),
        ("forgets", "cut at byte 0"),
        ("rejects once for each piece", "cut at byte"),
    ] {
        let mut make = || -> Box<dyn Decode> { Box::new(Broken(word)) };
        let found = laws::check(&mut make, &Defaults::new("s"), b"abc").unwrap_err();
        assert!(found.contains(said), "{word}: {found}");
    }
}

#[test]
fn what_a_component_writes_is_read_as_the_same_rows() {
    let config = json!({ "channels": ["volt"], "scale": 0.5 });
    let maker = CodecMaker::new(&components(), &"s".into(), TELEMETRY, &config).unwrap();
    let mut world = World::new(TELEMETRY, &config);
    let mut codec = WasmCodec::new(maker);
    let written = laws::written(&mut codec, &mut world.decoder, &world.defaults, &sample());
    assert_eq!(written, Ok(Some(3)));
    let hostile = CodecMaker::new(&components(), &"s".into(), HOSTILE, &json!({})).unwrap();
    let mut reads = World::new(HOSTILE, &json!({}));
    let only_reads =
        laws::written(&mut WasmCodec::new(hostile), &mut reads.decoder, &reads.defaults, b"fine");
    assert_eq!(only_reads, Ok(None));
}

#[test]
fn batches_of_many_messages_leave_as_one() {
    let mut world = World::new(TELEMETRY, &json!({ "channels": ["volt"] }));
    for sender in 0..200 {
        world.give(&frame(sender), true);
    }
    assert!(world.gather.take_full().is_empty());
    assert_eq!(world.gather.next_due_unix_ns(), Some(1_000 + 5_000_000));
    let batches = world.gather.take_due(1_000 + 5_000_000);
    assert_eq!((batches.len(), batches[0].rows(), world.gather.rows_total()), (1, 200, 200));
    assert!(batches[0].columns.column_by_name("volt").is_some());
}

#[test]
fn streams_that_may_not_be_written_are_rejected_row_by_row() {
    let mut world = World::new(TELEMETRY, &json!({}));
    world.defaults.may_write = vec!["x/*/*".parse().unwrap()];
    world.give(&[frame(1), frame(2)].concat(), true);
    assert_eq!(
        (world.gather.rows_total(), world.gather.rejected_total(), world.codes()),
        (0, 2, vec!["not_allowed"])
    );
}

#[test]
fn what_cannot_be_a_codec_says_why() {
    let components = components();
    let wrong = |uses: &str, config: Value| {
        let wrong = CodecMaker::new(&components, &"s".into(), uses, &config).map(|_| ()).unwrap_err();
        wrong
            .into_iter()
            .map(|(place, message)| format!("{}: {message}", place.unwrap_or_default()))
            .collect::<String>()
    };
    assert!(wrong("filter", json!({})).contains("not a codec"));
    assert!(wrong("no-such", json!({})).contains("there is no component"));
    assert!(wrong(TELEMETRY, json!({ "scale": 0 })).starts_with("/scale: "));
}

/// `word` makes the hostile codec misbehave; before and after it does its work.
fn check_fault(word: &str, code: &str, words: &str) {
    let mut world = World::new(HOSTILE, &json!({}));
    world.give(b"fine", true);
    world.give(word.as_bytes(), true);
    assert_eq!(world.codes(), [code], "{word}: {:?}", world.rejected);
    assert!(world.rejected[0].message.contains(words), "{word}: {:?}", world.rejected);
    assert!(!world.decoder.is_lost());
    world.give(b"again", true);
    assert_eq!(world.numbers("bytes"), [4, 5], "{word}");
    assert_eq!(world.gather.rejected_total(), 1, "{word}");
}

#[test]
fn a_codec_that_misbehaves_costs_only_its_message() {
    check_fault("codec-trap", CODEC_FAULT, "trap");
    check_fault("codec-spin", CODEC_FAULT, "deadline");
    check_fault("codec-eat", CODEC_FAULT, "memory");
    check_fault("codec-lie-rows", CODEC_FAULT, "contract");
    check_fault("codec-lie-offsets", CODEC_FAULT, "contract");
    check_fault("codec-lie-text", CODEC_FAULT, "contract");
    check_fault("codec-lie-stream", CODEC_FAULT, "batch 0");
    check_fault("codec-lie-defect", CODEC_FAULT, "contract");
    check_fault("codec-fail", "codec_failure", "tired");
}

#[test]
fn a_stream_whose_codec_failed_is_out_of_step() {
    let mut world = World::new(HOSTILE, &json!({}));
    assert_eq!(world.give(b"codec-lie-consumed", false), 18);
    assert!(world.decoder.is_lost());
    assert_eq!(world.codes(), [CODEC_FAULT]);
    let mut hungry = World::new(HOSTILE, &json!({}));
    let piece = vec![b'x'; EVENT_BYTES_MAX + 1];
    let asked = [b"codec-more".to_vec(), piece].concat();
    assert_eq!(hungry.give(&asked, false), asked.len());
    assert!(hungry.decoder.is_lost());
    assert_eq!(hungry.codes(), ["event_too_long"]);
}
