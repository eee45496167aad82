//! A change of the configuration at a position: what ends there hands over to what begins there.
//!
//! Each ending flow gives its nodes when it reaches the position; when the last of a [`Party`] (flows that have a pipeline or a node in common, before and after) has given, its new flows are
//! built and begin. A node goes on as it is where nothing about it changed, instance included; a changed one keeps its state where that fits:
//! same component (by name and state schema), key columns, scope and tables; else it begins anew. Pipelines keep their watermarks. A flow that is paused, or held by
//! a circuit, does not run to the position first: what waits in it goes to the one flow that takes its place (see `Actor::look`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::batch::Position;
use weir_core::flow::circuit::Circuit;
use weir_core::flow::dump::{FlowMemory, NodeMemory};
use weir_core::flow::redeliver::come_back;
use weir_core::flow::watermarks::Watermarks;
use weir_core::flow::{Flow, Lane};
use weir_core::letter::DeadLetter;
use weir_core::plan::Plan;
use weir_core::record::{Record, Run};
use weir_core::state::SharedState;
use weir_core::unit::Unit;

use super::actor::Actor;
use super::build::{FlowPlan, NodePlan};

/// What a node leaves to its successor of the same id and lane.
pub struct Legacy {
    pub plan: Arc<Plan>,
    /// Of the pipeline: another number, and each key's state lies elsewhere.
    pub lanes: u32,
    pub state: SharedState,
    /// None where there is nothing but a state.
    pub running: Option<Running>,
    /// What a checkpoint knew of it beside the state.
    pub resumed: Option<NodeMemory>,
}

/// What goes on in a node that did not change.
pub struct Running {
    pub made_from: Arc<str>,
    pub unit: Box<dyn Unit>,
    pub circuit: Circuit,
    pub ticked_at: i64,
}

/// By id (or name of the pipeline) and lane.
#[derive(Default)]
pub struct Legacies {
    pub nodes: HashMap<(Arc<str>, u32), Legacy>,
    pub watermarks: HashMap<(Arc<str>, u32), Watermarks>,
    /// What operators have paused or stopped, by pipeline and node; the rest runs.
    pub runs: HashMap<Arc<str>, Run>,
    rests: HashMap<(Arc<str>, u32), Rest>,
    /// By name of the flow, from a checkpoint.
    pub memories: HashMap<(Arc<str>, u32), Remembered>,
    /// Flows that a checkpoint says nothing of begin here.
    pub from: u64,
}

/// What a checkpoint says of a flow.
pub struct Remembered {
    /// The first record that it does not know.
    pub from: u64,
    /// Records and rows that it has left out, ever.
    pub skipped: [u64; 2],
    pub memory: FlowMemory,
}

/// What a flow leaves of its part of the log.
#[derive(Default)]
pub struct Rest {
    /// What it could not run.
    pub records: VecDeque<Arc<Record>>,
    /// What it has left out, ever.
    pub skipped_records: u64,
    pub skipped_rows: u64,
    /// Which rows of the records were its own.
    lane: Option<Lane>,
}

impl Legacies {
    pub fn take_rest(&mut self, plan: &FlowPlan, lane: u32) -> Rest {
        let mut names = plan.pipelines.iter().map(|pipeline| &pipeline.spec.name);
        names.find_map(|name| self.rests.remove(&(Arc::clone(name), lane))).unwrap_or_default()
    }

    /// The first record of the log that a flow has left to its successor.
    pub fn first_waiting(&self, plan: &FlowPlan) -> Option<Position> {
        let own = |name: &Arc<str>| plan.pipelines.iter().any(|pipeline| pipeline.spec.name == *name);
        let rests = self.rests.iter().filter(|((name, _), _)| own(name));
        rests.filter_map(|(_, rest)| rest.records.front()).map(|record| record.position).min()
    }

    /// Instances that nobody took over say good-bye. What comes back are dead letters that were given again and that nobody got.
    #[must_use]
    pub fn close(self) -> Vec<DeadLetter> {
        let waiting = self.rests.values().map(|rest| rest.records.len()).sum::<usize>();
        if waiting > 0 {
            tracing::info!(records = waiting, "what waited in a pipeline that was removed is left out");
        }
        for legacy in self.nodes.into_values() {
            if let Some(mut running) = legacy.running {
                running.unit.close();
            }
        }
        let back = |rest: &Rest| {
            let records = rest.records.iter();
            records
                .flat_map(|record| come_back(record, rest.lane.as_ref(), "its pipeline was removed"))
                .collect::<Vec<_>>()
        };
        self.rests.values().flat_map(back).collect()
    }
}

/// Gives the new flows of a party what they go on with.
pub type Begin = Box<dyn FnOnce(Legacies) + Send>;

/// Flows that have to do with each other.
pub struct Party {
    pub waiting: Vec<Arc<Actor>>,
    /// Names of the flows whose place is taken by one flow of the same pipelines, or by none.
    pub replaced: HashSet<Arc<str>>,
    /// Runs once, on the worker of the last donor; where there is none, when [`Handoff::begin_if_complete`] is called.
    pub begin: Begin,
}

struct State {
    waiting: Vec<Arc<Actor>>,
    replaced: HashSet<Arc<str>>,
    legacies: Legacies,
    begin: Option<Begin>,
}

pub struct Handoff {
    parties: Vec<Mutex<State>>,
}

impl Handoff {
    pub fn new(parties: Vec<Party>) -> Self {
        let state = |party: Party| State {
            waiting: party.waiting,
            replaced: party.replaced,
            legacies: Legacies::default(),
            begin: Some(party.begin),
        };
        Self { parties: parties.into_iter().map(|party| Mutex::new(state(party))).collect() }
    }

    fn party(&self, actor: &Actor) -> Option<&Mutex<State>> {
        let waits = |party: &&Mutex<State>| {
            party.lock().waiting.iter().any(|waiting| std::ptr::eq(&**waiting, actor))
        };
        self.parties.iter().find(waits)
    }

    pub fn wants(&self, actor: &Actor) -> bool {
        self.party(actor).is_some()
    }

    /// Whether what waits in the actor has exactly one place to go to.
    pub fn takes_rest(&self, actor: &Actor) -> bool {
        self.party(actor).is_some_and(|party| party.lock().replaced.contains(&actor.name))
    }

    pub fn is_complete(&self) -> bool {
        self.parties.iter().all(|party| party.lock().begin.is_none())
    }

    /// A donor has reached the position, or leaves before it with what it could not run.
    pub fn give(&self, donor: &Actor, flow: Flow, records: VecDeque<Arc<Record>>) {
        let Some(party) = self.party(donor) else { return };
        let rest = {
            let queue = donor.queue.lock();
            let (skipped_records, skipped_rows) = (queue.skipped_records, queue.skipped_rows);
            Rest { records, skipped_records, skipped_rows, lane: flow.lane.clone() }
        };
        {
            let mut state = party.lock();
            state
                .legacies
                .rests
                .extend(donor.pipelines.first().map(|name| ((Arc::clone(name), donor.lane), rest)));
            let lanes = flow.lane.as_ref().map_or(1, |lane| lane.count);
            for pipeline in flow.pipelines {
                let name = Arc::clone(&pipeline.spec.name);
                state.legacies.watermarks.insert((name, donor.lane), pipeline.watermarks);
                for node in pipeline.nodes {
                    let running = Running {
                        made_from: node.made_from,
                        unit: node.unit,
                        circuit: node.circuit,
                        ticked_at: node.ticked_at,
                    };
                    let legacy = Legacy {
                        plan: node.plan,
                        lanes,
                        state: node.state,
                        running: Some(running),
                        resumed: None,
                    };
                    state.legacies.nodes.insert((node.id, donor.lane), legacy);
                }
            }
            state.waiting.retain(|waiting| !std::ptr::eq(&**waiting, donor));
        }
        begin_if_complete(party);
    }

    pub fn begin_if_complete(&self) {
        self.parties.iter().for_each(begin_if_complete);
    }
}

fn begin_if_complete(party: &Mutex<State>) {
    let ready = {
        let mut state = party.lock();
        if state.waiting.is_empty() {
            state.begin.take().map(|begin| (begin, std::mem::take(&mut state.legacies)))
        } else {
            None
        }
    };
    if let Some((begin, legacies)) = ready {
        begin(legacies);
    }
}

/// Whether a state serves a node: the same component made it, for a plan with the same keys and tables. The name of a table says what its values mean.
pub fn fits(legacy: &Legacy, node: &NodePlan) -> bool {
    let owner = |made_from: &str| made_from.split(' ').next().unwrap_or_default().to_owned();
    let (old, new) = (&legacy.plan, &node.made.plan);
    let made_from = legacy.running.as_ref().map(|running| &*running.made_from);
    let made_from = made_from.or(legacy.resumed.as_ref().map(|memory| &*memory.made_from));
    let same_owner = made_from.is_none_or(|made_from| owner(made_from) == owner(&node.made_from));
    let table = |plan: &Plan| {
        plan.tables
            .iter()
            .map(|table| (Arc::clone(&table.name), table.by_key, table.size))
            .collect::<Vec<_>>()
    };
    same_owner
        && legacy.lanes == node.made.lanes
        && old.keys == new.keys
        && old.across == new.across
        && table(old) == table(new)
}
