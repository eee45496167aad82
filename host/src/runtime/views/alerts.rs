//! Alerts, episodes, rules and channels for the API, copied under a short lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};
use weir_core::alerts::{Alert, AlertId, Beside, Episode, Phase};
use weir_core::config::AlertSpec;
use weir_core::unit::Level;

use super::super::Runtime;
use crate::view;

/// Which alerts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Not ok, or not known.
    Open,
    All,
}

impl Runtime {
    /// Those that fire first, of these the worst, of these the newest; and whether there are more than `limit`.
    pub fn alerts(&self, which: Which, limit: usize) -> (Vec<view::AlertView>, bool) {
        let mut alerts: Vec<(Alert, Beside)> = {
            let alerts = self.alerting.alerts.lock();
            let wanted = alerts.all().filter(|(alert, beside)| {
                which == Which::All || alert.phase != Phase::Ok || *beside != Beside::Fresh
            });
            wanted.map(|(alert, beside)| (alert.clone(), beside)).collect()
        };
        alerts.sort_by(|(left, _), (right, _)| {
            let rank = |alert: &Alert| {
                let phase = match alert.phase {
                    Phase::Firing => 0,
                    Phase::Recovering { .. } => 1,
                    Phase::Pending { .. } => 2,
                    Phase::Ok => 3,
                };
                (phase, std::cmp::Reverse(alert.level), std::cmp::Reverse(alert.since_unix_ns))
            };
            rank(left).cmp(&rank(right)).then_with(|| left.rule.cmp(&right.rule)).then(left.id.cmp(&right.id))
        });
        let cut = alerts.len() > limit;
        alerts.truncate(limit);
        (alerts.iter().map(|(alert, beside)| self.alert_view(alert, *beside)).collect(), cut)
    }

    /// The alert and its episodes that are over, newest first.
    pub fn alert(&self, id: AlertId) -> Option<(view::AlertView, Vec<view::EpisodeView>)> {
        let (alert, beside, ended) = {
            let alerts = self.alerting.alerts.lock();
            let (alert, beside) = alerts.find(id)?;
            let ended: Vec<Episode> =
                alerts.ended().filter(|episode| episode.id.alert == id).cloned().collect();
            (alert.clone(), beside, ended)
        };
        Some((self.alert_view(&alert, beside), ended.iter().map(episode_view).collect()))
    }

    /// Those that go on first, then those that are over by their end, newest first.
    pub fn episodes(&self, rule: Option<&str>, limit: usize) -> Vec<view::EpisodeView> {
        let alerts = self.alerting.alerts.lock();
        let wanted = |episode: &&Episode| rule.is_none_or(|rule| *episode.rule == *rule);
        let mut open: Vec<&Episode> =
            alerts.all().filter_map(|(alert, _)| alert.episode.as_ref()).filter(wanted).collect();
        open.sort_by_key(|episode| std::cmp::Reverse((episode.started_unix_ns, episode.id)));
        open.into_iter().chain(alerts.ended().filter(wanted)).take(limit).map(episode_view).collect()
    }

    pub fn rules(&self) -> Vec<view::RuleView> {
        let alerts = self.alerting.alerts.lock();
        let view = |rule: weir_core::alerts::RuleState<'_>| view::RuleView {
            id: rule.id.to_string(),
            failing: rule.failing,
            words_total: rule.words_total,
            alerts: rule.alerts as u64,
        };
        alerts.rules().map(view).collect()
    }

    pub fn alert_counts(&self) -> view::AlertCounts {
        let alerts = self.alerting.alerts.lock();
        let mut counts = view::AlertCounts {
            episodes_total: alerts.episodes_total,
            episodes_kept: alerts.ended().count() as u64,
            episodes_dropped_total: alerts.episodes_dropped_total,
            left_out_total: alerts.left_out_total,
            quiet_left_out_total: alerts.quiet_left_out_total,
            ..view::AlertCounts::default()
        };
        for (alert, beside) in alerts.all() {
            *match alert.phase {
                Phase::Ok => &mut counts.ok,
                Phase::Pending { .. } => &mut counts.pending,
                Phase::Firing => &mut counts.firing,
                Phase::Recovering { .. } => &mut counts.recovering,
            } += 1;
            match beside {
                Beside::Fresh => {}
                Beside::Stale => counts.stale += 1,
                Beside::Absent => counts.absent += 1,
                Beside::Failing => counts.failing += 1,
            }
            counts.flapping += u64::from(alert.flapping);
        }
        counts
    }

    pub fn channels(&self) -> Vec<view::ChannelView> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let view = |state: crate::channels::ChannelState| view::ChannelView {
            name: state.name.to_string(),
            url: state.url,
            queued: state.queued as u64,
            sent_total: get(&state.counters.sent_total),
            attempts_failed_total: get(&state.counters.attempts_failed_total),
            refused_total: get(&state.counters.refused_total),
            dropped_total: get(&state.counters.dropped_total),
        };
        self.alerting.channels.states().into_iter().map(view).collect()
    }

    fn alert_view(&self, alert: &Alert, beside: Beside) -> view::AlertView {
        let spec: Option<Arc<AlertSpec>> = self.alerting.spec(&alert.rule);
        view::AlertView {
            id: alert.id.to_string(),
            rule: alert.rule.to_string(),
            triplet: alert.triplet.to_string(),
            labels: map(&alert.labels),
            extra_labels: spec.as_deref().map(|spec| map(&spec.labels)).unwrap_or_default(),
            annotations: spec.as_deref().map(|spec| map(&spec.annotations)).unwrap_or_default(),
            level: alert.level.word(),
            value: finite(alert.value),
            // One that never had a level has no such time.
            since_unix_ns: if alert.level == Level::Unknown {
                alert.word_unix_ns
            } else {
                alert.since_unix_ns
            },
            summary: alert.summary.clone(),
            state: alert.phase.word(),
            beside: beside.word(),
            flapping: alert.flapping,
            word_unix_ns: alert.word_unix_ns,
            word_position: alert.word_position,
            episode: alert.episode.as_ref().map(episode_view),
        }
    }
}

fn episode_view(episode: &Episode) -> view::EpisodeView {
    view::EpisodeView {
        id: episode.id.to_string(),
        alert: episode.id.alert.to_string(),
        rule: episode.rule.to_string(),
        triplet: episode.triplet.to_string(),
        labels: map(&episode.labels),
        start_position: episode.id.start_position,
        pending_unix_ns: episode.pending_unix_ns,
        started_unix_ns: episode.started_unix_ns,
        end_position: episode.ended.map(|(_, position, _)| position),
        ended_unix_ns: episode.ended.map(|(at, ..)| at),
        end: episode.ended.map(|(.., end)| end.word()),
        worst_level: episode.worst.level.word(),
        worst_value: finite(episode.worst.value),
        worst_unix_ns: episode.worst.at_unix_ns,
        worst_summary: episode.worst.summary.clone(),
        flapped: episode.flapped,
    }
}

fn map(texts: &[(Arc<str>, String)]) -> Map<String, Value> {
    texts.iter().map(|(name, value)| (name.to_string(), Value::from(value.as_str()))).collect()
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}
