//! The program `weir`: reads the command line, does what it says, and ends with an exit code.
//!
//! 0: done. 1: it could not be done, with the reason on standard error. 2: the command line was wrong. 130: ended at once by a second SIGINT.

use std::process::ExitCode;

mod cli;

/// Batches are made on one thread and freed on another all the time, which the allocator of the system is slow at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
