//! A fault: what went wrong in one call of one component, as a value.
//!
//! In: whatever error wasmtime gives. Out: a [`Fault`] with a kind, one text and the guest's frames, innermost first, at most 16.
//! A fault is never a panic of the host; the instance that had it is spent. A guest's own `failure` is no fault.

use std::fmt;

use wasmtime::{Trap, WasmBacktrace};

/// Longest text of a fault that is kept, bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Ran into its deadline.
    Deadline,
    /// Asked for more memory, tables, handles or transfer than granted.
    Memory,
    /// Ran out of stack.
    Stack,
    /// Any other trap of the guest.
    Trap,
    /// Returned or asked for what the contract does not allow.
    Contract,
    /// The host's own mistake.
    Host,
}

impl FaultKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Trap => "trap",
            Self::Contract => "contract",
            Self::Host => "host",
        }
    }
}

#[derive(Clone, Debug, thiserror::Error, serde::Serialize)]
#[error("{} in {call}: {message}", kind.as_str())]
pub struct Fault {
    /// "describe", "open", "process", ...
    pub call: &'static str,
    pub kind: FaultKind,
    /// One text for people, with the numbers.
    pub message: String,
    /// Guest frames, demangled, innermost first.
    pub frames: Vec<String>,
}

impl Fault {
    pub fn new(call: &'static str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { call, kind, message: cut(message.into()), frames: Vec::new() }
    }

    pub(crate) fn contract(call: &'static str, message: impl fmt::Display) -> Self {
        Self::new(call, FaultKind::Contract, message.to_string())
    }

    pub(crate) fn from_error(call: &'static str, error: &wasmtime::Error) -> Self {
        let (kind, message) = classify(error);
        let frames = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        Self { call, kind, message: cut(message), frames }
    }

    pub(crate) fn from_panic(call: &'static str, payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&'static str>().copied())
            .unwrap_or("no text");
        Self::new(call, FaultKind::Host, format!("the host panicked during the call: {text}"))
    }
}

/// An error that the engine itself raises inside a host function or a limiter: it traps the guest and says of which kind it is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stop {
    pub kind: FaultKind,
    pub message: String,
}

impl Stop {
    pub(crate) fn error(kind: FaultKind, message: impl Into<String>) -> wasmtime::Error {
        wasmtime::Error::new(Self { kind, message: message.into() })
    }
}

fn classify(error: &wasmtime::Error) -> (FaultKind, String) {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return (stop.kind, stop.message.clone());
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::Interrupt => (FaultKind::Deadline, "ran into its deadline".to_owned()),
            Trap::StackOverflow => (FaultKind::Stack, "ran out of stack".to_owned()),
            other => (FaultKind::Trap, other.to_string()),
        };
    }
    let text = error.root_cause().to_string();
    // These errors of wasmtime have no public type; their texts are pinned by tests.
    let kind = if text.contains("fuel allocated for hostcalls") || text.contains("resource limit exceeded") {
        FaultKind::Memory
    } else {
        FaultKind::Contract
    };
    (kind, text)
}

fn frames(trace: &WasmBacktrace) -> Vec<String> {
    // The display form is the one place where wasmtime demangles; a frame's line is `  0:  0x1a2 - module!function`.
    let text = trace.to_string();
    let of_line = |line: &str| -> Option<String> {
        let (number, rest) = line.trim_start().split_once(':')?;
        number.parse::<u32>().ok()?;
        let name = rest.split_once(" - ").map_or(rest, |(_, name)| name);
        // Glue that every component has between its own code and the imports.
        if name.trim_start().starts_with("wit-component") {
            return None;
        }
        Some(name.trim().chars().take(200).collect())
    };
    text.lines().filter_map(of_line).take(16).collect()
}

pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
        text.push('…');
    }
    text
}
