//! A change of the configuration at a position: state goes from the flows that end there to those that begin there.
//!
//! Each ending flow gives its nodes when it reaches the position; when the last has given, the new flows are built with the states of the nodes of
//! the same id, where they fit, and begin. A state fits where key columns, scope and tables are the same; else the unit begins anew.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::flow::Flow;
use weir_core::plan::Plan;
use weir_core::state::SharedState;

use super::actor::Actor;

/// What a node leaves to its successor of the same id and lane.
pub struct Legacy {
    pub plan: Arc<Plan>,
    pub state: SharedState,
}

pub type Legacies = HashMap<(Arc<str>, u32), Legacy>;
type Begin = Box<dyn FnOnce(Legacies) + Send>;

pub struct Handoff {
    donors: Mutex<Donors>,
}

struct Donors {
    waiting: Vec<Arc<Actor>>,
    legacies: Legacies,
    begin: Option<Begin>,
}

impl Handoff {
    /// `begin` runs once, on the worker of the last donor; where there is none, when [`Self::begin_if_complete`] is called.
    pub fn new(waiting: Vec<Arc<Actor>>, begin: Begin) -> Self {
        let donors = Donors { waiting, legacies: HashMap::new(), begin: Some(begin) };
        Self { donors: Mutex::new(donors) }
    }

    pub fn wants(&self, actor: &Actor) -> bool {
        self.donors.lock().waiting.iter().any(|waiting| std::ptr::eq(&**waiting, actor))
    }

    /// A donor has reached the position.
    pub fn give(&self, mut flow: Flow, lane: u32) {
        {
            let mut donors = self.donors.lock();
            for pipeline in &mut flow.pipelines {
                for node in &mut pipeline.nodes {
                    node.unit.close();
                    let legacy = Legacy { plan: Arc::clone(&node.plan), state: Arc::clone(&node.state) };
                    donors.legacies.insert((Arc::clone(&node.id), lane), legacy);
                }
            }
            let name = &flow.name;
            donors.waiting.retain(|waiting| !(waiting.name == *name && waiting.lane == lane));
        }
        self.begin_if_complete();
    }

    pub fn begin_if_complete(&self) {
        let ready = {
            let mut donors = self.donors.lock();
            if donors.waiting.is_empty() {
                donors.begin.take().map(|begin| (begin, std::mem::take(&mut donors.legacies)))
            } else {
                None
            }
        };
        if let Some((begin, legacies)) = ready {
            begin(legacies);
        }
    }
}

/// Whether a state made for one plan serves another.
pub fn fits(old: &Plan, new: &Plan) -> bool {
    let table = |plan: &Plan| {
        plan.tables
            .iter()
            .map(|table| (Arc::clone(&table.name), table.by_key, table.size))
            .collect::<Vec<_>>()
    };
    old.keys == new.keys && old.across == new.across && table(old) == table(new)
}
