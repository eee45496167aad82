//! The engine: wasmtime with everything off that Weir does not need, a ticker for deadlines, and a cache of compiled code.
//!
//! In: [`Settings`]. Out: an [`Engine`], cheap to clone, that components are loaded with. The settings of wasmtime are the same for
//! every engine, so that code compiled by the helper process fits. Errors: [`EngineError`] where a thread, a folder or wasmtime refuses.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::{Config, OptLevel};

use crate::cache::Cache;
use crate::compile::CompileHelper;
use crate::limits::STACK_BYTES;
use crate::ticker::Ticker;

/// How an engine is set up.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Folder for compiled code, made with mode 0700; none: components are compiled each time.
    pub cache_dir: Option<PathBuf>,
    /// The process that compiles; none: in this process (tests).
    pub compile_helper: Option<CompileHelper>,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("start the ticker: {0}")]
    Ticker(std::io::Error),
    #[error("set up wasmtime: {0}")]
    Wasmtime(String),
    #[error("open the cache of compiled components: {0}")]
    Cache(std::io::Error),
}

#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub wasmtime: wasmtime::Engine,
    pub cache: Option<Cache>,
    pub helper: Option<CompileHelper>,
    /// Last, so that it outlives the engine that it ticks.
    pub ticker: Ticker,
}

impl Engine {
    pub fn start(settings: Settings) -> Result<Self, EngineError> {
        let ticker = Ticker::start().map_err(EngineError::Ticker)?;
        let wasmtime =
            ticker.engine(&config()).map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
        let cache = match &settings.cache_dir {
            Some(folder) => Some(Cache::open(folder, &wasmtime).map_err(EngineError::Cache)?),
            None => None,
        };
        let shared = Shared { wasmtime, cache, helper: settings.compile_helper, ticker };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Compiled files whose MAC was wrong since the start; each was thrown away and compiled anew.
    pub fn cache_tampered(&self) -> u64 {
        self.shared.cache.as_ref().map_or(0, Cache::tampered)
    }
}

/// The one configuration. What is not compiled in (gc, threads, async, Winch) needs no switch.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(false)
        .cranelift_opt_level(OptLevel::Speed)
        // Replay gives the same bytes on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .shared_memory(false)
        .wasm_memory64(false)
        .max_wasm_stack(STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    config
}
