//! The edges of Weir and the wiring: sources, units over Wasm, API, page. Everything that touches network, disk or clock is here.

pub mod api;
pub mod app;
pub mod channels;
pub mod charts;
pub mod embedded;
pub mod intake;
pub mod live;
pub mod page;
pub mod runtime;
pub mod sinks;
pub mod source;
pub mod standing;
pub mod units;
pub mod view;
pub mod watched;
