//! Keeps the journal small, now and then: what is sealed is packed, what nothing needs any more and is beyond the bounds of the configuration is removed.
//!
//! One thread of its own, at most one segment each [`EVERY`]. What replay needs is never removed, however old. Errors are logged and tried again.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weir_core::config::DataSpec;
use weir_journal::upkeep::Keep;

use super::folder::Data;
use super::{Runtime, clock_unix_ns};

const EVERY: Duration = Duration::from_secs(5);
/// How often the thread looks whether the host ends.
const LOOK: Duration = Duration::from_millis(100);

/// Begins; it ends with the runtime.
pub fn start(runtime: &Arc<Runtime>, data: &Arc<Data>, spec: &DataSpec) -> io::Result<()> {
    let keep = Keep { age_ns: spec.keep_age_ns, bytes: spec.keep_bytes };
    let (weak, data) = (Arc::downgrade(runtime), Arc::clone(data));
    let body = move || {
        let mut waited = Duration::ZERO;
        // The run before may have ended between a segment and what it alone named.
        let mut is_first = true;
        while let Some(runtime) = weak.upgrade().filter(|runtime| !runtime.stopping.load(Ordering::Acquire)) {
            if waited >= EVERY {
                waited = Duration::ZERO;
                let removed = once(&runtime, &data, keep);
                if removed || std::mem::take(&mut is_first) {
                    forget_components(&runtime, &data);
                }
            }
            drop(runtime);
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
    };
    std::thread::Builder::new().name("journal-upkeep".into()).spawn(body).map(drop)
}

/// Whether a segment was removed.
fn once(runtime: &Runtime, data: &Data, keep: Keep) -> bool {
    let Some(status) = runtime.journal_status() else { return false };
    let needed_from = runtime.needed_from.load(Ordering::Acquire);
    match weir_journal::upkeep(&*data.journal, status.segment, keep, needed_from, clock_unix_ns()) {
        Ok(done) => {
            for damaged in &done.damaged {
                tracing::error!(segment = %damaged.segment, at = damaged.at, bytes = damaged.bytes, "a sealed segment is damaged and was set apart");
            }
            if !done.packed.is_empty() || !done.removed.is_empty() {
                let (packed, removed) = (done.packed.len(), done.removed.len());
                tracing::debug!(
                    packed,
                    removed,
                    before = done.bytes_before,
                    after = done.bytes_after,
                    "journal kept small"
                );
            }
            !done.removed.is_empty()
        }
        Err(error) => {
            tracing::warn!(%error, "the journal could not be kept small; it is tried again");
            false
        }
    }
}

/// Copies of components that no kept segment, checkpoint or listed revision names. Reads the segments, and so is done only at the start and when one went.
fn forget_components(runtime: &Runtime, data: &Data) {
    let kept = runtime.components.kept_revisions();
    if kept.len() < 2 {
        return;
    }
    let found = match weir_journal::upkeep::configurations(&*data.journal) {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "the journal could not be read for its configurations; copies of components stay");
            return;
        }
    };
    let mut named: BTreeSet<u64> = found.iter().map(|(revision, _)| *revision).collect();
    {
        let configured = runtime.configured.lock();
        named.extend(configured.revisions.newest_of(usize::MAX).map(|known| known.revision));
        named.insert(configured.revision);
    }
    // Records before the first command ran with the revision before it.
    let first = found.first().map_or(u64::MAX, |(revision, _)| *revision);
    named.extend(kept.range(..first).next_back());
    runtime.components.forget_all_but(&named);
}
