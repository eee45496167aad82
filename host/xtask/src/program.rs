//! The program `weir`: builds it with all that it embeds, and starts it.
//!
//! In: the repository's root. Out: paths of programs, or a process. Every build here selects the whole workspace, so that dependencies are
//! compiled with one set of features and therefore once, whichever command comes first.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{cargo, command, missing, output, run as call, say};
use crate::{components, page};

/// Standard components are compiled to machine code at the first start, which takes seconds on a small machine.
const START_MAX: Duration = Duration::from_secs(90);

/// Longer than the program gives itself to drain.
const END_MAX: Duration = Duration::from_secs(30);

/// How often a process that is ending is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// `cargo xtask run`: this process becomes `weir run`.
pub fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    say("components");
    components::build(root)?;
    say("page");
    page::build(root)?;
    let weir = build(root, &["--bin", "weir"])?.join("weir");
    say(&format!("{} run {}", weir.display(), arguments.join(" ")));
    // The caller's folder stays, so that paths among the arguments mean what they say.
    let mut weir = Command::new(weir);
    weir.arg("run").args(arguments);
    let error = weir.exec();
    Err(missing(&weir, error))
}

/// Builds the chosen binaries and returns the folder that they are in.
pub fn build(root: &Path, binaries: &[&str]) -> Result<PathBuf> {
    let arguments = [&["build", "--release", "--workspace"], binaries].concat();
    call(cargo(root, &arguments))?;
    folder(root)
}

/// Where cargo puts programs, wherever it was told to.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let text = output(cargo(root, &["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("read what cargo says")?;
    let target = metadata.get("target_directory").and_then(|folder| folder.as_str());
    Ok(Path::new(target.context("cargo names no target folder")?).join("release"))
}

/// A running `weir`; ended by force when dropped.
pub struct Running {
    child: Child,
    pub url: String,
}

impl Running {
    /// Starts `weir run` with these arguments and waits until it says where it listens.
    pub fn start(weir: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(weir);
        command.arg("run").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().map_err(|error| missing(&command, error))?;
        let mut running = Self { child, url: String::new() };
        let stdout = running.child.stdout.take().context("weir has no standard output")?;
        let (tx, rx) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody waits any longer: then there is nobody to tell.
            let _ = tx.send(read.map(|_| line));
        });
        let line =
            rx.recv_timeout(START_MAX).map_err(|_| anyhow!("weir said nothing within {START_MAX:?}"))??;
        running.url = url(&line).with_context(|| format!("weir did not start; it said {line:?}"))?;
        Ok(running)
    }

    /// Asks it to end and waits for that; anything but exit code 0 is an error.
    pub fn end(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        call(command(Path::new("."), "kill", &["-TERM", &id]))?;
        let status = self.wait(END_MAX)?;
        if !status.success() {
            bail!("weir ended with {status} after SIGTERM, not with exit code 0");
        }
        Ok(())
    }

    fn wait(&mut self, longest: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > longest {
                bail!("weir did not end within {longest:?} of SIGTERM");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Of the one line on standard output.
fn url(line: &str) -> Option<String> {
    let at = line.find("http://")?;
    line.get(at..)?.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_read_from_the_line() {
        assert_eq!(url("weir runs: http://127.0.0.1:7070/\n").as_deref(), Some("http://127.0.0.1:7070/"));
        assert_eq!(url("at http://127.0.0.1:1/ now\n").as_deref(), Some("http://127.0.0.1:1/"));
        assert_eq!(url(""), None);
    }
}
