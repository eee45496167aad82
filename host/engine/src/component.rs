//! A component: loaded, checked against its world, compiled, ready to be instantiated.
//!
//! In: the bytes of a `.wasm` file, at most 32 MiB. Out: a [`Component`], cheap to clone, or a [`LoadError`] that says everything that
//! does not fit. Loading may take seconds (compilation): call it off the hot path. `describe` and `plan` run on throw-away
//! instances in which every import of the world traps; their answers are for the caller to cache by digest.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{InstancePre, Linker};

use crate::bindings::made::exports::weir::plugin::{
    coding, evaluation, lifecycle, manifest, processing, rendering,
};
use crate::bindings::raw::Complaint;
use crate::compile::compile_here;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::guest::{Access, Call, Guest, HostState, Moment, Served};
use crate::inspect::{Import, Inspection, Resources, Shape, World, shape};
use crate::limits::Limits;
use crate::ticker::Clock;
use crate::{link, wasi};

/// Largest component.
pub const WASM_BYTES_MAX: usize = 32 << 20;
/// Longest answer of `describe` and of `plan`.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// wasmtime gives the size of a memory in pages.
const WASM_PAGE_BYTES: u64 = 64 << 10;
const COMPLAINTS_MAX: usize = 256;
const COMPLAINT_BYTES_MAX: usize = 64 << 10;
/// A Python component needs half a millisecond, a debug build some more.
const MANIFEST_DEADLINE_MS: u32 = 1000;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("component has {0} bytes, at most {WASM_BYTES_MAX} are taken")]
    TooLarge(usize),
    #[error("not a component: {0}")]
    NotAComponent(&'static str),
    #[error("compile: {0}")]
    Compile(String),
    /// Every import and export that does not fit, in words of WIT.
    #[error("does not fit this host: {}", .0.join("; "))]
    World(Vec<String>),
    #[error("does not start: {0}")]
    Start(Fault),
}

#[derive(Clone)]
pub struct Component {
    inner: Arc<Inner>,
}

struct Inner {
    digest: Arc<str>,
    bytes: usize,
    shape: Shape,
    resources: Option<Resources>,
    pre: InstancePre<HostState>,
    manifest: manifest::GuestIndices,
    step: Step,
    /// Keeps the ticker alive for as long as anything may run.
    engine: Engine,
}

/// The functions that the component's world adds to `manifest`.
pub(crate) enum Step {
    Unit(lifecycle::GuestIndices, processing::GuestIndices),
    Rule(lifecycle::GuestIndices, evaluation::GuestIndices),
    Formatter(rendering::GuestIndices),
    Codec(coding::GuestIndices),
}

impl Component {
    pub fn load(engine: &Engine, wasm: &[u8]) -> Result<Self, LoadError> {
        check_header(wasm)?;
        let digest = digest(wasm);
        let compiled = compiled(engine, &digest, wasm)?;
        let shape = shape(&compiled).map_err(LoadError::World)?;
        let pre = prepare(&compiled, &shape.imports).map_err(|error| world_error(&error))?;
        let manifest = manifest::GuestIndices::new(&pre).map_err(|error| world_error(&error))?;
        let step = Step::new(shape.world, &pre).map_err(|error| world_error(&error))?;
        let resources = compiled.resources_required().map(|required| Resources {
            memories: required.num_memories,
            memory_bytes: required.max_initial_memory_size.map(|pages| pages.saturating_mul(WASM_PAGE_BYTES)),
            tables: required.num_tables,
            table_elements: required.max_initial_table_size,
        });
        let inner = Inner {
            digest: digest.into(),
            bytes: wasm.len(),
            shape,
            resources,
            pre,
            manifest,
            step,
            engine: engine.clone(),
        };
        let component = Self { inner: Arc::new(inner) };
        component.check_types().map_err(LoadError::Start)?;
        Ok(component)
    }

    /// "sha256:<hex>" of the component's bytes.
    pub fn digest(&self) -> &Arc<str> {
        &self.inner.digest
    }

    pub fn world(&self) -> World {
        self.inner.shape.world
    }

    pub fn inspect(&self) -> Inspection {
        Inspection {
            digest: self.inner.digest.to_string(),
            bytes: self.inner.bytes,
            world: self.inner.shape.world,
            imports: self.inner.shape.imports.clone(),
            exports: self.inner.shape.exports.clone(),
            resources: self.inner.resources,
        }
    }

    /// What the component says it is: JSON, not parsed here.
    pub fn describe(&self) -> Result<String, Fault> {
        let (mut guest, manifest) = self.throw_away()?;
        let text = guest.call(manifest_call("describe"), |store| manifest.call_describe(store))?;
        check_answer("describe", &text)?;
        Ok(text)
    }

    /// What it needs with this configuration: JSON, not parsed here; or what is wrong with the configuration.
    pub fn plan(&self, config: &str) -> Result<Result<String, Vec<Complaint>>, Fault> {
        let (mut guest, manifest) = self.throw_away()?;
        let answer = guest.call(manifest_call("plan"), |store| manifest.call_plan(store, config))?;
        match &answer {
            Ok(text) => check_answer("plan", text)?,
            Err(complaints) => {
                let bytes: usize = complaints.iter().map(|it| it.path.len() + it.message.len()).sum();
                if complaints.len() > COMPLAINTS_MAX || bytes > COMPLAINT_BYTES_MAX {
                    let text = format!(
                        "returned {} complaints of {bytes} bytes, at most {COMPLAINTS_MAX} and {COMPLAINT_BYTES_MAX} are taken",
                        complaints.len()
                    );
                    return Err(Fault::contract("plan", text));
                }
            }
        }
        Ok(answer)
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.inner.engine.shared.ticker.clock
    }

    pub(crate) fn pre(&self) -> &InstancePre<HostState> {
        &self.inner.pre
    }

    pub(crate) fn step(&self) -> &Step {
        &self.inner.step
    }

    fn throw_away(&self) -> Result<(Guest, manifest::Guest), Fault> {
        let (mut guest, instance) = Guest::new(self, &Limits::default(), Served::Nothing)?;
        let indices = &self.inner.manifest;
        let manifest = guest.lookup("weir:plugin/manifest", |store| indices.load(store, &instance))?;
        Ok((guest, manifest))
    }

    /// Types of functions are only compared when an instance's functions are looked up, so one instance is made at load.
    fn check_types(&self) -> Result<(), Fault> {
        let (mut guest, instance) = Guest::new(self, &Limits::default(), Served::Nothing)?;
        let manifest = &self.inner.manifest;
        guest.lookup("weir:plugin/manifest", |store| manifest.load(store, &instance))?;
        match self.step() {
            Step::Unit(life, step) => {
                guest.lookup("weir:plugin/lifecycle", |store| life.load(store, &instance))?;
                guest.lookup("weir:plugin/processing", |store| step.load(store, &instance)).map(drop)
            }
            Step::Rule(life, step) => {
                guest.lookup("weir:plugin/lifecycle", |store| life.load(store, &instance))?;
                guest.lookup("weir:plugin/evaluation", |store| step.load(store, &instance)).map(drop)
            }
            Step::Formatter(step) => {
                guest.lookup("weir:plugin/rendering", |store| step.load(store, &instance)).map(drop)
            }
            Step::Codec(step) => {
                guest.lookup("weir:plugin/coding", |store| step.load(store, &instance)).map(drop)
            }
        }
    }
}

impl Step {
    fn new(world: World, pre: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        Ok(match world {
            World::Unit => {
                Self::Unit(lifecycle::GuestIndices::new(pre)?, processing::GuestIndices::new(pre)?)
            }
            World::Rule => {
                Self::Rule(lifecycle::GuestIndices::new(pre)?, evaluation::GuestIndices::new(pre)?)
            }
            World::Formatter => Self::Formatter(rendering::GuestIndices::new(pre)?),
            World::Codec => Self::Codec(coding::GuestIndices::new(pre)?),
        })
    }
}

/// "sha256:<hex>" of a component's bytes.
pub fn digest(wasm: &[u8]) -> String {
    let hash = Sha256::digest(wasm);
    let mut text = String::from("sha256:");
    for byte in hash {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn check_header(wasm: &[u8]) -> Result<(), LoadError> {
    if wasm.len() > WASM_BYTES_MAX {
        return Err(LoadError::TooLarge(wasm.len()));
    }
    match wasm.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(LoadError::NotAComponent(
            "it is a core module; wrap it with `wasm-tools component new` or build it with a component tool chain",
        )),
        _ => Err(LoadError::NotAComponent("it does not begin like a Wasm file")),
    }
}

fn compiled(engine: &Engine, digest: &str, wasm: &[u8]) -> Result<wasmtime::component::Component, LoadError> {
    let shared = &engine.shared;
    if let Some(cache) = &shared.cache
        && let Some(code) = cache.get(digest)
    {
        match deserialize(&shared.wasmtime, &code) {
            Ok(component) => return Ok(component),
            // Of another wasmtime with the same name by accident: compile again and replace it.
            Err(error) => tracing::warn!(error = %error, digest, "compiled component does not fit"),
        }
    }
    let code = match &shared.helper {
        Some(helper) => helper.compile(wasm),
        None => compile_here(&shared.wasmtime, wasm),
    };
    let code = code.map_err(LoadError::Compile)?;
    let component = deserialize(&shared.wasmtime, &code).map_err(LoadError::Compile)?;
    if let Some(cache) = &shared.cache {
        cache.put(digest, &code);
    }
    Ok(component)
}

fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> Result<wasmtime::component::Component, String> {
    // SAFETY: `code` is what wasmtime serialized: it came just now from our own compiler or helper process, or from a file whose MAC
    // under our private key was checked. Nothing else ever gets here.
    unsafe { wasmtime::component::Component::deserialize(engine, code) }.map_err(|error| format!("{error:#}"))
}

fn prepare(
    component: &wasmtime::component::Component,
    imports: &[Import],
) -> wasmtime::Result<InstancePre<HostState>> {
    use wasmtime::component::types::ComponentItem;
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    link::link(&mut linker)?;
    let ty = component.component_type();
    for import in imports.iter().filter(|import| import.closed) {
        if let Some(item) = ty.get_import(engine, &import.name)
            && let ComponentItem::ComponentInstance(items) = &item.ty
        {
            wasi::link(&mut linker.instance(&import.name)?, &import.name, items, engine)?;
        }
    }
    linker.instantiate_pre(component)
}

fn world_error(error: &wasmtime::Error) -> LoadError {
    LoadError::World(vec![format!("{error:#}")])
}

fn manifest_call(name: &'static str) -> Call {
    Call { name, access: Access::LogOnly, deadline_ms: MANIFEST_DEADLINE_MS, moment: Moment::default() }
}

fn check_answer(call: &'static str, text: &str) -> Result<(), Fault> {
    if text.len() <= ANSWER_BYTES_MAX {
        return Ok(());
    }
    let message = format!("returned {} bytes, at most {ANSWER_BYTES_MAX} are taken", text.len());
    Err(Fault::contract(call, message))
}
