//! Whole-system tests: a real `weir`, real sockets, one binary.
//!
//! `alerts`: rules, alerts, webhook. `start`: the program's life. `events`: what goes in comes out, exactly. `cases`: folders of configuration, input and expected answer. `faults`: every way of a
//! component to misbehave. `load`: floods, pauses, memory. `input`: bad input of every kind. `live`: the WebSocket.
//! `laws`: cuts and replays give equal results. `pages`: the documentation of the standard components.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of it is tests")]

mod alerts;
mod cases;
mod events;
mod faults;
mod input;
mod laws;
mod live;
mod load;
mod pages;
mod start;
