//! What a store takes on disk: so many keys as one checkpoint, folded, a tenth changed, and then a twentieth of random keys again and again.
//!
//! `cargo run --release -p weir-checkpoint --example space -- KEYS VALUE_BYTES ROUNDS sled|redb` prints seconds, MB on disk, and bytes per key beyond key and value.
//! Files are in a new folder for temporary files.

#![allow(clippy::print_stdout)] // A measurement says what it found.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use weir_checkpoint::recover::Unwanted;
use weir_checkpoint::{EngineName, Store, StoreError, recover};
use weir_core::batch::Position;
use weir_disk::sim::Chance;
use weir_disk::{Disk, RealDisk};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn key(number: u64) -> Vec<u8> {
    [b"unit/table/".as_slice(), &number.to_be_bytes()].concat()
}

fn checkpoint(
    store: &mut Store,
    keys: impl Iterator<Item = u64>,
    value_bytes: usize,
    offset: u64,
) -> Result<(), StoreError> {
    let mut writing = store.begin()?;
    for number in keys {
        let mut value = vec![offset as u8; value_bytes];
        value.iter_mut().zip((number ^ offset).to_le_bytes()).for_each(|(byte, own)| *byte = own);
        writing.put(&key(number), Some(&value))?;
    }
    writing.commit(Position { log: 0, epoch: 1, offset }, Vec::new())?;
    while store.fold()? {}
    Ok(())
}

fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        bytes += match path.extension().and_then(OsStr::to_str) {
            Some("snapshot" | "broken") => 0,
            _ if path.is_dir() => bytes_in(&path)?,
            // An engine's own files may go meanwhile.
            _ => std::fs::metadata(&path).map_or(0, |found| found.blocks() * 512),
        };
    }
    Ok(bytes)
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("KEYS VALUE_BYTES ROUNDS sled|redb");
    let (keys, value_bytes, rounds) =
        (next()?.parse::<u64>()?, next()?.parse::<usize>()?, next()?.parse::<u64>()?);
    let engine: EngineName = next()?.parse()?;
    let folder = tempfile::tempdir()?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path())?);
    let place = engine.place(folder.path(), &disk)?;
    let mut store = recover(&*place, &disk, &mut Unwanted)?.store;
    let own = (key(0).len() + value_bytes) as f64;
    let say = |what: &str, begun: Instant| -> Outcome<()> {
        let bytes = bytes_in(folder.path())? as f64;
        let beyond = bytes / keys as f64 - own;
        println!(
            "{what}: {:.1} s, {:.0} MB, {beyond:.0} B/key beyond",
            begun.elapsed().as_secs_f64(),
            bytes / 1e6
        );
        Ok(())
    };
    let begun = Instant::now();
    checkpoint(&mut store, 0..keys, value_bytes, 1)?;
    say("all", begun)?;
    let begun = Instant::now();
    checkpoint(&mut store, (0..keys).step_by(10), value_bytes, 2)?;
    say("a tenth", begun)?;
    let mut chance = Chance::new(1);
    let begun = Instant::now();
    for round in 0..rounds {
        let changed: BTreeSet<u64> = (0..keys / 20).map(|_| chance.below(keys)).collect();
        checkpoint(&mut store, changed.into_iter(), value_bytes, 3 + round)?;
    }
    say("rounds", begun)
}
