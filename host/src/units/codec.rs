//! Codec components: bytes in, typed columns out, and back.
//!
//! In: a [`CodecMaker`] (a component of the world `codec` with its completed configuration), then pieces of bytes, or batches. Out: checked batches, defects with
//! their place, and how many bytes are done with, or messages; or a [`CodecError`], after which the instance is gone and the next call opens a new one.
//! Nothing that a codec does leaves this file as a panic or an unchecked number. Bounds: [`LIMITS`] for each call, [`CALLS_MAX`] calls for an instance.
//! `decoder` puts it behind the seam of the built-in codecs; `laws` is what every codec must keep.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema};
use serde_json::Value;
use weir_core::batch::Incoming;
use weir_core::triplet::Triplet;
use weir_core::unit::NamedColumn;
use weir_engine::check::coded;
use weir_engine::check::{NewRows, coded::Defect};
use weir_engine::{Answer, CodecInstance, Component, Limits, LogLevel, LogSink, World, given};

use super::give::{Dictionaries, Prepared, prepare};
use super::{Components, take};

mod decoder;
pub mod laws;

pub use decoder::{CODEC_FAULT, ComponentDecoder};

/// A piece may hold thousands of events, and an interpreted language takes microseconds for each; only the source's own thread waits.
const LIMITS: Limits = Limits {
    memory_bytes: 128 << 20,
    deadline_ms: 500,
    open_deadline_ms: 2_000,
    transfer_bytes: 80 << 20,
    handles: 1_000,
};

/// Calls after which an instance is replaced, so that a slow leak of a guest stays small.
const CALLS_MAX: u64 = 1_000_000;

/// What all instances of one source's codec are made from.
#[derive(Clone)]
pub struct CodecMaker {
    component: Component,
    /// JSON, checked against the component's schema.
    config: Arc<str>,
    source: Arc<str>,
}

/// What is wrong with the codec of a configuration: a JSON pointer into its `config` (none: the codec itself), and a text.
pub type Wrong = (Option<String>, String);

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A trap, a deadline, an answer that is not true.
    #[error("the codec failed: {0}")]
    Fault(String),
    /// The codec's own word.
    #[error("the codec gave up: {code}: {message}")]
    Failure { code: String, message: String },
}

/// What a piece of bytes held.
#[derive(Debug, Default)]
pub struct Decoded {
    pub batches: Vec<Incoming>,
    /// Offsets are bytes of the piece.
    pub defects: Vec<Defect>,
    pub consumed: usize,
}

/// A piece of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    /// It ends where it should: nothing more belongs to it.
    pub complete: bool,
    pub arrived_unix_ns: i64,
    /// For events that do not name their own.
    pub triplet: Option<&'a Triplet>,
}

impl CodecMaker {
    /// Loads the component, which may compile it, and tries whether it opens with its configuration.
    pub fn new(
        components: &Components,
        source: &Arc<str>,
        uses: &str,
        config: &Value,
    ) -> Result<Self, Vec<Wrong>> {
        let plain = |message: String| vec![(None, message)];
        let loaded = components.load(uses).map_err(plain)?;
        if loaded.component.world() != World::Codec {
            let kind = &loaded.manifest.kind;
            return Err(plain(format!(
                "component `{uses}` is a {kind}, not a codec; name one of kind codec"
            )));
        }
        let config = components.complete(&loaded, config).map_err(|problems| {
            problems.into_iter().map(|(pointer, message)| (Some(pointer), message)).collect::<Vec<_>>()
        })?;
        let config = config.to_string();
        let planned = loaded.component.plan(&config);
        if let Err(complaints) = planned.map_err(|fault| plain(format!("component `{uses}`: {fault}")))? {
            return Err(complaints.into_iter().map(|one| (Some(one.path), one.message)).collect());
        }
        let maker = Self { component: loaded.component, config: config.into(), source: source.clone() };
        maker.open().map_err(|error| plain(format!("component `{uses}`: {error}")))?;
        Ok(maker)
    }

    fn open(&self) -> Result<CodecInstance, CodecError> {
        let mut instance = CodecInstance::new(&self.component, self.log(), LIMITS)
            .map_err(|fault| CodecError::fault(&fault))?;
        let extras = [given::Extra { name: "weir.source", value: &self.source }];
        let setup = given::Setup { config: &self.config, extras: &extras };
        answered(instance.open(&setup))?;
        Ok(instance)
    }

    fn log(&self) -> LogSink {
        let source = self.source.clone();
        Box::new(move |level, line| match level {
            LogLevel::Debug => tracing::debug!(%source, line, "codec"),
            LogLevel::Info => tracing::info!(%source, line, "codec"),
            LogLevel::Warn | LogLevel::Error => tracing::warn!(%source, line, "codec"),
        })
    }
}

impl CodecError {
    fn fault(fault: &weir_engine::Fault) -> Self {
        Self::Fault(fault.to_string())
    }
}

/// The instance of one decoder thread; made at the first call and again after each fault or failure.
pub struct WasmCodec {
    maker: CodecMaker,
    instance: Option<CodecInstance>,
    calls: u64,
}

impl WasmCodec {
    pub fn new(maker: CodecMaker) -> Self {
        Self { maker, instance: None, calls: 0 }
    }

    pub fn decode(&mut self, piece: Piece<'_>) -> Result<Decoded, CodecError> {
        let length = u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX);
        let offsets = [0_u32.to_le_bytes(), length.to_le_bytes()].concat();
        let input = given::Incoming {
            messages: given::Packed { offsets: &offsets, data: piece.bytes },
            complete: piece.complete,
            arrived: piece.arrived_unix_ns,
            triplet: piece.triplet.map_or(NO_TRIPLET, named),
            extras: &[],
        };
        // Kept only if all went well.
        let mut instance = self.ready()?;
        let decoded = answered(instance.decode(&input))?;
        let decoded = self.take(piece, decoded)?;
        self.instance = Some(instance);
        Ok(decoded)
    }

    /// Whole messages, in the order of the rows.
    pub fn encode(&mut self, batches: &[Incoming]) -> Result<coded::Encoded, CodecError> {
        let columns: Vec<Vec<NamedColumn>> = batches.iter().map(plain_columns).collect();
        // No dictionary grows: each is whole.
        let mut none = Dictionaries::default();
        let prepared: Vec<Vec<Prepared<'_>>> = columns
            .iter()
            .map(|columns| columns.iter().filter_map(|column| prepare(column, false, &mut none)).collect())
            .collect();
        let lent: Vec<Vec<given::Column<'_>>> =
            prepared.iter().map(|columns| columns.iter().map(Prepared::lend).collect()).collect();
        let given: Vec<given::Batch<'_>> = batches
            .iter()
            .zip(&lent)
            .map(|(batch, columns)| given::Batch {
                triplet: named(&batch.triplet),
                rows: batch.rows() as u32,
                time: batch.time.inner().as_slice(),
                keys: &[],
                columns,
                extras: &[],
            })
            .collect();
        let mut instance = self.ready()?;
        let encoded = answered(instance.encode(&given))?;
        self.instance = Some(instance);
        Ok(encoded)
    }

    fn ready(&mut self) -> Result<CodecInstance, CodecError> {
        let fresh = self.calls < CALLS_MAX;
        if let Some(instance) = self.instance.take().filter(|_| fresh) {
            self.calls += 1;
            return Ok(instance);
        }
        self.calls = 1;
        self.maker.open()
    }

    fn take(&self, piece: Piece<'_>, decoded: coded::Decoded) -> Result<Decoded, CodecError> {
        let mut batches = Vec::with_capacity(decoded.batches.len());
        for (index, rows) in decoded.batches.into_iter().enumerate() {
            let batch = incoming(rows, piece.triplet, &self.maker.source);
            let batch = batch.map_err(|wrong| CodecError::Fault(format!("batch {index}: {wrong}")))?;
            if batch.rows() > 0 {
                batches.push(batch);
            }
        }
        let consumed = if piece.complete { piece.bytes.len() } else { decoded.consumed };
        Ok(Decoded { batches, defects: decoded.defects, consumed })
    }
}

const NO_TRIPLET: given::Triplet<'static> =
    given::Triplet { application: "", environment: "", event_type: "" };

fn named(triplet: &Triplet) -> given::Triplet<'_> {
    given::Triplet {
        application: triplet.application(),
        environment: triplet.environment(),
        event_type: triplet.event_type(),
    }
}

/// The answer of a call, with all that is not one as the error.
fn answered<T>(answer: Answer<T>) -> Result<T, CodecError> {
    match answer {
        Ok(Ok(good)) => Ok(good),
        Ok(Err(failure)) => Err(CodecError::Failure { code: failure.code, message: failure.message }),
        Err(fault) => Err(CodecError::fault(&fault)),
    }
}

/// A codec writes rows one by one, so that it gets texts as texts and no dictionaries.
fn plain_columns(batch: &Incoming) -> Vec<NamedColumn> {
    let fields = batch.columns.schema();
    let plain = |(field, array): (&Arc<Field>, &ArrayRef)| {
        let array = match array.data_type() {
            DataType::Dictionary(_, _) => cast(array, &DataType::Utf8).ok()?,
            _ => array.clone(),
        };
        Some(NamedColumn { name: field.name().as_str().into(), array, dictionary: None })
    };
    fields.fields().iter().zip(batch.columns.columns()).filter_map(plain).collect()
}

/// Columns as the log has them.
fn incoming(rows: NewRows, default: Option<&Triplet>, source: &Arc<str>) -> Result<Incoming, String> {
    let triplet = match &rows.triplet {
        Some(name) => Triplet::new(&name.application, &name.environment, &name.event_type)
            .map_err(|error| error.to_string())?,
        None => default.cloned().ok_or("it names no triplet, and the source has none")?,
    };
    let count = rows.time.len();
    let mut fields = Vec::with_capacity(rows.columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(rows.columns.len());
    for column in take::columns(rows.columns, &Dictionaries::default())? {
        fields.push(Field::new(&*column.name, column.array.data_type().clone(), true));
        arrays.push(column.array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let columns = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| error.to_string())?;
    Ok(Incoming { triplet, source: source.clone(), time: rows.time.into(), columns })
}

#[cfg(test)]
mod tests;
