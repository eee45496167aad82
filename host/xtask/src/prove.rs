//! `cargo xtask prove NAME`: builds the program and the proofs, and runs one.
//!
//! In: a name and its options, which the proof knows (`tests/src/bin/prove.rs`). Out: what it says, with one line of JSON last, and its exit code.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::{missing, say};
use crate::{components, page, program};

pub fn prove(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    say("components");
    components::build(root)?;
    say("page");
    page::build(root)?;
    let folder = program::build(root, &["--bin", "weir", "--bin", "prove"])?;
    say(&format!("prove {}", arguments.join(" ")));
    let mut prove = Command::new(folder.join("prove"));
    prove.args(arguments).current_dir(root);
    let status = prove.status().map_err(|error| missing(&prove, error))?;
    // A proof that was ended by a signal has no code.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
