//! One instance of a component in a store of its own, and the edge over which every call goes into it.
//!
//! In: a prepared component, limits, what is served to it. Out: the result of a call or a [`Fault`]. Before each call the epoch
//! deadline is set; after any fault the instance is spent and refuses further calls, since a store must not be entered again after a trap.
//! A panic of the host inside a call (an import's) is caught here and is a fault of kind host.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmtime::Store;
use wasmtime::component::Instance;

use crate::component::Component;
use crate::fault::{Fault, FaultKind, Stop};
use crate::imports::{Imports, LogLevel, Misuse};
use crate::limits::{Limiter, Limits};
use crate::lines::{Lines, Standard};

/// Where log lines of a guest without state go.
pub type LogSink = Box<dyn FnMut(LogLevel, &str) + Send>;

/// What the imports of the world do for this instance.
pub(crate) enum Served {
    /// Every import of the world traps: describe and plan.
    Nothing,
    Log(LogSink),
    All(Box<dyn Imports>),
}

/// Which imports a call may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    LogOnly,
    State,
}

/// Time and chance as a guest sees them during one call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Moment {
    pub now_unix_ns: i64,
    pub position: u64,
    pub part: u32,
}

/// What host functions find in the store.
pub(crate) struct HostState {
    limiter: Limiter,
    served: Served,
    access: Access,
    call: &'static str,
    pub(crate) moment: Moment,
    /// Mixed from the opening's seed; the start of each call's random numbers.
    pub(crate) seed: u64,
    pub(crate) random: u64,
    lines: Lines,
}

impl HostState {
    /// Takes the imports out for one host function, so that they can be used beside the guest's memory; give them back with
    /// [`HostState::give_back`].
    pub(crate) fn take_imports(&mut self, function: &str) -> wasmtime::Result<Box<dyn Imports>> {
        if self.access != Access::State || !matches!(self.served, Served::All(_)) {
            let text = format!("{function} is not to be called from {}", self.call);
            return Err(Stop::error(FaultKind::Contract, text));
        }
        match std::mem::replace(&mut self.served, Served::Nothing) {
            Served::All(imports) => Ok(imports),
            Served::Nothing | Served::Log(_) => Err(Stop::error(FaultKind::Host, "imports are in use")),
        }
    }

    pub(crate) fn give_back(&mut self, imports: Box<dyn Imports>) {
        self.served = Served::All(imports);
    }

    /// The `log` import.
    pub(crate) fn log(&mut self, level: LogLevel, line: &str) -> wasmtime::Result<()> {
        if matches!(self.served, Served::Nothing) {
            let line: String = line.chars().take(500).collect();
            let text = format!("log.write is not to be called from {}; it said: {line}", self.call);
            return Err(Stop::error(FaultKind::Contract, text));
        }
        self.keep(level, line);
        Ok(())
    }

    /// Standard output and error of the closed WASI.
    pub(crate) fn standard(&mut self, stream: Standard, piece: &[u8]) {
        let level = if stream == Standard::Output { LogLevel::Info } else { LogLevel::Error };
        for line in self.lines.join(stream, piece) {
            self.keep(level, &line);
        }
    }

    fn keep(&mut self, level: LogLevel, line: &str) {
        let Some(line) = self.lines.admit(level, line, self.moment.now_unix_ns) else { return };
        match &mut self.served {
            Served::Nothing => {}
            Served::Log(sink) => sink(level, line),
            Served::All(imports) => imports.log(level, line),
        }
    }
}

pub(crate) fn misuse(function: &str, misuse: Misuse) -> wasmtime::Error {
    Stop::error(FaultKind::Contract, format!("{function}: {}", misuse.0))
}

/// How one call is made.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub name: &'static str,
    pub access: Access,
    pub deadline_ms: u32,
    pub moment: Moment,
}

pub(crate) struct Guest {
    store: Store<HostState>,
    /// Keeps the ticker alive: without it no deadline would ever come.
    component: Component,
    /// Set after a fault or a failure: no further call.
    spent: bool,
    calls: u64,
}

impl Guest {
    /// Instantiates; the start functions of the component run here, under a deadline.
    pub(crate) fn new(
        component: &Component,
        limits: &Limits,
        served: Served,
    ) -> Result<(Self, Instance), Fault> {
        let state = HostState {
            limiter: Limiter::new(limits),
            served,
            access: Access::LogOnly,
            call: "instantiate",
            moment: Moment::default(),
            seed: 0,
            random: 0,
            lines: Lines::default(),
        };
        let pre = component.pre();
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_max_component_handles(limits.handles);
        store.epoch_deadline_trap();
        let mut guest = Self { store, component: component.clone(), spent: false, calls: 0 };
        let call = Call {
            name: "instantiate",
            access: Access::LogOnly,
            deadline_ms: limits.open_deadline_ms,
            moment: Moment::default(),
        };
        let instance = guest.call(call, |store| pre.instantiate(store))?;
        Ok((guest, instance))
    }

    /// Looks up typed functions of an instance: a component whose functions have other types than the contract is refused here.
    pub(crate) fn lookup<R>(
        &mut self,
        interface: &'static str,
        load: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        load(&mut self.store).map_err(|error| {
            self.spent = true;
            Fault::contract("instantiate", format_args!("{interface}: {error:#}"))
        })
    }

    pub(crate) fn call<R>(
        &mut self,
        call: Call,
        enter: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        if self.spent {
            let text = "the instance had a fault or a failure before and must not be called again";
            return Err(Fault::new(call.name, FaultKind::Host, text));
        }
        let state = self.store.data_mut();
        state.access = call.access;
        state.call = call.name;
        state.moment = call.moment;
        state.random = state.seed
            ^ call.moment.position.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ u64::from(call.moment.part).wrapping_mul(0xD1B5_4A32_D192_ED03);
        self.store.set_epoch_deadline(u64::from(call.deadline_ms.max(1)));
        self.calls += 1;
        // Set before, so that the instance stays spent on every way out but the good one.
        self.spent = true;
        let (store, running) = (&mut self.store, self.component.clock().run());
        let entered = catch_unwind(AssertUnwindSafe(|| enter(store)));
        drop(running);
        match entered {
            Ok(Ok(result)) => {
                self.spent = false;
                Ok(result)
            }
            Ok(Err(error)) => Err(self.fault(call, &error)),
            Err(payload) => Err(Fault::from_panic(call.name, payload.as_ref())),
        }
    }

    fn fault(&mut self, call: Call, error: &wasmtime::Error) -> Fault {
        let mut fault = Fault::from_error(call.name, error);
        if fault.kind == FaultKind::Deadline {
            fault.message = format!("ran into its deadline of {} ms", call.deadline_ms);
        }
        let words = self.store.data_mut().lines.take_last_error();
        if fault.kind == FaultKind::Trap && !words.is_empty() {
            let words: String = words.chars().take(500).collect();
            fault.message = format!("{}; its last words: {words}", fault.message);
        }
        fault
    }

    pub(crate) fn spend(&mut self) {
        self.spent = true;
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.spent
    }

    pub(crate) fn seed(&mut self, seed: &[u8]) {
        // FNV-1a: 16 bytes to 8, the same on every machine.
        let mix = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        self.store.data_mut().seed = seed.iter().fold(0xCBF2_9CE4_8422_2325, mix);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().limiter.memory_bytes()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn log_lines_dropped(&self) -> u64 {
        self.store.data().lines.dropped()
    }
}
