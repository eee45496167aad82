//! A disk in memory that fails as planned.
//!
//! In: the calls of [`Disk`], and a plan: the n-th call that changes or syncs something fails ([`Fault`]), or the disk has so many bytes. Out: what a
//! program would see, and after [`SimDisk::reboot`] what a disk may have kept: everything that was synced, and of the rest any part, in sectors of 512 B,
//! names apart from contents. A sync that failed forgets: a part of what it should have written is never written, and later syncs say nothing of it.
//! All chance comes from a seed, so that a case runs again. [`SimDisk::flip`] damages what lies there.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Disk, File};

mod chance;
pub use chance::Chance;

const SECTOR_BYTES: usize = 512;

/// How a planned call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails; a write wrote a part.
    Io,
    /// No room; a write wrote a part.
    Full,
    /// A write writes a part and says so. Other calls do as they should.
    Short,
    /// The power goes: this call and all later ones fail until the reboot.
    Crash,
}

/// Calls that a fault can be planned for, in the order in which they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    Create,
    Write,
    Sync,
    SetLen,
    Rename,
    Remove,
    SyncDir,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug, Default, Clone)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync, oldest first.
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Naming {
    Set(String, u64),
    /// The file that was renamed, not whatever has the old name when it is made durable.
    Rename(String, String, u64),
    Remove(String),
}

#[derive(Debug)]
struct State {
    inodes: HashMap<u64, Inode>,
    next: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    unsynced_names: Vec<Naming>,
    chance: Chance,
    /// Calls that changed or synced something.
    calls: u64,
    planned: HashMap<u64, Fault>,
    fired: Vec<(Call, Fault)>,
    crashed: bool,
    capacity: Option<u64>,
    /// Handles of before a reboot are dead.
    boot: u64,
}

#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: HashMap::new(),
            next: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            chance: Chance::new(seed),
            calls: 0,
            planned: HashMap::new(),
            fired: Vec::new(),
            crashed: false,
            capacity: None,
            boot: 0,
        })))
    }

    /// The `call`-th changing call from now on fails, 0 is the next.
    pub fn plan(&self, call: u64, fault: Fault) {
        let mut state = self.0.lock();
        let at = state.calls + call;
        state.planned.insert(at, fault);
    }

    /// Faults that came to pass.
    pub fn fired(&self) -> Vec<(Call, Fault)> {
        self.0.lock().fired.clone()
    }

    /// Changing calls so far.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// Bytes that all files together may have from now on.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Power off and on: keeps what was synced and any part of the rest. Handles from before are dead, planned faults forgotten.
    pub fn reboot(&self) {
        self.0.lock().reboot();
    }

    /// Flips one bit of what lies on the disk; false where there is no such byte.
    pub fn flip(&self, name: &str, byte: u64, bit: u8) -> bool {
        let mut state = self.0.lock();
        let Some(inode) = state.names.get(name).copied() else { return false };
        let Some(inode) = state.inodes.get_mut(&inode) else { return false };
        let mut flipped = false;
        for content in [&mut inode.live, &mut inode.durable] {
            if let Some(byte) = content.get_mut(byte as usize) {
                *byte ^= 1 << (bit & 7);
                flipped = true;
            }
        }
        flipped
    }

    pub fn len(&self, name: &str) -> Option<u64> {
        let state = self.0.lock();
        let inode = state.names.get(name)?;
        Some(state.inodes.get(inode)?.live.len() as u64)
    }

    /// The same content on a disk of its own, with nothing planned.
    pub fn copied(&self, seed: u64) -> Self {
        let state = self.0.lock();
        let copy = Self::new(seed);
        let mut into = copy.0.lock();
        into.inodes.clone_from(&state.inodes);
        into.next = state.next;
        into.names.clone_from(&state.names);
        into.durable_names.clone_from(&state.durable_names);
        into.unsynced_names.clone_from(&state.unsynced_names);
        drop(into);
        copy
    }
}

impl State {
    fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.inodes.get(inode))
            .map(|inode| inode.live.len() as u64)
            .sum()
    }

    /// Counts a changing call; what was planned for it.
    fn count(&mut self, call: Call) -> io::Result<Option<Fault>> {
        self.alive()?;
        let fault = self.planned.remove(&self.calls);
        self.calls += 1;
        if let Some(fault) = fault {
            self.fired.push((call, fault));
            self.crashed |= fault == Fault::Crash;
        }
        Ok(fault)
    }

    /// As [`State::count`], for calls that are done or not done.
    fn whole(&mut self, call: Call) -> io::Result<()> {
        match self.count(call)? {
            None | Some(Fault::Short) => Ok(()),
            Some(fault) => Err(error(fault)),
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(error(Fault::Crash)) } else { Ok(()) }
    }

    fn inode(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&mut self, inode: u64, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.count(Call::Write)?;
        let at = at as usize;
        let used = self.used();
        let Some(file) = self.inodes.get_mut(&inode) else { return Err(io::ErrorKind::NotFound.into()) };
        let mut len = bytes.len();
        if fault.is_some() {
            len = self.chance.below(bytes.len() as u64 + u64::from(fault == Some(Fault::Crash))) as usize;
        }
        let mut full = false;
        if let Some(capacity) = self.capacity {
            let room = capacity.saturating_sub(used) + (file.live.len() as u64).saturating_sub(at as u64);
            full = (len as u64) > room;
            len = len.min(room as usize);
        }
        let written = bytes.get(..len).unwrap_or_default();
        apply(&mut file.live, &Change::Write { at, bytes: written.to_vec() });
        file.unsynced.push(Change::Write { at, bytes: written.to_vec() });
        match fault {
            Some(Fault::Short) if len > 0 => Ok(len),
            Some(Fault::Short) => Err(io::ErrorKind::Interrupted.into()),
            Some(fault) => Err(error(fault)),
            None if full && len == 0 => Err(error(Fault::Full)),
            None => Ok(len),
        }
    }

    fn sync(&mut self, inode: u64) -> io::Result<()> {
        let fault = self.count(Call::Sync)?;
        let Some(file) = self.inodes.get_mut(&inode) else { return Err(io::ErrorKind::NotFound.into()) };
        match fault {
            None | Some(Fault::Short) => {
                file.durable.clone_from(&file.live);
                file.unsynced.clear();
                Ok(())
            }
            Some(Fault::Crash) => Err(error(Fault::Crash)),
            Some(fault) => {
                // The kernel tells of the error once and takes the pages for clean.
                for change in std::mem::take(&mut file.unsynced) {
                    persist(&mut file.durable, &change, &mut self.chance);
                }
                Err(error(fault))
            }
        }
    }

    fn reboot(&mut self) {
        let mut inodes: Vec<_> = self.inodes.iter_mut().collect();
        inodes.sort_by_key(|(number, _)| **number);
        for (_, inode) in inodes {
            for change in std::mem::take(&mut inode.unsynced) {
                persist(&mut inode.durable, &change, &mut self.chance);
            }
            inode.live.clone_from(&inode.durable);
        }
        for naming in std::mem::take(&mut self.unsynced_names) {
            if self.chance.below(2) == 0 {
                name(&mut self.durable_names, &naming);
            }
        }
        self.names.clone_from(&self.durable_names);
        let named = &self.names;
        self.inodes.retain(|number, _| named.values().any(|inode| inode == number));
        self.crashed = false;
        self.planned.clear();
        self.boot += 1;
    }
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::Io => io::Error::other("planned input/output error"),
        Fault::Full => io::Error::new(io::ErrorKind::StorageFull, "planned full disk"),
        Fault::Short => io::ErrorKind::Interrupted.into(),
        Fault::Crash => io::Error::other("planned crash"),
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::SetLen(len) => content.resize(*len, 0),
        Change::Write { at, bytes } => {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            if let Some(place) = content.get_mut(*at..end) {
                place.copy_from_slice(bytes);
            }
        }
    }
}

/// Any sectors of a change that nobody made durable: all, none or some.
fn persist(durable: &mut Vec<u8>, change: &Change, chance: &mut Chance) {
    let whole = chance.below(3);
    match (change, whole) {
        (_, 0) => {}
        (_, 1) | (Change::SetLen(_), _) => apply(durable, change),
        (Change::Write { at, bytes }, _) => {
            let mut from = 0;
            while from < bytes.len() {
                let sector_end = (at + from) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
                let to = (sector_end - at).min(bytes.len());
                if chance.below(2) == 0 {
                    let piece = bytes.get(from..to).unwrap_or_default().to_vec();
                    apply(durable, &Change::Write { at: at + from, bytes: piece });
                }
                from = to;
            }
        }
    }
}

fn name(names: &mut BTreeMap<String, u64>, naming: &Naming) {
    match naming {
        Naming::Set(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Naming::Rename(from, to, inode) => {
            if names.get(from) == Some(inode) {
                names.remove(from);
            }
            names.insert(to.clone(), *inode);
        }
        Naming::Remove(name) => {
            names.remove(name);
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let state = self.0.lock();
        state.alive()?;
        let inode = state.inode(name)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode, boot: state.boot }))
    }

    fn open_writable(&self, name: &str) -> io::Result<Box<dyn File>> {
        self.open(name)
    }

    fn create(&self, file: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock();
        state.whole(Call::Create)?;
        // An emptied file is a new one: that its old content may come back is not what anyone builds on here.
        let inode = state.next;
        state.next += 1;
        state.inodes.insert(inode, Inode::default());
        let naming = Naming::Set(file.to_owned(), inode);
        name(&mut state.names, &naming);
        state.unsynced_names.push(naming);
        Ok(Box::new(SimFile { disk: self.clone(), inode, boot: state.boot }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.whole(Call::Rename)?;
        let inode = state.inode(from)?;
        let naming = Naming::Rename(from.to_owned(), to.to_owned(), inode);
        name(&mut state.names, &naming);
        state.unsynced_names.push(naming);
        Ok(())
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.whole(Call::Remove)?;
        state.inode(file)?;
        let naming = Naming::Remove(file.to_owned());
        name(&mut state.names, &naming);
        state.unsynced_names.push(naming);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        state.alive()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.whole(Call::SyncDir)?;
        let names = state.names.clone();
        state.durable_names = names;
        state.unsynced_names.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    boot: u64,
}

impl SimFile {
    fn state(&self) -> io::Result<parking_lot::MutexGuard<'_, State>> {
        let state = self.disk.0.lock();
        state.alive()?;
        if state.boot == self.boot { Ok(state) } else { Err(error(Fault::Crash)) }
    }
}

impl File for SimFile {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let state = self.state()?;
        let content = state.inodes.get(&self.inode).map_or(&[][..], |inode| &inode.live);
        let rest = content.get(at as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..len), rest.get(..len)) {
            into.copy_from_slice(from);
        }
        Ok(len)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.state()?.write(self.inode, at, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.state()?.sync(self.inode)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.whole(Call::SetLen)?;
        if let Some(inode) = state.inodes.get_mut(&self.inode) {
            apply(&mut inode.live, &Change::SetLen(len as usize));
            inode.unsynced.push(Change::SetLen(len as usize));
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.inodes.get(&self.inode).map_or(0, |inode| inode.live.len() as u64))
    }
}

#[cfg(test)]
mod tests;
