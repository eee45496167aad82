//! Rates: what the counters gained over the last second.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Runtime, monotonic_ns};
use weir_core::flow::counters::NodeCounters;

#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    count: u64,
    busy_ns: u64,
    pub per_s: f64,
    pub ns_per_event: f64,
}

impl Rate {
    fn next(self, count: u64, busy_ns: u64, seconds: f64) -> Self {
        let (events, busy) =
            (count.saturating_sub(self.count) as f64, busy_ns.saturating_sub(self.busy_ns) as f64);
        Self {
            count,
            busy_ns,
            per_s: events / seconds,
            // Without events the last figure stands: "how dear" does not change because nobody asks.
            ns_per_event: if events > 0.0 { busy / events } else { self.ns_per_event },
        }
    }
}

/// By name: unit ids, triplets, sources.
#[derive(Debug, Default)]
pub struct Rates {
    at_ns: u64,
    pub nodes: HashMap<Arc<str>, Rate>,
    pub streams: HashMap<Arc<str>, Rate>,
    pub sources: HashMap<String, Rate>,
    pub rejected: HashMap<String, Rate>,
}

impl Rates {
    pub fn new() -> Self {
        Self { at_ns: monotonic_ns(), ..Self::default() }
    }
}

impl Runtime {
    pub(super) fn sample_rates(&self) {
        let nodes: Vec<(Arc<str>, Arc<NodeCounters>)> = {
            let configured = self.configured.lock();
            configured.counters.iter().map(|(id, counters)| (Arc::clone(id), Arc::clone(counters))).collect()
        };
        let streams: Vec<(Arc<str>, u64)> = {
            let log = self.log.lock();
            log.streams
                .iter()
                .map(|(triplet, stream)| (triplet.as_str().into(), stream.events_total))
                .collect()
        };
        let sources: Vec<(String, u64, u64)> = self
            .sources()
            .into_iter()
            .map(|source| (source.name, source.events_total, source.rejected_total))
            .collect();
        let mut rates = self.rates.lock();
        let now = monotonic_ns();
        let seconds = (now.saturating_sub(rates.at_ns) as f64 / 1e9).max(1e-3);
        rates.at_ns = now;
        let rates = &mut *rates;
        rates.nodes = nodes
            .into_iter()
            .map(|(id, counters)| {
                let before = rates.nodes.get(&id).copied().unwrap_or_default();
                let (rows, busy) =
                    (NodeCounters::get(&counters.rows_in), NodeCounters::get(&counters.busy_ns));
                (id, before.next(rows, busy, seconds))
            })
            .collect();
        rates.streams = streams
            .into_iter()
            .map(|(name, events)| {
                let before = rates.streams.get(&name).copied().unwrap_or_default();
                (name, before.next(events, 0, seconds))
            })
            .collect();
        for (name, events, rejected) in sources {
            let before = rates.sources.get(&name).copied().unwrap_or_default();
            rates.sources.insert(name.clone(), before.next(events, 0, seconds));
            let before = rates.rejected.get(&name).copied().unwrap_or_default();
            rates.rejected.insert(name, before.next(rejected, 0, seconds));
        }
    }
}
