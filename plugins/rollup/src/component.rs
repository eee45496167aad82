//! The rollup as a component of the world `unit`: between the contract's records and [`crate::windows`].
//!
//! Port 0 `out` gets the windows that close, port 1 `late` the late rows as they were. Rows whose window does not fit into the state are rejected with the
//! host's code ("quota"), rows with a time at the ends of 64 bits with "time-out-of-range". Values that were not finite are
//! counted in the extra `rollup.not_finite` of the call.

use std::cell::RefCell;

use weir_sdk::bindings::unit::exports::weir::plugin::{lifecycle, manifest, processing};
use weir_sdk::bindings::unit::weir::plugin::types::{
    self, Batch, Column, Context, Due, Emit, Extra, Failure, Forward, Reject, Triplet, Verdict,
};
use weir_sdk::bindings::unit::weir::plugin::{state, timers};

use crate::config::{self, Config};
use crate::layout;
use crate::windows::{Closed, Folded, Host, Refusal, Rows, Values, Windows};

const OUT: u32 = 0;
const LATE: u32 = 1;
/// The only state table.
const WINDOWS: u32 = 0;

pub struct Rollup;

struct Opened {
    windows: Windows,
    has_keys: bool,
}

thread_local! {
    /// Set in `open`; an instance has one thread.
    static OPENED: RefCell<Option<Opened>> = const { RefCell::new(None) };
}

/// The imports.
struct Imports;

impl Host for Imports {
    fn read(&mut self, keys: &[u8], starts: &[u8]) -> Vec<u8> {
        state::read(WINDOWS, keys, starts)
    }

    fn write(&mut self, keys: &[u8], starts: &[u8], values: &[u8]) -> Result<(), Refusal> {
        state::write(WINDOWS, keys, starts, values)
            .map_err(|refusal| Refusal { code: refusal.code, message: refusal.message })
    }

    fn remove(&mut self, keys: &[u8], starts: &[u8]) {
        state::remove(WINDOWS, keys, starts);
    }

    fn wake(&mut self, keys: &[u8], starts: &[u8], times: &[u8]) {
        timers::wake(keys, starts, times);
    }
}

impl manifest::Guest for Rollup {
    fn describe() -> String {
        config::describe()
    }

    fn plan(config: String) -> Result<String, Vec<manifest::Complaint>> {
        let complaint =
            |wrong: config::Complaint| manifest::Complaint { path: wrong.path, message: wrong.message };
        Config::parse(&config)
            .map(|config| config.plan())
            .map_err(|complaints| complaints.into_iter().map(complaint).collect())
    }
}

impl lifecycle::Guest for Rollup {
    fn open(opening: lifecycle::Opening) -> Result<(), Failure> {
        let config = Config::parse(&opening.config).map_err(|complaints| {
            let texts: Vec<String> =
                complaints.into_iter().map(|wrong| format!("{} {}", wrong.path, wrong.message)).collect();
            failure("bad-config", texts.join("; "))
        })?;
        let windows = Windows::new(config.layout(), config.window_ns, config.lateness_ns);
        OPENED.set(Some(Opened { windows, has_keys: !config.keys.is_empty() }));
        Ok(())
    }

    fn migrate(schema: u32, _old: lifecycle::Entries) -> Result<Vec<lifecycle::Entries>, Failure> {
        Err(failure("no-migration", format!("state of schema {schema} is not known here")))
    }

    fn close() {}
}

impl processing::Guest for Rollup {
    fn process(context: Context, input: Batch) -> Result<Vec<types::Output>, Failure> {
        with_opened(|opened| {
            let columns: Vec<Option<Values>> =
                opened.windows.layout().columns.iter().map(|column| values(&input, &column.name)).collect();
            let rows = Rows { time: &input.time, keys: &input.keys, columns: &columns };
            let folded = opened.windows.fold(context.watermark, &context.forgotten, &rows, &mut Imports);
            folded.map(outputs).map_err(|refusal| failure(&refusal.code, refusal.message))
        })
    }

    fn tick(context: Context, due: Due) -> Result<Vec<types::Output>, Failure> {
        with_opened(|opened| {
            let closed = opened.windows.close(&context.forgotten, &due.keys, &due.slots, &mut Imports);
            let names = opened.windows.layout().names.clone();
            Ok(emit(closed, names, opened.has_keys).into_iter().collect())
        })
    }
}

fn with_opened<R>(call: impl FnOnce(&mut Opened) -> Result<R, Failure>) -> Result<R, Failure> {
    OPENED.with_borrow_mut(|opened| match opened {
        Some(opened) => call(opened),
        None => Err(failure("not-open", "called before open".to_owned())),
    })
}

fn values<'a>(input: &'a Batch, name: &str) -> Option<Values<'a>> {
    let column = input.columns.iter().find(|column| column.name == name)?;
    match &column.values {
        types::Values::F64s(f64s) => Some(Values { f64s, valid: column.valid.as_deref() }),
        // The plan asks for f64s: the host sends nothing else.
        _ => None,
    }
}

fn outputs(folded: Folded) -> Vec<types::Output> {
    let mut outputs = Vec::new();
    if !folded.late.is_empty() {
        let rows = types::Rows::Indexes(folded.late);
        outputs.push(types::Output::Forward(Forward { port: LATE, rows, set: Vec::new(), omit: Vec::new() }));
    }
    if !folded.out_of_range.is_empty() {
        let message = "the time is too near to an end of 64 bits of nanoseconds for a window".to_owned();
        let code = "time-out-of-range".to_owned();
        outputs.push(types::Output::Reject(Reject { indexes: folded.out_of_range, code, message }));
    }
    if let Some((indexes, refusal)) = folded.refused {
        let message = format!("no room for a new window: {}", refusal.message);
        outputs.push(types::Output::Reject(Reject { indexes, code: refusal.code, message }));
    }
    if folded.not_finite > 0 {
        let value = folded.not_finite.to_string();
        outputs.push(types::Output::Extra(Extra { name: "rollup.not_finite".to_owned(), value }));
    }
    outputs
}

/// Nothing where no window closed. Without keys the host must not be given key numbers.
fn emit(closed: Closed, names: Vec<String>, has_keys: bool) -> Option<types::Output> {
    if closed.starts.is_empty() {
        return None;
    }
    let columns = names.into_iter().zip(closed.columns).map(|(name, values)| column(name, values)).collect();
    let batch = Batch {
        // Empty: that of the key, or of the stream at work.
        triplet: Triplet {
            application: String::new(),
            environment: String::new(),
            event_type: String::new(),
        },
        rows: (closed.starts.len() / 8) as u32,
        time: closed.starts,
        keys: if has_keys { closed.keys } else { Vec::new() },
        columns,
        extras: Vec::new(),
    };
    Some(types::Output::Emit(Emit { port: OUT, batch }))
}

fn column(name: String, values: layout::Output) -> Column {
    match values {
        layout::Output::Counts(counts) => {
            let bytes = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
            Column { name, values: types::Values::U64s(bytes), valid: None }
        }
        layout::Output::Numbers(numbers) => {
            let missing = numbers.iter().any(|number| number.is_nan());
            let valid = missing.then(|| numbers.iter().map(|number| u8::from(!number.is_nan())).collect());
            let or_zero = |number: &f64| if number.is_nan() { 0.0 } else { *number };
            let bytes = numbers.iter().flat_map(|number| or_zero(number).to_le_bytes()).collect();
            Column { name, values: types::Values::F64s(bytes), valid }
        }
    }
}

fn failure(code: &str, message: String) -> Failure {
    Failure { verdict: Verdict::Fail, code: code.to_owned(), message, indexes: Vec::new(), after: 0 }
}

#[cfg(target_arch = "wasm32")]
weir_sdk::bindings::unit::export_unit!(Rollup);
