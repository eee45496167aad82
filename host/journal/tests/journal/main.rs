//! The journal as a whole, on a disk in memory that fails as planned, and on a real one.

mod damage;
mod disk_full;
mod faults;
mod model;
mod records;
mod round_trip;
mod shown;
mod there;
mod threads;
mod upkeep;
