//! The threshold as a component of the world `rule`: between the contract's records and [`crate::levels`].

use std::cell::RefCell;

use weir_sdk::bindings::rule::exports::weir::plugin::{evaluation, lifecycle, manifest};
use weir_sdk::bindings::unit::weir::plugin::state;
use weir_sdk::bindings::unit::weir::plugin::types::{Batch, Context, Due, Failure, Values, Verdict};

use crate::config::{self, Config};
use crate::levels::{Host, Level, Levels, Refusal, Rows, Signal};

/// The only state table.
const LEVELS: u32 = 0;

pub struct Threshold;

thread_local! {
    /// Set in `open`; an instance has one thread.
    static OPENED: RefCell<Option<Levels>> = const { RefCell::new(None) };
}

/// The imports.
struct Imports;

impl Host for Imports {
    fn read(&mut self, keys: &[u8]) -> Vec<u8> {
        state::read(LEVELS, keys, &[])
    }

    fn write(&mut self, keys: &[u8], values: &[u8]) -> Result<(), Refusal> {
        state::write(LEVELS, keys, &[], values)
            .map_err(|refusal| Refusal { code: refusal.code, message: refusal.message })
    }
}

impl manifest::Guest for Threshold {
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

impl lifecycle::Guest for Threshold {
    fn open(opening: lifecycle::Opening) -> Result<(), Failure> {
        let config = Config::parse(&opening.config).map_err(|complaints| {
            let texts: Vec<String> =
                complaints.into_iter().map(|wrong| format!("{} {}", wrong.path, wrong.message)).collect();
            failure("bad-config", texts.join("; "))
        })?;
        let of_column = format!("weir.unit.{}", config.column);
        let measure = opening.extras.iter().find(|extra| extra.name == of_column);
        OPENED.set(Some(Levels::new(config, measure.map_or("", |extra| extra.value.as_str()))));
        Ok(())
    }

    fn migrate(schema: u32, _old: lifecycle::Entries) -> Result<Vec<lifecycle::Entries>, Failure> {
        Err(failure("no-migration", format!("state of schema {schema} is not known here")))
    }

    fn close() {}
}

impl evaluation::Guest for Threshold {
    fn evaluate(context: Context, input: Batch) -> Result<Vec<evaluation::Signal>, Failure> {
        OPENED.with_borrow_mut(|opened| {
            let Some(levels) = opened else {
                return Err(failure("not-open", "called before open".to_owned()));
            };
            // A stream need not have the column: then there is nothing to judge.
            let column = input.columns.iter().find(|column| column.name == levels.config().column);
            let Some((column, Values::F64s(values))) = column.map(|column| (column, &column.values)) else {
                return Ok(Vec::new());
            };
            let rows = Rows { time: &input.time, keys: &input.keys, values, valid: column.valid.as_deref() };
            let signals = levels.judge(&context.forgotten, &rows, &mut Imports);
            let signals = signals.map_err(|refusal| failure(&refusal.code, refusal.message))?;
            let lasts_ns = levels.config().stale_after_ns;
            Ok(signals.into_iter().map(|signal| to_contract(signal, lasts_ns)).collect())
        })
    }

    fn tick(_context: Context, _due: Due) -> Result<Vec<evaluation::Signal>, Failure> {
        Ok(Vec::new())
    }
}

fn to_contract(signal: Signal, lasts_ns: i64) -> evaluation::Signal {
    evaluation::Signal {
        key: signal.key,
        level: match signal.level {
            Level::Ok => evaluation::Severity::Ok,
            Level::Warning => evaluation::Severity::Warning,
            Level::Critical => evaluation::Severity::Critical,
        },
        value: signal.value,
        time: signal.time_ns,
        lasts: lasts_ns,
        summary: signal.summary,
        extras: Vec::new(),
    }
}

fn failure(code: &str, message: String) -> Failure {
    Failure { verdict: Verdict::Fail, code: code.to_owned(), message, indexes: Vec::new(), after: 0 }
}

#[cfg(target_arch = "wasm32")]
weir_sdk::bindings::rule::export_rule!(Threshold);
