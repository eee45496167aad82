//! Metrics as the units that they stand for; and what is refused.

use crate::config::{Backfill, Topology};

fn parse(text: &str) -> Topology {
    Topology::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn refused(text: &str) -> String {
    let problems = Topology::parse(text).expect_err("is wrong");
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

const TWO: &str = r#"
[[metric]]
name = "time_by_status"
from = ["shop/prod/request"]
where = "status >= 200"
key = ["status"]
value = "execution_ms"
lateness = "2s"
rollup = [{ window = "1s", is = ["median", "max"], keep = 60 }, { window = "1m", is = "mean" }]

[[metric]]
name = "by_agent"
from = ["shop/prod/request"]
where = "status >= 200"
key = ["agent"]
lateness = "2s"
rollup = [{ window = "1s", is = "count" }]
"#;

#[test]
fn metrics_over_the_same_rows_share_their_filter_and_keep_their_ids() {
    let topology = parse(TWO);
    assert_eq!(topology.pipelines.len(), 1);
    let pipeline = &topology.pipelines[0];
    let units: Vec<&str> = pipeline.units.iter().map(|unit| &*unit.id).collect();
    let filter = format!("{}/where", pipeline.name);
    assert_eq!(units, [filter.as_str(), "time_by_status/1s", "time_by_status/1m", "by_agent/1s"]);
    assert!(pipeline.units[1..].iter().all(|unit| unit.from[0].unit == Some(0)));
    assert_eq!(pipeline.lateness_ns, 2_000_000_000);
    let config = pipeline.units[1].config.to_string();
    assert_eq!(
        config,
        r#"{"window":"1s","keys":["status"],"aggregates":{"median":{"of":"execution_ms","is":"median"},"max":{"of":"execution_ms","is":"max"}}}"#
    );
    let series: Vec<(&str, usize)> =
        pipeline.series.iter().map(|series| (&*series.metric, series.keep_points)).collect();
    assert_eq!(series, [("time_by_status_1s", 60), ("time_by_status_1m", 3600), ("by_agent_1s", 3600)]);
    let charts: Vec<(&str, &str)> =
        topology.charts.iter().map(|chart| (&*chart.id, chart.title.as_str())).collect();
    assert_eq!(charts, [("time_by_status", "time_by_status by status"), ("by_agent", "by_agent by agent")]);
    assert_eq!(topology.metrics[0].backfill, Backfill::Recent);
}

#[test]
fn the_pipeline_is_called_the_same_whatever_else_there_is() {
    let alone = parse(&TWO[TWO.rfind("[[metric]]").unwrap()..]);
    assert_eq!(alone.pipelines[0].name, parse(TWO).pipelines[0].name);
    let other = parse(&TWO.replacen("status >= 200", "status >= 500", 1));
    assert_eq!(other.pipelines.len(), 2);
}

#[test]
fn computed_and_composite_values_are_made_once_for_all_rollups() {
    let topology = parse(
        r#"
[[metric]]
name = "traffic"
from = ["a/b/c"]
value = { ms = "latency_ms", kib = "bytes / 1024" }
chart = false
rollup = [{ window = "1s", is = ["count", "p95"] }, { window = "1m", is = "sum" }]
"#,
    );
    let units = &topology.pipelines[0].units;
    assert_eq!(&*units[0].id, "traffic/value");
    assert_eq!(units[0].config.to_string(), r#"{"set":{"metric.kib":"bytes / 1024"}}"#);
    assert!(units[1..].iter().all(|unit| unit.from[0].unit == Some(0)));
    let fields = topology.pipelines[0].series[0].fields.clone().unwrap_or_default();
    assert_eq!(fields.iter().map(|field| &**field).collect::<Vec<_>>(), ["count", "ms_p95", "kib_p95"]);
    assert!(topology.charts.is_empty());
}

#[test]
fn a_rule_may_stand_on_a_metric() {
    let rule = r#"
[[rule]]
name = "slow"
use = "threshold"
on = "time_by_status/1s"
config = { column = "max", warning = 200 }
"#;
    let topology = parse(&format!("{TWO}{rule}"));
    assert_eq!((topology.rules[0].pipeline, topology.rules[0].on.unit), (0, Some(1)));
}

#[test]
fn what_is_missing_or_wrong_is_named_with_its_line() {
    let text = r#"
[[metric]]
name = "m"
rollup = [{ window = "1s", is = "median" }, { window = "1s", is = "count" }]
chart = { uze = "timeseries" }
"#;
    let problems = refused(text);
    for expected in [
        "metric \"m\", from (line 2): names no stream",
        "`median` is taken of a value; add `value",
        "there is already a rollup `1s` in this metric",
        "`uze` is not a known key",
    ] {
        assert!(problems.contains(expected), "{expected} is not in:\n{problems}");
    }
}

#[test]
fn names_that_would_be_those_of_others_are_refused() {
    let pipeline = "[[pipeline]]\nname = \"by_agent\"\nfrom = [\"a/b/c\"]\n[[pipeline.series]]\nmetric = \"by_agent_1s\"\n";
    let problems = refused(&format!("{TWO}{pipeline}"));
    assert!(problems.contains("is the name of a pipeline too"), "{problems}");
    assert!(problems.contains("gives the series `by_agent_1s`, which there is already"), "{problems}");
}
