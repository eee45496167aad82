//! Tells on standard error how far a long replay is: a terminal sees one line that changes, a log one line each two seconds.
//!
//! A replay that is over before [`FIRST`] says nothing.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use super::Replayed;

const FIRST: Duration = Duration::from_millis(500);
const TERMINAL_EVERY: Duration = Duration::from_millis(200);
const LOG_EVERY: Duration = Duration::from_secs(2);

pub struct Progress {
    begun: Instant,
    told: Instant,
    is_terminal: bool,
    has_line: bool,
}

impl Progress {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, told: now, is_terminal: stderr().is_terminal(), has_line: false }
    }

    /// Called often; seldom says something.
    pub fn tell(&mut self, done: &Replayed) {
        let every = if self.is_terminal { TERMINAL_EVERY } else { LOG_EVERY };
        if self.told.elapsed() < every || self.begun.elapsed() < FIRST {
            return;
        }
        self.told = Instant::now();
        if self.is_terminal {
            self.has_line = true;
            // Who closed standard error wants no line.
            let _ = write!(stderr(), "\r{}\x1b[K", done.told());
        } else {
            let (percent, records, events) = (done.percent(), done.records, done.events);
            tracing::info!(percent, records, events, "the journal is replayed");
        }
    }

    /// Takes the line away.
    pub fn end(self) {
        if self.has_line {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
