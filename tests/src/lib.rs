//! What the whole-system tests and benches stand on: a real `weir` process, small clients, and cases as folders.

pub mod bench;
pub mod client;
pub mod config;
pub mod host;
pub mod pages;
pub mod process;
pub mod prove;
