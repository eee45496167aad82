//! What comes again is counted once: producers and numbers, keys of requests, places in files; over crashes, whenever they come.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::client::{self, Answer};
use weir_tests::host::TestHost;

const ONCE: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[state]
replay = "100ms"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "my/dev/event"
dedup = { producer = "who", seq = "n" }
[[source]]
name = "http"
kind = "http"
dedup = {}
[[pipeline]]
name = "count"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "all"
use = "filter"
config = { keep = "true" }
"#;

fn lines(producer: &str, numbers: impl Iterator<Item = u64>) -> String {
    numbers.map(|n| format!("{{\"producer\":\"{producer}\",\"seq\":{n},\"x\":{n}}}\n")).collect()
}

fn post(host: &TestHost, body: &str, key: Option<&str>) -> Answer {
    let mut headers = vec![("content-type", "application/x-ndjson")];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    client::request(host.http, "POST", "/ingest/my/dev/event", &headers, body.as_bytes()).unwrap()
}

/// Accepted and duplicates.
fn told(answer: &Answer) -> (u64, u64) {
    let said = answer.json().unwrap();
    assert_eq!(answer.status, 200, "{said}");
    (said["accepted"].as_u64().unwrap(), said["duplicates"].as_u64().unwrap())
}

fn again(host: TestHost) -> TestHost {
    let ports = (host.http, host.tcp);
    TestHost::start_on(ONCE, host.crash().unwrap(), ports).unwrap()
}

fn events(host: &TestHost) -> u64 {
    let seen = host.json("/api/streams").unwrap();
    seen["streams"][0]["events_total"].as_u64().unwrap_or_else(|| panic!("{seen}"))
}

/// Until a checkpoint was made of what was sent by now.
fn wait_checkpoint(host: &TestHost) {
    let value = |name: &str| {
        let text = host.get("/metrics").unwrap().text();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let position = || {
        let recent = host.json("/api/streams/my/dev/event/recent?limit=1").unwrap();
        recent["events"][0]["position"].as_f64().unwrap()
    };
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while value("weir_checkpoint_offset ") <= position() {
        assert!(std::time::Instant::now() < until, "no checkpoint came: {}", host.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn events_with_producer_and_number_are_counted_once_over_http_and_crashes() {
    let host = TestHost::start(ONCE).unwrap();
    assert_eq!(told(&post(&host, &lines("a", 1..101), None)), (100, 0));
    assert_eq!(told(&post(&host, &lines("a", 51..151), None)), (50, 50));
    assert_eq!(told(&post(&host, &lines("b", (1..101).step_by(2)), None)), (50, 0));
    // The crash comes between the answer and the sender's second try.
    let host = again(host);
    assert_eq!(told(&post(&host, &lines("a", 51..151), None)), (0, 100));
    assert_eq!(told(&post(&host, &lines("b", 1..101), None)), (50, 50), "what was left out before is new");
    for n in 0..200 {
        assert_eq!(
            told(&post(&host, &lines("c", n..n + 2), None)),
            (if n == 0 { 2 } else { 1 }, u64::from(n > 0))
        );
    }
    wait_checkpoint(&host);
    let host = again(host);
    assert_eq!(told(&post(&host, &lines("c", 0..202), None)), (1, 201));
    assert_eq!(told(&post(&host, &lines("a", 1..152), None)), (1, 150));
    assert_eq!(events(&host), 453);
    let sources = host.json("/api/sources").unwrap();
    let http = sources["sources"].as_array().unwrap().iter().find(|source| source["name"] == "http").unwrap();
    assert_eq!(http["duplicates_total"], 351, "{http}");
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_dedup_producers 3"), "{metrics}");
}

#[test]
fn bodies_that_come_at_once_are_each_told_their_own_duplicates() {
    let host = TestHost::start(ONCE).unwrap();
    assert_eq!(told(&post(&host, &lines("a", 0..1_000), None)), (1_000, 0));
    let port = host.http;
    let threads: Vec<_> = (0..16_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                for round in 0..20 {
                    let first = 990 + thread * 1_000 + round * 7;
                    let own = format!("t{thread}");
                    let body = lines("a", 0..thread) + &lines(&own, first..first + 10);
                    let headers = [("content-type", "application/x-ndjson")];
                    let path = "/ingest/my/dev/event";
                    let answer = client::request(port, "POST", path, &headers, body.as_bytes()).unwrap();
                    let new = if round == 0 { 10 } else { 7 };
                    assert_eq!(told(&answer), (new, thread + 10 - new), "thread {thread}, round {round}");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(events(&host), 1_000 + 16 * (10 + 19 * 7));
}

#[test]
fn events_without_an_id_are_taken_and_counted() {
    let host = TestHost::start(ONCE).unwrap();
    let body = "{\"x\":1}\n{\"producer\":\"a\"}\n{\"producer\":\"a\",\"seq\":1}\n{\"seq\":1}\n";
    assert_eq!(told(&post(&host, body, None)), (4, 0));
    assert_eq!(told(&post(&host, body, None)), (3, 1));
    let metrics = host.get("/metrics").unwrap().text();
    let line = |name: &str| {
        metrics.lines().find(|line| line.starts_with(name) && line.contains("\"http\"")).unwrap()
    };
    assert!(line("weir_source_unidentified_total").ends_with(" 6"), "{metrics}");
    assert!(line("weir_source_duplicates_total").ends_with(" 1"), "{metrics}");
}

#[test]
fn a_request_with_a_key_is_taken_once_and_answered_the_same() {
    let host = TestHost::start(ONCE).unwrap();
    let body = "{\"x\":1}\n{nonsense\n{\"x\":2}\n";
    let first = post(&host, body, Some("\"k-1\""));
    assert_eq!(told(&first), (2, 0));
    assert_eq!(first.header("idempotency-replayed"), None);
    let second = post(&host, body, Some("k-1"));
    assert_eq!((second.status, second.text()), (200, first.text()));
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let other = post(&host, "{\"x\":3}\n", Some("k-1"));
    assert_eq!(
        (other.status, &other.json().unwrap()["error"]["code"]),
        (422, &json!("idempotency-key-used"))
    );
    for bad in ["", "\u{e4}", &"k".repeat(256)] {
        assert_eq!(post(&host, body, Some(bad)).status, 400, "{bad}");
    }
    // A body of several batches is there as a whole or not at all, and its answer survives the crash.
    let long: String = (0..20_000).map(|n| format!("{{\"x\":{n}}}\n")).collect();
    assert_eq!(told(&post(&host, &long, Some("k-2"))), (20_000, 0));
    let host = again(host);
    assert_eq!((second.status, post(&host, body, Some("k-1")).text()), (200, first.text()));
    assert_eq!(told(&post(&host, &long, Some("k-2"))), (20_000, 0));
    assert_eq!(events(&host), 20_002);
    wait_checkpoint(&host);
    let host = again(host);
    assert_eq!(post(&host, body, Some("k-1")).text(), first.text());
    assert_eq!(post(&host, "{\"x\":3}\n", Some("k-1")).status, 422);
    assert_eq!(events(&host), 20_002);
}

/// Sends with keys until the host is gone, then all of it again: each body counts once.
#[test]
fn retries_around_a_kill_at_any_moment_count_once() {
    let mut host = TestHost::start(ONCE).unwrap();
    let body = |n: u64| (0..n % 7 + 1).map(|row| format!("{{\"x\":{row}}}\n")).collect::<String>();
    let (mut sent, mut wanted) = (0, 0);
    for round in 0..4_u64 {
        let port = host.http;
        let begin = sent;
        let sender = std::thread::spawn(move || {
            let mut n = begin;
            loop {
                let headers = [("idempotency-key", format!("key-{n}"))];
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let text: String = (0..n % 7 + 1).map(|row| format!("{{\"x\":{row}}}\n")).collect();
                let answer = client::request(port, "POST", "/ingest/my/dev/event", &headers, text.as_bytes());
                if !answer.is_ok_and(|answer| answer.status == 200) {
                    return n;
                }
                n += 1;
            }
        });
        let enough =
            |seen: &Value| seen["streams"][0]["events_total"].as_u64() > Some(wanted + 50 * (round + 1));
        host.wait("/api/streams", enough).unwrap();
        host = again(host);
        // The one that was not answered may be there or not: it is sent again, as are some before it.
        let last: u64 = sender.join().unwrap();
        for n in last.saturating_sub(20)..=last {
            let key = format!("key-{n}");
            assert_eq!(told(&post(&host, &body(n), Some(&key))), (n % 7 + 1, 0));
        }
        sent = last + 1;
        wanted = (0..sent).map(|n| n % 7 + 1).sum();
        assert_eq!(events(&host), wanted, "after round {round}");
    }
}

/// Sends numbers over a connection that asks, and reads what is told until the end.
fn send_asking(host: &TestHost, numbers: std::ops::Range<u64>) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", host.tcp)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let text: String = numbers.map(|n| format!("{{\"who\":\"t\",\"n\":{n}}}\n")).collect();
    stream.write_all(b"weir ack\n").unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    BufReader::new(stream).lines().map_while(Result::ok).last().unwrap_or_default()
}

#[test]
fn a_connection_that_asks_is_told_of_duplicates_as_done() {
    let host = TestHost::start(ONCE).unwrap();
    assert_eq!(send_asking(&host, 0..5_000), "ok 5000");
    assert_eq!(send_asking(&host, 0..5_000), "ok 5000");
    let host = again(host);
    assert_eq!(send_asking(&host, 4_000..6_000), "ok 2000");
    assert_eq!(events(&host), 6_000);
}

const FILES: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "my/dev/other"
[[source]]
name = "log"
kind = "file"
paths = ["LOGS/*.log"]
begin = "end"
triplet = "my/dev/event"
[[pipeline]]
name = "count"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "all"
use = "filter"
config = { keep = "true" }
"#;

fn append(path: &std::path::Path, numbers: std::ops::Range<u64>) {
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    let text: String = numbers.map(|n| format!("{{\"x\":{n},\"type\":\"event\"}}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_of_files_are_read_once_whatever_the_host_goes_through() {
    let logs = tempfile::tempdir().unwrap();
    let config = FILES.replace("LOGS", logs.path().to_str().unwrap());
    let (old, new) = (logs.path().join("old.log"), logs.path().join("new.log"));
    append(&old, 0..1_000);
    let mut host = TestHost::start(&config).unwrap();
    let ports = (host.http, host.tcp);
    host.wait("/api/sources", |seen| seen["sources"][1]["connections_open"] == 1).unwrap();
    let mut wanted = 0;
    for round in 0..5_u64 {
        append(&old, 0..2_000);
        append(&new, 0..3_000);
        wanted += 5_000;
        if round % 2 == 0 {
            // Somewhere in the middle.
            let some = |seen: &Value| seen["streams"][0]["events_total"].as_u64() > Some(wanted - 5_000);
            host.wait("/api/streams", some).unwrap();
        }
        let folder = if round == 3 { host.end_in_peace() } else { host.crash() }.unwrap();
        // Written while nobody reads, the last line not whole.
        append(&old, 0..10);
        let mut file = std::fs::File::options().append(true).open(&new).unwrap();
        file.write_all(b"{\"x\":").unwrap();
        wanted += 10;
        host = TestHost::start_on(&config, folder, ports).unwrap();
        file.write_all(b"7}\n").unwrap();
        wanted += 1;
        host.wait("/api/streams", |seen| seen["streams"][0]["events_total"].as_u64() >= Some(wanted))
            .unwrap();
        assert_eq!(events(&host), wanted, "after round {round}: {}", host.log());
    }
    let sources = host.json("/api/sources").unwrap();
    assert_eq!(sources["sources"][1]["rejected_total"], 0, "{sources}");
}
