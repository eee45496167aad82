//! Stores in new folders, what should be in them, and what is.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_checkpoint::{EngineName, Entries, Place, Recovered, Store, recover};
use weir_core::batch::Position;
use weir_disk::sim::Chance;
use weir_disk::{Disk, RealDisk};

pub type State = BTreeMap<Vec<u8>, Vec<u8>>;

pub fn engines() -> Vec<EngineName> {
    let mut engines = vec![EngineName::Redb];
    if cfg!(feature = "sled") {
        engines.push(EngineName::Sled);
    }
    engines
}

pub struct Home {
    pub folder: tempfile::TempDir,
    pub disk: Arc<dyn Disk>,
    pub place: Box<dyn Place>,
}

impl Home {
    pub fn new(engine: EngineName) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
        let place = engine.place(folder.path(), &disk).unwrap();
        Self { folder, disk, place }
    }

    pub fn store(&self) -> Store {
        Store::open(self.place.open().unwrap()).unwrap()
    }

    pub fn recover(&self) -> (Recovered, State) {
        let mut state = Loaded::default();
        let recovered = recover(&*self.place, &self.disk, &mut state).unwrap();
        (recovered, state.0)
    }
}

#[derive(Default)]
pub struct Loaded(pub State);

impl Entries for Loaded {
    fn begin(&mut self) {
        self.0.clear();
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        assert!(self.0.insert(key.to_vec(), value.to_vec()).is_none(), "a key comes once");
    }
}

pub fn loaded(store: &Store) -> State {
    let mut state = State::new();
    let mut last: Option<Vec<u8>> = None;
    store
        .load(&mut |key, value| {
            assert!(last.as_deref().is_none_or(|last| last < key), "keys come in order");
            last = Some(key.to_vec());
            state.insert(key.to_vec(), value.to_vec());
        })
        .unwrap();
    state
}

pub fn at(offset: u64) -> Position {
    Position { log: 0, epoch: 1, offset }
}

/// Some keys change, some go.
pub fn change(
    chance: &mut Chance,
    state: &mut State,
    keys: u64,
    count: u64,
) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut changes = BTreeMap::new();
    for _ in 0..count {
        let key = format!("unit/{:06}", chance.below(keys)).into_bytes();
        let value = (chance.below(4) > 0).then(|| {
            let len = chance.below(40) as usize;
            (0..len).map(|_| chance.below(256) as u8).collect::<Vec<_>>()
        });
        match &value {
            Some(value) => state.insert(key.clone(), value.clone()),
            None => state.remove(&key),
        };
        changes.insert(key, value);
    }
    changes
}

pub fn commit(store: &mut Store, changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>, offset: u64) {
    let mut writing = store.begin().unwrap();
    for (key, value) in changes {
        writing.put(key, value.as_deref()).unwrap();
    }
    writing.commit(at(offset), format!("note {offset}").into_bytes()).unwrap();
}
