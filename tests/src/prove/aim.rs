//! Where in the life of a host a kill falls.
//!
//! In: the process and its folder of data. Out: the moment, waited for from outside: the thread of the checkpoints works (it writes a checkpoint, or folds those before), or a snapshot is
//! being written. The host knows nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const WAIT_MAX: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_micros(200);
/// Of the processor, in one [`LOOK`] and what came with it, ns: more than the thread takes to look whether there is something to do.
const BUSY_NS: u64 = 150_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    Anywhere,
    /// While a checkpoint is written or folded, so much after it began.
    Checkpoint(Duration),
    Snapshot,
}

impl Aim {
    /// Returns at the moment, or after [`WAIT_MAX`]; whether it was the moment.
    pub fn wait(self, pid: u32, data: &Path) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Checkpoint(after) => {
                let Some(thread) = thread(pid, "checkpoint") else { return false };
                let mut before = ran_ns(&thread);
                let is_hit = until(|| {
                    let now = ran_ns(&thread);
                    let is_busy = now.zip(before).is_some_and(|(now, before)| now - before > BUSY_NS);
                    before = now;
                    is_busy
                });
                std::thread::sleep(after);
                is_hit
            }
            Self::Snapshot => until(|| is_writing_snapshot(&data.join("state"))),
        }
    }
}

fn until(mut is_so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < WAIT_MAX {
        if is_so() {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    false
}

fn thread(pid: u32, name: &str) -> Option<PathBuf> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    threads
        .flatten()
        .map(|entry| entry.path())
        .find(|thread| fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim() == name))
}

/// Time on the processor.
fn ran_ns(thread: &Path) -> Option<u64> {
    fs::read_to_string(thread.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
}

fn is_writing_snapshot(state: &Path) -> bool {
    fs::read_dir(state).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "tmp"))
    })
}
