//! A real `weir` whose calls to the system fail, and whose disk is really full.
//!
//! The calls are made to fail from outside (libfiu, switched on while the host runs); the full disk is a small file system of its own (a tmpfs in a namespace of the process). In each life one thing goes wrong, it is
//! waited for until the host says so in its metrics, and then the host goes on where it should, or is killed and started again. Producers and the checker are those of [`crate::prove::crash`].

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Sums;
use crate::host::TestHost;
use crate::prove::crash::with_producers;
use crate::prove::journal::judge;
use crate::prove::producer::Lives;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// What fails: libfiu's name of the call, and with which error.
const CALLS: [(&str, i32); 6] = [
    ("posix/io/sync/fdatasync", EIO),
    ("posix/io/sync/fsync", EIO),
    ("posix/io/rw/pwrite", EIO),
    ("posix/io/rw/pwrite", ENOSPC),
    ("posix/io/dir/rename", EIO),
    ("posix/io/oc/open", EIO),
];
const SMALL_DISK_MIB: u32 = 48;
/// How long the host is given to meet what fails, and to go on afterwards.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between a start and what goes wrong.
const CALM: Duration = Duration::from_millis(400);
const LOOK: Duration = Duration::from_millis(20);

/// What the host says of itself when something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Full,
    Stopped,
}

pub(super) fn run(engine: &str, sums: &mut Sums) -> Result<()> {
    let planned = CALLS.len() as u64 + 1;
    sums.planned += planned;
    let (counted, (fired, recovery_ms)) = with_producers(engine, |host, lives, ports| {
        let mut world = World { host, lives, ports, life: 0, fired: 0, recovery_ms: Vec::new() };
        for (call, error) in CALLS {
            world = world
                .call_fails(call, error)
                .with_context(|| format!("{engine}: {call} fails by {error}"))?;
        }
        world = world.disk_is_full().with_context(|| format!("{engine}: a full disk"))?;
        Ok((world.host, (world.fired, world.recovery_ms)))
    })?;
    let verdict = judge(&counted.book, &counted.counted);
    sums.fired += fired;
    sums.process_faults += fired;
    sums.process_acked += counted.book.acked;
    sums.cycles += recovery_ms.len() as u64;
    sums.recovery_ms.extend(recovery_ms);
    sums.verdict.lost += verdict.lost;
    sums.verdict.double += verdict.double;
    sums.verdict.mismatched += verdict.mismatched;
    sums.verdict.reordered += counted.reordered;
    for message in verdict.messages {
        sums.verdict.say(format!("{engine}, a real process: {message}"));
    }
    Ok(())
}

struct World<'a> {
    host: TestHost,
    lives: &'a Lives,
    ports: (u16, u16),
    life: u64,
    fired: u64,
    recovery_ms: Vec<f64>,
}

impl World<'_> {
    /// A life under libfiu, one call that fails, and a start after it.
    fn call_fails(self, call: &str, error: i32) -> Result<Self> {
        let control = self.host.folder.path().join("fiu");
        let under = ["fiu-run", "-x", "-f", &control.to_string_lossy()].map(ToOwned::to_owned);
        let mut world = self.again(&under)?;
        let is_aside = call.ends_with("open") || call.ends_with("rename");
        if !is_aside {
            // What is written beside the journal is written soon after a start.
            std::thread::sleep(CALM);
        }
        world.control(&control, &format!("enable name={call},failinfo={error}"))?;
        let said = world.wait_said()?;
        world.fired += 1;
        if said == Said::Full {
            ensure!(error == ENOSPC, "the host says that its disk is full");
            world.control(&control, &format!("disable name={call}"))?;
            world.goes_on()?;
        }
        world.again(&[])
    }

    /// A life with a journal on a small disk that something else fills, and empties again.
    fn disk_is_full(self) -> Result<Self> {
        let journal = self.host.folder.path().join("data/journal");
        // The segments so far are copied onto it.
        let script = format!(
            "set -e; j={journal:?}; mv \"$j\" \"$j.before\"; mkdir \"$j\"; mount -t tmpfs -o size={SMALL_DISK_MIB}m weir \"$j\"; cp -a \"$j.before/.\" \"$j\"; rm -r \"$j.before\"; exec \"$@\""
        );
        let under = ["unshare", "-Urm", "sh", "-c", &script, "weir"].map(ToOwned::to_owned);
        let mut world = self.again(&under)?;
        std::thread::sleep(CALM);
        let inside = PathBuf::from(format!("/proc/{}/root{}", world.host.pid(), journal.display()));
        fill(&inside.join("ballast"))?;
        let said = world.wait_said()?;
        ensure!(said == Said::Full, "a full disk has stopped the journal");
        world.fired += 1;
        std::fs::remove_file(inside.join("ballast")).context("make room again")?;
        world.goes_on()?;
        // It goes on: this disk goes with its process.
        Ok(world)
    }

    /// Kills it and starts again in the same folder.
    fn again(mut self, under: &[String]) -> Result<Self> {
        self.lives.life.store(0, Ordering::Release);
        let folder = self.host.crash()?;
        let config = std::fs::read_to_string(folder.path().join("weir.toml"))?;
        let starting = Instant::now();
        self.host = TestHost::start_under(under, &config, folder, self.ports)
            .context("a start did not come through")?;
        self.recovery_ms.push(starting.elapsed().as_secs_f64() * 1e3);
        self.next_life();
        Ok(self)
    }

    /// Producers that were refused begin anew.
    fn next_life(&mut self) {
        self.life += 1;
        self.lives.life.store(self.life, Ordering::Release);
    }

    fn control(&self, control: &Path, command: &str) -> Result<()> {
        let pid = self.host.pid().to_string();
        let status = Command::new("fiu-ctrl").arg("-f").arg(control).args(["-c", command, &pid]).status();
        let status = status.context("start fiu-ctrl (Debian's fiu-utils)")?;
        ensure!(status.success(), "fiu-ctrl -c '{command}' ended with {status}");
        Ok(())
    }

    /// Until the host says that something is wrong; from then on nothing is acknowledged, or the state is no longer written.
    fn wait_said(&self) -> Result<Said> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let metrics = self.metrics()?;
            let is = |line: &str| metrics.lines().any(|other| other == line);
            if is("weir_journal_state{state=\"full\"} 1") {
                return Ok(Said::Full);
            }
            if is("weir_journal_state{state=\"stopped\"} 1") || is("weir_checkpoints_stopped 1") {
                return Ok(Said::Stopped);
            }
            std::thread::sleep(LOOK);
        }
        bail!("the host did not meet what was to fail within {PATIENCE:?}:\n{}", self.host.log())
    }

    /// The disk has room again: the same process takes events.
    fn goes_on(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !self.metrics()?.contains("weir_journal_state{state=\"good\"} 1") {
            ensure!(begun.elapsed() < PATIENCE, "the journal did not go on:\n{}", self.host.log());
            std::thread::sleep(LOOK);
        }
        let before = self.host.unit("edit/first", "rows_in_total")?;
        self.next_life();
        self.host.wait_unit("edit/first", "rows_in_total", before + 1_000)
    }

    fn metrics(&self) -> Result<String> {
        Ok(self.host.get("/metrics")?.text())
    }
}

/// Writes until there is no room.
fn fill(path: &Path) -> Result<()> {
    let mut ballast = File::create(path).with_context(|| path.display().to_string())?;
    let piece = vec![0; 64 << 10];
    for _ in 0..(SMALL_DISK_MIB << 4) + 1 {
        match ballast.write_all(&piece) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            other => other?,
        }
    }
    bail!("the small disk does not fill up")
}
