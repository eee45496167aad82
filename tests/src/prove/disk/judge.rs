//! What was sent against what is counted. Nothing of the product is in here.
//!
//! In: a [`Ledger`] of all that was sent, in the order in which it was given positions, and what of it was acknowledged; the entries that are there after a start; what was told to be missing. Out:
//! a [`Verdict`]: acknowledged events that are not counted and of which nobody said so, events that are counted twice, events of one key in another order than they were sent, and
//! entries that are not what one thread makes of the counted events (or of events that nobody sent).

use std::collections::{BTreeMap, HashMap};

use super::counted::Counted;
use super::events::Event;

/// Messages that are kept.
const MESSAGES_MAX: usize = 20;

/// What was said to be missing.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Offsets from and up to.
    pub holes: Vec<(u64, u64)>,
    /// Places that are not what was written.
    pub damaged: u64,
    /// The end of the journal was cut: all from this offset on.
    pub cut_from: Option<u64>,
}

impl Told {
    fn covers(&self, offset: u64) -> bool {
        self.holes.iter().any(|(from, to)| (*from..*to).contains(&offset))
            || self.cut_from.is_some_and(|from| offset >= from)
    }

    pub fn is_nothing(&self) -> bool {
        self.holes.is_empty() && self.damaged == 0 && self.cut_from.is_none()
    }
}

#[derive(Debug, Clone)]
pub struct Sent {
    pub event: Event,
    pub offset: u64,
    pub acked: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Ledger(pub Vec<Sent>);

impl Ledger {
    /// All that was sent so far is acknowledged.
    pub fn acknowledge(&mut self) {
        self.0.iter_mut().rev().take_while(|sent| !sent.acked).for_each(|sent| sent.acked = true);
    }

    /// What is counted after a start is as good as acknowledged; the rest of what was not never will be.
    pub fn settle(&mut self, counted: &Counted) {
        let ids: std::collections::HashSet<u64> = counted.events().into_iter().map(|(id, ..)| id).collect();
        self.0.retain(|sent| ids.contains(&sent.event.id()));
        self.0.iter_mut().for_each(|sent| sent.acked = true);
    }
}

#[derive(Debug, Default, Clone)]
pub struct Verdict {
    pub lost: u64,
    pub double: u64,
    pub reordered: u64,
    pub mismatched: u64,
    pub messages: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        (self.lost, self.double, self.reordered, self.mismatched) == (0, 0, 0, 0)
    }

    pub fn say(&mut self, message: String) {
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push(message);
        }
    }

    pub fn add(&mut self, other: Self, place: &str) {
        self.lost += other.lost;
        self.double += other.double;
        self.reordered += other.reordered;
        self.mismatched += other.mismatched;
        other.messages.into_iter().for_each(|message| self.say(format!("{place}: {message}")));
    }
}

pub fn judge(ledger: &Ledger, counted: &Counted, told: &Told) -> Verdict {
    let mut verdict = Verdict::default();
    let sent: HashMap<u64, usize> =
        ledger.0.iter().enumerate().map(|(index, sent)| (sent.event.id(), index)).collect();
    let mut by_ordinal: BTreeMap<u64, usize> = BTreeMap::new();
    let mut times_of: HashMap<u64, u64> = HashMap::new();
    for (id, times, ordinal) in counted.events() {
        times_of.insert(id, times);
        match sent.get(&id) {
            Some(index) => drop(by_ordinal.insert(ordinal, *index)),
            None => {
                verdict.mismatched += 1;
                verdict.say(format!("event {id:x} is counted and was never sent"));
            }
        }
    }
    for sent in &ledger.0 {
        let times = times_of.get(&sent.event.id()).copied().unwrap_or(0);
        if times > 1 {
            verdict.double += times - 1;
            verdict.say(format!("event {:x} at {} is counted {times} times", sent.event.id(), sent.offset));
        } else if times == 0 && sent.acked && !told.covers(sent.offset) {
            verdict.lost += 1;
            verdict.say(format!(
                "event {:x} at {} was acknowledged and is not counted",
                sent.event.id(),
                sent.offset
            ));
        }
    }
    let mut reference = Counted::default();
    let mut newest: BTreeMap<i64, usize> = BTreeMap::new();
    for index in by_ordinal.into_values() {
        let Some(sent) = ledger.0.get(index) else { continue };
        let before = newest.insert(sent.event.key, index);
        if before.is_some_and(|before| before > index) {
            verdict.reordered += 1;
            verdict.say(format!(
                "key {}: event {:x} was counted after a later one",
                sent.event.key,
                sent.event.id()
            ));
        }
        reference.apply(&sent.event);
    }
    if reference.entries != counted.entries {
        let differs = |key: &&Vec<u8>| reference.entries.get(*key) != counted.entries.get(*key);
        let keys: std::collections::BTreeSet<_> =
            reference.entries.keys().chain(counted.entries.keys()).filter(differs).collect();
        verdict.mismatched += keys.len() as u64;
        let first = keys.first().map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default();
        verdict.say(format!(
            "{} entries are not what the counted events make, {first} is the first",
            keys.len()
        ));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Ledger {
        let event = |n: i64| Event { producer: n % 2, seq: n, key: n % 3, value: 10 * n };
        Ledger((1..40).map(|n| Sent { event: event(n), offset: n as u64, acked: n < 30 }).collect())
    }

    fn check(events: &[usize], told: &Told) -> Verdict {
        let ledger = sent();
        let mut counted = Counted::default();
        events.iter().for_each(|index| counted.apply(&ledger.0[*index].event));
        judge(&ledger, &counted, told)
    }

    #[test]
    fn all_that_was_acknowledged_and_any_of_the_rest_is_clean() {
        for count in 29..39 {
            let verdict = check(&(0..count).collect::<Vec<_>>(), &Told::default());
            assert!(verdict.is_clean(), "{verdict:?}");
        }
    }

    #[test]
    fn each_way_of_being_wrong_is_found() {
        let good: Vec<usize> = (0..29).collect();
        let mut dropped = good.clone();
        dropped.remove(7);
        assert_eq!(check(&dropped, &Told::default()).lost, 1);
        let told = Told { holes: vec![(8, 9)], ..Told::default() };
        assert!(check(&dropped, &told).is_clean(), "what was told is not lost");
        let mut doubled = good.clone();
        doubled.push(7);
        assert_eq!(check(&doubled, &Told::default()).double, 1);
        let mut swapped = good.clone();
        swapped.swap(7, 10);
        assert!(check(&swapped, &Told::default()).reordered > 0);
    }

    #[test]
    fn an_entry_of_another_time_is_found() {
        let ledger = sent();
        let (mut counted, mut old) = (Counted::default(), Counted::default());
        for (index, sent) in ledger.0.iter().enumerate() {
            counted.apply(&sent.event);
            if index < 20 {
                old.apply(&sent.event);
            }
        }
        let totals = old.entries.get(b"totals".as_slice()).cloned().unwrap();
        counted.entries.insert(b"totals".to_vec(), totals);
        assert_eq!(judge(&ledger, &counted, &Told::default()).mismatched, 1);
    }
}
