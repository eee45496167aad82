//! redb behind [`Engine`], its one file on a [`Disk`].
//!
//! The file is `state.redb`. It goes through the same trait as the journal, so that it is tested with the same faults. One table of bytes to bytes; batches
//! that need not be durable are committed without a sync and become durable with the next one that is.

use std::io;
use std::sync::Arc;

use redb::{Database, Durability, ReadableDatabase, StorageBackend, TableDefinition};
use weir_disk::{Disk, File, read_full_at, write_all_at};

use crate::engine::{Change, Engine, EngineError, EngineName, Place, Stored, Visit};

const FILE: &str = "state.redb";
const ASIDE: &str = "state.redb.broken";
const CACHE_BYTES: usize = 32 << 20;
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("state");

#[derive(Debug)]
pub struct RedbPlace {
    disk: Arc<dyn Disk>,
}

impl RedbPlace {
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    fn file(&self) -> io::Result<Box<dyn File>> {
        match self.disk.open_writable(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = self.disk.create(FILE)?;
                self.disk.sync_dir()?;
                Ok(file)
            }
            other => other,
        }
    }
}

impl Place for RedbPlace {
    fn open(&self) -> Result<Box<dyn Engine>, EngineError> {
        let file = self.file().map_err(|error| failed("opening its file", &error))?;
        // redb checks little of a file that it did not write; what it trips over must not end the process.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE_BYTES);
            let database =
                builder.create_with_backend(Backend(file)).map_err(|error| failed("opening", &error))?;
            let write = database.begin_write().map_err(|error| failed("opening", &error))?;
            write.open_table(TABLE).map_err(|error| failed("opening", &error))?;
            write.commit().map_err(|error| failed("opening", &error))?;
            Ok(database)
        }));
        let database = opened.unwrap_or_else(|_| Err(failed("opening", &"it panicked")))?;
        Ok(Box::new(RedbEngine { database: Some(database) }))
    }

    fn set_aside(&self) -> io::Result<()> {
        match self.disk.rename(FILE, ASIDE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| self.disk.sync_dir()),
        }
    }

    fn engine(&self) -> EngineName {
        EngineName::Redb
    }
}

fn failed(doing: &'static str, reason: &dyn std::fmt::Display) -> EngineError {
    EngineError { engine: EngineName::Redb.as_str(), doing, reason: reason.to_string() }
}

/// Calls into redb, whose assertions over a damaged file are errors here.
fn guarded<T>(doing: &'static str, call: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, EngineError> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|error| failed(doing, &error)),
        Err(_) => Err(failed(doing, &"it panicked")),
    }
}

#[derive(Debug)]
struct RedbEngine {
    /// Always there until it is dropped.
    database: Option<Database>,
}

impl RedbEngine {
    fn database(&self) -> Result<&Database, redb::Error> {
        self.database.as_ref().ok_or_else(|| redb::Error::Io(io::ErrorKind::NotConnected.into()))
    }
}

/// redb writes when it is closed, and over a damaged file that ends in a panic as any other call. Nobody waits for what it wanted to
/// write: what was durable is so, and the damage is met at the next start.
impl Drop for RedbEngine {
    fn drop(&mut self) {
        let database = self.database.take();
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(database))));
    }
}

impl Engine for RedbEngine {
    fn apply(&mut self, changes: &[Change], durable: bool) -> Result<(), EngineError> {
        guarded("writing", || {
            let mut write = self.database()?.begin_write()?;
            write.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
            {
                let mut table = write.open_table(TABLE)?;
                for change in changes {
                    match &change.value {
                        Some(value) => table.insert(change.key.as_slice(), value.as_slice())?,
                        None => table.remove(change.key.as_slice())?,
                    };
                }
            }
            write.commit()?;
            Ok(())
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        guarded("reading", || {
            let table = self.database()?.begin_read()?.open_table(TABLE)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<Stored>, EngineError> {
        guarded("reading", || {
            let table = self.database()?.begin_read()?.open_table(TABLE)?;
            let last = table.range(..=key)?.next_back().transpose()?;
            Ok(last.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        })
    }

    fn scan(&self, from: &[u8], visit: Visit) -> Result<(), EngineError> {
        guarded("reading", || {
            let table = self.database()?.begin_read()?.open_table(TABLE)?;
            for entry in table.range(from..)? {
                let (key, value) = entry?;
                if !visit(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Pages that are in use. The file may be longer: it grows by doubling, and what was freed stays in it.
    fn bytes_on_disk(&self) -> Result<u64, EngineError> {
        guarded("reading", || {
            let write = self.database()?.begin_write()?;
            let stats = write.stats()?;
            let pages = stats.allocated_pages();
            write.abort()?;
            Ok(pages * stats.page_size() as u64)
        })
    }
}

#[derive(Debug)]
struct Backend(Box<dyn File>);

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let wanted = out.len();
        if read_full_at(&*self.0, offset, out)? < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        write_all_at(&*self.0, offset, data)
    }
}
