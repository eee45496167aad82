//! Whole-system tests: a real `weir`, real sockets, one binary.
//!
//! `alerts`: rules, alerts, webhook. `start`: the program's life. `events`: what goes in comes out, exactly. `cases`: folders of configuration, input and expected
//! answer. `charts`: the same of what formatters draw. `dead`: dead letters over crashes and repairs. `faults`: every way of a component to misbehave. `attack`: hostile senders. `end`: drains and signals.
//! `examples`: what the pages of examples say. `edits`: changes of running pipelines. `folder`: journal and state looked at without a host.
//! `holes`: of the journal, on pipelines and charts. `kept`: components whose files are gone. `once`: what comes again. `same`: equal outputs over crashes. `starting`: what a replay says.
//! `load`: floods, pauses, memory. `input`: bad input of every kind. `live`: the WebSocket. `laws`: cuts and replays give equal results. `metrics`:
//! metrics as configuration. `pages`: the documentation of the standard components. `prove`: the proofs in small. `rounds`: checkpoints that fail. `sinks`: files of derived streams, over crashes. `trace`: one event's way through the units. `ways`: other sources, and the terminal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of it is tests")]

mod alerts;
mod attack;
mod cases;
mod charts;
mod dead;
mod durable;
mod edits;
mod end;
mod events;
mod examples;
mod faults;
mod folder;
mod holes;
mod input;
mod kept;
mod laws;
mod live;
mod load;
mod metrics;
mod once;
mod pages;
mod prove;
mod rounds;
mod same;
mod sinks;
mod small_disk;
mod start;
mod starting;
mod trace;
mod ways;
