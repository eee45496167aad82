//! What checkpoints cost on this machine: 1 M keys of 24 B and of 1 KB written, changed, folded, recovered from the store and from a snapshot.
//!
//! `cargo run --release -p weir-checkpoint [--features sled] --example speed [-- KEYS [FOLDER]]`; files go to a new folder below FOLDER (default: the folder
//! for temporary files) and are removed.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use weir_checkpoint::recover::{Unwanted, export};
use weir_checkpoint::{EngineName, recover};
use weir_core::batch::Position;
use weir_disk::{Disk, RealDisk};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn key(number: u64) -> Vec<u8> {
    // As the host makes them: unit, table, key number.
    [b"unit/table/".as_slice(), &number.to_be_bytes()].concat()
}

fn run(folder: &Path, engine: EngineName, keys: u64, value_bytes: usize, out: &mut dyn Write) -> Outcome<()> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder)?);
    let place = engine.place(folder, &disk)?;
    let mut store = recover(&*place, &disk, &mut Unwanted)?.store;
    let mut longest_ms = 0.0f64;
    let mut checkpoint = |store: &mut weir_checkpoint::Store, step: u64, offset: u64| -> Outcome<f64> {
        let begun = Instant::now();
        let mut writing = store.begin()?;
        for number in (0..keys).step_by(step as usize) {
            let mut value = vec![offset as u8; value_bytes];
            value
                .get_mut(..8)
                .into_iter()
                .for_each(|place| place.copy_from_slice(&(number ^ offset).to_le_bytes()));
            let begun = Instant::now();
            writing.put(&key(number), Some(&value))?;
            longest_ms = longest_ms.max(begun.elapsed().as_secs_f64() * 1e3);
        }
        writing.commit(Position { log: 0, epoch: 1, offset }, Vec::new())?;
        Ok(begun.elapsed().as_secs_f64())
    };
    let first = checkpoint(&mut store, 1, 1)?;
    let begun = Instant::now();
    while store.fold()? {}
    let fold = begun.elapsed().as_secs_f64();
    let tenth = checkpoint(&mut store, 10, 2)?;
    while store.fold()? {}
    let begun = Instant::now();
    let name = export(&store, &disk)?;
    let snapshot = begun.elapsed().as_secs_f64();
    let snapshot_bytes = disk.open(&name)?.len()?;
    let bytes = store.bytes_on_disk()?;
    drop(store);
    let begun = Instant::now();
    let recovered = recover(&*place, &disk, &mut Unwanted)?;
    let from_store = (begun.elapsed().as_secs_f64(), recovered.way.to_string());
    drop(recovered);
    place.set_aside()?;
    let begun = Instant::now();
    let recovered = recover(&*place, &disk, &mut Unwanted)?;
    let from_snapshot = (begun.elapsed().as_secs_f64(), recovered.way.to_string());
    let own = keys as f64 * (key(0).len() + value_bytes) as f64;
    writeln!(
        out,
        "{:>5} {keys} x {value_bytes} B: checkpoint of all {first:.1} s (longest batch {longest_ms:.0} ms), of a tenth {tenth:.2} s, folding all {fold:.1} s, \
         {:.0} B/key on disk beyond key and value; snapshot {snapshot:.1} s, {:.0} B/key; recovery {:.1} s ({}), {:.1} s ({})",
        engine.as_str(),
        (bytes as f64 - own) / keys as f64,
        snapshot_bytes as f64 / keys as f64,
        from_store.0,
        from_store.1,
        from_snapshot.0,
        from_snapshot.1,
    )?;
    Ok(())
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let keys = arguments.next().map_or(Ok(1_000_000), |keys| keys.parse())?;
    let base = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let base = base.join(format!("weir-checkpoint-speed-{}", std::process::id()));
    let mut out = std::io::stdout();
    let mut all = || -> Outcome<()> {
        for engine in [EngineName::Redb, EngineName::Sled] {
            if engine == EngineName::Sled && !cfg!(feature = "sled") {
                continue;
            }
            for value_bytes in [24, 1_024] {
                let folder = base.join(format!("{}-{value_bytes}", engine.as_str()));
                run(&folder, engine, keys, value_bytes, &mut out)?;
                std::fs::remove_dir_all(folder)?;
            }
        }
        Ok(())
    };
    let outcome = all();
    std::fs::remove_dir_all(&base)?;
    outcome
}
