//! `fuzz FORMAT... [--cases N] [--seed S] [--life N]`: what `cargo xtask fuzz` runs.
//!
//! In: names of formats (`all`: every one), how many inputs of each (200,000 unless told), a seed (the clock's unless told) and, to see a failure again, one life. Out: the
//! seed before anything else, a line for each format, or the first difference. Exit code 0: no difference; 1: one; 2: asked wrongly.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use weir_fuzz::{Format, Plan, formats, fuzz};

const CASES: u64 = 200_000;

struct Asked {
    formats: Vec<Format>,
    cases: u64,
    seed: u64,
    life: Option<u64>,
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Ok(asked) => run(&asked),
        Err(problem) => {
            say(&format!(
                "fuzz: {problem}; fuzz FORMAT... [--cases N] [--seed S] [--life N], FORMAT: {}",
                names()
            ));
            ExitCode::from(2)
        }
    }
}

fn run(asked: &Asked) -> ExitCode {
    say(&format!("seed {}", asked.seed));
    for format in &asked.formats {
        let begun = Instant::now();
        let plan = Plan {
            format: *format,
            make: &|| format.subject(),
            seed: asked.seed,
            cases: asked.cases,
            life: asked.life,
        };
        match fuzz(&plan) {
            Ok(done) => say(&format!(
                "{}: {} inputs in {} lives, {} events, {} of them rejected, {} inputs left open, no difference, {:.0} s",
                format.name,
                done.cases,
                done.lives,
                done.events,
                done.rejected,
                done.open,
                begun.elapsed().as_secs_f64()
            )),
            Err(failure) => {
                say(&failure.to_string());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut asked = Asked { formats: Vec::new(), cases: CASES, seed: now.as_secs(), life: None };
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().unwrap_or_default().replace('_', "");
            text.parse::<u64>().map_err(|_| format!("`{argument}` needs a number"))
        };
        match argument.as_str() {
            "--cases" => asked.cases = number()?,
            "--seed" => asked.seed = number()?,
            "--life" => asked.life = Some(number()?),
            "all" => asked.formats = formats().to_vec(),
            name => {
                let format = formats().into_iter().find(|format| format.name == name);
                asked.formats.push(format.ok_or_else(|| format!("there is no format `{name}`"))?);
            }
        }
    }
    if asked.formats.is_empty() { Err("no format is named".to_owned()) } else { Ok(asked) }
}

fn names() -> String {
    formats().map(|format| format.name).join(", ") + " or all"
}

fn say(line: &str) {
    // A reader that has gone away changes nothing about the exit code.
    drop(writeln!(std::io::stdout(), "{line}"));
}
