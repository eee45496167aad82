//! Metrics: what one sentence of configuration gives, and where it begins when it is added while events come in.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weir_tests::host::TestHost;

use crate::events::START_NS;
use crate::start::COUNT;

const ADDED: &str = r#"
[[metric]]
name = "seen"
from = ["my/dev/event"]
where = "x >= 0"
key = ["key"]
value = "x"
lateness = "60s"
rollup = [{ window = "1s", is = ["count", "sum", "max"] }]
"#;

/// Number, sum and greatest of `x` by key and second.
type Expected = BTreeMap<(String, i64), (f64, f64, f64)>;

fn line(n: i64, expected: &mut Expected) -> String {
    let (key, x, second) = (format!("k{}", n % 3), n % 17 - 2, START_NS / 1_000_000_000 + n / 40);
    if x >= 0 {
        let entry = expected.entry((key.clone(), second)).or_insert((0.0, 0.0, f64::MIN));
        *entry = (entry.0 + 1.0, entry.1 + x as f64, entry.2.max(x as f64));
    }
    format!("{{\"key\":\"{key}\",\"x\":{x},\"time\":{second}}}\n")
}

/// The recent ring holds all that came before the metric; what comes meanwhile must count once, on whichever side of the command it falls.
/// Each piece is a connection of its own, and two connections have no order, hence the lateness.
#[test]
fn a_metric_added_under_load_counts_every_event_of_the_ring_and_after_once() {
    let host = TestHost::start(COUNT).unwrap();
    let mut expected = Expected::new();
    let lines: Vec<String> = (0..900).map(|n| line(n, &mut expected)).collect();
    let (before, meanwhile) = lines.split_at(300);
    host.send(&before.concat()).unwrap();
    host.wait_unit("count/all", "rows_in_total", 300).unwrap();
    let text = COUNT.replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for piece in meanwhile.chunks(10) {
                host.send(&piece.concat()).unwrap();
            }
        });
        let answer = host.put("/api/configuration", &format!("{text}{ADDED}")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
    // Long after all of them: closes every window.
    host.send(&format!("{{\"key\":\"end\",\"x\":1,\"time\":{}}}\n", START_NS / 1_000_000_000 + 600)).unwrap();
    let points = host.wait_points("seen_1s", |points| points.len() >= expected.len()).unwrap();
    let seen: Expected = points
        .iter()
        .map(|point| {
            let of = |field| point.value(field).unwrap();
            let place = (point.label("key").to_owned(), point.time_unix_ns / 1_000_000_000);
            (place, (of("count"), of("sum"), of("max")))
        })
        .collect();
    assert_eq!(seen, expected);
    let metrics = host.json("/api/metrics").unwrap();
    assert_eq!(metrics["metrics"][0]["units"], serde_json::json!(["seen/1s"]));
    assert_eq!(metrics["metrics"][0]["chart"], "seen");
}

#[test]
fn a_metric_that_begins_with_nothing_leaves_the_ring_alone() {
    let host = TestHost::start(COUNT).unwrap();
    let mut before = Expected::new();
    host.send(&(0..100).map(|n| line(n, &mut before)).collect::<String>()).unwrap();
    host.wait_unit("count/all", "rows_in_total", 100).unwrap();
    let text = COUNT.replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string());
    let added = ADDED.replace("key = [\"key\"]", "key = [\"key\"]\nbackfill = \"none\"");
    assert_eq!(host.put("/api/configuration", &format!("{text}{added}")).unwrap().status, 200);
    let second = START_NS / 1_000_000_000 + 100;
    host.send(&format!(
        "{{\"key\":\"a\",\"x\":5,\"time\":{second}}}\n{{\"key\":\"end\",\"x\":1,\"time\":{}}}\n",
        second + 600
    ))
    .unwrap();
    let points = host.wait_points("seen_1s", |points| !points.is_empty()).unwrap();
    assert_eq!(points.len(), 1);
    assert_eq!((points[0].label("key"), points[0].value("count")), ("a", Some(1.0)));
}

type Fold = fn(Vec<f64>) -> f64;

/// Of n sorted values the median lies at rank (n - 1) / 2, between two values in proportion.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() - 1) as f64 / 2.0;
    (values[rank.floor() as usize] + values[rank.ceil() as usize]) / 2.0
}

/// Folds the execution times by a member of the requests and by window, seconds since 1970.
fn grouped(requests: &[Value], key: &str, window_s: i64, fold: Fold) -> BTreeMap<(String, i64), f64> {
    let mut groups: BTreeMap<(String, i64), Vec<f64>> = BTreeMap::new();
    for request in requests {
        let second = request["time"].as_i64().unwrap() / 1_000;
        let name = request[key].as_str().map_or_else(|| request[key].to_string(), str::to_owned);
        let time = request["execution_time_ms"].as_f64().unwrap();
        groups.entry((name, second - second % window_s)).or_default().push(time);
    }
    groups.into_iter().map(|(place, times)| (place, fold(times))).collect()
}

/// The four questions of `examples/web-requests` from one payload, against a computation that knows nothing of windows and units. 3,000 requests in 10 s: of status 200 are over 256 in
/// each second, so that their medians come from a sketch and may be off by 1 %; the others are exact.
#[test]
fn four_questions_to_one_payload_are_answered_as_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/web-requests");
    let config = std::fs::read_to_string(folder.join("weir.toml")).unwrap();
    let host = TestHost::start(
        &config.replace("127.0.0.1:7070", "127.0.0.1:{http}").replace("127.0.0.1:7171", "127.0.0.1:{tcp}"),
    )
    .unwrap();
    let start = (START_NS / 1_000_000_000).to_string();
    let arguments = ["send.py", "--print", "--start", &start, "--events", "3000", "--per-second", "300"];
    let printed = Command::new("python3").args(arguments).current_dir(&folder).output().unwrap();
    let lines = String::from_utf8(printed.stdout).unwrap();
    let requests: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(requests.len(), 3_000);
    host.send(&lines).unwrap();
    let end = START_NS / 1_000_000 + 60_000;
    host.send(&format!(
        "{{\"time\":{end},\"user_agent\":\"end\",\"status_code\":0,\"execution_time_ms\":0}}\n"
    ))
    .unwrap();
    let count = |times: Vec<f64>| times.len() as f64;
    let greatest = |times: Vec<f64>| times.into_iter().fold(0.0, f64::max);
    let questions: [(&str, &str, &str, i64, Fold); 4] = [
        ("requests_by_agent_1s", "user_agent", "count", 1, count),
        ("requests_by_status_1s", "status_code", "count", 1, count),
        ("median_time_1s", "status_code", "median", 1, median),
        ("slowest_10s", "status_code", "max", 10, greatest),
    ];
    for (metric, key, field, window_s, fold) in questions {
        let expected = grouped(&requests, key, window_s, fold);
        let points = host.wait_points(metric, |points| points.len() >= expected.len()).unwrap();
        assert_eq!(points.len(), expected.len(), "{metric}");
        for point in points {
            let place = (point.label(key).to_owned(), point.time_unix_ns / 1_000_000_000);
            let (seen, by_hand) = (point.value(field).unwrap(), expected[&place]);
            let many = metric == "median_time_1s" && place.0 == "200";
            let bound = if many { by_hand * 0.01 } else { 0.0 };
            assert!((seen - by_hand).abs() <= bound, "{metric} {place:?}: {seen}, by hand {by_hand}");
        }
    }
}
