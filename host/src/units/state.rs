//! The imports of one instance: its state and timers in the flow, its log lines to the host's log.

use std::sync::Arc;

use tracing::{debug, error, info, warn};
use weir_core::flow::node::lock;
use weir_core::state::{self, Bug, SharedState};
use weir_engine::{Imports, LogLevel, Misuse, Packed, PackedSlice, Page, Refusal};

pub struct StateImports {
    pub state: SharedState,
    /// pipeline/unit
    pub unit: Arc<str>,
    pub digest: Arc<str>,
}

fn misuse(bug: Bug) -> Misuse {
    Misuse(bug.0)
}

fn written<T>(written: state::Written<T>) -> Result<Result<T, Refusal>, Misuse> {
    let refuse =
        |refusal: state::Refusal| Refusal { code: refusal.code.to_owned(), message: refusal.message };
    written.map(|inner| inner.map_err(refuse)).map_err(misuse)
}

impl Imports for StateImports {
    fn read(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Vec<u8>, Misuse> {
        lock(&self.state).read(table, handles, slots).map_err(misuse)
    }

    fn write(
        &mut self,
        table: u32,
        handles: &[u8],
        slots: &[u8],
        values: &[u8],
    ) -> Result<Result<(), Refusal>, Misuse> {
        written(lock(&self.state).write(table, handles, slots, values))
    }

    fn read_packed(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Packed, Misuse> {
        let packed = lock(&self.state).read_packed(table, handles, slots).map_err(misuse)?;
        Ok(Packed { offsets: packed.offsets, data: packed.data })
    }

    fn write_packed(
        &mut self,
        table: u32,
        handles: &[u8],
        slots: &[u8],
        values: PackedSlice<'_>,
    ) -> Result<Result<(), Refusal>, Misuse> {
        written(lock(&self.state).write_packed(table, handles, slots, values.offsets, values.data))
    }

    fn present(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Vec<u8>, Misuse> {
        lock(&self.state).present(table, handles, slots).map_err(misuse)
    }

    fn remove(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<(), Misuse> {
        lock(&self.state).remove(table, handles, slots).map_err(misuse)
    }

    fn expire(&mut self, table: u32, handles: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Misuse> {
        lock(&self.state).expire(table, handles, slots, times).map_err(misuse)
    }

    fn scan(&mut self, table: u32, prefix: &[u8], cursor: &[u8], limit: u32) -> Result<Page, Misuse> {
        let page = lock(&self.state).scan(table, prefix, cursor, limit).map_err(misuse)?;
        let names = Packed { offsets: page.names.offsets, data: page.names.data };
        Ok(Page { handles: page.handles, slots: page.slots, names, cursor: page.cursor })
    }

    fn define(&mut self, table: u32, names: PackedSlice<'_>) -> Result<Result<Vec<u8>, Refusal>, Misuse> {
        written(lock(&self.state).define(table, names.offsets, names.data))
    }

    fn wake(&mut self, keys: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Misuse> {
        lock(&self.state).wake(keys, slots, times, false).map_err(misuse)
    }

    fn wake_by_clock(&mut self, keys: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Misuse> {
        lock(&self.state).wake(keys, slots, times, true).map_err(misuse)
    }

    /// Guest text is untrusted: it goes into a field, never into the format.
    fn log(&mut self, level: LogLevel, line: &str) {
        let (unit, digest) = (&*self.unit, &*self.digest);
        match level {
            LogLevel::Debug => debug!(unit, digest, line, "unit says"),
            LogLevel::Info => info!(unit, digest, line, "unit says"),
            LogLevel::Warn => warn!(unit, digest, line, "unit says"),
            LogLevel::Error => error!(unit, digest, line, "unit says"),
        }
    }
}
