//! Any order of writes, syncs, upkeep, errors and crashes: what was synced is there, in order and once, and nothing else than what was written.
//!
//! `WEIR_MODEL_CASES=100000 cargo test --release -p weir-journal --test journal model` runs more; a failure names the seed of its case, and
//! `WEIR_MODEL_SEED` runs that one.

use std::sync::Arc;

use weir_core::record::Record;
use weir_disk::sim::{Chance, Fault};
use weir_disk::{Disk, SimDisk};
use weir_journal::upkeep::Keep;
use weir_journal::{Writer, upkeep};

use crate::records::{Maker, small};
use crate::there::{check_prefix, open, read};

const KEEP_ALL: Keep = Keep { age_ns: i64::MAX, bytes: u64::MAX };

struct World {
    sim: SimDisk,
    disk: Arc<dyn Disk>,
    chance: Chance,
    /// All that were written and may be there; the first `synced` of them must be.
    records: Vec<Arc<Record>>,
    synced: usize,
    writer: Writer,
    maker: Maker,
    crashes: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let sim = SimDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let (writer, opened) = open(&disk, small()).unwrap();
        let maker = Maker::new(seed, opened.position);
        let chance = Chance::new(seed ^ 0xabcd);
        Self { sim, disk, chance, records: Vec::new(), synced: 0, writer, maker, crashes: 0 }
    }

    fn step(&mut self) {
        let done = match self.chance.below(20) {
            0..=9 => {
                let record = self.maker.record();
                self.records.push(Arc::clone(&record));
                self.writer.append(&record).map_err(|_| ())
            }
            10 | 11 => self.writer.flush().map(|_| ()).map_err(|_| ()),
            12..=14 => self.sync(),
            15 => {
                let live = self.writer.segment().number;
                upkeep(&*self.disk, live, KEEP_ALL, 0, 0)
                    .map(|done| assert!(done.damaged.is_empty()))
                    .map_err(|_| ())
            }
            16 => {
                let fault = [Fault::Io, Fault::Short, Fault::Crash][self.chance.below(3) as usize];
                let call = self.chance.below(12);
                self.sim.plan(call, fault);
                Ok(())
            }
            17 => self.writer.close().map_err(|_| ()).map(|()| self.synced = self.records.len()).and(Err(())),
            18 => Err(()),
            _ => Ok(()),
        };
        if done.is_err() {
            self.crash();
        }
    }

    fn sync(&mut self) -> Result<(), ()> {
        self.writer.flush().map_err(|_| ())?;
        self.writer.sync().map_err(|_| ())?;
        self.synced = self.records.len();
        Ok(())
    }

    /// The power goes, and comes back, now and then while it is being started.
    fn crash(&mut self) {
        self.crashes += 1;
        loop {
            self.sim.reboot();
            if self.chance.below(3) == 0 {
                self.sim.plan(self.chance.below(6), [Fault::Crash, Fault::Io][self.chance.below(2) as usize]);
            }
            let Ok((writer, opened)) = open(&self.disk, small()) else { continue };
            assert_eq!(
                (opened.damaged.len(), opened.missing.len()),
                (0, 0),
                "nothing is damaged: {opened:?}"
            );
            let there = read(&self.disk, 0);
            assert_eq!((there.damages, there.tail_bytes, there.holes.len()), (0, 0, 0), "{opened:?}");
            assert!(
                there.records.len() >= self.synced,
                "{} of {}: {opened:?}",
                there.records.len(),
                self.synced
            );
            check_prefix(&there, &self.records);
            assert_eq!(opened.position.offset, there.records.len() as u64);
            self.records.truncate(there.records.len());
            self.synced = self.records.len();
            self.writer = writer;
            self.maker = Maker::new(self.chance.draw(), opened.position);
            return;
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn model_of_writes_and_dirty_reboots() {
    let seeds = match number("WEIR_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WEIR_MODEL_CASES").unwrap_or(1_000),
    };
    let (mut cases, mut crashes) = (0, 0);
    for seed in seeds {
        let case = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..60 {
                world.step();
            }
            world.crash();
            world.crashes
        });
        cases += 1;
        crashes += case.unwrap_or_else(|_| panic!("WEIR_MODEL_SEED={seed}"));
    }
    println!("{cases} cases, {crashes} dirty reboots");
}
