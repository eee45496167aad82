//! Bad input of every kind: a clear error, the rest unharmed.

use std::io::Write;
use std::net::TcpStream;

use weir_tests::client;
use weir_tests::host::TestHost;

use crate::start::COUNT;

#[test]
fn bad_events_are_rejected_with_offset_and_reason_and_cost_only_themselves() {
    let host = TestHost::start(COUNT).unwrap();
    let body = b"{\"key\":\"a\",\"x\":1}\n{\"key\":\n{\"key\":\"a\",\"time\":\"yesterday\"}\n[1,2]\nnot json\n{\"a\":1,\"a\":2}\n\xff\xfe\n{\"key\":\"b\",\"x\":2}\n";
    let answer = host.post("/ingest/my/dev/event", body).unwrap();
    let said = answer.json().unwrap();
    assert_eq!((answer.status, said["accepted"].as_u64()), (200, Some(2)), "{said:#}");
    assert!(said["rejected"].as_u64().unwrap() >= 5, "{said:#}");
    let reasons = said["reasons"].as_array().unwrap();
    assert!(reasons.iter().all(|reason| reason["message"].as_str().is_some_and(|text| !text.is_empty())));
    assert!(reasons.iter().any(|reason| reason["line"] == 2), "{said:#}");
    host.wait_unit("count/all", "rows_in_total", 2).unwrap();
}

#[test]
fn a_bad_connection_harms_no_other() {
    let host = TestHost::start(COUNT).unwrap();
    let mut bad = TcpStream::connect(("127.0.0.1", host.tcp)).unwrap();
    let noise: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    drop(bad.write_all(&noise));
    host.send(&"{\"key\":\"a\",\"x\":1}\n".repeat(100)).unwrap();
    host.wait_unit("count/all", "rows_in_total", 100).unwrap();
    host.wait("/api/sources", |seen| {
        seen["sources"]
            .as_array()
            .is_some_and(|all| all.iter().any(|source| source["rejected_total"].as_u64() > Some(0)))
    })
    .unwrap();
}

#[test]
fn a_name_that_is_not_ours_and_a_foreign_origin_are_refused() {
    let host = TestHost::start(COUNT).unwrap();
    let ask = |headers: &[(&str, &str)], method: &str| {
        client::request(host.http, method, "/api/streams", headers, b"").unwrap().status
    };
    assert_eq!(ask(&[], "GET"), 200);
    assert!(matches!(ask(&[("host", "evil.example")], "GET"), 400..500));
    let foreign = client::request(
        host.http,
        "POST",
        "/api/pipelines/count/stop",
        &[("origin", "http://evil.example")],
        b"",
    );
    assert_eq!(foreign.unwrap().status, 403);
    let page = host.get("/").unwrap();
    let policy = page.header("content-security-policy").unwrap_or_default().to_owned();
    assert!(page.status == 200 && policy.contains("default-src 'none'"), "{}", page.head);
    assert_eq!(host.get("/prometheus/api/v1/query").unwrap().status, 501);
    assert_eq!(host.get("/api/nothing").unwrap().status, 404);
}

#[test]
fn bodies_have_bounds() {
    let host = TestHost::start(COUNT).unwrap();
    let large = vec![b' '; 21 << 20];
    assert_eq!(host.post("/ingest/my/dev/event", &large).unwrap().status, 413);
    let unknown =
        client::request(host.http, "POST", "/ingest/my/dev/event", &[("content-encoding", "br")], b"{}")
            .unwrap();
    assert_eq!(unknown.status, 415);
    assert_eq!(host.post("/ingest/my/dev/event", b"{\"x\":").unwrap().status, 400);
    assert_eq!(host.put("/api/configuration", "[[pipeline]]\nnme = 1\n").unwrap().status, 422);
}

#[test]
fn rejected_events_and_what_columns_went_through_can_be_looked_at() {
    let host = TestHost::start(COUNT).unwrap();
    let body = b"{\"key\":\"a\",\"x\":1}\n{\"key\":\"a\",\"x\":1.5}\n{\"key\":\"a\",\"x\":oh}\n{\"key\":\"a\",\"x\":\"y\"}\n";
    assert_eq!(host.post("/ingest/my/dev/event", body).unwrap().status, 200);
    let seen = host.json("/api/rejected?source=http&stream=my/dev/event").unwrap();
    let row = &seen["rejected"][0];
    assert_eq!((row["offset_bytes"].as_u64(), row["line"].as_u64()), (Some(38), Some(3)), "{seen:#}");
    assert!(row["first_bytes"].as_str().unwrap().starts_with("{\"key\":\"a\",\"x\":oh}"), "{seen:#}");
    assert_eq!(seen["total"], 1, "{seen:#}");
    assert!(host.json("/api/rejected?source=tcp").unwrap()["rejected"].as_array().unwrap().is_empty());
    assert_eq!(host.get("/api/rejected?source=nobody").unwrap().status, 404);
    assert_eq!(host.get("/api/rejected?stream=no").unwrap().status, 400);
    let stream = host.wait("/api/streams", |seen| seen["streams"][0]["mixed_to_text_total"] == 1).unwrap();
    assert_eq!(stream["streams"][0]["triplet"], "my/dev/event", "{stream:#}");
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_stream_mixed_to_text_total{stream=\"my/dev/event\"} 1"), "{metrics}");
}

#[test]
fn late_rows_are_counted_for_their_stream_and_their_unit() {
    let host = TestHost::start(&COUNT.replace("\"my/dev/event\"]", "\"my/dev/*\"]")).unwrap();
    let event = |kind: &str, second: u64| {
        format!("{{\"type\":\"{kind}\",\"key\":\"a\",\"x\":1,\"time\":{}}}\n", 1_767_225_600 + second)
    };
    host.send(&(event("event", 100) + &event("other", 100))).unwrap();
    host.wait_unit("count/by_key", "rows_in_total", 2).unwrap();
    host.send(&event("event", 1).repeat(3)).unwrap();
    host.wait_unit("count/by_key", "late_total", 3).unwrap();
    let late = |seen: &serde_json::Value, triplet: &str| {
        let streams = seen["streams"].as_array().unwrap().clone();
        streams.iter().find(|stream| stream["triplet"] == triplet).unwrap()["late_total"].as_u64()
    };
    let seen = host.wait("/api/streams", |seen| late(seen, "my/dev/event") == Some(3)).unwrap();
    assert_eq!(late(&seen, "my/dev/other"), Some(0), "{seen:#}");
}
