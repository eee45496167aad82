//! Snapshots, and what is made of them.

use std::sync::Arc;

use weir_checkpoint::recover::{export, import};
use weir_checkpoint::snapshot::{self, SnapshotError};
use weir_checkpoint::{Checkpoint, Store, Way};
use weir_disk::sim::{Chance, Fault};
use weir_disk::{Disk, SimDisk};

use crate::places::{Home, State, at, change, commit, engines, loaded};

fn write(disk: &Arc<dyn Disk>, number: u64, state: &State) -> Result<String, SnapshotError> {
    let checkpoint = Checkpoint { number, position: at(number * 10), note: b"n".to_vec() };
    let mut writer = snapshot::Writer::create(Arc::clone(disk), &checkpoint)?;
    for (key, value) in state {
        writer.put(key, value)?;
    }
    writer.finish()
}

fn read(disk: &dyn Disk, name: &str) -> Result<(Checkpoint, State), SnapshotError> {
    let mut state = State::new();
    let checkpoint = snapshot::read(disk, name, &mut |key, value| {
        state.insert(key.to_vec(), value.to_vec());
    })?;
    Ok((checkpoint, state))
}

fn some_state(keys: u64) -> State {
    let mut state = State::new();
    change(&mut Chance::new(keys), &mut state, keys, 2 * keys);
    state
}

#[test]
fn a_snapshot_comes_back_and_two_are_kept() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    for (number, keys) in [(1, 0), (2, 10), (3, 20_000)] {
        let state = if keys == 0 { State::new() } else { some_state(keys) };
        let name = write(&disk, number, &state).unwrap();
        let (checkpoint, back) = read(&*disk, &name).unwrap();
        assert_eq!((checkpoint.number, checkpoint.position, back), (number, at(number * 10), state));
    }
    assert_eq!(snapshot::list(&*disk).unwrap().len(), 2);
}

#[test]
fn a_snapshot_that_was_cut_short_anywhere_is_none() {
    let state = some_state(200);
    let calls = {
        let sim = SimDisk::new(0);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        write(&disk, 1, &state).unwrap();
        sim.calls()
    };
    for fault in [Fault::Io, Fault::Full, Fault::Crash] {
        for call in 0..calls {
            for seed in 0..5 {
                let sim = SimDisk::new(seed);
                let disk: Arc<dyn Disk> = Arc::new(sim.clone());
                write(&disk, 1, &State::new()).unwrap();
                sim.plan(call, fault);
                let written = write(&disk, 2, &state);
                assert!(written.is_err() && !sim.fired().is_empty(), "call {call} {fault:?}");
                sim.reboot();
                snapshot::clean(&*disk).unwrap();
                for name in snapshot::list(&*disk).unwrap() {
                    let (checkpoint, back) = read(&*disk, &name).unwrap();
                    let expected = if checkpoint.number == 2 { &state } else { &State::new() };
                    assert_eq!(&back, expected, "call {call} {fault:?}: what has the name is whole");
                }
                assert!(!snapshot::list(&*disk).unwrap().is_empty(), "the older one stays");
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let name = write(&disk, 1, &some_state(30)).unwrap();
    for byte in 0..sim.len(&name).unwrap() {
        sim.flip(&name, byte, (byte % 8) as u8);
        assert!(read(&*disk, &name).is_err(), "byte {byte}");
        sim.flip(&name, byte, (byte % 8) as u8);
    }
    assert!(read(&*disk, &name).is_ok());
}

#[test]
fn a_snapshot_of_one_engine_makes_a_store_of_any() {
    for from in engines() {
        for to in engines() {
            let home = Home::new(from);
            let mut store = home.store();
            let mut state = State::new();
            for round in 1..4 {
                commit(&mut store, &change(&mut Chance::new(round), &mut state, 400, 600), round);
            }
            store.fold().unwrap();
            let name = export(&store, &home.disk).unwrap();
            let other = Home::new(to);
            let imported = import(&*other.place, &*home.disk, &name).unwrap();
            assert_eq!((loaded(&imported), imported.newest()), (state, store.newest()));
        }
    }
}

#[test]
fn a_store_behind_the_snapshots_is_not_believed() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut state = State::new();
        let mut store = home.store();
        commit(&mut store, &change(&mut Chance::new(1), &mut state, 40, 60), 5);
        drop(store);
        let later = some_state(50);
        let checkpoint = Checkpoint { number: 9, position: at(90), note: Vec::new() };
        let mut writer = snapshot::Writer::create(Arc::clone(&home.disk), &checkpoint).unwrap();
        later.iter().for_each(|(key, value)| writer.put(key, value).unwrap());
        writer.finish().unwrap();
        let (recovered, state) = home.recover();
        assert!(
            matches!(&recovered.way, Way::Snapshot { why, .. } if why.contains("checkpoint 1")),
            "{}",
            recovered.way
        );
        assert_eq!((recovered.replay_from(), &state, loaded(&recovered.store)), (91, &later, later.clone()));
        drop(recovered);
        assert_eq!(home.recover().0.way, Way::Store, "the new one is as good as any");
    }
}

#[test]
fn only_an_empty_store_is_restored() {
    let home = Home::new(weir_checkpoint::EngineName::Redb);
    let mut store: Store = home.store();
    commit(&mut store, &[(b"b".to_vec(), Some(vec![1]))].into(), 1);
    assert!(store.restore(&Checkpoint::default()).is_err());
}
