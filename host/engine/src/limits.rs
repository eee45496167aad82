//! What one instance may use, and the limiter that holds it to it.
//!
//! In: [`Limits`] from the host. Going beyond is a fault of kind memory or deadline, never an answer that the guest may ignore: a
//! guest that is told "no more memory" aborts with a bare `unreachable`, which tells an operator nothing.

use wasmtime::ResourceLimiter;

use crate::fault::{FaultKind, Stop};

/// Stack of a guest, bytes. Part of the engine's settings, so the same for all.
pub(crate) const STACK_BYTES: usize = 512 << 10;

/// Most elements of one table: functions of a large Go or Python component fit.
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances of one component; componentize-py makes about 40.
const INSTANCES_MAX: usize = 200;
const TABLES_MAX: usize = 64;
const MEMORIES_MAX: usize = 32;

/// What one instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, all of an instance's together.
    pub memory_bytes: usize,
    /// For process, evaluate, tick, render, decode, encode.
    pub deadline_ms: u32,
    /// For instantiation, open, migrate and close.
    pub open_deadline_ms: u32,
    /// What a guest may hand to the host in one call, lists of records included.
    pub transfer_bytes: usize,
    /// Handles of resources that an instance may hold.
    pub handles: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            deadline_ms: 50,
            open_deadline_ms: 1000,
            transfer_bytes: 80 << 20,
            handles: 1000,
        }
    }
}

pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_bytes_max: limits.memory_bytes, memory_bytes: 0 }
    }

    /// Linear memory of the instance. It never shrinks, so this is its high-water too.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The module's own bound: the guest is told, as the standard says.
            return Ok(false);
        }
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            let message = format!("asked for {total} bytes of memory, granted are {}", self.memory_bytes_max);
            return Err(Stop::error(FaultKind::Memory, message));
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if desired > TABLE_ELEMENTS_MAX {
            let message =
                format!("asked for a table of {desired} elements, granted are {TABLE_ELEMENTS_MAX}");
            return Err(Stop::error(FaultKind::Memory, message));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
