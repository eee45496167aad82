//! Decisions: which rows go where, with what.

use crate::column::bytes_of;
use crate::{Batch, Column, Emit, Forward, Output, Reject, Rows, Triplet};

/// All rows to a port.
pub fn forward(port: u32) -> Output {
    Output::Forward(Forward { port, rows: Rows::All, set: Vec::new(), omit: Vec::new() })
}

/// The rows whose byte is 1 to a port: none is no output, all is `all`, which costs the host nothing.
pub fn forward_mask(port: u32, mask: Vec<u8>) -> Option<Output> {
    let kept = mask.iter().map(|byte| usize::from(*byte)).sum::<usize>();
    let rows = match kept {
        0 => return None,
        all if all == mask.len() => Rows::All,
        _ => Rows::Mask(mask),
    };
    Some(Output::Forward(Forward { port, rows, set: Vec::new(), omit: Vec::new() }))
}

/// All rows with new or replaced columns and without others.
pub fn forward_with(port: u32, set: Vec<Column>, omit: Vec<String>) -> Output {
    Output::Forward(Forward { port, rows: Rows::All, set, omit })
}

/// New rows for keys: the host adds the key's columns and its triplet.
pub fn emit_for_keys(port: u32, times: &[i64], keys: &[u32], columns: Vec<Column>) -> Output {
    let nobody =
        Triplet { application: String::new(), environment: String::new(), event_type: String::new() };
    emit(port, nobody, times, keys, columns)
}

/// New rows of a stream; an empty triplet is that of the input or of the key.
pub fn emit(port: u32, triplet: Triplet, times: &[i64], keys: &[u32], columns: Vec<Column>) -> Output {
    let batch = Batch {
        triplet,
        rows: times.len() as u32,
        time: bytes_of(times),
        keys: bytes_of(keys),
        columns,
        extras: Vec::new(),
    };
    Output::Emit(Emit { port, batch })
}

/// Rows (rising) to the dead letters with a reason; the call goes on.
pub fn reject(rows: &[u32], code: &str, message: impl Into<String>) -> Output {
    Output::Reject(Reject { indexes: bytes_of(rows), code: code.to_owned(), message: message.into() })
}
