//! Runs Weir's components under limits. The only crate that names wasmtime, and it knows nothing of pipelines.
//!
//! In: `.wasm` bytes ([`Component::load`]), then calls with borrowed columns. Out: checked results, the guest's own failures, or a
//! [`Fault`]: nothing that a guest does leaves this crate as a panic or an unchecked number. Bounds: memory, stack, tables, handles, bytes handed
//! over and log lines for each instance, a deadline for each call (one ticker thread, 1 ms), address space and CPU time for compilation.
//! All calls are synchronous and run on the caller's thread; an instance is used by one thread at a time.

mod bindings;
mod cache;
pub mod check;
mod codec;
mod compile;
mod component;
mod engine;
mod fault;
mod formatter;
mod guest;
mod imports;
mod inspect;
mod limits;
mod lines;
mod link;
mod ticker;
mod unit;
mod wasi;

pub use bindings::given;
pub use bindings::raw::Complaint;
pub use codec::CodecInstance;
pub use compile::{CompileHelper, compile_helper_main};
pub use component::{Component, LoadError, WASM_BYTES_MAX, digest};
pub use engine::{Engine, EngineError, Settings};
pub use fault::{Fault, FaultKind};
pub use formatter::FormatterInstance;
pub use guest::LogSink;
pub use imports::{Imports, LogLevel, Misuse, Packed, PackedSlice, Page, Refusal};
pub use inspect::{Import, Inspection, Resources, World};
pub use limits::Limits;
pub use unit::{Answer, Context, UnitInstance};
