//! Good and bad configurations: text in, topology or all problems out.

use super::*;

fn parsed(text: &str) -> Topology {
    Topology::parse(text).unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// Each expected piece must be in the problem of the same number, and there must be no other problem.
fn check(text: &str, expected: &[(&str, &str)]) {
    let problems = Topology::parse(text).map(|_| ()).expect_err("must be refused");
    let told = lines(&problems);
    assert_eq!(problems.len(), expected.len(), "{told}");
    for (problem, (place, message)) in problems.iter().zip(expected) {
        assert!(problem.place.contains(place), "place {place:?} in\n{told}");
        assert!(problem.message.contains(message), "message {message:?} in\n{told}");
    }
}

/// A pipeline `p` with these sections after it.
fn pipeline(rest: &str) -> String {
    format!("[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n{rest}")
}

const FULL: &str = r#"
[server]
listen = "localhost:7070"
hosts = ["Weir.Example.org"]

[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:7171"
triplet = "my/dev/event"
may_write = ["my/*/*"]
[source.fields]
time = "at"

[[source]]
name = "host"
kind = "host"

[[pipeline]]
name = "requests"
from = ["my/*/event"]
lateness = "2s"
lanes = { count = 2, by = ["host"] }
lag = { bytes = "8MiB", seconds = 1.5, beyond = "skip" }

[[pipeline.unit]]
name = "last"
use = "rollup"
from = ["first.out", "in"]
config = { keys = ["host"], window = "1s", aggregates = { n = "count", mean_ms = { of = "latency_ms", is = "mean" } } }
on_open_circuit = "roll-back"

[[pipeline.unit]]
name = "first"
use = "./my.wasm"
from = ["in"]

[[pipeline.series]]
metric = "slow"
from = ["last"]
labels = ["host"]
fields = ["n"]
keep_points = 10

[[pipeline.stream]]
triplet = "my/derived/slow"
from = ["first.other"]

[[rule]]
name = "too-slow"
use = "threshold"
on = "requests/last.out"
config = { column = "mean_ms", warning = 200 }

[[chart]]
id = "slow"
title = "slow requests"
metric = "slow"
use = "timeseries"
window = "5m"
"#;

#[test]
fn the_whole_format_is_read() {
    let topology = parsed(FULL);
    assert_eq!(topology.server.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(topology.server.hosts, ["weir.example.org"]);
    assert_eq!(topology.sources[0].fields.time, "at");
    assert_eq!(topology.sources[0].fields.event_type, "type");
    assert_eq!(topology.sources[1].may_write[0].to_string(), "*/*/*");
    let pipeline = &topology.pipelines[0];
    assert_eq!((pipeline.lateness_ns, pipeline.lanes.count), (2_000_000_000, 2));
    assert_eq!(pipeline.lag, LagSpec { bytes: 8 << 20, age_ns: 1_500_000_000, beyond: Beyond::Skip });
    assert_eq!(pipeline.series[0].keep_points, 10);
    assert_eq!(topology.rules[0].id, "rule/too-slow".into());
    assert_eq!(topology.charts[0].window_ns, 300_000_000_000);
    assert_eq!(topology.text.as_str(), FULL);
    let warnings = &topology.warnings;
    assert!(warnings.len() == 1 && warnings[0].message.contains("acts as \"hold\""), "{}", lines(warnings));
}

#[test]
fn units_come_in_topological_order_and_references_follow() {
    let topology = parsed(FULL);
    let pipeline = &topology.pipelines[0];
    let port = |unit, port: Option<&str>| PortRef { unit, port: port.map(str::to_owned) };
    assert_eq!(
        pipeline.units.iter().map(|unit| &*unit.id).collect::<Vec<_>>(),
        ["requests/first", "requests/last"]
    );
    assert_eq!(pipeline.units[1].from, [port(Some(0), Some("out")), port(None, None)]);
    assert_eq!(pipeline.series[0].from, [port(Some(1), None)]);
    assert_eq!(pipeline.streams[0].from, [port(Some(0), Some("other"))]);
    assert_eq!((topology.rules[0].pipeline, &topology.rules[0].on), (0, &port(Some(1), Some("out"))));
    assert_eq!(pipeline.units[1].on_open_circuit, CircuitPolicy::RollBack);
}

#[test]
fn the_config_of_a_unit_is_json_in_the_order_of_the_text() {
    let topology = parsed(FULL);
    let text = topology.pipelines[0].units[1].config.to_string();
    assert_eq!(
        text,
        r#"{"keys":["host"],"window":"1s","aggregates":{"n":"count","mean_ms":{"of":"latency_ms","is":"mean"}}}"#
    );
    let place = &topology.pipelines[0].units[1].place;
    assert_eq!(
        place.config("/aggregates/n/of"),
        "pipeline \"requests\", unit \"last\", config.aggregates.n.of (line 30)"
    );
    assert_eq!(place.config(""), "pipeline \"requests\", unit \"last\", config (line 30)");
}

#[test]
fn left_out_means_the_unit_before() {
    let text = pipeline(
        "[[pipeline.unit]]\nname = \"x\"\nuse = \"filter\"\n[[pipeline.unit]]\nname = \"y\"\nuse = \"filter\"\n[[pipeline.series]]\nmetric = \"m\"\n",
    );
    let topology = parsed(&text);
    let units = &topology.pipelines[0].units;
    assert_eq!((units[0].from[0].unit, units[1].from[0].unit), (None, Some(0)));
    assert_eq!(topology.pipelines[0].series[0].from[0].unit, Some(1));
    assert_eq!(topology.pipelines[0].lag.bytes, 64 << 20);
    assert!(parsed("").pipelines.is_empty());
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_text() {
    let text = r#"
colour = "red"
[server]
listen = "0.0.0.0:7070"
[[source]]
name = "Tcp!"
kind = "tpc"
[[pipeline]]
name = "p"
from = ["a/b"]
latenes = "1s"
lateness = "soon"
lanes = { count = 0 }
lag = { bytes = 5, beyond = "explode" }
[[pipeline.unit]]
name = "u"
config = { a = nan }
from = ["v"]
on_open_circuit = "hol"
[[rule]]
name = "r"
use = "threshold"
on = "p/w"
[[chart]]
id = "c"
use = "timeseries"
metric = "m"
window = "10"
"#;
    check(
        text,
        &[
            ("colour (line 2)", "not a known key"),
            ("server, listen (line 4)", "use 127.0.0.1:7070"),
            ("source \"Tcp!\", name (line 6)", "'T'"),
            ("kind (line 7)", "did you mean `tcp`?"),
            ("pipeline \"p\", from (line 10)", "application/environment/type"),
            ("latenes (line 11)", "did you mean `lateness`?"),
            ("lateness (line 12)", "\"250ms\""),
            ("lanes.count (line 13)", "from 1 to 64"),
            ("lag, bytes (line 14)", "a text in quotes"),
            ("lag.beyond (line 14)", "`back-pressure`, `skip`"),
            ("pipeline \"p\", unit \"u\", use (line 15)", "is missing"),
            ("config.a (line 17)", "not finite"),
            ("unit \"u\", from (line 18)", "there is no unit `v`"),
            ("on_open_circuit (line 19)", "did you mean `hold`?"),
            ("rule \"r\", on (line 23)", "did you mean `u`?"),
            ("chart \"c\", metric (line 27)", "no pipeline has a series"),
            ("chart \"c\", window (line 28)", "not a duration"),
            ("chart \"c\", window (line 28)", "shorter than 1 s"),
        ],
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    check("[server]\nlisten = 1 2\nx = [\n", &[("TOML (line 2,", ""), ("TOML (line 3,", "")]);
    let long = "#".repeat(TEXT_BYTES_MAX + 1);
    check(&long, &[("configuration", "at most 1048576")]);
    assert!(Topology::parse(&format!("a = {}", "[".repeat(100_000))).is_err());
}

#[test]
fn units_in_a_circle_are_refused_with_the_path() {
    let unit = |name: &str, from: &str| {
        format!("[[pipeline.unit]]\nname = \"{name}\"\nuse = \"filter\"\nfrom = [\"{from}\"]\n")
    };
    let text = pipeline(&[unit("a", "in"), unit("b", "d"), unit("c", "b.out"), unit("d", "c")].concat());
    check(&text, &[("pipeline \"p\", units (line 8)", "b -> c -> d -> b")]);
    check(&pipeline(&unit("a", "a")), &[("pipeline \"p\", units (line 4)", "a -> a")]);
}

#[test]
fn a_derived_stream_may_leave_its_type_to_a_column() {
    let text = |stream: &str| {
        format!("[[pipeline]]\nname = \"a\"\nfrom = [\"x/y/z\"]\n[[pipeline.stream]]\n{stream}\n")
    };
    let topology = parsed(&text("triplet = \"d/e/by-*\"\ntype_by = \"kind\""));
    let name = &topology.pipelines[0].streams[0].name;
    assert!(matches!(name, DerivedName::ByColumn { types_max: 64, .. }), "{name:?}");
    let place = |pattern: &str, member: &str| format!("pipeline \"a\", stream \"{pattern}\", {member}");
    let wrong = |stream: &str, place: &str, message: &str| check(&text(stream), &[(place, message)]);
    wrong(
        "triplet = \"d/*/by-*\"\ntype_by = \"k\"",
        &place("d/*/by-*", "triplet"),
        "must leave the end of the type",
    );
    wrong(
        "triplet = \"d/e/f\"\ntype_by = \"k\"",
        &place("d/e/f", "triplet"),
        "must leave the end of the type",
    );
    wrong("triplet = \"d/e/*\"\ntype_by = \"k\"\ntypes = 0", &place("d/e/*", "types"), "must be 1 to 1024");
    wrong("triplet = \"d/e/f\"\ntypes = 3", &place("d/e/f", "types"), "add it");
    wrong(
        "triplet = \"x/y/*\"\ntype_by = \"k\"",
        "pipeline \"a\", stream",
        "feeds itself: `a` -> x/y/* -> `a`",
    );
}

#[test]
fn pipelines_in_a_circle_are_refused_with_the_streams() {
    let one = |name: &str, from: &str, to: &str| {
        format!(
            "[[pipeline]]\nname = \"{name}\"\nfrom = [\"{from}\"]\n[[pipeline.stream]]\ntriplet = \"{to}\"\n"
        )
    };
    let text = [one("a", "x/y/*", "d/e/f"), one("b", "d/*/f", "x/y/z")].concat();
    check(&text, &[("pipeline \"a\", stream", "`a` -> d/e/f -> `b` -> x/y/z -> `a`")]);
    check(&one("a", "*/*/*", "d/e/f"), &[("pipeline \"a\", stream", "`a` -> d/e/f -> `a`")]);
    let chain: String =
        (0..10).map(|n| one(&format!("p{n}"), &format!("s/s/{n}"), &format!("s/s/{}", n + 1))).collect();
    check(&chain, &[("pipeline \"p9\", from", "over 9 derived streams")]);
}

#[test]
fn names_are_distinct() {
    let unit = "[[pipeline.unit]]\nname = \"u\"\nuse = \"filter\"\n";
    let series = "[[pipeline.series]]\nmetric = \"m\"\n";
    let text = [pipeline(&[unit, unit, series].concat()), pipeline(series)].concat();
    check(
        &text,
        &[
            ("unit \"u\", name (line 8)", "already a unit `u` in line 5"),
            ("pipeline \"p\", name (line 13)", "already a pipeline `p` in line 2"),
            ("series \"m\", name (line 16)", "already a metric `m` in line 11"),
        ],
    );
    check(&pipeline("").replace("\"p\"", "\"rule\""), &[("name (line 2)", "choose another name")]);
    check(
        &pipeline("[[pipeline.unit]]\nname = \"in\"\nuse = \"filter\"\n"),
        &[("name (line 5)", "choose another name")],
    );
}

#[test]
fn sources_must_not_collide() {
    let tcp = |name: &str, port: u16| {
        format!("[[source]]\nname = \"{name}\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:{port}\"\n")
    };
    let text = [tcp("a", 7070), tcp("b", 7171), tcp("c", 7171), tcp("d", 0), tcp("e", 0)].concat();
    check(&text, &[("source \"a\"", "taken by the server"), ("source \"c\"", "taken by source \"b\"")]);
    let host = "[[source]]\nname = \"a\"\nkind = \"host\"\n[[source]]\nname = \"b\"\nkind = \"host\"\nlisten = \"127.0.0.1:1\"\n";
    check(
        host,
        &[
            ("source \"b\", kind", "source \"a\" is of this kind"),
            ("source \"b\", listen", "only a source of kind \"tcp\" or \"udp\""),
        ],
    );
    let text = "[[source]]\nname = \"a\"\nkind = \"http\"\ntriplet = \"a/b/c\"\nmay_write = [\"x/*/*\"]\n";
    check(text, &[("source \"a\", triplet (line 4)", "add it there")]);
}

#[test]
fn columns_of_series_are_checked() {
    let text = pipeline(
        "[[pipeline.series]]\nmetric = \"m\"\nlabels = [\"a\", \"a\", \"time\"]\nfields = [\"a\", \"\"]\nkeep_points = 0\n",
    );
    check(
        &text,
        &[
            ("series \"m\", fields (line 4)", "`a` is a label already"),
            ("series \"m\", labels (line 6)", "names `a` twice"),
            ("series \"m\", labels (line 6)", "`time` is the time"),
            ("series \"m\", fields (line 7)", "is not a column"),
            ("series \"m\", keep_points (line 8)", "from 1 to 1000000"),
        ],
    );
}

#[test]
fn bounds_are_told() {
    let many: String =
        (0..=UNITS_MAX).map(|n| format!("[[pipeline.unit]]\nname = \"u{n}\"\nuse = \"filter\"\n")).collect();
    check(&pipeline(&many), &[("pipeline \"p\", unit (line 4)", "stands 65 times; at most 64")]);
    let text: String = (0..200).map(|n| format!("x{n} = 1\n")).collect();
    let problems = Topology::parse(&text).unwrap_err();
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(problems[PROBLEMS_MAX].message, "and 100 more problems");
    let name = "n".repeat(65);
    check(&pipeline("").replace("\"p\"", &format!("\"{name}\"")), &[("name (line 2)", "longer than 64")]);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let text = [
        pipeline("[[pipeline.unit]]\nname = \"u\"\nuse = \"filter\"\n"),
        pipeline("").replace("\"p\"", "\"q\""),
    ]
    .concat();
    let warnings = parsed(&text).warnings;
    assert_eq!(warnings.len(), 2, "{}", lines(&warnings));
    assert!(
        warnings[0].place.contains("unit \"u\" (line 4)")
            && warnings[0].message.contains("nothing takes its output")
    );
    assert!(warnings[1].place.contains("pipeline \"q\"") && warnings[1].message.contains("does nothing"));
}

#[test]
fn pipelines_that_feed_each_other_are_one_flow() {
    let one = |name: &str, from: &str, to: Option<&str>| {
        let stream = to.map_or(String::new(), |to| format!("[[pipeline.stream]]\ntriplet = \"{to}\"\n"));
        format!("[[pipeline]]\nname = \"{name}\"\nfrom = [\"{from}\"]\n{stream}")
    };
    let text = [
        one("sink", "mid/*/*", None),
        one("alone", "raw/a/b", None),
        one("middle", "first/x/y", Some("mid/x/y")),
        one("source", "raw/a/b", Some("first/x/y")),
        one("same", "raw/c/d", Some("other/x/y")),
        one("same2", "raw/e/f", Some("other/x/y")),
    ];
    let topology = parsed(&text.concat());
    assert_eq!(flows(&topology.pipelines), vec![vec![3, 2, 0], vec![1], vec![4, 5]]);
}
