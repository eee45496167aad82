//! The rollup as a component of the world `unit`: between the contract's records and [`weir_fold::windows`].
//!
//! Port 0 `out` gets the windows that close, port 1 `late` the late rows as they were. Rows whose window does not fit into the state are rejected with the
//! host's code ("quota"), rows with a time at the ends of 64 bits with "time-out-of-range". Values that were not finite are
//! counted in the extra `rollup.not_finite` of the call.

use std::cell::RefCell;

use weir_fold::columns::Columns;
use weir_fold::host::{Closed, Due, Imports, Refusal, Rows};
use weir_fold::layout::Layout;
use weir_fold::sessions::Sessions;
use weir_fold::windows::Windows;
use weir_sdk::bindings::unit::exports::weir::plugin::{lifecycle, manifest, processing};
use weir_sdk::bindings::unit::weir::plugin::types::{self, Batch, Column, Context, Emit, Failure, Triplet};
use weir_sdk::{ColumnExt, FailureExt};

use crate::config::{self, Config, Windowing};

const OUT: u32 = 0;
const LATE: u32 = 1;

pub struct Rollup;

enum Machine {
    Windows(Box<Windows>),
    Sessions(Box<Sessions>),
}

struct Opened {
    machine: Machine,
    has_keys: bool,
    is_early: bool,
}

thread_local! {
    /// Set in `open`; an instance has one thread.
    static OPENED: RefCell<Option<Opened>> = const { RefCell::new(None) };
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
            Failure::fail("bad-config", texts.join("; "))
        })?;
        let machine = match config.shape {
            Windowing::Windows(shape) => Machine::Windows(Box::new(Windows::new(config.layout(), shape))),
            Windowing::Sessions { gap_ns, lateness_ns } => {
                Machine::Sessions(Box::new(Sessions::new(config.layout(), gap_ns, lateness_ns)))
            }
        };
        OPENED.set(Some(Opened { machine, has_keys: !config.keys.is_empty(), is_early: config.is_early() }));
        Ok(())
    }

    fn migrate(schema: u32, _old: lifecycle::Entries) -> Result<Vec<lifecycle::Entries>, Failure> {
        Err(Failure::fail("no-migration", format!("state of schema {schema} is not known here")))
    }

    fn close() {}
}

impl Machine {
    fn layout(&self) -> &Layout {
        match self {
            Self::Windows(windows) => windows.layout(),
            Self::Sessions(sessions) => sessions.layout(),
        }
    }
}

impl processing::Guest for Rollup {
    fn process(context: Context, input: Batch) -> Result<Vec<types::Output>, Failure> {
        with_opened(|opened| {
            let columns = Columns::of(&input, opened.machine.layout());
            let rows = Rows { time: &input.time, keys: &input.keys, columns: &columns };
            let folded = match &mut opened.machine {
                Machine::Windows(windows) => {
                    windows.fold(context.watermark, &context.forgotten, &rows, &mut Imports)
                }
                Machine::Sessions(sessions) => {
                    sessions.fold(context.watermark, &context.forgotten, &rows, &mut Imports)
                }
            };
            folded.map(|folded| folded.into_outputs(LATE, "rollup.not_finite"))
        })
    }

    fn tick(context: Context, due: types::Due) -> Result<Vec<types::Output>, Failure> {
        with_opened(|opened| {
            let due = Due { keys: &due.keys, slots: &due.slots, times: &due.times };
            let closed = match &mut opened.machine {
                Machine::Windows(windows) => {
                    windows.close(context.watermark, &context.forgotten, due, &mut Imports)?
                }
                Machine::Sessions(sessions) => sessions.close(&context.forgotten, due, &mut Imports)?,
            };
            let names = opened.machine.layout().names.clone();
            Ok(emit(closed, names, opened.has_keys, opened.is_early).into_iter().collect())
        })
    }
}

fn with_opened<R>(call: impl FnOnce(&mut Opened) -> Result<R, Refusal>) -> Result<R, Failure> {
    OPENED.with_borrow_mut(|opened| match opened {
        Some(opened) => call(opened).map_err(|refusal| Failure::fail(&refusal.code, refusal.message)),
        None => Err(Failure::fail("not-open", "called before open")),
    })
}

/// Nothing where no window closed. Without keys the host must not be given key numbers.
fn emit(closed: Closed, names: Vec<String>, has_keys: bool, is_early: bool) -> Option<types::Output> {
    if closed.starts.is_empty() {
        return None;
    }
    let mut columns: Vec<Column> =
        names.iter().zip(closed.columns).map(|(name, values)| values.into_column(name)).collect();
    if is_early {
        columns.push(Column::new("provisional", types::Values::Bools(closed.provisional)));
    }
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

#[cfg(target_arch = "wasm32")]
weir_sdk::bindings::unit::export_unit!(Rollup);
