//! The clock of all deadlines: one thread that counts the epoch of each engine up once a millisecond.
//!
//! Engines are made by the ticker, so there is no list of engines that somebody could forget to add to. Deadlines are in ticks of
//! one millisecond; a call that is given n ticks is cut after n - 1 to n ms, later only by as much as the machine delays the thread.
//! After a stall (a suspended machine) at most 5 ticks are made up, so that running calls are not all cut by it. Dropping the ticker
//! stops and joins the thread.
//!
//! A thread that wakes a thousand times a second takes one or two percent of a core whatever it does then. So the clock stands while no call
//! runs, and the next call sets it going.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::{Config, Engine, EngineWeak};

const TICK: Duration = Duration::from_millis(1);
const TICKS_MADE_UP_MAX: u32 = 5;
/// Without a call for so long, the clock stands: calls that come in turn need not wake it.
const IDLE_TICKS: u32 = 10;

/// What calls tell the ticker.
#[derive(Default)]
pub(crate) struct Clock {
    /// Calls that run.
    running: AtomicUsize,
    stands: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A call that runs: deadlines come for as long as it lives.
pub(crate) struct Running<'a>(&'a Clock);

impl Clock {
    // Both sides say first and look then (all SeqCst): either the ticker sees the call or the call sees that the clock stands.
    pub(crate) fn run(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::SeqCst);
        if self.stands.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Running(self)
    }

    /// Waits for a call, or to be woken for another reason.
    fn stand(&self) {
        self.stands.store(true, Ordering::SeqCst);
        if self.running.load(Ordering::SeqCst) == 0 {
            std::thread::park();
        }
        self.stands.store(false, Ordering::SeqCst);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    pub(crate) clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

impl Ticker {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), engines: Mutex::new(Vec::new()) });
        let clock = Arc::new(Clock::default());
        let (of_thread, its_clock) = (Arc::clone(&shared), Arc::clone(&clock));
        let thread =
            std::thread::Builder::new().name("ticker".into()).spawn(move || of_thread.run(&its_clock))?;
        // Set only here.
        let _ = clock.thread.set(thread.thread().clone());
        Ok(Self { shared, clock, thread: Some(thread) })
    }

    /// Makes an engine whose epoch this ticker counts for as long as the engine lives.
    pub(crate) fn engine(&self, config: &Config) -> wasmtime::Result<Engine> {
        let engine = Engine::new(config)?;
        self.shared.engines.lock().push(engine.weak());
        Ok(engine)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the ticker was reported by the panic hook; there is nothing more to do about it here.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn run(&self, clock: &Clock) {
        let (mut last, mut idle) = (Instant::now(), 0);
        while !self.stop.load(Ordering::Acquire) {
            if idle < IDLE_TICKS {
                std::thread::park_timeout(TICK);
            } else {
                clock.stand();
                last = Instant::now();
            }
            idle = if clock.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            let mut ticks = 0;
            while last.elapsed() >= TICK && ticks < TICKS_MADE_UP_MAX {
                last += TICK;
                ticks += 1;
                self.tick();
            }
            if ticks == TICKS_MADE_UP_MAX {
                last = Instant::now();
            }
        }
    }

    fn tick(&self) {
        self.engines.lock().retain(|engine| match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn comes(what: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        while !what() && begun.elapsed() < SOON {
            std::thread::yield_now();
        }
        what()
    }

    #[test]
    fn the_clock_stands_while_no_call_runs() {
        let ticker = Ticker::start().unwrap();
        for _ in 0..20 {
            assert!(comes(|| ticker.clock.stands.load(Ordering::SeqCst)));
            let running = ticker.clock.run();
            assert!(comes(|| !ticker.clock.stands.load(Ordering::SeqCst)));
            let inner = ticker.clock.run();
            drop(running);
            // Longer than it takes to stand.
            std::thread::sleep(TICK * IDLE_TICKS * 3);
            assert!(!ticker.clock.stands.load(Ordering::SeqCst));
            drop(inner);
        }
    }
}
