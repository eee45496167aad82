//! Every way of a component to misbehave, from the table in `plugins/faults/README.md`: the fault that is expected, the host lives, another flow's data
//! goes on, and a poison row alone goes to the dead letters.

use std::collections::HashMap;
use std::fmt::Write;
use std::process::Command;

use weir_tests::host::{TestHost, program};

use crate::start::COUNT;

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/faults/README.md"));
const COMPONENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/faults");
const WAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/faults/wat");

/// (fault, call, expected) of the configured faults.
fn configured() -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = TABLE.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, fault, call, expected, _, _] = cells[..] else { return None };
        Some((fault.strip_prefix('`')?.strip_suffix('`')?, call, expected))
    });
    rows.collect()
}

/// (name, expected) of the components and files that are refused as such.
fn refused_files() -> Vec<&'static str> {
    let rows = TABLE.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, expected, _, _] = cells[..] else { return None };
        (expected == "refused").then(|| name.trim_matches('`'))
    });
    rows.collect()
}

fn pipeline(fault: &str) -> String {
    let name = format!("f-{fault}");
    format!(
        "[[pipeline]]\nname = \"{name}\"\nfrom = [\"faults/test/{fault}\"]\n[[pipeline.unit]]\nname = \"u\"\n\
         use = \"{COMPONENTS}/faults.wasm\"\nconfig = {{ fault = \"{fault}\" }}\n[[pipeline.unit]]\nname = \"after\"\n\
         use = \"filter\"\nconfig = {{ keep = \"true\" }}\n\n"
    )
}

/// Faults seen so far by unit id.
fn faults(host: &TestHost) -> HashMap<String, Vec<(String, String)>> {
    let seen = host.json("/api/faults").unwrap();
    let mut faults: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for fault in seen["faults"].as_array().unwrap() {
        let text = |name: &str| fault[name].as_str().unwrap().to_owned();
        faults.entry(text("unit")).or_default().push((text("kind"), text("call")));
    }
    faults
}

#[test]
fn each_fault_is_the_one_expected_and_the_neighbour_goes_on() {
    let run: Vec<_> = configured().into_iter().filter(|(_, _, expected)| *expected != "refused").collect();
    assert!(run.len() > 40, "the table was not read");
    let mut config = COUNT.to_owned();
    config.push('\n');
    run.iter().for_each(|(fault, _, _)| config.push_str(&pipeline(fault)));
    let mut host = TestHost::start(&config).unwrap();
    let mut lines = String::new();
    for (fault, _, _) in &run {
        for row in 0..4 {
            let event = format!("\"application\":\"faults\",\"environment\":\"test\",\"type\":\"{fault}\"");
            writeln!(lines, "{{{event},\"key\":\"k{row}\",\"x\":{row}}}").unwrap();
        }
    }
    host.send(&lines).unwrap();
    let good = "{\"key\":\"a\",\"x\":1}\n".repeat(500);
    host.send(&good).unwrap();
    host.wait_unit("count/all", "rows_in_total", 500).unwrap();
    for (fault, call, expected) in &run {
        expect(&host, fault, call, expected);
    }
    host.send(&good).unwrap();
    host.wait_unit("count/all", "rows_in_total", 1000).unwrap();
    assert!(host.is_alive());
    assert_eq!(host.unit("count/all", "faults_total").unwrap(), 0);
}

fn expect(host: &TestHost, fault: &str, call: &str, expected: &str) {
    let unit = format!("f-{fault}/u");
    match expected {
        "none" => host.wait_unit(&format!("f-{fault}/after"), "rows_in_total", 4).unwrap(),
        "dead letters" => host.wait_unit(&unit, "rejected_total", 1).unwrap(),
        kinds => {
            host.wait_unit(&unit, "faults_total", 1).unwrap();
            let seen = faults(host).remove(&unit).unwrap_or_default();
            let fits =
                seen.iter().any(|(kind, at)| kinds.split(" or ").any(|wanted| wanted == kind) && at == call);
            assert!(fits, "{fault}: expected {kinds} in {call}, got {seen:?}");
        }
    }
}

#[test]
fn a_plan_or_a_component_that_lies_is_refused_with_its_name() {
    let check = |config: String, what: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weir.toml");
        std::fs::write(&file, config).unwrap();
        let checked =
            Command::new(program().unwrap()).arg("check").arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.code(), Some(1), "{what}: {said}");
        assert!(said.contains("unit \"u\""), "{what}: {said}");
        assert!(!said.contains("panicked"), "{what}: {said}");
    };
    for (fault, _, _) in configured().into_iter().filter(|(_, _, expected)| *expected == "refused") {
        check(pipeline(fault), fault);
    }
    let files = refused_files();
    assert!(files.len() > 8, "the tables were not read");
    for name in files {
        let path =
            if name.contains('.') { format!("{WAT}/{name}") } else { format!("{COMPONENTS}/{name}.wasm") };
        let folder = tempfile::tempdir().unwrap();
        let wasm = folder.path().join("it.wasm");
        if name.ends_with(".wat") {
            std::fs::write(&wasm, wat::parse_file(&path).unwrap()).unwrap();
        } else {
            std::fs::copy(&path, &wasm).unwrap();
        }
        let used = pipeline("none").replace(&format!("{COMPONENTS}/faults.wasm"), wasm.to_str().unwrap());
        check(used.replace(", config = { fault = \"none\" }", ""), name);
    }
}

#[test]
fn one_poison_row_in_many_costs_only_itself() {
    let poison = format!(
        "[[pipeline]]\nname = \"p\"\nfrom = [\"my/dev/event\"]\n[[pipeline.unit]]\nname = \"u\"\nuse = \"{COMPONENTS}/faults.wasm\"\n\
         config = {{ fault = \"trap\", on_row_value = {{ column = \"x\", equals = 13 }} }}\n[[pipeline.unit]]\nname = \"after\"\n\
         use = \"filter\"\nconfig = {{ keep = \"true\" }}\n"
    );
    let host = TestHost::start(&format!("{COUNT}\n{poison}")).unwrap();
    let lines: String = (0..3_000)
        .map(|x| format!("{{\"key\":\"a\",\"x\":{}}}\n", if x == 1_500 { 13 } else { x + 100 }))
        .collect();
    host.send(&lines).unwrap();
    host.wait_unit("p/after", "rows_in_total", 2_999).unwrap();
    let dead = host.json("/api/dead").unwrap();
    assert_eq!(
        (dead["total"].as_u64(), dead["letters"][0]["fields"]["x"].as_u64()),
        (Some(1), Some(13)),
        "{dead}"
    );
    assert_eq!(dead["letters"][0]["code"], "trap");
    assert_eq!(host.unit("p/after", "rows_in_total").unwrap(), 2_999);
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 3_000);
}
