//! topk: the heaviest values of a column in each window.
//!
//! In: any stream; of it the ranked column, the weight and the key columns. Out: on port `out`, when a window is complete, up to k rows for each key and window,
//! the heaviest first, at the start of the window; late rows as they were on port `late`. Space-Saving with ten counters for each row that is shown, at
//! least a hundred: what is heavier than 1 in that many of the window's weight is never missing, a weight is never too small and too great by at most
//! `error`; with fewer different values than counters all is exact. Rows without a value, and those whose weight is missing, not finite or not above 0, are
//! not counted. State is the host's. Rows are counted in their order: cut-invariant.

mod config;

use serde_json::Value;
use weir_fold::columns::Columns;
use weir_fold::host::{Closed, Due as Timers, Imports, Rows};
use weir_fold::layout::Layout;
use weir_fold::windows::Windows;
use weir_sdk::column::{S64s, U32s};
use weir_sdk::failure::bad_config;
use weir_sdk::output::emit_for_keys;
use weir_sdk::{
    Batch, Column, ColumnExt, Complaint, Context, Description, Due, Failure, Opening, Output, Plan, Unit,
};

use config::{Config, schema};

const OUT: u32 = 0;
const LATE: u32 = 1;

pub struct Topk {
    config: Config,
    windows: Windows,
}

impl Unit for Topk {
    type Config = Value;

    fn describe() -> Description {
        let summary = "The heaviest values of a column in each window, with a bounded amount of memory";
        Description::new("rollup", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(schema())
            .state(1, &[])
    }

    fn plan(config: Value) -> Result<Plan, Vec<Complaint>> {
        Config::parse(&config).map(|config| config.plan())
    }

    fn open(config: Value, _opening: &Opening) -> Result<Self, Failure> {
        let config = Config::parse(&config).map_err(bad_config)?;
        Ok(Self { windows: Windows::new(config.layout(), config.shape()), config })
    }

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let columns = Columns::of(&input, self.windows.layout());
        let rows = Rows { time: &input.time, keys: &input.keys, columns: &columns };
        let folded = self.windows.fold(context.watermark, &context.forgotten, &rows, &mut Imports)?;
        Ok(folded.into_outputs(LATE, "topk.not_finite"))
    }

    fn tick(&mut self, context: &Context, due: Due) -> Result<Vec<Output>, Failure> {
        let due = Timers { keys: &due.keys, slots: &due.slots, times: &due.times };
        let closed = self.windows.close(context.watermark, &context.forgotten, due, &mut Imports)?;
        Ok(self.ranked(&closed).into_iter().collect())
    }
}

impl Topk {
    fn ranked(&self, closed: &Closed) -> Option<Output> {
        let (mut times, mut keys, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ranks, mut weights, mut errors, mut shares) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let windows = U32s::new(&closed.keys).iter().zip(S64s::new(&closed.starts).iter()).zip(&closed.cells);
        for ((key, start), cell) in windows {
            let Some(top) = cell.first().and_then(|sketch| sketch.as_top()) else { continue };
            let total = top.total();
            for (rank, counter) in (1_u64..).zip(top.heaviest(self.config.k)) {
                times.push(start);
                keys.push(key);
                names.push(String::from_utf8_lossy(&counter.item).into_owned());
                ranks.push(rank);
                weights.push(counter.weight);
                errors.push(counter.error);
                shares.push(counter.weight / total);
            }
        }
        if times.is_empty() {
            return None;
        }
        let columns = vec![
            Column::of_categories(&self.config.of, &names),
            Column::of_u64s("rank", &ranks),
            Column::of_f64s("weight", &weights),
            Column::of_f64s("error", &errors),
            Column::of_f64s("share", &shares),
        ];
        let keys = if self.config.keys.is_empty() { Vec::new() } else { keys };
        Some(emit_for_keys(OUT, &times, &keys, columns))
    }
}

impl Config {
    fn layout(&self) -> Layout {
        Layout::of_top(&self.of, self.weight.as_deref(), self.counters())
    }
}

weir_sdk::export_unit!(Topk);

#[cfg(test)]
mod tests;
