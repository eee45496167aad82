//! What was sent through crashes against what came out. Nothing of the product is in here.
//!
//! In: a [`Book`], which the senders keep outside of the product: for each key and window the events that were acknowledged, and those of which it is not known, in the order in which they
//! were sent; and what was counted. Of the unknown ones of a key any beginning may be there, no other part: a sender's events are taken in their order. Out: a [`Verdict`]. Each event
//! carries a hash of key and number, so that as many events, but others, are found too; the sums are those that one thread makes by adding one after the other.

use std::collections::BTreeMap;

use super::checker::{Sums, WINDOW_MS, Windows, hash};

/// Messages that are kept.
const MESSAGES_MAX: usize = 20;

/// Of one key in one window.
#[derive(Debug, Default, Clone)]
pub struct Entry {
    acked: Option<Sums>,
    unknown: Vec<Sums>,
}

#[derive(Debug, Default, Clone)]
pub struct Book {
    entries: BTreeMap<(String, i64), Entry>,
    pub acked: u64,
    pub unknown: u64,
}

impl Book {
    pub fn note(&mut self, key: &str, number: u64, time_ms: i64, acked: bool) {
        let sums = Sums::of(number, hash(key, number));
        let window = time_ms.div_euclid(WINDOW_MS) * WINDOW_MS;
        let entry = self.entries.entry((key.to_owned(), window)).or_default();
        if acked {
            self.acked += 1;
            match &mut entry.acked {
                Some(known) => known.add(&sums),
                none => *none = Some(sums),
            }
        } else {
            self.unknown += 1;
            entry.unknown.push(sums);
        }
    }

    /// Of a sender whose keys are its own.
    pub fn take(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.acked += other.acked;
        self.unknown += other.unknown;
    }

    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.entries.keys().map(|(key, _)| key.clone()).collect();
        keys.dedup();
        keys
    }

    /// What one thread would count.
    pub fn reference(&self) -> Windows {
        let acked = self.entries.iter().filter_map(|(place, entry)| Some((place.clone(), entry.acked?)));
        acked.collect()
    }
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Verdict {
    /// Acknowledged and not counted.
    pub lost: u64,
    /// Counted more often than sent.
    pub double: u64,
    /// Windows that no part of what was sent explains.
    pub mismatched: u64,
    /// Unknown ones that are there.
    pub counted_unknown: u64,
    pub messages: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.double == 0 && self.mismatched == 0
    }

    fn say(&mut self, message: String) {
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push(message);
        }
    }
}

pub fn judge(book: &Book, counted: &Windows) -> Verdict {
    let mut verdict = Verdict::default();
    for ((key, window), entry) in &book.entries {
        one(&mut verdict, key, *window, entry, counted.get(&(key.clone(), *window)));
    }
    for ((key, window), got) in counted {
        if !book.entries.contains_key(&(key.clone(), *window)) {
            verdict.double += got.count as u64;
            verdict.say(format!("key {key}, window {window}: {} events that nobody sent there", got.count));
        }
    }
    verdict
}

fn one(verdict: &mut Verdict, key: &str, window: i64, entry: &Entry, got: Option<&Sums>) {
    let sure = entry.acked.map_or(0, |sums| sums.count as u64);
    let there = got.map_or(0, |sums| sums.count as u64);
    let most = sure + entry.unknown.len() as u64;
    if there < sure {
        verdict.lost += sure - there;
        verdict.say(format!("key {key}, window {window}: {there} of {sure} acknowledged events"));
        return;
    }
    if there > most {
        verdict.double += there - most;
        verdict.say(format!("key {key}, window {window}: {there} events, {most} were sent"));
        return;
    }
    let beginning = entry.unknown.iter().take((there - sure) as usize);
    let expected = entry.acked.iter().chain(beginning).copied().reduce(|mut all, sums| {
        all.add(&sums);
        all
    });
    verdict.counted_unknown += there - sure;
    if expected.as_ref() != got {
        verdict.mismatched += 1;
        verdict.say(format!("key {key}, window {window}: {got:?} instead of {expected:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two keys, two windows, 20 events each that are acknowledged, then 5 that are not known.
    fn book() -> Book {
        let mut book = Book::default();
        for key in ["a", "b"] {
            for number in 0..50 {
                book.note(key, number, number as i64 / 25 * 1_000, number % 25 < 20);
            }
        }
        book
    }

    /// What is counted if `unknown` of the unknown ones are there.
    fn counted(book: &Book, unknown: usize) -> Windows {
        let all = |entry: &Entry| {
            let mut sums = entry.acked.unwrap();
            entry.unknown.iter().take(unknown).for_each(|one| sums.add(one));
            sums
        };
        book.entries.iter().map(|(place, entry)| (place.clone(), all(entry))).collect()
    }

    /// lost, double, mismatched
    fn found(change: impl Fn(&mut Windows)) -> (u64, u64, u64) {
        let book = book();
        let mut windows = counted(&book, 2);
        change(&mut windows);
        let verdict = judge(&book, &windows);
        assert_eq!(verdict.is_clean(), verdict.messages.is_empty());
        (verdict.lost, verdict.double, verdict.mismatched)
    }

    fn at(key: &str, window: i64) -> (String, i64) {
        (key.to_owned(), window)
    }

    #[test]
    fn any_beginning_of_what_is_not_known_is_good() {
        for unknown in 0..=5 {
            let verdict = judge(&book(), &counted(&book(), unknown));
            assert!(verdict.is_clean(), "{verdict:?}");
            assert_eq!(verdict.counted_unknown, 4 * unknown as u64);
        }
        assert_eq!(book().reference().len(), 4);
    }

    #[test]
    fn what_is_dropped_doubled_swapped_or_old_is_found() {
        let event = |number: u64| Sums::of(number, hash("a", number));
        let less = |windows: &mut Windows, number: u64| {
            let (sums, gone) = (windows.get_mut(&at("a", 0)).unwrap(), event(number));
            (sums.count, sums.numbers, sums.hashes) =
                (sums.count - 1.0, sums.numbers - gone.numbers, sums.hashes - gone.hashes);
        };
        // An acknowledged event is dropped: it looks like one unknown less, with other sums.
        assert_eq!(found(|windows| less(windows, 7)), (0, 0, 1));
        // An event twice, in place of an unknown one.
        assert_eq!(found(|windows| windows.get_mut(&at("a", 0)).unwrap().add(&event(7))), (0, 0, 1));
        // More than were sent.
        let flood =
            |windows: &mut Windows| (0..9).for_each(|n| windows.get_mut(&at("a", 0)).unwrap().add(&event(n)));
        assert_eq!(found(flood), (0, 6, 0));
        // Two keys took each other's place.
        let swap = |windows: &mut Windows| {
            let (a, b) = (windows[&at("a", 0)], windows[&at("b", 0)]);
            windows.insert(at("a", 0), b);
            windows.insert(at("b", 0), a);
        };
        assert_eq!(found(swap), (0, 0, 2));
        // The state of an earlier time: the last ten are missing.
        let stale = |windows: &mut Windows| {
            let sums = (0..10).map(event).reduce(|mut all, one| {
                all.add(&one);
                all
            });
            windows.insert(at("a", 0), sums.unwrap());
        };
        assert_eq!(found(stale), (10, 0, 0));
        // The tail is lost: the last window.
        let cut = |windows: &mut Windows| assert!(windows.remove(&at("a", 1_000)).is_some());
        assert_eq!(found(cut), (20, 0, 0));
        // Events that nobody sent.
        let strange = |windows: &mut Windows| assert!(windows.insert(at("c", 0), event(1)).is_none());
        assert_eq!(found(strange), (0, 1, 0));
    }
}
