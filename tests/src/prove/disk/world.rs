//! A journal, a store, its snapshots and the counting pipeline on disks that fail as planned.
//!
//! In: steps (send, sync, checkpoint, fold, snapshot, pack and forget, close) and faults planned on the two simulated disks. A step that fails is a loss of power: [`World::cut`] and
//! [`World::start`] come next. Out of each start: the state and what was told, judged against all that was sent. redb is on the simulated disk as a whole; sled does its own input and output, so
//! its folder is a real one: what it holds at the cut is what a kill leaves, and now and then the power takes a piece of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use tempfile::TempDir;
use weir_checkpoint::recover::export;
use weir_checkpoint::{EngineName, Place, RedbPlace, Store, Way, recover, snapshot};
use weir_core::batch::Position;
use weir_core::record::Record;
use weir_disk::sim::{Chance, Fault};
use weir_disk::{Disk, SimDisk};
use weir_journal::upkeep::Keep;
use weir_journal::{Item, Reader, Settings, Writer, upkeep};

use super::Lie;
use super::counted::Counted;
use super::engine_files;
use super::events::{Maker, events_of};
use super::judge::{Ledger, Sent, Told, Verdict, judge};

/// Segments so small that a case fills several.
const SETTINGS: Settings = Settings { log: 0, segment_bytes: 2_048, reserve_bytes: 512 };

/// A step did what it should, or it failed and the power goes.
pub type Step = std::result::Result<(), String>;

pub fn said<T>(outcome: std::result::Result<T, impl std::fmt::Display>) -> std::result::Result<T, String> {
    outcome.map_err(|error| error.to_string())
}

pub struct Running {
    pub writer: Writer,
    pub store: Store,
}

pub struct World {
    pub engine: EngineName,
    /// Of the journal, and of state and snapshots.
    pub sims: [SimDisk; 2],
    folder: Option<TempDir>,
    pub chance: Chance,
    pub maker: Maker,
    pub ledger: Ledger,
    pub counted: Counted,
    pub running: Option<Running>,
    lie: Option<Lie>,
    pub recovery_ms: Vec<f64>,
    /// Starts as new or from the store, from a snapshot, from the journal alone.
    pub ways: [u64; 3],
}

/// What a start has found.
pub struct Found {
    pub running: Running,
    pub counted: Counted,
    pub told: Told,
    pub way: Way,
    pub next: Position,
}

impl World {
    pub fn new(engine: EngineName, seed: u64, lie: Option<Lie>) -> Result<Self> {
        let folder = match engine {
            EngineName::Sled => Some(tempfile::tempdir().context("make a folder")?),
            EngineName::Redb => None,
        };
        let sims = [SimDisk::new(seed), SimDisk::new(!seed)];
        let chance = Chance::new(seed ^ 0x5555_5555);
        Ok(Self {
            engine,
            sims,
            folder,
            chance,
            maker: Maker::new(seed),
            ledger: Ledger::default(),
            counted: Counted::default(),
            running: None,
            lie,
            recovery_ms: Vec::new(),
            ways: [0; 3],
        })
    }

    /// The same disks, ledger and position of the events, with nothing running.
    pub fn copied(&self, seed: u64) -> Result<Self> {
        let mut copy = Self::new(self.engine, seed, None)?;
        copy.sims = [self.sims[0].copied(seed), self.sims[1].copied(!seed)];
        copy.ledger = self.ledger.clone();
        if let (Some(from), Some(to)) = (self.folder_of_engine(), copy.folder_of_engine()) {
            engine_files::copy(&from, &to)?;
        }
        Ok(copy)
    }

    fn disk(&self, index: usize) -> Arc<dyn Disk> {
        let [journal, state] = &self.sims;
        Arc::new(if index == 0 { journal.clone() } else { state.clone() })
    }

    pub fn journal(&self) -> Arc<dyn Disk> {
        self.disk(0)
    }

    pub fn state(&self) -> Arc<dyn Disk> {
        self.disk(1)
    }

    pub fn folder_of_engine(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().join("sled"))
    }

    fn place(&self) -> Result<Box<dyn Place>, String> {
        match &self.folder {
            Some(folder) => said(self.engine.place(folder.path(), &self.state())),
            None => Ok(Box::new(RedbPlace::new(self.state()))),
        }
    }

    /// Plans a fault: the `call`-th call of one of the disks.
    pub fn plan(&self, disk: usize, call: u64, fault: Fault) {
        if let Some(sim) = self.sims.get(disk) {
            sim.plan(call, fault);
        }
    }

    pub fn fired(&self) -> u64 {
        self.sims.iter().map(|sim| sim.fired().len() as u64).sum()
    }

    fn alive(&mut self) -> std::result::Result<&mut Running, String> {
        self.running.as_mut().ok_or_else(|| "it does not run".to_owned())
    }

    pub fn send(&mut self) -> Step {
        let (record, events) = said(self.maker.record())?;
        let offset = record.position.offset;
        for event in events {
            self.ledger.0.push(Sent { event, offset, acked: false });
            self.counted.apply(&event);
        }
        said(self.alive()?.writer.append(&record))
    }

    /// True where all that was sent is durable, and acknowledged; false on a full disk, which takes it later.
    pub fn sync(&mut self) -> std::result::Result<bool, String> {
        let writer = &mut self.alive()?.writer;
        if writer.is_full() {
            said(writer.resume())?;
        }
        if !said(writer.flush())? {
            return Ok(false);
        }
        said(writer.sync())?;
        self.ledger.acknowledge();
        Ok(true)
    }

    /// Only of what is durable: a checkpoint is never ahead of the journal.
    pub fn checkpoint(&mut self) -> Step {
        if !self.sync()? {
            return Ok(());
        }
        let Some(last) = self.ledger.0.last().map(|sent| sent.offset) else { return Ok(()) };
        let dirty = std::mem::take(&mut self.counted.dirty);
        let Some(running) = &mut self.running else { return Ok(()) };
        let mut writing = said(running.store.begin())?;
        for key in &dirty {
            said(writing.put(key, self.counted.entries.get(key).map(Vec::as_slice)))?;
        }
        let position = Position {
            offset: last,
            ..Position { log: 0, epoch: running.writer.segment().epoch, offset: 0 }
        };
        said(writing.commit(position, b"counting".to_vec()))
    }

    pub fn fold(&mut self) -> Step {
        said(self.alive()?.store.fold()).map(drop)
    }

    pub fn snapshot(&mut self) -> Step {
        let disk = self.state();
        said(export(&self.alive()?.store, &disk)).map(drop)
    }

    /// Packs a segment and forgets what lies before the oldest kept snapshot.
    pub fn upkeep(&mut self) -> Step {
        let (journal, state) = (self.journal(), self.state());
        let names = said(snapshot::list(&*state))?;
        let oldest = names.first().filter(|_| names.len() == snapshot::KEPT);
        let needed_from = oldest.and_then(|name| snapshot::checkpoint_of(&*state, name).ok());
        let needed_from = needed_from.map_or(0, |checkpoint| checkpoint.position.offset + 1);
        let live = self.alive()?.writer.segment().number;
        said(upkeep(&*journal, live, Keep { age_ns: 0, bytes: 0 }, needed_from, i64::MAX)).map(drop)
    }

    pub fn close(&mut self) -> Step {
        if !self.sync()? {
            return Ok(());
        }
        said(self.alive()?.writer.close())
    }

    /// The power goes and comes back.
    pub fn cut(&mut self) -> Result<()> {
        // An engine that ends writes what it has; what a kill leaves are the files of the moment before.
        if let (Some(sled), true) = (self.folder_of_engine(), self.running.is_some()) {
            let before = sled.with_extension("before");
            engine_files::copy(&sled, &before)?;
            self.running = None;
            engine_files::replace(&before, &sled)?;
            if self.chance.below(4) == 0 {
                engine_files::hurt(&sled, &mut self.chance)?;
            }
        }
        self.running = None;
        self.sims.iter().for_each(SimDisk::reboot);
        Ok(())
    }

    /// A start that runs on from what it found, if it came through; else the reason.
    pub fn start(&mut self, verdict: &mut Verdict) -> Step {
        let begun = Instant::now();
        let mut found = self.try_start()?;
        // A loss of power tears what nobody was told of. What was acknowledged must be there all the same.
        found.told.cut_from = None;
        self.recovery_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        if !found.told.is_nothing() {
            verdict.lost += 1;
            verdict.say(format!("nothing was damaged, and this was told: {:?}", found.told));
        }
        verdict.add(judge(&self.ledger, &found.counted, &found.told), &found.way.to_string());
        self.take(found);
        Ok(())
    }

    pub fn take(&mut self, found: Found) {
        if let Some(way) = self.ways.get_mut(way_index(&found.way)) {
            *way += 1;
        }
        self.ledger.settle(&found.counted);
        self.maker.go_on(found.next);
        self.counted = found.counted;
        self.running = Some(found.running);
    }

    /// Recovers state, journal and what is between them.
    pub fn try_start(&mut self) -> std::result::Result<Found, String> {
        let state = self.state();
        let mut counted = Counted::default();
        let recovered = said(recover(&*self.place()?, &state, &mut counted))?;
        let from = recovered.replay_from();
        let at_least = Position { offset: from, ..recovered.store.newest().position };
        let (writer, opened) = said(weir_journal::open(self.journal(), SETTINGS, at_least, 1))?;
        let mut told = Told { damaged: opened.damaged.len() as u64, ..Told::default() };
        let mut records = Vec::new();
        for item in said(Reader::open(self.journal(), from))? {
            match said(item)? {
                Item::Record(record) => records.push(record),
                Item::Hole { from, to } => told.holes.push((from, to)),
                Item::Damage { .. } | Item::Tail { .. } => told.damaged += 1,
            }
        }
        if opened.torn.is_some() {
            told.cut_from = Some(opened.position.offset);
        }
        self.lie(&mut records, &mut counted);
        records.iter().flat_map(events_of).for_each(|event| counted.apply(&event));
        let running = Running { writer, store: recovered.store };
        Ok(Found { running, counted, told, way: recovered.way, next: opened.position })
    }

    /// What a start that is wrong would do.
    fn lie(&self, records: &mut Vec<Record>, counted: &mut Counted) {
        match self.lie {
            None => {}
            Some(Lie::Drop) if !records.is_empty() => drop(records.remove(0)),
            Some(Lie::Duplicate) => {
                if let Some(first) = records.first().cloned() {
                    records.push(first);
                }
            }
            Some(Lie::Swap) if records.len() > 1 => records.swap(0, 1),
            Some(Lie::Stale) => {
                counted.entries.remove(b"totals".as_slice());
            }
            Some(Lie::Tail) => drop(records.pop()),
            Some(_) => {}
        }
    }
}

fn way_index(way: &Way) -> usize {
    match way {
        Way::New | Way::Store => 0,
        Way::Snapshot { .. } => 1,
        Way::Journal { .. } => 2,
    }
}
