//! The journal as a whole, on a disk in memory that fails as planned, and on a real one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is tests"
)]

mod damage;
mod disk_full;
mod faults;
mod model;
mod records;
mod round_trip;
mod shown;
mod there;
mod threads;
mod together;
mod upkeep;
