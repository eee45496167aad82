//! telemetry: reads and writes the frames of a small radio beacon; the format is in README.md.
//!
//! In: pieces of a byte stream, or datagrams. Out: one batch of the source's stream with the columns `sender`, `last` and one f64 for each channel; defects
//! for bytes that are no frame. An unfinished frame at the end of a stream's piece stays for the next. However a stream is cut, the rows and defects are the
//! same. Nothing is kept between calls.

use serde::Deserialize;
use weir_sdk::codec::{Codec, Decoded, Defect, Encoded, Incoming, Setup, Unwritable};
use weir_sdk::column::{F64s, PackedExt, S64s, U64s, bytes_of, pack};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Complaint, Description, Failure, Plan, Values};

mod frame;

use frame::{CHANNELS_MAX, Found, Frame, SYNC};

/// Bytes without a sync word that are waited on, so that one run of noise is one defect.
const NOISE_BYTES_MAX: usize = 4_096;

/// What 12 bits hold.
const VALUE_RANGE: std::ops::RangeInclusive<f64> = -2_048.0..=2_047.0;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Telemetry",
  "description": "Frames of a small radio beacon: a sync word, a sender, a time and up to 16 channels of 12 bits. Each frame is an event with the columns sender, last and one for each channel; bytes that are no frame are rejected with their place. Not part of the program: an example of a codec as a component, named by its path or put into components/ of the data folder.",
  "examples": [{"channels": ["temperature", "voltage"], "scale": 0.0625}],
  "additionalProperties": false,
  "properties": {
    "channels": {
      "type": "array",
      "title": "Channels",
      "description": "Names of the channels, in their order in the frame. A channel without a name is channel_1, channel_2, ...",
      "items": {"type": "string", "minLength": 1, "maxLength": 128, "not": {"enum": ["time", "sender", "last"]}},
      "uniqueItems": true,
      "maxItems": 16,
      "default": [],
      "examples": [["temperature", "voltage"]]
    },
    "scale": {
      "type": "number",
      "title": "Scale",
      "description": "What one step of a channel is worth.",
      "exclusiveMinimum": 0,
      "default": 1
    }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default = "one")]
    scale: f64,
}

fn one() -> f64 {
    1.0
}

struct Telemetry {
    names: Vec<String>,
    scale: f64,
}

/// Rows of one call.
#[derive(Default)]
struct Rows {
    frames: Vec<Frame>,
    defects: Vec<Defect>,
}

impl Codec for Telemetry {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Frames of a small radio beacon";
        Description::new("codec", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary).config(CONFIG)
    }

    fn plan(_config: Config) -> Result<Plan, Vec<Complaint>> {
        Ok(Plan::default().cut_invariant())
    }

    fn open(config: Config, _setup: &Setup) -> Result<Self, Failure> {
        let mut names = config.channels;
        names.extend((names.len()..CHANNELS_MAX).map(|index| format!("channel_{}", index + 1)));
        Ok(Self { names, scale: config.scale })
    }

    fn decode(&mut self, input: Incoming) -> Result<Decoded, Failure> {
        let mut rows = Rows::default();
        let count = input.messages.count();
        let mut consumed = 0;
        for index in 0..count {
            let complete = input.complete || index + 1 < count;
            consumed = rows.read(index as u32, input.messages.bytes_at(index), complete);
        }
        let batches = if rows.frames.is_empty() { Vec::new() } else { vec![self.batch(&rows.frames, input)] };
        Ok(Decoded { batches, defects: rows.defects, consumed: consumed as u32 })
    }

    fn encode(&mut self, batches: Vec<Batch>) -> Result<Encoded, Failure> {
        let mut messages: Vec<Vec<u8>> = Vec::new();
        let mut unwritable = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            let writer = Writer::new(self, batch);
            let mut misfits: Vec<u32> = Vec::new();
            for row in 0..batch.rows {
                let mut bytes = Vec::new();
                match writer.frame(row as usize).and_then(|frame| frame::write(&frame, &mut bytes)) {
                    Some(()) => messages.push(bytes),
                    None => misfits.push(row),
                }
            }
            if !misfits.is_empty() {
                unwritable.push(Unwritable {
                    batch: number as u32,
                    indexes: bytes_of(&misfits),
                    code: "does_not_fit".to_owned(),
                    reason: "a frame needs a sender of 16 bits, channels of 12 bits without a gap between them, and a time from 1958 to 2137".to_owned(),
                });
            }
        }
        Ok(Encoded { messages: pack(messages), unwritable })
    }
}

impl Rows {
    /// Reads one message; how many of its bytes are done with.
    fn read(&mut self, message: u32, bytes: &[u8], complete: bool) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (code, reason, next) = if rest.starts_with(&SYNC) {
                match frame::read(rest) {
                    Found::Frame(frame, length) => {
                        self.frames.push(frame);
                        at += length;
                        continue;
                    }
                    Found::Cut if !complete => return at,
                    Found::Cut => ("cut_off", "the input ends inside a frame", Some(bytes.len())),
                    Found::Bad => {
                        let next = frame::next_sync(bytes, at + SYNC.len());
                        ("bad_checksum", "what follows the sync word is no frame", next)
                    }
                }
            } else {
                ("no_sync", "bytes between two frames", frame::next_sync(bytes, at))
            };
            let end = match next {
                Some(next) => next,
                None if complete || rest.len() > NOISE_BYTES_MAX => bytes.len(),
                None => return at,
            };
            self.defects.push(Defect {
                message,
                offset: at as u32,
                length: (end - at) as u32,
                code: code.to_owned(),
                reason: reason.to_owned(),
            });
            at = end;
        }
        at
    }
}

impl Telemetry {
    fn batch(&self, frames: &[Frame], input: Incoming) -> Batch {
        let senders: Vec<u64> = frames.iter().map(|frame| u64::from(frame.sender)).collect();
        let last: Vec<bool> = frames.iter().map(|frame| frame.last).collect();
        let times: Vec<i64> = frames.iter().map(|frame| frame.time_unix_ns).collect();
        let mut columns = vec![Column::of_u64s("sender", &senders), Column::of_bools("last", &last)];
        let most = frames.iter().map(|frame| frame.channels.len()).max().unwrap_or(0);
        for (index, name) in self.names.iter().enumerate().take(most) {
            let value =
                |frame: &Frame| frame.channels.get(index).map_or(0.0, |raw| f64::from(*raw) * self.scale);
            let values: Vec<f64> = frames.iter().map(value).collect();
            let valid: Vec<u8> = frames.iter().map(|frame| u8::from(index < frame.channels.len())).collect();
            let valid = valid.contains(&0).then_some(valid);
            columns.push(Column { valid, ..Column::of_f64s(name, &values) });
        }
        Batch {
            triplet: input.triplet,
            rows: frames.len() as u32,
            time: bytes_of(&times),
            keys: Vec::new(),
            columns,
            extras: Vec::new(),
        }
    }
}

/// The columns of a batch that go into frames.
struct Writer<'a> {
    batch: &'a Batch,
    sender: Option<&'a Column>,
    last: Option<&'a Column>,
    channels: Vec<Option<&'a Column>>,
    scale: f64,
}

impl<'a> Writer<'a> {
    fn new(codec: &Telemetry, batch: &'a Batch) -> Self {
        Self {
            batch,
            sender: batch.column("sender"),
            last: batch.column("last"),
            channels: codec.names.iter().map(|name| batch.column(name)).collect(),
            scale: codec.scale,
        }
    }

    fn frame(&self, row: usize) -> Option<Frame> {
        let sender = number(self.sender?, row)?;
        let last = self.last.and_then(|column| number(column, row)).is_some_and(|value| value != 0.0);
        let values: Vec<Option<f64>> =
            self.channels.iter().map(|column| column.and_then(|column| number(column, row))).collect();
        let count = values.iter().rposition(Option::is_some)? + 1;
        let channels: Option<Vec<i16>> = values
            .into_iter()
            .take(count)
            .map(|value| {
                Some((value? / self.scale).round())
                    .filter(|raw| VALUE_RANGE.contains(raw))
                    .map(|raw| raw as i16)
            })
            .collect();
        let whole = sender.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&sender);
        let time_unix_ns = S64s::new(&self.batch.time).get(row);
        whole.then_some(Frame { last, sender: sender as u16, time_unix_ns, channels: channels? })
    }
}

fn number(column: &Column, row: usize) -> Option<f64> {
    if !column.is_there(row) {
        return None;
    }
    match &column.values {
        Values::F64s(bytes) => Some(F64s::new(bytes).get(row)),
        Values::S64s(bytes) => Some(S64s::new(bytes).get(row) as f64),
        Values::U64s(bytes) => Some(U64s::new(bytes).get(row) as f64),
        Values::Bools(bytes) => bytes.get(row).map(|byte| f64::from(*byte)),
        _ => None,
    }
}

weir_sdk::export_codec!(Telemetry);

#[cfg(test)]
mod tests;
