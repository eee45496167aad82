//! From events to alerts: the standard rules over a real `weir`, the alert's life in event time, and a webhook that hears of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::host::TestHost;

/// 2026-01-01T00:00:00Z
const START_S: i64 = 1_767_225_600;
const WAIT_MAX: Duration = Duration::from_secs(30);

fn config(rule: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:{{http}}"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{{tcp}}"
triplet = "shop/prod/request"
[[pipeline]]
name = "requests"
from = ["shop/prod/request"]
[[rule]]
name = "watch"
on = "requests/in"
{rule}
"#
    )
}

/// An event at a second, with these members.
fn line(second: i64, members: Value) -> String {
    let mut event = json!({ "time": (START_S + second) * 1_000 });
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    format!("{event}\n")
}

fn second(view: &Value) -> Option<i64> {
    view.as_i64().map(|ns| ns / 1_000_000_000 - START_S)
}

/// Host, level, state and since when, of all alerts; waits for as many events as there are lines.
fn check(rule: &str, lines: &[String], wanted: Value) -> TestHost {
    let host = TestHost::start(&config(rule)).unwrap();
    host.send(&lines.concat()).unwrap();
    let shown = |answer: &Value| {
        let alerts = answer["alerts"].as_array().cloned().unwrap_or_default();
        let mut rows: Vec<Value> = alerts
            .iter()
            .map(|one| {
                json!([one["labels"]["host"], one["level"], one["state"], second(&one["since_unix_ns"])])
            })
            .collect();
        rows.sort_by_key(Value::to_string);
        Value::from(rows)
    };
    host.wait_unit("rule/watch", "rows_in_total", lines.len() as u64).unwrap();
    let seen = host.wait("/api/alerts?state=all", |answer| shown(answer) == wanted).unwrap();
    assert_eq!(shown(&seen), wanted);
    host
}

/// Start, end, reason and worst value of the episodes, newest first.
fn episodes(host: &TestHost) -> Value {
    let answer = host.json("/api/episodes").unwrap();
    let rows = answer["episodes"].as_array().unwrap().iter().map(|one| {
        json!([
            second(&one["started_unix_ns"]),
            second(&one["ended_unix_ns"]),
            one["end"],
            one["worst_value"]
        ])
    });
    rows.collect()
}

#[test]
fn a_threshold_with_two_bounds_gives_one_episode() {
    let rule = r#"use = "threshold"
config = { column = "ms", warning = 200, warning_clear = 150, keys = ["host"] }"#;
    let values = [100, 300, 180, 220, 140, 160];
    let lines: Vec<String> =
        (0..).zip(values).map(|(s, ms)| line(s, json!({ "host": "a", "ms": ms }))).collect();
    let host = check(rule, &lines, json!([["a", "ok", "ok", 4]]));
    assert_eq!(episodes(&host), json!([[1, 4, "resolved", 300.0]]));
    let id = host.json("/api/alerts?state=all").unwrap()["alerts"][0]["id"].as_str().unwrap().to_owned();
    let one = host.json(&format!("/api/alerts/{id}")).unwrap();
    assert_eq!((&one["alert"]["rule"], one["episodes"].as_array().unwrap().len()), (&json!("rule/watch"), 1));
    assert_eq!(host.get("/api/alerts/nothing").unwrap().status, 404);
    assert_eq!(host.get("/api/alerts?state=some").unwrap().status, 400);
}

#[test]
fn a_level_must_last_in_event_time() {
    let rule = r#"use = "threshold"
for = "10s"
keep_firing = "5s"
config = { column = "ms", warning = 200, keys = ["host"] }"#;
    let bad = |second: i64| (5..10).contains(&second) || (20..40).contains(&second);
    let lines: Vec<String> =
        (0..60).map(|s| line(s, json!({ "host": "a", "ms": if bad(s) { 250 } else { 100 } }))).collect();
    let host = check(rule, &lines, json!([["a", "ok", "ok", 40]]));
    assert_eq!(episodes(&host), json!([[30, 45, "resolved", 250.0]]));
}

#[test]
fn an_absent_key_is_missed() {
    let rule = r#"use = "absent"
config = { warning = "5s", critical = "20s", keys = ["host"] }"#;
    let mut lines = vec![line(0, json!({ "host": "a" }))];
    // Each a batch of its own, as events come.
    lines.extend((0..30).map(|s| line(s, json!({ "host": "b" }))));
    check(rule, &lines, json!([["a", "critical", "firing", 20], ["b", "ok", "ok", 0]]));
}

#[test]
fn a_change_of_level_is_found() {
    let rule = r#"use = "change"
config = { column = "ms", keys = ["host"], learn = 20, least = 1 }"#;
    let value = |s: i64| if s < 40 { 100 + s % 3 } else { 140 + s % 3 };
    let lines: Vec<String> = (0..50).map(|s| line(s, json!({ "host": "a", "ms": value(s) }))).collect();
    check(rule, &lines, json!([["a", "warning", "firing", 43]]));
}

#[test]
fn a_ratio_of_errors_to_requests_is_judged() {
    let rule = r#"use = "ratio"
config = { of = "status >= 500", window = "10s", least = 10, warning = 0.1, keys = ["host"] }"#;
    let mut lines = Vec::new();
    for second in 0..20 {
        lines.push(line(second, json!({ "host": "a", "status": if second % 2 == 0 { 500 } else { 200 } })));
        lines.push(line(second, json!({ "host": "b", "status": 200 })));
        lines.push(line(second, json!({ "host": "b", "status": 200 })));
    }
    check(rule, &lines, json!([["a", "warning", "firing", 10], ["b", "ok", "ok", 5]]));
}

/// A receiver of webhooks that takes everything, and what it got.
fn receiver() -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind(("127.0.0.1", weir_tests::host::free_port().unwrap())).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, bodies) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            if tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, bodies)
}

#[test]
fn a_webhook_hears_of_an_alert_and_of_its_end() {
    let (port, bodies) = receiver();
    let rule = format!(
        r#"use = "threshold"
labels = {{ team = "shop" }}
annotations = {{ runbook = "restart it" }}
config = {{ column = "ms", warning = 200, keys = ["host"] }}
[[channel]]
name = "on-call"
kind = "webhook"
url = "http://127.0.0.1:{port}/hook"
"#
    );
    let host =
        check(&rule, &[line(0, json!({ "host": "a", "ms": 300 }))], json!([["a", "warning", "firing", 0]]));
    let fired = bodies.recv_timeout(WAIT_MAX).unwrap();
    assert_eq!((&fired["status"], &fired["receiver"]), (&json!("firing"), &json!("on-call")));
    let alert = &fired["alerts"][0];
    assert_eq!((&alert["labels"]["host"], &alert["labels"]["team"]), (&json!("a"), &json!("shop")));
    assert_eq!(alert["annotations"], json!({ "runbook": "restart it", "summary": "ms 300, over 200" }));
    assert_eq!(alert["startsAt"], "2026-01-01T00:00:00Z");
    host.send(&line(60, json!({ "host": "a", "ms": 10 }))).unwrap();
    let over = bodies.recv_timeout(WAIT_MAX).unwrap();
    assert_eq!(
        (&over["status"], &over["alerts"][0]["endsAt"]),
        (&json!("resolved"), &json!("2026-01-01T00:01:00Z"))
    );
    assert_eq!(over["alerts"][0]["fingerprint"], alert["fingerprint"]);
    host.wait("/api/channels", |answer| answer["channels"][0]["sent_total"] == 2).unwrap();
    let metrics = host.get("/metrics").unwrap().text();
    for line in [
        "weir_alerts{state=\"ok\"} 1",
        "weir_episodes_total 1",
        "weir_channel_sent_total{channel=\"on-call\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(host.log().contains("alert fires") && host.log().contains("alert is over"), "{}", host.log());
}

#[test]
fn a_rule_that_is_taken_away_ends_its_alerts_and_another_policy_keeps_them() {
    let rule = r#"use = "threshold"
config = { column = "ms", warning = 200, keys = ["host"] }"#;
    let host =
        check(rule, &[line(0, json!({ "host": "a", "ms": 300 }))], json!([["a", "warning", "firing", 0]]));
    let text = host.get("/api/configuration").unwrap().text();
    let kept = text.replace("name = \"watch\"", "name = \"watch\"\nkeep_firing = \"1h\"");
    assert_eq!(host.put("/api/configuration", &kept).unwrap().status, 200);
    assert_eq!(host.json("/api/alerts").unwrap()["alerts"][0]["state"], "firing");
    let without = text.split("[[rule]]").next().unwrap();
    assert_eq!(host.put("/api/configuration", without).unwrap().status, 200);
    host.wait("/api/alerts?state=all", |answer| answer["alerts"] == json!([])).unwrap();
    assert_eq!(episodes(&host)[0][2], "rule-removed");
}

#[test]
fn what_is_wrong_with_alerts_and_channels_is_told_at_its_place() {
    let rule = r#"use = "threshold"
for = "soon"
flap = { changes = 2 }
labels = { team = 7 }
channels = ["oncall"]
config = { column = "ms", warning = 200 }
[[channel]]
name = "on-call"
kind = "webhok"
url = "https://example.org/"
level = "warn"
"#;
    let host =
        TestHost::start(&config("use = \"threshold\"\nconfig = { column = \"ms\", warning = 200 }")).unwrap();
    let text = config(rule).replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string());
    let answer = host.put("/api/configuration", &text).unwrap();
    assert_eq!(answer.status, 422);
    let told = answer.text();
    let wanted = [
        "rule \\\"watch\\\", for",
        "rule \\\"watch\\\", flap.changes",
        "rule \\\"watch\\\", labels.team",
        "there is no channel `oncall`; did you mean `on-call`",
        "there is no kind of channel `webhok`; did you mean `webhook`",
        "https is not there yet",
        "there is no level `warn`",
    ];
    for words in wanted {
        assert!(told.contains(words), "{words} is not in {told}");
    }
}
