//! Laws of a flow with real components: the same rows cut into other batches give equal points; two runs over one log are equal, byte for byte.

use std::sync::Arc;

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

const TEXT: &str = r#"
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

const ROWS: usize = 4_096;

fn flow(components: &Components) -> Flow {
    let topology = Topology::parse(TEXT).unwrap();
    let graph = graph::resolve(&topology, components).unwrap();
    let plans = weir::runtime::plans(&topology, &graph, components).unwrap();
    plans[0].build(0, &mut Default::default())
}

fn components() -> Components {
    Components::new(Engine::start(Settings::default()).unwrap(), None)
}

/// Rows up to a second out of order, keys among 7; the same for all cuts.
fn rows() -> (Vec<i64>, Vec<String>, Vec<f64>) {
    let noise = |n: usize| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let times =
        (0..ROWS).map(|n| START_NS + n as i64 * 5_000_000 - (noise(n) % 1_000) as i64 * 1_000_000).collect();
    let keys = (0..ROWS).map(|n| format!("k{}", noise(n + 7) % 7)).collect();
    let values = (0..ROWS).map(|n| (noise(n + 99) % 100) as f64).collect();
    (times, keys, values)
}

fn incoming(from: usize, to: usize) -> Incoming {
    let (times, keys, values) = rows();
    let schema =
        Schema::new(vec![Field::new("k", DataType::Utf8, true), Field::new("x", DataType::Float64, true)]);
    let k: ArrayRef = Arc::new(StringArray::from(keys[from..to].to_vec()));
    let x: ArrayRef = Arc::new(Float64Array::from(values[from..to].to_vec()));
    let columns = RecordBatch::try_new(Arc::new(schema), vec![k, x]).unwrap();
    Incoming {
        triplet: "a/b/c".parse().unwrap(),
        source: "test".into(),
        time: times[from..to].to_vec().into(),
        columns,
    }
}

/// All points of a run over the rows, cut so.
fn run(components: &Components, cut: usize) -> Vec<Batch> {
    let (mut flow, mut sequencer) = (flow(components), Sequencer::new(0, 1, 1));
    let mut points = Vec::new();
    let mut take = |outcome: Outcome| {
        let Outcome::Done(effects) = outcome else { panic!("taken back") };
        assert!(
            effects.faults.is_empty() && effects.dead.is_empty(),
            "{:?} {:?}",
            effects.faults,
            effects.dead
        );
        points.extend(effects.series.into_iter().map(|(_, batch)| batch));
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
    points
}

/// One line for each point, sorted, without what depends on the cut.
fn lines(points: &[Batch]) -> Vec<String> {
    let mut lines: Vec<String> = points
        .iter()
        .flat_map(|batch| (0..batch.rows()).map(|row| weir_core::recent::event(batch, row)))
        .map(|event| format!("{} {}", event.time_unix_ns, serde_json::Value::Object(event.fields)))
        .collect();
    lines.sort();
    lines
}

#[test]
fn rows_cut_into_other_batches_give_equal_points() {
    let components = components();
    let whole = lines(&run(&components, ROWS));
    assert!(whole.len() > 100);
    for cut in [1, 7, 128, 1_024] {
        assert_eq!(lines(&run(&components, cut)), whole, "cut {cut}");
    }
}

#[test]
fn two_runs_over_one_log_are_equal_byte_for_byte() {
    let components = components();
    let bytes = |batch: Batch| {
        format!("{:?} {:?} {:?} {:?}", batch.position, batch.origin, batch.time, batch.columns)
    };
    let once: Vec<String> = run(&components, 128).into_iter().map(bytes).collect();
    let twice: Vec<String> = run(&components, 128).into_iter().map(bytes).collect();
    assert_eq!(once, twice);
}
