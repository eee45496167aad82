//! Journal, checkpoints, snapshots and the way back together: any order of records, syncs, checkpoints, folding, snapshots, upkeep, errors and dirty reboots,
//! those in the middle of a recovery among them. After each the state is exactly what the records that the journal holds make of nothing.
//!
//! redb on the simulated disk; sled does its own input and output and is treated in `damage.rs`.
//! `WEIR_MODEL_CASES=100000 cargo test --release -p weir-checkpoint --test checkpoint model` runs more, `WEIR_MODEL_SEED` one.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_checkpoint::recover::export;
use weir_checkpoint::{Place, RedbPlace, Store, Way, recover, snapshot};
use weir_core::batch::Position;
use weir_core::record::{Payload, Record};
use weir_disk::sim::{Chance, Fault};
use weir_disk::{Disk, SimDisk};
use weir_journal::upkeep::Keep;
use weir_journal::{Item, Reader, Writer, upkeep};

use crate::places::{Loaded, State};
use crate::records::{Maker, same, small};

/// A state that shows which records made it, and in which order.
fn apply(state: &mut State, record: &Record) -> Vec<Vec<u8>> {
    let key = match &record.payload {
        Payload::Batch { batch, .. } => format!("{}/{}", batch.triplet, batch.rows()),
        Payload::Tick { .. } => "ticks".into(),
        Payload::Command(_) => "commands".into(),
    };
    let old = state.get(key.as_bytes()).map_or(0, |value| weir_disk::crc32c(value));
    let value = format!("{old} {} {}", record.position.offset, record.accepted_at_unix_ns);
    state.insert(key.clone().into_bytes(), value.into_bytes());
    let mut dirty = vec![key.into_bytes()];
    // And keys that go again.
    if record.position.offset.is_multiple_of(5) {
        let gone = b"ticks".to_vec();
        state.remove(&gone);
        dirty.push(gone);
    }
    dirty
}

struct Running {
    writer: Writer,
    store: Store,
    maker: Maker,
    state: State,
    dirty: BTreeSet<Vec<u8>>,
}

struct World {
    sims: [SimDisk; 2],
    journal: Arc<dyn Disk>,
    disk: Arc<dyn Disk>,
    chance: Chance,
    records: Vec<Arc<Record>>,
    synced: usize,
    /// None until the first start came through.
    running: Option<Running>,
    crashes: u64,
    /// Starts from the store, from a snapshot, from the journal alone.
    ways: [u64; 3],
}

type Done = Result<(), ()>;

fn done<T, E>(outcome: Result<T, E>) -> Done {
    outcome.map(|_| ()).map_err(|_| ())
}

impl World {
    fn new(seed: u64) -> Self {
        let sims = [SimDisk::new(seed), SimDisk::new(!seed)];
        let [journal, disk]: [Arc<dyn Disk>; 2] = [Arc::new(sims[0].clone()), Arc::new(sims[1].clone())];
        let chance = Chance::new(seed ^ 0x5555);
        let mut world = Self {
            sims,
            journal,
            disk,
            chance,
            records: Vec::new(),
            synced: 0,
            running: None,
            crashes: 0,
            ways: [0; 3],
        };
        world.start();
        world
    }

    fn step(&mut self) {
        let chosen = self.chance.below(24);
        let Some(mut running) = self.running.take() else { panic!("it runs") };
        let outcome = match chosen {
            0..=10 => {
                let record = running.maker.record();
                self.records.push(Arc::clone(&record));
                running.dirty.extend(apply(&mut running.state, &record));
                done(running.writer.append(&record))
            }
            11..=13 => self.sync(&mut running),
            14..=16 => self.sync(&mut running).and_then(|()| self.checkpoint(&mut running)),
            17 | 18 => done(running.store.fold()),
            19 => done(export(&running.store, &self.disk)),
            20 => self.upkeep(&running),
            21 | 22 => {
                let fault = [Fault::Io, Fault::Short, Fault::Crash][self.chance.below(3) as usize];
                let (disk, call) = (self.chance.below(2) as usize, self.chance.below(15));
                self.sims[disk].plan(call, fault);
                Ok(())
            }
            _ => Err(()),
        };
        match outcome {
            Ok(()) => self.running = Some(running),
            Err(()) => {
                drop(running);
                self.crash();
            }
        }
    }

    fn sync(&mut self, running: &mut Running) -> Done {
        done(running.writer.flush())?;
        done(running.writer.sync())?;
        self.synced = self.records.len();
        Ok(())
    }

    /// Only of what is durable: a checkpoint is never ahead of the journal.
    fn checkpoint(&mut self, running: &mut Running) -> Done {
        let Some(last) = self.records.last() else { return Ok(()) };
        let mut writing = running.store.begin().map_err(|_| ())?;
        for key in &running.dirty {
            done(writing.put(key, running.state.get(key).map(Vec::as_slice)))?;
        }
        done(writing.commit(last.position, b"note".to_vec()))?;
        running.dirty.clear();
        Ok(())
    }

    /// The journal is kept from the oldest kept snapshot on, and as a whole as long as there are not two.
    fn upkeep(&mut self, running: &Running) -> Done {
        let names = snapshot::list(&*self.disk).map_err(|_| ())?;
        let oldest = names.first().filter(|_| names.len() == snapshot::KEPT);
        let needed_from = oldest.map_or(0, |name| {
            snapshot::checkpoint_of(&*self.disk, name).map_or(0, |checkpoint| checkpoint.position.offset + 1)
        });
        let keep = Keep { age_ns: 0, bytes: 0 };
        done(upkeep(&*self.journal, running.writer.segment().number, keep, needed_from, i64::MAX))
    }

    fn crash(&mut self) {
        self.running = None;
        self.crashes += 1;
        self.sims.iter().for_each(SimDisk::reboot);
        self.start();
    }

    /// Starts, with a failure now and then, until it comes through.
    fn start(&mut self) {
        while self.running.is_none() {
            if self.chance.below(3) == 0 {
                let fault = [Fault::Crash, Fault::Io][self.chance.below(2) as usize];
                let (disk, call) = (self.chance.below(2) as usize, self.chance.below(20));
                self.sims[disk].plan(call, fault);
            }
            self.running = self.try_start();
            if self.running.is_none() {
                self.sims.iter().for_each(SimDisk::reboot);
            }
        }
    }

    fn try_start(&mut self) -> Option<Running> {
        let place: Box<dyn Place> = Box::new(RedbPlace::new(Arc::clone(&self.disk)));
        let mut loaded = Loaded::default();
        let recovered = recover(&*place, &self.disk, &mut loaded).ok()?;
        let from = recovered.replay_from();
        let newest = recovered.store.newest().position;
        let at_least = Position { offset: from, ..newest };
        let (writer, opened) = weir_journal::open(Arc::clone(&self.journal), small(), at_least, 5).ok()?;
        assert!(opened.damaged.is_empty() && opened.missing.is_empty(), "{opened:?}");
        let mut state = loaded.0;
        let mut dirty = BTreeSet::new();
        let mut there = from as usize;
        for item in Reader::open(Arc::clone(&self.journal), from).ok()? {
            match item.ok()? {
                Item::Record(record) => {
                    assert!(same(&record, &self.records[there]), "record {there}");
                    dirty.extend(apply(&mut state, &record));
                    there += 1;
                }
                other => panic!("{other:?} after {}", recovered.way),
            }
        }
        assert!(there >= self.synced, "{there} of {} that were synced: {}", self.synced, recovered.way);
        let mut expected = State::new();
        self.records.iter().take(there).for_each(|record| drop(apply(&mut expected, record)));
        assert_eq!(state, expected, "{} and {there} records", recovered.way);
        self.ways[match recovered.way {
            Way::New | Way::Store => 0,
            Way::Snapshot { .. } => 1,
            Way::Journal { .. } => 2,
        }] += 1;
        self.records.truncate(there);
        self.synced = there;
        let maker = Maker::new(self.chance.draw(), opened.position);
        Some(Running { writer, store: recovered.store, maker, state, dirty })
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn model_of_journal_checkpoints_and_recovery() {
    let seeds = match number("WEIR_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WEIR_MODEL_CASES").unwrap_or(100),
    };
    let (mut cases, mut crashes, mut ways) = (0, 0, [0; 3]);
    for seed in seeds {
        let case = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..50 {
                world.step();
            }
            world.crash();
            (world.crashes, world.ways)
        });
        let (case_crashes, case_ways) = case.unwrap_or_else(|_| panic!("WEIR_MODEL_SEED={seed}"));
        cases += 1;
        crashes += case_crashes;
        ways.iter_mut().zip(case_ways).for_each(|(all, case)| *all += case);
    }
    println!(
        "{cases} cases, {crashes} dirty reboots; starts from the store, a snapshot, the journal alone: {ways:?}"
    );
}
