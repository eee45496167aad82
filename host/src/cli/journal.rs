//! `weir journal`: what is in the journal of a data folder, also while a host writes it.
//!
//! In: the folder. Out: its segments (`ls`), every place that is not what was written and every hole (`verify`), its records (`cat`) or its events as a source takes them (`export`).
//! Nothing is changed. Exit code 1: something is damaged or missing, or could not be read.

use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use weir::runtime::rfc3339;
use weir_core::record::{Command as LogCommand, Note, Payload, Record};
use weir_disk::Disk;
use weir_journal::offline::{self, Verified};
use weir_journal::{Item, Reader};

use super::ask::table;
use super::folder::{Folder, Format, JOURNAL, size};
use super::{print, say};

const EXAMPLES: &str = "\
Examples:
  weir journal ls                       segments, oldest first
  weir journal verify --data ./data     reads all of it, twice
  weir journal cat --from 1200 -n 5     five records from offset 1200 on
  weir journal cat --format json | jq 'select(.command)'
  weir journal export > events.ndjson   all events; `weir send --tcp` gives them to a host again

Exit codes: 0 in order, 1 something is damaged or missing, 2 wrong usage";

/// Of a command that is shown in one line.
const COMMAND_CHARS_MAX: usize = 160;
/// Places that are told one by one.
const TOLD_MAX: usize = 20;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct JournalArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The segments, oldest first.
    Ls {
        #[command(flatten)]
        folder: Folder,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Reads all of it and says what is not as it was written.
    Verify {
        #[command(flatten)]
        folder: Folder,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Records in their order, and what is missing between them.
    Cat {
        #[command(flatten)]
        folder: Folder,
        /// Offset of the first; default: the oldest that is kept.
        #[arg(long, value_name = "OFFSET", default_value_t = 0)]
        from: u64,
        /// At most so many records.
        #[arg(short = 'n', long = "records", value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
        number: u64,
        /// A line for each record, or all of it as JSON.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Events as lines of JSON with their stream and time, as sources take them.
    Export {
        #[command(flatten)]
        folder: Folder,
        /// Offset of the first record; default: the oldest that is kept.
        #[arg(long, value_name = "OFFSET", default_value_t = 0)]
        from: u64,
    },
}

pub fn journal(arguments: JournalArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Ls { folder, format } => ls(&folder, format),
        Command::Verify { folder, format } => verify(&folder, format),
        Command::Cat { folder, from, number, format } => cat(&folder, from, number, format),
        Command::Export { folder, from } => export(&folder, from),
    }
}

fn ls(folder: &Folder, format: Format) -> anyhow::Result<ExitCode> {
    let (path, disk) = folder.disk(JOURNAL)?;
    let listed = offline::ls(&*disk).with_context(|| format!("read {}", path.display()))?;
    if format == Format::Json {
        for segment in listed {
            print(
                &json!({
                    "segment": segment.name.number, "epoch": segment.name.epoch, "first": segment.name.first, "bytes": segment.bytes,
                    "packed": segment.packed, "damaged": segment.name.damaged, "created_at_unix_ns": segment.created_at_unix_ns,
                    "file": segment.name.to_string(),
                })
                .to_string(),
            )?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let titles = ["segment", "epoch", "first", "size", "created", "is"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for segment in &listed {
        let is = match (segment.name.damaged, segment.packed) {
            (true, _) => "damaged",
            (false, true) => "packed",
            (false, false) => "plain",
        };
        rows.push(vec![
            segment.name.number.to_string(),
            segment.name.epoch.to_string(),
            segment.name.first.to_string(),
            size(segment.bytes),
            segment.created_at_unix_ns.map(rfc3339).unwrap_or_default(),
            is.to_owned(),
        ]);
    }
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn verify(folder: &Folder, format: Format) -> anyhow::Result<ExitCode> {
    let (path, disk) = folder.disk(JOURNAL)?;
    let verified = offline::verify(disk).with_context(|| format!("read {}", path.display()))?;
    let line = if format == Format::Json { as_json(&verified) } else { as_text(&verified) };
    print(&line)?;
    Ok(if verified.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(verified: &Verified) -> String {
    let damaged = verified
        .damaged
        .iter()
        .map(|place| json!({"file": place.segment.to_string(), "at": place.at, "bytes": place.bytes}));
    let holes = verified.holes.iter().map(|(from, to)| json!({"from": from, "to": to}));
    json!({
        "good": verified.is_good(), "segments": verified.segments, "bytes": verified.bytes, "records": verified.records, "events": verified.events,
        "tail_bytes": verified.tail_bytes, "damaged": damaged.collect::<Vec<_>>(), "holes": holes.collect::<Vec<_>>(),
    })
    .to_string()
}

fn as_text(verified: &Verified) -> String {
    let mut lines = vec![format!(
        "{} segments, {}: {} records, {} events",
        verified.segments,
        size(verified.bytes),
        verified.records,
        verified.events
    )];
    if verified.tail_bytes > 0 {
        lines.push(format!(
            "{} bytes at the end are being written, or were torn by a crash",
            verified.tail_bytes
        ));
    }
    for place in &verified.damaged {
        lines.push(format!("damaged: {}, {} bytes at {}", place.segment, place.bytes, place.at));
    }
    for (from, to) in &verified.holes {
        lines.push(format!("missing: records {from} to {}", to.saturating_sub(1)));
    }
    lines.push(if verified.is_good() {
        "all of it is as it was written".into()
    } else {
        "NOT as it was written".to_owned()
    });
    lines.join("\n")
}

fn cat(folder: &Folder, from: u64, number: u64, format: Format) -> anyhow::Result<ExitCode> {
    let (path, disk) = folder.disk(JOURNAL)?;
    let read = || format!("read {}", path.display());
    let from = from.max(oldest(&*disk).with_context(read)?);
    let mut out = BufWriter::new(std::io::stdout().lock());
    if format == Format::Json {
        offline::cat(disk, from, number, &mut out).with_context(read)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut left = number;
    for item in Reader::open(disk, from).with_context(read)? {
        let line = match item.with_context(read)? {
            Item::Record(_) if left == 0 => break,
            Item::Record(record) => {
                left -= 1;
                line(&record)
            }
            Item::Hole { from, to } => format!("records {from} to {} are missing", to.saturating_sub(1)),
            Item::Damage { segment, at, bytes } => format!("{segment} is damaged: {bytes} bytes at {at}"),
            Item::Tail { segment, at, bytes } => {
                format!("{segment} goes on with {bytes} bytes at {at} that are no record yet")
            }
        };
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A record in one line, without its rows.
fn line(record: &Record) -> String {
    let what = match &record.payload {
        Payload::Batch { batch, .. } => format!("batch    {}, {} events", batch.triplet, batch.rows()),
        Payload::Tick { moved } => format!("tick     {} streams", moved.len()),
        Payload::Command(LogCommand::Configure { revision, summary, .. }) => {
            format!("command  revision {revision}: {summary}")
        }
        Payload::Command(LogCommand::Redeliver { unit, letters }) => {
            let rows: usize = letters.iter().map(|letter| letter.rows()).sum();
            format!("command  {} dead letters, {rows} rows, to {unit} again", letters.len())
        }
        Payload::Command(other) => format!("command  {other:?}").chars().take(COMMAND_CHARS_MAX).collect(),
    };
    let note = match record.note.as_deref() {
        Some(Note::Request(_)) => ", of a request with a key".to_owned(),
        Some(Note::Files(files)) => format!(", with places in {} files", files.places.len()),
        None => String::new(),
    };
    format!(
        "{:>4}:{:<10} {}  {what}{note}",
        record.position.epoch,
        record.position.offset,
        rfc3339(record.accepted_at_unix_ns)
    )
}

fn export(folder: &Folder, from: u64) -> anyhow::Result<ExitCode> {
    let (path, disk) = folder.disk(JOURNAL)?;
    let read = || format!("read {}", path.display());
    let from = from.max(oldest(&*disk).with_context(read)?);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let exported = offline::export(Arc::clone(&disk), from, &mut out).with_context(read)?;
    out.flush()?;
    // The lines are events alone, so that they can be sent again: what is missing among them is told beside.
    for place in exported.damaged.iter().take(TOLD_MAX) {
        say(&format!("weir: damaged: {}, {} bytes at {}", place.segment, place.bytes, place.at));
    }
    for (from, to) in exported.holes.iter().take(TOLD_MAX) {
        say(&format!("weir: missing: records {from} to {}", to.saturating_sub(1)));
    }
    if exported.is_whole() {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "weir: NOT all: {} events were exported, {} places are damaged and {} runs of records are missing; `weir journal verify` lists them",
        exported.events,
        exported.damaged.len(),
        exported.holes.len()
    ));
    Ok(ExitCode::FAILURE)
}

/// Offset with which the journal begins, so that what was forgotten long ago is not told as a hole.
fn oldest(disk: &dyn Disk) -> std::io::Result<u64> {
    Ok(weir_journal::segment::list(disk)?.first().map_or(0, |segment| segment.first))
}
