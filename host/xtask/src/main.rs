//! The developer's commands, as `cargo xtask COMMAND`.
//!
//! In: the command line. Out: what the called programs print, progress on standard error, results on standard output, exit code 1 where
//! something failed. One file for each command; nothing here is part of the program that users run.
#![allow(clippy::print_stdout, reason = "results of a command go to the developer's terminal")]

mod bench;
mod browser;
mod command;
mod components;
mod docs;
mod examples;
mod fuzz;
mod page;
mod program;
mod prove;
mod scratch;
mod stages;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cargo xtask run                     build what is out of date, start weir: http://127.0.0.1:7070/
  cargo xtask run -- --config examples/web-requests/weir.toml
  cargo xtask test                    everything that must pass, with the minutes of each stage
  cargo xtask bench boundary codec    named benches; `all` for every one
  cargo xtask prove edit --minutes 10 live edits under load, and a checker outside that counts
  cargo xtask prove crash --cycles 50 kills under load, and a book of what was acknowledged
  cargo xtask prove disk --minutes 10 a disk that fails at every call and flips bits, and the same
  cargo xtask tidy                    the house rules that no lint knows (seconds)

What is needed: rustup (https://rustup.rs) and Node.js 20.19 or later with npm
(https://nodejs.org). `test` also wants Chromium, Python, nc and curl, which it installs where it may.";

/// The developer's commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From a bare clone to the page: builds components, page and program where they are out of date, and starts `weir run`.
    Run {
        /// For `weir run`, such as --config FILE, --data DIR, --listen ADDR.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Everything that must pass: formats, lints, unit, whole-system and browser tests, tidy. The last line is `N passed, N failed`.
    Test,
    /// Measures, prints tables and one line of JSON for each bench; exit code 1 where a budget is missed.
    Bench {
        /// boundary, codec, ingest, journal, latency, metrics, page, start, state, units or all.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Decoders that live long against oracles: fuzz codec --cases 10000000, or json, msgpack, logfmt; --seed S --life N sees a failure again.
    Fuzz {
        #[arg(required = true, value_name = "FORMAT", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Proves a promise against a real program under load; one line of JSON, exit code 1 on a violation.
    Prove {
        /// edit [--minutes N] [--edits N] [--rate EVENTS_PER_S] [--seed N] [--violate drop|duplicate|reorder]
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "NAME")]
        arguments: Vec<String>,
    },
    /// The house rules that no lint knows: module docs, sizes, names, boundaries, links.
    Tidy,
    /// Builds the components of plugins/ only.
    Components,
    /// Writes docs/units/: a page for each standard component, from what it says of itself. A test keeps them true.
    Docs,
    /// Builds the web page of host/ui only.
    Page,
}

fn main() -> ExitCode {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().nth(2).unwrap_or(manifest);
    match run(root, Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, command: Command) -> Result<ExitCode> {
    match command {
        Command::Run { arguments } => program::run(root, &arguments),
        Command::Test => Ok(test::test(root)),
        Command::Bench { names } => bench::bench(root, &names),
        Command::Fuzz { arguments } => fuzz::fuzz(root, &arguments),
        Command::Prove { arguments } => prove::prove(root, &arguments),
        Command::Tidy => tidy::tidy(root).map(|()| ExitCode::SUCCESS),
        Command::Components => {
            command::say("components");
            for component in components::build(root)? {
                println!("{}", component.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Docs => docs::write(root).map(|()| ExitCode::SUCCESS),
        Command::Page => page::build(root).map(|()| ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_run_is_for_weir() {
        for line in ["xtask run -- --config x.toml", "xtask run --config x.toml"] {
            let command = Arguments::try_parse_from(line.split(' ')).unwrap().command;
            assert!(
                matches!(command, Command::Run { arguments } if arguments == ["--config", "x.toml"]),
                "{line}"
            );
        }
    }
}
