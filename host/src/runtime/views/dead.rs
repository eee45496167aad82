//! Dead letters as the API shows them, newest first.
//!
//! Heads are looked at under the lock; rows are made readable behind it.

use serde_json::Value;
use weir_core::letter::{DeadLetter, LetterId, LetterOf};
use weir_core::recent;
use weir_journal::letters::Kept;

use super::super::Runtime;
use super::super::redeliver::why_not;
use super::rfc3339;
use crate::view::{LetterRow, LetterView};

/// Which letters; what is not said fits all.
#[derive(Debug, Clone, Default)]
pub struct LettersWanted {
    pub unit: Option<String>,
    pub pipeline: Option<String>,
    pub code: Option<String>,
    /// Only those that are older.
    pub before: Option<LetterId>,
    pub limit: usize,
}

impl LettersWanted {
    fn fits(&self, kept: &Kept) -> bool {
        let is =
            |wanted: &Option<String>, there: &str| wanted.as_ref().is_none_or(|wanted| *wanted == *there);
        is(&self.unit, &kept.id.unit) && is(&self.pipeline, &kept.pipeline) && is(&self.code, &kept.code)
    }

    /// How many fit in all, their rows, and those that are wanted, newest first.
    pub fn pick<'a>(&self, letters: impl DoubleEndedIterator<Item = &'a Kept>) -> (u64, u64, Vec<Kept>) {
        let (mut total, mut rows, mut picked) = (0, 0, Vec::new());
        for kept in letters.rev().filter(|kept| self.fits(kept)) {
            total += 1;
            rows += u64::from(kept.rows);
            if picked.len() < self.limit && self.before.as_ref().is_none_or(|before| kept.id < *before) {
                picked.push(kept.clone());
            }
        }
        (total, rows, picked)
    }
}

/// `why`: why it cannot be given back.
pub fn letter_view(kept: &Kept, letter: &DeadLetter, why: Option<String>) -> LetterView {
    let first = recent::event(&letter.batch, 0);
    let is_row = letter.of != LetterOf::Timers;
    LetterView {
        id: letter.id.to_string(),
        unit: letter.id.unit.to_string(),
        pipeline: letter.pipeline.to_string(),
        digest: letter.digest.to_string(),
        code: letter.code.clone(),
        message: letter.message.clone(),
        position: first.position,
        row: first.row,
        rows: letter.rows(),
        time: rfc3339(letter.at_unix_ns),
        stream: letter.batch.triplet.to_string(),
        fields: if is_row { Value::Object(first.fields) } else { Value::Null },
        attempts: letter.attempts,
        bytes: kept.bytes.len(),
        replayable: why.is_none(),
        why,
    }
}

/// All rows of a letter.
pub fn letter_rows(letter: &DeadLetter) -> Vec<LetterRow> {
    let row = |row| {
        let event = recent::event(&letter.batch, row);
        LetterRow { row: event.row, time: rfc3339(event.time_unix_ns), fields: event.fields }
    };
    (0..letter.rows()).map(row).collect()
}

impl Runtime {
    /// How many letters fit, their rows, and the newest of them.
    pub fn letters(&self, wanted: &LettersWanted) -> (u64, u64, Vec<LetterView>) {
        let (total, rows, picked) = wanted.pick(self.dead.letters.lock().iter());
        (
            total,
            rows,
            picked.iter().filter_map(|kept| self.letter_shown(kept)).map(|(view, _)| view).collect(),
        )
    }

    pub fn letter(&self, id: &LetterId) -> Option<(LetterView, Vec<LetterRow>)> {
        let kept = self.dead.letters.lock().get(id).cloned()?;
        let (view, letter) = self.letter_shown(&kept)?;
        Some((view, letter_rows(&letter)))
    }

    fn letter_shown(&self, kept: &Kept) -> Option<(LetterView, DeadLetter)> {
        let letter = kept.letter()?;
        let why = why_not(&self.log.lock(), &kept.id.unit, kept.of);
        Some((letter_view(kept, &letter, why), letter))
    }
}
