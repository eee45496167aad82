//! Rows that no stream got, kept to be looked at.
//!
//! In: rejected rows of all sources, in the order in which they came. Out: the newest of a source or of a stream, newest first. Bounds: the newest
//! [`KEPT_PER_SOURCE_MAX`] of each source, so that one sender of rubbish hides no other source's; of each row the first [`FIRST_BYTES_MAX`] bytes and a
//! reason of a few hundred. All are counted elsewhere, whether kept or not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::triplet::Triplet;

/// Sources are as many as the configuration names, so that this bounds all.
const KEPT_PER_SOURCE_MAX: usize = 256;

/// Enough to recognise an event, too little to fill the memory.
const FIRST_BYTES_MAX: usize = 200;

/// A row that no stream got.
#[derive(Debug, Clone)]
pub struct RejectedRow {
    pub at_unix_ns: i64,
    pub source: Arc<str>,
    /// Where it would have gone unless it said otherwise itself: the path of an HTTP request, or the triplet of the source.
    pub stream: Option<Triplet>,
    /// Where in the connection or body it began.
    pub offset_bytes: u64,
    /// As far as it goes in what was read.
    pub length_bytes: u64,
    /// From 1.
    pub line: u64,
    pub code: &'static str,
    pub message: String,
    /// The beginning of it; what is no UTF-8 is replaced by U+FFFD.
    pub first_bytes: String,
}

/// The newest rejected rows of each source.
#[derive(Debug, Default)]
pub struct RejectedRows {
    by_source: Mutex<BTreeMap<Arc<str>, VecDeque<RejectedRow>>>,
}

impl RejectedRows {
    /// Takes rows of one source, oldest first.
    pub(super) fn take(&self, source: &Arc<str>, rows: Vec<RejectedRow>) {
        let mut by_source = self.by_source.lock();
        let kept = by_source.entry(Arc::clone(source)).or_default();
        let skipped = rows.len().saturating_sub(KEPT_PER_SOURCE_MAX);
        for row in rows.into_iter().skip(skipped) {
            if kept.len() >= KEPT_PER_SOURCE_MAX {
                kept.pop_front();
            }
            kept.push_back(row);
        }
    }

    /// Newest first; of one source, of one stream, or of all.
    pub fn newest(&self, source: Option<&str>, stream: Option<&str>, limit: usize) -> Vec<RejectedRow> {
        let by_source = self.by_source.lock();
        let asked = |row: &&RejectedRow| {
            source.is_none_or(|source| *row.source == *source)
                && stream
                    .is_none_or(|stream| row.stream.as_ref().is_some_and(|known| known.as_str() == stream))
        };
        let mut rows: Vec<&RejectedRow> =
            by_source.values().flat_map(|rows| rows.iter().rev()).filter(asked).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.at_unix_ns));
        rows.into_iter().take(limit).cloned().collect()
    }
}

/// The beginning of an event as text.
pub(super) fn first_bytes(event: &[u8]) -> String {
    let first = event.get(..FIRST_BYTES_MAX).unwrap_or(event);
    String::from_utf8_lossy(first).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(source: &str, stream: Option<&str>, at_unix_ns: i64) -> RejectedRow {
        RejectedRow {
            at_unix_ns,
            source: source.into(),
            stream: stream.map(|stream| stream.parse().unwrap()),
            offset_bytes: 0,
            length_bytes: 1,
            line: 1,
            code: "syntax",
            message: "no".to_owned(),
            first_bytes: first_bytes(b"{"),
        }
    }

    #[test]
    fn a_flood_of_one_source_leaves_the_rows_of_another() {
        let rows = RejectedRows::default();
        rows.take(&"calm".into(), vec![row("calm", Some("a/b/c"), 1)]);
        let flood = (2..5_000).map(|at| row("loud", None, at)).collect();
        rows.take(&"loud".into(), flood);
        assert_eq!(rows.newest(None, None, usize::MAX).len(), KEPT_PER_SOURCE_MAX + 1);
        assert_eq!(rows.newest(Some("loud"), None, 1).first().map(|row| row.at_unix_ns), Some(4_999));
        assert_eq!(rows.newest(None, Some("a/b/c"), 9).first().map(|row| row.at_unix_ns), Some(1));
    }

    #[test]
    fn what_is_kept_of_an_event_is_bounded_and_text() {
        assert_eq!(first_bytes(&[b'x'; 10_000]).len(), FIRST_BYTES_MAX);
        assert_eq!(first_bytes(b"\xff{"), "\u{fffd}{");
    }
}
