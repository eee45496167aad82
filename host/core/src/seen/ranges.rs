//! Which numbers were seen: all below one number, and runs above it.
//!
//! Numbers that rise by one cost one comparison and no memory, also behind a hole. Each hole costs one run. How many runs are kept is the owner's business:
//! [`Ranges::give_up`] closes the lowest hole, whose numbers then count as seen.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// All below are seen, or given up.
    below: u64,
    /// First and last of the runs above, but for the topmost; at least one number lies between two.
    lower: BTreeMap<u64, u64>,
    /// The topmost run: where numbers come that rise.
    top: Option<(u64, u64)>,
}

impl Ranges {
    /// What was dumped. None: it makes no sense.
    pub fn of(below: u64, runs: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        let mut ranges = Self { below, ..Self::default() };
        let mut free = below;
        for (first, last) in runs {
            if first <= free || last < first {
                return None;
            }
            free = last.checked_add(1)?;
            if let Some((first, last)) = ranges.top.replace((first, last)) {
                ranges.lower.insert(first, last);
            }
        }
        Some(ranges)
    }

    pub fn below(&self) -> u64 {
        self.below
    }

    /// Rising.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.lower.iter().map(|(first, last)| (*first, *last)).chain(self.top)
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.lower.len() + usize::from(self.top.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.below == 0 && self.top.is_none()
    }

    /// True: it was not there, and is now.
    pub fn insert(&mut self, number: u64) -> bool {
        match &mut self.top {
            Some((_, last)) if number.checked_sub(1) == Some(*last) => {
                *last = number;
                true
            }
            Some((first, last)) if number > *last => {
                self.lower.insert(*first, *last);
                self.top = Some((number, number));
                true
            }
            Some((first, _)) if number >= *first => false,
            Some(_) => self.fill(number),
            None if number < self.below => false,
            None if number == self.below => {
                self.below += 1;
                true
            }
            None => {
                self.top = Some((number, number));
                true
            }
        }
    }

    /// Of a number below the topmost run.
    fn fill(&mut self, number: u64) -> bool {
        if number < self.below {
            return false;
        }
        let before = self.lower.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let mut run = (number, number);
        if let Some((first, _)) = before.filter(|(_, last)| last + 1 == number) {
            self.lower.remove(&first);
            run.0 = first;
        }
        let mut is_top = false;
        if let Some(last) = self.lower.remove(&(number + 1)) {
            run.1 = last;
        } else if let Some((_, last)) = self.top.filter(|(first, _)| *first == number + 1) {
            (run.1, is_top) = (last, true);
        }
        match (run.0 == self.below, is_top) {
            (true, _) => {
                self.below = run.1 + 1;
                self.top = self.top.filter(|_| !is_top);
            }
            (false, true) => self.top = Some(run),
            (false, false) => {
                self.lower.insert(run.0, run.1);
            }
        }
        true
    }

    /// Closes the lowest hole. Returns how many numbers were never seen; none before the first that ever was.
    pub fn give_up(&mut self) -> u64 {
        let lowest = self.lower.pop_first().or_else(|| self.top.take());
        let Some((first, last)) = lowest else { return 0 };
        let missing = if self.below == 0 { 0 } else { first - self.below };
        self.below = last + 1;
        missing
    }
}
