//! Checkpoints as a whole: both engines by one suite, a disk that fails as planned, damage, and with the journal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is tests"
)]

mod conformance;
mod damage;
mod model;
mod places;
#[path = "../../../journal/tests/journal/records.rs"]
mod records;
mod snapshots;
