//! `prove edit [--minutes N] [--edits N] [--rate N] [--seed N] [--violate drop|duplicate|reorder]`
//! `prove crash [--cycles N] [--minutes N] [--engine sled|redb|both] [--seed N]`
//! `prove disk [--minutes N] [--engine sled|redb|both] [--flips N] [--cases N] [--every N] [--process true|false] [--seed N] [--violate drop|duplicate|swap|stale|tail]`
//!
//! Out: the violations and, last, one line of JSON. Exit code 0: none; 1: a violation, or nothing could be proved; 2: asked wrongly.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use weir_tests::prove::edit::{Options, run};
use weir_tests::prove::sender::Lie;
use weir_tests::prove::{Proof, crash, disk};

const USAGE: &str = "prove edit [--minutes N] [--edits N] [--rate EVENTS_PER_S] [--seed N] [--violate drop|duplicate|reorder]
prove crash [--cycles N] [--minutes N] [--engine sled|redb|both] [--seed N]
prove disk [--minutes N] [--engine sled|redb|both] [--flips N] [--cases N] [--every N] [--process true|false] [--seed N] [--violate drop|duplicate|swap|stale|tail]";
/// Edits in a minute where their number is not given.
const EDITS_PER_MINUTE: f64 = 60.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((name, rest)) if name == "disk" => disk(rest),
        Some((name, rest)) if name == "crash" => crash(rest),
        _ => edit(&arguments),
    }
}

fn edit(arguments: &[String]) -> ExitCode {
    let Some(options) = options(arguments) else { return usage() };
    say(&format!("{} edits in {:?}, seed {}", options.edits, options.time, options.seed));
    ended(run(&options))
}

fn disk(arguments: &[String]) -> ExitCode {
    let Some(options) = disk::options(arguments) else { return usage() };
    let names: Vec<_> = options.engines.iter().map(|engine| engine.as_str()).collect();
    say(&format!("{}, seed {}", names.join(" and "), options.seed));
    // Engines panic over damaged files; that is caught where it happens and told as a reason.
    std::panic::set_hook(Box::new(|_| ()));
    let proof = std::panic::catch_unwind(|| disk::run(&options));
    ended(proof.unwrap_or_else(|panic| {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(anyhow::anyhow!("it panicked: {}", words.unwrap_or("without a word")))
    }))
}

fn crash(arguments: &[String]) -> ExitCode {
    let Some(options) = crash_options(arguments) else { return usage() };
    say(&format!("{} kills, {}, seed {}", options.cycles, options.engines.join(" and "), options.seed));
    ended(crash::run(&options))
}

fn usage() -> ExitCode {
    say(USAGE);
    ExitCode::from(2)
}

fn ended(proof: anyhow::Result<Proof>) -> ExitCode {
    match proof {
        Ok(proof) => {
            for violation in &proof.violations {
                say(&format!("VIOLATION: {violation}"));
            }
            say(&proof.json());
            if proof.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            say(&format!("prove: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn both() -> Vec<&'static str> {
    disk::engines().iter().map(|engine| engine.as_str()).collect()
}

fn crash_options(arguments: &[String]) -> Option<crash::Options> {
    if !arguments.len().is_multiple_of(2) {
        return None;
    }
    let (mut cycles, mut minutes, mut engines, mut seed) = (50, 600.0_f64, both(), 1);
    for pair in arguments.chunks(2) {
        let [option, value] = pair else { return None };
        match (option.as_str(), value.as_str()) {
            ("--cycles", value) => {
                cycles = value.parse().ok().filter(|cycles| (1..=100_000).contains(cycles))?
            }
            ("--minutes", value) => {
                minutes = value.parse().ok().filter(|minutes| (0.01..=10_000.0).contains(minutes))?;
            }
            ("--engine", "redb") => engines = vec!["redb"],
            ("--engine", "sled") => engines = vec!["sled"],
            ("--engine", "both") => engines = both(),
            ("--seed", value) => seed = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(crash::Options { cycles, time: Duration::from_secs_f64(minutes * 60.0), engines, seed })
}

fn options(arguments: &[String]) -> Option<Options> {
    let (name, rest) = arguments.split_first()?;
    if name != "edit" || !rest.len().is_multiple_of(2) {
        return None;
    }
    let (mut minutes, mut edits, mut rate, mut seed, mut lie) = (1.0_f64, None, None, 1, None);
    for pair in rest.chunks(2) {
        let [option, value] = pair else { return None };
        match option.as_str() {
            "--minutes" => minutes = value.parse().ok().filter(|minutes| (0.01..=600.0).contains(minutes))?,
            "--edits" => edits = Some(value.parse().ok().filter(|edits| (1..=100_000).contains(edits))?),
            "--rate" => rate = Some(value.parse().ok().filter(|rate| *rate > 0)?),
            "--seed" => seed = value.parse().ok()?,
            "--violate" => {
                lie = Some(match value.as_str() {
                    "drop" => Lie::Drop,
                    "duplicate" => Lie::Duplicate,
                    "reorder" => Lie::Reorder,
                    _ => return None,
                });
            }
            _ => return None,
        }
    }
    let edits = edits.unwrap_or((minutes * EDITS_PER_MINUTE).max(1.0) as u32);
    Some(Options { edits, time: Duration::from_secs_f64(minutes * 60.0), rate, seed, lie })
}

fn say(line: &str) {
    // A reader that has gone away changes nothing about the exit code.
    drop(writeln!(std::io::stdout(), "{line}"));
}
