//! Builds the components of `plugins/`: core modules by cargo, components by wit-component and the closed adapter.
//!
//! In: the repository's root. Out: the paths of `plugins/target/components/<name>.wasm`, sorted, one for each cdylib of the workspace. A
//! component is written again only where its core module, the adapter or the contract is newer. Each is validated, and refused if it
//! imports anything but interfaces of `weir:plugin`: its import list is its list of capabilities.
//! Errors name the component and what was being done; they are for the developer at the terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};
use wit_parser::{Resolve, WorldKey};

const TARGET: &str = "wasm32-wasip1";
/// Not part of the program: configurations name them by their path.
const EXAMPLES: [&str; 3] = ["black-box", "factorial", "telemetry"];
/// What a core module that was linked for preview 1 imports, and the adapter answers.
const ADAPTED: &str = "wasi_snapshot_preview1";
/// What the adapter itself needs of the host.
const ADAPTER_WORLD: &str = "package weir:adapter; world closed { import weir:plugin/log@0.1.0; }";

/// Builds what is out of date and returns all components.
pub fn build(root: &Path) -> Result<Vec<PathBuf>> {
    add_target(root)?;
    let modules = core_modules(&root.join("plugins"))?;
    let folder = root.join("plugins/target/components");
    let hostile = folder.join("faults");
    let examples = folder.join("examples");
    for folder in [&hostile, &examples] {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let inputs_at = newest(&[&root.join("wit"), &root.join("plugins/adapter")])?;
    let mut adapter = None;
    let mut components = Vec::new();
    for module in modules {
        let name = module.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        // The program embeds what lies directly in the folder; those that misbehave on purpose are for tests.
        let for_tests = name.starts_with("faults") || name.starts_with("describe-");
        let place = match name.as_str() {
            _ if for_tests => &hostile,
            name if EXAMPLES.contains(&name) => &examples,
            _ => &folder,
        };
        let component = place.join(format!("{name}.wasm"));
        if modified(&component).is_none_or(|at| Some(at) < modified(&module).max(inputs_at)) {
            let adapter = match &adapter {
                Some(adapter) => adapter,
                None => adapter.insert(closed_adapter(root)?),
            };
            let bytes =
                componentize(&fs::read(&module)?, adapter).with_context(|| format!("componentize {name}"))?;
            check_imports(&bytes).with_context(|| format!("check {name}"))?;
            fs::write(&component, bytes).with_context(|| format!("write {}", component.display()))?;
        }
        components.push(component);
    }
    components.sort();
    Ok(components)
}

/// A core module with a world in it to a component.
pub fn componentize(module: &[u8], adapter: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.adapter(ADAPTED, adapter)?.encode()
}

/// The adapter as a module, with the world that says what it imports.
pub fn closed_adapter(root: &Path) -> Result<Vec<u8>> {
    let mut adapter = wat::parse_file(root.join("plugins/adapter/closed.wat"))?;
    let mut resolve = Resolve::default();
    resolve.push_dir(root.join("wit")).context("read wit/")?;
    let package = resolve.push_str("adapter.wit", ADAPTER_WORLD)?;
    let world = resolve.select_world(&[package], Some("closed"))?;
    wit_component::embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8)?;
    Ok(adapter)
}

/// Nothing but the contract may be imported.
fn check_imports(component: &[u8]) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a package of interfaces, not a component");
    };
    let world = resolve.worlds.get(world).context("it has no world")?;
    for key in world.imports.keys() {
        let name = match key {
            WorldKey::Name(name) => name.clone(),
            WorldKey::Interface(id) => resolve.id_of(*id).unwrap_or_default(),
        };
        if !name.starts_with("weir:plugin/") {
            bail!("it imports `{name}`; a component may import interfaces of weir:plugin only");
        }
    }
    Ok(())
}

/// One cargo build for all; the paths of the modules that it made or found fresh.
fn core_modules(plugins: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--workspace",
            "--target",
            TARGET,
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(plugins)
        .env_remove("CARGO_TARGET_DIR")
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo build in plugins/")?;
    if !output.status.success() {
        bail!("the components do not compile; see above");
    }
    let mut modules = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("read what cargo says")?;
        let kinds = message.pointer("/target/kind").and_then(|kinds| kinds.as_array());
        let is_component = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"));
        let files = message.get("filenames").and_then(|files| files.as_array()).filter(|_| is_component);
        let files = files.into_iter().flatten().filter_map(|file| file.as_str());
        modules.extend(files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from));
    }
    Ok(modules)
}

/// Adds the standard library for the target where it is missing.
fn add_target(root: &Path) -> Result<()> {
    let found = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root)
        .output();
    let folder = found.context("run rustc")?.stdout;
    if Path::new(String::from_utf8_lossy(&folder).trim()).exists() {
        return Ok(());
    }
    let status = Command::new("rustup").args(["target", "add", TARGET]).current_dir(root).status();
    if !status.is_ok_and(|status| status.success()) {
        bail!("the standard library for {TARGET} is missing; install it with `rustup target add {TARGET}`");
    }
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The latest change of a file in these folders (not below them).
fn newest(folders: &[&Path]) -> Result<Option<SystemTime>> {
    let mut latest = None;
    for folder in folders {
        for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
            latest = latest.max(modified(&entry?.path()));
        }
    }
    Ok(latest)
}
