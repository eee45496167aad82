//! Dead letters given to their units again, and dropped, because an operator says so.
//!
//! In: ids, a unit, or all. Out: how many letters that was, and which were refused with the reason. Giving back is a command in the log, with the rows in it: once it is durable it happens
//! exactly once, whatever crashes, and a replay of the journal does the same again. Letters of one unit go together, in the order in which their events came in, at most [`COMMAND_BYTES_MAX`] and
//! [`COMMAND_LETTERS_MAX`] in one command; a flow that has much waiting is waited for, at most [`ROOM_MAX`] in all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::flow::redeliver::takes;
use weir_core::letter::{DeadLetter, LetterId, LetterOf};
use weir_core::record::{Command, Run};
use weir_journal::letters::{End, Kept};

use super::build::{FlowPlan, PipelinePlan, Routed};
use super::log::{Claimed, Log};
use super::{KEPT_MAX, Runtime, clock_unix_ns};
use crate::intake::Receipt;

const COMMAND_BYTES_MAX: usize = 4 << 20;
const COMMAND_LETTERS_MAX: usize = 256;
const ROOM_MAX: Duration = Duration::from_secs(10);
const ROOM_LOOK: Duration = Duration::from_millis(5);
/// Refusals that are told one by one.
const REFUSED_MAX: usize = 1_000;

/// Which letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letters {
    Ids(Vec<LetterId>),
    Unit(String),
    All,
}

/// What it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redelivered {
    /// Letters.
    pub done: u64,
    /// The first [`REFUSED_MAX`], with the reason.
    pub refused: Vec<(LetterId, String)>,
    pub refused_total: u64,
    /// Rows that are older than the watermark of their stream by now: units with windows let them out as late.
    pub late_rows: u64,
}

impl Redelivered {
    fn refuse(&mut self, id: LetterId, why: impl Into<String>) {
        self.refused_total += 1;
        if self.refused.len() < REFUSED_MAX {
            self.refused.push((id, why.into()));
        }
    }
}

const NO_LETTER: &str = "there is no such letter (any more): it was given back, dropped or pushed out; `weir dead ls` lists those that are there";

impl PipelinePlan {
    /// Whether letters of this unit belong here.
    pub fn takes(&self, unit: &str) -> bool {
        takes(&self.spec, self.nodes.iter().map(|node| Arc::clone(&node.made.id)), unit)
    }
}

impl FlowPlan {
    pub fn pipeline_of(&self, unit: &str) -> Option<&PipelinePlan> {
        self.pipelines.iter().find(|pipeline| pipeline.takes(unit))
    }
}

/// Why letters of a unit cannot be given back now.
pub(super) fn why_not(log: &Log, unit: &str, of: LetterOf) -> Option<String> {
    if of == LetterOf::Timers {
        return Some(
            "these are timers that the unit could not take, not rows; there is nothing to give back"
                .to_owned(),
        );
    }
    let Some(pipeline) = log.flows().iter().find_map(|flow| flow.plan.pipeline_of(unit)) else {
        return Some(format!(
            "there is no unit `{unit}` any more; add one of that name, or send the rows as new events"
        ));
    };
    let stopped = |name: &str| log.runs.get(name) == Some(&Run::Stopped);
    let name = &*pipeline.spec.name;
    (stopped(name) || stopped(unit)).then(|| format!("`{unit}` is stopped; start it first"))
}

impl Runtime {
    /// Those that are there, in the order in which their events came in; the others are refused.
    fn ids_of(&self, which: &Letters) -> (Vec<LetterId>, Redelivered) {
        let mut done = Redelivered::default();
        let letters = self.dead.letters.lock();
        let mut there: Vec<&Kept> = match which {
            Letters::All => letters.iter().collect(),
            Letters::Unit(unit) => letters.iter().filter(|kept| *kept.id.unit == **unit).collect(),
            Letters::Ids(ids) => {
                let mut ids: Vec<&LetterId> = ids.iter().collect();
                ids.sort_unstable();
                ids.dedup();
                let mut there = Vec::new();
                for id in ids {
                    match letters.get(id) {
                        Some(kept) => there.push(kept),
                        None => done.refuse(id.clone(), NO_LETTER),
                    }
                }
                there
            }
        };
        // One that came back has a younger id than those behind it.
        there.sort_by(|left, right| (left.event, &left.id).cmp(&(right.event, &right.id)));
        (there.into_iter().map(|kept| kept.id.clone()).collect(), done)
    }

    /// Drops letters. The error: they are dropped, and may be there again after a crash.
    pub fn drop_letters(&self, which: &Letters) -> Result<Redelivered, String> {
        let _one_at_a_time = self.dead.redelivering.lock();
        let (ids, mut done) = self.ids_of(which);
        {
            let mut letters = self.dead.letters.lock();
            for id in &ids {
                done.done += u64::from(letters.end(id, id.offset, End::Dropped).is_some());
            }
        }
        if done.done > 0 {
            self.flush_all_letters()?;
        }
        Ok(done)
    }

    /// Gives letters to their units again. The error: nothing was given, or it may not be on disk.
    pub fn replay_letters(&self, which: &Letters) -> Result<Redelivered, String> {
        let _one_at_a_time = self.dead.redelivering.lock();
        let (ids, mut done) = self.ids_of(which);
        let mut by_unit: BTreeMap<Arc<str>, Vec<LetterId>> = BTreeMap::new();
        for id in ids {
            by_unit.entry(Arc::clone(&id.unit)).or_default().push(id);
        }
        let until = Instant::now() + ROOM_MAX;
        let mut last = Receipt::default();
        for (unit, ids) in by_unit {
            let mut ids = ids.into_iter().peekable();
            while ids.peek().is_some() {
                let letters = self.next_letters(&mut ids, &mut done);
                if !letters.is_empty() {
                    let given = self.give_back(&unit, letters, until, &mut done)?;
                    last = given.unwrap_or_default().after(last);
                }
            }
        }
        last.wait(KEPT_MAX).map_err(|refused| refused.to_string())?;
        Ok(done)
    }

    /// As many as one command takes.
    fn next_letters(
        &self,
        ids: &mut std::iter::Peekable<std::vec::IntoIter<LetterId>>,
        done: &mut Redelivered,
    ) -> Vec<DeadLetter> {
        let kept = self.dead.letters.lock();
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while let Some(id) = ids.next_if(|_| letters.len() < COMMAND_LETTERS_MAX && bytes < COMMAND_BYTES_MAX)
        {
            match kept.get(&id).map(|kept| (kept.bytes.len(), kept.letter())) {
                None => done.refuse(id, NO_LETTER),
                Some((_, None)) => done.refuse(id, "its rows cannot be read"),
                Some((length, Some(letter))) => {
                    bytes += length;
                    letters.push(letter);
                }
            }
        }
        letters
    }

    /// One command.
    fn give_back(
        &self,
        unit: &Arc<str>,
        letters: Vec<DeadLetter>,
        until: Instant,
        done: &mut Redelivered,
    ) -> Result<Option<Receipt>, String> {
        let mut claimed = Claimed::new();
        let given = loop {
            let mut log = self.log.lock();
            let mut ready = Vec::new();
            let mut refused = Vec::new();
            for letter in &letters {
                match why_not(&log, unit, letter.of) {
                    Some(why) => refused.push((letter.id.clone(), why)),
                    None => ready.push(letter.clone()),
                }
            }
            if ready.is_empty() {
                refused.into_iter().for_each(|(id, why)| done.refuse(id, why));
                return Ok(None);
            }
            if let Some(why) = no_room(&log, unit) {
                drop(log);
                if Instant::now() > until {
                    letters.into_iter().for_each(|letter| done.refuse(letter.id, why.clone()));
                    return Ok(None);
                }
                std::thread::sleep(ROOM_LOOK);
                continue;
            }
            refused.into_iter().for_each(|(id, why)| done.refuse(id, why));
            done.late_rows += late_rows(&log, unit, &ready);
            done.done += ready.len() as u64;
            let command = Command::Redeliver { unit: Arc::clone(unit), letters: ready.into() };
            let given = log.command_taken(command, clock_unix_ns(), &mut claimed);
            // Under the log's lock: no checkpoint may know the record and have its letters still.
            if let Ok((record, _)) = &given {
                self.note_redelivered(record);
            }
            break given;
        };
        let (_, receipt) = given.map_err(|stopped| stopped.to_string())?;
        self.schedule(claimed);
        Ok(Some(receipt))
    }
}

/// Why nothing more can be given to the flows of a unit, for now.
fn no_room(log: &Log, unit: &str) -> Option<String> {
    if let Some(Err(refused)) = log.journal.as_ref().map(|journal| journal.room()) {
        return Some(refused.to_string());
    }
    let own = |flow: &&Routed| flow.plan.pipeline_of(unit).is_some();
    let waits = |flow: &Routed| flow.actor.queue.lock().has_much();
    log.flows()
        .iter()
        .filter(own)
        .any(waits)
        .then(|| format!("the pipeline of `{unit}` has much waiting; try again when it has caught up"))
}

fn late_rows(log: &Log, unit: &str, letters: &[DeadLetter]) -> u64 {
    let pipeline = log.flows().iter().find_map(|flow| flow.plan.pipeline_of(unit));
    let lateness_ns = pipeline.map_or(0, |pipeline| pipeline.spec.lateness_ns);
    let late = |letter: &DeadLetter| {
        let mark = log.sequencer.stream(&letter.batch.triplet)?.watermark_unix_ns.saturating_sub(lateness_ns);
        Some(letter.batch.time.iter().filter(|time| **time < mark).count() as u64)
    };
    letters.iter().filter_map(late).sum()
}
