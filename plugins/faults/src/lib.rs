//! faults: one hostile unit. Its configuration names the way to misbehave; README.md says what a host must make of each.

mod config;
mod faults;
mod misbehave;
mod poison;
mod wit;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use config::Config;
use faults::Fault;
use wit::{
    Batch, Complaint, Context, Due, Entries, Failure, Opening, Output, Verdict, lifecycle, manifest,
    processing, state,
};

pub struct Component;

thread_local! {
    /// Set in `open`. A Wasm instance has one thread.
    static CONFIG: RefCell<Option<Config>> = const { RefCell::new(None) };
}

fn fault() -> Fault {
    CONFIG.with_borrow(|config| config.as_ref().map_or(Fault::None, |config| config.fault))
}

impl manifest::Guest for Component {
    fn describe() -> String {
        config::describe()
    }

    fn plan(config: String) -> Result<String, Vec<Complaint>> {
        let complaint = |(path, message)| vec![Complaint { path, message }];
        let config = Config::parse(&config).map_err(complaint)?;
        match config.fault {
            Fault::PlanInvalidJson => return Ok("{\"ports\": [".to_owned()),
            Fault::PlanMissingPorts => return Ok("{\"reads\": [], \"ports\": []}".to_owned()),
            Fault::PlanUnknownKind => {
                return Ok(config.plan().replace("[]", "[{\"name\": \"x\", \"kind\": \"matrices\"}]"));
            }
            Fault::PlanComplains => {
                return Err(complaint(("/fault".to_owned(), "this fault is never right".to_owned())));
            }
            Fault::PlanTraps => misbehave::trap(),
            Fault::PlanSpins => misbehave::spin(),
            Fault::PlanImports => drop(state::read(0, &[], &[])),
            _ => {}
        }
        Ok(config.plan())
    }
}

impl lifecycle::Guest for Component {
    fn open(opening: Opening) -> Result<(), Failure> {
        let config = Config::parse(&opening.config);
        let config = config.map_err(|_| misbehave::failure(Verdict::Fail, "bad-config", Vec::new()))?;
        match config.fault {
            Fault::SpinInOpen => misbehave::spin(),
            Fault::TrapInOpen => misbehave::trap(),
            Fault::FailInOpen => return Err(misbehave::failure(Verdict::Fail, "never", Vec::new())),
            _ => {}
        }
        CONFIG.set(Some(config));
        Ok(())
    }

    fn migrate(_schema: u32, _old: Entries) -> Result<Vec<Entries>, Failure> {
        Err(misbehave::failure(Verdict::Fail, "no-migration", Vec::new()))
    }

    fn close() {
        if fault() == Fault::TrapInClose {
            misbehave::trap();
        }
    }
}

impl processing::Guest for Component {
    fn process(_context: Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let poison = CONFIG.with_borrow(|config| {
            poison::rows(config.as_ref().and_then(|config| config.poison.as_ref()), &input)
        });
        let fault = if poison.is_empty() { Fault::None } else { fault() };
        misbehave::process(fault, &input, &poison)
    }

    fn tick(_context: Context, _due: Due) -> Result<Vec<Output>, Failure> {
        Ok(misbehave::tick(fault()))
    }
}

#[cfg(target_arch = "wasm32")]
weir_sdk::bindings::unit::export_unit!(Component);
