//! Words in, transitions out: the tests are data. Random words are in `laws`.

use std::sync::Arc;

use super::*;
use crate::unit::Signal;

const S: i64 = 1_000_000_000;
const PLAIN: Policy =
    Policy { for_ns: 0, keep_firing_ns: 0, flap: Flap { changes: 0, within_ns: 0 }, forget_ns: 0 };

fn said(second: i64, level: Level, value: f64, lasts_s: i64) -> Said {
    keyed("a", second, level, value, lasts_s)
}

fn keyed(host: &str, second: i64, level: Level, value: f64, lasts_s: i64) -> Said {
    let signal = Signal {
        key: 0,
        level,
        value,
        time_unix_ns: second * S,
        lasts_ns: lasts_s * S,
        summary: format!("load {value}"),
    };
    Said {
        rule: "rule/load".into(),
        triplet: Triplet::new("shop", "prod", "host").unwrap(),
        labels: vec![("host".into(), host.to_owned())],
        position: second as u64 * 10,
        signal,
    }
}

fn declared(policy: Policy) -> Alerts {
    let mut alerts = Alerts::default();
    alerts.declare(&[("rule/load".into(), policy)], 0);
    alerts
}

/// Seconds, level and value in; (second, what) out.
fn check(policy: Policy, words: &[(i64, Level)], until_s: i64, wanted: &[(i64, What)]) {
    let mut alerts = declared(policy);
    let mut seen: Vec<Transition> =
        words.iter().flat_map(|(second, level)| alerts.say(0, said(*second, *level, 1.0, 10))).collect();
    seen.extend(alerts.advance("rule/load", 0, 1, |_| until_s * S));
    let seen: Vec<(i64, What)> = seen.iter().map(|seen| (seen.at_unix_ns / S, seen.what)).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn without_durations_it_fires_and_resolves_at_once() {
    let words = [(1, Level::Ok), (2, Level::Warning), (3, Level::Warning), (4, Level::Ok)];
    check(PLAIN, &words, 5, &[(2, What::Fired), (4, What::Ended(End::Resolved))]);
}

#[test]
fn a_level_must_last_to_fire_and_ok_must_last_to_resolve() {
    let policy = Policy { for_ns: 5 * S, keep_firing_ns: 4 * S, ..PLAIN };
    let words =
        [(1, Level::Warning), (4, Level::Ok), (5, Level::Critical), (9, Level::Critical), (12, Level::Ok)];
    let wanted = [
        (1, What::Pending),
        (4, What::Withdrawn),
        (5, What::Pending),
        (10, What::Fired),
        (16, What::Ended(End::Resolved)),
    ];
    check(policy, &words, 17, &wanted);
}

#[test]
fn a_change_of_level_is_told_and_starts_no_new_episode() {
    let words = [(1, Level::Warning), (2, Level::Critical), (3, Level::Critical), (4, Level::Warning)];
    let wanted = [
        (1, What::Fired),
        (2, What::Level { from: Level::Warning }),
        (4, What::Level { from: Level::Critical }),
    ];
    check(PLAIN, &words, 5, &wanted);
}

#[test]
fn silence_takes_a_pending_alert_back_and_never_ends_a_firing_one() {
    let pending = Policy { for_ns: 15 * S, ..PLAIN };
    check(pending, &[(1, Level::Warning)], 100, &[(1, What::Pending), (11, What::Withdrawn)]);
    check(PLAIN, &[(1, Level::Warning)], 1_000, &[(1, What::Fired)]);
    let keeping = Policy { keep_firing_ns: 15 * S, ..PLAIN };
    check(keeping, &[(1, Level::Warning), (2, Level::Ok)], 1_000, &[(1, What::Fired)]);
    let forgetting = Policy { forget_ns: 60 * S, ..PLAIN };
    check(forgetting, &[(1, Level::Warning)], 1_000, &[(1, What::Fired), (71, What::Ended(End::Forgotten))]);
}

#[test]
fn an_alert_that_changes_too_often_fires_on_until_it_is_calm() {
    let policy = Policy { flap: Flap { changes: 4, within_ns: 20 * S }, ..PLAIN };
    let words: Vec<_> = (1..8).map(|s| (s, if s % 2 == 1 { Level::Warning } else { Level::Ok })).collect();
    let words = [&words[..], &[(8, Level::Ok), (17, Level::Ok), (26, Level::Ok)]].concat();
    let wanted = [
        (1, What::Fired),
        (2, What::Ended(End::Resolved)),
        (3, What::Fired),
        (4, What::Flapping),
        (27, What::Calm),
        (27, What::Ended(End::Resolved)),
    ];
    check(policy, &words, 30, &wanted);
}

#[test]
fn late_words_count_at_the_time_that_was_reached() {
    let mut alerts = declared(PLAIN);
    alerts.say(0, said(5, Level::Ok, 1.0, 0));
    alerts.advance("rule/load", 0, 1, |_| 9 * S);
    let fired = alerts.say(0, said(7, Level::Warning, 2.0, 0));
    assert_eq!((fired[0].at_unix_ns, fired[0].what), (7 * S, What::Fired));
    let resolved = alerts.say(0, said(6, Level::Ok, 2.0, 0));
    assert_eq!((resolved[0].at_unix_ns, resolved[0].what), (7 * S, What::Ended(End::Resolved)));
}

#[test]
fn an_episode_knows_start_end_and_the_worst_word() {
    let mut alerts = declared(Policy { for_ns: 2 * S, ..PLAIN });
    let words = [
        (1, Level::Ok, 10.0),
        (2, Level::Warning, 95.0),
        (5, Level::Critical, 99.0),
        (6, Level::Critical, 99.5),
        (7, Level::Warning, 92.0),
        (9, Level::Ok, 20.0),
    ];
    words.iter().for_each(|(s, level, value)| drop(alerts.say(0, said(*s, *level, *value, 0))));
    let episode = alerts.ended().next().unwrap();
    assert_eq!((episode.pending_unix_ns / S, episode.started_unix_ns / S), (2, 4));
    assert_eq!(episode.ended, Some((9 * S, 90, End::Resolved)));
    assert_eq!((episode.worst.level, episode.worst.value), (Level::Critical, 99.5));
    assert_eq!(episode.id.to_string(), format!("{}-50", episode.id.alert));
}

#[test]
fn episodes_of_one_record_have_different_ids() {
    let mut alerts = declared(PLAIN);
    for second in [1, 2, 3, 4] {
        let level = if second % 2 == 1 { Level::Warning } else { Level::Ok };
        alerts.say(0, Said { position: 7, ..said(second, level, 1.0, 0) });
    }
    let ids: Vec<String> = alerts.ended().map(|episode| episode.id.to_string()).collect();
    assert!(ids[0].ends_with("-7.1") && ids[1].ends_with("-7"), "{ids:?}");
}

#[test]
fn a_rule_that_is_gone_ends_its_alerts_and_one_that_stays_keeps_them() {
    let mut alerts = declared(PLAIN);
    alerts.say(0, said(1, Level::Warning, 1.0, 0));
    assert!(alerts.declare(&[("rule/load".into(), Policy { keep_firing_ns: S, ..PLAIN })], 5).is_empty());
    assert_eq!(alerts.all().count(), 1);
    let ended = alerts.declare(&[], 6);
    assert_eq!((ended[0].what, ended[0].position), (What::Ended(End::RuleRemoved), 6));
    assert!(alerts.say(0, said(2, Level::Warning, 1.0, 0)).is_empty());
    assert_eq!((alerts.all().count(), alerts.ignored_total), (0, 1));
}

#[test]
fn the_state_beside_the_level_says_stale_absent_or_failing() {
    let mut alerts = declared(PLAIN);
    let beside = |alerts: &Alerts| alerts.all().next().map(|(alert, beside)| (alert.level, beside)).unwrap();
    alerts.say(0, said(1, Level::Warning, 1.0, 10));
    assert_eq!(beside(&alerts), (Level::Warning, Beside::Fresh));
    alerts.advance("rule/load", 0, 1, |_| 12 * S);
    assert_eq!(beside(&alerts), (Level::Warning, Beside::Stale));
    alerts.say(0, said(13, Level::Unknown, f64::NAN, 0));
    assert_eq!(beside(&alerts), (Level::Warning, Beside::Absent));
    alerts.set_failing("rule/load", true);
    assert_eq!(beside(&alerts), (Level::Warning, Beside::Failing));
    alerts.set_failing("rule/load", false);
    alerts.say(0, said(14, Level::Critical, 1.0, 10));
    assert_eq!(beside(&alerts), (Level::Critical, Beside::Fresh));
}

#[test]
fn lanes_have_their_own_time() {
    let mut alerts = declared(Policy { for_ns: 5 * S, ..PLAIN });
    alerts.say(0, keyed("a", 1, Level::Warning, 1.0, 0));
    alerts.say(1, keyed("b", 1, Level::Warning, 1.0, 0));
    let fired = alerts.advance("rule/load", 1, 1, |_| 100 * S);
    assert_eq!(fired.len(), 1);
    assert_eq!(fired[0].alert.labels[0].1, "b");
}

#[test]
fn what_does_not_fit_is_counted_and_the_last_fifth_is_for_what_is_not_ok() {
    let mut alerts = declared(PLAIN);
    for key in 0..QUIET_MAX + 3 {
        alerts.say(0, keyed(&key.to_string(), 1, Level::Ok, 1.0, 0));
    }
    assert_eq!((alerts.all().count(), alerts.quiet_left_out_total), (QUIET_MAX, 3));
    for key in 0..ALERTS_MAX - QUIET_MAX + 2 {
        alerts.say(0, keyed(&format!("bad {key}"), 1, Level::Warning, 1.0, 0));
    }
    assert_eq!((alerts.all().count(), alerts.left_out_total), (ALERTS_MAX, 2));
}

#[test]
fn old_episodes_go_first_and_are_counted() {
    let mut alerts = declared(PLAIN);
    for second in 0..2 * (EPISODES_MAX as i64 + 5) {
        let level = if second % 2 == 0 { Level::Warning } else { Level::Ok };
        alerts.say(0, said(second, level, 1.0, 0));
    }
    assert_eq!((alerts.ended().count(), alerts.episodes_dropped_total), (EPISODES_MAX, 5));
    assert_eq!(alerts.episodes_total, EPISODES_MAX as u64 + 5);
}

#[test]
fn identity_is_rule_triplet_and_labels() {
    let id = |rule: &str, labels: &[(&str, &str)]| {
        let labels: Vec<(Arc<str>, String)> =
            labels.iter().map(|(name, value)| (Arc::from(*name), (*value).to_owned())).collect();
        AlertId::new(rule, &Triplet::internal(), &labels)
    };
    assert_eq!(id("rule/a", &[("host", "x")]), id("rule/a", &[("host", "x")]));
    let others = [id("rule/b", &[("host", "x")]), id("rule/a", &[("hostx", "")]), id("rule/a", &[])];
    assert!(others.iter().all(|other| *other != id("rule/a", &[("host", "x")])));
    assert!("xyz".parse::<AlertId>().is_err() && "+1".repeat(16).parse::<AlertId>().is_err());
}
