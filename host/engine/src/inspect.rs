//! What a component is and asks for, read from its types before anything of it runs.
//!
//! In: a compiled component. Out: its world (by what it exports), the indices of its functions, and every import named. What the world does
//! not have is refused with one text that lists all of it in words of WIT: missing exports, interfaces and functions of another
//! version, imports of other packages. `wasi:` interfaces of five packages are allowed, because they are closed (see [`crate::wasi`]).

use serde::Serialize;
use wasmtime::component::types::{ComponentInstance, ComponentItem};

use crate::wasi;

const VERSION: &str = "0.1.0";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    Unit,
    Rule,
    Formatter,
    Codec,
}

impl World {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Rule => "rule",
            Self::Formatter => "formatter",
            Self::Codec => "codec",
        }
    }

    /// The interface that makes a component one of this world.
    fn mark(self) -> &'static str {
        match self {
            Self::Unit => "processing",
            Self::Rule => "evaluation",
            Self::Formatter => "rendering",
            Self::Codec => "coding",
        }
    }

    fn exports(self) -> &'static [&'static str] {
        match self {
            Self::Unit => &["manifest", "lifecycle", "processing"],
            Self::Rule => &["manifest", "lifecycle", "evaluation"],
            Self::Formatter => &["manifest", "rendering"],
            Self::Codec => &["manifest", "coding"],
        }
    }

    fn imports(self) -> &'static [&'static str] {
        match self {
            // `types` has no functions; a component may import it for the types alone.
            Self::Unit | Self::Rule => &["types", "state", "timers", "log"],
            Self::Formatter | Self::Codec => &["types", "log"],
        }
    }
}

const WORLDS: [World; 4] = [World::Unit, World::Rule, World::Formatter, World::Codec];

/// Functions of each interface of the contract.
fn functions(interface: &str) -> &'static [&'static str] {
    match interface {
        "manifest" => &["describe", "plan"],
        "lifecycle" => &["open", "migrate", "close"],
        "processing" => &["process", "tick"],
        "evaluation" => &["evaluate", "tick"],
        "rendering" => &["render"],
        "coding" => &["open", "decode", "encode"],
        "state" => {
            &["read", "write", "read-packed", "write-packed", "present", "remove", "expire", "scan", "define"]
        }
        "timers" => &["wake", "wake-by-clock"],
        "log" => &["write"],
        _ => &[],
    }
}

/// One import as a component names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    pub name: String,
    /// True for WASI: linked to something that grants nothing.
    pub closed: bool,
}

/// Most a component needs at its start, where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Resources {
    pub memories: u32,
    /// The largest memory at the start.
    pub memory_bytes: Option<u64>,
    pub tables: u32,
    pub table_elements: Option<u64>,
}

/// The answer to "what is this file".
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub digest: String,
    pub bytes: usize,
    pub world: World,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    pub resources: Option<Resources>,
}

/// World, imports and exports of a component, or everything that does not fit.
pub(crate) struct Shape {
    pub world: World,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
}

pub(crate) fn shape(component: &wasmtime::component::Component) -> Result<Shape, Vec<String>> {
    let engine = component.engine();
    let ty = component.component_type();
    let exports: Vec<(String, ComponentItem)> =
        ty.exports(engine).map(|(name, item)| (name.to_owned(), item.ty)).collect();
    let imports: Vec<(String, ComponentItem)> =
        ty.imports(engine).map(|(name, item)| (name.to_owned(), item.ty)).collect();
    let world = world(&exports)?;
    let mut problems = Vec::new();
    for interface in world.exports() {
        check_export(world, interface, &exports, engine, &mut problems);
    }
    for (name, item) in &imports {
        check_import(world, name, item, engine, &mut problems);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let imports = imports.into_iter().map(|(name, _)| Import { closed: name.starts_with("wasi:"), name });
    Ok(Shape {
        world,
        imports: imports.collect(),
        exports: exports.into_iter().map(|(name, _)| name).collect(),
    })
}

fn world(exports: &[(String, ComponentItem)]) -> Result<World, Vec<String>> {
    let has =
        |world: &&World| exports.iter().any(|(name, _)| ours(name).is_some_and(|at| at.0 == world.mark()));
    let found: Vec<&World> = WORLDS.iter().filter(has).collect();
    match found.as_slice() {
        [world] => Ok(**world),
        [] => Err(vec![format!(
            "exports none of weir:plugin/processing, evaluation, rendering, coding (version {VERSION}), so it is no unit, rule, \
             formatter or codec; it exports: {}",
            list(exports.iter().map(|(name, _)| name.as_str()))
        )]),
        several => Err(vec![format!(
            "exports what makes it a {} at once; one component is one of them",
            several.iter().map(|world| world.as_str()).collect::<Vec<_>>().join(" and a ")
        )]),
    }
}

fn check_export(
    world: World,
    interface: &str,
    exports: &[(String, ComponentItem)],
    engine: &wasmtime::Engine,
    problems: &mut Vec<String>,
) {
    let found = exports.iter().find(|(name, _)| ours(name).is_some_and(|at| at.0 == interface));
    let Some((name, item)) = found else {
        let world = world.as_str();
        problems
            .push(format!("does not export weir:plugin/{interface}@{VERSION}, which world `{world}` has"));
        return;
    };
    check_version(name, problems);
    let ComponentItem::ComponentInstance(instance) = item else {
        problems.push(format!("exports {name}, but not as an interface"));
        return;
    };
    let present = function_names(instance, engine);
    for function in functions(interface) {
        if !present.iter().any(|name| name == function) {
            problems.push(format!("exports {name} without its function `{function}`"));
        }
    }
}

fn check_import(
    world: World,
    name: &str,
    item: &ComponentItem,
    engine: &wasmtime::Engine,
    problems: &mut Vec<String>,
) {
    if wasi::knows(name) {
        return;
    }
    let allowed = ours(name).is_some_and(|(interface, _)| world.imports().contains(&interface));
    if !allowed {
        let world = world.as_str();
        problems.push(format!("imports {name}, which world `{world}` does not have and nobody may grant"));
        return;
    }
    check_version(name, problems);
    let (Some((interface, _)), ComponentItem::ComponentInstance(instance)) = (ours(name), item) else {
        return;
    };
    for function in function_names(instance, engine) {
        if !functions(interface).contains(&function.as_str()) {
            problems
                .push(format!("imports the function `{function}` of {name}, which this host does not have"));
        }
    }
}

/// Interface and version of a name of ours: `weir:plugin/state@0.1.0`.
fn ours(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("weir:plugin/")?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

fn check_version(name: &str, problems: &mut Vec<String>) {
    let Some((_, version)) = ours(name) else { return };
    // 0.1.x fits 0.1.0, anything else is another contract; pre-releases fit nothing.
    let fits = version.strip_prefix("0.1.").is_some_and(|patch| patch.parse::<u32>().is_ok());
    if !fits {
        problems.push(format!("was built for {name}, this host has version {VERSION}"));
    }
}

fn function_names(instance: &ComponentInstance, engine: &wasmtime::Engine) -> Vec<String> {
    let is_function = |item: &ComponentItem| matches!(item, ComponentItem::ComponentFunc(_));
    instance
        .exports(engine)
        .filter(|(_, item)| is_function(&item.ty))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.take(32).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
