//! The clock of all deadlines: one thread that counts the epoch of each engine up once a millisecond.
//!
//! Engines are made by the ticker, so there is no list of engines that somebody could forget to add to. Deadlines are in ticks of
//! one millisecond; a call that is given n ticks is cut after n - 1 to n ms, later only by as much as the machine delays the thread.
//! After a stall (a suspended machine) at most 5 ticks are made up, so that running calls are not all cut by it. Dropping the ticker
//! stops and joins the thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::{Config, Engine, EngineWeak};

const TICK: Duration = Duration::from_millis(1);
const TICKS_MADE_UP_MAX: u32 = 5;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

impl Ticker {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), engines: Mutex::new(Vec::new()) });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("ticker".into()).spawn(move || of_thread.run())?;
        Ok(Self { shared, thread: Some(thread) })
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
    fn run(&self) {
        let mut last = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            std::thread::park_timeout(TICK);
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
