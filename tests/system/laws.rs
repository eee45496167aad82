//! Laws of flows with real components: the same rows cut into other batches give equal points and signals, for every unit and rule that says so of itself; two runs over one log are
//! equal, byte for byte.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use weir::units::Components;
use weir_core::batch::{Batch, Incoming};
use weir_core::config::Topology;
use weir_core::flow::{Flow, Outcome};
use weir_core::graph;
use weir_core::sequencer::Sequencer;
use weir_engine::{Engine, Settings};

use crate::events::START_NS;

const CHAIN: &str = r#"
[[pipeline]]
name = "p"
from = ["a/b/c"]
lateness = "2s"
[[pipeline.unit]]
name = "keep"
use = "filter"
config = { keep = "x > 10" }
[[pipeline.unit]]
name = "double"
use = "transform"
config = { set = { y = "x * 2" } }
[[pipeline.unit]]
name = "roll"
use = "rollup"
config = { keys = ["k"], window = "1s", aggregates = { n = "count", sum = { of = "y", is = "sum" }, max = { of = "x", is = "max" }, last = { of = "x", is = "last" } } }
[[pipeline.series]]
metric = "m"
from = ["roll"]
"#;

/// Component, configuration, and the ports that lead somewhere.
const UNITS: &[(&str, &str, &[&str])] = &[
    (
        "split",
        r#"{ ports = [{ name = "odd", when = "x % 2 = 1" }, { name = "great", when = "x > 50" }] }"#,
        &["odd", "great", "rest"],
    ),
    (
        "split",
        r#"{ by = "k", ports = [{ name = "some", values = ["k1", "k2"] }], match = "all" }"#,
        &["some", "rest"],
    ),
    ("buffer", r#"{ keys = ["k"], capacity = 10, every = "3s" }"#, &["out", "late"]),
    ("sample", r#"{ keys = ["k"], rate = 0.4 }"#, &["out", "rest"]),
    ("sample", r#"{ keys = ["k"], one_in = 7 }"#, &["out", "rest"]),
    ("sample", r#"{ keys = ["k"], reservoir = 5, window = "3s" }"#, &["out"]),
    ("dedup", r#"{ keys = ["k", "x"], within = "2s" }"#, &["out", "duplicates"]),
    ("dedup", r#"{ keys = ["k"], within = "20ms", refresh = true }"#, &["out", "duplicates"]),
    (
        "parse",
        r#"{ column = "t", as = "key_value", fields = { n = "f64", level = "text" } }"#,
        &["out", "unparsed"],
    ),
    ("rebroadcast", r#"{ to = ["one", "two"], type = "concat(k, '-', x)" }"#, &["one", "two"]),
    (
        "aggregate",
        r#"{ keys = ["k"], emit = "count", every = 9, aggregates = { n = "count", mean = { of = "x", is = "mean" }, p90 = { of = "x", is = "p90" }, smooth = { next = "state * 0.9 + x" } } }"#,
        &["out"],
    ),
    ("topk", r#"{ of = "x", keys = ["k"], window = "5s", k = 3 }"#, &["out", "late"]),
    ("delta", r#"{ of = ["x"], keys = ["k"] }"#, &["out"]),
    (
        "rollup",
        r#"{ keys = ["k"], window = "4s", slide = "1s", aggregates = { p99 = { of = "x", is = "p99" }, kinds = { of = "t", is = "distinct" }, sd = { of = "x", is = "stddev" } } }"#,
        &["out", "late"],
    ),
    (
        "rollup",
        r#"{ keys = ["k"], gap = "60ms", aggregates = { n = "count", first = { of = "x", is = "first" }, rise = { of = "x", is = "increase" } } }"#,
        &["out", "late"],
    ),
];

/// Rules and their configurations. `absent` is not among them: it says of itself why.
const RULES: &[(&str, &str)] = &[
    ("threshold", r#"{ column = "x", warning = 80, warning_clear = 60, critical = 95, keys = ["k"] }"#),
    ("change", r#"{ column = "x", keys = ["k"], learn = 20, warning = 4, critical = 8 }"#),
    (
        "ratio",
        r#"{ of = "x > 90", window = "10s", least = 5, warning = 0.05, critical = 0.12, keys = ["k"] }"#,
    ),
];

fn of_unit(uses: &str, config: &str, ports: &[&str]) -> String {
    let series = |port: &&str| format!("[[pipeline.series]]\nmetric = \"{port}\"\nfrom = [\"u.{port}\"]\n");
    format!(
        "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\nlateness = \"2s\"\n[[pipeline.unit]]\nname = \"u\"\nuse = \"{uses}\"\nconfig = {config}\n{}",
        ports.iter().map(series).collect::<String>()
    )
}

fn of_rule(uses: &str, config: &str) -> String {
    let all = of_unit("filter", r#"{ keep = "x >= 0" }"#, &["out"]);
    format!("{all}[[rule]]\nname = \"r\"\nuse = \"{uses}\"\non = \"p/u\"\nconfig = {config}\n")
}

const ROWS: usize = 4_096;

fn flow(components: &Components, text: &str) -> Flow {
    let topology = Topology::parse(text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    let graph = graph::resolve(&topology, components);
    let graph = graph.unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    let plans = weir::runtime::plans(&topology, &graph, components).unwrap();
    plans[0].build(0, &mut Default::default())
}

fn components() -> Components {
    Components::new(Engine::start(Settings::default()).unwrap(), None)
}

/// Times, keys and values.
type Columns = (Vec<i64>, Vec<String>, Vec<f64>);

/// Rows up to a second out of order, keys among 7; the same for all cuts.
static ALL_ROWS: LazyLock<Columns> = LazyLock::new(rows);

fn rows() -> Columns {
    let noise = |n: usize| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let times =
        (0..ROWS).map(|n| START_NS + n as i64 * 5_000_000 - (noise(n) % 1_000) as i64 * 1_000_000).collect();
    let keys = (0..ROWS).map(|n| format!("k{}", noise(n + 7) % 7)).collect();
    let values = (0..ROWS).map(|n| (noise(n + 99) % 100) as f64).collect();
    (times, keys, values)
}

fn incoming(from: usize, to: usize) -> Incoming {
    let (times, keys, values) = &*ALL_ROWS;
    let texts = ["k", "t"].map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Schema::new([&texts[..], &[Field::new("x", DataType::Float64, true)]].concat());
    // Some of them have another form.
    let line =
        |x: &f64| if x % 5.0 == 0.0 { "nothing".to_owned() } else { format!("level=l{} n={x}", x % 3.0) };
    let t: ArrayRef = Arc::new(StringArray::from(values[from..to].iter().map(line).collect::<Vec<_>>()));
    let k: ArrayRef = Arc::new(StringArray::from(keys[from..to].to_vec()));
    let x: ArrayRef = Arc::new(Float64Array::from(values[from..to].to_vec()));
    let columns = RecordBatch::try_new(Arc::new(schema), vec![k, t, x]).unwrap();
    Incoming {
        triplet: "a/b/c".parse().unwrap(),
        source: "test".into(),
        time: times[from..to].to_vec().into(),
        columns,
    }
}

/// All points (with the port that they came from) and signals of a run over the rows, cut so.
fn run(components: &Components, text: &str, cut: usize) -> (Vec<(usize, Batch)>, Vec<String>) {
    let (mut flow, mut sequencer) = (flow(components, text), Sequencer::new(0, 1, 1));
    let (mut points, mut signals) = (Vec::new(), Vec::new());
    let mut take = |outcome: Outcome| {
        let Outcome::Done(effects) = outcome else { panic!("taken back") };
        let (faults, dead) = (&effects.faults, &effects.dead);
        assert!(faults.is_empty() && dead.is_empty(), "{faults:?} {dead:?} in {text}");
        points.extend(effects.series.into_iter().map(|((_, series), batch)| (series, batch)));
        signals
            .extend(effects.signals.into_iter().map(|said| format!("{:?} {:?}", said.labels, said.signal)));
    };
    for from in (0..ROWS).step_by(cut) {
        let record =
            sequencer.batch(incoming(from, (from + cut).min(ROWS)), START_NS + 60_000_000_000).unwrap();
        take(flow.run(&record, true, &|| 0));
    }
    for second in 62..100 {
        let record = sequencer.tick(START_NS + second * 1_000_000_000);
        take(flow.run(&record, true, &|| 0));
    }
    (points, signals)
}

/// One line for each point and signal, sorted, without what depends on the cut.
fn lines(components: &Components, text: &str, cut: usize) -> Vec<String> {
    let (points, mut lines) = run(components, text, cut);
    let rows = points.iter().flat_map(|(port, batch)| (0..batch.rows()).map(move |row| (port, batch, row)));
    lines.extend(rows.map(|(port, batch, row)| {
        let event = weir_core::recent::event(batch, row);
        format!("{port} {} {}", event.time_unix_ns, serde_json::Value::Object(event.fields))
    }));
    lines.sort();
    lines
}

fn check(components: &Components, text: &str, least: usize) {
    let whole = lines(components, text, ROWS);
    assert!(whole.len() > least, "{} lines of {text}", whole.len());
    for cut in [1, 7, 128, 1_024] {
        let cut_up = lines(components, text, cut);
        let other = whole.iter().zip(&cut_up).find(|(whole, cut_up)| whole != cut_up);
        assert!(
            whole == cut_up,
            "cut {cut} gives {} lines and not {}, {other:?} in {text}",
            cut_up.len(),
            whole.len()
        );
    }
}

#[test]
fn rows_cut_into_other_batches_give_equal_points() {
    check(&components(), CHAIN, 100);
}

#[test]
fn every_unit_that_says_so_is_cut_invariant() {
    let components = components();
    for (uses, config, ports) in UNITS {
        check(&components, &of_unit(uses, config, ports), 50);
    }
}

#[test]
fn every_rule_that_says_so_is_cut_invariant() {
    let components = components();
    for (uses, config) in RULES {
        // The filter in front lets all rows out.
        check(&components, &of_rule(uses, config), ROWS);
    }
}

#[test]
fn two_runs_over_one_log_are_equal_byte_for_byte() {
    let components = components();
    let once = || {
        let (points, signals) = run(&components, CHAIN, 128);
        let bytes = |(_, batch): (usize, Batch)| {
            format!("{:?} {:?} {:?} {:?}", batch.position, batch.origin, batch.time, batch.columns)
        };
        (points.into_iter().map(bytes).collect::<Vec<String>>(), signals)
    };
    assert_eq!(once(), once());
}
