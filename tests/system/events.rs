//! What goes in comes out, exactly: counts against an independent computation.

use std::collections::BTreeMap;

use weir_tests::host::TestHost;

use crate::start::COUNT;

/// 2026-01-01T00:00:00Z, in ns.
pub const START_NS: i64 = 1_767_225_600_000_000_000;

#[test]
fn every_event_of_many_connections_is_counted_once() {
    let host = TestHost::start(COUNT).unwrap();
    let mut expected: BTreeMap<String, f64> = BTreeMap::new();
    std::thread::scope(|scope| {
        for connection in 0..8 {
            let lines: String = (0..2_000)
                .map(|n| {
                    let time = START_NS / 1_000_000 + n / 4;
                    format!("{{\"key\":\"k{}\",\"x\":{n},\"time\":{time}}}\n", (n + connection) % 10)
                })
                .collect();
            let host = &host;
            scope.spawn(move || host.send(&lines).unwrap());
        }
    });
    for connection in 0..8 {
        for n in 0..2_000 {
            *expected.entry(format!("k{}", (n + connection) % 10)).or_default() += 1.0;
        }
    }
    host.wait_unit("count/all", "rows_in_total", 16_000).unwrap();
    let points = host.wait_points("counts", |points| sum(points, "n") >= 16_000.0).unwrap();
    for (key, count) in expected {
        let seen: f64 = points
            .iter()
            .filter(|point| point.label("key") == key)
            .filter_map(|point| point.value("n"))
            .sum();
        assert_eq!(seen, count, "{key}");
    }
    assert_eq!(sum(&points, "n"), 16_000.0);
}

fn sum(points: &[weir_tests::host::Point], field: &str) -> f64 {
    points.iter().filter_map(|point| point.value(field)).sum()
}

#[test]
fn http_and_tcp_feed_one_stream_and_the_path_names_it() {
    let host = TestHost::start(COUNT).unwrap();
    let answer = host.post("/ingest/my/dev/event", br#"[{"key":"a","x":1},{"key":"b","x":2}]"#).unwrap();
    assert_eq!(
        (answer.status, answer.json().unwrap()["accepted"].as_u64()),
        (200, Some(2)),
        "{}",
        answer.text()
    );
    host.send("{\"key\":\"a\",\"x\":3}").unwrap();
    host.wait_unit("count/all", "rows_in_total", 3).unwrap();
    let recent = host.json("/api/streams/my/dev/event/recent?limit=10").unwrap();
    assert_eq!(recent["events"].as_array().map(Vec::len), Some(3));
    assert_eq!(recent["events"][0]["fields"]["x"], 3);
}

#[test]
fn the_live_graph_gets_data_from_the_machine_without_configuration() {
    let host = TestHost::start(&weir_tests::config::built_in()).unwrap();
    let points = host.wait_points("cpu_busy", |points| points.len() >= 2).unwrap();
    assert!(points.iter().all(|point| (0.0..=100.0).contains(&point.value("busy_percent").unwrap())));
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("# TYPE weir_") && metrics.contains("cpu/per_core"), "{metrics}");
    assert!(host.json("/api/faults").unwrap()["faults"].as_array().unwrap().is_empty());
}

#[test]
fn pause_start_and_stop_of_a_unit_lose_nothing_that_they_should_not() {
    let host = TestHost::start(COUNT).unwrap();
    let act = |action: &str| {
        let answer = host.post(&format!("/api/pipelines/count/units/all/{action}"), b"").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    act("pause");
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["state"] == "paused").unwrap();
    host.send(&"{\"key\":\"a\",\"x\":1}\n".repeat(100)).unwrap();
    host.wait("/api/streams", |seen| seen["streams"][0]["events_total"] == 100).unwrap();
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 0);
    act("start");
    host.wait_unit("count/all", "rows_in_total", 100).unwrap();
    act("stop");
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["units"][0]["state"] == "stopped").unwrap();
    host.send("{\"key\":\"a\",\"x\":1}\n").unwrap();
    host.wait("/api/streams", |seen| seen["streams"][0]["events_total"] == 101).unwrap();
    act("start");
    host.send("{\"key\":\"a\",\"x\":1}\n").unwrap();
    host.wait_unit("count/all", "rows_in_total", 101).unwrap();
}

#[test]
fn a_changed_configuration_takes_over_the_state_of_units_that_stay() {
    let host = TestHost::start(COUNT).unwrap();
    let line =
        |second: i64| format!("{{\"key\":\"a\",\"x\":1,\"time\":{}}}\n", START_NS / 1_000_000_000 + second);
    host.send(&line(0).repeat(50)).unwrap();
    host.wait_unit("count/by_key", "rows_in_total", 50).unwrap();
    let text = COUNT
        .replace("{http}", &host.http.to_string())
        .replace("{tcp}", &host.tcp.to_string())
        .replace("keep = \"true\"", "keep = \"x < 5\"");
    let answer = host.put("/api/configuration", &text).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json().unwrap()["revision"], 2);
    host.send(&format!("{}{}{}", line(0).repeat(50), "{\"key\":\"a\",\"x\":9}\n", line(60))).unwrap();
    let points = host.wait_points("counts", |points| !points.is_empty()).unwrap();
    assert_eq!(points[0].value("n"), Some(100.0));
    let bad = host.put("/api/configuration", &text.replace("x < 5", "x <")).unwrap();
    assert_eq!(bad.status, 422);
    assert!(bad.text().contains("keep"), "{}", bad.text());
}
