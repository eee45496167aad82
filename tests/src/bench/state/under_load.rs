//! Checkpoints of a million changed keys while batches go on.
//!
//! 500,000 rows/s in batches of 4,096, each due at its own time whether the one before is done or not; every row reads and writes the 24 B of its key as a counting unit does, and all keys
//! change between two checkpoints. Meanwhile another thread makes checkpoints as the host does: the state is frozen between two batches, read in pieces under its lock, written and folded. A batch's time is
//! from when it was due to when it was committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use weir_checkpoint::Store;
use weir_core::batch::{Batch, Origin, Position, RowIds};
use weir_core::plan::{Plan, PlannedTable};
use weir_core::state::dump::{Changed, Reading};
use weir_core::state::{Quota, SharedState, UnitState};

use super::KEYS;

const ROWS: u64 = 4_096;
const ROWS_PER_S: u64 = 500_000;
const CHECKPOINTS: usize = 4;
/// As the host reads.
const PIECE: usize = 4_096;

pub struct UnderLoad {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// Of the batches while no checkpoint was made.
    pub p99_between_ms: f64,
    pub checkpoint_s: f64,
}

/// What the thread of the checkpoints asks of the one that runs batches.
struct Freeze(SyncSender<Changed>);

pub fn run(store: Store) -> Result<UnderLoad> {
    let state = filled()?;
    let checkpointing = Arc::new(AtomicBool::new(false));
    let (ask, asked) = mpsc::sync_channel(1);
    let writer = {
        let (state, checkpointing) = (Arc::clone(&state), Arc::clone(&checkpointing));
        std::thread::spawn(move || write(store, &state, &ask, &checkpointing))
    };
    let (mut during, mut between) = batches(&state, &asked, &checkpointing)?;
    let took = writer.join().map_err(|_| anyhow!("the thread of the checkpoints panicked"))??;
    during.sort_by(f64::total_cmp);
    between.sort_by(f64::total_cmp);
    Ok(UnderLoad {
        p50_ms: quantile(&during, 0.5),
        p99_ms: quantile(&during, 0.99),
        max_ms: quantile(&during, 1.0),
        p99_between_ms: quantile(&between, 0.99),
        checkpoint_s: took.as_secs_f64() / CHECKPOINTS as f64,
    })
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn filled() -> Result<SharedState> {
    let table = PlannedTable { name: "sums".into(), by_key: true, size: Some(24), expire_ns: None };
    let plan = Plan { keys: vec!["key".into()], tables: vec![table], ..Plan::default() };
    let mut state = UnitState::new(&plan, Quota::default());
    for first in (0..KEYS).step_by(ROWS as usize) {
        let numbers = state.number(&batch(first, (KEYS - first).min(ROWS))?);
        write_rows(&mut state, &numbers, first)?;
    }
    state.track();
    Ok(state.shared())
}

fn batch(first: u64, rows: u64) -> Result<Batch> {
    let keys: ArrayRef = Arc::new(UInt64Array::from_iter_values(first..first + rows));
    Ok(Batch {
        triplet: "bench/state/keys".parse()?,
        position: Position::default(),
        accepted_at_unix_ns: 0,
        origin: Origin::Source("bench".into()),
        row_ids: RowIds::From(0),
        time: vec![0; rows as usize].into(),
        columns: RecordBatch::try_from_iter([("key", keys)])?,
        hops: 0,
    })
}

/// Reads the keys' values, changes them, writes them, commits.
fn write_rows(state: &mut UnitState, numbers: &[u32], round: u64) -> Result<()> {
    let handles: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let slots = vec![0; numbers.len() * 8];
    let mut values = state.read(0, &handles, &slots)?;
    values.chunks_exact_mut(24).for_each(|value| {
        value.iter_mut().zip(round.to_le_bytes()).for_each(|(byte, own)| *byte = byte.wrapping_add(own));
    });
    let written = state.write(0, &handles, &slots, &values)?;
    ensure!(written.is_ok(), "the state refused a write");
    state.commit();
    Ok(())
}

/// Times of the batches in ms, of those during a checkpoint and of the others.
fn batches(
    state: &SharedState,
    asked: &Receiver<Freeze>,
    checkpointing: &AtomicBool,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut during, mut between) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    for number in 0_u64.. {
        match asked.try_recv() {
            Ok(Freeze(answer)) => drop(answer.send(state.lock().freeze(false))),
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => break,
        }
        let first = number % KEYS.div_ceil(ROWS) * ROWS;
        // Which numbers keys have is known: the dictionaries' codes say it.
        let numbers: Vec<u32> = (first..KEYS.min(first + ROWS)).map(|number| number as u32).collect();
        let due = begun + Duration::from_nanos(number * ROWS * 1_000_000_000 / ROWS_PER_S);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let is_during = checkpointing.load(Ordering::Relaxed);
        write_rows(&mut state.lock(), &numbers, number)?;
        let took_ms = due.elapsed().as_secs_f64() * 1e3;
        if is_during { during.push(took_ms) } else { between.push(took_ms) }
    }
    Ok((during, between))
}

/// Checkpoints, each of all keys; how long they took together.
fn write(
    mut store: Store,
    state: &SharedState,
    ask: &SyncSender<Freeze>,
    checkpointing: &AtomicBool,
) -> Result<Duration> {
    let mut took = Duration::ZERO;
    let every = Duration::from_secs_f64(1.2 * KEYS as f64 / ROWS_PER_S as f64);
    for offset in 0..CHECKPOINTS as u64 {
        std::thread::sleep(every);
        checkpointing.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let (answer, answered) = mpsc::sync_channel(1);
        ask.send(Freeze(answer)).context("the batches ended")?;
        let mut reading = Reading::new(answered.recv().context("the batches ended")?);
        let mut writing = store.begin()?;
        let (mut piece, mut entries) = (Vec::new(), 0);
        loop {
            reading.step(&mut state.lock(), PIECE, &mut piece);
            if piece.is_empty() {
                break;
            }
            entries += piece.len() as u64;
            for (key, value) in piece.drain(..) {
                writing.put(&key, value.as_deref())?;
            }
        }
        state.lock().thaw();
        writing.commit(Position { log: 0, epoch: 1, offset: 1_000 + offset }, Vec::new())?;
        super::fold(&mut store)?;
        took += begun.elapsed();
        checkpointing.store(false, Ordering::Relaxed);
        ensure!(entries * 10 >= KEYS * 9, "{entries} of {KEYS} keys had changed: the batches lag");
    }
    Ok(took)
}
