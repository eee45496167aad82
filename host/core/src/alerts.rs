//! Alerts: what rules say, made into states that people can act on.
//!
//! In: declared rules with their [`Policy`], the words of rules ([`Said`]) and how far event time is for each rule and stream. Out: [`Transition`]s, in order, and
//! the alerts and episodes that there are. An alert is (rule id, triplet, labels); its states are in [`alert`], flapping in [`flap`], an episode (from
//! firing to resolved) in [`episode`]. All durations are event time, so the same words give the same transitions wherever and however fast they are
//! replayed; a word that is older than what its alert has already seen counts at that newer time. Each lane of a rule has its own time.
//! Limits: [`ALERTS_MAX`] alerts, of which the last fifth is for those that are not ok; [`EPISODES_MAX`] episodes that are over, the oldest go first. What does not fit is
//! counted. A word of a rule that was not declared is ignored and counted. No errors. Not here: silences, routes, delivery.

pub mod alert;
pub mod dump;
pub mod episode;
pub mod flap;
pub mod identity;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::Included;
use std::sync::Arc;

use crate::flow::effects::Said;
use crate::triplet::Triplet;
use crate::unit::Level;
pub use alert::{Alert, Beside, Phase};
pub use episode::{End, Episode};
pub use flap::Flap;
pub use identity::{AlertId, Labels};

pub const ALERTS_MAX: usize = 100_000;
/// Beyond this many, keys that are ok are not kept, so that there is room for those that are not.
pub const QUIET_MAX: usize = 80_000;
pub const EPISODES_MAX: usize = 10_000;

/// What the configuration says of a rule's alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a level must last before the alert fires; 0: at once.
    pub for_ns: i64,
    /// How long an alert goes on firing after the level is ok again.
    pub keep_firing_ns: i64,
    pub flap: Flap,
    /// An alert without any word for so long after it became silent is forgotten; 0: never.
    pub forget_ns: i64,
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A level that has not lasted long enough yet.
    Pending,
    /// It was pending and did not last.
    Withdrawn,
    Fired,
    /// It fires, and its level is another one than before.
    Level {
        from: Level,
    },
    /// It changes so often that it goes on firing until it is calm.
    Flapping,
    Calm,
    Ended(End),
}

#[derive(Clone, Debug)]
pub struct Transition {
    pub what: What,
    /// Event time.
    pub at_unix_ns: i64,
    /// Of the record in the log.
    pub position: u64,
    /// As it is after this.
    pub alert: Alert,
    /// That which goes on, or has just ended.
    pub episode: Option<Episode>,
}

/// A rule's alerts of one stream in one lane.
#[derive(Debug, Default)]
struct Scope {
    alerts: BTreeMap<Labels, Alert>,
    /// When each of them changes by itself; an alert stands here at most once.
    dues: BTreeSet<(i64, Labels)>,
}

#[derive(Debug)]
struct Rule {
    policy: Policy,
    /// Cannot be evaluated now: its component faults.
    failing: bool,
    /// Words ever.
    words_total: u64,
    scopes: BTreeMap<(u32, Triplet), Scope>,
}

/// How a rule stands as a whole.
#[derive(Debug, Clone, Copy)]
pub struct RuleState<'a> {
    pub id: &'a Arc<str>,
    pub failing: bool,
    /// 0: it has never said anything.
    pub words_total: u64,
    pub alerts: usize,
}

#[derive(Debug, Default)]
pub struct Alerts {
    rules: BTreeMap<Arc<str>, Rule>,
    count: usize,
    ended: VecDeque<Episode>,
    /// Keys that were not ok and did not fit.
    pub left_out_total: u64,
    /// Keys that were ok and did not fit.
    pub quiet_left_out_total: u64,
    /// Episodes that are over and were dropped for newer ones.
    pub episodes_dropped_total: u64,
    pub episodes_total: u64,
    /// Words of rules that are not declared.
    pub ignored_total: u64,
    /// Alerts that changed since the last dump; none: nobody wants to know.
    touched: Option<BTreeSet<dump::Touched>>,
    /// Keys of episodes that were dumped and have gone since.
    gone: Vec<Vec<u8>>,
}

impl Alerts {
    /// From now on these rules and no others: alerts of a rule that is gone end. Those of a rule that stays go on under its policy as it is now.
    pub fn declare(&mut self, rules: &[(Arc<str>, Policy)], position: u64) -> Vec<Transition> {
        let mut out = Vec::new();
        let gone: Vec<Arc<str>> =
            self.rules.keys().filter(|id| !rules.iter().any(|(known, _)| known == *id)).cloned().collect();
        for id in gone {
            let Some(rule) = self.rules.remove(&id) else { continue };
            for mut alert in rule.scopes.into_values().flat_map(|scope| scope.alerts.into_values()) {
                self.count -= 1;
                alert.end(End::RuleRemoved, position, &mut out);
            }
        }
        for (id, policy) in rules {
            match self.rules.get_mut(id) {
                Some(rule) if rule.policy == *policy => {}
                Some(rule) => {
                    rule.policy = *policy;
                    rule.scopes.values_mut().for_each(|scope| scope.plan_all(policy));
                }
                None => {
                    let rule =
                        Rule { policy: *policy, failing: false, words_total: 0, scopes: BTreeMap::new() };
                    self.rules.insert(Arc::clone(id), rule);
                }
            }
        }
        self.keep_ended(&out);
        out
    }

    /// A rule's word on one key, from a record that is done.
    pub fn say(&mut self, lane: u32, said: Said) -> Vec<Transition> {
        let mut out = Vec::new();
        let Some(rule) = self.rules.get_mut(&said.rule) else {
            self.ignored_total += 1;
            return out;
        };
        rule.words_total += 1;
        let policy = rule.policy;
        let labels: Labels = said.labels.into();
        dump::touch(&mut self.touched, &said.rule, lane, &said.triplet, &labels);
        let scope = rule.scopes.entry((lane, said.triplet.clone())).or_default();
        if let Some(alert) = scope.alerts.get_mut(&labels) {
            let time = alert.not_before(said.signal.time_unix_ns);
            if alert.pass(time, &policy, said.position, &mut out) {
                scope.remove(&labels);
                self.count -= 1;
            }
        }
        if !scope.alerts.contains_key(&labels) {
            let bad = said.signal.level >= Level::Info;
            if self.count >= if bad { ALERTS_MAX } else { QUIET_MAX } {
                *(if bad { &mut self.left_out_total } else { &mut self.quiet_left_out_total }) += 1;
                self.keep_ended(&out);
                return out;
            }
            self.count += 1;
            let alert = Alert::new(Arc::clone(&said.rule), said.triplet, Arc::clone(&labels));
            scope.alerts.insert(Arc::clone(&labels), alert);
        }
        if let Some(alert) = scope.alerts.get_mut(&labels) {
            alert.hear(said.signal, &policy, said.position, &mut out);
        }
        scope.plan(&labels, &policy);
        self.keep_ended(&out);
        out
    }

    /// Event time has come to `mark` (of a stream) in one lane of a rule: what is due by it happens.
    pub fn advance(
        &mut self,
        rule: &str,
        lane: u32,
        position: u64,
        mark: impl Fn(&Triplet) -> i64,
    ) -> Vec<Transition> {
        let mut out = Vec::new();
        let Some((id, rule)) = self.rules.range_mut::<str, _>((Included(rule), Included(rule))).next() else {
            return out;
        };
        let policy = rule.policy;
        let own = rule.scopes.iter_mut().filter(|((of, _), scope)| *of == lane && !scope.dues.is_empty());
        for ((_, triplet), scope) in own {
            let mark = mark(triplet);
            while let Some((due, labels)) = scope.dues.first().cloned() {
                if due > mark {
                    break;
                }
                scope.dues.pop_first();
                dump::touch(&mut self.touched, id, lane, triplet, &labels);
                let Some(alert) = scope.alerts.get_mut(&labels) else { continue };
                if alert.pass(mark, &policy, position, &mut out) {
                    scope.remove(&labels);
                    self.count -= 1;
                } else {
                    scope.plan(&labels, &policy);
                }
            }
        }
        self.keep_ended(&out);
        out
    }

    /// Whether the rule can be evaluated; a state beside the levels of its alerts, which stay as they are.
    pub fn set_failing(&mut self, rule: &str, failing: bool) {
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.failing = failing;
        }
    }

    pub fn rules(&self) -> impl Iterator<Item = RuleState<'_>> {
        self.rules.iter().map(|(id, rule)| RuleState {
            id,
            failing: rule.failing,
            words_total: rule.words_total,
            alerts: rule.scopes.values().map(|scope| scope.alerts.len()).sum(),
        })
    }

    /// All alerts with the state beside their level.
    pub fn all(&self) -> impl Iterator<Item = (&Alert, Beside)> {
        self.rules.values().flat_map(|rule| {
            let alerts = rule.scopes.values().flat_map(|scope| scope.alerts.values());
            alerts.map(|alert| (alert, if rule.failing { Beside::Failing } else { alert.beside }))
        })
    }

    pub fn find(&self, id: AlertId) -> Option<(&Alert, Beside)> {
        self.all().find(|(alert, _)| alert.id == id)
    }

    /// Episodes that are over, newest end first.
    pub fn ended(&self) -> impl Iterator<Item = &Episode> {
        self.ended.iter().rev()
    }

    fn keep_ended(&mut self, transitions: &[Transition]) {
        for transition in transitions {
            match (transition.what, &transition.episode) {
                (What::Fired, _) => self.episodes_total += 1,
                (What::Ended(_), Some(episode)) => self.ended.push_back(episode.clone()),
                _ => {}
            }
        }
        while self.ended.len() > EPISODES_MAX {
            if let Some(gone) = self.ended.pop_front() {
                self.note_gone(&gone);
            }
            self.episodes_dropped_total += 1;
        }
    }
}

impl Scope {
    /// Notes when the alert changes by itself, in place of what was noted before.
    fn plan(&mut self, labels: &Labels, policy: &Policy) {
        let Some(alert) = self.alerts.get_mut(labels) else { return };
        let due = alert.due(policy);
        let before = std::mem::replace(&mut alert.planned, due);
        if before != due
            && let Some(before) = before
        {
            self.dues.remove(&(before, Arc::clone(labels)));
        }
        if let Some(due) = due {
            self.dues.insert((due, Arc::clone(labels)));
        }
    }

    fn plan_all(&mut self, policy: &Policy) {
        let all: Vec<Labels> = self.alerts.keys().cloned().collect();
        all.iter().for_each(|labels| self.plan(labels, policy));
    }

    fn remove(&mut self, labels: &Labels) {
        if let Some(due) = self.alerts.remove(labels).and_then(|alert| alert.planned) {
            self.dues.remove(&(due, Arc::clone(labels)));
        }
    }
}
