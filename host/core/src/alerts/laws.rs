//! Properties over random words and policies: the machine says what the model says, in whatever steps time passes, and keeps its promises.

use std::sync::Arc;

use proptest::prelude::*;

use super::model::{Model, Told, Word};
use super::*;
use crate::unit::Signal;

const END: i64 = 120;

fn said(level: Level, lasts_ns: i64, time_unix_ns: i64, labels: &[(&str, &str)]) -> Said {
    let labels = labels.iter().map(|(name, value)| (Arc::from(*name), (*value).to_owned())).collect();
    Said {
        rule: "rule/r".into(),
        triplet: Triplet::new("a", "b", "c").unwrap(),
        labels,
        position: time_unix_ns as u64,
        signal: Signal { key: 0, level, value: 1.0, time_unix_ns, lasts_ns, summary: String::new() },
    }
}

fn declared(policy: Policy) -> Alerts {
    let mut alerts = Alerts::default();
    alerts.declare(&[("rule/r".into(), policy)], 0);
    alerts
}

fn told(transitions: &[Transition]) -> Vec<Told> {
    transitions.iter().map(|transition| (transition.at_unix_ns, transition.what)).collect()
}

/// The machine over words with their times; between them time passes at `marks` too.
fn machine(policy: Policy, words: &[(i64, Word)], marks: &[i64]) -> Vec<Transition> {
    let mut alerts = declared(policy);
    let mut out = Vec::new();
    let mut marks = marks.iter().copied().peekable();
    for (time, (level, lasts)) in words {
        while let Some(mark) = marks.next_if(|mark| mark < time) {
            out.extend(alerts.advance("rule/r", 0, mark as u64, |_| mark));
        }
        out.extend(alerts.say(0, said(*level, *lasts, *time, &[])));
    }
    out.extend(alerts.advance("rule/r", 0, END as u64, |_| END));
    out
}

fn model(policy: Policy, words: &[(i64, Word)]) -> Vec<Told> {
    let mut model = Model::new(policy);
    for now in 0..=END {
        let here: Vec<Word> = words.iter().filter(|(time, _)| *time == now).map(|(_, word)| *word).collect();
        model.step(now, &here);
    }
    model.told
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![
        4 => Just(Level::Ok),
        1 => Just(Level::Info),
        3 => Just(Level::Warning),
        2 => Just(Level::Critical),
        1 => Just(Level::Unknown),
    ]
}

fn words() -> impl Strategy<Value = Vec<(i64, Word)>> {
    let word = (0..100i64, (level(), prop_oneof![Just(0), 1..20i64]));
    prop::collection::vec(word, 0..40).prop_map(|mut words| {
        words.sort_by_key(|(time, _)| *time);
        words
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let flap = (prop_oneof![Just(0u32), 3..7u32], 1..60i64);
    (0..12i64, 0..12i64, flap, prop_oneof![Just(0), 1..40i64]).prop_map(
        |(for_ns, keep_firing_ns, (changes, within_ns), forget_ns)| Policy {
            for_ns,
            keep_firing_ns,
            flap: Flap { changes, within_ns },
            forget_ns,
        },
    )
}

fn marks() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0..END, 0..30).prop_map(|mut marks| {
        marks.sort_unstable();
        marks
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_machine_says_what_the_model_says(policy in policy(), words in words(), marks in marks()) {
        prop_assert_eq!(told(&machine(policy, &words, &marks)), model(policy, &words));
    }

    #[test]
    fn episodes_follow_each_other_and_silence_resolves_nothing(policy in policy(), words in words()) {
        let mut open = None;
        for transition in machine(policy, &words, &[]) {
            match transition.what {
                What::Fired => {
                    let id = transition.episode.unwrap().id;
                    prop_assert_eq!(open.replace(id), None);
                }
                What::Ended(end) => {
                    let ended = transition.episode.unwrap();
                    prop_assert_eq!(open.take(), Some(ended.id));
                    prop_assert!(ended.ended.unwrap().0 >= ended.started_unix_ns);
                    prop_assert!(ended.started_unix_ns >= ended.pending_unix_ns);
                    if end == End::Resolved {
                        prop_assert_eq!((transition.alert.level, transition.alert.beside), (Level::Ok, Beside::Fresh));
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn keys_do_not_disturb_each_other(policy in policy(), one in words(), other in words()) {
        let mut alerts = declared(policy);
        let mut all: Vec<(i64, &str, Word)> = one.iter().map(|(time, word)| (*time, "one", *word)).collect();
        all.extend(other.iter().map(|(time, word)| (*time, "other", *word)));
        all.sort_by_key(|(time, ..)| *time);
        let mut out = Vec::new();
        for (time, key, (level, lasts)) in all {
            out.extend(alerts.say(0, said(level, lasts, time, &[("key", key)])));
        }
        out.extend(alerts.advance("rule/r", 0, END as u64, |_| END));
        for (key, words) in [("one", one), ("other", other)] {
            let own: Vec<Transition> =
                out.iter().filter(|transition| transition.alert.labels[0].1 == key).cloned().collect();
            prop_assert_eq!(told(&own), model(policy, &words));
        }
    }

    #[test]
    fn a_name_reads_back(rule in "[a-z/]{1,9}", value in ".{0,9}") {
        let id = AlertId::new(&rule, &Triplet::internal(), &[("k".into(), value)]);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
