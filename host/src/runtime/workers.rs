//! The threads that run flows: one per core, and one for flows that had a fault lately.
//!
//! A plain line (channel) of actors; a worker takes the first, runs a slice of it, and puts it back at the end where it has more to do. The line is bounded by
//! nature: an actor stands in it at most once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::actor::{Actor, Commit, Next};
use super::handoff::Handoff;

pub type FindHandoff = dyn Fn(u64) -> Option<Arc<Handoff>> + Send + Sync;

/// The ends into which actors are put.
#[derive(Clone)]
pub struct Entrance {
    calm: Sender<Option<Arc<Actor>>>,
    recovery: Sender<Option<Arc<Actor>>>,
}

impl Entrance {
    /// Puts an actor, claimed by the caller, into the line.
    pub fn schedule(&self, actor: Arc<Actor>) {
        let line = if actor.in_recovery.load(Ordering::Relaxed) { &self.recovery } else { &self.calm };
        // It fails only when all workers have ended, and then nothing is to be run.
        drop(line.send(Some(actor)));
    }
}

pub struct Workers {
    entrance: Entrance,
    threads: Mutex<Vec<JoinHandle<()>>>,
    count: usize,
}

/// Made first, because actors are scheduled before the threads exist.
pub struct Lines {
    calm: Receiver<Option<Arc<Actor>>>,
    recovery: Receiver<Option<Arc<Actor>>>,
}

impl Workers {
    pub fn new(count: usize) -> (Self, Lines) {
        // Unbounded, but an actor stands in the line at most once, and the actors are bounded by the configuration.
        let (calm, calm_line) = unbounded();
        let (recovery, recovery_line) = unbounded();
        let workers = Self { entrance: Entrance { calm, recovery }, threads: Mutex::default(), count };
        (workers, Lines { calm: calm_line, recovery: recovery_line })
    }

    pub fn start(
        &self,
        lines: &Lines,
        commit: &Arc<dyn Commit + Send + Sync>,
        handoff: &Arc<FindHandoff>,
    ) -> io::Result<()> {
        let mut threads = self.threads.lock();
        for index in 0..=self.count {
            let recovers = index == self.count;
            let line = if recovers { lines.recovery.clone() } else { lines.calm.clone() };
            let name = if recovers { "flow-recovery".to_owned() } else { format!("flow-{index}") };
            let (commit, handoff) = (Arc::clone(commit), Arc::clone(handoff));
            let entrance = self.entrance.clone();
            let body = move || {
                while let Ok(Some(actor)) = line.recv() {
                    if actor.run(recovers, &*commit, &*handoff) == Next::Again {
                        entrance.schedule(actor);
                    }
                }
            };
            threads.push(std::thread::Builder::new().name(name).spawn(body)?);
        }
        Ok(())
    }

    /// Puts an actor, claimed by the caller, into the line.
    pub fn schedule(&self, actor: Arc<Actor>) {
        self.entrance.schedule(actor);
    }

    pub fn sender(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Lets the threads end after what they have in hand.
    pub fn stop(&self) {
        for _ in 0..self.count {
            drop(self.entrance.calm.send(None));
        }
        drop(self.entrance.recovery.send(None));
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
    }
}
