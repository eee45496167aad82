//! What a value means for a key, given what was said of it last.
//!
//! In: a value with its time. Out: a level where something is to be said: at the first value, when the level changes, when a value that is not ok goes a tenth
//! further beyond its limit than what was said (so that the worst of it is known within a tenth), and, where levels go stale, again when half of that time has passed. A value
//! older than the last word says nothing of how things stand, nor does NaN. Row by row: cut-invariant.

use weir_sdk::State;
use weir_sdk::rule::Severity;

use crate::config::{Direction, Limit, Limits};

/// How much further beyond the limit a value must be to be worth another word.
const FURTHER: f64 = 1.1;
/// And at least that part of the limit itself.
const FURTHER_OF_LIMIT: f64 = 0.01;

/// The last word on a key.
#[derive(Clone, Copy, Debug, Default, State)]
pub struct Last {
    pub time_ns: i64,
    pub value: f64,
    /// 0: nothing was said yet; else one more than the level's place in ok, warning, critical.
    pub level: u8,
}

const OK: u8 = 1;
const WARNING: u8 = 2;
const CRITICAL: u8 = 3;

impl Limits {
    /// The new last word, where there is something to say.
    pub fn judge(&self, last: &Last, time_ns: i64, value: f64) -> Option<Last> {
        if value.is_nan() || (last.level != 0 && time_ns < last.time_ns) {
            return None;
        }
        let level = self.level_of(value, last.level);
        let half = self.stale_after_ns / 2;
        let again = half > 0 && time_ns.saturating_sub(last.time_ns) >= half;
        let say = last.level != level || again || self.is_further(level, last.value, value);
        say.then_some(Last { time_ns, value, level })
    }

    fn level_of(&self, value: f64, before: u8) -> u8 {
        let holds = |limit: Option<Limit>, level: u8| {
            limit.is_some_and(|limit| {
                self.beyond(value, limit.begins) || (before >= level && self.beyond(value, limit.ends))
            })
        };
        match (holds(self.critical, CRITICAL), holds(self.warning, WARNING)) {
            (true, _) => CRITICAL,
            (false, true) => WARNING,
            (false, false) => OK,
        }
    }

    /// A value at a limit is not beyond it.
    fn beyond(&self, value: f64, limit: f64) -> bool {
        match self.direction {
            Direction::Above => value > limit,
            Direction::Below => value < limit,
        }
    }

    fn is_further(&self, level: u8, said: f64, value: f64) -> bool {
        let Some(limit) = self.limit(level).filter(|_| level != OK) else { return false };
        let excess = |value: f64| match self.direction {
            Direction::Above => (value - limit.begins).max(0.0),
            Direction::Below => (limit.begins - value).max(0.0),
        };
        let (before, now) = (excess(said), excess(value));
        now > before * FURTHER && now - before > limit.begins.abs() * FURTHER_OF_LIMIT
    }

    /// Of ok: where it would begin to be bad.
    fn limit(&self, level: u8) -> Option<Limit> {
        match level {
            CRITICAL => self.critical,
            WARNING => self.warning,
            _ => self.warning.or(self.critical),
        }
    }

    /// "over 500", "not over 500", "not over 300, where warning ends" (after a level `before` that was not ok), "still over 450, where critical ends"
    pub fn words(&self, last: &Last, before: u8, number: impl Fn(f64) -> String) -> String {
        let Some(limit) = self.limit(last.level) else { return String::new() };
        let side = match self.direction {
            Direction::Above => "over",
            Direction::Below => "under",
        };
        match severity(last.level) {
            Severity::Ok if before > OK && limit.ends.to_bits() != limit.begins.to_bits() => {
                let name = if self.warning.is_some() { "warning" } else { "critical" };
                format!("not {side} {}, where {name} ends", number(limit.ends))
            }
            Severity::Ok => format!("not {side} {}", number(limit.begins)),
            _ if self.beyond(last.value, limit.begins) => format!("{side} {}", number(limit.begins)),
            level => {
                let name = if matches!(level, Severity::Critical) { "critical" } else { "warning" };
                format!("still {side} {}, where {name} ends", number(limit.ends))
            }
        }
    }
}

pub fn severity(level: u8) -> Severity {
    match level {
        OK => Severity::Ok,
        WARNING => Severity::Warning,
        CRITICAL => Severity::Critical,
        _ => Severity::Unknown,
    }
}
