//! `cargo xtask fuzz FORMAT...`: builds the fuzzer and gives decoders inputs that are compared with oracles.
//!
//! In: names of formats (`codec`: all of them) and options, as `tests/fuzz/src/bin/fuzz.rs` knows them. Out: its lines and its exit code, passed through.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::{missing, say};
use crate::program;

pub fn fuzz(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let folder = program::build(root, &["--bin", "fuzz"])?;
    say(&format!("fuzz {}", arguments.join(" ")));
    let mut fuzz = Command::new(folder.join("fuzz"));
    let named = |name: &String| if name == "codec" { "all".to_owned() } else { name.clone() };
    fuzz.args(arguments.iter().map(named)).current_dir(root);
    let status = fuzz.status().map_err(|error| missing(&fuzz, error))?;
    // A process that was ended by a signal has no code.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
