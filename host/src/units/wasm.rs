//! A unit or rule of a flow, run by a Wasm instance.
//!
//! The instance is made at the first call and again after each fault, failure or reset: what it keeps in memory is only a cache of the state, which the
//! flow owns. It is also replaced in peace when its memory, which never shrinks, comes near its limit, or after [`CALLS_MAX`] calls.

use std::sync::Arc;

use weir_core::flow::node::lock;
use weir_core::plan::Plan;
use weir_core::state::SharedState;
use weir_core::unit::{CallError, Context, Due, Fault, FaultKind, Input, Output, Unit};
use weir_engine::check::Known;
use weir_engine::{Component, Limits, UnitInstance, World, given};

use super::give::{Dictionaries, prepare};
use super::state::StateImports;
use super::take;

/// Calls after which an instance is replaced, so that a slow leak of a guest stays small.
const CALLS_MAX: u64 = 1_000_000;

/// What all instances of one unit are made from.
#[derive(Clone)]
pub struct Made {
    pub component: Component,
    pub plan: Arc<Plan>,
    /// pipeline/unit
    pub id: Arc<str>,
    pub pipeline: Arc<str>,
    pub name: Arc<str>,
    /// JSON, checked against the component's schema.
    pub config: Arc<str>,
    pub lane: u32,
    pub lanes: u32,
    pub limits: Limits,
    /// Ports that lead nowhere: a unit may spare itself their rows.
    pub unconnected: Arc<[Arc<str>]>,
}

pub struct WasmUnit {
    made: Made,
    state: SharedState,
    instance: Option<UnitInstance>,
    dictionaries: Dictionaries,
    forgotten: Vec<u8>,
}

impl WasmUnit {
    pub fn new(made: Made, state: SharedState) -> Self {
        Self { made, state, instance: None, dictionaries: Dictionaries::default(), forgotten: Vec::new() }
    }

    fn fault(&self, fault: weir_engine::Fault) -> CallError {
        let kind = match fault.kind {
            weir_engine::FaultKind::Deadline => FaultKind::Deadline,
            weir_engine::FaultKind::Memory => FaultKind::Memory,
            weir_engine::FaultKind::Stack => FaultKind::Stack,
            weir_engine::FaultKind::Trap => FaultKind::Trap,
            weir_engine::FaultKind::Contract => FaultKind::Contract,
            weir_engine::FaultKind::Host => FaultKind::Host,
        };
        self.fault_of(fault.call, kind, fault.message, fault.frames)
    }

    fn fault_of(
        &self,
        call: &'static str,
        kind: FaultKind,
        message: String,
        frames: Vec<String>,
    ) -> CallError {
        CallError::Fault(Box::new(Fault {
            unit: Arc::clone(&self.made.id),
            digest: Arc::clone(self.made.component.digest()),
            call,
            kind,
            message,
            frames,
            position: 0,
            rows: 0,
        }))
    }

    /// The instance, opened.
    fn opened(&mut self, now_unix_ns: i64) -> Result<UnitInstance, CallError> {
        if let Some(instance) = self.instance.take() {
            let full = instance.memory_bytes() > self.made.limits.memory_bytes / 4 * 3;
            if !full && instance.calls() < CALLS_MAX {
                return Ok(instance);
            }
            // It ends in peace; that it cannot say good-bye changes nothing for its successor.
            drop(instance.close());
        }
        self.dictionaries.clear();
        let made = &self.made;
        let imports = StateImports {
            state: Arc::clone(&self.state),
            unit: Arc::clone(&made.id),
            digest: Arc::clone(made.component.digest()),
        };
        let mut instance = UnitInstance::new(&made.component, Box::new(imports), made.limits)
            .map_err(|fault| self.fault(fault))?;
        let seed = seed(&made.id, made.lane);
        let unconnected =
            made.unconnected.iter().map(|port| given::Extra { name: "weir.unconnected", value: port });
        let extras: Vec<given::Extra<'_>> = unconnected.collect();
        let opening = given::Opening {
            config: &made.config,
            pipeline: &made.pipeline,
            name: &made.name,
            lane: made.lane,
            lanes: made.lanes,
            seed: &seed,
            extras: &extras,
        };
        match instance.open(&opening, now_unix_ns) {
            Ok(Ok(())) => Ok(instance),
            Ok(Err(failure)) => {
                let message = format!("open: {}: {}", failure.code, failure.message);
                Err(self.fault_of("open", FaultKind::Failure, message, Vec::new()))
            }
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// What a call's answer comes to; the instance is kept only where all went well.
    fn finish<T>(
        &mut self,
        instance: UnitInstance,
        answer: weir_engine::Answer<T>,
        take: impl FnOnce(T, &Dictionaries) -> Result<Vec<Output>, String>,
        call: &'static str,
    ) -> Result<Vec<Output>, CallError> {
        match answer {
            Ok(Ok(result)) => {
                let outputs = take(result, &self.dictionaries)
                    .map_err(|message| self.fault_of(call, FaultKind::Contract, message, Vec::new()))?;
                self.instance = Some(instance);
                Ok(outputs)
            }
            Ok(Err(failure)) => Err(CallError::Failure(take::failure(failure))),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    fn known_keys(&self) -> u32 {
        let state = lock(&self.state);
        if state.keys.is_keyed() { state.keys.len() as u32 } else { 1 }
    }

    fn context<'a>(&self, context: &Context, forgotten: &'a [u8]) -> weir_engine::Context<'a> {
        weir_engine::Context {
            position: context.position,
            part: context.part,
            first_row: context.first_row,
            now_unix_ns: context.now_unix_ns,
            watermark_unix_ns: context.watermark_unix_ns,
            forgotten,
        }
    }
}

impl Unit for WasmUnit {
    fn process(&mut self, context: &Context, input: &Input) -> Result<Vec<Output>, CallError> {
        let mut instance = self.opened(context.now_unix_ns)?;
        let growing = |name: &str| {
            self.made.plan.reads.iter().flatten().any(|read| read.growing && *read.name == *name)
        };
        let prepared: Vec<_> = input
            .columns
            .iter()
            .filter_map(|column| prepare(column, growing(&column.name), &mut self.dictionaries))
            .collect();
        let columns: Vec<given::Column<'_>> = prepared.iter().map(|column| column.lend()).collect();
        let batch = given::Batch {
            triplet: given::Triplet {
                application: input.triplet.application(),
                environment: input.triplet.environment(),
                event_type: input.triplet.event_type(),
            },
            rows: input.rows() as u32,
            time: input.time.inner().as_slice(),
            keys: input.keys.inner().as_slice(),
            columns: &columns,
            extras: &[],
        };
        let forgotten = little_endian(&context.forgotten, std::mem::take(&mut self.forgotten));
        let sent = self.dictionaries.sent();
        let known =
            Known { ports: self.made.plan.ports.len() as u32, keys: self.known_keys(), dictionaries: &sent };
        let at = self.context(context, &forgotten);
        let outcome = if self.made.component.world() == World::Rule {
            let answer = instance.evaluate(&at, batch, &known);
            self.finish(
                instance,
                answer,
                |said, _| Ok(vec![Output::Signals(take::signals(said))]),
                "evaluate",
            )
        } else {
            let answer = instance.process(&at, batch, &known);
            self.finish(instance, answer, take::outputs, "process")
        };
        self.forgotten = forgotten;
        outcome
    }

    fn tick(&mut self, context: &Context, due: &Due) -> Result<Vec<Output>, CallError> {
        let mut instance = self.opened(context.now_unix_ns)?;
        let forgotten = little_endian(&context.forgotten, std::mem::take(&mut self.forgotten));
        let keys = little_endian(&due.keys, Vec::new());
        let slots: Vec<u8> = due.slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        let times: Vec<u8> = due.times.iter().flat_map(|time| time.to_le_bytes()).collect();
        let due = given::Due { keys: &keys, slots: &slots, times: &times };
        let sent = self.dictionaries.sent();
        let known =
            Known { ports: self.made.plan.ports.len() as u32, keys: self.known_keys(), dictionaries: &sent };
        let at = self.context(context, &forgotten);
        let outcome = if self.made.component.world() == World::Rule {
            let answer = instance.tick_signals(&at, due, &known);
            self.finish(instance, answer, |said, _| Ok(vec![Output::Signals(take::signals(said))]), "tick")
        } else {
            let answer = instance.tick(&at, due, &known);
            self.finish(instance, answer, take::outputs, "tick")
        };
        self.forgotten = forgotten;
        outcome
    }

    fn reset(&mut self) {
        self.instance = None;
        self.dictionaries.clear();
    }

    fn close(&mut self) {
        if let Some(instance) = self.instance.take() {
            // State is the flow's; a unit that fails to say good-bye loses nothing.
            drop(instance.close());
        }
    }

    fn memory_bytes(&self) -> usize {
        self.instance.as_ref().map_or(0, UnitInstance::memory_bytes)
    }
}

fn little_endian(numbers: &[u32], mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    buffer.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    buffer
}

/// 16 bytes that are the same on replay and differ from unit to unit and lane to lane (FNV-1a, twice).
fn seed(id: &str, lane: u32) -> [u8; 16] {
    let fnv = |start: u64| {
        id.bytes()
            .chain(lane.to_le_bytes())
            .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let mut out = [0; 16];
    let (low, high) = out.split_at_mut(8);
    low.copy_from_slice(&fnv(0xcbf2_9ce4_8422_2325).to_le_bytes());
    high.copy_from_slice(&fnv(0x6c62_272e_07bb_0142).to_le_bytes());
    out
}
