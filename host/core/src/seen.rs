//! What was accepted, so that nothing is accepted twice: numbers of producers, keys of requests, places in files.
//!
//! In: batches and notes just before they get their position, with the time of the log; after a restart the entries of a checkpoint and the records behind it. Out: rows and
//! requests that came before, and where to read on. It is changed only together with the log's position (one lock), so that what is marked is what is journaled; it
//! follows from the records alone, so that a replay comes to the same.
//!
//! Sources and their settings come with the configuration. Every part is bounded, see its file; what is forgotten for that is counted.

mod dump;
mod files;
mod producers;
mod ranges;
mod requests;

use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;

use crate::batch::{Incoming, Origin};
use crate::config::{SourceKind, SourceSpec};
use crate::record::{Note, Payload, Record};

pub use dump::{Cursor, PLACE, PRODUCER, REQUEST};
pub use files::Places;
pub use producers::{Found, Producers};
pub use ranges::Ranges;
pub use requests::Requests;

#[derive(Debug, Default)]
pub struct Seen {
    pub producers: Producers,
    pub requests: Requests,
    pub places: Places,
}

impl Seen {
    /// From here on sources ask for this.
    pub fn configure(&mut self, sources: &[SourceSpec]) {
        let asked = sources.iter().filter_map(|source| Some((&source.name, source.dedup.as_ref()?)));
        self.producers.configure(asked);
        let http = sources.iter().find(|source| source.kind == SourceKind::Http);
        self.requests.configure(http.map(|source| source.requests.clone()));
    }

    /// A record of the journal that is run again.
    pub fn follow(&mut self, record: &Record) {
        if let Payload::Batch { batch, .. } = &record.payload
            && let Origin::Source(source) = &batch.origin
        {
            // Duplicates were left out when it was accepted.
            self.producers.take(source, &batch.columns, record.position.offset);
        }
        match record.note.as_deref() {
            Some(Note::Request(request)) => {
                self.requests.insert(Arc::new(request.clone()), record.accepted_at_unix_ns);
            }
            Some(Note::Files(files)) => self.places.note(files),
            None => {}
        }
    }
}

/// Without these rows, which rise. None: nothing is left.
pub fn without(incoming: Incoming, rows: &[u32]) -> Option<Incoming> {
    if rows.is_empty() {
        return Some(incoming);
    }
    if rows.len() >= incoming.rows() {
        return None;
    }
    let mut keep = vec![true; incoming.rows()];
    for row in rows {
        if let Some(keep) = keep.get_mut(*row as usize) {
            *keep = false;
        }
    }
    let time = incoming.time.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(time, _)| *time).collect();
    // Cannot fail: the mask is as long as the batch.
    let columns = filter_record_batch(&incoming.columns, &BooleanArray::from(keep)).ok()?;
    Some(Incoming { time, columns, ..incoming })
}

#[cfg(test)]
mod tests;
