//! Bench `journal`: what the log on disk costs, without sources and pipelines, and what senders see of it.
//!
//! Batches of 1 to 4,096 events of ten columns (six texts of few values, four numbers; some 200 B as JSON) are encoded, written with one sync for each 256 batches, read back as they are and
//! packed; then threads append and wait until each of their records is durable, one sync for all that wait; last, clients of a real `weir` do the same over HTTP and TCP
//! (`journal/served.rs`). Files are in a new folder for temporary files. Bytes are those on disk, marks, names and descriptions of streams among them; time is the clock's, and a
//! busy disk shows.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use weir_core::batch::{DICTIONARY_ID, Incoming, Position};
use weir_core::record::{Payload, Record};
use weir_core::sequencer::Sequencer;
use weir_disk::sim::Chance;
use weir_disk::{Disk, RealDisk};
use weir_journal::journal::Limits;
use weir_journal::upkeep::Keep;
use weir_journal::{Durability, Item, Journal, Reader, Settings, Writer, upkeep};

use super::Report;

mod served;

const EVENTS: usize = 2_000_000;
const BATCHES_MAX: usize = 100_000;
const BATCHES_PER_SYNC: usize = 256;
const ROWS: [usize; 5] = [1, 16, 128, 1_024, 4_096];
const WAITING: [(usize, usize); 6] = [(1, 1), (1, 100), (1, 1_000), (100, 1), (100, 100), (100, 1_000)];
const WAIT_MAX: Duration = Duration::from_secs(60);
const ONE_ROW_BUDGET_BYTES: f64 = 400.0;
/// 2 M events/s.
const REPLAY_BUDGET_NS: f64 = 500.0;
const TEXTS: [(&str, u32); 6] =
    [("service", 8), ("region", 4), ("method", 5), ("path", 40), ("version", 3), ("host", 100)];

struct Events {
    chance: Chance,
    schema: SchemaRef,
    names: Vec<ArrayRef>,
    sequencer: Sequencer,
    now_unix_ns: i64,
}

impl Events {
    fn new(position: Position) -> Self {
        let coded = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        let mut fields = Vec::new();
        let mut names: Vec<ArrayRef> = Vec::new();
        for (index, (name, count)) in TEXTS.into_iter().enumerate() {
            let identity = [(DICTIONARY_ID.to_owned(), index.to_string())];
            fields.push(Field::new(name, coded.clone(), true).with_metadata(identity));
            names.push(Arc::new(StringArray::from_iter_values((0..count).map(|n| format!("{name}-{n}")))));
        }
        fields.push(Field::new("latency_ms", DataType::Float64, true));
        fields.push(Field::new("bytes", DataType::Int64, true));
        fields.push(Field::new("status", DataType::Int64, true));
        fields.push(Field::new("cached", DataType::Boolean, true));
        let sequencer = Sequencer::new(position.log, position.epoch, position.offset);
        let now_unix_ns = 1_700_000_000_000_000_000;
        Self { chance: Chance::new(1), schema: Arc::new(Schema::new(fields)), names, sequencer, now_unix_ns }
    }

    fn record(&mut self, rows: usize) -> Result<Arc<Record>> {
        self.now_unix_ns += rows as i64 * 1_000;
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (names, (_, count)) in self.names.iter().zip(TEXTS) {
            let codes: UInt32Array =
                (0..rows).map(|_| Some(self.chance.below(u64::from(count)) as u32)).collect();
            columns.push(Arc::new(DictionaryArray::<UInt32Type>::try_new(codes, Arc::clone(names))?));
        }
        let mut numbers = |bound: u64| (0..rows).map(|_| self.chance.below(bound)).collect::<Vec<_>>();
        let latency: Float64Array = numbers(200_000).into_iter().map(|n| Some(n as f64 / 1_000.0)).collect();
        let bytes: Int64Array = numbers(50_000).into_iter().map(|n| Some(n as i64)).collect();
        let status: Int64Array = numbers(5).into_iter().map(|n| Some(200 + n as i64)).collect();
        let cached: BooleanArray = numbers(2).into_iter().map(|n| Some(n == 0)).collect();
        columns.extend([Arc::new(latency) as ArrayRef, Arc::new(bytes), Arc::new(status), Arc::new(cached)]);
        let incoming = Incoming {
            triplet: "shop/prod/request".parse().context("the triplet")?,
            source: "tcp".into(),
            time: (0..rows).map(|row| self.now_unix_ns + row as i64 * 1_000).collect::<Vec<_>>().into(),
            columns: RecordBatch::try_new(Arc::clone(&self.schema), columns)?,
        };
        Ok(Arc::new(self.sequencer.batch(incoming, self.now_unix_ns)?))
    }
}

pub fn run() -> Result<Report> {
    let titles =
        ["", "encode ns/event", "write+sync", "B/event", "replay M/s", "packed B/event", "replay M/s"];
    let mut report = Report::new("journal", &titles);
    let base = tempfile::tempdir().context("make a folder")?;
    for rows in ROWS {
        one_thread(&base.path().join(format!("rows-{rows}")), rows, &mut report)?;
    }
    report.row(
        ["waiting", "events/s", "records/s", "records/sync", "longest sync ms"].map(str::to_owned).to_vec(),
    );
    for (threads, rows) in WAITING {
        acknowledged(&base.path().join(format!("wait-{threads}-{rows}")), threads, rows, &mut report)?;
    }
    served::run(&mut report)?;
    Ok(report)
}

fn open(folder: &Path) -> Result<(Arc<dyn Disk>, Writer, Events)> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder)?);
    let (writer, opened) =
        weir_journal::open(Arc::clone(&disk), Settings::default(), Position::default(), 0)?;
    Ok((disk, writer, Events::new(opened.position)))
}

/// Encoding, writing and syncing on one thread; then reading back, then the same packed.
fn one_thread(folder: &Path, rows: usize, report: &mut Report) -> Result<()> {
    let (disk, mut writer, mut events) = open(folder)?;
    let batches = (EVENTS / rows).min(BATCHES_MAX);
    let total = (batches * rows) as f64;
    let (mut encode, mut write) = (Duration::ZERO, Duration::ZERO);
    let mut left = batches;
    while left > 0 {
        let records =
            (0..left.min(BATCHES_PER_SYNC)).map(|_| events.record(rows)).collect::<Result<Vec<_>>>()?;
        left -= records.len();
        let begun = Instant::now();
        for record in &records {
            writer.append(record)?;
        }
        encode += begun.elapsed();
        let begun = Instant::now();
        ensure!(writer.flush()?, "the disk is full");
        writer.sync()?;
        write += begun.elapsed();
    }
    writer.close()?;
    let bytes = writer.bytes_total() as f64 / total;
    let hot_ns = replay_ns(&disk, total)?;
    let mut packed_bytes = 0;
    loop {
        let done = upkeep(&*disk, u32::MAX, Keep { age_ns: i64::MAX, bytes: u64::MAX }, 0, 0)?;
        packed_bytes += done.bytes_after;
        if done.packed.is_empty() {
            break;
        }
    }
    let packed_ns = replay_ns(&disk, total)?;
    let packed = packed_bytes as f64 / total;
    report.row(vec![
        format!("{rows} rows"),
        format!("{:.1}", encode.as_nanos() as f64 / total),
        format!("{:.1}", write.as_nanos() as f64 / total),
        format!("{bytes:.1}"),
        format!("{:.2}", 1e3 / hot_ns),
        format!("{packed:.1}"),
        format!("{:.2}", 1e3 / packed_ns),
    ]);
    if rows == 1 {
        report.budgeted("bytes_per_event_1", bytes, ONE_ROW_BUDGET_BYTES);
    } else {
        report.figure(&format!("bytes_per_event_{rows}"), bytes);
    }
    report.figure(&format!("packed_bytes_per_event_{rows}"), packed);
    report.figure(&format!("encode_ns_per_event_{rows}"), encode.as_nanos() as f64 / total);
    if rows >= 1_024 {
        report.budgeted(&format!("replay_ns_per_event_{rows}"), hot_ns, REPLAY_BUDGET_NS);
        report.budgeted(&format!("replay_packed_ns_per_event_{rows}"), packed_ns, REPLAY_BUDGET_NS);
    } else {
        report.figure(&format!("replay_ns_per_event_{rows}"), hot_ns);
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Of one event, read, checked and decoded.
fn replay_ns(disk: &Arc<dyn Disk>, expected: f64) -> Result<f64> {
    let begun = Instant::now();
    let mut events = 0;
    for item in Reader::open(Arc::clone(disk), 0)? {
        if let Item::Record(Record { payload: Payload::Batch { batch, .. }, .. }) = item? {
            events += batch.rows();
        }
    }
    ensure!(events as f64 == expected, "{events} events came back of {expected}");
    Ok(begun.elapsed().as_nanos() as f64 / expected)
}

/// So many threads, each of which waits for its record before it makes the next.
fn acknowledged(folder: &Path, threads: usize, rows: usize, report: &mut Report) -> Result<()> {
    let (_, writer, mut events) = open(folder)?;
    let journal = Arc::new(Journal::start(writer, Limits::default())?);
    let per_thread = if threads == 1 { 1_000 } else { 100 };
    let records = (0..threads * per_thread).map(|_| events.record(rows)).collect::<Result<Vec<_>>>()?;
    let count = records.len() as f64;
    let queue = Arc::new(std::sync::Mutex::new(records.into_iter()));
    let begun = Instant::now();
    let worker = || {
        let (journal, queue) = (Arc::clone(&journal), Arc::clone(&queue));
        std::thread::spawn(move || -> Result<()> {
            loop {
                let mut queue = queue.lock().map_err(|_| anyhow!("a worker panicked"))?;
                let Some(record) = queue.next() else { return Ok(()) };
                // Under the lock, as the sequencer does it: the order of the journal is that of the offsets.
                let ticket = journal.append(record, Durability::Fsync)?;
                drop(queue);
                journal.wait(ticket, WAIT_MAX)?;
            }
        })
    };
    let workers: Vec<_> = (0..threads).map(|_| worker()).collect();
    for worker in workers {
        worker.join().map_err(|_| anyhow!("a worker panicked"))??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let status = journal.status();
    report.row(vec![
        format!("{threads} x {rows} rows"),
        format!("{:.0}", count * rows as f64 / seconds),
        format!("{:.0}", count / seconds),
        format!("{:.1}", count / status.syncs_total.max(1) as f64),
        format!("{:.1}", status.sync_ns_max as f64 / 1e6),
    ]);
    report.figure(&format!("acknowledged_per_s_{threads}x{rows}"), count * rows as f64 / seconds);
    Ok(())
}
