//! `weir state`: the state of a data folder, without a host.
//!
//! In: the folder. Out: what checkpoint and snapshots there are and the keys in them (`ls`), one entry (`get`), all of it as a portable file (`export`) and back (`import`), and whether every entry
//! is as it was written (`verify`). While a host runs it has the store, and the newest good snapshot is read instead; `import` is refused then. Keys are shown and
//! taken as text, other bytes as `\xNN`. Exit code 1: something is damaged, is not there, or is in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use weir_checkpoint::recover::{export as export_store, import as import_store};
use weir_checkpoint::{Checkpoint, EngineName, Store, snapshot};
use weir_core::batch::Position;
use weir_disk::{Disk, RealDisk};

use super::ask::table;
use super::folder::{Folder, Format, STATE, engine_of, size};
use super::{print, say};

const EXAMPLES: &str = "\
Examples:
  weir state ls                        the checkpoint and the snapshots
  weir state ls requests/by_page -n 20 the first keys that begin so
  weir state get 'requests/by_page\\x00\\x01'
  weir state verify --data ./data      reads every entry of all of them
  weir state export state.snapshot     one file that needs no engine
  weir state import state.snapshot     in its place; the journal is replayed from there

Exit codes: 0 done, 1 damaged, not there or in use, 2 wrong usage";

/// Of a value in a table.
const VALUE_CHARS_MAX: usize = 60;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct StateArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct At {
    #[command(flatten)]
    folder: Folder,
    /// sled or redb; needed only where there are states of both.
    #[arg(long, value_name = "ENGINE")]
    engine: Option<EngineName>,
}

#[derive(Subcommand)]
enum Command {
    /// The checkpoint and the snapshots; with a prefix the keys that begin with it.
    Ls {
        #[command(flatten)]
        at: At,
        /// Keys that begin so; '' for all.
        prefix: Option<String>,
        /// At most so many keys.
        #[arg(short = 'n', long = "keys", value_name = "N", default_value_t = 100)]
        number: usize,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// The value of a key.
    Get {
        #[command(flatten)]
        at: At,
        key: String,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Writes all of it as one portable file.
    Export {
        #[command(flatten)]
        at: At,
        file: PathBuf,
    },
    /// Makes the state of such a file; what was there is put aside.
    Import {
        #[command(flatten)]
        at: At,
        file: PathBuf,
    },
    /// Reads every entry of the store and of the snapshots.
    Verify {
        #[command(flatten)]
        at: At,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

pub fn state(arguments: StateArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Ls { at, prefix: None, format, .. } => ls(&at, format),
        Command::Ls { at, prefix: Some(prefix), number, format } => {
            keys(&at, &bytes_of(&prefix)?, number, format)
        }
        Command::Get { at, key, format } => get(&at, &bytes_of(&key)?, format),
        Command::Export { at, file } => export(&at, &file),
        Command::Import { at, file } => import(&at, &file),
        Command::Verify { at, format } => verify(&at, format),
    }
}

/// Where entries are read from.
enum Source {
    Store(Box<Store>, EngineName),
    Snapshot(String),
}

struct Opened {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    source: Source,
    /// Held for as long as the store is open.
    _lock: Option<fs::File>,
}

impl At {
    fn open(&self) -> anyhow::Result<Opened> {
        let (folder, disk) = self.folder.disk(STATE)?;
        let lock = self.folder.lock()?;
        let source = match &lock {
            Some(_) => {
                let engine = engine_of(&folder, self.engine)?;
                let store = open_store(&folder, &disk, engine)?;
                Source::Store(Box::new(store), engine)
            }
            None => {
                let newest = newest_good(&*disk)?;
                let newest = newest
                    .context("a host runs on this folder and there is no snapshot yet; end it, or ask it")?;
                say(&format!("weir: a host runs on this folder and has its state; reading {newest}"));
                Source::Snapshot(newest)
            }
        };
        Ok(Opened { folder, disk, source, _lock: lock })
    }
}

impl Opened {
    fn load(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> anyhow::Result<()> {
        match &self.source {
            Source::Store(store, ..) => Ok(store.load(visit)?),
            Source::Snapshot(name) => Ok(snapshot::read(&*self.disk, name, visit).map(drop)?),
        }
    }
}

fn open_store(folder: &Path, disk: &Arc<dyn Disk>, engine: EngineName) -> anyhow::Result<Store> {
    Ok(Store::open(engine.place(folder, disk)?.open()?)?)
}

fn newest_good(disk: &dyn Disk) -> anyhow::Result<Option<String>> {
    let mut names = snapshot::list(disk)?;
    names.reverse();
    Ok(names.into_iter().find(|name| snapshot::read(disk, name, &mut |_, _| {}).is_ok()))
}

/// What is there, one line each: store, then snapshots from the newest on.
fn ls(at: &At, format: Format) -> anyhow::Result<ExitCode> {
    let opened = at.open()?;
    let mut rows = vec![["what", "checkpoint", "position", "size", "entries"].map(str::to_owned).to_vec()];
    let mut lines: Vec<Value> = Vec::new();
    if let Source::Store(store, engine) = &opened.source {
        let (bytes, newest) = (store.bytes_on_disk()?, store.newest());
        rows.push(row(engine.as_str(), newest, bytes, &store.entries().to_string()));
        let mut line = as_json(engine.as_str(), newest, bytes);
        line["entries"] = store.entries().into();
        lines.push(line);
    }
    for name in snapshot::list(&*opened.disk)?.into_iter().rev() {
        let bytes = opened.disk.open(&name)?.len()?;
        match snapshot::checkpoint_of(&*opened.disk, &name) {
            Ok(checkpoint) => {
                rows.push(row(&name, &checkpoint, bytes, ""));
                lines.push(as_json(&name, &checkpoint, bytes));
            }
            Err(error) => {
                rows.push(vec![name.clone(), error.to_string()]);
                lines.push(json!({"what": name, "bytes": bytes, "error": error.to_string()}));
            }
        }
    }
    match format {
        Format::Table => print(table(&rows).trim_end())?,
        Format::Json => lines.iter().try_for_each(|line| print(&line.to_string()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn row(what: &str, checkpoint: &Checkpoint, bytes: u64, entries: &str) -> Vec<String> {
    let Position { epoch, offset, .. } = checkpoint.position;
    vec![
        what.to_owned(),
        checkpoint.number.to_string(),
        format!("{epoch}:{offset}"),
        size(bytes),
        entries.to_owned(),
    ]
}

fn as_json(what: &str, checkpoint: &Checkpoint, bytes: u64) -> Value {
    let Position { epoch, offset, .. } = checkpoint.position;
    json!({"what": what, "checkpoint": checkpoint.number, "epoch": epoch, "offset": offset, "bytes": bytes})
}

fn keys(at: &At, prefix: &[u8], number: usize, format: Format) -> anyhow::Result<ExitCode> {
    let opened = at.open()?;
    let mut found = Vec::new();
    let mut more = 0;
    opened.load(&mut |key, value| match key.starts_with(prefix) {
        true if found.len() < number => found.push((key.to_vec(), value.to_vec())),
        true => more += 1,
        false => {}
    })?;
    if format == Format::Json {
        found.iter().try_for_each(|(key, value)| print(&entry(key, value).to_string()))?;
    } else {
        let mut rows = vec![["key", "bytes", "value"].map(str::to_owned).to_vec()];
        let cells =
            |(key, value): &(Vec<u8>, Vec<u8>)| vec![text(key), value.len().to_string(), shortened(value)];
        rows.extend(found.iter().map(cells));
        print(table(&rows).trim_end())?;
    }
    if more > 0 {
        say(&format!("weir: {more} more; -n shows them"));
    }
    Ok(ExitCode::SUCCESS)
}

fn get(at: &At, wanted: &[u8], format: Format) -> anyhow::Result<ExitCode> {
    let opened = at.open()?;
    let mut found = None;
    match &opened.source {
        Source::Store(store, ..) => found = store.get(wanted)?,
        Source::Snapshot(_) => opened.load(&mut |key, value| {
            if key == wanted {
                found = Some(value.to_vec());
            }
        })?,
    }
    let Some(value) = found else {
        say(&format!("weir: there is no key {}", text(wanted)));
        return Ok(ExitCode::FAILURE);
    };
    print(&if format == Format::Json { entry(wanted, &value).to_string() } else { text(&value) })?;
    Ok(ExitCode::SUCCESS)
}

/// Written beside the file and renamed, so that a file of that name is whole.
fn export(at: &At, file: &Path) -> anyhow::Result<ExitCode> {
    let opened = at.open()?;
    if file.exists() {
        bail!("{} is there already; name another file", file.display());
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = (|| -> anyhow::Result<()> {
        let to: Arc<dyn Disk> = Arc::new(RealDisk::open(&beside)?);
        let from = match &opened.source {
            Source::Store(store, ..) => beside.join(export_store(store, &to)?),
            Source::Snapshot(name) => {
                fs::copy(opened.folder.join(name), beside.join(name))?;
                snapshot::read(&*to, name, &mut |_, _| {})?;
                beside.join(name)
            }
        };
        fs::rename(from, file)?;
        Ok(())
    })();
    fs::remove_dir_all(&beside).with_context(|| format!("remove {}", beside.display()))?;
    written.with_context(|| format!("write {}", file.display()))?;
    print(&format!("{}: {}", file.display(), size(fs::metadata(file)?.len())))?;
    Ok(ExitCode::SUCCESS)
}

fn import(at: &At, file: &Path) -> anyhow::Result<ExitCode> {
    let (folder, disk) = at.folder.disk(STATE)?;
    let Some(_lock) = at.folder.lock()? else { bail!("a host runs on this folder; end it first") };
    let name = file.file_name().and_then(|name| name.to_str()).context("name a file")?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let from = RealDisk::open_existing(parent).with_context(|| format!("open {}", parent.display()))?;
    // All of it is read before anything is put aside.
    snapshot::read(&from, name, &mut |_, _| {}).with_context(|| format!("read {}", file.display()))?;
    let engine = engine_of(&folder, at.engine).or_else(|error| at.engine.ok_or(error))?;
    for older in snapshot::list(&*disk)? {
        // A store behind a snapshot is not believed.
        disk.rename(&older, &format!("{older}.aside"))?;
    }
    disk.sync_dir()?;
    let store = import_store(&*engine.place(&folder, &disk)?, &from, name)?;
    let newest = store.newest().clone();
    export_store(&store, &disk)?;
    let Position { epoch, offset, .. } = newest.position;
    print(&format!(
        "{} has checkpoint {} at {epoch}:{offset}; the next start replays the journal from there",
        engine.as_str(),
        newest.number
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn verify(at: &At, format: Format) -> anyhow::Result<ExitCode> {
    let (folder, disk) = at.folder.disk(STATE)?;
    let mut read: Vec<(String, Result<u64, String>)> = Vec::new();
    match at.folder.lock()? {
        Some(_lock) => {
            let engine = engine_of(&folder, at.engine)?;
            let keys = open_store(&folder, &disk, engine).and_then(|store| Ok(store.verify()?));
            read.push((engine.as_str().to_owned(), keys.map_err(|error| format!("{error:#}"))));
        }
        None => say("weir: a host runs on this folder and has its state; only the snapshots are read"),
    }
    for name in snapshot::list(&*disk)?.into_iter().rev() {
        let mut keys = 0;
        let good = snapshot::read(&*disk, &name, &mut |_, _| keys += 1);
        read.push((name, good.map(|_| keys).map_err(|error| error.to_string())));
    }
    for (what, outcome) in &read {
        let line = match (outcome, format) {
            (Ok(keys), Format::Table) => format!("{what}: {keys} keys, all as they were written"),
            (Err(error), Format::Table) => format!("{what}: NOT as it was written: {error}"),
            (Ok(keys), Format::Json) => json!({"what": what, "good": true, "keys": keys}).to_string(),
            (Err(error), Format::Json) => json!({"what": what, "good": false, "error": error}).to_string(),
        };
        print(&line)?;
    }
    let good = read.iter().all(|(_, outcome)| outcome.is_ok());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn entry(key: &[u8], value: &[u8]) -> Value {
    json!({"key": text(key), "value": text(value), "bytes": value.len()})
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn shortened(value: &[u8]) -> String {
    let text = text(value);
    if text.chars().count() <= VALUE_CHARS_MAX {
        text
    } else {
        text.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
    }
}

/// The way back of [`text`].
fn bytes_of(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (byte, used) = match after {
            [b'x', high, low, ..] => (hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low), 3),
            [b'n', ..] => (Some(b'\n'), 1),
            [b'r', ..] => (Some(b'\r'), 1),
            [b't', ..] => (Some(b'\t'), 1),
            [same @ (b'\\' | b'\'' | b'"'), ..] => (Some(*same), 1),
            _ => (None, 0),
        };
        bytes.push(byte.with_context(|| {
            format!("{text}: write \\xNN for a byte that is no text, and \\\\ for a backslash")
        })?);
        rest = after.get(used..).unwrap_or_default();
    }
    Ok(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_as_it_is_shown() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&text(&all)).unwrap(), all);
        for bad in ["\\", "\\q", "\\x1", "\\xzz"] {
            assert!(bytes_of(bad).is_err(), "{bad}");
        }
    }
}
