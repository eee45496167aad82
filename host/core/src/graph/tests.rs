//! Configurations joined to made-up components.

use super::*;
use crate::plan::{PlannedPort, PlannedTable};

/// `pass` has the ports out and late; `keyed` has keys from its configuration; `free` a table of its own; `picky` refuses all.
struct Fakes;

impl Catalog for Fakes {
    fn manifest(&self, uses: &str) -> Result<Arc<Manifest>, String> {
        let kind = match uses {
            "pass" | "keyed" | "free" | "picky" | "no-port" => "filter",
            "level" => "rule",
            "draw" => "formatter",
            _ => return Err(format!("there is no component `{uses}`")),
        };
        let manifest = format!(r#"{{"name": "{uses}", "version": "1", "kind": "{kind}"}}"#);
        crate::manifest::parse_manifest(&manifest).map(Arc::new).map_err(|error| error.to_string())
    }

    fn plan(&self, uses: &str, config: &Value) -> Result<Arc<Plan>, Vec<(String, String)>> {
        if uses == "picky" {
            return Err(vec![("/a".into(), "wants a number".into()), ("/b/0".into(), "is missing".into())]);
        }
        let keys = config.get("keys").and_then(Value::as_array).into_iter().flatten();
        let table = |by_key| PlannedTable { name: "t".into(), by_key, size: Some(8), expire_ns: None };
        let names: &[&str] =
            if matches!(uses, "level" | "draw" | "no-port") { &[] } else { &["out", "late"] };
        Ok(Arc::new(Plan {
            keys: keys.filter_map(Value::as_str).map(Arc::from).collect(),
            ports: names
                .iter()
                .map(|name| PlannedPort { name: (*name).into(), summary: String::new() })
                .collect(),
            tables: match uses {
                "keyed" | "level" => vec![table(true)],
                "free" => vec![table(false)],
                _ => Vec::new(),
            },
            ..Plan::default()
        }))
    }

    fn names(&self) -> Vec<String> {
        ["pass", "keyed", "free", "picky", "no-port", "level", "draw"].map(str::to_owned).to_vec()
    }
}

fn resolved(text: &str) -> Result<Graph, Vec<Problem>> {
    resolve(&Topology::parse(text).unwrap(), &Fakes)
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let problems = resolved(text).map(|_| ()).expect_err("must be refused");
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, (place, message)) in problems.iter().zip(expected) {
        assert!(
            problem.place.contains(place) && problem.message.contains(message),
            "{place}, {message}: {problems:#?}"
        );
    }
}

const GOOD: &str = r#"
[[pipeline]]
name = "p"
from = ["a/b/c"]
lanes = { count = 2, by = ["host"] }
[[pipeline.unit]]
name = "first"
use = "pass"
[[pipeline.unit]]
name = "second"
use = "keyed"
from = ["first", "first.out", "in"]
config = { keys = ["zone", "host"] }
[[pipeline.series]]
metric = "m"
from = ["second"]
[[pipeline.stream]]
triplet = "x/y/z"
from = ["first.late"]
[[rule]]
name = "r"
use = "level"
on = "p/second.late"
config = { keys = ["host"] }
[[chart]]
id = "c"
metric = "m"
use = "draw"
"#;

#[test]
fn ports_become_numbers_and_routes() {
    let graph = resolved(GOOD).unwrap();
    let pipeline = &graph.pipelines[0];
    assert_eq!((pipeline.units, &pipeline.rules, pipeline.nodes.len()), (2, &vec![0], 3));
    assert_eq!(pipeline.inputs, [Target::Node(0), Target::Node(1)]);
    assert_eq!(pipeline.routes[0], [vec![Target::Node(1)], vec![Target::Stream(0)]]);
    assert_eq!(pipeline.routes[1], [vec![Target::Series(0)], vec![Target::Node(2)]]);
    assert!(pipeline.routes[2].is_empty());
    assert_eq!((graph.charts.len(), graph.flows), (1, vec![vec![0]]));
}

#[test]
fn unknown_ports_and_components_are_named_with_what_there_is() {
    let text = GOOD
        .replace("first.late", "first.lat")
        .replace("second.late", "second.nothing")
        .replace("\"draw\"", "\"darw\"");
    check(
        &text,
        &[
            (
                "pipeline \"p\", stream \"x/y/z\"",
                "unit `first` has no port `lat`; did you mean `late`? (it has out, late)",
            ),
            ("rule \"r\", on", "unit `second` has no port `nothing`; there is `out`, `late`"),
            ("chart \"c\", use", "there is no component `darw`; did you mean `draw`?"),
        ],
    );
}

#[test]
fn each_place_takes_its_kind() {
    let text = GOOD.replace("\"pass\"", "\"level\"").replace("use = \"draw\"", "use = \"pass\"");
    check(
        &text,
        &[
            ("unit \"first\", use", "is of the kind rule"),
            ("chart \"c\", use", "is of the kind filter and cannot be a formatter"),
        ],
    );
}

#[test]
fn complaints_of_a_component_stand_at_their_line() {
    let text = "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n[[pipeline.unit]]\nname = \"u\"\nuse = \"picky\"\n[pipeline.unit.config]\na = 1\n";
    check(
        text,
        &[
            ("unit \"u\", config.a (line 8)", "wants a number"),
            ("unit \"u\", config.b.0 (line 7)", "is missing"),
        ],
    );
}

#[test]
fn lanes_must_not_tear_a_key_apart() {
    check(
        &GOOD.replace("[\"zone\", \"host\"]", "[\"zone\"]"),
        &[("unit \"second\", config.keys", "does not contain `host`")],
    );
    check(&GOOD.replace("\"keyed\"", "\"free\""), &[("unit \"second\", use", "set lanes.count = 1")]);
    let other = "[[pipeline]]\nname = \"q\"\nfrom = [\"x/y/z\"]\n";
    check(&format!("{GOOD}{other}"), &[("pipeline \"q\", lanes", "differ from those of pipeline `p`")]);
    assert!(
        resolved(
            &format!("{GOOD}{other}").replace("count = 2", "count = 1").replace("by = [\"host\"]", "by = []")
        )
        .is_ok()
    );
}
