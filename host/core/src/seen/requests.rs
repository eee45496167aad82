//! Requests that name themselves by a key, so that a repeated one is answered as it was and taken once.
//!
//! In: requests that are about to be in the log, with its time. Out: what a key was answered. A key is forgotten [`RequestSpec::keep_ns`] after it came, or when there are more than
//! [`RequestSpec::keys_max`], the oldest first; what is forgotten before its time is counted.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::config::RequestSpec;
use crate::record::Request;

#[derive(Debug)]
pub(super) struct Known {
    pub request: Arc<Request>,
    pub at_unix_ns: i64,
}

#[derive(Debug, Default)]
pub struct Requests {
    spec: RequestSpec,
    pub(super) known: HashMap<[u8; 16], Known, FixedState>,
    /// Key and time, as they came.
    order: VecDeque<([u8; 16], i64)>,
    pub evicted_total: u64,
    /// Came and went since the last checkpoint.
    pub(super) fresh: Vec<[u8; 16]>,
    pub(super) gone: Vec<[u8; 16]>,
}

impl Requests {
    pub fn configure(&mut self, spec: Option<RequestSpec>) {
        self.spec = spec.unwrap_or_default();
    }

    pub fn count(&self) -> usize {
        self.known.len()
    }

    pub fn get(&mut self, key: &[u8; 16], now_unix_ns: i64) -> Option<Arc<Request>> {
        self.forget(now_unix_ns);
        self.known.get(key).map(|known| Arc::clone(&known.request))
    }

    pub fn insert(&mut self, request: Arc<Request>, at_unix_ns: i64) {
        let key = request.key;
        self.fresh.push(key);
        self.put(request, at_unix_ns);
        self.order.push_back((key, at_unix_ns));
        self.forget(at_unix_ns);
    }

    /// What a checkpoint knew, in any order; then [`Self::restored`].
    pub(super) fn put(&mut self, request: Arc<Request>, at_unix_ns: i64) {
        self.known.insert(request.key, Known { request, at_unix_ns });
    }

    pub(super) fn restored(&mut self) {
        let mut order: Vec<_> = self.known.iter().map(|(key, known)| (*key, known.at_unix_ns)).collect();
        order.sort_unstable_by_key(|(key, at)| (*at, *key));
        self.order = order.into();
    }

    fn forget(&mut self, now_unix_ns: i64) {
        while let Some((key, at_unix_ns)) = self.order.front().copied() {
            let old = now_unix_ns.saturating_sub(at_unix_ns) > self.spec.keep_ns;
            if !old && self.known.len() <= self.spec.keys_max {
                return;
            }
            self.order.pop_front();
            // It may have come again since.
            if self.known.get(&key).is_some_and(|known| known.at_unix_ns == at_unix_ns) {
                self.known.remove(&key);
                self.gone.push(key);
                self.evicted_total += u64::from(!old);
            }
        }
    }
}
