//! change: a rule that notices when a key's values move to another level than in its own past.
//!
//! In: events or points with the column of the configuration, in the order of time; a value older than the key's newest is passed over. Out: signals: ok when a key has been
//! learned, warning and critical when its level has shifted (see [`cusum`] for the method), ok when it is back or the new level has become the normal one.
//! State: mean, deviation and sums of each key, a fixed size. Cut-invariant.

pub mod config;
pub mod cusum;

#[cfg(test)]
mod tests;

use weir_sdk::aggregate::State as _;
use weir_sdk::failure::bad_config;
use weir_sdk::per_key::PerKey;
use weir_sdk::rule::{self, Signal};
use weir_sdk::{Batch, Complaint, Context, Description, Failure, Opening, Plan, Read, Rule, Table};
use weir_text::measured;

use config::{Config, Limits, SCHEMA};
use cusum::{OK, Past, severity};

/// The only state table.
const PASTS: u32 = 0;

pub struct Change {
    column: String,
    limits: Limits,
    measure: String,
    pasts: PerKey<Past>,
}

impl Rule for Change {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Notices when a key's values move to another level than in its own past";
        Description::new("rule", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        Limits::check(&config)?;
        Ok(Plan::default()
            .reads([Read::optional(&config.column, "f64s")])
            .keys(config.keys)
            .table(Table::by_key("pasts", Past::BYTES as u32))
            .cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let limits = Limits::check(&config).map_err(bad_config)?;
        let measure = rule::measure(opening, &config.column, config.measure);
        Ok(Self { column: config.column, limits, measure, pasts: PerKey::new(PASTS) })
    }

    fn evaluate(&mut self, context: &Context, input: Batch) -> Result<Vec<Signal>, Failure> {
        self.pasts.forget(context);
        self.pasts.load(rule::values(&input, &self.column).map(|row| row.0));
        let mut signals = Vec::new();
        for (key, time, value) in rule::values(&input, &self.column) {
            let limits = self.limits;
            let Some(past) = self.pasts.get_mut(key) else { continue };
            if past.learned > 0 && time < past.time_ns {
                continue;
            }
            past.time_ns = time;
            let before = *past;
            if let Some(level) = limits.take(past, value) {
                signals.push(self.signal(key, level, time, value, &before));
            }
        }
        self.pasts.store()?;
        Ok(signals)
    }
}

impl Change {
    /// "mean_ms 812 ms, shifted up from 120 ms (usually ± 15 ms)"
    fn signal(&self, key: u32, level: u8, time_ns: i64, value: f64, past: &Past) -> Signal {
        let number = |value: f64| measured(value, &self.measure);
        let usual = format!("{} (usually ± {})", number(past.mean), number(self.limits.deviation(past)));
        let column = &self.column;
        let summary = match (level, past.level) {
            (OK, 0) => format!("{column} is usually at {}", number(past.mean)),
            (OK, _) if past.suspect.saturating_add(1) >= self.limits.adopt && self.limits.adopt > 0 => {
                format!("{column} {}, now learned as usual instead of {usual}", number(value))
            }
            (OK, _) => format!("{column} {}, back at {usual}", number(value)),
            _ => {
                let way = if past.high >= past.low { "up" } else { "down" };
                format!("{column} {}, shifted {way} from {usual}", number(value))
            }
        };
        Signal { key, level: severity(level), value, time: time_ns, lasts: 0, summary, extras: Vec::new() }
    }
}

weir_sdk::export_rule!(Change);
