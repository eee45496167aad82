//! What the rules say now: the last signal for each (rule, triplet, labels).
//!
//! The alert state machine (pending, firing, resolved, silences) stands on this; here a level is only what the rule said last, or `unknown` once its word
//! has run out. Bounded: beyond [`STANDING_MAX`] keys a new one is counted and left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::flow::effects::Said;
use crate::triplet::Triplet;
use crate::unit::Level;

pub const STANDING_MAX: usize = 100_000;

type Identity = (Arc<str>, Triplet, Vec<(Arc<str>, String)>);
/// Rule, triplet, labels, and what stands for them.
pub type Stands<'a> = (&'a str, &'a Triplet, &'a [(Arc<str>, String)], Standing);

#[derive(Debug, Clone)]
pub struct Standing {
    pub level: Level,
    pub value: f64,
    /// Event time since which this level holds.
    pub since_unix_ns: i64,
    pub lasts_ns: i64,
    pub summary: String,
    pub position: u64,
    /// Event time of the last signal.
    pub time_unix_ns: i64,
}

#[derive(Debug, Default)]
pub struct Signals {
    standing: BTreeMap<Identity, Standing>,
    pub left_out_total: u64,
}

impl Signals {
    pub fn take(&mut self, said: Said) {
        let identity = (said.rule, said.triplet, said.labels);
        let signal = said.signal;
        if self.standing.len() >= STANDING_MAX && !self.standing.contains_key(&identity) {
            self.left_out_total += 1;
            return;
        }
        let before = self.standing.get(&identity);
        let since = before.filter(|before| before.level == signal.level).map(|before| before.since_unix_ns);
        let standing = Standing {
            level: signal.level,
            value: signal.value,
            since_unix_ns: since.unwrap_or(signal.time_unix_ns),
            lasts_ns: signal.lasts_ns,
            summary: signal.summary,
            position: said.position,
            time_unix_ns: signal.time_unix_ns,
        };
        self.standing.insert(identity, standing);
    }

    /// Rule, triplet, labels and what stands for them; a word that has run out at `now` shows as unknown.
    pub fn all(&self, now_unix_ns: i64) -> impl Iterator<Item = Stands<'_>> {
        self.standing.iter().map(move |((rule, triplet, labels), standing)| {
            let mut standing = standing.clone();
            let until = standing.time_unix_ns.saturating_add(standing.lasts_ns);
            if standing.lasts_ns > 0 && until < now_unix_ns {
                standing.level = Level::Unknown;
            }
            (&**rule, triplet, labels.as_slice(), standing)
        })
    }

    /// Forgets what rules said that run no more.
    pub fn retain(&mut self, runs: impl Fn(&str) -> bool) {
        self.standing.retain(|(rule, _, _), _| runs(rule));
    }
}
