//! A codec that misbehaves when a message begins with the name of a fault, and else gives a row with the length of each message.
//!
//! The words are listed in ../README.md.

use weir_sdk::codec::{Codec, Decoded, Defect, Encoded, Incoming, Setup};
use weir_sdk::column::{PackedExt, bytes_of};
use weir_sdk::{Batch, Column, ColumnExt, Description, Failure, FailureExt, NoConfig, Packed, Values};

struct Hostile;

impl Codec for Hostile {
    type Config = NoConfig;

    fn describe() -> Description {
        Description::new("codec", "faults-codec", env!("CARGO_PKG_VERSION"), "Misbehaves on request")
    }

    fn open(_config: NoConfig, _setup: &Setup) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn decode(&mut self, input: Incoming) -> Result<Decoded, Failure> {
        let mut lengths: Vec<u64> = Vec::new();
        let mut defects = Vec::new();
        let mut consumed = 0;
        let mut lie_rows = 0;
        let mut extra = Vec::new();
        let mut triplet = input.triplet.clone();
        for index in 0..input.messages.count() {
            let message = input.messages.bytes_at(index);
            consumed = message.len() as u32;
            let asks = |name: &str| message.starts_with(name.as_bytes());
            match () {
                () if asks("codec-trap") => std::process::abort(),
                () if asks("codec-spin") => loop {
                    std::hint::black_box(());
                },
                () if asks("codec-eat") => {
                    let mut eaten = Vec::new();
                    loop {
                        eaten.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                    }
                }
                () if asks("codec-lie-rows") => lie_rows = 1,
                () if asks("codec-lie-offsets") => extra.push(lying_text(&[0, 0xFFFF_FFFF], b"short")),
                () if asks("codec-lie-text") => extra.push(lying_text(&[0, 2], b"\xFF\xFE")),
                () if asks("codec-lie-stream") => triplet.event_type = "no/type".to_owned(),
                () if asks("codec-lie-consumed") => consumed += 1,
                () if asks("codec-lie-defect") => defects.push(Defect {
                    message: 7,
                    offset: 0,
                    length: 1,
                    code: "no".to_owned(),
                    reason: "there is no such message".to_owned(),
                }),
                () if asks("codec-fail") => return Err(Failure::fail("tired", "this codec is tired")),
                () if asks("codec-more") => consumed = 0,
                () => lengths.push(u64::from(consumed)),
            }
        }
        // A column more, or a stream of its own, comes with a row.
        if lengths.is_empty() && lie_rows == 0 && consumed > 0 {
            lengths.push(0);
        }
        let time = vec![0_i64; lengths.len()];
        let columns = [Column::of_u64s("bytes", &lengths)].into_iter().chain(extra).collect();
        let batch = Batch {
            triplet,
            rows: lengths.len() as u32 + lie_rows,
            time: bytes_of(&time),
            keys: Vec::new(),
            columns,
            extras: Vec::new(),
        };
        Ok(Decoded { batches: vec![batch], defects, consumed })
    }

    fn encode(&mut self, _batches: Vec<Batch>) -> Result<Encoded, Failure> {
        Err(Failure::fail("unsupported", "this codec only reads"))
    }
}

/// A column of one text whose bytes are not what its offsets say, or no text.
fn lying_text(offsets: &[u32], data: &[u8]) -> Column {
    let packed = Packed { offsets: bytes_of(offsets), data: data.to_vec() };
    Column { name: "lie".to_owned(), values: Values::Texts(packed), valid: None }
}

weir_sdk::export_codec!(Hostile);
