//! sample: keeps a share of the events.
//!
//! In: any stream. Out: the chosen rows on port `out`, the others on `rest`. Three ways to choose. `rate`: by a hash of the key's values (see [`hash`]), so that all rows of a key
//! stay or go, everywhere alike; no state. `one_in`: the first row of a key (or of all that comes) and then every n-th; state: 8 bytes for each key. `reservoir`: a fixed number of rows of each
//! key and window of event time (see [`reservoir`]); they leave when the window is over, and `rest` gets the rows that came too late for theirs. Where the state has no
//! room the call fails with the host's reason and the host dead-letters the rows. Nothing is left to chance: the same rows give the same choice. Cut-invariant for rows
//! that are not late.

mod config;
mod hash;
mod reservoir;

use weir_sdk::failure::bad_config;
use weir_sdk::output::forward_mask;
use weir_sdk::per_key::PerKey;
use weir_sdk::unit::is_connected;
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Due, Failure, Opening, Output, Plan, Read, State,
    Table, Unit,
};

use config::{Config, Way};
use reservoir::Reservoir;

pub const OUT: u32 = 0;
pub const REST: u32 = 1;
pub const COUNTS: u32 = 0;
pub const ROWS: u32 = 1;

struct Sample {
    keys: Vec<String>,
    way: Way,
    salt: u64,
    rest: bool,
    passed: PerKey<Passed>,
}

impl Unit for Sample {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Keeps a share of the events: by hash of a key, one in n, or some of each window";
        Description::new("filter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let way = config.way()?;
        let plan = match way {
            Way::Rate(_) => Plan::default().reads(config.keys.iter().map(|name| Read::optional(name, "any"))),
            Way::OneIn(_) => Plan::default().reads([]).keys(config.keys).table(Table::by_key("counts", 8)),
            Way::Reservoir { .. } => Plan { delay: Some(config.window), ..Plan::default() }
                .keys(config.keys)
                .table(Table::by_key("counts", 8))
                .table(Table::by_key_packed("rows")),
        };
        let rest = match way {
            Way::Reservoir { .. } => "events that came after their window was over",
            _ => "events that were not chosen",
        };
        Ok(plan.port("out", "events that were chosen").port("rest", rest).cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let way = config.way().map_err(bad_config)?;
        Ok(Self {
            keys: config.keys,
            way,
            salt: config.salt,
            rest: is_connected(opening, "rest"),
            passed: PerKey::new(COUNTS),
        })
    }

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let mask = match self.way {
            Way::Rate(rate) => self.by_rate(rate, &input),
            Way::OneIn(n) => one_in(n, &mut self.passed, context, &input)?,
            Way::Reservoir { rows, window_ns } => {
                return self.reservoir(rows, window_ns).take(context.watermark, &input);
            }
        };
        let mut outputs = Vec::with_capacity(2);
        if self.rest {
            outputs.extend(forward_mask(REST, mask.iter().map(|byte| byte ^ 1).collect()));
        }
        outputs.extend(forward_mask(OUT, mask));
        Ok(outputs)
    }

    fn tick(&mut self, _context: &Context, due: Due) -> Result<Vec<Output>, Failure> {
        match self.way {
            Way::Reservoir { rows, window_ns } => self.reservoir(rows, window_ns).release(&due),
            _ => Ok(Vec::new()),
        }
    }
}

impl Sample {
    fn reservoir(&self, rows: u32, window_ns: i64) -> Reservoir {
        Reservoir { rows, window_ns, salt: self.salt, keyed: !self.keys.is_empty() }
    }

    fn by_rate(&self, rate: f64, input: &Batch) -> Vec<u8> {
        // 2^53 steps: as fine as an f64 from 0 to 1 is, and rate 1 keeps all.
        let below = (rate * 9_007_199_254_740_992.0) as u64;
        let hashes = hash::of_rows(input, &self.keys, self.salt);
        hashes.into_iter().map(|hash| u8::from(hash >> 11 < below)).collect()
    }
}

/// Rows of the key since the last one that was kept, 0: the next one is kept.
#[derive(Clone, Copy, Debug, Default, State)]
struct Passed {
    rows: u64,
}

fn one_in(n: u64, counts: &mut PerKey<Passed>, context: &Context, input: &Batch) -> Result<Vec<u8>, Failure> {
    let keys = input.key_numbers();
    // Without keys all rows count together, under the key number 0.
    let key_of = |row: usize| keys.get(row);
    let rows = input.rows as usize;
    counts.forget(context);
    counts.load((0..rows).map(key_of));
    let mask = (0..rows)
        .map(|row| {
            let Some(passed) = counts.get_mut(key_of(row)) else { return 0 };
            let chosen = passed.rows == 0;
            passed.rows = (passed.rows + 1) % n;
            u8::from(chosen)
        })
        .collect();
    counts.store()?;
    Ok(mask)
}

weir_sdk::export_unit!(Sample);

#[cfg(test)]
mod tests;
