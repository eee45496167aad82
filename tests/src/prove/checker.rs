//! What was sent against what came out: how many events were lost, doubled, or came out of order. Nothing of the product is in here.
//!
//! In: a [`Ledger`] that the senders keep, and what was [`Seen`]: sums of each key and window for all events, and for some keys (the canaries) each single number in the order
//! of its appearance; a canary goes with every thousandth event of a connection, so that their order is the order of all. Numbers of a key count from 0 without a gap. Each event carries a hash of key and number: where as many events came out as
//! went in, but others, the sum of the hashes is another one. Out: a [`Verdict`].

use std::collections::{BTreeMap, BTreeSet};

/// Length of a window, ms.
pub const WINDOW_MS: i64 = 1_000;
/// Messages that are kept.
const MESSAGES_MAX: usize = 20;

/// Of the events of one key in one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sums {
    pub count: f64,
    pub numbers: f64,
    pub hashes: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Sums {
    pub fn of(number: u64, hash: u64) -> Self {
        let number = number as f64;
        Self { count: 1.0, numbers: number, hashes: hash as f64, least: number, greatest: number }
    }

    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.numbers += other.numbers;
        self.hashes += other.hashes;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }
}

pub type Windows = BTreeMap<(String, i64), Sums>;

/// What was sent.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    pub windows: Windows,
    /// How many of each canary.
    pub canaries: BTreeMap<String, u64>,
}

impl Ledger {
    pub fn note(&mut self, key: &str, canary: bool, number: u64, time_ms: i64) {
        let sums = Sums::of(number, hash(key, number));
        let window = time_ms.div_euclid(WINDOW_MS) * WINDOW_MS;
        self.windows.entry((key.to_owned(), window)).and_modify(|known| known.add(&sums)).or_insert(sums);
        if canary {
            *self.canaries.entry(key.to_owned()).or_default() += 1;
        }
    }

    pub fn take(&mut self, other: Self) {
        // Each key has one sender, so that nothing is added to a window that is known.
        self.windows.extend(other.windows);
        self.canaries.extend(other.canaries);
    }

    pub fn events(&self) -> f64 {
        self.windows.values().map(|sums| sums.count).sum()
    }
}

/// 30 bits that differ for each event, so that sums of a million of them are whole in an f64.
pub fn hash(key: &str, number: u64) -> u64 {
    let seed = key.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mixed = (seed ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 34
}

/// What came out.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub windows: Windows,
    /// Numbers of each canary, in the order in which they came out.
    pub canaries: BTreeMap<String, Vec<u64>>,
    /// Canaries that may have passed unseen, because the look came too late.
    pub unseen: u64,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Verdict {
    pub lost: u64,
    pub double: u64,
    pub reordered: u64,
    pub messages: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.double == 0 && self.reordered == 0
    }

    fn say(&mut self, message: String) {
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push(message);
        }
    }
}

pub fn judge(sent: &Ledger, seen: &Seen) -> Verdict {
    let mut verdict = Verdict::default();
    for (place, want) in &sent.windows {
        window(&mut verdict, place, want, seen.windows.get(place));
    }
    for ((key, window), got) in &seen.windows {
        if !sent.windows.contains_key(&(key.clone(), *window)) {
            verdict.double += got.count as u64;
            verdict.say(format!("key {key}, window {window}: {} events that nobody sent there", got.count));
        }
    }
    for (key, count) in &sent.canaries {
        let numbers = seen.canaries.get(key).map(Vec::as_slice).unwrap_or_default();
        canary(&mut verdict, key, *count, numbers, seen.unseen == 0);
    }
    verdict
}

fn window(verdict: &mut Verdict, (key, window): &(String, i64), want: &Sums, got: Option<&Sums>) {
    let Some(got) = got else {
        verdict.lost += want.count as u64;
        return verdict.say(format!("key {key}, window {window}: all {} events are missing", want.count));
    };
    if got.count != want.count {
        let (lost, double) = ((want.count - got.count).max(0.0), (got.count - want.count).max(0.0));
        (verdict.lost, verdict.double) = (verdict.lost + lost as u64, verdict.double + double as u64);
        return verdict.say(format!("key {key}, window {window}: {} of {} events", got.count, want.count));
    }
    if got != want {
        (verdict.lost, verdict.double) = (verdict.lost + 1, verdict.double + 1);
        verdict.say(format!("key {key}, window {window}: as many events as were sent, but others"));
    }
}

fn canary(verdict: &mut Verdict, key: &str, count: u64, numbers: &[u64], complete: bool) {
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let mut greatest = None;
    for number in numbers {
        if !seen.insert(*number) {
            verdict.double += 1;
            verdict.say(format!("canary {key}: {number} came twice"));
        } else if greatest.is_some_and(|greatest| *number < greatest) {
            verdict.reordered += 1;
            verdict.say(format!("canary {key}: {number} came after a later one"));
        }
        greatest = greatest.max(Some(*number));
    }
    // Where some may have passed unseen, the windows tell of losses.
    let missing = (0..count).filter(|number| !seen.contains(number)).count() as u64;
    if complete && missing > 0 {
        verdict.lost += missing;
        verdict.say(format!("canary {key}: {missing} of {count} never came"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out where everything is as it should be: the ledger's events, each once and in order, after `change`.
    fn check(change: impl Fn(&mut Vec<(u64, i64)>)) -> Verdict {
        let mut sent = Ledger::default();
        let mut events: Vec<(u64, i64)> = (0..3_000).map(|number| (number, number as i64)).collect();
        events.iter().for_each(|(number, time)| sent.note("c", true, *number, *time));
        change(&mut events);
        let mut out = Ledger::default();
        events.iter().for_each(|(number, time)| out.note("c", true, *number, *time));
        let canaries = [("c".to_owned(), events.iter().map(|(number, _)| *number).collect())];
        judge(&sent, &Seen { windows: out.windows, canaries: canaries.into(), unseen: 0 })
    }

    #[test]
    fn what_is_as_sent_is_clean() {
        assert_eq!(check(|_| ()), Verdict::default());
    }

    #[test]
    fn a_dropped_event_is_lost_in_both_countings() {
        let verdict = check(|events| {
            events.remove(1_500);
        });
        assert_eq!((verdict.lost, verdict.double, verdict.reordered), (2, 0, 0), "{verdict:?}");
    }

    #[test]
    fn a_doubled_event_is_double_in_both_countings() {
        let verdict = check(|events| events.insert(1_501, events[1_500]));
        assert_eq!((verdict.lost, verdict.double, verdict.reordered), (0, 2, 0), "{verdict:?}");
    }

    #[test]
    fn two_swapped_events_are_out_of_order() {
        let verdict = check(|events| events.swap(1_500, 1_501));
        assert_eq!((verdict.lost, verdict.double, verdict.reordered), (0, 0, 1), "{verdict:?}");
    }

    #[test]
    fn one_event_in_the_place_of_another_is_found_by_its_hash() {
        let mut sent = Ledger::default();
        let mut seen = Ledger::default();
        for number in [10, 20, 30, 40] {
            sent.note("k", false, number, 0);
        }
        for number in [10, 25, 25, 40] {
            seen.note("k", false, number, 0);
        }
        let verdict = judge(&sent, &Seen { windows: seen.windows, ..Seen::default() });
        assert_eq!((verdict.lost, verdict.double), (1, 1), "{verdict:?}");
    }

    #[test]
    fn a_window_that_is_missing_or_that_nobody_sent_is_told() {
        let mut sent = Ledger::default();
        sent.note("k", false, 0, 0);
        let mut other = Ledger::default();
        other.note("k", false, 0, 5_000);
        let verdict = judge(&sent, &Seen { windows: other.windows, ..Seen::default() });
        assert_eq!((verdict.lost, verdict.double, verdict.is_clean()), (1, 1, false));
    }
}
