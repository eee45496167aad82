//! Which components there are: the standard ones that the program carries, those in the data folder, and files named by path.
//!
//! In: the word after `use`. Out: the loaded component, its manifest, its plan for a configuration (checked against its JSON Schema, defaults filled in). A
//! file of the data folder's `components/` wins over a standard one of the same name. Loading may compile, which takes up to seconds for large
//! ones, so nothing here is called by a worker. Answers are cached by digest (and configuration); a file is read again at each look, so that a new
//! configuration sees a new file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use weir_core::config::Topology;
use weir_core::graph::Catalog;
use weir_core::manifest::{parse_manifest, parse_plan};
use weir_core::plan::{Manifest, Plan};
use weir_engine::{Component, Engine, World};

use super::kept::Kept;
use super::tables;

/// Plans that are kept; over it the cache starts anew.
const PLANS_MAX: usize = 4_096;
/// A longer configuration is known by its digest.
const KEY_BYTES_MAX: usize = 4_096;

/// A component with what it says of itself.
#[derive(Clone)]
pub struct Loaded {
    pub component: Component,
    pub manifest: Arc<Manifest>,
    validator: Arc<jsonschema::Validator>,
}

type PlanKey = (Arc<str>, String);

pub struct Components {
    engine: Engine,
    /// `components/` of the data folder, where there is one.
    folder: Option<PathBuf>,
    /// Files that configurations name lie below it.
    tables: Option<PathBuf>,
    loaded: Mutex<HashMap<String, Loaded>>,
    /// Names whose code is in the cache: loading them is quick.
    warm: Mutex<HashSet<String>>,
    /// Held while one is compiled that nothing waits for, so that none is compiled twice.
    warming: Mutex<()>,
    plans: Mutex<HashMap<PlanKey, Arc<Plan>>>,
    /// Copies of what ran, where there is a data folder.
    kept: Mutex<Option<Kept>>,
    /// While a start runs again what ran: names stand for what they stood for in this revision.
    pinned: Mutex<Option<u64>>,
}

impl Components {
    pub fn new(engine: Engine, folder: Option<PathBuf>) -> Self {
        Self {
            engine,
            folder,
            tables: None,
            loaded: Mutex::default(),
            warm: Mutex::default(),
            warming: Mutex::default(),
            plans: Mutex::default(),
            kept: Mutex::default(),
            pinned: Mutex::default(),
        }
    }

    /// From here on what runs is kept in this folder.
    pub fn keep_in(&self, folder: PathBuf) {
        *self.kept.lock() = Some(Kept::open(folder));
    }

    /// Until the next call names stand for what they stood for in that revision.
    pub fn pin(&self, revision: Option<u64>) {
        *self.pinned.lock() = revision;
    }

    /// Keeps what a revision runs with. An error costs the copy, which is told.
    pub fn keep(&self, revision: u64, topology: &Topology) {
        if self.kept.lock().is_none() {
            return;
        }
        let names = uses(topology).into_iter().filter(|uses| self.is_own(uses));
        let names: BTreeMap<String, Vec<u8>> =
            names.filter_map(|uses| Some((uses.to_owned(), self.bytes(uses).ok()?))).collect();
        if let Some(kept) = &mut *self.kept.lock()
            && let Err(error) = kept.keep(revision, &names)
        {
            tracing::warn!(revision, %error, "the components of a revision could not be copied; while its records are kept, leave their files where they are");
        }
    }

    /// Names whose file is another one now than that which the revision runs with. What is gone is not among them.
    pub fn changed_since(&self, revision: u64) -> Vec<String> {
        let names = self.kept.lock().as_ref().map(|kept| kept.names(revision)).unwrap_or_default();
        let differs = |(uses, digest): &(String, String)| {
            self.current(uses).is_ok_and(|bytes| weir_engine::digest(&bytes) != *digest)
        };
        names.into_iter().filter(differs).map(|(uses, _)| uses).collect()
    }

    /// Revisions whose components are kept.
    pub fn kept_revisions(&self) -> BTreeSet<u64> {
        self.kept.lock().as_ref().map(Kept::revisions).unwrap_or_default()
    }

    /// Removes copies that none of these revisions names.
    pub fn forget_all_but(&self, revisions: &BTreeSet<u64>) {
        let gone = self.kept.lock().as_mut().map_or(Ok(0), |kept| kept.forget_all_but(revisions));
        match gone {
            Ok(0) => {}
            Ok(gone) => {
                tracing::debug!(gone, "copies of components that nothing names any more were removed")
            }
            Err(error) => {
                tracing::warn!(%error, "copies of components could not be removed; it is tried again")
            }
        }
    }

    /// Not carried by the program.
    fn is_own(&self, uses: &str) -> bool {
        let in_folder =
            || self.folder.as_ref().is_some_and(|folder| folder.join(format!("{uses}.wasm")).is_file());
        uses.ends_with(".wasm")
            || in_folder()
            || !crate::embedded::components().iter().any(|(name, _)| *name == uses)
    }

    /// With a folder for the files that configurations name.
    pub fn with_tables(self, folder: PathBuf) -> Self {
        Self { tables: Some(folder), ..self }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The component behind the word after `use`. The error is for people.
    pub fn load(&self, uses: &str) -> Result<Loaded, String> {
        let bytes = self.bytes(uses)?;
        let digest = weir_engine::digest(&bytes);
        if let Some(loaded) = self.loaded.lock().get(&digest) {
            return Ok(loaded.clone());
        }
        let component =
            Component::load(&self.engine, &bytes).map_err(|error| format!("component `{uses}`: {error}"))?;
        let text = component.describe().map_err(|fault| format!("component `{uses}`: {fault}"))?;
        let manifest = parse_manifest(&text).map_err(|error| format!("component `{uses}`: {error}"))?;
        fits(component.world(), &manifest.kind).map_err(|error| format!("component `{uses}`: {error}"))?;
        let validator = jsonschema::validator_for(&manifest.config_schema).map_err(|error| {
            format!("component `{uses}`: its configuration schema is no JSON Schema: {error}")
        })?;
        let loaded = Loaded { component, manifest: Arc::new(manifest), validator: Arc::new(validator) };
        self.loaded.lock().insert(digest, loaded.clone());
        self.warm.lock().insert(uses.to_owned());
        Ok(loaded)
    }

    /// Compiles a component into the cache without keeping it in memory. One that does not load is warm as well: asking again is as quick.
    pub fn warm(&self, name: &str) {
        let _one_at_a_time = self.warming.lock();
        if self.is_warm(name) {
            return;
        }
        if let Err(error) = self.bytes(name).map(|bytes| Component::load(&self.engine, &bytes).map(drop)) {
            tracing::debug!(name, error, "a component could not be read");
        }
        self.warm.lock().insert(name.to_owned());
    }

    /// As [`Self::load`]; what another one compiles right now is waited for and not compiled again.
    pub fn load_in_turn(&self, uses: &str) -> Result<Loaded, String> {
        let _one_at_a_time = (!self.is_warm(uses)).then(|| self.warming.lock());
        self.load(uses)
    }

    /// Whether loading it takes no compilation.
    pub fn is_warm(&self, name: &str) -> bool {
        self.warm.lock().contains(name)
    }

    /// The configuration with the schema's defaults and the texts of its files filled in, or what is wrong with it.
    pub fn complete(&self, loaded: &Loaded, config: &Value) -> Result<Value, Vec<(String, String)>> {
        let mut config = config.clone();
        fill(&loaded.manifest.config_schema, &mut config);
        let problems: Vec<_> = loaded
            .validator
            .iter_errors(&config)
            .take(32)
            .map(|error| (error.instance_path().to_string(), error.to_string()))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        tables::fill(&loaded.manifest.config_schema, &mut config, self.tables.as_deref())?;
        Ok(config)
    }

    /// The plan for a completed configuration.
    pub fn plan_of(&self, loaded: &Loaded, config: &Value) -> Result<Arc<Plan>, Vec<(String, String)>> {
        let at_root = |message: String| vec![(String::new(), message)];
        let text = config.to_string();
        // A table may be long: its digest stands for it.
        let name =
            if text.len() > KEY_BYTES_MAX { weir_engine::digest(text.as_bytes()) } else { text.clone() };
        let key = (Arc::clone(loaded.component.digest()), name);
        if let Some(plan) = self.plans.lock().get(&key) {
            return Ok(Arc::clone(plan));
        }
        let answer = loaded.component.plan(&text).map_err(|fault| at_root(fault.to_string()))?;
        let answer = answer.map_err(|complaints| {
            complaints
                .into_iter()
                .take(32)
                .map(|complaint| (complaint.path, complaint.message))
                .collect::<Vec<_>>()
        })?;
        let plan = Arc::new(parse_plan(&answer).map_err(|error| at_root(error.to_string()))?);
        if let Some(selector) = &plan.selector {
            weir_expr::parse(selector).map_err(|error| at_root(format!("plan.where: {error}")))?;
        }
        let mut plans = self.plans.lock();
        if plans.len() >= PLANS_MAX {
            plans.clear();
        }
        plans.insert(key, Arc::clone(&plan));
        Ok(plan)
    }

    /// What a name stands for: in the revision that is run again; else now; else, where its file is gone, what it stood for last.
    fn bytes(&self, uses: &str) -> Result<Vec<u8>, String> {
        let pinned = *self.pinned.lock();
        let kept = |revision: u64| self.kept.lock().as_ref()?.bytes(revision, uses);
        if let Some(bytes) = pinned.and_then(kept) {
            return Ok(bytes);
        }
        self.current(uses).or_else(|error| {
            let newest = || self.kept.lock().as_ref()?.newest(uses);
            let bytes = newest().ok_or_else(|| error.clone())?;
            tracing::warn!(uses, error, "the copy of the component that ran last is used");
            Ok(bytes)
        })
    }

    /// As it is now.
    fn current(&self, uses: &str) -> Result<Vec<u8>, String> {
        if uses.ends_with(".wasm") {
            return read(Path::new(uses));
        }
        let file = self.folder.as_ref().map(|folder| folder.join(format!("{uses}.wasm")));
        if let Some(file) = file.filter(|file| file.is_file()) {
            return read(&file);
        }
        crate::embedded::components()
            .iter()
            .find(|(name, _)| *name == uses)
            .map(|(_, bytes)| bytes.to_vec())
            .ok_or_else(|| format!("there is no component `{uses}`"))
    }
}

/// Every name of a component that a configuration has.
fn uses(topology: &Topology) -> BTreeSet<&str> {
    let units = topology.pipelines.iter().flat_map(|pipeline| &pipeline.units).map(|unit| &unit.uses);
    let rules = topology.rules.iter().map(|rule| &rule.uses);
    let charts = topology.charts.iter().map(|chart| &chart.uses);
    let codecs = topology.sources.iter().map(|source| &source.codec).filter(|codec| !codec.is_built_in());
    let codecs = codecs.map(|codec| &codec.uses);
    units.chain(rules).chain(charts).chain(codecs).map(String::as_str).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| format!("read {}: {error}", path.display()))?.len();
    if length > weir_engine::WASM_BYTES_MAX as u64 {
        return Err(format!(
            "{} has {length} bytes, over the limit of {}",
            path.display(),
            weir_engine::WASM_BYTES_MAX
        ));
    }
    std::fs::read(path).map_err(|error| format!("read {}: {error}", path.display()))
}

fn fits(world: World, kind: &str) -> Result<(), String> {
    let wanted = match kind {
        "rule" => World::Rule,
        "formatter" => World::Formatter,
        "codec" => World::Codec,
        _ => World::Unit,
    };
    if world == wanted {
        return Ok(());
    }
    Err(format!("it says that it is of the kind `{kind}`, but has the exports of a {}", world.as_str()))
}

/// Puts the schema's defaults where the configuration says nothing, through nested objects.
fn fill(schema: &Value, config: &mut Value) {
    let (Some(properties), Some(object)) =
        (schema.get("properties").and_then(Value::as_object), config.as_object_mut())
    else {
        return;
    };
    for (name, property) in properties {
        if !object.contains_key(name)
            && let Some(default) = property.get("default")
        {
            object.insert(name.clone(), default.clone());
        }
        if let Some(value) = object.get_mut(name) {
            fill(property, value);
        }
    }
}

impl Catalog for Components {
    fn manifest(&self, uses: &str) -> Result<Arc<Manifest>, String> {
        self.load(uses).map(|loaded| loaded.manifest)
    }

    fn plan(&self, uses: &str, config: &Value) -> Result<Arc<Plan>, Vec<(String, String)>> {
        let loaded = self.load(uses).map_err(|message| vec![(String::new(), message)])?;
        let config = self.complete(&loaded, config)?;
        if loaded.component.world() == World::Codec {
            return Ok(Arc::new(Plan::default()));
        }
        self.plan_of(&loaded, &config)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            crate::embedded::components().iter().map(|(name, _)| (*name).to_owned()).collect();
        let files = self.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok());
        for file in files.into_iter().flatten().flatten().take(1_000) {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "wasm")
                && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            {
                names.push(stem.to_owned());
            }
        }
        names.sort();
        names.dedup();
        names
    }
}
