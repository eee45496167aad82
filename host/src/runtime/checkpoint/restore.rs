//! A checkpoint back into a host that has nothing yet.
//!
//! In: entries, in the order of keys ([`Loaded`] takes them). Out: the revision of then runs, its flows with the states of their units, series, alerts, clocks and totals, and
//! the offset from which each flow is to be replayed. What cannot be read, or has no place in what runs, is counted and left out. States come back where they fit, by the rules of
//! any change of the configuration ([`super::super::handoff::fits`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use weir_checkpoint::Entries;
use weir_core::batch::Position;
use weir_core::config::Topology;
use weir_core::flow::counters::NodeCounters;
use weir_core::seen::{self, Seen};
use weir_core::state::{Quota, UnitState};

use super::stored::{
    self, Global, Joiner, StoredFlow, StoredNode, StoredRevision, StreamTotals, stored_counters,
};
use crate::runtime::Runtime;
use crate::runtime::configure::{Checked, How};
use crate::runtime::handoff::{Legacies, Legacy, Remembered};
use crate::runtime::revisions::Revision;

/// All of a checkpoint, in memory.
#[derive(Default)]
pub struct Loaded {
    joiner: Joiner,
    pub global: Option<Global>,
    revisions: Vec<StoredRevision>,
    flows: Vec<StoredFlow>,
    states: HashMap<u32, UnitState>,
    alerts: Vec<(Vec<u8>, Vec<u8>)>,
    series: Vec<(Vec<u8>, Vec<u8>)>,
    /// What was accepted: true whatever can run.
    seen: Seen,
    /// Keys of flows, and prefixes of states and rules, that are stored.
    pub known: BTreeSet<Vec<u8>>,
    /// Entries that could not be read.
    pub strange: u64,
}

impl Entries for Loaded {
    fn begin(&mut self) {
        *self = Self::default();
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        if let Some((key, value)) = self.joiner.take(key, value) {
            self.known.extend(stored::owner(&key));
            let known = self.take(key, value).is_some();
            self.strange += u64::from(!known);
        }
    }
}

impl Loaded {
    fn take(&mut self, key: Vec<u8>, value: Vec<u8>) -> Option<()> {
        match *key.first()? {
            b'a' | b'e' => self.alerts.push((key, value)),
            b'm' | b's' => self.series.push((key, value)),
            seen::PRODUCER | seen::REQUEST | seen::PLACE => {
                return self.seen.restore(&key, &value).then_some(());
            }
            b'g' => self.global = Some(serde_json::from_slice(&value).ok()?),
            b'r' => self.revisions.push(serde_json::from_slice(&value).ok()?),
            b'f' => {
                let flow: StoredFlow = serde_json::from_slice(&value).ok()?;
                for node in &flow.nodes {
                    self.states.insert(node.state, UnitState::new(&node.plan(), Quota::default()));
                }
                self.flows.push(flow);
            }
            b'u' => {
                let (number, key) = key.get(1..)?.split_first_chunk::<4>()?;
                // Of a state that nobody has any more there may be a rest.
                let Some(state) = self.states.get_mut(&u32::from_be_bytes(*number)) else { return Some(()) };
                return state.restore_entry(key, &value).then_some(());
            }
            _ => return None,
        }
        Some(())
    }
}

impl Runtime {
    /// What was accepted before; that it was does not depend on what runs.
    pub fn restore_seen(&self, loaded: &mut Loaded) {
        let mut seen = std::mem::take(&mut loaded.seen);
        seen.restored();
        self.log.lock().seen = seen;
    }

    /// Makes it all run as it was. The error says why the configuration of then cannot; then nothing is restored.
    pub fn restore(&self, mut loaded: Loaded) -> Result<(), String> {
        let Some(global) = loaded.global.take() else { return Err("it says nothing of the log".to_owned()) };
        let newest = loaded.revisions.iter().find(|known| known.revision == global.revision);
        let newest = newest.cloned().ok_or("its configuration is not there")?;
        let words = |problems: Vec<weir_core::config::Problem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let _pinned = self.pin(newest.revision);
        let checked = Checked::new(&newest.text, &self.components).map_err(words)?;
        {
            let mut log = self.log.lock();
            log.sequencer.restore(global.accepted_at_unix_ns, global.clocks.iter().cloned());
            log.runs = global.runs.iter().map(|(name, run)| (name.as_str().into(), *run)).collect();
            log.begin_at(global.at, global.revision);
            log.holes.restore(global.holes.clone());
            let derived = loaded.flows.iter().flat_map(|flow| &flow.streams);
            global.streams.iter().chain(derived).for_each(|totals: &StreamTotals| log.restore_totals(totals));
        }
        {
            let mut configured = self.configured.lock();
            loaded.revisions.sort_by_key(|known| known.revision);
            for known in loaded.revisions.iter().filter(|known| known.revision < global.revision) {
                configured.revisions.push(revision(known));
            }
        }
        let from = loaded.flows.iter().map(|flow| flow.from).min().unwrap_or(global.at);
        loaded.revisions.retain(|known| known.revision <= global.revision);
        self.restore_sinks(&loaded.revisions, from);
        let nodes: Vec<StoredNode> = loaded.flows.iter().flat_map(|flow| flow.nodes.clone()).collect();
        let legacies = self.legacies(&mut loaded, &global);
        let how = How::Restore { revision: revision(&newest), legacies: Arc::new(Mutex::new(legacies)) };
        self.take_up(self.configuring.lock(), checked, &newest.origin, &newest.summary, how)
            .map_err(words)?;
        self.restore_counters(&nodes);
        let mut series = self.series.lock();
        loaded.series.iter().for_each(|(key, value)| series.restore(key, value));
        series.restored();
        series.track();
        drop(series);
        let mut alerts = self.alerting.alerts.lock();
        loaded.alerts.iter().for_each(|(key, value)| alerts.restore(key, value));
        alerts.restored();
        alerts.track();
        self.checkpoints.since.store(global.at, Ordering::Relaxed);
        self.checkpoints.restored(global.revision);
        Ok(())
    }

    /// Which sinks took rows of which records, as the revisions from `from` on set them: flows may stand before the change that made the newest, a paused one, say.
    fn restore_sinks(&self, revisions: &[StoredRevision], from: u64) {
        // Mostly the newest alone.
        let first = revisions.iter().rposition(|known| known.offset <= from).unwrap_or(0);
        let sinks = |known: &StoredRevision| Some((known.offset, Topology::parse(&known.text).ok()?.sinks));
        let kept = revisions.iter().skip(first).filter_map(sinks);
        for (number, (offset, sinks)) in kept.enumerate() {
            // What was before the first is not asked for, or nobody knows it any more.
            self.sinks.set(&sinks, if number == 0 { 0 } else { offset });
        }
    }

    fn legacies(&self, loaded: &mut Loaded, global: &Global) -> Legacies {
        let mut legacies = Legacies::default();
        legacies.from = global.at;
        for flow in loaded.flows.drain(..) {
            let of_flow = (Arc::from(flow.name.as_str()), flow.lane);
            let StoredFlow { from, skipped, memory, lanes, nodes, .. } = flow;
            legacies.memories.insert(of_flow, Remembered { from, skipped, memory });
            for node in nodes {
                let Some(mut state) = loaded.states.remove(&node.state) else { continue };
                state.track();
                let state = state.shared();
                self.checkpoints.numbers.lock().note(&state, node.state);
                let plan = Arc::new(node.plan());
                let legacy = Legacy { plan, lanes, state, running: None, resumed: Some(node.memory) };
                legacies.nodes.insert((node.id.as_str().into(), flow.lane), legacy);
            }
        }
        legacies
    }

    fn restore_counters(&self, nodes: &[StoredNode]) {
        let configured = self.configured.lock();
        for node in nodes {
            // All lanes count in one, and each has stored all of it.
            let Some(counters) = configured.counters.get(node.id.as_str()) else { continue };
            for (counter, value) in stored_counters(counters).into_iter().zip(node.counters) {
                let before = NodeCounters::get(counter);
                counter.store(before.max(value), Ordering::Relaxed);
            }
        }
    }
}

fn revision(stored: &StoredRevision) -> Revision {
    Revision {
        revision: stored.revision,
        position: Position { log: 0, epoch: stored.epoch, offset: stored.offset },
        at_unix_ns: stored.at_unix_ns,
        origin: stored.origin.clone(),
        summary: stored.summary.clone(),
        text: stored.text.as_str().into(),
    }
}
