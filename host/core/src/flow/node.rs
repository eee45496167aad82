//! One unit or rule at work in a flow: its state, its instance, and what happens when a call goes wrong.
//!
//! In: a batch (all columns). Out: batches by port, signals, dead letters. A call that fails is retried once on a new instance; then the input is cut in
//! halves until the rows to blame stand alone, and these go to the dead letters. The state writes of a call that failed are taken back, those of
//! calls that worked stay part of the record. At most [`CALLS_MAX`] calls are spent on one input; what is then still unknown is dead-lettered whole.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::circuit::Circuit;
use super::counters::{NodeCounters, Shown};
use super::effects::Effects;
use crate::apply::{Applied, Scene, apply};
use crate::batch::Batch;
use crate::config::CircuitPolicy;
use crate::letter::{DeadLetter, LetterOf};
use crate::plan::Plan;
use crate::projection;
use crate::record::Run;
use crate::state::{Mark, SharedState, UnitState};
use crate::unit::{CallError, Context, Due, Failure, Fault, FaultKind, Input, Unit, Verdict};

/// Calls spent on one input that fails: enough to find four bad rows in 65,536.
const CALLS_MAX: u32 = 80;

/// A unit or rule in a flow.
pub struct Node {
    pub id: Arc<str>,
    pub digest: Arc<str>,
    pub plan: Arc<Plan>,
    /// What the unit was made from: an equal one may go on in its place.
    pub made_from: Arc<str>,
    pub unit: Box<dyn Unit>,
    pub state: SharedState,
    pub run: Run,
    pub circuit: Circuit,
    pub policy: CircuitPolicy,
    pub counters: Arc<NodeCounters>,
    /// Compiled `where` of the plan.
    pub selector: Option<Arc<weir_expr::Expr>>,
    /// How far the watermark runs behind the pipeline's, because units before this one hold rows back.
    pub hold_ns: i64,
    /// Calls in this record.
    pub part: u32,
    /// Batches emitted in this record.
    pub ordinal: u32,
    /// Time of acceptance of the last periodic tick.
    pub ticked_at: i64,
    /// Whether a fault happened in this record, for the flow's choice of thread.
    pub faulted: bool,
    /// What this record adds to the counters, if it is committed.
    pub tally: Tally,
    /// Where the state was before this record.
    pub start: Option<Mark>,
}

/// Counts of one record.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub rows_in: u64,
    pub rows_out: u64,
    pub rejected: u64,
    pub late: u64,
    pub dropped: u64,
    /// Rows whose key did not fit.
    pub over_quota: u64,
}

/// What a record says to all calls that come from it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub position: u64,
    pub accepted_at_unix_ns: i64,
    pub watermark_unix_ns: i64,
    /// The newest time of acceptance that the flow knows of; for circuits.
    pub newest_unix_ns: i64,
    /// Whether a fault may be searched for here; else the first one ends the record, which is taken back and run again elsewhere.
    pub patient: bool,
}

/// The lock of a unit's state. Only a checkpoint is ever met there.
pub fn lock(state: &SharedState) -> MutexGuard<'_, UnitState> {
    state.lock()
}

impl Node {
    /// A node at its beginning: it runs, holds its input when its circuit opens, selects every row and is behind nothing. What is otherwise is
    /// said with `Node { policy, ..Node::new(..) }`.
    pub fn new(
        id: Arc<str>,
        digest: Arc<str>,
        plan: Arc<Plan>,
        state: SharedState,
        unit: Box<dyn Unit>,
    ) -> Self {
        Self {
            id,
            digest,
            plan,
            made_from: "".into(),
            unit,
            state,
            run: Run::Running,
            circuit: Circuit::default(),
            policy: CircuitPolicy::Hold,
            counters: Arc::default(),
            selector: None,
            hold_ns: 0,
            part: 0,
            ordinal: 0,
            ticked_at: 0,
            faulted: false,
            tally: Tally::default(),
            start: None,
        }
    }

    /// Runs one batch through the unit.
    pub fn process(
        &mut self,
        batch: &Batch,
        moment: Moment,
        clock: &dyn Fn() -> u64,
        effects: &mut Effects,
    ) -> Applied {
        self.tally.rows_in += batch.rows() as u64;
        let Some(batch) = self.select(batch) else { return Applied::default() };
        let (projected, refused) = projection::project(&batch, &self.plan);
        for refused in refused {
            self.dead(&refused.batch, refused.code, &refused.message, effects);
        }
        let Some((batch, columns)) = projected else { return Applied::default() };
        let Some((batch, input)) = self.number(batch, columns, effects) else { return Applied::default() };
        let started = clock();
        let mut spent = 0;
        let applied = self.attempt(&batch, &input, moment, 0, &mut spent, effects);
        NodeCounters::add(&self.counters.busy_ns, clock().saturating_sub(started));
        NodeCounters::add(&self.counters.calls, u64::from(spent));
        if self.faulted && !moment.patient {
            return applied;
        }
        // Rows that stand alone after halving count as well: a unit that fails on each of them works on none.
        let refused: usize = applied.rejected.iter().map(|rejected| rejected.batch.rows()).sum();
        let worked = refused < batch.rows() || spent == 1;
        self.settle_circuit(worked, moment);
        self.take_rejected(applied, effects)
    }

    /// A record begins.
    pub fn begin(&mut self) {
        (self.part, self.ordinal, self.faulted) = (0, 0, false);
        self.tally = Tally::default();
        self.start = Some(lock(&self.state).mark());
    }

    /// The record is done: its state and counts stand.
    pub fn commit(&mut self, at_unix_ns: i64) {
        let (entries, over_quota) = {
            let mut state = lock(&self.state);
            state.commit();
            (state.entries() as u64, state.take_over_quota())
        };
        let (counters, tally) = (&self.counters, self.tally);
        if tally.over_quota + over_quota > 0 {
            counters.note_over_quota(tally.over_quota + over_quota, at_unix_ns);
        }
        counters.state_entries.store(entries, Ordering::Relaxed);
        if self.part == 0 && tally.rows_in == 0 && tally.dropped == 0 {
            return;
        }
        counters.memory_bytes.store(self.unit.memory_bytes() as u64, Ordering::Relaxed);
        NodeCounters::add(&counters.rows_in, tally.rows_in);
        NodeCounters::add(&counters.rows_out, tally.rows_out);
        NodeCounters::add(&counters.rejected, tally.rejected);
        NodeCounters::add(&counters.late, tally.late);
        NodeCounters::add(&counters.dropped, tally.dropped);
    }

    /// The record did not happen. An instance that was called may have cached what is taken back, so it ends.
    pub fn take_back(&mut self) {
        if let Some(start) = self.start.take() {
            lock(&self.state).roll_back(start);
        }
        if self.part > 0 {
            self.unit.reset();
        }
    }

    /// Hands due timers (or a periodic tick) to the unit. A tick that fails is tried again on a new instance; then its timers are dead-lettered.
    pub fn tick(
        &mut self,
        due: &Due,
        moment: Moment,
        template: &Batch,
        clock: &dyn Fn() -> u64,
        effects: &mut Effects,
    ) -> Applied {
        let started = clock();
        let mut last = None;
        for _ in 0..2 {
            let mark = lock(&self.state).mark();
            let context = self.context(moment, 0);
            self.part += 1;
            NodeCounters::add(&self.counters.calls, 1);
            let outcome = self.unit.tick(&context, due).and_then(|outputs| {
                let ordinal = &mut self.ordinal;
                let state = lock(&self.state);
                let scene = Scene { unit: &self.id, keys: &state.keys, template, triplet: &template.triplet };
                apply(&scene, None, outputs, ordinal)
                    .map_err(|message| contract(&self.id, &self.digest, "tick", message))
            });
            match outcome {
                Ok(applied) => {
                    NodeCounters::add(&self.counters.busy_ns, clock().saturating_sub(started));
                    self.settle_circuit(true, moment);
                    return self.take_rejected(applied, effects);
                }
                Err(error) => {
                    lock(&self.state).roll_back(mark);
                    self.unit.reset();
                    last = Some(self.note(error, "tick", moment, 0, effects));
                    if !moment.patient {
                        return Applied::default();
                    }
                }
            }
        }
        NodeCounters::add(&self.counters.busy_ns, clock().saturating_sub(started));
        if let Some((code, message)) = last {
            effects.dead.push(self.letter_of_timers(due, moment, code, message));
        }
        self.settle_circuit(false, moment);
        Applied::default()
    }

    fn select(&self, batch: &Batch) -> Option<Batch> {
        let Some(selector) = &self.selector else { return Some(batch.clone()) };
        let mask = crate::selector::mask(selector, batch);
        let picked = projection::pick(batch, &mask);
        if picked.rows() == 0 { None } else { Some(picked) }
    }

    /// Numbers the keys; rows whose new key is over the bound go to the dead letters.
    fn number(
        &mut self,
        batch: Batch,
        columns: Vec<crate::unit::NamedColumn>,
        effects: &mut Effects,
    ) -> Option<(Batch, Input)> {
        let keys = lock(&self.state).number(&batch);
        if !keys.contains(&crate::keys::REFUSED) {
            let input = Input {
                triplet: batch.triplet.clone(),
                time: batch.time.clone(),
                keys: keys.into(),
                columns,
            };
            return Some((batch, input));
        }
        let refused = arrow_buffer::BooleanBuffer::collect_bool(keys.len(), |row| {
            keys.get(row) == Some(&crate::keys::REFUSED)
        });
        let message =
            "the unit has no room for more keys; raise its bound, or let fewer columns make the key";
        self.dead(&projection::pick(&batch, &refused), "keys-over-limit", message, effects);
        self.tally.over_quota += refused.count_set_bits() as u64;
        let rest = projection::pick(&batch, &!&refused);
        if rest.rows() == 0 {
            return None;
        }
        let columns = columns.into_iter().map(|column| pick_column(column, &!&refused)).collect();
        let keys: Vec<u32> = keys.into_iter().filter(|key| *key != crate::keys::REFUSED).collect();
        let input =
            Input { triplet: rest.triplet.clone(), time: rest.time.clone(), keys: keys.into(), columns };
        Some((rest, input))
    }

    /// Calls, retries once, then halves.
    fn attempt(
        &mut self,
        batch: &Batch,
        input: &Input,
        moment: Moment,
        first_row: u32,
        spent: &mut u32,
        effects: &mut Effects,
    ) -> Applied {
        let mut last = (String::new(), String::new());
        // A retry of the whole is worth it once; a half that fails is cut further at once.
        let tries = if first_row == 0 && *spent == 0 { 2 } else { 1 };
        for _ in 0..tries {
            *spent += 1;
            match self.call(batch, input, moment, first_row) {
                Ok(applied) => return applied,
                Err(error) => {
                    if let CallError::Failure(failure) = &error
                        && failure.verdict == Verdict::Drop
                    {
                        return self.drop_rows(batch, input, moment, first_row, failure, spent, effects);
                    }
                    last = self.note(error, "process", moment, input.rows() as u32, effects);
                    if !moment.patient {
                        return Applied::default();
                    }
                }
            }
        }
        if input.rows() <= 1 || *spent >= CALLS_MAX {
            return rejected(batch, last.0, last.1);
        }
        let half = input.rows() / 2;
        let mut applied = self.attempt(
            &projection::slice(batch, 0, half),
            &slice_input(input, 0, half),
            moment,
            first_row,
            spent,
            effects,
        );
        let rest = input.rows() - half;
        let more = self.attempt(
            &projection::slice(batch, half, rest),
            &slice_input(input, half, rest),
            moment,
            first_row + half as u32,
            spent,
            effects,
        );
        applied.batches.extend(more.batches);
        applied.rejected.extend(more.rejected);
        applied.signals.extend(more.signals);
        applied
    }

    /// One call. After an error its writes are taken back and the instance is gone.
    fn call(
        &mut self,
        batch: &Batch,
        input: &Input,
        moment: Moment,
        first_row: u32,
    ) -> Result<Applied, CallError> {
        let mark = lock(&self.state).mark();
        let context = self.context(moment, first_row);
        self.part += 1;
        let outcome = self.unit.process(&context, input).and_then(|outputs| {
            let state = lock(&self.state);
            let scene = Scene { unit: &self.id, keys: &state.keys, template: batch, triplet: &batch.triplet };
            apply(&scene, Some(batch), outputs, &mut self.ordinal)
                .map_err(|message| contract(&self.id, &self.digest, "process", message))
        });
        if outcome.is_err() {
            lock(&self.state).roll_back(mark);
            self.unit.reset();
        }
        outcome
    }

    /// The unit named the rows that it cannot take: those to the dead letters, the rest once more.
    #[allow(clippy::too_many_arguments)]
    fn drop_rows(
        &mut self,
        batch: &Batch,
        input: &Input,
        moment: Moment,
        first_row: u32,
        failure: &Failure,
        spent: &mut u32,
        effects: &mut Effects,
    ) -> Applied {
        let bad = |row: usize| failure.indexes.is_empty() || failure.indexes.contains(&(row as u32));
        let mask = arrow_buffer::BooleanBuffer::collect_bool(input.rows(), bad);
        let gone = projection::pick(batch, &mask);
        let mut applied = rejected(&gone, failure.code.clone(), failure.message.clone());
        let rest = projection::pick(batch, &!&mask);
        if rest.rows() > 0 && rest.rows() < batch.rows() && *spent < CALLS_MAX {
            let columns = input.columns.iter().cloned().map(|column| pick_column(column, &!&mask)).collect();
            let keys =
                (0..input.rows()).filter(|row| !bad(*row)).filter_map(|row| input.keys.get(row).copied());
            let input = Input {
                triplet: rest.triplet.clone(),
                time: rest.time.clone(),
                keys: keys.collect::<Vec<_>>().into(),
                columns,
            };
            let more = self.attempt(&rest, &input, moment, first_row, spent, effects);
            applied.batches.extend(more.batches);
            applied.rejected.extend(more.rejected);
            applied.signals.extend(more.signals);
        }
        applied
    }

    fn context(&mut self, moment: Moment, first_row: u32) -> Context {
        let mut state = lock(&self.state);
        state.begin_call(moment.watermark_unix_ns, moment.accepted_at_unix_ns);
        Context {
            position: moment.position,
            part: self.part,
            first_row,
            now_unix_ns: moment.accepted_at_unix_ns,
            watermark_unix_ns: moment.watermark_unix_ns,
            forgotten: state.keys.take_forgotten(),
        }
    }

    /// Counts and keeps a fault; gives code and message for the dead letters.
    fn note(
        &mut self,
        error: CallError,
        call: &'static str,
        moment: Moment,
        rows: u32,
        effects: &mut Effects,
    ) -> (String, String) {
        let mut fault = match error {
            CallError::Fault(fault) => *fault,
            CallError::Failure(failure) => Fault {
                unit: Arc::clone(&self.id),
                digest: Arc::clone(&self.digest),
                call,
                kind: FaultKind::Failure,
                message: format!("{}: {}", failure.code, failure.message),
                frames: Vec::new(),
                position: 0,
                rows,
            },
        };
        fault.position = moment.position;
        fault.rows = rows;
        self.faulted = true;
        self.counters.show(Shown::Faulted);
        NodeCounters::add(&self.counters.faults, 1);
        let said = (kind_word(fault.kind).to_owned(), fault.message.clone());
        effects.faults.push((moment.accepted_at_unix_ns, fault));
        said
    }

    fn settle_circuit(&mut self, worked: bool, moment: Moment) {
        if worked {
            self.circuit.worked();
            if !self.faulted && self.counters.shown() != Shown::Running && self.run == Run::Running {
                self.counters.show(Shown::Running);
            }
        } else {
            self.circuit.failed(moment.newest_unix_ns);
        }
        if self.circuit.is_open() {
            self.counters.show(Shown::OpenCircuit);
        }
    }

    fn take_rejected(&mut self, mut applied: Applied, effects: &mut Effects) -> Applied {
        for rejected in std::mem::take(&mut applied.rejected) {
            self.dead(&rejected.batch, &rejected.code, &rejected.message, effects);
        }
        applied
    }

    /// Timers that the unit could not take.
    fn letter_of_timers(&self, due: &Due, moment: Moment, code: String, message: String) -> DeadLetter {
        let triplet = lock(&self.state).keys.scopes().first().cloned();
        let unit = (Arc::clone(&self.id), self.ordinal);
        let batch = DeadLetter::batch_of_timers(due, triplet, unit, moment.position);
        let letter = DeadLetter::new(Arc::clone(&self.id), Arc::clone(&self.digest), code, message, batch);
        DeadLetter { of: LetterOf::Timers, ..letter }
    }

    fn dead(&mut self, batch: &Batch, code: &str, message: &str, effects: &mut Effects) {
        self.tally.rejected += batch.rows() as u64;
        let (unit, digest) = (Arc::clone(&self.id), Arc::clone(&self.digest));
        effects.dead.push(DeadLetter::new(unit, digest, code.to_owned(), message.to_owned(), batch.clone()));
    }
}

fn rejected(batch: &Batch, code: String, message: String) -> Applied {
    let rejected = crate::apply::Rejected { batch: batch.clone(), code, message };
    Applied { rejected: vec![rejected], ..Applied::default() }
}

fn contract(unit: &Arc<str>, digest: &Arc<str>, call: &'static str, message: String) -> CallError {
    CallError::Fault(Box::new(Fault {
        unit: Arc::clone(unit),
        digest: Arc::clone(digest),
        call,
        kind: FaultKind::Contract,
        message,
        frames: Vec::new(),
        position: 0,
        rows: 0,
    }))
}

pub fn kind_word(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Deadline => "deadline",
        FaultKind::Memory => "memory",
        FaultKind::Stack => "stack",
        FaultKind::Trap => "trap",
        FaultKind::Contract => "contract",
        FaultKind::Failure => "failure",
        FaultKind::Host => "host",
    }
}

fn slice_input(input: &Input, start: usize, rows: usize) -> Input {
    Input {
        triplet: input.triplet.clone(),
        time: input.time.slice(start, rows),
        keys: if input.keys.is_empty() { input.keys.clone() } else { input.keys.slice(start, rows) },
        columns: input
            .columns
            .iter()
            .map(|column| crate::unit::NamedColumn {
                array: column.array.slice(start, rows),
                ..column.clone()
            })
            .collect(),
    }
}

fn pick_column(
    column: crate::unit::NamedColumn,
    mask: &arrow_buffer::BooleanBuffer,
) -> crate::unit::NamedColumn {
    let predicate = arrow_array::BooleanArray::new(mask.clone(), None);
    let array =
        arrow_select::filter::filter(&column.array, &predicate).unwrap_or_else(|_| column.array.slice(0, 0));
    crate::unit::NamedColumn { array, ..column }
}
