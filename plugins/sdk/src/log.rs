//! Lines for the operator. Cut at 8 KiB by the host, at most 100 a second for each instance.

use std::sync::Once;

pub use crate::bindings::unit::weir::plugin::log::Level;

pub fn write(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::unit::weir::plugin::log::write(level, message);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host(|host| host.log.push((level, message.to_owned())));
}

pub fn debug(message: &str) {
    write(Level::Debug, message);
}

pub fn info(message: &str) {
    write(Level::Info, message);
}

pub fn warn(message: &str) {
    write(Level::Warn, message);
}

pub fn error(message: &str) {
    write(Level::Error, message);
}

/// From now on a panic is one line of the log, with its place, before it traps.
pub(crate) fn catch_panics() {
    static ONCE: Once = Once::new();
    if cfg!(target_family = "wasm") {
        ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| error(&panic.to_string()))));
    }
}
