//! Alarms of the host's own: units whose state has no more room, and dead letters that are lost or may be.
//!
//! In: the counters of the units and of the dead letters. Out: a notice for each unit that had to refuse keys or writes within the last [`KEPT_NS`], and for dead letters that were pushed out within that time,
//! whose file cannot be written, or was damaged at the start; and one warning in the log when such a thing begins. That it happens at all is what an operator must hear.

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
    pushed_out: Mutex<PushedOut>,
}

/// Rows of dead letters for which there was no room.
#[derive(Default)]
struct PushedOut {
    rows: u64,
    /// When a look saw more of them; none: never.
    at_unix_ns: Option<i64>,
}

impl PushedOut {
    /// Whether that begins, after a while without.
    fn look(&mut self, rows: u64, now_unix_ns: i64) -> bool {
        if rows <= self.rows {
            return false;
        }
        self.rows = rows;
        let before = self.at_unix_ns.replace(now_unix_ns);
        !before.is_some_and(|at| is_recent(at, now_unix_ns))
    }
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

    /// Dead letters, then units by name.
    pub fn notices(&self) -> Vec<NoticeView> {
        let now = clock_unix_ns();
        let mut notices = self.notices_of_letters(now);
        notices.extend(self.notices_of_units(now));
        notices
    }

    fn notices_of_letters(&self, now_unix_ns: i64) -> Vec<NoticeView> {
        let status = self.dead_status();
        let one = |kind, total, at, message| NoticeView { kind, unit: None, total, at: rfc3339(at), message };
        let mut notices = Vec::new();
        if let Some(why) = self.letters_fail() {
            let message = format!(
                "the file of the dead letters cannot be written: {why}; no checkpoint is made and the journal is kept until it can"
            );
            notices.push(one("dead-letters-not-written", status.errors_total, now_unix_ns, message));
        }
        let pushed_out = self.notices.pushed_out.lock().at_unix_ns;
        if let Some(at) = pushed_out.filter(|at| is_recent(*at, now_unix_ns)) {
            let rows = status.totals.evicted;
            let message = format!(
                "{rows} rows of dead letters were pushed out by newer ones and are lost: repair the unit, give back or drop what is there, or raise keep_rows or keep_bytes in [dead]"
            );
            notices.push(one("dead-letters-pushed-out", rows, at, message));
        }
        if status.damaged_total > 0 {
            let message = format!(
                "the file of the dead letters was damaged at the start, in {} places: the letters there are lost, the rest was read; the file as it was is dead/letters.damaged in the folder of data",
                status.damaged_total
            );
            notices.push(one("dead-letters-damaged", status.damaged_total, status.opened_unix_ns, message));
        }
        notices
    }

    fn notices_of_units(&self, now_unix_ns: i64) -> Vec<NoticeView> {
        let mut notices: Vec<NoticeView> = self
            .over_quota(now_unix_ns)
            .into_iter()
            .map(|(unit, counters, at)| {
                let refused_total = NodeCounters::get(&counters.over_quota);
                NoticeView {
                    kind: "over-quota",
                    message: format!(
                        "the state of `{unit}` has no room for more: {refused_total} keys or writes were refused; let fewer columns make its key, or let entries expire"
                    ),
                    unit: Some(unit.to_string()),
                    total: refused_total,
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
        let rows = self.dead_status().totals.evicted;
        if self.notices.pushed_out.lock().look(rows, now) {
            tracing::warn!(rows, "dead letters were pushed out by newer ones and are lost, see /api/alerts");
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

    #[test]
    fn letters_that_are_pushed_out_are_told_once_while_it_lasts() {
        const M: i64 = 60_000_000_000;
        let mut pushed_out = PushedOut::default();
        let looks = [(0, 100), (3, 100), (9, 101), (9, 115), (12, 116)];
        let told: Vec<bool> = looks.iter().map(|(rows, at)| pushed_out.look(*rows, at * M)).collect();
        assert_eq!(told, [false, true, false, false, true]);
    }
}
