//! Metrics: what one sentence of configuration gives, and where it begins when it is added while events come in.

use std::collections::BTreeMap;

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
        second + 60
    ))
    .unwrap();
    let points = host.wait_points("seen_1s", |points| !points.is_empty()).unwrap();
    assert_eq!(points.len(), 1);
    assert_eq!((points[0].label("key"), points[0].value("count")), ("a", Some(1.0)));
}
