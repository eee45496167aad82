//! What the journal costs on this machine: bytes and time per event for batches of 1 to 4,096 rows, appends per second with one sync for all that wait,
//! and how fast it is read back, hot and packed.
//!
//! `cargo run --release -p weir-journal --example speed [-- FOLDER]`; files go to a new folder below FOLDER (default: the folder for temporary files) and
//! are removed. The events have 10 columns and some 200 B as JSON: five texts of few values, a name out of 100, three numbers, a flag.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

type Outcome<T> = Result<T, Box<dyn Error>>;

const EVENTS: usize = 2_000_000;
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

    fn record(&mut self, rows: usize) -> Outcome<Arc<Record>> {
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
            triplet: "shop/prod/request".parse()?,
            source: "tcp".into(),
            time: (0..rows).map(|row| self.now_unix_ns + row as i64 * 1_000).collect::<Vec<_>>().into(),
            columns: RecordBatch::try_new(Arc::clone(&self.schema), columns)?,
        };
        Ok(Arc::new(self.sequencer.batch(incoming, self.now_unix_ns)?))
    }
}

fn open(folder: &Path) -> Outcome<(Arc<dyn Disk>, Writer, Events)> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder)?);
    let (writer, opened) =
        weir_journal::open(Arc::clone(&disk), Settings::default(), Position::default(), 0)?;
    Ok((disk, writer, Events::new(opened.position)))
}

/// Encoding, writing and one sync per MiB, on one thread; then reading back, then the same packed.
fn one_thread(folder: &Path, rows: usize, out: &mut dyn Write) -> Outcome<()> {
    let (disk, mut writer, mut events) = open(folder)?;
    let count = (EVENTS / rows).min(200_000);
    let total = (count * rows) as f64;
    let (mut encode, mut write) = (Duration::ZERO, Duration::ZERO);
    let mut left = count;
    while left > 0 {
        let records = (0..left.min(256)).map(|_| events.record(rows)).collect::<Outcome<Vec<_>>>()?;
        left -= records.len();
        let begun = Instant::now();
        for record in &records {
            writer.append(record)?;
        }
        encode += begun.elapsed();
        let begun = Instant::now();
        writer.flush()?;
        writer.sync()?;
        write += begun.elapsed();
    }
    writer.close()?;
    let bytes = writer.bytes_total();
    let hot = replay(&disk, total)?;
    let mut packed = (0, 0);
    let begun = Instant::now();
    loop {
        let keep = Keep { age_ns: i64::MAX, bytes: u64::MAX };
        let done = upkeep(&*disk, u32::MAX, keep, 0, 0)?;
        packed = (packed.0 + done.bytes_before, packed.1 + done.bytes_after);
        if done.packed.is_empty() {
            break;
        }
    }
    let packing = begun.elapsed();
    let cold = replay(&disk, total)?;
    writeln!(
        out,
        "{rows:>5} rows: encode {:>7.1} ns/event, write+sync {:>7.1}, {:>6.1} B/event, replay {hot:>6.2} M events/s; \
         packed {:>5.1} B/event in {:>5.1} ns/event, replay {cold:>6.2} M events/s",
        encode.as_nanos() as f64 / total,
        write.as_nanos() as f64 / total,
        bytes as f64 / total,
        packed.1 as f64 / total,
        packing.as_nanos() as f64 / total,
    )?;
    Ok(())
}

/// Millions of events per second.
fn replay(disk: &Arc<dyn Disk>, expected: f64) -> Outcome<f64> {
    let begun = Instant::now();
    let mut events = 0;
    for item in Reader::open(Arc::clone(disk), 0)? {
        if let Item::Record(Record { payload: Payload::Batch { batch, .. }, .. }) = item? {
            events += batch.rows();
        }
    }
    if events as f64 != expected {
        return Err(format!("{events} events came back of {expected}").into());
    }
    Ok(expected / begun.elapsed().as_secs_f64() / 1e6)
}

/// So many threads, each of which waits for its record before it makes the next.
fn acknowledged(folder: &Path, threads: usize, rows: usize, out: &mut dyn Write) -> Outcome<()> {
    let (_, writer, mut events) = open(folder)?;
    let journal = Arc::new(Journal::start(writer, Limits::default())?);
    let per_thread = if threads == 1 { 2_000 } else { 200 };
    let records = (0..threads * per_thread).map(|_| events.record(rows)).collect::<Outcome<Vec<_>>>()?;
    let queue = Arc::new(std::sync::Mutex::new(records.into_iter()));
    let begun = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (journal, queue) = (Arc::clone(&journal), Arc::clone(&queue));
            std::thread::spawn(move || -> Result<(), String> {
                loop {
                    let mut queue = queue.lock().map_err(|error| error.to_string())?;
                    let Some(record) = queue.next() else { return Ok(()) };
                    // Under the lock, as the sequencer does it: the order of the journal is that of the offsets.
                    let ticket =
                        journal.append(record, Durability::Fsync).map_err(|error| error.to_string())?;
                    drop(queue);
                    journal.wait(ticket, Duration::from_secs(60)).map_err(|error| error.to_string())?;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let status = journal.status();
    let records = (threads * per_thread) as f64;
    writeln!(
        out,
        "{threads:>4} waiting x {rows:>4} rows: {:>9.0} acknowledged events/s, {:>7.0} records/s, {:>5.1} records per sync, longest sync {:.1} ms",
        records * rows as f64 / seconds,
        records / seconds,
        records / status.syncs_total.max(1) as f64,
        status.sync_ns_max as f64 / 1e6,
    )?;
    Ok(())
}

fn main() -> Outcome<()> {
    let mut out = std::io::stdout();
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let base = base.join(format!("weir-journal-speed-{}", std::process::id()));
    let run = |out: &mut dyn Write| -> Outcome<()> {
        for rows in [1, 16, 128, 1_024, 4_096] {
            one_thread(&base.join(format!("rows-{rows}")), rows, out)?;
        }
        for (threads, rows) in [(1, 1), (1, 100), (1, 1_000), (100, 1), (100, 100), (100, 1_000)] {
            acknowledged(&base.join(format!("wait-{threads}-{rows}")), threads, rows, out)?;
        }
        Ok(())
    };
    let outcome = run(&mut out);
    std::fs::remove_dir_all(&base)?;
    outcome
}
