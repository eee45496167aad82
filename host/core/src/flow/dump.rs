//! What a flow knows beside the state of its units, for a checkpoint, and back.
//!
//! Out: a [`FlowMemory`], taken between two records. In: the same into a flow that was built for it. Everything that a later record's result depends on is here or in the
//! state of the units: marks of the streams, types of derived streams, circuits and the pace of ticks.

use serde::{Deserialize, Serialize};

use super::circuit::Circuit;
use super::types::Types;
use super::watermarks::Watermarks;
use super::{Flow, Node, Pipeline};
use crate::triplet::Triplet;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FlowMemory {
    pub newest_unix_ns: i64,
    /// Derived stream, source stream, and what the one has brought the other to; sorted.
    pub derived: Vec<(Triplet, Triplet, i64)>,
    pub pipelines: Vec<PipelineMemory>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PipelineMemory {
    pub name: String,
    pub watermarks: Watermarks,
    /// For each derived stream.
    pub types: Vec<Vec<Triplet>>,
}

/// What a node knows beside its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeMemory {
    pub made_from: String,
    pub circuit: Circuit,
    pub ticked_at: i64,
}

impl NodeMemory {
    pub fn of(node: &Node) -> Self {
        Self {
            made_from: node.made_from.to_string(),
            circuit: node.circuit.clone(),
            ticked_at: node.ticked_at,
        }
    }
}

impl Flow {
    pub fn memory(&self) -> FlowMemory {
        let marks = self.derived.iter().flat_map(|(derived, sources)| {
            sources.iter().map(|(source, mark)| (derived.clone(), source.clone(), *mark))
        });
        let mut derived: Vec<_> = marks.collect();
        derived.sort_unstable();
        let pipeline = |pipeline: &Pipeline| PipelineMemory {
            name: pipeline.spec.name.to_string(),
            watermarks: pipeline.watermarks.clone(),
            types: pipeline.types.iter().map(|types| types.known().to_vec()).collect(),
        };
        let pipelines = self.pipelines.iter().map(pipeline).collect();
        FlowMemory { newest_unix_ns: self.newest_unix_ns, derived, pipelines }
    }

    /// Of pipelines that are gone or have other streams now, what does not fit is left out.
    pub fn remember(&mut self, memory: FlowMemory) {
        self.newest_unix_ns = memory.newest_unix_ns;
        for (derived, source, mark) in memory.derived {
            self.derived.entry(derived).or_default().insert(source, mark);
        }
        for known in memory.pipelines {
            let own = self.pipelines.iter_mut().find(|pipeline| *pipeline.spec.name == *known.name);
            let Some(pipeline) = own else { continue };
            pipeline.watermarks = known.watermarks;
            if known.types.len() == pipeline.types.len() {
                pipeline.types = known.types.into_iter().map(Types::restored).collect();
            }
        }
    }

    /// Streams that this flow alone writes.
    pub fn derived_streams(&self) -> impl Iterator<Item = &Triplet> {
        self.derived.keys()
    }
}
