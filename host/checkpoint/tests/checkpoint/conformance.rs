//! What every engine must do.

use weir_checkpoint::{Change, Store, StoreError, Way};
use weir_disk::sim::Chance;

use crate::places::{Home, State, at, change, commit, engines, loaded};

#[test]
fn batches_are_whole_and_scans_are_in_order() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut engine = home.place.open().unwrap();
        let put = |key: &str, value: &str| Change { key: key.into(), value: Some(value.into()) };
        engine.apply(&[put("a", "1"), put("b", "2"), put("c", "")], false).unwrap();
        let gone = Change { key: b"b".to_vec(), value: None };
        engine.apply(&[put("a", "3"), gone, put("d", "4")], true).unwrap();
        assert_eq!(engine.get(b"a").unwrap().as_deref(), Some(&b"3"[..]));
        assert_eq!(engine.get(b"b").unwrap(), None);
        assert_eq!(engine.get(b"c").unwrap().as_deref(), Some(&b""[..]));
        let mut seen = Vec::new();
        engine
            .scan(b"b", &mut |key, _| {
                seen.push(String::from_utf8(key.to_vec()).unwrap());
                true
            })
            .unwrap();
        assert_eq!(seen, ["c", "d"]);
        let mut first = 0;
        engine
            .scan(b"", &mut |_, _| {
                first += 1;
                false
            })
            .unwrap();
        assert_eq!(first, 1);
        drop(engine);
        assert_eq!(home.place.open().unwrap().get(b"d").unwrap().as_deref(), Some(&b"4"[..]));
        assert!(home.place.open().unwrap().bytes_on_disk().unwrap() > 0);
    }
}

#[test]
fn what_was_committed_is_there_after_opening_again_folded_or_not() {
    for engine in engines() {
        for seed in 0..6 {
            let home = Home::new(engine);
            let mut chance = Chance::new(seed);
            let mut state = State::new();
            for round in 1..8u64 {
                let mut store = home.store();
                assert_eq!(store.newest().number, round - 1);
                assert_eq!(loaded(&store), state, "{engine:?} seed {seed} round {round}");
                let count = [3, 40, 1_500, 2_500][chance.below(4) as usize];
                let changes = change(&mut chance, &mut state, 3_000, count);
                commit(&mut store, &changes, round * 10);
                for _ in 0..chance.below(4) {
                    store.fold().unwrap();
                    assert_eq!(loaded(&store), state, "{engine:?} seed {seed} round {round} while folding");
                }
                let key = format!("unit/{:06}", chance.below(3_000)).into_bytes();
                assert_eq!(store.get(&key).unwrap(), state.get(&key).cloned());
                assert_eq!((store.newest().position, store.newest().number), (at(round * 10), round));
                assert_eq!(store.newest().note, format!("note {}", round * 10).into_bytes());
            }
            let mut store = home.store();
            while store.fold().unwrap() {}
            assert_eq!(loaded(&store), state);
            assert_eq!(store.entries(), state.len() as u64, "nothing but the base is left");
        }
    }
}

#[test]
fn what_was_not_committed_never_was() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut state = State::new();
        let changes = change(&mut Chance::new(1), &mut state, 50, 100);
        let mut store = home.store();
        commit(&mut store, &changes, 5);
        let mut writing = store.begin().unwrap();
        for n in 0..2_500 {
            writing.put(format!("x{n:05}").as_bytes(), Some(b"never")).unwrap();
        }
        drop(writing);
        drop(store);
        let mut store = home.store();
        assert_eq!(loaded(&store), state);
        commit(&mut store, &[(b"y".to_vec(), Some(vec![1]))].into(), 6);
        state.insert(b"y".to_vec(), vec![1]);
        assert_eq!(loaded(&store), state);
    }
}

#[test]
fn many_checkpoints_without_folding_are_bounded() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut store = home.store();
        for n in 0..100u64 {
            commit(&mut store, &[(b"only".to_vec(), Some(n.to_le_bytes().to_vec()))].into(), n);
            assert!(store.entries() <= weir_checkpoint::store::DELTAS_MAX as u64 + 1);
        }
        assert_eq!(store.get(b"only").unwrap(), Some(99u64.to_le_bytes().to_vec()));
        assert_eq!(store.verify().unwrap(), 1);
    }
}

#[test]
fn misuse_is_refused_and_changes_nothing() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut store = home.store();
        commit(&mut store, &[(b"b".to_vec(), Some(vec![1]))].into(), 1);
        let mut writing = store.begin().unwrap();
        writing.put(b"b", None).unwrap();
        for key in [&b"b"[..], b"a"] {
            assert!(matches!(writing.put(key, None), Err(StoreError::Misuse(_))));
        }
        let long = vec![0; weir_checkpoint::VALUE_BYTES_MAX + 1];
        assert!(matches!(writing.put(b"c", Some(&long)), Err(StoreError::Misuse(_))));
        assert!(writing.put(b"c", Some(&long[1..])).is_ok(), "the limit itself is allowed");
        drop(writing);
        assert_eq!(loaded(&store).len(), 1);
    }
}

#[test]
fn recovery_takes_the_store_that_is_good() {
    for engine in engines() {
        let home = Home::new(engine);
        let (recovered, state) = home.recover();
        assert_eq!((recovered.way.clone(), recovered.replay_from(), state.len()), (Way::New, 0, 0));
        let mut store = recovered.store;
        let mut expected = State::new();
        commit(&mut store, &change(&mut Chance::new(1), &mut expected, 50, 100), 7);
        drop(store);
        let (recovered, state) = home.recover();
        assert_eq!((recovered.way.clone(), recovered.replay_from()), (Way::Store, 8));
        assert_eq!(state, expected);
    }
}

#[test]
fn a_store_without_its_manifest_is_not_taken_for_a_new_one() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut store = home.store();
        commit(&mut store, &[(b"b".to_vec(), Some(vec![1]))].into(), 1);
        while store.fold().unwrap() {}
        drop(store);
        let mut engine = home.place.open().unwrap();
        engine.apply(&[Change { key: b"m".to_vec(), value: None }], true).unwrap();
        let store = Store::open(engine).unwrap();
        assert!(matches!(store.verify(), Err(StoreError::Damaged(_))));
        drop(store);
        let (recovered, state) = home.recover();
        assert!(matches!(recovered.way, Way::Journal { .. }), "{}", recovered.way);
        assert!(state.is_empty());
    }
}
