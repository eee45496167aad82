//! The dead letters of all units: taken when their record is done, kept within bounds, and written beside the journal.
//!
//! In: the letters of finished records. Out: a [`Letters`] box for views and replays. With a folder of data a file of it is kept: once a second, and before each checkpoint, it learns of the
//! letters whose records are durable by then, so that a checkpoint that knows a record has its letters on disk, and a crash before that makes them again from the journal. A file
//! that cannot be written is told and counted, holds the checkpoints up, and is tried again; nothing is lost meanwhile, because the journal is kept.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use weir_core::config::DeadSpec;
use weir_core::letter::DeadLetter;
use weir_core::record::{Command, Payload, Record};
use weir_disk::Disk;
use weir_journal::letters::file::LetterFile;
use weir_journal::letters::{End, Keep, Kept, Letters, Totals};

use super::{Runtime, clock_unix_ns};

#[derive(Default)]
pub struct Dead {
    pub letters: Mutex<Letters>,
    file: Mutex<Option<LetterFile>>,
    /// Of the file, for who must not wait for a write.
    file_bytes: AtomicU64,
    /// Why the file could not be written the last time; none where it could.
    failing: Mutex<Option<String>>,
    /// Held by whoever gives letters back or drops some, so that none is taken twice.
    pub redelivering: Mutex<()>,
    errors_total: AtomicU64,
    /// Places of the file that were found damaged at the start.
    damaged_total: AtomicU64,
    opened_unix_ns: AtomicI64,
}

/// For metrics.
#[derive(Debug, Clone, Copy)]
pub struct DeadStatus {
    pub letters: u64,
    pub rows: u64,
    pub bytes: u64,
    pub totals: Totals,
    pub file_bytes: u64,
    pub errors_total: u64,
    pub damaged_total: u64,
    /// When the file was opened.
    pub opened_unix_ns: i64,
}

impl Runtime {
    /// Goes on with the file of a folder, before anything is replayed.
    pub fn open_letters(&self, disk: Arc<dyn Disk>) -> io::Result<()> {
        let (file, found) = LetterFile::open(disk)?;
        for (at, bytes) in &found.damaged {
            tracing::error!(
                at,
                bytes,
                "the file of the dead letters is damaged; the rest of it was read, and it is put aside as letters.damaged"
            );
        }
        if found.torn_bytes > 0 {
            tracing::warn!(
                bytes = found.torn_bytes,
                "the end of the file of the dead letters was torn and is cut; the journal makes them again"
            );
        }
        self.dead.opened_unix_ns.store(clock_unix_ns(), Ordering::Relaxed);
        self.dead.damaged_total.store(found.damaged.len() as u64, Ordering::Relaxed);
        self.dead.file_bytes.store(file.bytes(), Ordering::Relaxed);
        *self.dead.file.lock() = Some(file);
        self.dead.letters.lock().restore(found.letters, found.gone);
        Ok(())
    }

    pub(super) fn keep_letters(&self, spec: &DeadSpec) {
        let keep = Keep { rows: spec.keep_rows, bytes: spec.keep_bytes, age_ns: spec.keep_age_ns };
        let mut letters = self.dead.letters.lock();
        if self.live.load(Ordering::Acquire) {
            letters.keep(keep);
        } else {
            letters.keep_at_least(keep);
        }
    }

    /// The letters of a record that is done.
    pub(super) fn bury(&self, letters: &[DeadLetter]) {
        // Made without the lock: other flows bury meanwhile.
        let kept: Vec<Kept> = letters.iter().map(Kept::of).collect();
        let mut letters = self.dead.letters.lock();
        for one in kept {
            letters.take(one);
        }
    }

    /// A record of the log that a flow takes: the letters in it are letters no more.
    pub(super) fn note_redelivered(&self, record: &Record) {
        let Payload::Command(Command::Redeliver { letters: given, .. }) = &record.payload else { return };
        let mut letters = self.dead.letters.lock();
        for letter in given.iter() {
            letters.end(&letter.id, record.position.offset, End::Replayed);
        }
    }

    pub(super) fn forget_old_letters(&self, now_unix_ns: i64) {
        self.dead.letters.lock().forget_old(now_unix_ns);
    }

    /// How many letters a unit has.
    pub(super) fn letters_of(&self, unit: &str) -> u64 {
        self.dead.letters.lock().of_unit(unit)
    }

    /// Whether the file has something to learn.
    pub(super) fn letters_wait(&self) -> bool {
        let file = self.dead.file.lock();
        file.as_ref().is_some_and(|file| file.is_bad() || self.dead.letters.lock().is_dirty())
    }

    /// Writes what may be written now that all records before `durable` are on disk. Durable when it returns well.
    pub(super) fn flush_letters(&self, durable: u64) -> Result<(), String> {
        let mut file = self.dead.file.lock();
        let Some(file) = &mut *file else { return Ok(()) };
        let needed_from = self.needed_from.load(Ordering::Acquire);
        let written = {
            let mut letters = self.dead.letters.lock();
            let is_new = file.is_missing() && (file.is_bad() || letters.is_dirty());
            if is_new || file.is_slack(letters.bytes()) {
                let whole = letters.whole(durable, needed_from);
                drop(letters);
                file.make_anew(&whole)
            } else {
                let change = letters.change(durable);
                drop(letters);
                file.append(&change)
            }
        };
        self.dead.file_bytes.store(file.bytes(), Ordering::Relaxed);
        self.note_written(written)
    }

    /// What begins and what ends is told in the log, once.
    fn note_written(&self, written: io::Result<()>) -> Result<(), String> {
        let mut failing = self.dead.failing.lock();
        match written {
            Ok(()) => {
                if failing.take().is_some() {
                    tracing::info!("the file of the dead letters can be written again");
                }
                Ok(())
            }
            Err(error) => {
                self.dead.errors_total.fetch_add(1, Ordering::Relaxed);
                if failing.replace(error.to_string()).is_none() {
                    tracing::error!(%error, "the file of the dead letters cannot be written; it is tried again, and the journal is kept");
                }
                Err(format!("the file of the dead letters cannot be written: {error}"))
            }
        }
    }

    /// Why their file cannot be written now.
    pub(super) fn letters_fail(&self) -> Option<String> {
        self.dead.failing.lock().clone()
    }

    /// The same, with all that the log has by now.
    pub(super) fn flush_all_letters(&self) -> Result<(), String> {
        if self.dead.file.lock().is_none() {
            return Ok(());
        }
        let durable = self.durable_until()?;
        self.flush_letters(durable)
    }

    pub fn dead_status(&self) -> DeadStatus {
        let letters = self.dead.letters.lock();
        DeadStatus {
            letters: letters.len() as u64,
            rows: letters.rows(),
            bytes: letters.bytes(),
            totals: letters.totals,
            file_bytes: self.dead.file_bytes.load(Ordering::Relaxed),
            errors_total: self.dead.errors_total.load(Ordering::Relaxed),
            damaged_total: self.dead.damaged_total.load(Ordering::Relaxed),
            opened_unix_ns: self.dead.opened_unix_ns.load(Ordering::Relaxed),
        }
    }
}
