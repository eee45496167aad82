//! The proof against crashes: a real `weir` under load is edited and killed at random, and started again in the same folder.
//!
//! A share of the kills falls into the start itself, into a checkpoint or its folding, and into a snapshot ([`super::aim`]); of what was aimed at, it is said how often it was hit. Out: `lost` (acknowledged and not counted), `double`, `reordered` (rows of a producer whose number does not rise), `mismatched`
//! (sums that no part of what was sent explains), `cycles`, and how long a start took after a kill until events were taken. A violation is anything of the first four, or a start that does
//! not come through. Checkpoints are made as often as they can be, so that kills fall into them too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Proof;
use super::aim::Aim;
use super::checker::Windows;
use super::editor::Editor;
use super::journal::{Book, judge};
use super::producer::{Lives, Producer, Way};
use super::sender::now_ms;
use super::watcher;
use crate::host::TestHost;
use crate::process::free_port;

/// Of the kills, how many fall into a start, and of the others into a checkpoint and into a snapshot. The first checkpoint of a life writes a snapshot, so that life is short.
const AT_START: f64 = 0.2;
const AT_CHECKPOINT: f64 = 0.3;
const AT_SNAPSHOT: f64 = 0.2;
const AFTER_BEGIN_US: std::ops::Range<u64> = 0..20_000;
const LIFE_MS: std::ops::Range<u64> = 300..2_500;
const EVENTS_PER_S: u64 = 3_000;
/// More edits than one life has time for.
const NAMES_OF_A_LIFE: u32 = 1_000;
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Where time goes after the end, so that all windows close.
const END_MS: i64 = 120_000;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[state]
engine = "{engine}"
replay = "100ms"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "proof/edit/event"
[[source]]
name = "http"
kind = "http"

[[pipeline]]
name = "edit"
from = ["proof/edit/event"]
lateness = "30s"
lag = { bytes = "512MiB", seconds = 600, beyond = "back-pressure" }

[[pipeline.unit]]
name = "first"
use = "filter"
config = { keep = "true" }

[[pipeline.unit]]
name = "last"
use = "filter"
config = { keep = "true" }

[[pipeline.unit]]
name = "sums" # counts
use = "rollup"
config = { keys = ["key"], window = "1s", aggregates = { count = "count", numbers = { of = "n", is = "sum" }, hashes = { of = "h", is = "sum" }, least = { of = "n", is = "min" }, greatest = { of = "n", is = "max" } } }

[[pipeline.series]]
metric = "edit_sums"
from = ["sums"]
labels = ["key"]
keep_points = 50000

# The number of each producer rises over all lives of the host.
[[pipeline]]
name = "order"
from = ["proof/edit/event"]

[[pipeline.unit]]
name = "step"
use = "delta"
config = { keys = ["p"], of = ["s"], counter = false }

[[pipeline.unit]]
name = "wrong"
use = "filter"
config = { keep = "s_delta <= 0" }

[[pipeline.stream]]
triplet = "proof/edit/wrong"
"#;

#[derive(Debug, Clone)]
pub struct Options {
    pub cycles: u32,
    /// No further cycle begins after this.
    pub time: Duration,
    pub engines: Vec<&'static str>,
    pub seed: u64,
}

/// What one engine came to.
struct Outcome {
    book: Book,
    counted: Windows,
    cycles: u32,
    at_start: u32,
    aimed: u32,
    at_checkpoint: u32,
    at_snapshot: u32,
    edits: u32,
    reordered: u64,
    recovery_ms: Vec<f64>,
}

/// Runs it all; an error means that nothing was proved.
pub fn run(options: &Options) -> Result<Proof> {
    let mut outcomes = Vec::new();
    let share = options.engines.len().max(1) as u32;
    for (number, engine) in options.engines.iter().enumerate() {
        let part = Options {
            cycles: options.cycles.div_ceil(share),
            time: options.time / share,
            seed: options.seed + number as u64,
            ..options.clone()
        };
        outcomes.push(one(&part, engine).with_context(|| format!("engine {engine}, seed {}", part.seed))?);
    }
    Ok(report(options, &outcomes))
}

fn one(options: &Options, engine: &str) -> Result<Outcome> {
    let (counted, mut outcome) =
        with_producers(engine, |host, lives, ports| cycles(host, lives, options, ports))?;
    (outcome.book, outcome.counted, outcome.reordered) = (counted.book, counted.counted, counted.reordered);
    Ok(outcome)
}

/// What was sent, and what is there of it.
pub struct Counted {
    pub book: Book,
    pub counted: Windows,
    pub reordered: u64,
}

/// Starts a host and producers over HTTP and TCP; `run` does with the host what it wants, as often as it wants, and gives it back alive. Then everything is counted.
pub fn with_producers<T>(
    engine: &str,
    run: impl FnOnce(TestHost, &Lives, (u16, u16)) -> Result<(TestHost, T)>,
) -> Result<(Counted, T)> {
    let (http, tcp) = (free_port()?, free_port()?);
    let config = CONFIG.replace("{engine}", engine);
    let lives = Lives { rate: EVENTS_PER_S, ..Lives::default() };
    let ways = [
        ("http-a", Way::Http(http)),
        ("http-b", Way::Http(http)),
        ("tcp-a", Way::Tcp(tcp)),
        ("tcp-b", Way::Tcp(tcp)),
    ];
    let host = TestHost::start_on(&config, tempfile::tempdir()?, (http, tcp))?;
    std::thread::scope(|scope| {
        let sending: Vec<_> =
            ways.iter().map(|(name, way)| scope.spawn(|| Producer::new(name, *way).run(&lives))).collect();
        let ran = run(host, &lives, (http, tcp));
        lives.stop.store(true, Ordering::Release);
        let mut book = Book::default();
        for producer in sending {
            book.take(producer.join().map_err(|_| anyhow::anyhow!("a producer panicked"))??);
        }
        let (host, more) = ran?;
        settle(&host)?;
        let mut counted = Windows::new();
        for key in book.keys() {
            watcher::windows(host.http, &key, &mut counted)?;
        }
        let reordered = host.unit("order/wrong", "rows_out_total")?;
        Ok((Counted { book, counted, reordered }, more))
    })
}

/// Lives and kills; at the end the host lives.
fn cycles(
    mut host: TestHost,
    lives: &Lives,
    options: &Options,
    ports: (u16, u16),
) -> Result<(TestHost, Outcome)> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut outcome = Outcome {
        book: Book::default(),
        counted: Windows::new(),
        cycles: 0,
        at_start: 0,
        aimed: 0,
        at_checkpoint: 0,
        at_snapshot: 0,
        edits: 0,
        reordered: 0,
        recovery_ms: Vec::new(),
    };
    let begun = Instant::now();
    let mut life = 1;
    lives.life.store(life, Ordering::Release);
    while outcome.cycles < options.cycles && begun.elapsed() < options.time {
        let aim = aim(&mut random);
        let lasts = match aim {
            Aim::Snapshot => Duration::ZERO,
            _ => Duration::from_millis(random.random_range(LIFE_MS)),
        };
        let (edits, is_hit) = live(&host, (lasts, aim), random.random(), life as u32 * NAMES_OF_A_LIFE)?;
        outcome.edits += edits;
        outcome.aimed += u32::from(aim != Aim::Anywhere);
        match aim {
            Aim::Anywhere => {}
            Aim::Checkpoint(_) => outcome.at_checkpoint += u32::from(is_hit),
            Aim::Snapshot => outcome.at_snapshot += u32::from(is_hit),
        }
        lives.life.store(0, Ordering::Release);
        let mut folder = host.crash()?;
        outcome.cycles += 1;
        if random.random_bool(AT_START) {
            folder = TestHost::crash_at_start(folder, Duration::from_millis(random.random_range(5..600)))?;
            outcome.at_start += 1;
            outcome.cycles += 1;
        }
        let config = std::fs::read_to_string(folder.path().join("weir.toml"))?;
        let starting = Instant::now();
        host = TestHost::start_on(&config, folder, ports)
            .context("a start after a kill did not come through")?;
        outcome.recovery_ms.push(starting.elapsed().as_secs_f64() * 1_000.0);
        run_all(&host)?;
        life += 1;
        lives.life.store(life, Ordering::Release);
    }
    // The last life ends in peace for the producers.
    std::thread::sleep(Duration::from_secs(1));
    Ok((host, outcome))
}

fn aim(random: &mut StdRng) -> Aim {
    let drawn: f64 = random.random();
    let after = Duration::from_micros(random.random_range(AFTER_BEGIN_US));
    match () {
        () if drawn < AT_CHECKPOINT => Aim::Checkpoint(after),
        () if drawn < AT_CHECKPOINT + AT_SNAPSHOT => Aim::Snapshot,
        () => Aim::Anywhere,
    }
}

/// Edits until it is killed from outside, in the middle of whatever it does: how many, and whether the kill fell where it was aimed.
fn live(host: &TestHost, (lasts, aim): (Duration, Aim), seed: u64, names: u32) -> Result<(u32, bool)> {
    let killed = AtomicBool::new(false);
    let pid = host.pid();
    let data = host.folder.path().join("data");
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            std::thread::sleep(lasts);
            let is_hit = aim.wait(pid, &data);
            killed.store(true, Ordering::Release);
            // SAFETY: kill only sends a signal, to a child of ours that nobody has waited for yet.
            unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
            is_hit
        });
        let mut editor = Editor::naming_from(host, seed, names);
        let mut edits = 0;
        while !killed.load(Ordering::Acquire) {
            match editor.step() {
                Ok(()) => edits += 1,
                // The kill came first.
                Err(_) if killed.load(Ordering::Acquire) => {}
                Err(error) => return Err(error.context("an edit was refused")),
            }
        }
        Ok((edits, killer.join().unwrap_or(false)))
    })
}

/// What was paused when the kill came is paused still.
fn run_all(host: &TestHost) -> Result<()> {
    let shown = host.json("/api/pipelines/edit")?;
    let units =
        shown["units"].as_array().context("no units")?.iter().filter_map(|unit| unit["name"].as_str());
    let units = units.map(|name| format!("/api/pipelines/edit/units/{name}/start"));
    for path in units.chain(["/api/pipelines/edit/start".to_owned()]) {
        let answer = host.post(&path, b"")?;
        ensure!((200..300).contains(&answer.status), "{path}: {}", answer.text());
    }
    Ok(())
}

/// Moves time on so that all windows close, and waits until nothing more comes.
fn settle(host: &TestHost) -> Result<()> {
    let until = Instant::now() + SETTLE_MAX;
    let mut quiet = (0, Instant::now());
    let mut ended = false;
    loop {
        let rows = watcher::rows_in(host.http, "edit/sums")?;
        let pipelines = host.json("/api/pipelines")?;
        let mut lags =
            pipelines["pipelines"].as_array().into_iter().flatten().map(|one| one["lag_records"].as_u64());
        if rows != quiet.0 || !lags.all(|lag| lag <= Some(1)) {
            quiet = (rows, Instant::now());
        }
        if quiet.1.elapsed() > Duration::from_secs(2) {
            if ended {
                return Ok(());
            }
            let end = format!("{{\"key\":\"end\",\"n\":0,\"h\":0,\"c\":0,\"time\":{}}}\n", now_ms() + END_MS);
            host.send(&end)?;
            (ended, quiet.1) = (true, Instant::now());
        }
        if Instant::now() > until {
            bail!("the flows are not done: {rows} rows");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn report(options: &Options, outcomes: &[Outcome]) -> Proof {
    let mut proof = Proof { prove: "crash", ..Proof::default() };
    let verdicts: Vec<_> = outcomes.iter().map(|outcome| judge(&outcome.book, &outcome.counted)).collect();
    let sum = |of: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>() as f64;
    let found = |of: &dyn Fn(&super::journal::Verdict) -> u64| verdicts.iter().map(of).sum::<u64>() as f64;
    let mut recovery: Vec<f64> = outcomes.iter().flat_map(|outcome| outcome.recovery_ms.clone()).collect();
    recovery.sort_by(f64::total_cmp);
    let at = |part: f64| {
        recovery.get(((recovery.len() as f64 * part) as usize).min(recovery.len().saturating_sub(1))).copied()
    };
    let cycles = sum(&|outcome| u64::from(outcome.cycles));
    proof.figures = vec![
        ("lost", found(&|verdict| verdict.lost)),
        ("double", found(&|verdict| verdict.double)),
        ("reordered", sum(&|outcome| outcome.reordered)),
        ("mismatched", found(&|verdict| verdict.mismatched)),
        ("cycles", cycles),
        ("kills_at_start", sum(&|outcome| u64::from(outcome.at_start))),
        ("kills_aimed", sum(&|outcome| u64::from(outcome.aimed))),
        ("kills_at_checkpoint", sum(&|outcome| u64::from(outcome.at_checkpoint))),
        ("kills_at_snapshot", sum(&|outcome| u64::from(outcome.at_snapshot))),
        ("faults_planned", f64::from(options.cycles)),
        ("faults_fired", cycles),
        ("edits", sum(&|outcome| u64::from(outcome.edits))),
        ("acked", sum(&|outcome| outcome.book.acked)),
        ("unknown", sum(&|outcome| outcome.book.unknown)),
        ("unknown_counted", found(&|verdict| verdict.counted_unknown)),
        ("recovery_p50_ms", at(0.5).unwrap_or(0.0)),
        ("recovery_p99_ms", at(0.99).unwrap_or(0.0)),
    ];
    proof.violations = verdicts.into_iter().flat_map(|verdict| verdict.messages).collect();
    if proof.figure("reordered") > Some(0.0) {
        proof.violations.push("a producer's numbers did not rise; see `reordered`".to_owned());
    }
    if cycles < 1.0 {
        proof.violations.push("nothing was killed".to_owned());
    }
    proof
}
