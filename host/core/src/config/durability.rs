//! The sections `[data]`, `[state]` and `[dead]`: where the host keeps what outlives it, for how long, and in what.
//!
//! The first two are read once, at the start; a change of them needs a restart.

use super::check::Check;
use super::measure;
use super::raw::{self, At};
use super::{Place, near::hint};

/// What of the past is kept beyond what a restart needs.
const KEEP_AGE_DEFAULT: &str = "1d";
const KEEP_BYTES_DEFAULT: &str = "4GiB";
/// One segment is never removed while it is written.
const KEEP_BYTES_MIN: u64 = 64 << 20;
/// How long a start may replay: what a person waits without asking what is wrong.
const REPLAY_DEFAULT: &str = "2s";
const REPLAY_NS_MIN: i64 = 100_000_000;
const REPLAY_NS_MAX: i64 = 600_000_000_000;
const DIR_BYTES_MAX: usize = 1_024;
/// Dead letters: enough to look at what a bad release did over a long weekend.
const DEAD_ROWS_DEFAULT: u64 = 100_000;
const DEAD_ROWS_MAX: i64 = 10_000_000;
const DEAD_BYTES_DEFAULT: &str = "64MiB";
/// They are in memory too.
const DEAD_BYTES_MAX: u64 = 1 << 30;
const DEAD_BYTES_MIN: u64 = 64 << 10;
const DEAD_AGE_DEFAULT: &str = "14d";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSpec {
    /// None: what the command line or the system says.
    pub dir: Option<String>,
    /// False: nothing outlives the process.
    pub durable: bool,
    pub keep_age_ns: i64,
    pub keep_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSpec {
    pub engine: StateEngine,
    /// A checkpoint is made before replaying what came since the last one would take longer.
    pub replay_ns: i64,
}

/// How many dead letters are kept; the oldest go first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadSpec {
    pub keep_rows: u64,
    pub keep_bytes: u64,
    pub keep_age_ns: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEngine {
    Sled,
    Redb,
}

impl StateEngine {
    /// As in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }
}

/// What the senders of a source are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// An answer means that it is on disk.
    Fsync,
    /// It is on disk within a fifth of a second.
    Interval,
    /// It is written, and on disk when something else is.
    Off,
}

impl Durability {
    pub const WORDS: [(&'static str, Self); 3] =
        [("fsync", Self::Fsync), ("interval", Self::Interval), ("off", Self::Off)];
}

pub(super) fn data(check: &Check<'_>, raw: &raw::Data) -> DataSpec {
    let place = Place { words: "data".into(), ..raw.place.clone() };
    if let Some(dir) = &raw.dir
        && (dir.value.is_empty()
            || dir.value.len() > DIR_BYTES_MAX
            || dir.value.chars().any(char::is_control))
    {
        let message = "is no path; write one, like \"/var/lib/weir\", or leave it out";
        check.problem(&place, "dir", dir.line, message);
    }
    let text = raw.keep_bytes.as_ref();
    let keep_bytes = measure::size_bytes(text.map_or(KEEP_BYTES_DEFAULT, |text| &text.value));
    let keep_bytes = keep_bytes.and_then(|bytes| {
        (bytes >= KEEP_BYTES_MIN).then_some(bytes).ok_or_else(|| "must be at least \"64MiB\"".to_owned())
    });
    DataSpec {
        dir: raw.dir.as_ref().map(|dir| dir.value.clone()),
        durable: raw.durable.as_ref().is_none_or(|durable| durable.value),
        keep_age_ns: check.duration_ns(&place, "keep_age", raw.keep_age.as_ref(), KEEP_AGE_DEFAULT),
        keep_bytes: keep_bytes.unwrap_or_else(|message| {
            check.problem(&place, "keep_bytes", text.map_or(0, |text| text.line), message);
            KEEP_BYTES_MIN
        }),
    }
}

pub(super) fn state(check: &Check<'_>, raw: &raw::State) -> StateSpec {
    let place = Place { words: "state".into(), ..raw.place.clone() };
    let words = [("redb", StateEngine::Redb), ("sled", StateEngine::Sled)];
    let replay_ns = check.duration_ns(&place, "replay", raw.replay.as_ref(), REPLAY_DEFAULT);
    if let Some(replay) =
        raw.replay.as_ref().filter(|_| !(REPLAY_NS_MIN..=REPLAY_NS_MAX).contains(&replay_ns))
    {
        check.problem(&place, "replay", replay.line, "must be from \"100ms\" to \"10m\"");
    }
    let engine = one_of(check, &place, "engine", raw.engine.as_ref(), &words);
    StateSpec { engine: engine.unwrap_or(StateEngine::Redb), replay_ns }
}

pub(super) fn dead(check: &Check<'_>, raw: &raw::Dead) -> DeadSpec {
    let place = Place { words: "dead".into(), ..raw.place.clone() };
    let keep_rows = match &raw.keep_rows {
        None => DEAD_ROWS_DEFAULT,
        Some(rows) => {
            if !(1..=DEAD_ROWS_MAX).contains(&rows.value) {
                check.problem(&place, "keep_rows", rows.line, format!("must be from 1 to {DEAD_ROWS_MAX}"));
            }
            rows.value.unsigned_abs()
        }
    };
    let text = raw.keep_bytes.as_ref();
    let keep_bytes = measure::size_bytes(text.map_or(DEAD_BYTES_DEFAULT, |text| &text.value));
    let keep_bytes = keep_bytes.and_then(|bytes| {
        let fits = (DEAD_BYTES_MIN..=DEAD_BYTES_MAX).contains(&bytes);
        fits.then_some(bytes).ok_or_else(|| "must be from \"64KiB\" to \"1GiB\"".to_owned())
    });
    DeadSpec {
        keep_rows,
        keep_bytes: keep_bytes.unwrap_or_else(|message| {
            check.problem(&place, "keep_bytes", text.map_or(0, |text| text.line), message);
            DEAD_BYTES_MIN
        }),
        keep_age_ns: check.duration_ns(&place, "keep_age", raw.keep_age.as_ref(), DEAD_AGE_DEFAULT),
    }
}

/// None where nothing was written, or nothing that is known.
pub(super) fn one_of<T: Copy>(
    check: &Check<'_>,
    place: &Place,
    member: &str,
    text: Option<&At<String>>,
    words: &[(&'static str, T)],
) -> Option<T> {
    let text = text?;
    let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let near = hint(&text.value, words.iter().map(|(word, _)| *word));
        let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let message = format!("`{}` is not known{near}; write {}", text.value, all.join(" or "));
        check.problem(place, member, text.line, message);
    }
    found
}
