//! What every source holds: the way out, its counters and the stop signal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weir_core::batch::Incoming;
use weir_core::config::Durability;
use weir_core::record::Note;
use weir_core::triplet::Selector;

use super::{Accept, RejectedRows};
use crate::intake::{Busy, Receipt, SourceCounters, Took};

/// Longest pause between two looks at whether there is room again: short enough that a flow never runs dry.
const ROOM_LOOK_MAX: Duration = Duration::from_millis(20);

/// What every source holds: the way out, its counters and the stop signal.
#[derive(Clone)]
pub struct Outlet {
    pub name: Arc<str>,
    /// What it may write: only flows that want some of it make it wait.
    pub streams: Arc<[Selector]>,
    /// What its senders are promised.
    pub durability: Durability,
    pub accept: Arc<dyn Accept>,
    pub counters: Arc<SourceCounters>,
    pub rejected: Arc<RejectedRows>,
    pub stop: watch::Receiver<bool>,
    /// True: a source whose input ended asks the program to end.
    pub wants_stop: watch::Sender<bool>,
}

impl Outlet {
    /// Counts the events and hands them over.
    pub fn send(&self, batches: Vec<Incoming>) -> Receipt {
        self.send_as(batches, self.durability, None).receipt
    }

    /// The same where other senders of the source were promised more or less, or with a note.
    pub fn send_as(&self, batches: Vec<Incoming>, durability: Durability, note: Option<Note>) -> Took {
        if batches.is_empty() && note.is_none() {
            return Took::default();
        }
        let events = batches.iter().map(Incoming::rows).sum::<usize>();
        SourceCounters::add(&self.counters.events_total, events as u64);
        let took = self.accept.accept(batches, durability, note);
        if !took.duplicates.is_empty() {
            SourceCounters::add(&self.counters.duplicates_total, took.duplicate_rows() as u64);
        }
        if took.unidentified > 0 {
            SourceCounters::add(&self.counters.unidentified_total, took.unidentified);
        }
        took
    }

    /// Whether there is room for whatever this source may write.
    pub fn room(&self) -> Result<(), Busy> {
        self.accept.room(&self.streams)
    }

    /// Waits until there is room, and counts that it had to. False: the stop signal came first.
    pub async fn wait_room(&mut self) -> bool {
        let Err(mut busy) = self.room() else { return true };
        SourceCounters::add(&self.counters.waits_total, 1);
        loop {
            tokio::select! {
                () = tokio::time::sleep(busy.retry_after.min(ROOM_LOOK_MAX)) => {}
                () = stopped(&mut self.stop) => return false,
            }
            match self.room() {
                Ok(()) => return true,
                Err(still) => busy = still,
            }
        }
    }

    /// The same for a thread that has no async runtime.
    pub fn wait_room_blocking(&self) -> bool {
        let Err(mut busy) = self.room() else { return true };
        SourceCounters::add(&self.counters.waits_total, 1);
        while !self.is_stopped() {
            std::thread::sleep(busy.retry_after.min(ROOM_LOOK_MAX));
            match self.room() {
                Ok(()) => return true,
                Err(still) => busy = still,
            }
        }
        false
    }

    /// The stop signal is true, or nobody is left who could give it.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Asks the program to drain and end.
    pub fn ask_stop(&self) {
        self.wants_stop.send_replace(true);
    }
}

/// Ends when the stop signal is true, or nobody is left who could give it.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}
