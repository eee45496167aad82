//! `cargo xtask bench NAME...`: builds the program and the benches, and runs those that are named.
//!
//! In: names that the benches know (`tests/src/bin/bench.rs`); the browser is installed where one of them needs it. Out: their tables, their lines of JSON and their exit code, all passed through.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::{missing, say};
use crate::{browser, components, page, program};

/// Benches that open the page.
const BROWSED: [&str; 2] = ["page", "all"];

pub fn bench(root: &Path, names: &[String]) -> Result<ExitCode> {
    say("components");
    components::build(root)?;
    say("page");
    page::build(root)?;
    let folder = program::build(root, &["--bin", "weir", "--bin", "bench"])?;
    if names.iter().any(|name| BROWSED.contains(&name.as_str())) {
        browser::install()?;
    }
    say(&format!("bench {}", names.join(" ")));
    let mut bench = Command::new(folder.join("bench"));
    bench.args(names).current_dir(root);
    let status = bench.status().map_err(|error| missing(&bench, error))?;
    // A bench that was ended by a signal has no code.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
