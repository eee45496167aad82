//! absent: a rule that notices when a key went silent.
//!
//! In: events; of them only key and time. Out: signals: ok at the first event of a key and when it is back, warning and critical when the watermark has passed its
//! newest event by so much, unknown when it is given up. The timers are by event time: a stream that is silent as a whole goes on with the clock, a stream that is replayed
//! is judged as it was. A late event changes nothing. State: the newest event and the level of each key; one timer for each. What was never seen is not missed. Not
//! cut-invariant: a silence that begins and ends within one batch is not seen, because rows within it may come in any order.

pub mod config;

#[cfg(test)]
mod tests;

use weir_sdk::aggregate::State as _;
use weir_sdk::column::U32s;
use weir_sdk::failure::bad_config;
use weir_sdk::per_key::PerKey;
use weir_sdk::rule::{Severity, Signal};
use weir_sdk::timers;
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Due, Failure, Opening, Plan, Rule, State, Table,
};
use weir_text::duration;

use config::{Config, Limits, SCHEMA};

/// The only state table.
const SEEN: u32 = 0;

/// Of one key.
#[derive(Clone, Copy, Debug, Default, State)]
struct Seen {
    newest_ns: i64,
    /// 0: never seen.
    level: u8,
}

const OK: u8 = 1;
const WARNING: u8 = 2;
const CRITICAL: u8 = 3;

pub struct Absent {
    limits: Limits,
    seen: PerKey<Seen>,
}

impl Rule for Absent {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Notices when a key went silent: warning or critical after so long without an event";
        Description::new("rule", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        Limits::check(&config)?;
        let plan =
            Plan::default().reads([]).keys(config.keys).table(Table::by_key("seen", Seen::BYTES as u32));
        Ok(Plan { selector: Some(config.only).filter(|only| !only.is_empty()), ..plan })
    }

    fn open(config: Config, _opening: &Opening) -> Result<Self, Failure> {
        let limits = Limits::check(&config).map_err(bad_config)?;
        Ok(Self { limits, seen: PerKey::new(SEEN) })
    }

    fn evaluate(&mut self, context: &Context, input: Batch) -> Result<Vec<Signal>, Failure> {
        self.seen.forget(context);
        let (times, keys) = (input.times(), input.key_numbers());
        self.seen.load((0..input.rows as usize).map(|row| keys.get(row)));
        let (mut signals, mut wakes) = (Vec::new(), Vec::new());
        for row in 0..input.rows as usize {
            let (key, time) = (keys.get(row), times.get(row));
            let Some(seen) =
                self.seen.get(key).copied().filter(|seen| seen.level == 0 || time > seen.newest_ns)
            else {
                continue;
            };
            if seen.level != OK {
                signals.push(back(key, time, &seen));
                // While a key is ok its timer is not moved with each event: the tick looks at the newest one and waits on.
                wakes.push((key, time));
            }
            if let Some(seen) = self.seen.get_mut(key) {
                *seen = Seen { newest_ns: time, level: OK };
            }
        }
        self.seen.store()?;
        self.wake(wakes.into_iter().map(|(key, time)| (key, time, OK)));
        Ok(signals)
    }

    fn tick(&mut self, context: &Context, due: Due) -> Result<Vec<Signal>, Failure> {
        self.seen.forget(context);
        let keys = U32s::new(&due.keys).to_vec();
        self.seen.load(keys.iter().copied());
        let (mut signals, mut wakes, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            let Some(seen) = self.seen.get(key).copied().filter(|seen| seen.level != 0) else { continue };
            let (level, word) = self.judge(key, &seen, context.watermark);
            signals.extend(word);
            match level {
                None => gone.push(key),
                Some(level) => {
                    wakes.push((key, seen.newest_ns, level));
                    if level != seen.level
                        && let Some(seen) = self.seen.get_mut(key)
                    {
                        seen.level = level;
                    }
                }
            }
        }
        if !gone.is_empty() {
            self.seen.remove(&gone);
        }
        self.seen.store()?;
        self.wake(wakes.into_iter());
        Ok(signals)
    }
}

impl Absent {
    /// The level by now (none: the key is given up), and what is to be said.
    fn judge(&self, key: u32, seen: &Seen, watermark_ns: i64) -> (Option<u8>, Option<Signal>) {
        let silent =
            |after: Option<i64>| after.filter(|after| seen.newest_ns.saturating_add(*after) <= watermark_ns);
        if let Some(after) = silent(self.limits.forget_ns) {
            let text = format!("silent for {}, given up", duration(after));
            return (None, Some(signal(key, Severity::Unknown, seen, after, text)));
        }
        let (level, severity, after) = match (silent(self.limits.critical_ns), silent(self.limits.warning_ns))
        {
            (Some(after), _) => (CRITICAL, Severity::Critical, after),
            (None, Some(after)) => (WARNING, Severity::Warning, after),
            (None, None) => (OK, Severity::Ok, 0),
        };
        let word = (level > seen.level)
            .then(|| signal(key, severity, seen, after, format!("silent for {}", duration(after))));
        (Some(level.max(seen.level)), word)
    }

    /// Timers for what comes next after these levels.
    fn wake(&self, keys: impl Iterator<Item = (u32, i64, u8)>) {
        let next = keys.filter_map(|(key, newest_ns, level)| {
            Some((key, newest_ns.saturating_add(self.limits.next_ns(level)?)))
        });
        let (keys, times): (Vec<u32>, Vec<i64>) = next.unzip();
        if !keys.is_empty() {
            timers::wake(&keys, &vec![0; keys.len()], &times);
        }
    }
}

/// The value is the silence in seconds.
fn signal(key: u32, level: Severity, seen: &Seen, after_ns: i64, summary: String) -> Signal {
    Signal {
        key,
        level,
        value: after_ns as f64 / 1e9,
        time: seen.newest_ns.saturating_add(after_ns),
        lasts: 0,
        summary,
        extras: Vec::new(),
    }
}

fn back(key: u32, time_ns: i64, seen: &Seen) -> Signal {
    let (value, summary) = match seen.level {
        0 => (0.0, "seen for the first time".to_owned()),
        _ => {
            let silence_ns = time_ns.saturating_sub(seen.newest_ns);
            (silence_ns as f64 / 1e9, format!("back after a silence of {}", duration(silence_ns)))
        }
    };
    Signal { key, level: Severity::Ok, value, time: time_ns, lasts: 0, summary, extras: Vec::new() }
}

weir_sdk::export_rule!(Absent);
