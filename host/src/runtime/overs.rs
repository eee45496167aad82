//! Which flows are too far behind, and for whose streams.
//!
//! In: flows that pass their lag bound, or come back. Out: whether a source has room for events of its streams: it waits only for flows that
//! could get them. Bounded by the number of flows. Asking costs one load while no flow lags.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use weir_core::triplet::Selector;

/// The streams of one flow, and whether its sources must wait.
#[derive(Debug)]
pub struct Wanted {
    pub selectors: Vec<Selector>,
    over: AtomicBool,
}

/// The flows that make sources wait.
#[derive(Debug, Default)]
pub struct Overs {
    /// As many as `flows`, for a look without the lock.
    count: AtomicUsize,
    /// A leaf among the locks: nothing else is locked under it.
    flows: Mutex<Vec<Arc<Wanted>>>,
    /// The past is replayed: no source reads yet, and how old a record is says nothing.
    pub replaying: AtomicBool,
}

impl Wanted {
    pub fn new(selectors: Vec<Selector>) -> Arc<Self> {
        Arc::new(Self { selectors, over: AtomicBool::new(false) })
    }
}

impl Overs {
    /// Says that a flow is behind, or no longer. Saying the same twice changes nothing.
    pub fn set(&self, flow: &Arc<Wanted>, over: bool) {
        if flow.over.load(Ordering::Acquire) == over {
            return;
        }
        let mut flows = self.flows.lock();
        if flow.over.swap(over, Ordering::AcqRel) == over {
            return;
        }
        if over {
            flows.push(Arc::clone(flow));
        } else {
            flows.retain(|known| !Arc::ptr_eq(known, flow));
        }
        self.count.store(flows.len(), Ordering::Release);
    }

    /// Whether no flow that is behind could get events of these streams.
    pub fn room(&self, streams: &[Selector]) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let flows = self.flows.lock();
        let wants = |flow: &Arc<Wanted>| {
            flow.selectors.iter().any(|wanted| streams.iter().any(|stream| stream.overlaps(wanted)))
        };
        !flows.iter().any(wants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selectors(texts: &[&str]) -> Vec<Selector> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_those_whose_streams_a_lagging_flow_wants_have_to_wait() {
        let (overs, slow, other) =
            (Overs::default(), Wanted::new(selectors(&["my/dev/slow"])), Wanted::new(selectors(&["b/*/*"])));
        let [everything, calm, slow_too] =
            [&["*/*/*"][..], &["my/dev/calm"], &["a/b/c", "my/*/*"]].map(selectors);
        overs.set(&slow, true);
        overs.set(&slow, true);
        overs.set(&other, true);
        assert_eq!([&everything, &calm, &slow_too].map(|streams| overs.room(streams)), [false, true, false]);
        overs.set(&slow, false);
        assert_eq!([&everything, &calm, &slow_too].map(|streams| overs.room(streams)), [false, true, true]);
        overs.set(&other, false);
        assert!(overs.room(&everything));
    }
}
