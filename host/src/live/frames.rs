//! Frames that were made, for the next client that needs the same.
//!
//! In: the picture a client has and the newest. Out: the bytes, shared. Most clients are at the same version, so the last [`KEPT`] frames of each
//! chart are enough. Making a frame holds the lock: of many clients that wake at once one works and the others take the result.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::body::Bytes;
use parking_lot::Mutex;

use super::diff::between;
use super::frame::encode;
use crate::charts::picture::ChartVersion;

/// Per chart.
const KEPT: usize = 4;
/// Charts, as many as a configuration may have; beyond it the memory of gone ones is given up at once.
const CHARTS_MAX: usize = 256;

#[derive(Clone, Copy, PartialEq)]
struct Key {
    epoch: u64,
    /// 0: a snapshot.
    from: u64,
    to: u64,
    merged: u64,
}

/// Oldest first.
type Recent = VecDeque<(Key, Bytes)>;

#[derive(Default)]
pub struct Frames {
    /// By chart.
    kept: Mutex<HashMap<Arc<str>, Recent>>,
}

impl Frames {
    /// From `old` (none: from nothing) to `new`.
    pub fn get(&self, old: Option<&ChartVersion>, new: &ChartVersion, merged: u64) -> Bytes {
        let old = old.filter(|old| old.epoch == new.epoch);
        let key = Key { epoch: new.epoch, from: old.map_or(0, |old| old.version), to: new.version, merged };
        let mut kept = self.kept.lock();
        if kept.len() >= CHARTS_MAX && !kept.contains_key(&new.chart) {
            kept.clear();
        }
        let frames = kept.entry(Arc::clone(&new.chart)).or_default();
        if let Some((_, bytes)) = frames.iter().find(|(known, _)| *known == key) {
            return bytes.clone();
        }
        let bytes = encode(new, &between(old, new), merged, super::now_unix_ns());
        if frames.len() >= KEPT {
            frames.pop_front();
        }
        frames.push_back((key, bytes.clone()));
        bytes
    }
}
