//! A codec component behind the seam of the built-in codecs.
//!
//! In: pieces of a connection, or whole messages. Out: rows in the `Gather`, and a rejected row for each defect, with its place. A fault or a failure of the codec costs
//! the message or piece that it was given, as [`CODEC_FAULT`] or `codec_failure`; in a byte stream also the connection, because where the next event begins
//! is not known any more ([`Decode::is_lost`]). A stream may leave at most [`EVENT_BYTES_MAX`] for its next piece.

use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::codec::{Decode, Defaults, Gather, REJECTED_KEPT_MAX, Rejected};

use super::{CodecError, Piece, WasmCodec};

/// As much as the built-in codecs take for one event.
pub const EVENT_BYTES_MAX: usize = 256 << 10;

/// Code of a piece that was lost to a fault of the codec.
pub const CODEC_FAULT: &str = "codec_fault";

/// Code of a piece that the codec gave up, by its own word.
pub const CODEC_FAILURE: &str = "codec_failure";

/// Inputs of one thread share its instance.
pub struct ComponentDecoder {
    pub(super) codec: Arc<Mutex<WasmCodec>>,
    /// Line feeds in what the input is done with.
    lines: u64,
    lost: bool,
}

impl ComponentDecoder {
    pub fn new(codec: Arc<Mutex<WasmCodec>>) -> Self {
        Self { codec, lines: 0, lost: false }
    }
}

impl Decode for ComponentDecoder {
    fn decode(
        &mut self,
        chunk: &[u8],
        end: bool,
        arrived_unix_ns: i64,
        defaults: &Defaults,
        gather: &mut Gather,
        rejected: &mut Vec<Rejected>,
    ) -> usize {
        if chunk.is_empty() {
            // The end of a connection that ended behind an event.
            return 0;
        }
        let line = self.lines + 1;
        let whole = |code, message| Rejected { offset: 0, length: chunk.len(), line, code, message };
        let triplet = defaults.triplet.as_ref();
        let piece = Piece { bytes: chunk, complete: end, arrived_unix_ns, triplet };
        let decoded = match self.codec.lock().decode(piece) {
            Ok(decoded) => decoded,
            Err(error) => {
                // A later piece of a stream may begin anywhere in an event; a message is over anyway.
                self.lost = !end;
                let code = if matches!(error, CodecError::Fault(_)) { CODEC_FAULT } else { CODEC_FAILURE };
                reject(gather, rejected, 1, whole(code, error.to_string()));
                return chunk.len();
            }
        };
        for batch in decoded.batches {
            if defaults.may_write.iter().any(|selector| selector.matches(&batch.triplet)) {
                gather.push_batch(batch, arrived_unix_ns);
            } else {
                let message = format!("this source may not write to {}", batch.triplet);
                reject(gather, rejected, batch.rows() as u64, whole("not_allowed", message));
            }
        }
        for defect in decoded.defects {
            let (offset, length) = (defect.offset as usize, defect.length as usize);
            let message = format!("{}: {}", defect.code, defect.reason);
            let line = line + line_feeds(chunk.get(..offset));
            reject(gather, rejected, 1, Rejected { offset, length, line, code: "codec_defect", message });
        }
        let left = chunk.len().saturating_sub(decoded.consumed);
        if !end && left > EVENT_BYTES_MAX {
            self.lost = true;
            let message = format!("the codec waits for more than {EVENT_BYTES_MAX} bytes of one event");
            reject(gather, rejected, 1, whole("event_too_long", message));
            return chunk.len();
        }
        // A message begins anew.
        self.lines = if end { 0 } else { self.lines + line_feeds(chunk.get(..decoded.consumed)) };
        decoded.consumed
    }

    fn is_lost(&self) -> bool {
        self.lost
    }
}

fn line_feeds(bytes: Option<&[u8]>) -> u64 {
    bytes.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() as u64
}

fn reject(gather: &mut Gather, rejected: &mut Vec<Rejected>, rows: u64, reason: Rejected) {
    gather.count_rejected_rows(rows);
    if rejected.len() < REJECTED_KEPT_MAX {
        rejected.push(reason);
    }
}
