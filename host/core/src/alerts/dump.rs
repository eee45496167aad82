//! Alerts and episodes as entries of a checkpoint, and back.
//!
//! A rule belongs to one flow, so its alerts are dumped where that flow stands, between two records. Keys: `a`, the rule, a zero byte, the lane (u32) and the alert's id (u128);
//! `e`, the rule, a zero byte, the position (u64) at which the episode ended, the alert's id and the ordinal (u32); big-endian. Values are JSON.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Alert, Alerts, EPISODES_MAX, Episode, Labels};
use crate::state::dump::Entry;
use crate::triplet::Triplet;

/// An alert that changed.
pub(super) type Touched = (Arc<str>, u32, Triplet, Labels);

/// Keys of a rule begin with this.
pub fn prefix(kind: u8, rule: &str) -> Vec<u8> {
    [&[kind], rule.as_bytes(), &[0]].concat()
}

fn alert_key(rule: &str, lane: u32, alert: &Alert) -> Vec<u8> {
    [prefix(b'a', rule).as_slice(), &lane.to_be_bytes(), &alert.id.to_be_bytes()].concat()
}

fn episode_key(episode: &Episode) -> Option<Vec<u8>> {
    let (_, position, _) = episode.ended?;
    let ids = [episode.id.alert.to_be_bytes().as_slice(), &episode.id.ordinal.to_be_bytes()].concat();
    Some([prefix(b'e', &episode.rule).as_slice(), &position.to_be_bytes(), &ids].concat())
}

pub(super) fn touch(
    touched: &mut Option<BTreeSet<Touched>>,
    rule: &Arc<str>,
    lane: u32,
    triplet: &Triplet,
    labels: &Labels,
) {
    if let Some(touched) = touched {
        touched.insert((Arc::clone(rule), lane, triplet.clone(), Arc::clone(labels)));
    }
}

impl Alerts {
    /// From here on it is known what changes.
    pub fn track(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// What changed of these rules in a lane since the last call, or all of it. Episodes are those that ended at `since` or later.
    pub fn dump(&mut self, rules: &[Arc<str>], lane: u32, since: u64, all: bool, out: &mut Vec<Entry>) {
        let own = |rule: &Arc<str>| rules.iter().any(|known| known == rule);
        if let Some(touched) = &mut self.touched {
            let mine: Vec<Touched> =
                touched.extract_if(.., |(rule, of, ..)| *of == lane && own(rule)).collect();
            for (rule, lane, triplet, labels) in mine.into_iter().filter(|_| !all) {
                let id = super::AlertId::new(&rule, &triplet, &labels);
                let scope = self.rules.get(&rule).and_then(|rule| rule.scopes.get(&(lane, triplet)));
                let alert = scope.and_then(|scope| scope.alerts.get(&labels));
                let key = [prefix(b'a', &rule).as_slice(), &lane.to_be_bytes(), &id.to_be_bytes()].concat();
                out.push((key, alert.and_then(|alert| serde_json::to_vec(alert).ok())));
            }
        }
        for (rule, known) in self.rules.iter().filter(|(rule, _)| all && own(rule)) {
            for ((_, _), scope) in known.scopes.iter().filter(|((of, _), _)| *of == lane) {
                let value = |alert: &Alert| (alert_key(rule, lane, alert), serde_json::to_vec(alert).ok());
                out.extend(scope.alerts.values().map(value));
            }
        }
        if lane == 0 {
            let newer = |episode: &&Episode| {
                own(&episode.rule) && episode.ended.is_some_and(|(_, position, _)| all || position >= since)
            };
            for episode in self.ended.iter().filter(newer) {
                out.extend(episode_key(episode).map(|key| (key, serde_json::to_vec(episode).ok())));
            }
            out.extend(std::mem::take(&mut self.gone).into_iter().map(|key| (key, None)));
        }
    }

    pub(super) fn note_gone(&mut self, episode: &Episode) {
        if self.touched.is_some() {
            self.gone.extend(episode_key(episode));
        }
    }

    /// An entry that [`Alerts::dump`] made, of a rule that is declared; others are nothing. In the order of keys.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) {
        match key.first() {
            Some(b'a') => drop(self.restore_alert(key, value)),
            Some(b'e') => {
                if let Ok(episode) = serde_json::from_slice::<Episode>(value) {
                    self.ended.push_back(episode);
                    self.episodes_total += 1;
                }
            }
            _ => {}
        }
    }

    /// Behind the last entry.
    pub fn restored(&mut self) {
        self.ended.make_contiguous().sort_by_key(|episode| episode.ended.map(|(_, position, _)| position));
        let more = self.ended.len().saturating_sub(EPISODES_MAX);
        self.ended.drain(..more);
    }

    fn restore_alert(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let alert: Alert = serde_json::from_slice(value).ok()?;
        let lane = key.get(key.len().checked_sub(20)?..)?.first_chunk::<4>()?;
        let rule = self.rules.get_mut(&alert.rule)?;
        let policy = rule.policy;
        let scope = rule.scopes.entry((u32::from_be_bytes(*lane), alert.triplet.clone())).or_default();
        let labels = Arc::clone(&alert.labels);
        self.count += usize::from(scope.alerts.insert(Arc::clone(&labels), alert).is_none());
        scope.plan(&labels, &policy);
        Some(())
    }
}
