//! Bits that flip anywhere: each is found or harmless, none is served as truth, and a start always comes through.
//!
//! In: a seed and how many. A folder as it is after some time (packed and hot segments, a store with base and deltas, two snapshots), ended or cut off, gets one flipped bit in any of its files, and is
//! started twice. Out: what was wrong. A flip in the journal or a snapshot must be told by a reading of all; one in the files of an engine may lie in a page that
//! it does not use, and then the state must be the right one. What a damaged journal has lost must be told as holes, to the event.

use anyhow::{Context, Result, ensure};
use weir_checkpoint::{EngineName, Way, snapshot};
use weir_disk::Disk;
use weir_disk::sim::Chance;
use weir_journal::offline;

use super::judge::{Verdict, judge};
use super::world::World;
use super::{Lie, engine_files, script};

#[derive(Debug, Default)]
pub struct Flips {
    pub verdict: Verdict,
    pub flips: u64,
    /// By a reading of all, or by the start.
    pub found: u64,
    /// In places that nobody reads.
    pub harmless: u64,
    pub recovery_ms: Vec<f64>,
}

/// A folder that is worth hurting.
pub fn written(engine: EngineName, closed: bool) -> Result<World> {
    let mut world = World::new(engine, 3, None::<Lie>)?;
    let mut verdict = Verdict::default();
    script::begin(&mut world, &mut verdict).map_err(anyhow::Error::msg)?;
    let rounds = script::rounds(&mut world, 24).and_then(|()| if closed { world.close() } else { Ok(()) });
    rounds.map_err(anyhow::Error::msg)?;
    ensure!(verdict.is_clean(), "{verdict:?}");
    world.running = None;
    Ok(world)
}

pub fn flip(good: &World, chance: &mut Chance, flips: &mut Flips) -> Result<()> {
    let mut world = good.copied(chance.draw())?;
    let folders = 2 + u64::from(world.folder_of_engine().is_some());
    let folder = chance.below(folders);
    let place = match (folder, world.folder_of_engine()) {
        (2, Some(sled)) => engine_files::flip(&sled, chance)?.context("sled has no files")?,
        _ => flip_simulated(&world, folder as usize, chance)?,
    };
    flips.flips += 1;
    let read = offline::verify(world.journal()).context("read the journal")?;
    let seen = !read.is_good() || read.tail_bytes > 0 || !snapshots_are_good(&*world.state())?;
    let mut verdict = Verdict::default();
    let (told, found) = start(&mut world, flips, &mut verdict);
    let found = seen || found;
    flips.found += u64::from(found);
    flips.harmless += u64::from(!found);
    if !found && folder == 0 {
        verdict.mismatched += 1;
        verdict.say("was not found".into());
    }
    if told {
        again(&mut world, &mut verdict);
    }
    flips.verdict.add(verdict, &place);
    Ok(())
}

/// Later starts find the folder in order. sled may open well over damage that it meets only at the next start, and has one more.
fn again(world: &mut World, verdict: &mut Verdict) {
    let mut left = 1 + u32::from(world.engine == EngineName::Sled);
    loop {
        world.running = None;
        left -= 1;
        match world.try_start() {
            Ok(again) => {
                verdict.add(judge(&world.ledger, &again.counted, &again.told), "a later start");
                if matches!(again.way, Way::Store | Way::New) {
                    return;
                }
                if left == 0 {
                    verdict.mismatched += 1;
                    return verdict.say(format!("a later start had to make the state again: {}", again.way));
                }
            }
            Err(reason) => {
                verdict.mismatched += 1;
                return verdict.say(format!("a later start failed: {reason}"));
            }
        }
    }
}

/// Whether it started, and whether it told of anything.
fn start(world: &mut World, flips: &mut Flips, verdict: &mut Verdict) -> (bool, bool) {
    let begun = std::time::Instant::now();
    match world.try_start() {
        Ok(found) => {
            flips.recovery_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            verdict.add(judge(&world.ledger, &found.counted, &found.told), &found.way.to_string());
            let noticed = !found.told.is_nothing() || !matches!(found.way, Way::Store | Way::New);
            world.take(found);
            (true, noticed)
        }
        Err(reason) => {
            verdict.mismatched += 1;
            verdict.say(format!("the start failed: {reason}"));
            (false, true)
        }
    }
}

fn flip_simulated(world: &World, index: usize, chance: &mut Chance) -> Result<String> {
    let sim = world.sims.get(index).context("two disks")?;
    let files: Vec<String> = sim.list()?.into_iter().filter(|file| sim.len(file) > Some(0)).collect();
    let file = files.get(chance.below(files.len() as u64) as usize).context("no files")?;
    let (byte, bit) = (chance.below(sim.len(file).unwrap_or(0)), chance.below(8));
    ensure!(sim.flip(file, byte, bit as u8), "{file} has no byte {byte}");
    Ok(format!("{file}, byte {byte}, bit {bit}"))
}

fn snapshots_are_good(disk: &dyn Disk) -> Result<bool> {
    Ok(snapshot::list(disk)?.iter().all(|name| snapshot::read(disk, name, &mut |_, _| {}).is_ok()))
}

/// So many flips over both kinds of folder; false when the time is up.
pub fn run(engine: EngineName, seed: u64, count: u64, on: &dyn Fn() -> bool) -> Result<Flips> {
    let mut flips = Flips::default();
    let goods = [written(engine, true)?, written(engine, false)?];
    let mut chance = Chance::new(seed);
    for number in 0..count {
        if let Some(good) = goods.get((number % 2) as usize) {
            flip(good, &mut chance, &mut flips)?;
        }
        if !on() {
            break;
        }
    }
    Ok(flips)
}
