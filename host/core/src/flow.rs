//! A flow: pipelines joined by the streams that they derive for each other, run record by record.
//!
//! In: the records of the log that concern it, in order. Out: the [`Effects`] of each record, complete or not at all; state is committed with them.
//! Pipelines run in the order of derivation, units in topological order; a unit first gets its batches, then its timers that are due at the
//! watermark after the record. A record hands each unit as many timers as it has rows, and [`TIMERS_MIN`] at least; what is left holds the watermark back and comes with
//! the next records ([`Flow::owes`]), so that a hundred thousand closing
//! windows do not hold up a batch. A batch that was derived more than [`HOPS_MAX`] times is dropped and counted.

pub mod circuit;
pub mod counters;
pub mod dump;
pub mod effects;
mod lane;
pub mod node;
pub mod redeliver;
pub mod types;
pub mod watermarks;

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::apply::Applied;
use crate::batch::{Batch, Origin, Position, RowIds};
use crate::config::{CircuitPolicy, DerivedName, PipelineSpec};
use crate::letter::{DeadLetter, LetterOf, stamp};
use crate::record::{Command, Payload, Record, Run};
use crate::triplet::Triplet;
use effects::{Effects, Said};
pub use lane::Lane;
use lane::take_lane;
use node::{Moment, Node, lock};
use redeliver::{Given, Input, come_back, stream_unit};
use types::Types;
use watermarks::Watermarks;

/// A call that closes so many windows takes some milliseconds. As many as rows, because a row may open a window: else a flow of large batches would never be done.
pub const TIMERS_MIN: usize = 2_048;
pub const HOPS_MAX: u8 = 8;

/// Where a port leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Index of a node: units first, then rules.
    Node(usize),
    Series(usize),
    Stream(usize),
}

/// One pipeline at work.
pub struct Pipeline {
    pub spec: Arc<PipelineSpec>,
    /// Its units in topological order, then the rules on it.
    pub nodes: Vec<Node>,
    pub units: usize,
    pub inputs: Vec<Target>,
    /// For each node and port the targets.
    pub routes: Vec<Vec<Vec<Target>>>,
    pub run: Run,
    pub watermarks: Watermarks,
    /// For each derived stream the types that its rows chose; of one with a name none.
    types: Vec<Types>,
    matches: HashMap<Triplet, bool, FixedState>,
}

impl Pipeline {
    pub fn new(
        spec: Arc<PipelineSpec>,
        nodes: Vec<Node>,
        units: usize,
        inputs: Vec<Target>,
        routes: Vec<Vec<Vec<Target>>>,
    ) -> Self {
        let (run, watermarks, matches) = (Run::Running, Watermarks::default(), HashMap::default());
        let types = spec.streams.iter().map(|_| Types::default()).collect();
        Self { spec, nodes, units, inputs, routes, run, watermarks, types, matches }
    }

    pub fn matches(&mut self, triplet: &Triplet) -> bool {
        if let Some(known) = self.matches.get(triplet) {
            return *known;
        }
        let found = self.spec.from.iter().any(|selector| selector.matches(triplet));
        self.matches.insert(triplet.clone(), found);
        found
    }
}

pub struct Flow {
    pub name: Arc<str>,
    /// In the order of derivation.
    pub pipelines: Vec<Pipeline>,
    pub lane: Option<Lane>,
    /// The last record that is done.
    pub cursor: Option<Position>,
    /// Derived triplet, and what each source stream has brought it to.
    derived: HashMap<Triplet, HashMap<Triplet, i64, FixedState>, FixedState>,
    newest_unix_ns: i64,
}

/// What became of a record.
#[derive(Debug)]
pub enum Outcome {
    /// It is done: state is committed, and these effects are to be.
    Done(Effects),
    /// A unit faulted and the caller was not patient: the record was taken back and is to be run again. Only the faults that were seen remain.
    TakenBack(Effects),
}

impl Flow {
    pub fn new(name: Arc<str>, pipelines: Vec<Pipeline>, lane: Option<Lane>) -> Self {
        Self { name, pipelines, lane, cursor: None, derived: HashMap::default(), newest_unix_ns: 0 }
    }

    /// Whether the flow must wait before its next batch or tick: something in it is paused, or an open circuit says hold.
    pub fn held(&mut self, newest_unix_ns: i64) -> bool {
        self.newest_unix_ns = self.newest_unix_ns.max(newest_unix_ns);
        let now = self.newest_unix_ns;
        self.pipelines.iter_mut().any(|pipeline| {
            pipeline.run == Run::Paused
                || pipeline.nodes.iter_mut().any(|node| {
                    node.run == Run::Paused
                        || (node.run == Run::Running
                            && matches!(node.policy, CircuitPolicy::Hold | CircuitPolicy::RollBack)
                            && !node.circuit.allows(now))
                })
        })
    }

    /// Whether more timers are due than the last record handed out: the next one should not be waited for long.
    pub fn owes(&self) -> bool {
        self.pipelines.iter().any(|pipeline| pipeline.watermarks.owes())
    }

    /// Whether a fault happened in the last record.
    pub fn faulted(&self) -> bool {
        self.nodes().any(|node| node.faulted)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.pipelines.iter().flat_map(|pipeline| &pipeline.nodes)
    }

    /// Runs one record to its end, or, where `patient` is false, to its first fault. `clock` gives ns of any origin, for the counters alone.
    pub fn run(&mut self, record: &Record, patient: bool, clock: &dyn Fn() -> u64) -> Outcome {
        let mut effects = Effects::default();
        self.newest_unix_ns = self.newest_unix_ns.max(record.accepted_at_unix_ns);
        self.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.nodes).for_each(Node::begin);
        let rows = match &record.payload {
            Payload::Batch { batch, .. } => batch.rows(),
            _ => 0,
        };
        let pass = Pass {
            record,
            newest_unix_ns: self.newest_unix_ns,
            timers: rows.max(TIMERS_MIN),
            patient,
            clock,
        };
        // A command hands out no timers, so what was held back stays held back behind it.
        let is_timed = match &record.payload {
            Payload::Batch { batch, watermark_before_unix_ns, watermark_unix_ns } => {
                let batch = take_lane(self.lane.as_ref(), batch);
                let moved = [(batch.triplet.clone(), *watermark_before_unix_ns, *watermark_unix_ns)];
                self.run_pipelines(&pass, Input::Batch(&batch), &moved, &mut effects);
                true
            }
            Payload::Tick { moved } => {
                let moved: Vec<_> =
                    moved.iter().map(|(triplet, mark)| (triplet.clone(), *mark, *mark)).collect();
                self.run_pipelines(&pass, Input::Nothing, &moved, &mut effects);
                true
            }
            Payload::Command(Command::Redeliver { unit, letters }) => {
                let given = self.given(record, unit, letters);
                match &given {
                    Some(given) => self.run_pipelines(&pass, Input::Letters(given), &[], &mut effects),
                    None => effects.dead = come_back(record, self.lane.as_ref(), "the unit is gone"),
                }
                given.is_some()
            }
            Payload::Command(command) => {
                self.command(command);
                false
            }
        };
        if !patient && self.faulted() {
            self.take_back();
            return Outcome::TakenBack(Effects { faults: effects.faults, ..Effects::default() });
        }
        for pipeline in &mut self.pipelines {
            if is_timed {
                pipeline.watermarks.settle();
            }
            pipeline.types.iter_mut().for_each(Types::settle);
            pipeline.nodes.iter_mut().for_each(|node| node.commit(record.accepted_at_unix_ns));
        }
        self.cursor = Some(record.position);
        Outcome::Done(effects)
    }

    /// The record at work did not happen: for a record that was not finished.
    pub fn take_back(&mut self) {
        for pipeline in &mut self.pipelines {
            pipeline.types.iter_mut().for_each(Types::take_back);
            pipeline.nodes.iter_mut().for_each(Node::take_back);
        }
    }

    /// Start, pause or stop; of commands for others nothing happens.
    pub fn command(&mut self, command: &Command) {
        for pipeline in &mut self.pipelines {
            match command {
                Command::Pipeline { pipeline: name, run } if *name == pipeline.spec.name => {
                    pipeline.run = *run;
                    for node in &mut pipeline.nodes {
                        show(node, if *run == Run::Running { node.run } else { *run });
                    }
                }
                Command::Unit { unit, run } => {
                    for node in pipeline.nodes.iter_mut().filter(|node| node.id == *unit) {
                        node.run = *run;
                        if *run == Run::Running {
                            node.circuit.close();
                        }
                        show(node, *run);
                    }
                }
                _ => {}
            }
        }
    }

    fn run_pipelines(
        &mut self,
        pass: &Pass<'_>,
        input: Input<'_>,
        moved: &[(Triplet, i64, i64)],
        effects: &mut Effects,
    ) {
        let mut derived: Vec<Batch> = Vec::new();
        for index in 0..self.pipelines.len() {
            let Some(pipeline) = self.pipelines.get_mut(index) else { break };
            for (triplet, before, after) in moved {
                if pipeline.matches(triplet) {
                    pipeline.watermarks.advance(triplet, *before, *after);
                }
            }
            for (triplet, sources) in &self.derived {
                if pipeline.matches(triplet)
                    && let Some(mark) = sources.values().min()
                {
                    pipeline.watermarks.advance(triplet, *mark, *mark);
                }
            }
            let mut inbox: Vec<Batch> = Vec::new();
            if let Input::Batch(batch) = input
                && batch.rows() > 0
                && pipeline.matches(&batch.triplet)
            {
                inbox.push(batch.clone());
            }
            inbox.extend(derived.iter().filter(|batch| pipeline.matches(&batch.triplet)).cloned());
            let given = match input {
                Input::Letters(given) if given.pipeline == index => Some(given),
                _ => None,
            };
            let first = effects.dead.len();
            let mut run = PipelineRun { index, pipeline, pass, effects, derived: &mut derived };
            run.all(inbox, given);
            let letters = effects.dead.split_off(first);
            let lane = self.lane.as_ref().map_or(0, |lane| lane.index);
            effects.dead.extend(stamp(letters, &pipeline.spec.name, pass.record, lane));
            if !pass.patient && pipeline.nodes.iter().any(|node| node.faulted) {
                return;
            }
            let marks = pipeline.derived_marks();
            for (triplet, source, mark) in marks {
                self.derived.entry(triplet).or_default().insert(source, mark);
            }
        }
        effects.derived = derived;
    }
}

fn show(node: &Node, run: Run) {
    node.counters.show(run.into());
}

impl Pipeline {
    /// For each derived stream and each stream of this pipeline, how far the derived one is.
    fn derived_marks(&self) -> Vec<(Triplet, Triplet, i64)> {
        let mut marks = Vec::new();
        for (index, stream) in self.spec.streams.iter().enumerate() {
            let hold = self.hold_of(Target::Stream(index)) + self.spec.lateness_ns;
            let names = match &stream.name {
                DerivedName::One(triplet) => std::slice::from_ref(triplet),
                DerivedName::ByColumn { .. } => self.types.get(index).map_or(&[][..], Types::known),
            };
            for (triplet, mark) in self.watermarks.all() {
                let mark = mark.saturating_sub(hold);
                marks.extend(names.iter().map(|name| (name.clone(), triplet.clone(), mark)));
            }
        }
        marks
    }

    /// How far rows that reach a target may be behind the pipeline's watermark.
    fn hold_of(&self, target: Target) -> i64 {
        self.routes
            .iter()
            .zip(&self.nodes)
            .filter(|(ports, _)| ports.iter().any(|targets| targets.contains(&target)))
            .map(|(_, node)| node.hold_ns.saturating_add(node.plan.delay_ns))
            .max()
            .unwrap_or(0)
    }
}

/// One run of one record.
struct Pass<'a> {
    record: &'a Record,
    newest_unix_ns: i64,
    /// Most timers by watermark for each node and scope.
    timers: usize,
    patient: bool,
    clock: &'a dyn Fn() -> u64,
}

impl Pass<'_> {
    fn moment(&self, watermark_unix_ns: i64) -> Moment {
        Moment {
            position: self.record.position.offset,
            accepted_at_unix_ns: self.record.accepted_at_unix_ns,
            watermark_unix_ns,
            newest_unix_ns: self.newest_unix_ns,
            patient: self.patient,
        }
    }
}

/// One pipeline's part of one record.
struct PipelineRun<'a> {
    index: usize,
    pipeline: &'a mut Pipeline,
    pass: &'a Pass<'a>,
    effects: &'a mut Effects,
    derived: &'a mut Vec<Batch>,
}

impl PipelineRun<'_> {
    fn all(&mut self, input: Vec<Batch>, given: Option<&Given>) {
        let stopped = self.pipeline.run == Run::Stopped;
        let mut inboxes: Vec<Vec<Batch>> = self.pipeline.nodes.iter().map(|_| Vec::new()).collect();
        if stopped {
            let rows: usize = input.iter().map(Batch::rows).sum();
            if let Some(node) = self.pipeline.nodes.first_mut() {
                node.tally.dropped += rows as u64;
            }
        } else {
            let inputs = self.pipeline.inputs.clone();
            for batch in input {
                self.send(&inputs, batch, &mut inboxes);
            }
        }
        if let Some(given) = given.filter(|given| matches!(given.target, Target::Stream(_))) {
            self.redeliver(given, &mut inboxes);
        }
        for index in 0..self.pipeline.nodes.len() {
            if let Some(given) = given.filter(|given| given.target == Target::Node(index)) {
                self.redeliver(given, &mut inboxes);
            }
            let inbox = inboxes.get_mut(index).map(std::mem::take).unwrap_or_default();
            for batch in inbox {
                let applied = self.process(index, batch);
                self.route(index, applied, &mut inboxes);
            }
            if !stopped {
                self.timers(index, &mut inboxes);
            }
            if !self.pass.patient && self.pipeline.nodes.get(index).is_some_and(|node| node.faulted) {
                return;
            }
        }
    }

    fn process(&mut self, index: usize, batch: Batch) -> Applied {
        let (spec, watermarks) = (&self.pipeline.spec, &self.pipeline.watermarks);
        let Some(node) = self.pipeline.nodes.get_mut(index) else { return Applied::default() };
        let behind = spec.lateness_ns.saturating_add(node.hold_ns);
        let watermark = watermarks.before(&batch.triplet).saturating_sub(behind);
        let moment = self.pass.moment(watermark);
        let allowed = node.run == Run::Running && node.circuit.allows(self.pass.newest_unix_ns);
        if allowed {
            return node.process(&batch, moment, self.pass.clock, self.effects);
        }
        if node.run == Run::Running && node.policy == CircuitPolicy::Pass {
            return Applied { batches: vec![(0, batch)], ..Applied::default() };
        }
        node.tally.dropped += batch.rows() as u64;
        Applied::default()
    }

    /// Hands out the timers of a node that are due, the clock's first.
    fn timers(&mut self, index: usize, inboxes: &mut [Vec<Batch>]) {
        let Some(node) = self.pipeline.nodes.get(index) else { return };
        if node.run != Run::Running {
            return;
        }
        let now = self.pass.record.accepted_at_unix_ns;
        let due = lock(&node.state).take_due_by_clock(now);
        if !due.keys.is_empty() {
            self.tick(index, None, &due, inboxes);
        }
        let periodic = self.pipeline.nodes.get_mut(index).is_some_and(|node| is_periodic(node, now));
        if periodic {
            self.tick(index, None, &crate::unit::Due::default(), inboxes);
        }
        let waits = |node: &Node| {
            let state = lock(&node.state);
            state.timers() > 0 || state.expires()
        };
        if self.pipeline.nodes.get(index).is_some_and(waits) {
            self.due_by_watermark(index, inboxes);
        }
    }

    fn due_by_watermark(&mut self, index: usize, inboxes: &mut [Vec<Batch>]) {
        let Some(node) = self.pipeline.nodes.get(index) else { return };
        let behind = self.pipeline.spec.lateness_ns.saturating_add(node.hold_ns);
        let scopes: Vec<Triplet> = lock(&node.state).keys.scopes().to_vec();
        let scoped = !scopes.is_empty();
        for scope in 0..scopes.len().max(1) {
            let triplet = scopes.get(scope).filter(|_| scoped).cloned();
            let mut left = self.pass.timers;
            loop {
                let mark = match &triplet {
                    Some(triplet) => self.pipeline.watermarks.after(triplet),
                    None => self.pipeline.watermarks.least(),
                };
                let Some(node) = self.pipeline.nodes.get(index) else { return };
                let mut state = lock(&node.state);
                let watermark = mark.saturating_sub(behind);
                state.expire_due(scope, watermark);
                let Some(first) = state.first_due(scope, watermark) else { break };
                if left == 0 {
                    // More than one record may hand out: time stands still at the first that is left.
                    drop(state);
                    self.pipeline.watermarks.hold_back(triplet.as_ref(), first.saturating_add(behind));
                    break;
                }
                let due = state.take_due(scope, watermark, left);
                drop(state);
                left = left.saturating_sub(due.keys.len());
                self.tick(index, triplet.as_ref(), &due, inboxes);
            }
        }
    }

    fn tick(
        &mut self,
        index: usize,
        triplet: Option<&Triplet>,
        due: &crate::unit::Due,
        inboxes: &mut [Vec<Batch>],
    ) {
        let mark = match triplet {
            Some(triplet) => self.pipeline.watermarks.after(triplet),
            None => self.pipeline.watermarks.least(),
        };
        let own =
            triplet.cloned().or_else(|| self.pipeline.watermarks.any()).unwrap_or_else(Triplet::internal);
        let template = self.template(own);
        let Some(node) = self.pipeline.nodes.get_mut(index) else { return };
        let behind = self.pipeline.spec.lateness_ns.saturating_add(node.hold_ns);
        let moment = self.pass.moment(mark.saturating_sub(behind));
        let applied = node.tick(due, moment, &template, self.pass.clock, self.effects);
        self.route(index, applied, inboxes);
    }

    /// What emitted rows of a tick take over: position and time of the record.
    fn template(&self, triplet: Triplet) -> Batch {
        Batch {
            triplet,
            position: self.pass.record.position,
            accepted_at_unix_ns: self.pass.record.accepted_at_unix_ns,
            origin: Origin::Source("tick".into()),
            row_ids: RowIds::From(0),
            time: Vec::new().into(),
            columns: arrow_array::RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())),
            hops: 0,
        }
    }

    fn route(&mut self, index: usize, applied: Applied, inboxes: &mut [Vec<Batch>]) {
        if !applied.signals.is_empty() {
            self.say(index, applied.signals);
        }
        for (port, batch) in applied.batches {
            let Some(node) = self.pipeline.nodes.get_mut(index) else { return };
            if node.plan.ports.get(port as usize).is_some_and(|port| &*port.name == "late") {
                node.tally.late += batch.rows() as u64;
                self.effects.late.push((batch.triplet.clone(), batch.rows() as u64));
            }
            let targets = self
                .pipeline
                .routes
                .get(index)
                .and_then(|ports| ports.get(port as usize))
                .cloned()
                .unwrap_or_default();
            // Rows that leave by a port that leads nowhere end here.
            node.tally.rows_out += if targets.is_empty() { 0 } else { batch.rows() as u64 };
            self.send(&targets, batch, inboxes);
        }
    }

    fn send(&mut self, targets: &[Target], batch: Batch, inboxes: &mut [Vec<Batch>]) {
        for target in targets {
            match *target {
                Target::Node(node) => {
                    if let Some(inbox) = inboxes.get_mut(node) {
                        inbox.push(batch.clone());
                    }
                }
                Target::Series(series) => self.effects.series.push(((self.index, series), batch.clone())),
                Target::Stream(stream) => self.derive(stream, &batch),
            }
        }
    }

    fn derive(&mut self, stream: usize, batch: &Batch) {
        let Some(spec) = self.pipeline.spec.streams.get(stream) else { return };
        if batch.hops >= HOPS_MAX {
            self.effects.hops_exceeded += batch.rows() as u64;
            return;
        }
        let next = Batch { hops: batch.hops + 1, ..batch.clone() };
        let (pattern, column, types_max) = match &spec.name {
            DerivedName::One(triplet) => {
                self.derived.push(Batch { triplet: triplet.clone(), ..next });
                return;
            }
            DerivedName::ByColumn { pattern, column, types_max } => (pattern, column, *types_max),
        };
        let Some(types) = self.pipeline.types.get_mut(stream) else { return };
        let parted = types.part(&next, pattern, column, types_max);
        self.derived.extend(parted.batches);
        for (batch, code, message) in parted.refused {
            let unit = stream_unit(&self.pipeline.spec, pattern);
            let letter = DeadLetter::new(unit, "".into(), code.to_owned(), message, batch);
            self.effects.dead.push(DeadLetter { of: LetterOf::Stream, ..letter });
        }
    }

    fn say(&mut self, index: usize, signals: Vec<crate::unit::Signal>) {
        let Some(node) = self.pipeline.nodes.get(index) else { return };
        let state = lock(&node.state);
        let numbers: Vec<u32> = signals.iter().map(|signal| signal.key).collect();
        let columns = if state.keys.is_keyed() { state.keys.rebuild(&numbers) } else { Vec::new() };
        for (row, signal) in signals.into_iter().enumerate() {
            let labels = columns
                .iter()
                .map(|(name, array)| (Arc::clone(name), text(&crate::recent::value(array.as_ref(), row))))
                .collect();
            let triplet =
                state.keys.triplet_of(signal.key).cloned().or_else(|| self.pipeline.watermarks.any());
            self.effects.signals.push(Said {
                rule: Arc::clone(&node.id),
                triplet: triplet.unwrap_or_else(Triplet::internal),
                labels,
                position: self.pass.record.position.offset,
                signal,
            });
        }
    }
}

fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Whether the pace of "tick" in the plan asks for a call now.
fn is_periodic(node: &mut Node, now: i64) -> bool {
    let Some(pace) = node.plan.tick_ns else { return false };
    if now.saturating_sub(node.ticked_at) < pace {
        return false;
    }
    node.ticked_at = now;
    true
}

#[cfg(test)]
mod tests;
