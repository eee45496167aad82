//! `weir inspect`: what a component is, what it wants and what it may, without running it in a pipeline.
//!
//! In: a `.wasm` file, at most 32 MiB. Out: a table for people or one JSON object. It is compiled in a process of its own with bounds, and only
//! its `describe` is called, on an instance in which nothing is granted. What is not a component, or fits no world, is an error that says why.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use weir_core::manifest::parse_manifest;
use weir_core::plan::Manifest;
use weir_engine::{CompileHelper, Component, Engine, Inspection, Settings, WASM_BYTES_MAX};

use super::{InspectArguments, print};

pub fn inspect(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let file = &arguments.file;
    let named = || file.display().to_string();
    let bytes = std::fs::metadata(file).with_context(named)?.len();
    if bytes > WASM_BYTES_MAX as u64 {
        bail!("{}: has {bytes} bytes; a component has at most {WASM_BYTES_MAX}", named());
    }
    let wasm = std::fs::read(file).with_context(named)?;
    let helper = CompileHelper {
        program: std::env::current_exe().context("find the program itself")?,
        arguments: vec!["compile-component".to_owned()],
    };
    let engine = Engine::start(Settings { cache_dir: None, compile_helper: Some(helper) })?;
    let component = Component::load(&engine, &wasm).with_context(named)?;
    let described = component.describe().with_context(named)?;
    let manifest = parse_manifest(&described).with_context(named)?;
    let inspection = component.inspect();
    if arguments.json {
        let described: Value = serde_json::from_str(&described).with_context(named)?;
        print(
            &json!({ "component": inspection, "describes": described, "warnings": manifest.warnings })
                .to_string(),
        )?;
    } else {
        print(&table(&named(), &inspection, &manifest))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(file: &str, inspection: &Inspection, manifest: &Manifest) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        ("file", file.to_owned()),
        ("digest", inspection.digest.clone()),
        ("size", size(inspection.bytes as u64)),
        ("is", format!("{} {} ({})", manifest.name, manifest.version, manifest.kind)),
    ];
    if !manifest.summary.is_empty() {
        rows.push(("", manifest.summary.clone()));
    }
    rows.push(("world", inspection.world.as_str().to_owned()));
    let wants = inspection.imports.iter().filter(|import| !import.name.starts_with("weir:plugin/types"));
    let wants: Vec<(String, String)> =
        wants.map(|import| (import.name.clone(), means(&import.name, import.closed).to_owned())).collect();
    let width = wants.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let wants = wants.iter().map(|(name, means)| format!("{name:width$}  {means}"));
    push(&mut rows, "wants", wants, "nothing");
    let may = "compute; no network, files, clock, processes or other components' data, unless listed above";
    rows.push(("may", may.to_owned()));
    if let Some(memory) = inspection.resources.and_then(|resources| resources.memory_bytes) {
        rows.push(("memory", format!("{} at the start", size(memory))));
    }
    push(&mut rows, "config", options(&manifest.config_schema).into_iter(), "none");
    push(&mut rows, "warnings", manifest.warnings.iter().cloned(), "");
    let rows: Vec<String> =
        rows.iter().map(|(name, value)| format!("{name:9} {}", clean(value)).trim_end().to_owned()).collect();
    rows.join("\n")
}

/// What a component says of itself is only data: nothing of it steers the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The name stands in the first row only.
fn push<'a>(
    rows: &mut Vec<(&'a str, String)>,
    name: &'a str,
    values: impl Iterator<Item = String>,
    none: &str,
) {
    let before = rows.len();
    for value in values {
        let name = if rows.len() == before { name } else { "" };
        rows.push((name, value));
    }
    if rows.len() == before && !none.is_empty() {
        rows.push((name, none.to_owned()));
    }
}

fn means(import: &str, closed: bool) -> &'static str {
    let interface = import.rsplit('/').next().unwrap_or_default();
    match interface.split('@').next().unwrap_or_default() {
        "state" if !closed => "remember values by key, within its quota",
        "timers" if !closed => "be woken at a time of its stream",
        "log" if !closed => "write lines to the log, a limited number",
        _ if closed => {
            "closed: an empty environment, no files, no network; clock and random come from the record"
        }
        _ => "not known to this version",
    }
}

/// One line for each property of a JSON Schema.
fn options(schema: &Value) -> Vec<String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required = |name: &str| {
        let list = schema.get("required").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|entry| entry.as_str() == Some(name)))
    };
    let width = properties.keys().map(String::len).max().unwrap_or(0);
    let line = |(name, property): (&String, &Value)| {
        let kind = match (property.get("type"), property.get("enum")) {
            (_, Some(Value::Array(values))) => {
                values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ")
            }
            (Some(Value::String(kind)), _) => kind.clone(),
            _ => "any".to_owned(),
        };
        let default = match property.get("default") {
            Some(default) => format!(", default {default}"),
            None if required(name) => ", required".to_owned(),
            None => String::new(),
        };
        let about = property
            .get("description")
            .and_then(Value::as_str)
            .map_or_else(String::new, |about| format!(": {about}"));
        format!("{name:width$}  {kind}{default}{about}")
    };
    properties.iter().map(line).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use weir_engine::{Import, World};

    use super::*;

    #[test]
    fn the_table_says_what_it_is_wants_and_may() {
        let inspection = Inspection {
            digest: "sha256:00".into(),
            bytes: 20_480,
            world: World::Unit,
            imports: vec![
                Import { name: "weir:plugin/types@0.1.0".into(), closed: false },
                Import { name: "weir:plugin/log@0.1.0".into(), closed: false },
                Import { name: "wasi:clocks/wall-clock@0.2.6".into(), closed: true },
            ],
            exports: Vec::new(),
            resources: None,
        };
        let describe = r#"{"name": "f", "version": "1.0.0", "kind": "filter", "summary": "red\u001b[31m", "config": {"required": ["keep"],
            "properties": {"keep": {"type": "string", "description": "rows to keep"}, "mode": {"enum": ["a", "b"], "default": "a"}}}}"#;
        let told = table("f.wasm", &inspection, &parse_manifest(describe).unwrap());
        let expected = "file      f.wasm
digest    sha256:00
size      20.0 KiB
is        f 1.0.0 (filter)
          red [31m
world     unit
wants     weir:plugin/log@0.1.0         write lines to the log, a limited number
          wasi:clocks/wall-clock@0.2.6  closed: an empty environment, no files, no network; clock and random come from the record
may       compute; no network, files, clock, processes or other components' data, unless listed above
config    keep  string, required: rows to keep
          mode  \"a\" | \"b\", default \"a\"";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_component_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\n"), "a [31mb ");
    }
}
