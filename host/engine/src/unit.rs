//! An instance of a unit or a rule.
//!
//! In: an opening, then contexts with batches or due timers, in the order of the log. Out: checked outputs or signals. Every call has two
//! layers: the outer `Err` is a [`Fault`] (trap, deadline, a result that breaks the contract), the inner one the guest's own [`Failure`].
//! After either the instance is spent: the host drops it and opens a new one. State, timers and log go to the [`Imports`] that the instance was made with.
//! A call costs about a microsecond beside the guest's own work: borrowed columns are copied once, straight into guest memory.

use wasmtime::Store;

use crate::bindings::made::exports::weir::plugin::{evaluation, lifecycle, processing};
use crate::bindings::{given, raw};
use crate::check::coded::Entries;
use crate::check::{self, Failure, Known, Output, OutputLimits, Signal, Wrong};
use crate::component::{Component, Step};
use crate::fault::{Fault, FaultKind};
use crate::guest::{Access, Call, Guest, HostState, Moment, Served};
use crate::imports::Imports;
use crate::limits::Limits;

/// Single times are rounded down to this, so that they are exact where numbers are doubles.
const TIME_STEP_NS: i64 = 1024;

/// Where and when a call stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    pub position: u64,
    pub part: u32,
    pub first_row: u32,
    pub now_unix_ns: i64,
    pub watermark_unix_ns: i64,
    /// n x u32, little-endian: key numbers to forget.
    pub forgotten: &'a [u8],
}

/// What a call of a guest comes to.
pub type Answer<T> = Result<Result<T, Failure>, Fault>;

pub struct UnitInstance {
    guest: Guest,
    lifecycle: lifecycle::Guest,
    kind: Kind,
    limits: Limits,
    outputs: OutputLimits,
    opened: bool,
}

enum Kind {
    Unit(processing::Guest),
    Rule(evaluation::Guest),
}

impl UnitInstance {
    /// Instantiates; nothing of the contract is called yet.
    pub fn new(component: &Component, imports: Box<dyn Imports>, limits: Limits) -> Result<Self, Fault> {
        let (mut guest, instance) = Guest::new(component, &limits, Served::All(imports))?;
        let (life, kind) = match component.step() {
            Step::Unit(life, step) => {
                let step = guest.lookup("weir:plugin/processing", |store| step.load(store, &instance))?;
                (life, Kind::Unit(step))
            }
            Step::Rule(life, step) => {
                let step = guest.lookup("weir:plugin/evaluation", |store| step.load(store, &instance))?;
                (life, Kind::Rule(step))
            }
            Step::Formatter(_) | Step::Codec(_) => {
                let text = format!("a {} is no unit or rule", component.world().as_str());
                return Err(Fault::new("instantiate", FaultKind::Host, text));
            }
        };
        let lifecycle = guest.lookup("weir:plugin/lifecycle", |store| life.load(store, &instance))?;
        Ok(Self { guest, lifecycle, kind, limits, outputs: OutputLimits::default(), opened: false })
    }

    /// First call. `now_unix_ns` is what a closed WASI's clock shows meanwhile.
    pub fn open(&mut self, opening: &given::Opening<'_>, now_unix_ns: i64) -> Answer<()> {
        self.guest.seed(opening.seed);
        let moment = Moment { now_unix_ns: rounded(now_unix_ns), ..Moment::default() };
        let call = self.slow("open", Access::State, moment);
        let answer = self.guest.call(call, |store| self.lifecycle.call_open(store, opening.clone()))?;
        let answer = self.settle("open", answer, 0, |(), _| Ok(()))?;
        self.opened = answer.is_ok();
        Ok(answer)
    }

    /// One batch of at least one row, to a unit.
    pub fn process(
        &mut self,
        context: &Context<'_>,
        batch: given::Batch<'_>,
        known: &Known<'_>,
    ) -> Answer<Vec<Output>> {
        let rows = batch.rows as usize;
        let Kind::Unit(step) = &self.kind else { return Err(not_that("process", "rule")) };
        let enter = |store: &mut Store<HostState>| step.call_process(store, given_context(context), batch);
        let answer = self.guest.call(quick("process", &self.limits, context, self.opened)?, enter)?;
        self.settle("process", answer, rows, |outputs, limits| {
            check::outputs(outputs, Some(rows), known, limits)
        })
    }

    /// Due timers, or the pace of `tick`, to a unit.
    pub fn tick(
        &mut self,
        context: &Context<'_>,
        due: given::Due<'_>,
        known: &Known<'_>,
    ) -> Answer<Vec<Output>> {
        let Kind::Unit(step) = &self.kind else { return Err(not_that("tick", "rule")) };
        let enter = |store: &mut Store<HostState>| step.call_tick(store, given_context(context), due);
        let answer = self.guest.call(quick("tick", &self.limits, context, self.opened)?, enter)?;
        self.settle("tick", answer, 0, |outputs, limits| check::outputs(outputs, None, known, limits))
    }

    /// One batch of at least one row, to a rule.
    pub fn evaluate(
        &mut self,
        context: &Context<'_>,
        batch: given::Batch<'_>,
        known: &Known<'_>,
    ) -> Answer<Vec<Signal>> {
        let rows = batch.rows as usize;
        let Kind::Rule(step) = &self.kind else { return Err(not_that("evaluate", "unit")) };
        let enter = |store: &mut Store<HostState>| step.call_evaluate(store, given_context(context), batch);
        let answer = self.guest.call(quick("evaluate", &self.limits, context, self.opened)?, enter)?;
        self.settle("evaluate", answer, rows, |signals, limits| check::signals(signals, known, limits))
    }

    /// Due timers, or the pace of `tick`, to a rule.
    pub fn tick_signals(
        &mut self,
        context: &Context<'_>,
        due: given::Due<'_>,
        known: &Known<'_>,
    ) -> Answer<Vec<Signal>> {
        let Kind::Rule(step) = &self.kind else { return Err(not_that("tick", "unit")) };
        let enter = |store: &mut Store<HostState>| step.call_tick(store, given_context(context), due);
        let answer = self.guest.call(quick("tick", &self.limits, context, self.opened)?, enter)?;
        self.settle("tick", answer, 0, |signals, limits| check::signals(signals, known, limits))
    }

    /// Values of an older schema to values of this one; on an instance that was not opened.
    pub fn migrate(&mut self, schema: u32, old: given::Entries<'_>) -> Answer<Vec<Entries>> {
        let call = self.slow("migrate", Access::LogOnly, Moment::default());
        let answer = self.guest.call(call, |store| self.lifecycle.call_migrate(store, schema, old))?;
        self.settle("migrate", answer, 0, check::coded::entries)
    }

    /// Last call in peace; state can no longer be used.
    pub fn close(mut self) -> Result<(), Fault> {
        let call = self.slow("close", Access::LogOnly, Moment::default());
        self.guest.call(call, |store| self.lifecycle.call_close(store))
    }

    /// True after a fault or a failure.
    pub fn is_spent(&self) -> bool {
        self.guest.is_spent()
    }

    /// Linear memory; it never shrinks.
    pub fn memory_bytes(&self) -> usize {
        self.guest.memory_bytes()
    }

    /// Calls since the instance was made, the instantiation included.
    pub fn calls(&self) -> u64 {
        self.guest.calls()
    }

    pub fn log_lines_dropped(&self) -> u64 {
        self.guest.log_lines_dropped()
    }

    fn slow(&self, name: &'static str, access: Access, moment: Moment) -> Call {
        Call { name, access, deadline_ms: self.limits.open_deadline_ms, moment }
    }

    fn settle<R, T>(
        &mut self,
        call: &'static str,
        answer: Result<R, raw::Failure>,
        rows: usize,
        check: impl FnOnce(R, &OutputLimits) -> Result<T, Wrong>,
    ) -> Answer<T> {
        settle(&mut self.guest, call, answer, rows, &self.outputs, check)
    }
}

/// Checks an answer; the guest is spent on every way but the good one.
pub(crate) fn settle<R, T>(
    guest: &mut Guest,
    call: &'static str,
    answer: Result<R, raw::Failure>,
    rows: usize,
    limits: &OutputLimits,
    check: impl FnOnce(R, &OutputLimits) -> Result<T, Wrong>,
) -> Answer<T> {
    let checked = match answer {
        Ok(result) => check(result, limits).map(Ok),
        Err(failure) => check::failure(failure, rows, limits).map(Err),
    };
    if !matches!(checked, Ok(Ok(_))) {
        guest.spend();
    }
    checked.map_err(|wrong| Fault::contract(call, wrong))
}

pub(crate) fn rounded(unix_ns: i64) -> i64 {
    unix_ns & !(TIME_STEP_NS - 1)
}

fn quick(name: &'static str, limits: &Limits, context: &Context<'_>, opened: bool) -> Result<Call, Fault> {
    if !opened {
        return Err(Fault::new(name, FaultKind::Host, "the instance was not opened"));
    }
    let moment =
        Moment { now_unix_ns: rounded(context.now_unix_ns), position: context.position, part: context.part };
    Ok(Call { name, access: Access::State, deadline_ms: limits.deadline_ms, moment })
}

fn given_context<'a>(context: &Context<'a>) -> raw::Context<'a> {
    raw::Context {
        position: context.position,
        part: context.part,
        first_row: context.first_row,
        now: rounded(context.now_unix_ns),
        watermark: rounded(context.watermark_unix_ns),
        forgotten: context.forgotten,
    }
}

fn not_that(call: &'static str, is: &str) -> Fault {
    Fault::new(call, FaultKind::Host, format!("the component is a {is}"))
}
