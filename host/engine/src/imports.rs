//! What a unit or rule may ask of the host: state, timers, log (wit/state.wit, timers.wit, log.wit), as a trait.
//!
//! All bytes are little-endian and packed as in the contract. The engine has checked the lengths before it calls: `handles` is n x 4
//! bytes, `slots` empty or n x 8, `times` n x 8, packed lists are whole. What it cannot know (table numbers, handles, value sizes) the
//! implementation checks: [`Misuse`] traps the guest as a fault of kind contract. Each function is called on the worker's thread
//! inside a guest call and must take microseconds; the deadline does not interrupt it.

/// A bug of the guest; it traps with this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misuse(pub String);

/// Refused, the guest may carry on. Nothing of the call was written.
#[derive(Debug, Clone, PartialEq, Eq, wasmtime::component::ComponentType, wasmtime::component::Lower)]
#[component(record)]
pub struct Refusal {
    /// "quota", "too-large".
    pub code: String,
    pub message: String,
}

/// n byte strings: `offsets` is (n + 1) x u32.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, wasmtime::component::ComponentType, wasmtime::component::Lower,
)]
#[component(record)]
pub struct Packed {
    pub offsets: Vec<u8>,
    pub data: Vec<u8>,
}

/// The same, in guest memory. `offsets` may be empty where n is 0.
#[derive(Debug, Clone, Copy)]
pub struct PackedSlice<'a> {
    pub offsets: &'a [u8],
    pub data: &'a [u8],
}

impl<'a> PackedSlice<'a> {
    pub fn len(&self) -> usize {
        (self.offsets.len() / 4).saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// String `index`; empty where there is none.
    pub fn get(&self, index: usize) -> &'a [u8] {
        let offset = |i: usize| -> Option<usize> {
            let bytes = self.offsets.get(i * 4..i * 4 + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        match (offset(index), offset(index + 1)) {
            (Some(start), Some(end)) => self.data.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// One page of a scan.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, wasmtime::component::ComponentType, wasmtime::component::Lower,
)]
#[component(record)]
pub struct Page {
    pub handles: Vec<u8>,
    pub slots: Vec<u8>,
    pub names: Packed,
    pub cursor: Vec<u8>,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    wasmtime::component::ComponentType,
    wasmtime::component::Lift,
    wasmtime::component::Lower,
)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// The host's side of state, timers and log for one instance.
pub trait Imports: Send {
    fn read(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Vec<u8>, Misuse>;
    fn write(
        &mut self,
        table: u32,
        handles: &[u8],
        slots: &[u8],
        values: &[u8],
    ) -> Result<Result<(), Refusal>, Misuse>;
    fn read_packed(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Packed, Misuse>;
    fn write_packed(
        &mut self,
        table: u32,
        handles: &[u8],
        slots: &[u8],
        values: PackedSlice<'_>,
    ) -> Result<Result<(), Refusal>, Misuse>;
    fn present(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Vec<u8>, Misuse>;
    fn remove(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<(), Misuse>;
    fn expire(&mut self, table: u32, handles: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Misuse>;
    fn scan(&mut self, table: u32, prefix: &[u8], cursor: &[u8], limit: u32) -> Result<Page, Misuse>;
    fn define(&mut self, table: u32, names: PackedSlice<'_>) -> Result<Result<Vec<u8>, Refusal>, Misuse>;
    fn wake(&mut self, keys: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Misuse>;
    fn wake_by_clock(&mut self, keys: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Misuse>;
    /// One line, at most 8 KiB, at most 100 a second; kept also when the call fails.
    fn log(&mut self, level: LogLevel, line: &str);
}
