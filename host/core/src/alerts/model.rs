//! A small model of one alert, written apart from the machine: it walks through time one unit after the other and looks at everything at each; no deadlines.

use super::{End, Policy, What};
use crate::unit::Level;

/// What happened, and when.
pub type Told = (i64, What);

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Ok,
    Pending(i64),
    Firing,
    Recovering(i64),
}

/// A word: level and how long it holds (0: for ever).
pub type Word = (Level, i64);

pub struct Model {
    policy: Policy,
    phase: Phase,
    level: Level,
    shown_level: Level,
    /// None: silent.
    holds_until: Option<i64>,
    silent_since: i64,
    known: bool,
    flapping: bool,
    changes: Vec<i64>,
    pub told: Vec<Told>,
}

impl Model {
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            phase: Phase::Ok,
            level: Level::Unknown,
            shown_level: Level::Unknown,
            holds_until: Some(i64::MAX),
            silent_since: 0,
            known: false,
            flapping: false,
            changes: Vec::new(),
            told: Vec::new(),
        }
    }

    /// One unit of time, with the words that are said in it, in order.
    pub fn step(&mut self, now: i64, words: &[Word]) {
        self.settle(now);
        for word in words {
            self.known = true;
            self.hear(now, *word);
            self.settle(now);
        }
    }

    fn hear(&mut self, now: i64, (level, lasts): Word) {
        if level == Level::Unknown {
            if self.holds_until.is_some() {
                self.silent_since = now;
            }
            self.silence(now);
            return;
        }
        self.holds_until = Some(if lasts == 0 { i64::MAX } else { now + lasts });
        self.level = level;
        let bad = level >= Level::Info;
        let turned = matches!((self.phase, bad), (Phase::Firing, false) | (Phase::Recovering(_), true));
        if self.flapping && turned {
            self.changes.push(now);
        }
        self.phase = match (self.phase, bad) {
            (Phase::Ok, true) => {
                if self.policy.for_ns > 0 {
                    self.told.push((now, What::Pending));
                }
                Phase::Pending(now)
            }
            (Phase::Pending(_), false) => {
                self.told.push((now, What::Withdrawn));
                Phase::Ok
            }
            (Phase::Recovering(_), true) => Phase::Firing,
            (Phase::Firing, false) => Phase::Recovering(now),
            (same, _) => same,
        };
        if self.phase == Phase::Firing && self.shown_level != level {
            self.told.push((now, What::Level { from: self.shown_level }));
            self.shown_level = level;
        }
    }

    fn silence(&mut self, now: i64) {
        self.holds_until = None;
        match self.phase {
            Phase::Pending(_) => {
                self.told.push((now, What::Withdrawn));
                self.phase = Phase::Ok;
            }
            Phase::Recovering(_) => self.phase = Phase::Firing,
            _ => {}
        }
    }

    fn in_window(&self, now: i64) -> usize {
        self.changes.iter().filter(|change| **change > now - self.policy.flap.within_ns).count()
    }

    fn change(&mut self, now: i64) {
        self.changes.push(now);
        let enough = self.policy.flap.changes as usize;
        if enough > 0 && self.in_window(now) >= enough {
            self.flapping = true;
            self.told.push((now, What::Flapping));
        }
    }

    fn settle(&mut self, now: i64) {
        loop {
            match self.phase {
                _ if self.flapping && self.in_window(now) * 2 < self.policy.flap.changes as usize => {
                    self.flapping = false;
                    self.told.push((now, What::Calm));
                }
                Phase::Recovering(since) if !self.flapping && now - since >= self.policy.keep_firing_ns => {
                    self.change(now);
                    if !self.flapping {
                        self.phase = Phase::Ok;
                        self.told.push((now, What::Ended(End::Resolved)));
                    }
                }
                Phase::Pending(since) if now - since >= self.policy.for_ns => {
                    self.phase = Phase::Firing;
                    self.shown_level = self.level;
                    self.told.push((now, What::Fired));
                    self.change(now);
                }
                _ if self.holds_until.is_some_and(|until| now > until) => {
                    self.silent_since = now;
                    self.silence(now);
                }
                _ if self.known
                    && self.holds_until.is_none()
                    && self.policy.forget_ns > 0
                    && now - self.silent_since >= self.policy.forget_ns =>
                {
                    let fired = matches!(self.phase, Phase::Firing | Phase::Recovering(_));
                    if fired {
                        self.told.push((now, What::Ended(End::Forgotten)));
                    }
                    let told = std::mem::take(&mut self.told);
                    *self = Self { told, ..Self::new(self.policy) };
                }
                _ => return,
            }
        }
    }
}
