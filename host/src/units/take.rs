//! What a guest returned, as the flow's outputs. The engine has checked it; what Arrow still refuses is a contract fault.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use weir_core::triplet::Triplet;
use weir_core::unit::{Failure, Level, NamedColumn, Output, Rows, Signal, Verdict};
use weir_engine::check;

use super::give::Dictionaries;

pub fn outputs(outputs: Vec<check::Output>, known: &Dictionaries) -> Result<Vec<Output>, String> {
    outputs.into_iter().filter_map(|output| one(output, known).transpose()).collect()
}

/// None for an `extra`: there is none that the host acts on yet.
fn one(output: check::Output, known: &Dictionaries) -> Result<Option<Output>, String> {
    Ok(Some(match output {
        check::Output::Forward { port, rows, set, omit } => {
            Output::Forward { port, rows: rows_of(rows), set: columns(set, known)?, omit }
        }
        check::Output::Emit { port, rows } => {
            let triplet = match rows.triplet {
                Some(name) => Some(
                    Triplet::new(&name.application, &name.environment, &name.event_type)
                        .map_err(|error| error.to_string())?,
                ),
                None => None,
            };
            let (time, keys) = (rows.time.into(), rows.keys);
            Output::Emit { port, triplet, time, keys, columns: columns(rows.columns, known)? }
        }
        check::Output::Reject { indexes, code, message } => Output::Reject { indexes, code, message },
        check::Output::Extra { .. } => return Ok(None),
    }))
}

fn rows_of(rows: check::Rows) -> Rows {
    match rows {
        check::Rows::All => Rows::All,
        check::Rows::Mask(mask) => Rows::Mask(bits(&mask)),
        check::Rows::Indexes(indexes) => Rows::Indexes(indexes),
    }
}

fn bits(bytes: &[u8]) -> BooleanBuffer {
    BooleanBuffer::collect_bool(bytes.len(), |row| bytes.get(row).is_some_and(|byte| *byte != 0))
}

pub fn columns(columns: Vec<check::Column>, known: &Dictionaries) -> Result<Vec<NamedColumn>, String> {
    columns
        .into_iter()
        .map(|column| {
            let array = array(column.values, column.valid, known)
                .map_err(|error| format!("column `{}`: {error}", column.name))?;
            Ok(NamedColumn { name: column.name.into(), array, dictionary: None })
        })
        .collect()
}

fn array(values: check::Values, valid: Option<Vec<u8>>, known: &Dictionaries) -> Result<ArrayRef, String> {
    let nulls = valid.map(|valid| NullBuffer::new(bits(&valid))).filter(|nulls| nulls.null_count() > 0);
    Ok(match values {
        check::Values::F64s(values) => Arc::new(Float64Array::new(values.into(), nulls)),
        check::Values::S64s(values) => Arc::new(Int64Array::new(values.into(), nulls)),
        check::Values::U64s(values) => Arc::new(UInt64Array::new(values.into(), nulls)),
        check::Values::Timestamps(values) => Arc::new(TimestampNanosecondArray::new(values.into(), nulls)),
        check::Values::Bools(values) => Arc::new(BooleanArray::new(bits(&values), nulls)),
        check::Values::Texts(texts) => Arc::new(text(texts, nulls)?),
        check::Values::Blobs(blobs) => Arc::new(
            BinaryArray::try_new(offsets(blobs.offsets), Buffer::from_vec(blobs.data), nulls)
                .map_err(|error| error.to_string())?,
        ),
        check::Values::Categories(categories) => {
            let codes = UInt32Array::new(categories.codes.into(), nulls);
            let names: ArrayRef = match categories.names {
                check::Names::Own(names) => Arc::new(text(names, None)?),
                check::Names::Given { dictionary, .. } => {
                    Arc::new(known.names(dictionary).ok_or("a dictionary that was not given")?.clone())
                }
            };
            if names.is_empty() {
                // No row has a value; a dictionary needs a name for the codes of the others to point at.
                let none = DictionaryArray::new(codes, Arc::new(StringArray::from(vec![""])));
                return Ok(Arc::new(none));
            }
            Arc::new(DictionaryArray::try_new(codes, names).map_err(|error| error.to_string())?)
        }
    })
}

fn offsets(offsets: Vec<i32>) -> OffsetBuffer<i32> {
    // Checked by the engine: they start at 0 and never fall. An empty list stands for no strings.
    if offsets.is_empty() {
        OffsetBuffer::new_empty()
    } else {
        OffsetBuffer::new(ScalarBuffer::from(offsets))
    }
}

fn text(texts: check::Strings, nulls: Option<NullBuffer>) -> Result<StringArray, String> {
    StringArray::try_new(offsets(texts.offsets), Buffer::from_vec(texts.data), nulls)
        .map_err(|error| error.to_string())
}

pub fn signals(signals: Vec<check::Signal>) -> Vec<Signal> {
    signals
        .into_iter()
        .map(|signal| Signal {
            key: signal.key,
            level: match signal.level {
                check::Severity::Unknown => Level::Unknown,
                check::Severity::Ok => Level::Ok,
                check::Severity::Info => Level::Info,
                check::Severity::Warning => Level::Warning,
                check::Severity::Critical => Level::Critical,
            },
            value: signal.value,
            time_unix_ns: signal.time_unix_ns,
            lasts_ns: signal.lasts_ns,
            summary: signal.summary,
        })
        .collect()
}

pub fn failure(failure: check::Failure) -> Failure {
    Failure {
        verdict: match failure.verdict {
            check::Verdict::Retry => Verdict::Retry,
            check::Verdict::Drop => Verdict::Drop,
            check::Verdict::Fail => Verdict::Fail,
        },
        code: failure.code,
        message: failure.message,
        indexes: failure.indexes,
        after_ns: failure.after_ns,
    }
}
