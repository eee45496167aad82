//! The thread that draws.
//!
//! In: the charts of the running configuration. Out: [`Round`]s, one after each pass that drew something or saw another configuration, and in a pass that takes
//! long one every [`TELL_EVERY`], so that what is drawn does not wait for what is not; whoever waits for one then looks at the charts. It looks every [`LOOK_EVERY`] while somebody watches; else every [`IDLE_EVERY`]. [`Renderer::wake`] makes it look at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Chart;
use crate::runtime::Runtime;

/// How late a point may be because nobody looked.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const IDLE_EVERY: Duration = Duration::from_millis(250);
const TELL_EVERY: Duration = Duration::from_millis(5);

/// What there is to look at.
#[derive(Clone)]
pub struct Round {
    pub revision: u64,
    pub charts: Arc<[Arc<Chart>]>,
}

pub struct Renderer {
    rounds: Rounds,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// For those who look.
#[derive(Clone)]
pub struct Rounds {
    pub receiver: watch::Receiver<Round>,
    thread: Thread,
}

impl Rounds {
    /// Makes the thread look at once: somebody has begun to watch.
    pub fn wake(&self) {
        self.thread.unpark();
    }
}

impl Renderer {
    pub fn start(runtime: Arc<Runtime>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (revision, charts) = runtime.charts();
        let (sender, receiver) = watch::channel(Round { revision, charts: charts.into() });
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("charts".to_owned()).spawn(move || {
            while !stopping.load(Ordering::Acquire) {
                let watched = look(&runtime, &sender);
                std::thread::park_timeout(if watched { LOOK_EVERY } else { IDLE_EVERY });
            }
        })?;
        let rounds = Rounds { receiver, thread: thread.thread().clone() };
        Ok(Self { rounds, stop, thread })
    }

    pub fn rounds(&self) -> Rounds {
        self.rounds.clone()
    }

    /// Waits for the drawing in hand, at most one call of a formatter.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.rounds.wake();
        if self.thread.join().is_err() {
            tracing::error!("the thread that draws charts panicked");
        }
    }
}

/// One pass over all charts; true where somebody watches one.
fn look(runtime: &Runtime, sender: &watch::Sender<Round>) -> bool {
    let (revision, charts) = runtime.charts();
    let charts: Arc<[Arc<Chart>]> = charts.into();
    let tell = || sender.send_replace(Round { revision, charts: Arc::clone(&charts) });
    let mut news = revision != sender.borrow().revision;
    let mut watched = false;
    let mut told = Instant::now();
    let holes = runtime.holes();
    for chart in &*charts {
        watched |= chart.watchers() > 0;
        news |= chart.refresh(runtime.series(), &holes, runtime.now_unix_ns(), Instant::now());
        if news && told.elapsed() >= TELL_EVERY {
            tell();
            (news, told) = (false, Instant::now());
        }
    }
    if news {
        tell();
    }
    watched
}
