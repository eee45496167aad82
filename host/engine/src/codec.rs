//! An instance of a codec: bytes to batches and back, for one source or sink.
//!
//! In: messages, or batches. Out: checked batches with defects, or messages. Spent after a fault or a failure, as a unit's instance is; the
//! host makes and opens a new one.

use crate::bindings::given;
use crate::bindings::made::exports::weir::plugin::coding;
use crate::check::OutputLimits;
use crate::check::coded::{Decoded, Encoded, decoded, encoded};
use crate::component::{Component, Step};
use crate::fault::{Fault, FaultKind};
use crate::guest::{Access, Call, Guest, LogSink, Moment, Served};
use crate::limits::Limits;
use crate::unit::{Answer, rounded, settle};

pub struct CodecInstance {
    guest: Guest,
    coding: coding::Guest,
    limits: Limits,
}

impl CodecInstance {
    pub fn new(component: &Component, log: LogSink, limits: Limits) -> Result<Self, Fault> {
        let Step::Codec(indices) = component.step() else {
            let text = format!("a {} is no codec", component.world().as_str());
            return Err(Fault::new("instantiate", FaultKind::Host, text));
        };
        let (mut guest, instance) = Guest::new(component, &limits, Served::Log(log))?;
        let coding = guest.lookup("weir:plugin/coding", |store| indices.load(store, &instance))?;
        Ok(Self { guest, coding, limits })
    }

    pub fn open(&mut self, setup: &given::Setup<'_>) -> Answer<()> {
        let call = self.call("open", self.limits.open_deadline_ms, 0);
        let answer = self.guest.call(call, |store| self.coding.call_open(store, setup.clone()))?;
        settle(&mut self.guest, "open", answer, 0, &OutputLimits::default(), |(), _| Ok(()))
    }

    pub fn decode(&mut self, input: &given::Incoming<'_>) -> Answer<Decoded> {
        let input = given::Incoming { arrived: rounded(input.arrived), ..input.clone() };
        let call = self.call("decode", self.limits.deadline_ms, input.arrived);
        let lengths: Vec<usize> = input.messages.offsets.as_chunks::<4>().0.windows(2).map(length).collect();
        let answer = self.guest.call(call, |store| self.coding.call_decode(store, input))?;
        let check = |raw, limits: &OutputLimits| decoded(raw, &lengths, limits);
        settle(&mut self.guest, "decode", answer, 0, &OutputLimits::default(), check)
    }

    pub fn encode(&mut self, batches: &[given::Batch<'_>]) -> Answer<Encoded> {
        let call = self.call("encode", self.limits.deadline_ms, 0);
        let rows: Vec<usize> = batches.iter().map(|batch| batch.rows as usize).collect();
        let answer = self.guest.call(call, |store| self.coding.call_encode(store, batches))?;
        let check = |raw, limits: &OutputLimits| encoded(raw, &rows, limits);
        settle(&mut self.guest, "encode", answer, 0, &OutputLimits::default(), check)
    }

    pub fn is_spent(&self) -> bool {
        self.guest.is_spent()
    }

    pub fn memory_bytes(&self) -> usize {
        self.guest.memory_bytes()
    }

    fn call(&self, name: &'static str, deadline_ms: u32, now_unix_ns: i64) -> Call {
        let moment = Moment { now_unix_ns, ..Moment::default() };
        Call { name, access: Access::LogOnly, deadline_ms, moment }
    }
}

fn length(pair: &[[u8; 4]]) -> usize {
    match pair {
        [start, end] => u32::from_le_bytes(*end).saturating_sub(u32::from_le_bytes(*start)) as usize,
        _ => 0,
    }
}
