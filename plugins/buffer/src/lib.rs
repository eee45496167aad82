//! buffer: holds events back by key and lets them go together.
//!
//! In: any stream, with all columns. Out: the rows as they were, on port `out`, in the order in which they came, the rows of a key together; with `every` those that come after
//! their window is over leave by `late` at once. A buffer of `capacity` rows lets all go with its last row and is empty again; with `every` there is one for each key and window
//! of event time, and what it holds goes when the watermark is at the window's end. State: a header of 8 bytes for each buffer that holds something, and the rows in
//! chunks. Rows that the state has no room for are rejected with the host's code. Cut-invariant for rows that are not late: which rows go together depends on
//! their order and times alone; a column whose kind changes goes in a batch of its own.

mod config;
mod held;

use std::collections::BTreeMap;

use weir_sdk::column::bytes_of;
use weir_sdk::failure::bad_config;
use weir_sdk::output::reject;
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Due, Failure, Forward, Opening, Output, Plan, Rows,
    Table, Unit, timers,
};

use config::Config;
use held::{Held, Place};

const OUT: u32 = 0;
const LATE: u32 = 1;

struct Buffer {
    capacity: u32,
    every_ns: Option<i64>,
    keyed: bool,
}

/// Rows of a batch by where they belong.
#[derive(Default)]
struct Parted {
    places: BTreeMap<Place, Vec<u32>>,
    late: Vec<u32>,
    out_of_range: Vec<u32>,
}

impl Unit for Buffer {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Holds events back by key and lets them go together";
        Description::new("buffer", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let windows = config.every_ns()?.is_some();
        let plan = Plan { delay: config.every, ..Plan::default() }
            .keys(config.keys)
            .port("out", "the events of a full buffer or of a window that is over")
            .table(Table::by_key("buffers", 8))
            .table(Table::by_key_packed("rows"))
            .cut_invariant();
        Ok(if windows { plan.port("late", "events that came after their window was over") } else { plan })
    }

    fn open(config: Config, _opening: &Opening) -> Result<Self, Failure> {
        let every_ns = config.every_ns().map_err(bad_config)?;
        Ok(Self { capacity: config.capacity.max(1), every_ns, keyed: !config.keys.is_empty() })
    }

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let parted = self.part(&input, context.watermark);
        let mut held = Held::read(parted.places.keys().copied().collect());
        for (index, rows) in parted.places.values().enumerate() {
            held.take(index, &input, rows, self.capacity)?;
        }
        let refused = held.write()?;
        if let Some(every_ns) = self.every_ns {
            let (keys, starts) = held.begun();
            let ends: Vec<i64> = starts.iter().map(|start| start.saturating_add(every_ns)).collect();
            timers::wake(&keys, &starts, &ends);
        }
        let mut outputs = held.into_outputs(OUT, self.keyed);
        if !parted.late.is_empty() {
            let rows = Rows::Indexes(bytes_of(&parted.late));
            outputs.push(Output::Forward(Forward { port: LATE, rows, set: Vec::new(), omit: Vec::new() }));
        }
        if !parted.out_of_range.is_empty() {
            let message = "the time is too near to an end of 64 bits of nanoseconds for a window";
            outputs.push(reject(&parted.out_of_range, "time-out-of-range", message));
        }
        if let Some((rows, refusal)) = refused {
            outputs.push(reject(&rows, &refusal.code, format!("no room to hold it: {}", refusal.message)));
        }
        Ok(outputs)
    }

    /// Windows are over. What does not fit into one call is asked for again.
    fn tick(&mut self, _context: &Context, due: Due) -> Result<Vec<Output>, Failure> {
        let (held, left) = Held::release(&due)?;
        let (keys, starts, times) = left;
        timers::wake(&keys, &starts, &times);
        Ok(held.into_outputs(OUT, self.keyed))
    }
}

impl Buffer {
    fn part(&self, input: &Batch, watermark: i64) -> Parted {
        let mut parted = Parted::default();
        let keys = input.key_numbers();
        for (row, time) in input.times().iter().enumerate() {
            let (key, row) = (keys.get(row), row as u32);
            let Some(every_ns) = self.every_ns else {
                parted.places.entry((key, 0)).or_default().push(row);
                continue;
            };
            match time
                .div_euclid(every_ns)
                .checked_mul(every_ns)
                .map(|start| (start, start.checked_add(every_ns)))
            {
                Some((_, Some(end))) if end <= watermark => parted.late.push(row),
                Some((start, Some(_))) => parted.places.entry((key, start)).or_default().push(row),
                _ => parted.out_of_range.push(row),
            }
        }
        parted
    }
}

weir_sdk::export_unit!(Buffer);

#[cfg(test)]
mod tests;
