//! `prove edit [--minutes N] [--edits N] [--rate N] [--seed N] [--violate drop|duplicate|reorder]`
//!
//! Out: the violations and, last, one line of JSON. Exit code 0: none; 1: a violation, or nothing could be proved; 2: asked wrongly.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use weir_tests::prove::edit::{Options, run};
use weir_tests::prove::sender::Lie;

const USAGE: &str = "prove edit [--minutes N] [--edits N] [--rate EVENTS_PER_S] [--seed N] [--violate drop|duplicate|reorder]";
/// Edits in a minute where their number is not given.
const EDITS_PER_MINUTE: f64 = 60.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(options) = options(&arguments) else {
        say(USAGE);
        return ExitCode::from(2);
    };
    say(&format!("{} edits in {:?}, seed {}", options.edits, options.time, options.seed));
    match run(&options) {
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
