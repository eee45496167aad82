//! The moment of a change: the command, the new routes and who hands over to whom, in one step under the log's lock.
//!
//! Flows in which nothing changed go on. The others end at the position; each of the new ones waits only for those that it has a pipeline or a node in common with
//! (a [`Party`]). Refused before anything happens: a change that would tear apart or join what a paused pipeline has waiting, because its records would
//! have no one place to go to.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use weir_core::batch::Position;
use weir_core::config::{LagSpec, SinkSpec};
use weir_core::record::Command;

use super::actor::Actor;
use super::backfill::Backfill;
use super::build::{FlowPlan, Routed};
use super::commit::ToRuntime;
use super::configure::How;
use super::handoff::{Handoff, Legacies, Party};
use super::log::{Claimed, Log};
use super::{Runtime, clock_unix_ns};
use crate::intake::Receipt;

/// Changes that may wait for a flow that lags; more are refused until it has caught up.
pub const WAITING_MAX: usize = 64;

/// What a checkpoint leaves to the flows of its configuration.
pub type Restored = Arc<parking_lot::Mutex<Legacies>>;

/// A flow that begins, and its lanes.
type Born = (Arc<FlowPlan>, Vec<Arc<Actor>>);

/// What changes in the flows.
struct Turn {
    /// Those that run from now on.
    flows: Vec<Routed>,
    donors: Vec<Routed>,
    born: Vec<Born>,
}

impl Runtime {
    /// The position from which the plans run. The error says what an operator must do first.
    pub(super) fn switch(
        &self,
        plans: &[Arc<FlowPlan>],
        backfills: Vec<Backfill>,
        (revision, text, summary): (u64, &Arc<str>, &str),
        sinks: &[SinkSpec],
        how: How,
    ) -> Result<(Position, i64, Receipt), String> {
        let mut claimed = Claimed::new();
        let mut log = self.log.lock();
        log.alive().map_err(|stopped| stopped.to_string())?;
        let turn = self.turn(log.flows(), plans);
        if let How::Change = how {
            turn.refuse_torn(&log)?;
        }
        log.runs.retain(|id, _| plans.iter().any(|plan| plan.names().any(|name| name == id)));
        let restored = match &how {
            How::Restore { legacies, .. } => Some(Arc::clone(legacies)),
            _ => None,
        };
        let parties = self.parties(&log, turn.donors, turn.born, backfills, restored.as_ref());
        let handoff = Arc::new(Handoff::new(parties));
        {
            let mut handoffs = self.handoffs.lock();
            handoffs.retain(|(_, handoff)| !handoff.is_complete());
            handoffs.push((revision, Arc::clone(&handoff)));
        }
        // To the old flows: those that end must meet it. The new ones begin behind it.
        let command = Command::Configure { revision, text: Arc::clone(text), summary: summary.into() };
        let (position, receipt) = match how {
            How::Replay(record) => {
                let position = record.position;
                log.replay(record, &mut claimed);
                (position, Receipt::default())
            }
            How::Restore { revision, .. } => (revision.position, Receipt::default()),
            _ => {
                log.command(command, clock_unix_ns(), &mut claimed).map_err(|stopped| stopped.to_string())?
            }
        };
        self.sinks.set(sinks, position.offset);
        let at_unix_ns = log.sequencer.accepted_at_unix_ns();
        log.set_flows(turn.flows);
        drop(log);
        // Not under the lock: what has nobody to wait for begins here.
        handoff.begin_if_complete();
        self.schedule(claimed);
        Ok((position, at_unix_ns, receipt))
    }

    fn turn(&self, old: &[Routed], plans: &[Arc<FlowPlan>]) -> Turn {
        let mut turn = Turn { flows: Vec::new(), donors: Vec::new(), born: Vec::new() };
        for plan in plans {
            let kept: Vec<Routed> = old.iter().filter(|flow| flow.plan.same(plan)).cloned().collect();
            if !kept.is_empty() {
                turn.flows.extend(kept);
                continue;
            }
            let made = self.actors(plan);
            let selectors = plan.selectors();
            turn.flows.extend(made.iter().map(|actor| Routed {
                actor: Arc::clone(actor),
                selectors: selectors.clone(),
                plan: Arc::clone(plan),
            }));
            turn.born.push((Arc::clone(plan), made));
        }
        let ends = |flow: &&Routed| !turn.flows.iter().any(|kept| Arc::ptr_eq(&kept.actor, &flow.actor));
        turn.donors = old.iter().filter(ends).cloned().collect();
        turn
    }

    fn actors(&self, plan: &Arc<FlowPlan>) -> Vec<Arc<Actor>> {
        let lag = plan.pipelines.iter().map(|pipeline| pipeline.spec.lag).reduce(LagSpec::strictest);
        let Some(lag) = lag else { return Vec::new() };
        let pipelines: Vec<Arc<str>> =
            plan.pipelines.iter().map(|pipeline| Arc::clone(&pipeline.spec.name)).collect();
        let actor = |lane| {
            let (selectors, overs) = (plan.selectors(), Arc::clone(&self.overs));
            Arc::new(Actor::new(Arc::clone(&plan.name), lane, pipelines.clone(), lag, selectors, overs))
        };
        (0..plan.lanes).map(actor).collect()
    }

    /// Donors and born ones that have a name in common, directly or over others.
    fn parties(
        &self,
        log: &Log,
        donors: Vec<Routed>,
        born: Vec<Born>,
        mut backfills: Vec<Backfill>,
        restored: Option<&Restored>,
    ) -> Vec<Party> {
        let mut groups: Vec<Group> = Vec::new();
        for donor in donors {
            let names = donor.plan.names().cloned().collect();
            Group { names, donors: vec![donor], born: Vec::new() }.join(&mut groups);
        }
        for one in born {
            let names = one.0.names().cloned().collect();
            Group { names, donors: Vec::new(), born: vec![one] }.join(&mut groups);
        }
        backfills.iter_mut().for_each(|backfill| backfill.take_recent(log));
        let party = |group: Group| {
            let of_group = |backfill: &mut Backfill| group.names.contains(backfill.pipeline());
            let backfills = backfills.extract_if(.., of_group).collect();
            self.party(log, group, backfills, restored.cloned())
        };
        groups.into_iter().map(party).collect()
    }

    fn party(&self, log: &Log, group: Group, backfills: Vec<Backfill>, restored: Option<Restored>) -> Party {
        let Group { donors, born, .. } = group;
        let replaced = donors.iter().filter(|donor| has_one_place(donor, &born));
        let replaced = replaced.map(|donor| Arc::clone(&donor.actor.name)).collect();
        let runs = log.runs.clone();
        let sender = self.workers.sender();
        let runtime = Weak::clone(&self.own);
        let begin = move |mut legacies: Legacies| {
            if let Some(restored) = &restored {
                legacies = std::mem::take(&mut *restored.lock());
            }
            legacies.runs = runs;
            if let Some(runtime) = runtime.upgrade().filter(|_| !backfills.is_empty()) {
                let commit = ToRuntime(Weak::clone(&runtime.own));
                backfills.into_iter().for_each(|backfill| backfill.run(&runtime.log, &commit, &mut legacies));
            }
            for (plan, actors) in born {
                for actor in actors {
                    let mut rest = legacies.take_rest(&plan, actor.lane);
                    let known = legacies.memories.get(&(Arc::clone(&plan.name), actor.lane));
                    actor.pass_until(known.map_or(legacies.from, |known| known.from));
                    let [records, rows] = known.map_or([0; 2], |known| known.skipped);
                    rest.skipped_records += records;
                    rest.skipped_rows += rows;
                    actor.begin(plan.build(actor.lane, &mut legacies), rest);
                    if actor.claim() {
                        sender.schedule(Arc::clone(&actor));
                    }
                }
            }
            match &restored {
                // Other parties have theirs in it.
                Some(restored) => *restored.lock() = legacies,
                None => {
                    let letters = legacies.close();
                    if let Some(runtime) = runtime.upgrade().filter(|_| !letters.is_empty()) {
                        runtime.bury(&letters);
                    }
                }
            }
        };
        let waiting = donors.into_iter().map(|donor| donor.actor).collect();
        Party { waiting, replaced, begin: Box::new(begin) }
    }
}

impl Turn {
    /// A paused pipeline keeps what waits in it: the change must leave it one place.
    fn refuse_torn(&self, log: &Log) -> Result<(), String> {
        let paused = |donor: &&Routed| {
            donor.plan.names().any(|name| log.runs.get(name) == Some(&weir_core::record::Run::Paused))
        };
        for donor in self.donors.iter().filter(paused) {
            if !has_one_place(donor, &self.born) {
                return Err(format!(
                    "pipeline `{}` is paused, and this change joins it with others or parts it from them, so that what waits in it had no one place to go to; \
                     start or stop it first",
                    donor.plan.name
                ));
            }
        }
        Ok(())
    }
}

/// Whether one flow of the same pipelines and lanes takes the place of another, or none of its pipelines is left.
fn has_one_place(donor: &Routed, born: &[Born]) -> bool {
    let names = |plan: &FlowPlan| {
        plan.pipelines.iter().map(|pipeline| Arc::clone(&pipeline.spec.name)).collect::<HashSet<_>>()
    };
    let own = names(&donor.plan);
    let mut heirs = born.iter().filter(|(plan, _)| !names(plan).is_disjoint(&own));
    match (heirs.next(), heirs.next()) {
        (None, _) => true,
        (Some((heir, _)), None) => names(heir) == own && heir.lanes == donor.plan.lanes,
        _ => false,
    }
}

struct Group {
    names: HashSet<Arc<str>>,
    donors: Vec<Routed>,
    born: Vec<Born>,
}

impl Group {
    /// Becomes one with all that it has a name in common with.
    fn join(mut self, groups: &mut Vec<Self>) {
        for group in std::mem::take(groups) {
            if group.names.is_disjoint(&self.names) {
                groups.push(group);
            } else {
                self.names.extend(group.names);
                self.donors.extend(group.donors);
                self.born.extend(group.born);
            }
        }
        groups.push(self);
    }
}
