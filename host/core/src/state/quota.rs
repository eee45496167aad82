//! Bounds of one unit's state.

/// Bounds of one unit's state; defaults from the contract.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    pub entries: usize,
    pub bytes: usize,
    pub value_bytes: usize,
    pub name_bytes: usize,
    pub timers: usize,
    pub keys: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            entries: 4_000_000,
            bytes: 1 << 30,
            value_bytes: 1 << 20,
            name_bytes: 1 << 10,
            timers: 4_000_000,
            keys: 4_000_000,
        }
    }
}
