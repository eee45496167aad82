//! Starts programs for tests and benches, first of all `weir`, and ends them by process id.
//!
//! In: a configuration in which `{http}` and `{tcp}` stand for free loopback ports below 32768, and a folder. Out: a process that answers `/readyz`, and how long
//! that took. It never outlives its owner. What it wrote to standard error is in the folder and becomes part of an error. All waits are bounded.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::client;

/// Compiling the standard components on a loaded machine takes a while at the first start.
const READY_MAX: Duration = Duration::from_secs(90);
/// More than the time that the program gives itself to drain.
const END_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The program under test.
pub fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where am I")?;
    let folders = own.ancestors().skip(1).take(2);
    for folder in folders {
        let weir = folder.join("weir");
        if weir.is_file() {
            return Ok(weir);
        }
    }
    bail!("there is no `weir` beside {}; build it: cargo build --release --workspace", own.display())
}

/// A port below 32768 that nobody uses now.
pub fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000")
}

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
        let pid = self.pid();
        let status = self.ended_within(END_MAX)?.with_context(|| format!("process {pid} goes on"))?;
        ensure!(status.success(), "process {pid} ended with {status}");
        Ok(())
    }

    /// Asks it to end and waits; an error where it had to be killed or says that something went wrong.
    pub fn end(mut self) -> Result<()> {
        let pid = self.pid();
        self.signal(libc::SIGTERM)?;
        let status = self.ended_within(END_MAX)?;
        let status = status.with_context(|| format!("process {pid} did not end in {END_MAX:?}"))?;
        ensure!(status.success(), "process {pid} ended with {status}");
        Ok(())
    }

    /// Sends a signal; nothing where it has ended.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            // SAFETY: kill only sends a signal, to a child of ours that was not waited for, so the id is still its own.
            unsafe { libc::kill(self.pid() as libc::pid_t, signal) };
        }
        Ok(())
    }

    /// How it ended; none: it still runs after that long.
    pub fn ended_within(&mut self, max: Duration) -> Result<Option<ExitStatus>> {
        let until = Instant::now() + max;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `end` it has ended already, and both do nothing.
        drop(self.child.kill());
        drop(self.child.wait());
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
    /// `folder` holds configuration, data and what it says; its cache stays warm for the next one. All in memory: the next one begins anew.
    pub fn start(config: &str, folder: &Path) -> Result<Self> {
        Self::start_on(config, folder, (free_port()?, free_port()?), false)
    }

    /// On ports of the caller's, for HTTP and TCP; where it is durable it goes on with what is in the folder.
    pub fn start_on(config: &str, folder: &Path, ports: (u16, u16), durable: bool) -> Result<Self> {
        Self::start_by(&mut command(folder, durable)?, config, folder, ports)
    }

    /// By a command that runs `weir` in this folder, such as one of [`command_under`].
    pub fn start_by(
        command: &mut Command,
        config: &str,
        folder: &Path,
        (http_port, tcp_port): (u16, u16),
    ) -> Result<Self> {
        let text = config.replace("{http}", &http_port.to_string()).replace("{tcp}", &tcp_port.to_string());
        std::fs::write(folder.join("weir.toml"), text).context("write the configuration")?;
        let begun = Instant::now();
        let mut process = Running::start(command)?;
        while begun.elapsed() < READY_MAX {
            if let Some(status) = process.child.try_wait()? {
                bail!("weir ended at its start with {status}: {}", said(folder));
            }
            if get(http_port, "/readyz").is_ok() {
                let ready_after = begun.elapsed();
                return Ok(Self { process, http_port, tcp_port, ready_after });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bail!("weir was not ready in {READY_MAX:?}: {}", said(folder))
    }

    pub fn json(&self, path: &str) -> Result<serde_json::Value> {
        let body = get(self.http_port, path)?;
        serde_json::from_slice(&body).with_context(|| format!("{path}: no JSON"))
    }
}

/// To run `weir` with the configuration and the data that are in the folder.
pub fn command(folder: &Path, durable: bool) -> Result<Command> {
    command_under(&[], folder, durable)
}

/// The same by another program, which becomes `weir` in the end and keeps its process id.
pub fn command_under(under: &[String], folder: &Path, durable: bool) -> Result<Command> {
    let errors =
        std::fs::File::create(folder.join("stderr.txt")).context("make a file for standard error")?;
    let program = program()?;
    let mut command = match under.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.arg("run").arg("--config").arg(folder.join("weir.toml")).arg("--data").arg(folder.join("data"));
    command.arg("--durable").arg(durable.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    Ok(command)
}

/// What the program in this folder wrote to standard error, the last of it.
pub fn said(folder: &Path) -> String {
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
