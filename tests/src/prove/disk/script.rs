//! The run in which each call fails once: a fixed order of steps that comes by everything that writes.

use super::judge::Verdict;
use super::world::{Step, World};

pub fn begin(world: &mut World, verdict: &mut Verdict) -> Step {
    world.start(verdict)
}

/// Three records and a sync each; checkpoints, folding, snapshots, packing and forgetting in between.
pub fn rounds(world: &mut World, count: u64) -> Step {
    for round in 1..=count {
        for _ in 0..3 {
            world.send()?;
        }
        world.sync()?;
        match round % 8 {
            2 | 6 => world.checkpoint()?,
            3 => world.fold()?,
            4 => world.snapshot()?,
            7 => world.upkeep()?,
            _ => {}
        }
    }
    Ok(())
}

/// From nothing to a clean end.
pub fn whole(world: &mut World, verdict: &mut Verdict) -> Step {
    begin(world, verdict)?;
    rounds(world, 16)?;
    world.close()
}
