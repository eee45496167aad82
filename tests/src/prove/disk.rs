//! The proof of the disk: what was acknowledged is there once, whatever the disk does.
//!
//! In: [`Options`]. Parts, each for one engine or for both: every call that changes or syncs something of journal, store and snapshots fails once with an error, a full disk, a short write and a loss
//! of power, while running and while starting; bits flip anywhere; and a model runs any order of steps, faults and losses of power. Each ends in a start, of which [`judge`] says
//! whether it is right. Last, a real process whose calls fail and whose disk fills up ([`process`]). Out: figures and violations. A fault that was planned and never came to pass is a violation. Everything comes from the seed.

pub mod counted;
pub mod engine_files;
pub mod events;
pub mod flips;
pub mod judge;
pub mod process;
pub mod script;
pub mod world;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use weir_checkpoint::EngineName;
use weir_disk::sim::{Chance, Fault};

use super::Proof;
use crate::bench::measure::percentile;
use judge::Verdict;
use world::World;

/// What a start that is wrong would do, so that the checker shows that it finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The first record behind the checkpoint is left out.
    Drop,
    /// It is counted again.
    Duplicate,
    /// The first two change places.
    Swap,
    /// An entry of the checkpoint is not the newest.
    Stale,
    /// The last record is left out.
    Tail,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub engines: Vec<EngineName>,
    /// For flips and model together, of all engines; the faults are as many as there are calls.
    pub time: Option<Duration>,
    /// Most of each, for each engine.
    pub flips: u64,
    pub cases: u64,
    /// Of the calls, each so many-th fails: 1 for all.
    pub every: u64,
    pub seed: u64,
    pub lie: Option<Lie>,
    /// With a real process too.
    pub process: bool,
}

const FAULTS: [Fault; 4] = [Fault::Io, Fault::Full, Fault::Short, Fault::Crash];
/// Most starts that may fail one after the other, when faults are planned for each.
const STARTS_MAX: u64 = 50;
/// Steps of one case of the model.
const STEPS: u64 = 50;

#[derive(Debug, Default)]
struct Sums {
    verdict: Verdict,
    cycles: u64,
    planned: u64,
    fired: u64,
    flips: u64,
    flips_found: u64,
    flips_harmless: u64,
    cases: u64,
    ways: [u64; 3],
    recovery_ms: Vec<f64>,
    process_faults: u64,
    process_acked: u64,
}

pub fn engines() -> Vec<EngineName> {
    let mut engines = vec![EngineName::Redb];
    if EngineName::Sled.is_built() {
        engines.push(EngineName::Sled);
    }
    engines
}

pub fn run(options: &Options) -> Result<Proof> {
    let mut sums = Sums::default();
    for engine in &options.engines {
        faults(*engine, options, &mut sums)?;
    }
    let begun = Instant::now();
    let parts = 2 * options.engines.len() as u32;
    for (number, engine) in options.engines.iter().enumerate() {
        let until = |part: u32| options.time.map(|time| begun + time * (2 * number as u32 + part) / parts);
        let on = |until: Option<Instant>| move || until.is_none_or(|until| Instant::now() < until);
        bits(*engine, options, &on(until(1)), &mut sums)?;
        model(*engine, options, &on(until(2)), &mut sums)?;
    }
    for engine in options.engines.iter().filter(|_| options.process) {
        process::run(engine.as_str(), &mut sums)?;
    }
    if sums.fired < sums.planned {
        sums.verdict.say(format!(
            "{} of {} planned faults never came to pass",
            sums.planned - sums.fired,
            sums.planned
        ));
    }
    Ok(proof(&sums))
}

fn proof(sums: &Sums) -> Proof {
    let figures = vec![
        ("lost", sums.verdict.lost as f64),
        ("double", sums.verdict.double as f64),
        ("reordered", sums.verdict.reordered as f64),
        ("mismatched", sums.verdict.mismatched as f64),
        ("cycles", sums.cycles as f64),
        ("faults_planned", sums.planned as f64),
        ("faults_fired", sums.fired as f64),
        ("process_faults", sums.process_faults as f64),
        ("process_acked", sums.process_acked as f64),
        ("flips", sums.flips as f64),
        ("flips_found", sums.flips_found as f64),
        ("flips_harmless", sums.flips_harmless as f64),
        ("model_cases", sums.cases as f64),
        ("from_store", sums.ways[0] as f64),
        ("from_snapshot", sums.ways[1] as f64),
        ("from_journal", sums.ways[2] as f64),
        ("recovery_p50_ms", percentile(&sums.recovery_ms, 0.5)),
        ("recovery_p99_ms", percentile(&sums.recovery_ms, 0.99)),
    ];
    let mut violations = sums.verdict.messages.clone();
    if !sums.verdict.is_clean() && violations.is_empty() {
        violations.push("the figures are not clean".into());
    }
    Proof { prove: "disk", figures, violations }
}

/// Each call fails once in each way: while running, and while starting from what a loss of power has left.
fn faults(engine: EngineName, options: &Options, sums: &mut Sums) -> Result<()> {
    let mut verdict = Verdict::default();
    let mut clean = World::new(engine, options.seed, None)?;
    if let Err(reason) = script::whole(&mut clean, &mut verdict) {
        bail!("the run without faults failed: {reason}");
    }
    let cut = cut_off(engine, options.seed)?;
    let mut start = cut.copied(options.seed)?;
    let before = calls(&start);
    if let Err(reason) = start.start(&mut verdict) {
        bail!("the start without faults failed: {reason}");
    }
    sums.verdict.add(verdict, "without faults");
    let step = options.every.max(1) as usize;
    for disk in 0..2 {
        for fault in FAULTS {
            for call in (0..calls(&clean)[disk]).step_by(step) {
                let world = World::new(engine, options.seed, options.lie)?;
                world.plan(disk, call, fault);
                let place = format!(
                    "{} {}, call {call} fails by {fault:?}",
                    engine.as_str(),
                    ["journal", "state"][disk]
                );
                one(world, |world, verdict| drop(script::whole(world, verdict)), &place, sums)?;
            }
            for call in (0..calls(&start)[disk] - before[disk]).step_by(step) {
                let world = cut.copied(options.seed)?;
                world.plan(disk, call, fault);
                let place = format!(
                    "{} {}, call {call} of a start fails by {fault:?}",
                    engine.as_str(),
                    ["journal", "state"][disk]
                );
                one(world, |world, verdict| drop(world.start(verdict)), &place, sums)?;
            }
        }
    }
    Ok(())
}

fn calls(world: &World) -> [u64; 2] {
    [world.sims[0].calls(), world.sims[1].calls()]
}

/// What a loss of power in the middle of a checkpoint leaves, behind records that are not synced.
fn cut_off(engine: EngineName, seed: u64) -> Result<World> {
    let mut world = World::new(engine, seed, None)?;
    let mut verdict = Verdict::default();
    let run = script::begin(&mut world, &mut verdict).and_then(|()| script::rounds(&mut world, 12)).and_then(
        |()| {
            world.send()?;
            world.running.as_mut().map_or(Ok(true), |running| world::said(running.writer.flush())).map(drop)
        },
    );
    run.map_err(anyhow::Error::msg)?;
    world.cut()?;
    Ok(world)
}

/// One planned fault, then a loss of power and starts until one comes through.
fn one(
    mut world: World,
    run: impl FnOnce(&mut World, &mut Verdict),
    place: &str,
    sums: &mut Sums,
) -> Result<()> {
    sums.planned += 1;
    let mut verdict = Verdict::default();
    run(&mut world, &mut verdict);
    let fired = world.fired();
    sums.fired += fired.min(1);
    if fired == 0 {
        verdict.say("the planned fault never came to pass".into());
    }
    world.cut()?;
    if let Err(reason) = world.start(&mut verdict) {
        verdict.mismatched += 1;
        verdict.say(format!("the start failed: {reason}"));
    }
    add(&world, verdict, place, sums);
    Ok(())
}

fn add(world: &World, verdict: Verdict, place: &str, sums: &mut Sums) {
    sums.cycles += world.recovery_ms.len() as u64;
    sums.recovery_ms.extend(&world.recovery_ms);
    sums.ways.iter_mut().zip(world.ways).for_each(|(sum, ways)| *sum += ways);
    sums.verdict.add(verdict, place);
}

fn bits(engine: EngineName, options: &Options, on: &dyn Fn() -> bool, sums: &mut Sums) -> Result<()> {
    let flips = flips::run(engine, options.seed, options.flips, on)?;
    sums.flips += flips.flips;
    sums.flips_found += flips.found;
    sums.flips_harmless += flips.harmless;
    sums.cycles += flips.recovery_ms.len() as u64;
    sums.recovery_ms.extend(&flips.recovery_ms);
    sums.verdict.add(flips.verdict, engine.as_str());
    Ok(())
}

fn model(engine: EngineName, options: &Options, on: &dyn Fn() -> bool, sums: &mut Sums) -> Result<()> {
    for case in 0..options.cases {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(case);
        let mut world = World::new(engine, seed, options.lie)?;
        let mut verdict = Verdict::default();
        starts(&mut world, &mut verdict)?;
        for _ in 0..STEPS {
            if step(&mut world).is_err() {
                world.cut()?;
                starts(&mut world, &mut verdict)?;
            }
        }
        world.cut()?;
        starts(&mut world, &mut verdict)?;
        sums.cases += 1;
        add(&world, verdict, &format!("{} model, seed {seed}", engine.as_str()), sums);
        if !on() {
            break;
        }
    }
    Ok(())
}

fn step(world: &mut World) -> world::Step {
    match world.chance.below(24) {
        0..=10 => world.send(),
        11..=13 => world.sync().map(drop),
        14..=16 => world.checkpoint(),
        17 | 18 => world.fold(),
        19 => world.snapshot(),
        20 => world.upkeep(),
        21 | 22 => {
            plan(world, 15);
            Ok(())
        }
        _ => Err("a loss of power".into()),
    }
}

/// A fault of any kind in one of the next calls of one of the disks; it may not come to pass before the power goes, and is not counted.
fn plan(world: &mut World, calls: u64) {
    let (disk, call, fault) = (world.chance.below(2), world.chance.below(calls), world.chance.below(4));
    if let Some(fault) = FAULTS.get(fault as usize) {
        world.plan(disk as usize, call, *fault);
    }
}

/// Starts, with a failure now and then, until it comes through.
fn starts(world: &mut World, verdict: &mut Verdict) -> Result<()> {
    for _ in 0..STARTS_MAX {
        if world.chance.below(3) == 0 {
            plan(world, 20);
        }
        match world.start(verdict) {
            Ok(()) => return Ok(()),
            Err(_) => world.cut()?,
        }
    }
    bail!("{STARTS_MAX} starts failed one after the other")
}

/// Options of the command line: pairs of a name and a value; none where one is not known.
pub fn options(arguments: &[String]) -> Option<Options> {
    let mut options = Options {
        engines: engines(),
        time: None,
        flips: 1_000,
        cases: 1_000,
        every: 1,
        seed: random_seed(),
        lie: None,
        process: true,
    };
    for pair in arguments.chunks(2) {
        let [option, value] = pair else { return None };
        match option.as_str() {
            "--minutes" => {
                let minutes: f64 = value.parse().ok().filter(|minutes| (0.01..=600.0).contains(minutes))?;
                options.time = Some(Duration::from_secs_f64(minutes * 60.0));
                (options.flips, options.cases) = (u64::MAX, u64::MAX);
            }
            "--engine" => {
                options.engines = match value.as_str() {
                    "both" => engines(),
                    name => vec![name.parse().ok().filter(|engine: &EngineName| engine.is_built())?],
                };
            }
            "--flips" => options.flips = value.parse().ok()?,
            "--cases" => options.cases = value.parse().ok()?,
            "--every" => options.every = value.parse().ok().filter(|every| *every > 0)?,
            "--seed" => options.seed = value.parse().ok()?,
            "--violate" => options.lie = Some(lie(value)?),
            "--process" => options.process = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(options)
}

fn lie(word: &str) -> Option<Lie> {
    Some(match word {
        "drop" => Lie::Drop,
        "duplicate" => Lie::Duplicate,
        "swap" => Lie::Swap,
        "stale" => Lie::Stale,
        "tail" => Lie::Tail,
        _ => return None,
    })
}

/// The proof says which it was.
fn random_seed() -> u64 {
    let mut chance = Chance::new(u64::from(std::process::id()));
    chance.below(1_000_000)
}
