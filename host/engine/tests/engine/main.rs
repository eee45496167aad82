//! The engine against hand-written guests: each way to misbehave has its fault, and the host lives on.

mod cost;
mod faults;
mod guest;
mod loading;
mod wasi;
