//! Completions and man pages, from the same description of the command line as `--help`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, print};

/// The script of a shell, to standard output.
pub fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "weir", &mut script);
    print(String::from_utf8(script).context("the script is not text")?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// `weir.1`, and one page for each command, into a folder.
pub fn man(folder: &Path) -> anyhow::Result<ExitCode> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    clap_mangen::generate_to(Arguments::command(), folder)
        .with_context(|| format!("write to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
