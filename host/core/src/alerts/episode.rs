//! One alert from firing to resolved.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::identity::{AlertId, Labels};
use crate::triplet::Triplet;
use crate::unit::Level;

/// Why an episode is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The level was ok for long enough.
    Resolved,
    /// Nothing was heard for so long that nobody can say.
    Forgotten,
    RuleRemoved,
}

impl End {
    pub fn word(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Forgotten => "forgotten",
            Self::RuleRemoved => "rule-removed",
        }
    }
}

/// The identity of its alert and where in the log it began; the second and further ones that begin in one record are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EpisodeId {
    pub alert: AlertId,
    pub start_position: u64,
    pub ordinal: u32,
}

impl fmt::Display for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.alert, self.start_position)?;
        if self.ordinal > 0 { write!(f, ".{}", self.ordinal) } else { Ok(()) }
    }
}

/// The worst word: of the worst level the value that is farthest from the last one that was ok.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worst {
    pub level: Level,
    #[serde(with = "crate::exact::bits")]
    pub value: f64,
    pub at_unix_ns: i64,
    pub summary: String,
}

impl Worst {
    pub fn take(&mut self, other: &Self, ok_value: Option<f64>) {
        let farther = ok_value.is_some_and(|ok| (other.value - ok).abs() > (self.value - ok).abs());
        if other.level > self.level || (other.level == self.level && farther) {
            *self = other.clone();
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Episode {
    pub id: EpisodeId,
    #[serde(with = "crate::exact::text")]
    pub rule: Arc<str>,
    pub triplet: Triplet,
    #[serde(with = "crate::exact::labels")]
    pub labels: Labels,
    /// Event time since which it was not ok.
    pub pending_unix_ns: i64,
    /// Event time at which it fired.
    pub started_unix_ns: i64,
    pub level: Level,
    pub worst: Worst,
    /// Whether it flapped at any time.
    pub flapped: bool,
    /// Event time, position and reason.
    pub ended: Option<(i64, u64, End)>,
}
