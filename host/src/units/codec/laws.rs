//! What every codec must keep, built-in or component: the contract test of codecs, also run by `weir codec check`.
//!
//! In: a way to make decoders, and a sample of bytes that they read. Out: a [`Report`], or which law was broken and where. The laws:
//! - A stream cut anywhere, and one that comes byte by byte, gives the rows and the rejected pieces of the whole.
//! - It consumes no more than it was given, all of it at the end, and what it rejects lies in it.
//! - Hostile bytes (the sample, changed) are rejected and never a fault; what came before changes nothing of what comes next.
//! - What [`WasmCodec::encode`] writes of rows is read as the same rows, message by message ([`written`]).
//!
//! Samples longer than [`CUTS_MAX`] bytes are cut at as many places, evenly spread. The changes are the same in every run.

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use weir_core::batch::Incoming;
use weir_core::codec::{Decode, Defaults, Gather, Limits, Rejected};

use super::decoder::{CODEC_FAILURE, CODEC_FAULT};
use super::{CodecError, WasmCodec};

/// Most places at which a sample is cut.
pub const CUTS_MAX: usize = 2_048;

/// Changed samples that are read.
pub const CHANGED: u64 = 500;

/// A longer sample is not given byte by byte.
const SINGLE_BYTES_MAX: usize = 4_096;

/// What an event without a time of its own gets.
const ARRIVED_UNIX_NS: i64 = 1_795_302_359_000_000_000;

/// What was done, where no law was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Of the sample.
    pub rows: usize,
    pub rejected: usize,
    pub cuts: usize,
    pub changed: u64,
}

/// A row: stream, time, and the cells that are not null as text.
pub type Row = (String, i64, BTreeMap<String, String>);

/// What a codec made of bytes.
#[derive(Debug, Default, PartialEq)]
struct Read {
    rows: Vec<Row>,
    /// Offset in all bytes, and code.
    rejected: Vec<(usize, &'static str)>,
}

/// Reads the sample in many ways, each with a decoder of its own.
pub fn check(
    make: &mut dyn FnMut() -> Box<dyn Decode>,
    defaults: &Defaults,
    sample: &[u8],
) -> Result<Report, String> {
    let whole = read(&mut *make(), defaults, &[sample])?;
    let step = sample.len().div_ceil(CUTS_MAX).max(1);
    let mut cuts = 0;
    for cut in (0..=sample.len()).step_by(step) {
        let (first, second) = sample.split_at_checked(cut).unwrap_or((sample, &[]));
        let found = read(&mut *make(), defaults, &[first, second]);
        let alike = found.and_then(|found| same(&whole, &found));
        alike.map_err(|what| format!("cut at byte {cut}: {what}"))?;
        cuts += 1;
    }
    if sample.len() <= SINGLE_BYTES_MAX {
        let single: Vec<&[u8]> = sample.chunks(1).collect();
        let alike = read(&mut *make(), defaults, &single).and_then(|found| same(&whole, &found));
        alike.map_err(|what| format!("byte by byte: {what}"))?;
    }
    for seed in 1..=CHANGED {
        let bytes = changed(sample, seed);
        read(&mut *make(), defaults, &[&bytes]).map_err(|what| format!("sample, change {seed}: {what}"))?;
    }
    let again = read(&mut *make(), defaults, &[sample])?;
    same(&whole, &again).map_err(|what| format!("after changed samples: {what}"))?;
    Ok(Report { rows: whole.rows.len(), rejected: whole.rejected.len(), cuts, changed: CHANGED })
}

/// The rows of whole messages.
pub fn rows_of(
    decoder: &mut dyn Decode,
    defaults: &Defaults,
    messages: &[&[u8]],
) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for message in messages {
        rows.extend(read(decoder, defaults, &[*message])?.rows);
    }
    Ok(rows)
}

/// Writes the rows of the sample and reads them again. How many were written; none: the codec only reads.
pub fn written(
    codec: &mut WasmCodec,
    decoder: &mut dyn Decode,
    defaults: &Defaults,
    sample: &[u8],
) -> Result<Option<usize>, String> {
    let mut gather = Gather::new(Limits::default(), "codec");
    decoder.decode(sample, true, ARRIVED_UNIX_NS, defaults, &mut gather, &mut Vec::new());
    let batches = gather.take_all();
    let encoded = match codec.encode(&batches) {
        Ok(encoded) => encoded,
        Err(CodecError::Failure { code, .. }) if code == "unsupported" => return Ok(None),
        Err(error) => return Err(format!("encode: {error}")),
    };
    let mut expected = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let of_batch = encoded.unwritable.iter().filter(|range| range.batch as usize == number);
        let left_out: Vec<u32> = of_batch.flat_map(|range| range.indexes.iter().copied()).collect();
        let rows = rows(batch).into_iter().enumerate();
        expected.extend(rows.filter(|(row, _)| !left_out.contains(&(*row as u32))).map(|(_, row)| row));
    }
    let messages: Vec<&[u8]> = (0..encoded.messages.len()).map(|index| encoded.messages.get(index)).collect();
    let found = Read { rows: rows_of(decoder, defaults, &messages)?, ..Read::default() };
    let count = expected.len();
    same(&Read { rows: expected, ..Read::default() }, &found)
        .map_err(|what| format!("what was written is read as something else: {what}"))?;
    Ok(Some(count))
}

/// Gives the pieces one after the other, each behind what the one before left.
fn read(decoder: &mut dyn Decode, defaults: &Defaults, pieces: &[&[u8]]) -> Result<Read, String> {
    let mut gather = Gather::new(Limits::default(), "codec");
    let (mut read, mut held, mut done) = (Read::default(), Vec::new(), 0);
    for (index, piece) in pieces.iter().enumerate() {
        held.extend_from_slice(piece);
        let end = index + 1 == pieces.len();
        let mut rejected = Vec::new();
        let used = decoder.decode(&held, end, ARRIVED_UNIX_NS, defaults, &mut gather, &mut rejected);
        if used > held.len() || (end && used != held.len()) {
            return Err(format!("it consumed {used} of {} bytes", held.len()));
        }
        for one in &rejected {
            read.rejected.push((done + one.offset, lies_in(one, held.len())?));
        }
        held.drain(..used);
        done += used;
    }
    read.rows = gather.take_all().iter().flat_map(rows).collect();
    Ok(read)
}

fn lies_in(one: &Rejected, length: usize) -> Result<&'static str, String> {
    if one.code == CODEC_FAULT || one.code == CODEC_FAILURE {
        return Err(one.message.clone());
    }
    if one.offset > length {
        return Err(format!("it rejects byte {} of {length}", one.offset));
    }
    Ok(one.code)
}

fn rows(batch: &Incoming) -> Vec<Row> {
    let schema = batch.columns.schema();
    let cells = |row: usize| {
        let columns = schema.fields().iter().zip(batch.columns.columns());
        let there = columns.filter(|(_, array)| !array.is_null(row));
        let text =
            |array: &ArrayRef| array_value_to_string(array, row).unwrap_or_else(|error| error.to_string());
        there.map(|(field, array)| (field.name().clone(), text(array))).collect()
    };
    let times = batch.time.iter().enumerate();
    times.map(|(row, time)| (batch.triplet.to_string(), *time, cells(row))).collect()
}

fn same(expected: &Read, found: &Read) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let differs = expected.rows.iter().zip(&found.rows).position(|(one, other)| one != other);
    let at = differs.unwrap_or(expected.rows.len().min(found.rows.len()));
    Err(format!(
        "{} rows and {} rejected pieces instead of {} and {}; row {at} is {:?} instead of {:?}, rejected are {:?} instead of {:?}",
        found.rows.len(),
        found.rejected.len(),
        expected.rows.len(),
        expected.rejected.len(),
        found.rows.get(at),
        expected.rows.get(at),
        found.rejected,
        expected.rejected,
    ))
}

/// The sample with one to four bytes changed, and at times cut off or doubled.
fn changed(sample: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    // xorshift64: nothing of it must be hard to guess.
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let mut bytes = sample.to_vec();
    for _ in 0..=next(4) {
        let at = next(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = next(256) as u8;
        }
    }
    match next(4) {
        0 => bytes.truncate(next(sample.len())),
        1 => bytes.extend_from_slice(sample),
        _ => {}
    }
    bytes
}
