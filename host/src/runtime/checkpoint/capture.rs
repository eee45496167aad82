//! What a flow gives to a checkpoint, taken by its own worker between two records.
//!
//! In: a [`Round`], which is asked of every flow under the log's lock at one position. Out: a [`Captured`] for each: its states, frozen, and all else that
//! it knows, as of the record before `from`. A flow that is held gives what it has where it stands; the rest of its records stays to be replayed. What changed in a state is read by
//! the checkpoint's thread while the flow goes on ([`FrozenState::read`]), so that a million changed keys hold no record up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crossbeam_channel::Sender;
use parking_lot::Mutex;
use weir_core::flow::Flow;
use weir_core::flow::counters::NodeCounters;
use weir_core::flow::dump::NodeMemory;
use weir_core::flow::node::{Node, lock};
use weir_core::state::dump::{Changed, Entry, Reading};
use weir_core::state::{SharedState, UnitState};
use weir_core::triplet::Triplet;

use super::stored::{StoredFlow, StoredNode, StoredTable, StreamTotals, flow_key, json, stored_counters};
use crate::runtime::Runtime;
use crate::runtime::log::Stream;

/// One checkpoint, asked of every flow.
pub struct Round {
    /// Offset of the first record that is not to be in it.
    pub at: u64,
    /// Give what is there, wherever the flow stands.
    pub hurry: AtomicBool,
    /// Everything, not only what changed.
    pub all: bool,
    pub out: Sender<Captured>,
}

impl Round {
    /// From where a flow whose next record is `first` would have to be replayed; none: it is not there yet.
    pub fn from(&self, first: Option<u64>, held: bool) -> Option<u64> {
        match first {
            Some(first) if first < self.at => (held || self.hurry.load(Ordering::Relaxed)).then_some(first),
            _ => Some(self.at),
        }
    }
}

pub struct Captured {
    pub from: u64,
    pub entries: Vec<Entry>,
    pub states: Vec<FrozenState>,
    pub rules: Vec<Arc<str>>,
    pub flow: Vec<u8>,
}

/// Entries that are read under one lock of the state: a millisecond, which the flow may have to wait. Of a flow that is busy the lock comes only between two calls of a unit, so that a smaller
/// piece would take the checkpoint too long.
const PIECE: usize = 4_096;

/// The state of one unit, as it was between two records.
pub struct FrozenState {
    pub number: u32,
    state: SharedState,
    changed: Option<Changed>,
}

impl FrozenState {
    /// What changed, in the order of keys. Whoever stops before the end asks for all the next time.
    pub fn read<E>(&mut self, put: &mut dyn FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
        let Some(changed) = self.changed.take() else { return Ok(()) };
        let mut reading = Reading::new(changed);
        let mut piece = Vec::with_capacity(PIECE);
        loop {
            reading.step(&mut lock(&self.state), PIECE, &mut piece);
            if piece.is_empty() {
                return Ok(());
            }
            piece.drain(..).try_for_each(&mut *put)?;
        }
    }
}

impl Drop for FrozenState {
    fn drop(&mut self) {
        lock(&self.state).thaw();
    }
}

/// Numbers of states, never given twice.
#[derive(Default)]
pub struct Numbers {
    next: u32,
    /// By address; the weak reference keeps the address from being another's.
    known: HashMap<usize, (Weak<Mutex<UnitState>>, u32)>,
}

impl Numbers {
    /// The number of a state, and whether it is new. `renew`: it gets another, so that nothing of what is stored under the one before counts.
    fn of(&mut self, state: &SharedState, renew: bool) -> (u32, bool) {
        let address = Arc::as_ptr(state) as usize;
        if let Some((_, number)) = self.known.get(&address).filter(|_| !renew) {
            return (*number, false);
        }
        self.known.retain(|_, (state, _)| state.strong_count() > 0);
        let number = self.next;
        self.note(state, number);
        (number, true)
    }

    /// A state that came back under its number.
    pub fn note(&mut self, state: &SharedState, number: u32) {
        self.next = self.next.max(number + 1);
        self.known.insert(Arc::as_ptr(state) as usize, (Arc::downgrade(state), number));
    }
}

impl Runtime {
    /// On the flow's worker, between two records.
    pub(in crate::runtime) fn capture(
        &self,
        flow: &Flow,
        lane: u32,
        from: u64,
        skipped: [u64; 2],
        round: &Round,
    ) {
        self.sinks.seal(&flow.name, lane);
        let mut entries = Vec::new();
        let (mut nodes, mut states) = (Vec::new(), Vec::new());
        for node in flow.nodes() {
            let (number, is_new) = self.checkpoints.numbers.lock().of(&node.state, round.all);
            let changed = {
                let mut state = lock(&node.state);
                let changed = state.freeze(is_new);
                state.track();
                changed
            };
            states.push(FrozenState { number, state: Arc::clone(&node.state), changed: Some(changed) });
            nodes.push(stored_node(node, number));
        }
        let rules: Vec<Arc<str>> = flow
            .pipelines
            .iter()
            .flat_map(|pipeline| pipeline.nodes.iter().skip(pipeline.units))
            .map(|node| Arc::clone(&node.id))
            .collect();
        if !rules.is_empty() {
            let since = self.checkpoints.since.load(Ordering::Relaxed);
            let mut alerts = self.alerting.alerts.lock();
            alerts.track();
            alerts.dump(&rules, lane, since, round.all, &mut entries);
        }
        let derived: Vec<Triplet> = flow.derived_streams().cloned().collect();
        let stored = StoredFlow {
            name: flow.name.to_string(),
            lane,
            lanes: flow.lane.as_ref().map_or(1, |lane| lane.count),
            from,
            skipped,
            memory: flow.memory(),
            nodes,
            streams: self.totals_of(&derived),
        };
        let key = flow_key(&flow.name, lane);
        entries.push((key.clone(), Some(json(&stored))));
        // Whoever asked may have given up.
        drop(round.out.send(Captured { from, entries, states, rules, flow: key }));
    }

    fn totals_of(&self, derived: &[Triplet]) -> Vec<StreamTotals> {
        if derived.is_empty() {
            return Vec::new();
        }
        let log = self.log.lock();
        derived.iter().filter_map(|triplet| Some(totals(triplet, log.streams.get(triplet)?))).collect()
    }
}

pub fn totals(triplet: &Triplet, stream: &Stream) -> StreamTotals {
    StreamTotals {
        triplet: triplet.clone(),
        events: stream.events_total,
        bytes: stream.bytes_total,
        late: stream.late_total,
        schema_changes: stream.schema_changes_total,
        last_event_time_unix_ns: stream.last_event_time_unix_ns,
        derived: stream.derived,
    }
}

fn stored_node(node: &Node, state: u32) -> StoredNode {
    let tables = node.plan.tables.iter().map(|table| StoredTable {
        name: table.name.to_string(),
        by_key: table.by_key,
        size: table.size,
        expire_ns: table.expire_ns,
    });
    StoredNode {
        id: node.id.to_string(),
        state,
        memory: NodeMemory::of(node),
        keys: node.plan.keys.iter().map(ToString::to_string).collect(),
        across: node.plan.across,
        tables: tables.collect(),
        counters: stored_counters(&node.counters).map(NodeCounters::get),
    }
}
