//! Alarms of the host's own: units whose state has no more room.
//!
//! In: the counters of the units. Out: a notice for each unit that had to refuse keys or writes within the last [`KEPT_NS`], and one warning in the log when that begins. The rows are
//! dead letters or the unit's own affair; that it happens at all is what an operator must hear.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::flow::counters::NodeCounters;

use super::{Runtime, clock_unix_ns, rfc3339};
use crate::view::NoticeView;

/// A unit that was not refused anything for so long is calm again.
const KEPT_NS: i64 = 600_000_000_000;

#[derive(Default)]
pub struct Notices {
    /// Units that were told of, and when they were refused last.
    told: Mutex<HashMap<Arc<str>, i64>>,
}

impl Notices {
    /// Units of which nothing has been told while it lasts.
    fn begun(&self, over: &[(Arc<str>, Arc<NodeCounters>, i64)], now_unix_ns: i64) -> Vec<Arc<str>> {
        let mut told = self.told.lock();
        told.retain(|_, at| is_recent(*at, now_unix_ns));
        let begun = over.iter().filter(|(id, _, at)| told.insert(Arc::clone(id), *at).is_none());
        begun.map(|(id, _, _)| Arc::clone(id)).collect()
    }
}

fn is_recent(at_unix_ns: i64, now_unix_ns: i64) -> bool {
    now_unix_ns.saturating_sub(at_unix_ns) < KEPT_NS
}

/// Those that were over their quota lately.
fn over<'a>(
    counters: impl Iterator<Item = (&'a Arc<str>, &'a Arc<NodeCounters>)>,
    now_unix_ns: i64,
) -> Vec<(Arc<str>, Arc<NodeCounters>, i64)> {
    let one = |(id, counters): (&Arc<str>, &Arc<NodeCounters>)| {
        let at = counters.over_quota_at_unix_ns().filter(|at| is_recent(*at, now_unix_ns))?;
        Some((Arc::clone(id), Arc::clone(counters), at))
    };
    counters.filter_map(one).collect()
}

impl Runtime {
    fn over_quota(&self, now_unix_ns: i64) -> Vec<(Arc<str>, Arc<NodeCounters>, i64)> {
        over(self.configured.lock().counters.iter(), now_unix_ns)
    }

    /// Sorted by unit.
    pub fn notices(&self) -> Vec<NoticeView> {
        let mut notices: Vec<NoticeView> = self
            .over_quota(clock_unix_ns())
            .into_iter()
            .map(|(unit, counters, at)| {
                let refused_total = NodeCounters::get(&counters.over_quota);
                NoticeView {
                    kind: "over-quota",
                    message: format!(
                        "the state of `{unit}` has no room for more: {refused_total} keys or writes were refused; let fewer columns make its key, or let entries expire"
                    ),
                    unit: unit.to_string(),
                    refused_total,
                    at: rfc3339(at),
                }
            })
            .collect();
        notices.sort_by(|left, right| left.unit.cmp(&right.unit));
        notices
    }

    /// Now and then: what begins is told in the log, once.
    pub(super) fn tell_notices(&self) {
        let now = clock_unix_ns();
        let over = self.over_quota(now);
        for unit in self.notices.begun(&over, now) {
            tracing::warn!(%unit, "the state of a unit has no room for more; its keys or writes are refused, see /api/alerts");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_over_its_quota_is_told_once_while_it_lasts() {
        const M: i64 = 60_000_000_000;
        let (unit, counters): (Arc<str>, _) = ("p/u".into(), Arc::<NodeCounters>::default());
        let notices = Notices::default();
        let told = |now| notices.begun(&over([(&unit, &counters)].into_iter(), now), now).len();
        assert_eq!(told(100 * M), 0);
        counters.note_over_quota(3, 100 * M);
        assert_eq!((told(100 * M), told(101 * M)), (1, 0));
        counters.note_over_quota(1, 108 * M);
        assert_eq!((told(108 * M), told(117 * M)), (0, 0));
        assert_eq!(over([(&unit, &counters)].into_iter(), 119 * M).len(), 0, "calm again");
        counters.note_over_quota(1, 130 * M);
        assert_eq!(told(130 * M), 1);
    }
}
