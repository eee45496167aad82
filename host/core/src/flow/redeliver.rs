//! Dead letters that are given to their unit again, as part of a record like any other.
//!
//! In: the letters of one command. Out: what the unit (or the derived stream) lets pass goes on the usual way; what it refuses is a letter again, with one attempt more, and still called by the position
//! and row that the event had. Rows get the record's position on their way, as everything in a flow has. Nothing is lost: where the unit does not run (stopped, its circuit
//! open) or is gone when the flow comes to the command, and behind [`IN_VAIN_MAX`] letters in a row that came to nothing but faults, letters come back as they were. Giving letters again neither opens nor closes a circuit: what an operator
//! tries must not hold up what comes in.

use std::sync::Arc;

use super::counters::Shown;
use super::lane::take_lane;
use super::node::Node;
use super::{Flow, Lane, PipelineRun, Target};
use crate::apply::Applied;
use crate::batch::{Batch, RowIds};
use crate::config::{DerivedName, PipelineSpec};
use crate::letter::{DeadLetter, LetterOf, stamp};
use crate::record::{Command, Payload, Record, Run};

/// A unit that spins costs its deadline for each letter.
const IN_VAIN_MAX: u32 = 16;
/// Code of letters that were given and not tried.
const NOT_RUN: &str = "not-run";

/// What a record brings into pipelines.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    Batch(&'a Batch),
    Letters(&'a Given),
    Nothing,
}

/// Letters for one target of one pipeline.
pub(super) struct Given {
    pub pipeline: usize,
    pub target: Target,
    parts: Vec<Part>,
}

/// The rows of one letter that are this lane's, numbered from `start` on.
struct Part {
    letter: DeadLetter,
    batch: Batch,
    start: u32,
}

/// Where letters of a unit go: its node, or the derived stream that is called so.
fn target_in(spec: &PipelineSpec, mut ids: impl Iterator<Item = Arc<str>>, unit: &str) -> Option<Target> {
    let node = ids.position(|id| *id == *unit).map(Target::Node);
    let stream = || {
        let called = |name: &DerivedName| match name {
            DerivedName::ByColumn { pattern, .. } => *stream_unit(spec, pattern) == *unit,
            DerivedName::One(_) => false,
        };
        spec.streams.iter().position(|stream| called(&stream.name)).map(Target::Stream)
    };
    node.or_else(stream)
}

/// What letters call a derived stream by.
pub fn stream_unit(spec: &PipelineSpec, pattern: &impl std::fmt::Display) -> Arc<str> {
    format!("{}/{pattern}", spec.name).into()
}

/// Whether a pipeline, with nodes of these ids, takes letters of this unit.
pub fn takes(spec: &PipelineSpec, ids: impl Iterator<Item = Arc<str>>, unit: &str) -> bool {
    target_in(spec, ids, unit).is_some()
}

impl Flow {
    pub(super) fn given(&self, record: &Record, unit: &str, letters: &[DeadLetter]) -> Option<Given> {
        let found = self.pipelines.iter().enumerate().find_map(|(index, pipeline)| {
            let ids = pipeline.nodes.iter().map(|node| Arc::clone(&node.id));
            Some((index, target_in(&pipeline.spec, ids, unit)?))
        });
        let (pipeline, target) = found?;
        Some(Given { pipeline, target, parts: parts(record, letters, self.lane.as_ref()) })
    }
}

/// What of the letters is for a lane.
fn parts(record: &Record, letters: &[DeadLetter], lane: Option<&Lane>) -> Vec<Part> {
    let mut start = 0;
    let mut parts = Vec::new();
    for letter in letters.iter().filter(|letter| letter.of != LetterOf::Timers) {
        let given = Batch {
            position: record.position,
            accepted_at_unix_ns: record.accepted_at_unix_ns,
            row_ids: RowIds::From(start),
            // It is counted again when the stream is derived again.
            hops: letter.batch.hops.saturating_sub(u8::from(letter.of == LetterOf::Stream)),
            ..letter.batch.clone()
        };
        let batch = take_lane(lane, &given);
        if batch.rows() > 0 {
            parts.push(Part { letter: letter.clone(), batch, start });
        }
        start = start.saturating_add(letter.rows() as u32);
    }
    parts
}

/// The letters of a record that its flow could not give to anybody: they are letters again, as they were. Of any other record there are none.
pub fn come_back(record: &Record, lane: Option<&Lane>, why: &str) -> Vec<DeadLetter> {
    let Payload::Command(Command::Redeliver { letters, .. }) = &record.payload else { return Vec::new() };
    let Some(first) = letters.first() else { return Vec::new() };
    let back = |part: Part| DeadLetter {
        batch: part.letter.original(&part.batch, part.start),
        code: NOT_RUN.to_owned(),
        message: not_run(why),
        ..part.letter
    };
    let letters = parts(record, letters, lane).into_iter().map(back).collect();
    stamp(letters, &first.pipeline, record, lane.map_or(0, |lane| lane.index)).collect()
}

fn not_run(why: &str) -> String {
    format!("given again, but {why}; the rows were not tried")
}

impl PipelineRun<'_> {
    pub(super) fn redeliver(&mut self, given: &Given, inboxes: &mut [Vec<Batch>]) {
        let mut in_vain = 0;
        for part in &given.parts {
            let (first, faults) = (self.effects.dead.len(), self.effects.faults.len());
            if let Some((code, message)) = self.not_run(given.target, in_vain) {
                let mut letter = part.letter.clone();
                letter.batch = letter.original(&part.batch, part.start);
                (letter.code, letter.message) =
                    (code.unwrap_or(letter.code), message.unwrap_or(letter.message));
                self.effects.dead.push(letter);
                continue;
            }
            match given.target {
                Target::Node(index) => {
                    let applied = self.once_more(index, part.batch.clone());
                    self.route(index, applied, inboxes);
                }
                Target::Stream(stream) => self.derive(stream, &part.batch),
                Target::Series(_) => {}
            }
            let mut rows = 0;
            for dead in self.effects.dead.get_mut(first..).unwrap_or_default() {
                if dead.id.unit == part.letter.id.unit {
                    rows += dead.rows();
                    *dead = part.letter.returned(dead.clone(), part.start);
                }
            }
            let faulted = self.effects.faults.len() > faults;
            in_vain = if faulted && rows == part.batch.rows() { in_vain + 1 } else { 0 };
            if faulted && !self.pass.patient {
                return;
            }
        }
    }

    /// Why the rows are not tried at all: a new code and reason, or those that the letter had.
    fn not_run(&mut self, target: Target, in_vain: u32) -> Option<(Option<String>, Option<String>)> {
        let said = |why: &str| Some((Some(NOT_RUN.to_owned()), Some(not_run(why))));
        if self.pipeline.run == Run::Stopped {
            return said("the pipeline is stopped");
        }
        let Target::Node(index) = target else { return None };
        let node = self.pipeline.nodes.get_mut(index)?;
        if node.run == Run::Stopped {
            return said("the unit is stopped");
        }
        if !node.circuit.allows(self.pass.newest_unix_ns) {
            return said("the circuit of the unit is open");
        }
        (in_vain >= IN_VAIN_MAX).then_some((None, None))
    }

    fn once_more(&mut self, index: usize, batch: Batch) -> Applied {
        let circuit = self.pipeline.nodes.get(index).map(|node| node.circuit.clone());
        let applied = self.process(index, batch);
        if let (Some(node), Some(circuit)) = (self.pipeline.nodes.get_mut(index), circuit) {
            node.circuit = circuit;
            show_again(node);
        }
        applied
    }
}

/// The circuit is as it was: so is what people see of it.
fn show_again(node: &Node) {
    let shown = node.counters.shown();
    if node.circuit.is_open() {
        node.counters.show(Shown::OpenCircuit);
    } else if shown == Shown::OpenCircuit {
        node.counters.show(Shown::Faulted);
    }
}
