//! `docs/units/`: one page for each standard component and one for the example of a codec, equal to what the component says of itself now.
//!
//! `UPDATE_DOCS=1` (which is what `cargo xtask docs` sets) writes the pages and their list anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir::units::Components;
use weir_core::graph::Catalog;
use weir_engine::{Engine, Settings};
use weir_tests::pages::{Example, page};

/// There is no standard codec that is a component; this one shows what a page of one looks like.
const CODEC: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/examples/telemetry.wasm");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/units")
}

/// File name and text of every page.
fn pages() -> BTreeMap<String, String> {
    let components = Components::new(Engine::start(Settings::default()).unwrap(), None);
    let mut pages = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for uses in components.names().into_iter().chain([CODEC.to_owned()]) {
        let manifest = components.manifest(&uses).unwrap();
        let name = manifest.name.to_string();
        let configs = manifest.config_schema.get("examples").and_then(Value::as_array);
        let examples: Vec<Example> = configs
            .into_iter()
            .flatten()
            .map(|config| {
                let plan = components.plan(&uses, config);
                (config.clone(), plan.map(|plan| (*plan).clone()).map_err(|problems| format!("{problems:?}")))
            })
            .collect();
        for (config, plan) in &examples {
            assert!(plan.is_ok(), "{name}: its example {config} is refused: {plan:?}");
        }
        lines.insert((manifest.kind.clone(), name.clone()), manifest.summary.clone());
        pages.insert(format!("{name}.md"), page(&manifest, &examples));
    }
    pages.insert("README.md".into(), list(&lines));
    pages
}

fn list(lines: &BTreeMap<(String, String), String>) -> String {
    let mut text = "# The standard components\n\n<!-- Made by `cargo xtask docs`. -->\n\nEach page is made from what the component says of itself, as `weir inspect` \
        shows it.\n\n| component | kind | what it does |\n|---|---|---|\n"
        .to_owned();
    for ((kind, name), summary) in lines {
        text.push_str(&format!("| [{name}]({name}.md) | {kind} | {summary} |\n"));
    }
    text
}

#[test]
fn unit_pages_are_what_the_components_say() {
    let (folder, pages) = (folder(), pages());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in &pages {
            std::fs::write(folder.join(file), text).unwrap();
        }
    }
    let mut found: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, pages.keys().cloned().collect::<Vec<_>>(), "docs/units: run `cargo xtask docs`");
    for (file, text) in &pages {
        let written = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(written == *text, "docs/units/{file} is not what the component says: run `cargo xtask docs`");
    }
}
