//! One alert: the state machine.
//!
//! ```text
//! ok -> pending (for) -> firing <-> recovering (keep-firing, flapping) -> ok
//! ```
//! In: words of its rule and event time that passes. Out: [`Transition`]s. Beside the phase stands whether there is a word at all ([`Beside`]): silence never
//! resolves and never fires anything. It takes back a pending alert (that the level lasted is not known), makes a recovering one fire on (that it stayed ok is not
//! known), and ends in forgetting. What is due at a time happens before a word of that time is heard; a word that lasts until a time still holds at it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::episode::{End, Episode, EpisodeId, Worst};
use super::flap::Changes;
use super::identity::{AlertId, Labels};
use super::{Policy, Transition, What};
use crate::triplet::Triplet;
use crate::unit::{Level, Signal};

/// Times are event times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Ok,
    Pending { since_unix_ns: i64 },
    Firing,
    Recovering { since_unix_ns: i64 },
}

impl Phase {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending { .. } => "pending",
            Self::Firing => "firing",
            Self::Recovering { .. } => "recovering",
        }
    }
}

/// The state beside the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    Fresh,
    /// There was a word and it has run out: the source is silent.
    Stale,
    /// The rule itself says that it has nothing to go by.
    Absent,
    /// The rule cannot be evaluated.
    Failing,
}

impl Beside {
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Absent => "absent",
            Self::Failing => "failing",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alert {
    pub id: AlertId,
    #[serde(with = "crate::exact::text")]
    pub rule: Arc<str>,
    pub triplet: Triplet,
    #[serde(with = "crate::exact::labels")]
    pub labels: Labels,
    pub phase: Phase,
    pub beside: Beside,
    /// The last one that was known.
    pub level: Level,
    #[serde(with = "crate::exact::bits")]
    pub value: f64,
    pub summary: String,
    /// Event time since which this level holds.
    pub since_unix_ns: i64,
    /// Event time and position of the last word.
    pub word_unix_ns: i64,
    pub word_position: u64,
    pub flapping: bool,
    /// That which goes on.
    pub episode: Option<Episode>,
    /// Written by the owner: what [`Alert::due`] said last.
    #[serde(skip)]
    pub(super) planned: Option<i64>,
    /// Never falls.
    clock_unix_ns: i64,
    /// Until when the last word holds; none: for ever.
    holds_unix_ns: Option<i64>,
    silent_since_unix_ns: i64,
    changes: Changes,
    worst: Option<Worst>,
    #[serde(with = "crate::exact::maybe_bits")]
    ok_value: Option<f64>,
    /// Of the last episode.
    last_start: Option<EpisodeId>,
}

impl Alert {
    pub fn new(rule: Arc<str>, triplet: Triplet, labels: Labels) -> Self {
        Self {
            id: AlertId::new(&rule, &triplet, &labels),
            rule,
            triplet,
            labels,
            phase: Phase::Ok,
            beside: Beside::Fresh,
            level: Level::Unknown,
            value: f64::NAN,
            summary: String::new(),
            since_unix_ns: i64::MIN,
            word_unix_ns: i64::MIN,
            word_position: 0,
            flapping: false,
            episode: None,
            planned: None,
            clock_unix_ns: i64::MIN,
            holds_unix_ns: None,
            silent_since_unix_ns: i64::MIN,
            changes: Changes::default(),
            worst: None,
            ok_value: None,
            last_start: None,
        }
    }

    /// The time at which a word of this time counts.
    pub fn not_before(&self, time_unix_ns: i64) -> i64 {
        time_unix_ns.max(self.clock_unix_ns)
    }

    /// When it changes by itself.
    pub fn due(&self, policy: &Policy) -> Option<i64> {
        let phase = match self.phase {
            Phase::Pending { since_unix_ns } => Some(since_unix_ns.saturating_add(policy.for_ns)),
            Phase::Recovering { since_unix_ns } if !self.flapping => {
                Some(since_unix_ns.saturating_add(policy.keep_firing_ns))
            }
            _ => None,
        };
        let calm = self.flapping.then(|| self.changes.calm_at(&policy.flap));
        let silence = match self.beside {
            Beside::Fresh => self.holds_unix_ns.map(|until| until.saturating_add(1)),
            _ => (policy.forget_ns > 0).then(|| self.silent_since_unix_ns.saturating_add(policy.forget_ns)),
        };
        [phase, calm, silence].into_iter().flatten().min().map(|due| due.max(self.clock_unix_ns))
    }

    /// Event time passes; true where the alert is to be forgotten.
    pub fn pass(
        &mut self,
        until_unix_ns: i64,
        policy: &Policy,
        position: u64,
        out: &mut Vec<Transition>,
    ) -> bool {
        while let Some(at) = self.due(policy).filter(|due| *due <= until_unix_ns) {
            self.clock_unix_ns = at;
            if self.flapping && self.changes.calm_at(&policy.flap) <= at {
                self.flapping = false;
                self.tell(What::Calm, position, out);
                continue;
            }
            match self.phase {
                Phase::Recovering { since_unix_ns }
                    if !self.flapping && since_unix_ns.saturating_add(policy.keep_firing_ns) <= at =>
                {
                    self.resolve(policy, position, out);
                }
                Phase::Pending { since_unix_ns } if since_unix_ns.saturating_add(policy.for_ns) <= at => {
                    self.fire(since_unix_ns, policy, position, out);
                }
                _ if self.beside == Beside::Fresh => self.fall_silent(Beside::Stale, position, out),
                _ => {
                    self.end(End::Forgotten, position, out);
                    return true;
                }
            }
        }
        self.clock_unix_ns = self.clock_unix_ns.max(until_unix_ns);
        false
    }

    /// A word of the rule. Time must have passed up to it.
    pub fn hear(&mut self, signal: Signal, policy: &Policy, position: u64, out: &mut Vec<Transition>) {
        let at = self.not_before(signal.time_unix_ns);
        self.clock_unix_ns = at;
        (self.word_unix_ns, self.word_position) = (at, position);
        if signal.level == Level::Unknown {
            if self.beside != Beside::Absent {
                self.fall_silent(Beside::Absent, position, out);
            }
            return;
        }
        self.beside = Beside::Fresh;
        self.holds_unix_ns = (signal.lasts_ns > 0).then(|| at.saturating_add(signal.lasts_ns));
        if self.level != signal.level {
            self.since_unix_ns = at;
        }
        (self.level, self.value, self.summary) = (signal.level, signal.value, signal.summary);
        if self.level >= Level::Info {
            self.bad(at, policy, position, out);
        } else {
            self.ok_value = Some(self.value);
            self.good(at, policy, position, out);
        }
        // With durations of 0 the next step is due at once.
        self.pass(at, policy, position, out);
    }

    fn bad(&mut self, at: i64, policy: &Policy, position: u64, out: &mut Vec<Transition>) {
        let word =
            Worst { level: self.level, value: self.value, at_unix_ns: at, summary: self.summary.clone() };
        match &mut self.worst {
            Some(worst) => worst.take(&word, self.ok_value),
            None => self.worst = Some(word),
        }
        match self.phase {
            Phase::Ok => {
                self.phase = Phase::Pending { since_unix_ns: at };
                if policy.for_ns > 0 {
                    self.tell(What::Pending, position, out);
                }
            }
            Phase::Recovering { .. } => {
                self.phase = Phase::Firing;
                if self.flapping {
                    self.changes.push(at, &policy.flap);
                }
            }
            Phase::Pending { .. } | Phase::Firing => {}
        }
        let Some(episode) = &mut self.episode else { return };
        if let Some(worst) = &self.worst {
            episode.worst = worst.clone();
        }
        let from = std::mem::replace(&mut episode.level, self.level);
        if from != self.level {
            self.tell(What::Level { from }, position, out);
        }
    }

    fn good(&mut self, at: i64, policy: &Policy, position: u64, out: &mut Vec<Transition>) {
        match self.phase {
            Phase::Ok | Phase::Recovering { .. } => {}
            Phase::Pending { .. } => self.withdraw(position, out),
            Phase::Firing => {
                self.phase = Phase::Recovering { since_unix_ns: at };
                if self.flapping {
                    self.changes.push(at, &policy.flap);
                }
            }
        }
    }

    fn withdraw(&mut self, position: u64, out: &mut Vec<Transition>) {
        self.phase = Phase::Ok;
        self.worst = None;
        self.tell(What::Withdrawn, position, out);
    }

    fn fall_silent(&mut self, beside: Beside, position: u64, out: &mut Vec<Transition>) {
        if self.beside == Beside::Fresh {
            self.silent_since_unix_ns = self.clock_unix_ns;
        }
        self.beside = beside;
        self.holds_unix_ns = None;
        match self.phase {
            Phase::Pending { .. } => self.withdraw(position, out),
            Phase::Recovering { .. } => self.phase = Phase::Firing,
            Phase::Ok | Phase::Firing => {}
        }
    }

    fn fire(&mut self, pending_unix_ns: i64, policy: &Policy, position: u64, out: &mut Vec<Transition>) {
        let at = self.clock_unix_ns;
        self.phase = Phase::Firing;
        let ordinal = match self.last_start {
            Some(last) if last.start_position == position => last.ordinal + 1,
            _ => 0,
        };
        let id = EpisodeId { alert: self.id, start_position: position, ordinal };
        self.last_start = Some(id);
        let now =
            Worst { level: self.level, value: self.value, at_unix_ns: at, summary: self.summary.clone() };
        self.episode = Some(Episode {
            id,
            rule: Arc::clone(&self.rule),
            triplet: self.triplet.clone(),
            labels: Arc::clone(&self.labels),
            pending_unix_ns,
            started_unix_ns: at,
            level: self.level,
            worst: self.worst.clone().unwrap_or(now),
            flapped: false,
            ended: None,
        });
        self.tell(What::Fired, position, out);
        self.change(at, policy, position, out);
    }

    /// Ends the episode, unless that is once too often.
    fn resolve(&mut self, policy: &Policy, position: u64, out: &mut Vec<Transition>) {
        self.change(self.clock_unix_ns, policy, position, out);
        if !self.flapping {
            self.end(End::Resolved, position, out);
        }
    }

    fn change(&mut self, at: i64, policy: &Policy, position: u64, out: &mut Vec<Transition>) {
        self.changes.push(at, &policy.flap);
        if self.changes.too_many(at, &policy.flap) {
            self.flapping = true;
            if let Some(episode) = &mut self.episode {
                episode.flapped = true;
            }
            self.tell(What::Flapping, position, out);
        }
    }

    /// The episode, if there is one, is over.
    pub fn end(&mut self, end: End, position: u64, out: &mut Vec<Transition>) {
        self.phase = Phase::Ok;
        self.flapping = false;
        self.worst = None;
        let Some(mut episode) = self.episode.take() else { return };
        episode.ended = Some((self.clock_unix_ns, position, end));
        out.push(Transition {
            what: What::Ended(end),
            at_unix_ns: self.clock_unix_ns,
            position,
            alert: self.clone(),
            episode: Some(episode),
        });
    }

    fn tell(&self, what: What, position: u64, out: &mut Vec<Transition>) {
        let episode = self.episode.clone();
        out.push(Transition { what, at_unix_ns: self.clock_unix_ns, position, alert: self.clone(), episode });
    }
}
