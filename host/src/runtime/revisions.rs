//! The configurations that ran, newest first, so that they can be looked at, compared and gone back to.
//!
//! Bounded by [`REVISIONS_MAX`] and [`TEXT_BYTES_MAX`] of text together; the one that runs and the one before it are always kept. The newest of them are part of
//! checkpoints, so that they outlive the process.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_core::batch::Position;

use crate::view;

pub const REVISIONS_MAX: usize = 1_000;
pub const TEXT_BYTES_MAX: usize = 32 << 20;
/// Longest summary that is kept.
const SUMMARY_CHARS_MAX: usize = 500;

#[derive(Clone, Debug)]
pub struct Revision {
    pub revision: u64,
    pub position: Position,
    pub at_unix_ns: i64,
    /// default, file, api, cli or page
    pub origin: String,
    pub summary: String,
    pub text: Arc<str>,
}

#[derive(Default)]
pub struct Revisions {
    newest_first: VecDeque<Revision>,
    text_bytes: usize,
}

impl Revisions {
    pub fn push(&mut self, mut revision: Revision) {
        if let Some((cut, _)) = revision.summary.char_indices().nth(SUMMARY_CHARS_MAX) {
            revision.summary.truncate(cut);
        }
        self.text_bytes += revision.text.len();
        self.newest_first.push_front(revision);
        while self.newest_first.len() > 2
            && (self.newest_first.len() > REVISIONS_MAX || self.text_bytes > TEXT_BYTES_MAX)
        {
            let gone = self.newest_first.pop_back();
            self.text_bytes -= gone.map_or(0, |gone| gone.text.len());
        }
    }

    /// Newest first, at most so many.
    pub fn newest_of(&self, count: usize) -> impl Iterator<Item = &Revision> {
        self.newest_first.iter().take(count)
    }

    pub fn newest(&self) -> Option<&Revision> {
        self.newest_first.front()
    }

    pub fn get(&self, revision: u64) -> Option<&Revision> {
        self.newest_first.iter().find(|known| known.revision == revision)
    }

    /// The one that ran before.
    pub fn before(&self, revision: u64) -> Option<&Revision> {
        self.newest_first.iter().find(|known| known.revision < revision)
    }

    pub fn views(&self) -> Vec<view::RevisionView> {
        let view = |known: &Revision| view::RevisionView {
            revision: known.revision,
            position: known.position.offset,
            at: super::views::rfc3339(known.at_unix_ns),
            origin: known.origin.clone(),
            summary: known.summary.clone(),
            bytes: known.text.len() as u64,
        };
        self.newest_first.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u64, bytes: usize) -> Revision {
        Revision {
            revision: number,
            position: Position::default(),
            at_unix_ns: 0,
            origin: "api".into(),
            summary: "s".repeat(600),
            text: "x".repeat(bytes).into(),
        }
    }

    #[test]
    fn the_oldest_go_first_and_two_always_stay() {
        let mut revisions = Revisions::default();
        (1..=1_001).for_each(|number| revisions.push(revision(number, 1)));
        assert_eq!(revisions.views().len(), REVISIONS_MAX);
        assert!(revisions.get(1).is_none() && revisions.get(2).is_some());
        assert_eq!(revisions.newest().map(|newest| newest.summary.len()), Some(500));
        (1_002..=1_003).for_each(|number| revisions.push(revision(number, TEXT_BYTES_MAX)));
        assert_eq!(revisions.views().len(), 2);
        assert_eq!(revisions.before(1_003).map(|before| before.revision), Some(1_002));
    }
}
