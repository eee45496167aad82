//! Keyed aggregation over windows of event time: a struct for the state of a key, one function that folds an event into it and one that
//! makes the output columns of it.
//!
//! Windows are [k * window, (k + 1) * window) in ns since 1970; a window closes when the watermark reaches its end and gives one row with the
//! key's columns and the window's start as time. State is the host's: read and written once for each batch, one entry for each key and window, so
//! that nothing is lost with an instance. Events of windows that are closed are rejected as "late". Rows are folded in their order: cut-invariant.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::column::{Number, S64s, U32s, bytes_of};
use crate::event::{Columns, Event};
use crate::output::{emit_for_keys, reject};
use crate::state::{self, refused};
use crate::unit::Hosted;
use crate::{
    Batch, BatchExt, Complaint, Context, Description, Due, Failure, FailureExt, Opening, Output, Plan, Table,
    Unit, timers,
};

/// Numbers of a fixed size; all zeros must mean that nothing has happened yet. Made by the derive.
pub trait State {
    const BYTES: usize;
    fn from_bytes(bytes: &[u8]) -> Self;
    fn put_bytes(&self, bytes: &mut Vec<u8>);
}

/// The next number of the bytes; used by the derive.
pub fn take<T: Number>(bytes: &mut &[u8]) -> T {
    let (number, rest) = bytes.split_at_checked(T::BYTES).unwrap_or_default();
    *bytes = rest;
    T::from_le(number)
}

pub trait Aggregate: Sized + 'static {
    type Config: DeserializeOwned;
    type Event: Event;
    type State: State;
    type Output: Columns;

    /// Kind "aggregate".
    fn describe() -> Description;
    fn open(config: Self::Config) -> Result<Self, Complaint>;
    /// Names of the key columns; none: one state for the stream.
    fn keys(&self) -> Vec<String>;
    fn window_ns(&self) -> i64;
    fn fold(&self, state: &mut Self::State, event: &<Self::Event as Event>::Row<'_>);
    fn finish(&self, state: &Self::State) -> Self::Output;
}

/// The unit that an aggregate is run by; made by `export_aggregate!`.
pub struct Windowed<A> {
    aggregate: A,
    window_ns: i64,
}

/// Where the one instance of a component lives; implemented by `export_aggregate!`.
pub trait HostedAggregate: Aggregate {
    fn with_windowed<R>(call: impl FnOnce(&mut Option<Windowed<Self>>) -> R) -> R;
}

impl<A: HostedAggregate> Hosted for Windowed<A> {
    fn with_instance<R>(call: impl FnOnce(&mut Option<Self>) -> R) -> R {
        A::with_windowed(call)
    }
}

const WINDOWS: u32 = 0;
const OUT: u32 = 0;

impl<A: Aggregate> Unit for Windowed<A> {
    type Config = A::Config;

    fn describe() -> Description {
        A::describe()
    }

    fn plan(config: A::Config) -> Result<Plan, Vec<Complaint>> {
        let aggregate = A::open(config).map_err(|complaint| vec![complaint])?;
        if aggregate.window_ns() <= 0 {
            return Err(vec![Complaint::new("", "the window is not longer than 0 ns")]);
        }
        Ok(Plan::default()
            .reads(A::Event::reads())
            .keys(aggregate.keys())
            .port("out", "one row for each key and window")
            .table(Table::by_key("windows", A::State::BYTES as u32))
            .cut_invariant())
    }

    fn open(config: A::Config, _opening: &Opening) -> Result<Self, Failure> {
        let aggregate =
            A::open(config).map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
        let window_ns = aggregate.window_ns().max(1);
        Ok(Self { aggregate, window_ns })
    }

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let (times, keys) = (input.times(), input.key_numbers());
        let mut places: BTreeMap<(u32, i64), Vec<u32>> = BTreeMap::new();
        let mut late = Vec::new();
        for row in 0..input.rows {
            let start = times.get(row as usize).div_euclid(self.window_ns).saturating_mul(self.window_ns);
            if start.saturating_add(self.window_ns) <= context.watermark {
                late.push(row);
            } else {
                places.entry((keys.get(row as usize), start)).or_default().push(row);
            }
        }
        self.fold(&input, &places)?;
        let outputs =
            if late.is_empty() { Vec::new() } else { vec![reject(&late, "late", "the window is closed")] };
        Ok(outputs)
    }

    fn tick(&mut self, _context: &Context, due: Due) -> Result<Vec<Output>, Failure> {
        if due.keys.is_empty() {
            return Ok(Vec::new());
        }
        let values = state::read(WINDOWS, &due.keys, &due.slots);
        state::remove(WINDOWS, &due.keys, &due.slots);
        let mut builders = <A::Output as Columns>::Builders::default();
        for bytes in values.chunks_exact(A::State::BYTES.max(1)) {
            self.aggregate.finish(&A::State::from_bytes(bytes)).push(&mut builders);
        }
        let (keys, starts) = (U32s::new(&due.keys).to_vec(), S64s::new(&due.slots).to_vec());
        Ok(vec![emit_for_keys(OUT, &starts, &keys, A::Output::finish(builders))])
    }
}

impl<A: Aggregate> Windowed<A> {
    fn fold(&self, input: &Batch, places: &BTreeMap<(u32, i64), Vec<u32>>) -> Result<(), Failure> {
        let handles = bytes_of(&places.keys().map(|place| place.0).collect::<Vec<u32>>());
        let slots = bytes_of(&places.keys().map(|place| place.1).collect::<Vec<i64>>());
        let old = state::read(WINDOWS, &handles, &slots);
        let known = state::present(WINDOWS, &handles, &slots);
        let readers = A::Event::readers(input);
        let mut new = Vec::with_capacity(old.len());
        for (bytes, rows) in old.chunks_exact(A::State::BYTES.max(1)).zip(places.values()) {
            let mut state = A::State::from_bytes(bytes);
            for row in rows {
                if let Some(event) = A::Event::row(&readers, *row as usize) {
                    self.aggregate.fold(&mut state, &event);
                }
            }
            state.put_bytes(&mut new);
        }
        state::write(WINDOWS, &handles, &slots, &new).map_err(refused)?;
        let fresh = places.keys().zip(&known).filter(|(_, known)| **known == 0).map(|(place, _)| *place);
        let (keys, starts): (Vec<u32>, Vec<i64>) = fresh.unzip();
        let ends: Vec<i64> = starts.iter().map(|start| start.saturating_add(self.window_ns)).collect();
        timers::wake(&keys, &starts, &ends);
        Ok(())
    }
}

/// Makes a component of a type that is an [`Aggregate`](crate::Aggregate).
#[macro_export]
macro_rules! export_aggregate {
    ($type:ident) => {
        impl $crate::aggregate::HostedAggregate for $type {
            fn with_windowed<R>(call: impl FnOnce(&mut Option<$crate::aggregate::Windowed<Self>>) -> R) -> R {
                ::std::thread_local! {
                    static INSTANCE: ::std::cell::RefCell<Option<$crate::aggregate::Windowed<$type>>> =
                        const { ::std::cell::RefCell::new(None) };
                }
                INSTANCE.with_borrow_mut(call)
            }
        }
        const _: fn() = $crate::unit::keep::<$crate::aggregate::Windowed<$type>>;
        #[cfg(target_family = "wasm")]
        mod weir_exports {
            type Guest = $crate::unit::Guest<$crate::aggregate::Windowed<super::$type>>;
            $crate::bindings::unit::export_unit!(Guest with_types_in $crate::bindings::unit);
        }
    };
}
