//! Records as the sequencer makes them, of all kinds and types, from a seed.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use weir_core::batch::{DICTIONARY_ID, Incoming, Position};
use weir_core::record::{Command, Payload, Record, Run};
use weir_core::sequencer::Sequencer;
use weir_disk::sim::Chance;
use weir_journal::Settings;

pub const S: i64 = 1_000_000_000;

/// Segments so small that a test fills many.
pub fn small() -> Settings {
    Settings { log: 3, segment_bytes: 4_096, reserve_bytes: 1_024 }
}

pub struct Maker {
    chance: Chance,
    sequencer: Sequencer,
    now: i64,
    hosts: Vec<String>,
    schemas: [SchemaRef; 2],
}

impl Maker {
    pub fn new(seed: u64, next: Position) -> Self {
        let coded = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        let identity = [(DICTIONARY_ID.to_owned(), "7".to_owned())];
        let fields = vec![
            Field::new("latency_ms", DataType::Float64, true),
            Field::new("status", DataType::Int64, true),
            Field::new("host", coded.clone(), true).with_metadata(identity),
            Field::new("path", DataType::Utf8, true),
            Field::new("ok", DataType::Boolean, true),
            Field::new("region", coded, true),
        ];
        let few = fields.iter().take(3).cloned().collect::<Vec<_>>();
        Self {
            chance: Chance::new(seed),
            sequencer: Sequencer::new(next.log, next.epoch, next.offset),
            now: 1_000 * S,
            hosts: vec!["host-0".into()],
            schemas: [Arc::new(Schema::new(fields)), Arc::new(Schema::new(few))],
        }
    }

    pub fn record(&mut self) -> Arc<Record> {
        let rows = 1 + self.chance.below(20) as usize;
        match self.chance.below(12) {
            0 => {
                self.now += 3 * S;
                Arc::new(self.sequencer.tick(self.now))
            }
            1 => {
                let command = match self.chance.below(3) {
                    0 => Command::Configure {
                        revision: 4,
                        text: "[a]\n\"ü\" = 1\n".into(),
                        summary: "more".into(),
                    },
                    1 => Command::Pipeline { pipeline: "p".into(), run: Run::Paused },
                    _ => Command::Unit { unit: "p/u".into(), run: Run::Stopped },
                };
                Arc::new(self.sequencer.command(command, self.now))
            }
            _ => self.batch(rows),
        }
    }

    pub fn batch(&mut self, rows: usize) -> Arc<Record> {
        self.now += self.chance.below(50_000_000) as i64;
        if self.chance.below(3) == 0 {
            self.hosts.push(format!("host-{}", self.hosts.len()));
        }
        let stream = self.chance.below(2) as usize;
        let schema = Arc::clone(&self.schemas[stream]);
        let width = schema.fields().len();
        let columns: Vec<ArrayRef> = self.columns(rows).into_iter().take(width).collect();
        let incoming = Incoming {
            triplet: ["shop/prod/request", "shop/test/request"][stream].parse().unwrap(),
            source: "tcp".into(),
            time: (0..rows).map(|row| self.now - row as i64 * 1_000_000).collect::<Vec<_>>().into(),
            columns: RecordBatch::try_new(schema, columns).unwrap(),
        };
        Arc::new(self.sequencer.batch(incoming, self.now).unwrap())
    }

    fn columns(&mut self, rows: usize) -> Vec<ArrayRef> {
        let mut draw = |bound: u64| (0..rows).map(|_| self.chance.below(bound)).collect::<Vec<_>>();
        let latencies = draw(100_000).into_iter().map(|n| (n % 9 != 0).then_some(n as f64 / 100.0));
        let statuses = draw(5).into_iter().map(|n| (n != 4).then_some(200 + n as i64 * 100));
        let codes = draw(self.hosts.len() as u64).into_iter().map(|n| Some(n as u32));
        let paths = draw(1_000).into_iter().map(|n| (n % 7 != 0).then(|| format!("/item/{n}")));
        let flags = draw(3).into_iter().map(|n| (n != 2).then_some(n == 1));
        let regions = draw(3).into_iter().map(|n| ["eu", "us", "eu"].get(n as usize).copied());
        let hosts: ArrayRef = Arc::new(StringArray::from_iter_values(&self.hosts));
        vec![
            Arc::new(latencies.collect::<Float64Array>()),
            Arc::new(statuses.collect::<Int64Array>()),
            Arc::new(DictionaryArray::<UInt32Type>::new(codes.collect::<UInt32Array>(), hosts)),
            Arc::new(paths.collect::<StringArray>()),
            Arc::new(flags.collect::<BooleanArray>()),
            Arc::new(regions.collect::<DictionaryArray<UInt32Type>>()),
        ]
    }
}

/// In everything that a flow sees.
pub fn same(left: &Record, right: &Record) -> bool {
    if (left.position, left.accepted_at_unix_ns) != (right.position, right.accepted_at_unix_ns) {
        return false;
    }
    match (&left.payload, &right.payload) {
        (
            Payload::Batch {
                batch: left,
                watermark_before_unix_ns: left_before,
                watermark_unix_ns: left_after,
            },
            Payload::Batch {
                batch: right,
                watermark_before_unix_ns: right_before,
                watermark_unix_ns: right_after,
            },
        ) => {
            (left_before, left_after) == (right_before, right_after)
                && (
                    &left.triplet,
                    left.position,
                    left.accepted_at_unix_ns,
                    &left.origin,
                    &left.time,
                    left.hops,
                ) == (
                    &right.triplet,
                    right.position,
                    right.accepted_at_unix_ns,
                    &right.origin,
                    &right.time,
                    right.hops,
                )
                && left.columns.schema() == right.columns.schema()
                && left.columns == right.columns
        }
        (Payload::Tick { moved: left }, Payload::Tick { moved: right }) => left == right,
        (Payload::Command(left), Payload::Command(right)) => format!("{left:?}") == format!("{right:?}"),
        _ => false,
    }
}
