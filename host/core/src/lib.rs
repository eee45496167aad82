//! The pure part of Weir, in the order in which an event meets it. No sockets, files, clocks, randomness or Wasm: those come in as arguments.

pub mod batch;
pub mod codec;
pub mod config;
pub mod diff;
pub mod edit;
pub mod exact;
pub mod manifest;
pub mod plan;
pub mod series;
pub mod triplet;
pub mod unit;

pub mod alerts;
pub mod apply;
pub mod flow;
pub mod graph;
pub mod keys;
pub mod letter;
pub mod projection;
pub mod recent;
pub mod record;
pub mod seen;
pub mod selector;
pub mod sequencer;
pub mod state;
