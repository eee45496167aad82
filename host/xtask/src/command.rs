//! Programs that are called: what runs is said on standard error, and what fails is said with what was being done.
//!
//! In: a command. Out: nothing but success; its streams are ours. Errors name the command line, and where a program is missing, how to get it.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// One progress line.
pub fn say(step: &str) {
    eprintln!("xtask: {step}");
}

/// A call in a folder, without standard input, so that nothing waits for an answer.
pub fn command(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Cargo in the root's workspace.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    command(root, "cargo", arguments)
}

/// Cargo in the workspace of the components, which always has a target folder of its own.
pub fn cargo_plugins(root: &Path, arguments: &[&str]) -> Command {
    let mut cargo = command(&root.join("plugins"), "cargo", arguments);
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo
}

/// Cargo in the workspace of these commands themselves.
pub fn cargo_xtask(root: &Path, arguments: &[&str]) -> Command {
    command(&root.join("host/xtask"), "cargo", arguments)
}

/// Runs to its end; anything but exit code 0 is an error.
pub fn run(mut command: Command) -> Result<()> {
    let line = line(&command);
    say(&line);
    let status = command.status().map_err(|error| missing(&command, error))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs to its end and gives back what it wrote to standard output.
pub fn output(mut command: Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| missing(&command, error))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", line(&command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what `{}` says", line(&command)))
}

/// Whether a program can be found.
pub fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Why a program did not start, and what to do.
pub fn missing(command: &Command, error: std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    if error.kind() != ErrorKind::NotFound {
        return anyhow!(error).context(format!("start `{}`", line(command)));
    }
    let how = match program.as_str() {
        "node" | "npm" => "install Node.js 20.19 or later, which brings npm: https://nodejs.org",
        "cargo" | "rustup" | "rustc" => "install rustup: https://rustup.rs",
        _ => "install it with the system's package manager",
    };
    anyhow!("`{program}` is missing; {how}")
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_cure() {
        let absent = |program: &str| missing(&Command::new(program), ErrorKind::NotFound.into()).to_string();
        assert!(absent("npm").contains("nodejs.org"));
        assert!(absent("rustup").contains("rustup.rs"));
        let error = run(command(Path::new("."), "surely-no-such-program", &[])).unwrap_err();
        assert!(error.to_string().starts_with("`surely-no-such-program` is missing"));
    }

    #[test]
    fn an_exit_code_is_an_error_with_the_command_line() {
        let error = run(command(Path::new("."), "sh", &["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().starts_with("`sh -c exit 3` failed"), "{error}");
    }
}
