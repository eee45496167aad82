//! Timers of the host: (key, slot) wakes up in `tick` at a time; they survive restarts and swaps.
//!
//! Times are ns since 1970. One timer for each (key, slot); a later one replaces it, [`NEVER`] clears it.

use crate::column::bytes_of;

pub const NEVER: i64 = i64::MAX;

/// When the watermark passes the time. The three slices have one length.
pub fn wake(keys: &[u32], slots: &[i64], times: &[i64]) {
    wake_bytes(&bytes_of(keys), &bytes_of(slots), &bytes_of(times));
}

/// When the host's clock passes the time.
pub fn wake_by_clock(keys: &[u32], slots: &[i64], times: &[i64]) {
    #[cfg(target_family = "wasm")]
    crate::bindings::unit::weir::plugin::timers::wake_by_clock(
        &bytes_of(keys),
        &bytes_of(slots),
        &bytes_of(times),
    );
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host(|host| host.wake(true, &bytes_of(keys), &bytes_of(slots), &bytes_of(times)));
}

/// The same as [`wake`] on bytes of the contract.
pub fn wake_bytes(keys: &[u8], slots: &[u8], times: &[u8]) {
    #[cfg(target_family = "wasm")]
    crate::bindings::unit::weir::plugin::timers::wake(keys, slots, times);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host(|host| host.wake(false, keys, slots, times));
}
