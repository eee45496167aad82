//! Bench `state`: what checkpoints cost, each engine side by side, without pipelines.
//!
//! 1 M keys of 24 B and of 1 KB: all of them written as one checkpoint, folded, a tenth changed, exported as a snapshot, recovered from the store and from the snapshot (every entry read and checked in both).
//! Then an hour of updates: 60 checkpoints of 50,000 random keys of 24 B, folded in between, and what that takes on disk; and checkpoints of 1 M changed keys while batches go on (`under_load.rs`).
//! Files are in a new folder for temporary files. Time is the clock's, and a busy disk shows.

mod under_load;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use weir_checkpoint::recover::{Unwanted, export};
use weir_checkpoint::{EngineName, Store, Way, recover};
use weir_core::batch::Position;
use weir_disk::sim::Chance;
use weir_disk::{Disk, RealDisk};

use super::Report;
use crate::prove::disk::engines;

const KEYS: u64 = 1_000_000;
const VALUES_BYTES: [usize; 2] = [24, 1_024];
const UPDATES: u64 = 60;
const UPDATED: u64 = 50_000;
const RECOVERY_BUDGET_S: f64 = 5.0;
const BYTES_PER_KEY_BUDGET: f64 = 200.0;
const BATCH_P99_BUDGET_MS: f64 = 10.0;

pub fn run() -> Result<Report> {
    let titles = [
        "engine, value",
        "all s",
        "longest put ms",
        "fold s",
        "tenth s",
        "snapshot s",
        "B/key beyond",
        "recovery s",
        "from snapshot s",
        "after updates B/key",
        "batch p50/p99/max ms",
    ];
    let mut report = Report::new("state", &titles);
    let base = tempfile::tempdir().context("make a folder")?;
    for value_bytes in VALUES_BYTES {
        for engine in engines() {
            let folder = base.path().join(format!("{}-{value_bytes}", engine.as_str()));
            one(&folder, engine, value_bytes, &mut report)?;
            std::fs::remove_dir_all(folder)?;
        }
    }
    Ok(report)
}

/// As the host makes them: unit, table, key number.
fn key(number: u64) -> Vec<u8> {
    [b"unit/table/".as_slice(), &number.to_be_bytes()].concat()
}

/// One checkpoint of these keys; the longest time of one put, ms.
fn checkpoint(
    store: &mut Store,
    keys: impl Iterator<Item = u64>,
    value_bytes: usize,
    offset: u64,
) -> Result<f64> {
    let mut longest_ms = 0.0_f64;
    let mut writing = store.begin()?;
    for number in keys {
        let mut value = vec![offset as u8; value_bytes];
        let own = (number ^ offset).to_le_bytes();
        value.iter_mut().zip(own).for_each(|(byte, own)| *byte = own);
        let begun = Instant::now();
        writing.put(&key(number), Some(&value))?;
        longest_ms = longest_ms.max(begun.elapsed().as_secs_f64() * 1e3);
    }
    writing.commit(Position { log: 0, epoch: 1, offset }, Vec::new())?;
    Ok(longest_ms)
}

fn seconds<T>(what: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let begun = Instant::now();
    Ok((what()?, begun.elapsed().as_secs_f64()))
}

fn fold(store: &mut Store) -> Result<()> {
    while store.fold()? {}
    Ok(())
}

fn one(folder: &Path, engine: EngineName, value_bytes: usize, report: &mut Report) -> Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder)?);
    let place = engine.place(folder, &disk)?;
    let mut store = recover(&*place, &disk, &mut Unwanted)?.store;
    let (longest_ms, all_s) = seconds(|| checkpoint(&mut store, 0..KEYS, value_bytes, 1))?;
    let ((), fold_s) = seconds(|| fold(&mut store))?;
    let (_, tenth_s) = seconds(|| checkpoint(&mut store, (0..KEYS).step_by(10), value_bytes, 2))?;
    fold(&mut store)?;
    let (_, snapshot_s) = seconds(|| Ok(export(&store, &disk)?))?;
    let own = (key(0).len() + value_bytes) as f64;
    let beyond = blocks_bytes(folder)? as f64 / KEYS as f64 - own;
    drop(store);
    let (recovered, store_s) = seconds(|| Ok(recover(&*place, &disk, &mut Unwanted)?))?;
    ensure!(recovered.way == Way::Store, "{}", recovered.way);
    drop(recovered);
    place.set_aside()?;
    let (recovered, rebuilt_s) = seconds(|| Ok(recover(&*place, &disk, &mut Unwanted)?))?;
    ensure!(matches!(recovered.way, Way::Snapshot { .. }), "{}", recovered.way);
    let mut store = recovered.store;
    let name = format!("{}_{value_bytes}", engine.as_str());
    let (mut after, mut under) = (String::new(), String::new());
    if value_bytes == VALUES_BYTES[0] {
        updates(&mut store, value_bytes)?;
        let bytes = blocks_bytes(folder)? as f64 / KEYS as f64;
        after = format!("{bytes:.0}");
        report.figure(&format!("after_updates_bytes_per_key_{name}"), bytes);
        let load = under_load::run(store)?;
        under = format!("{:.1}/{:.1}/{:.1}", load.p50_ms, load.p99_ms, load.max_ms);
        report.figure(&format!("batch_p50_ms_{name}"), load.p50_ms);
        report.budgeted(&format!("batch_p99_ms_{name}"), load.p99_ms, BATCH_P99_BUDGET_MS);
        report.figure(&format!("batch_max_ms_{name}"), load.max_ms);
        report.figure(&format!("batch_p99_ms_between_{name}"), load.p99_between_ms);
        report.figure(&format!("checkpoint_under_load_s_{name}"), load.checkpoint_s);
    }
    report.row(vec![
        format!("{}, {value_bytes} B", engine.as_str()),
        format!("{all_s:.1}"),
        format!("{longest_ms:.0}"),
        format!("{fold_s:.1}"),
        format!("{tenth_s:.2}"),
        format!("{snapshot_s:.1}"),
        format!("{beyond:.0}"),
        format!("{store_s:.1}"),
        format!("{rebuilt_s:.1}"),
        after,
        under,
    ]);
    report.figure(&format!("checkpoint_s_{name}"), all_s);
    report.figure(&format!("fold_s_{name}"), fold_s);
    report.figure(&format!("snapshot_s_{name}"), snapshot_s);
    report.budgeted(&format!("bytes_per_key_beyond_{name}"), beyond, BYTES_PER_KEY_BUDGET);
    report.budgeted(&format!("recovery_s_{name}"), store_s, RECOVERY_BUDGET_S);
    report.figure(&format!("recovery_from_snapshot_s_{name}"), rebuilt_s);
    Ok(())
}

/// What the engine's files take of the disk; holes in them take nothing.
fn blocks_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        bytes += match path.extension().and_then(std::ffi::OsStr::to_str) {
            Some("snapshot" | "broken") => 0,
            _ if path.is_dir() => blocks_bytes(&path)?,
            _ => std::fs::metadata(&path)?.blocks() * 512,
        };
    }
    Ok(bytes)
}

/// An hour, a checkpoint a minute.
fn updates(store: &mut Store, value_bytes: usize) -> Result<()> {
    let mut chance = Chance::new(1);
    for update in 0..UPDATES {
        let keys: BTreeSet<u64> = (0..UPDATED).map(|_| chance.below(KEYS)).collect();
        checkpoint(store, keys.into_iter(), value_bytes, 3 + update)?;
        fold(store)?;
    }
    Ok(())
}
