//! What an engine's files may look like after a loss of power or on a bad disk: bits flipped, ends cut, pieces of zeros, files of another time. Whatever it is, the
//! state that is served is the one of a checkpoint that was, and it is said which way it came.
//!
//! `WEIR_FLIPS=10000 cargo test --release -p weir-checkpoint --features sled --test checkpoint damage` does it more often.

use std::fs;
use std::path::{Path, PathBuf};

use weir_checkpoint::recover::export;
use weir_checkpoint::{EngineName, Way};
use weir_disk::sim::Chance;

use crate::places::{Home, State, change, commit, engines};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, &to).unwrap();
    }
}

/// States by the number of their checkpoint, the last two of them as snapshots too.
fn filled(engine: EngineName) -> (Home, Vec<State>) {
    let home = Home::new(engine);
    let mut chance = Chance::new(3);
    let mut states = vec![State::new()];
    let mut store = home.store();
    for number in 1..6u64 {
        let mut state = states.last().unwrap().clone();
        commit(&mut store, &change(&mut chance, &mut state, 500, 300), number * 10);
        states.push(state);
        store.fold().unwrap();
        if number > 2 && number < 5 {
            export(&store, &home.disk).unwrap();
        }
    }
    drop(store);
    (home, states)
}

fn hurt(folder: &Path, chance: &mut Chance) -> String {
    let files: Vec<_> =
        files(folder).into_iter().filter(|file| fs::metadata(file).unwrap().len() > 0).collect();
    let file = &files[chance.below(files.len() as u64) as usize];
    let mut bytes = fs::read(file).unwrap();
    let at = chance.below(bytes.len() as u64) as usize;
    let what = match chance.below(6) {
        0 => {
            bytes.truncate(at);
            "cut"
        }
        1 => {
            let end = (at + 4_096).min(bytes.len());
            bytes[at..end].fill(0);
            "zeros"
        }
        _ => {
            bytes[at] ^= 1 << chance.below(8);
            "flip"
        }
    };
    fs::write(file, &bytes).unwrap();
    format!("{what} at {at} of {}", file.display())
}

/// A state of before is right where the journal reaches back to it, which it does to the oldest snapshot.
///
/// sled may open well over damage that it meets only at the next start, and then it is made anew then. At the third start nothing is left of it.
fn check(home: &Home, states: &[State], place: &str) {
    let mut ways = Vec::new();
    for _ in 0..3 {
        let (recovered, state) = home.recover();
        let number = recovered.store.newest().number as usize;
        ways.push(recovered.way.clone());
        assert!(state == states[number], "{place}: {ways:?}");
        let from = if number == 0 { 0 } else { number as u64 * 10 + 1 };
        assert_eq!(recovered.replay_from(), from, "{place}: {ways:?}");
        assert!(number >= 3, "{place}: a snapshot was there: {ways:?}");
    }
    let first_is_last_word = home.place.engine() == EngineName::Sled || ways.get(1) == Some(&Way::Store);
    assert!(
        first_is_last_word && ways.last() == Some(&Way::Store),
        "{place}: what was made is good: {ways:?}"
    );
}

#[test]
fn damage_of_any_file_is_found_and_never_served() {
    let count = std::env::var("WEIR_FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(60);
    for engine in engines() {
        let (good, states) = filled(engine);
        let mut chance = Chance::new(11);
        for _ in 0..count {
            let home = Home::new(engine);
            copy(good.folder.path(), home.folder.path());
            let place = hurt(home.folder.path(), &mut chance);
            check(&home, &states, &place);
        }
    }
}

#[test]
fn damage_by_a_store_of_another_time_is_found() {
    for engine in engines() {
        let (good, states) = filled(engine);
        // Everything but the snapshots as it was at the first checkpoint.
        let old = Home::new(engine);
        commit(&mut old.store(), &change(&mut Chance::new(3), &mut State::new(), 500, 300), 10);
        for file in
            files(good.folder.path()).iter().filter(|file| file.extension().unwrap_or_default() == "snapshot")
        {
            fs::copy(file, old.folder.path().join(file.file_name().unwrap())).unwrap();
        }
        check(&old, &states, "an old store");
    }
}

#[test]
fn damage_by_a_kill_at_any_moment_leaves_the_last_commit() {
    for engine in engines() {
        let home = Home::new(engine);
        let mut chance = Chance::new(5);
        let mut states = vec![State::new()];
        let mut store = home.store();
        for number in 1..12u64 {
            let mut state = states.last().unwrap().clone();
            commit(&mut store, &change(&mut chance, &mut state, 400, 200), number * 10);
            states.push(state);
            for _ in 0..chance.below(3) {
                store.fold().unwrap();
            }
            let mut writing = store.begin().unwrap();
            for n in 0..chance.below(2_000) {
                writing.put(format!("x{n:05}").as_bytes(), Some(b"never")).unwrap();
            }
            drop(writing);
            // What the system has of the files now is what a kill leaves.
            let killed = Home::new(engine);
            copy(home.folder.path(), killed.folder.path());
            let (recovered, state) = killed.recover();
            assert_eq!((recovered.store.newest().number, recovered.way), (number, Way::Store), "{engine:?}");
            assert_eq!(state, states[number as usize]);
        }
    }
}

#[test]
fn damage_of_everything_still_gives_a_store() {
    for engine in engines() {
        let (home, _) = filled(engine);
        for file in files(home.folder.path()) {
            let len = fs::metadata(&file).unwrap().len() as usize;
            fs::write(&file, vec![0xa5; len]).unwrap();
        }
        let (recovered, state) = home.recover();
        assert!(matches!(recovered.way, Way::Journal { .. }), "{}", recovered.way);
        assert_eq!((recovered.replay_from(), state.len()), (0, 0));
    }
}
