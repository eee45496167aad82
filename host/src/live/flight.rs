//! Frames of one chart on their way to one client: sent, and not yet acknowledged.
//!
//! In: epoch and version of each frame sent, and of each that the client says it has taken, which stands for all before it. Out: whether another one may
//! follow. Bound: never more than the limit that is kept to, at most 16. What was never sent is passed over: a client cannot make room with it.

use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct Flight {
    /// Epoch and version, oldest first.
    frames: VecDeque<(u64, u64)>,
}

impl Flight {
    /// `most` 0: it does not acknowledge, and there is no limit.
    pub fn is_full(&self, most: u32) -> bool {
        most > 0 && self.frames.len() >= most as usize
    }

    pub fn sent(&mut self, epoch: u64, version: u64) {
        self.frames.push_back((epoch, version));
    }

    pub fn landed(&mut self, epoch: u64, version: u64) {
        if let Some(at) = self.frames.iter().position(|frame| *frame == (epoch, version)) {
            self.frames.drain(..=at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_stands_for_those_before_it_and_what_was_not_sent_is_passed_over() {
        let mut flight = Flight::default();
        for version in 1..=3 {
            flight.sent(9, version);
        }
        assert!(flight.is_full(3) && !flight.is_full(4) && !flight.is_full(0));
        flight.landed(8, 3);
        flight.landed(9, 4);
        assert!(flight.is_full(3));
        flight.landed(9, 2);
        assert!(flight.is_full(1) && !flight.is_full(2));
        flight.landed(9, 3);
        assert!(!flight.is_full(1));
    }
}
