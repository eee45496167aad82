//! `bench NAME...`: runs the benches that are named, or `all`.
//!
//! Out: for each a table, the budgets that were missed and, last, one line of JSON. Exit code 0: all budgets kept; 1: one missed, or a bench could not
//! be run; 2: asked wrongly. `bench floor` is not for people: it is the process that the bench `ingest` compares with.

use std::io::Write;
use std::process::ExitCode;

use weir_tests::bench;

/// That of the program, so that what is measured here behaves as it does there.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if let [name, connections] = names.as_slice()
        && name == "floor"
    {
        let connections = connections.parse().map_err(anyhow::Error::from);
        return ended(connections.and_then(bench::floor::serve));
    }
    if names == ["all"] {
        names = bench::NAMES.map(str::to_owned).to_vec();
    }
    if names.is_empty() {
        say(&format!("bench NAME...: {} or all", bench::NAMES.join(", ")));
        return ExitCode::from(2);
    }
    let mut good = true;
    for name in &names {
        match bench::run(name) {
            Ok(report) => {
                say(report.table_text().trim_end());
                for missed in &report.missed {
                    say(&format!("MISSED: {missed}"));
                }
                good &= report.missed.is_empty();
                say(&report.json());
            }
            Err(error) => {
                good = ended(Err(error)) == ExitCode::SUCCESS;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is gone too there is nobody left to tell.
            drop(writeln!(std::io::stderr(), "bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    // A reader that has gone away changes nothing about the exit code.
    drop(writeln!(std::io::stdout(), "{line}"));
}
