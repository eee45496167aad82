//! The engine against hand-written guests: each way to misbehave has its fault, and the host lives on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod cost;
mod faults;
mod guest;
mod loading;
mod wasi;
