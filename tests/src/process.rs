//! Processes of the benches, first of all a `weir` whose start is timed and whose compiled code is kept from one to the next.
//!
//! In: a configuration in which `{http}` and `{tcp}` stand for free loopback ports, and a folder. Out: a process that answers `/readyz`. It is ended by its
//! process id, SIGTERM first, whatever happens to the bench. What it wrote to standard error is in the folder and becomes part of an error.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::client;
use crate::host::{free_port, program};

/// A machine that compiles something else at the same time needs as long.
const READY_MAX: Duration = Duration::from_secs(60);
/// More than the time that the program gives itself to drain.
const END_MAX: Duration = Duration::from_secs(15);

/// A process that does not outlive its owner.
pub struct Running {
    child: Child,
}

impl Running {
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self { child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Until it ends by itself, as it should soon.
    pub fn wait(mut self) -> Result<()> {
        let until = Instant::now() + END_MAX;
        while Instant::now() < until {
            if self.child.try_wait()?.is_some() {
                return self.stop();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.stop()
    }

    /// Asks it to end and waits; an error where it had to be killed or says that something went wrong.
    pub fn end(mut self) -> Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            ensure!(status.success(), "process {} ended by itself: {status}", self.pid());
            return Ok(());
        }
        // SAFETY: a signal to a child that was not waited for yet, so the id is still its own.
        unsafe { libc::kill(self.pid() as libc::pid_t, libc::SIGTERM) };
        let until = Instant::now() + END_MAX;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "process {} ended with {status}", self.pid());
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!("process {} did not end in {END_MAX:?} and was killed", self.pid())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `end` it has ended already and this finds that out; on the way of an error there is another error to tell.
        drop(self.stop());
    }
}

/// A `weir` that is ready.
pub struct Weir {
    pub process: Running,
    pub http_port: u16,
    pub tcp_port: u16,
    /// From the start of the process to the first 200 of `/readyz`.
    pub ready_after: Duration,
}

impl Weir {
    /// `folder` holds configuration, data and errors; its cache stays warm for the next one.
    pub fn start(config: &str, folder: &Path) -> Result<Self> {
        let (http_port, tcp_port) = (free_port()?, free_port()?);
        let text = config.replace("{http}", &http_port.to_string()).replace("{tcp}", &tcp_port.to_string());
        let file = folder.join("weir.toml");
        std::fs::write(&file, text).context("write the configuration")?;
        let errors =
            std::fs::File::create(folder.join("stderr.txt")).context("make a file for standard error")?;
        let mut command = Command::new(program()?);
        command.arg("run").arg("--config").arg(&file).arg("--data").arg(folder.join("data"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let begun = Instant::now();
        let mut process = Running::start(&mut command)?;
        while begun.elapsed() < READY_MAX {
            if let Some(status) = process.child.try_wait()? {
                bail!("weir ended at its start with {status}: {}", said(folder));
            }
            if get(http_port, "/readyz").is_ok() {
                let ready_after = begun.elapsed();
                return Ok(Self { process, http_port, tcp_port, ready_after });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        bail!("weir was not ready in {READY_MAX:?}: {}", said(folder))
    }

    pub fn json(&self, path: &str) -> Result<serde_json::Value> {
        let body = get(self.http_port, path)?;
        serde_json::from_slice(&body).with_context(|| format!("{path}: no JSON"))
    }
}

/// What the program in this folder wrote to standard error, the last of it.
fn said(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("stderr.txt")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}

/// The body of a 200; everything else is an error.
pub fn get(port: u16, path: &str) -> Result<Vec<u8>> {
    let answer = client::request(port, "GET", path, &[], b"")?;
    ensure!(answer.status == 200, "{path}: {}: {}", answer.status, answer.text());
    Ok(answer.body)
}
