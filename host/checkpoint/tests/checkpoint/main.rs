//! Checkpoints as a whole: both engines by one suite, a disk that fails as planned, damage, and with the journal.

mod conformance;
mod damage;
mod model;
mod places;
#[path = "../../../journal/tests/journal/records.rs"]
mod records;
mod snapshots;
