//! What is acknowledged is there once after a crash, and everything goes on where it was.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use weir_tests::client;
use weir_tests::host::{Point, TestHost, points_of};
use weir_tests::process::program;

use crate::start::COUNT;

const FIRST_MS: i64 = 1_767_225_600_000;

/// Events of one key, one an hour: a pause of the test, with which time goes on, makes none of them late.
fn lines(from: i64, to: i64) -> String {
    (from..to)
        .map(|n| format!("{{\"key\":\"a\",\"x\":{n},\"time\":{}}}\n", FIRST_MS + 3_600_000 * n))
        .collect()
}

fn post(host: &TestHost, body: &str) {
    let answer = host.post("/ingest/my/dev/event", body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn ports(host: &TestHost) -> (u16, u16) {
    (host.http, host.tcp)
}

/// Sum and count of all closed windows.
fn sums(points: &[Point]) -> (f64, f64) {
    let sum = |field: &str| points.iter().filter_map(|point| point.value(field)).sum();
    (sum("n"), sum("sum"))
}

fn closed(host: &TestHost, windows: usize) -> Vec<Point> {
    let path = "/api/series/points?metric=counts&limit=10000";
    points_of(&host.wait(path, |answer| points_of(answer).len() >= windows).unwrap())
}

fn last_position(host: &TestHost) -> u64 {
    let recent = host.json("/api/streams/my/dev/event/recent?limit=1").unwrap();
    recent["events"][0]["position"].as_u64().unwrap_or_else(|| panic!("{recent}"))
}

#[test]
fn what_was_acknowledged_over_http_is_there_once_after_a_crash() {
    let host = TestHost::start(COUNT).unwrap();
    for n in 0..20 {
        post(&host, &lines(10 * n, 10 * n + 10));
    }
    let (ports, position) = (ports(&host), last_position(&host));
    let host = TestHost::start_on(COUNT, host.crash().unwrap(), ports).unwrap();
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 200, "{}", host.log());
    assert_eq!(last_position(&host), position, "the recent ring is as it was");
    post(&host, &lines(200, 210));
    assert!(last_position(&host) > position, "positions go on");
    host.wait_unit("count/all", "rows_in_total", 210).unwrap();
    // A second crash: what was replayed once is not there twice.
    let host = TestHost::start_on(COUNT, host.crash().unwrap(), ports).unwrap();
    post(&host, &lines(3_000, 3_001));
    let points = closed(&host, 210);
    assert_eq!(sums(&points), (210.0, (0..210).sum::<i64>() as f64));
}

#[test]
fn an_end_in_peace_loses_nothing_either_and_finds_nothing_to_mend() {
    let host = TestHost::start(COUNT).unwrap();
    let ports = ports(&host);
    host.send(&lines(0, 1_000)).unwrap();
    host.wait_unit("count/all", "rows_in_total", 1_000).unwrap();
    let before = host.points("counts").unwrap();
    let host = TestHost::start_on(COUNT, host.end_in_peace().unwrap(), ports).unwrap();
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 1_000);
    let after = host.points("counts").unwrap();
    assert!(after.len() >= before.len() && before.iter().all(|point| after.contains(point)));
    assert!(!host.log().contains("torn"), "{}", host.log());
}

#[test]
fn a_torn_end_is_cut_and_told_and_nothing_before_it_is_lost() {
    let host = TestHost::start(COUNT).unwrap();
    let ports = ports(&host);
    post(&host, &lines(0, 100));
    let folder = host.crash().unwrap();
    let journal = folder.path().join("data/journal");
    let mut segments: Vec<_> =
        std::fs::read_dir(&journal).unwrap().map(|file| file.unwrap().path()).collect();
    segments.retain(|path| path.file_name().is_some_and(|name| name != "reserve"));
    segments.sort();
    let last = segments.last().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(last).unwrap();
    file.write_all(&[0x5a; 37]).unwrap();
    let host = TestHost::start_on(COUNT, folder, ports).unwrap();
    assert!(host.log().contains("torn"), "{}", host.log());
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 100);
}

#[test]
fn changes_over_the_api_survive_a_restart_and_a_changed_file_is_taken() {
    let host = TestHost::start(COUNT).unwrap();
    let ports = ports(&host);
    let body = json!({ "name": "new", "use": "filter", "config": { "keep": "x >= 0" }, "after": "all" });
    let headers = [("content-type", "application/json"), ("weir-origin", "api")];
    let path = "/api/pipelines/count/units";
    let made = client::request(host.http, "POST", path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    post(&host, &lines(0, 10));
    assert_eq!(host.post("/api/pipelines/count/pause", b"").unwrap().status, 200);
    let host = TestHost::start_on(COUNT, host.crash().unwrap(), ports).unwrap();
    let seen = host.json("/api/pipelines").unwrap();
    assert_eq!((&seen["revision"], &seen["pipelines"][0]["state"]), (&json!(2), &json!("paused")), "{seen}");
    assert_eq!(host.unit("count/new", "rows_in_total").unwrap(), 10);
    assert_eq!(host.json("/api/configuration/file").unwrap()["state"], "behind");
    assert_eq!(host.post("/api/pipelines/count/start", b"").unwrap().status, 200);
    // Back to what the file says; then the file changes while nothing runs.
    assert_eq!(host.post("/api/configuration/undo", b"").unwrap().status, 200);
    let folder = host.end_in_peace().unwrap();
    let other = COUNT.replace("keep = \"true\"", "keep = \"x < 5\"");
    let host = TestHost::start_on(&other, folder, ports).unwrap();
    assert_eq!(host.json("/api/pipelines").unwrap()["revision"], 4);
    post(&host, &lines(0, 10));
    host.wait_unit("count/all", "rows_out_total", 15).unwrap();
    assert_eq!(host.unit("count/all", "rows_out_total").unwrap(), 15);
}

#[test]
fn a_connection_that_asks_is_told_what_is_on_disk() {
    let host = TestHost::start(COUNT).unwrap();
    let ports = ports(&host);
    let mut stream = TcpStream::connect(("127.0.0.1", host.tcp)).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    stream.write_all(b"weir ack\n").unwrap();
    stream.write_all(lines(0, 100).as_bytes()).unwrap();
    let told = read_until(&mut answers, "ok 100");
    assert!(told.iter().all(|line| line.starts_with("ok ")), "{told:?}");
    stream.write_all(format!("{{nonsense\n{}", lines(100, 150)).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    read_until(&mut answers, "ok 150 rejected 1");
    let host = TestHost::start_on(COUNT, host.crash().unwrap(), ports).unwrap();
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 150, "{}", host.log());
}

fn read_until(answers: &mut impl BufRead, wanted: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(answers.read_line(&mut line).unwrap() > 0, "the end came before `{wanted}`: {lines:?}");
        lines.push(line.trim_end().to_owned());
        if lines.last().is_some_and(|line| line == wanted) {
            return lines;
        }
    }
}

#[test]
fn a_second_host_does_not_take_the_folder_and_says_who_has_it() {
    let host = TestHost::start(COUNT).unwrap();
    let file = host.folder.path().join("weir.toml");
    let other = std::fs::read_to_string(&file).unwrap().replace(&host.http.to_string(), "0");
    let second = host.folder.path().join("second.toml");
    std::fs::write(&second, other).unwrap();
    let mut command = std::process::Command::new(program().unwrap());
    command.arg("run").arg("--config").arg(&second).arg("--data").arg(host.folder.path().join("data"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&host.pid().to_string()) && said.contains("--data"), "{said}");
}

#[test]
fn the_journal_is_seen_in_the_metrics() {
    let host = TestHost::start(COUNT).unwrap();
    post(&host, &lines(0, 10));
    let text = host.get("/metrics").unwrap().text();
    let value = |name: &str| {
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap()
    };
    assert!(value("weir_journal_durable_total ") >= 2.0);
    assert!(value("weir_journal_syncs_total ") >= 1.0 && value("weir_journal_bytes ") > 100.0);
    assert_eq!(value("weir_journal_state{state=\"good\"}"), 1.0);
    let seen: Value = host.json("/api/pipelines").unwrap();
    assert_eq!(seen["revision"], 1);
}

/// Waits for a checkpoint that has everything that was sent.
fn wait_checkpoint(host: &TestHost) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let offset = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("weir_checkpoint_offset ")).unwrap_or_default();
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0) as u64
    };
    while offset(&host.get("/metrics").unwrap().text()) <= last_position(host) {
        assert!(std::time::Instant::now() < until, "no checkpoint came: {}", host.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

const QUICK: &str = "[state]\nreplay = \"100ms\"\n";

/// Many records, so that a checkpoint is worth it.
fn fill(host: &TestHost, from: i64, to: i64) {
    for n in from..to {
        post(host, &lines(n, n + 1));
    }
}

#[test]
fn a_restart_from_a_checkpoint_goes_on_as_if_there_had_been_none() {
    let config = format!("{QUICK}{COUNT}");
    let reference = TestHost::start(&config).unwrap();
    fill(&reference, 0, 300);
    post(&reference, &lines(3_000, 3_001));
    let expected = closed(&reference, 300);
    let host = TestHost::start(&config).unwrap();
    let ports = ports(&host);
    fill(&host, 0, 200);
    wait_checkpoint(&host);
    fill(&host, 200, 280);
    let host = TestHost::start_on(&config, host.crash().unwrap(), ports).unwrap();
    assert!(host.log().contains("the state as it was left"), "{}", host.log());
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 280);
    let streams = host.json("/api/streams").unwrap();
    assert_eq!(streams["streams"][0]["events_total"], 280, "{streams}");
    let recent = host.json("/api/streams/my/dev/event/recent?limit=1000").unwrap();
    assert_eq!(recent["events"].as_array().map(Vec::len), Some(280));
    fill(&host, 280, 300);
    post(&host, &lines(3_000, 3_001));
    assert_eq!(closed(&host, 300), expected);
}

#[test]
fn a_store_that_is_damaged_is_made_anew_of_the_snapshot_and_the_journal() {
    let config = format!("{QUICK}{COUNT}");
    let host = TestHost::start(&config).unwrap();
    let ports = ports(&host);
    fill(&host, 0, 200);
    wait_checkpoint(&host);
    fill(&host, 200, 250);
    let folder = host.crash().unwrap();
    let state = folder.path().join("data/state");
    for file in std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() && file.extension().is_none_or(|extension| extension != "snapshot") {
            let mut bytes = std::fs::read(&file).unwrap();
            bytes.iter_mut().skip(100).step_by(97).for_each(|byte| *byte ^= 0x55);
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    assert!(host.log().contains("because"), "{}", host.log());
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 250, "{}", host.log());
}

#[test]
fn an_end_in_peace_leaves_nothing_to_replay_and_a_paused_pipeline_keeps_what_waits() {
    let host = TestHost::start(COUNT).unwrap();
    let ports = ports(&host);
    post(&host, &lines(0, 100));
    host.wait_unit("count/all", "rows_in_total", 100).unwrap();
    assert_eq!(host.post("/api/pipelines/count/pause", b"").unwrap().status, 200);
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["state"] == "paused").unwrap();
    post(&host, &lines(100, 150));
    let host = TestHost::start_on(COUNT, host.end_in_peace().unwrap(), ports).unwrap();
    assert_eq!(host.json("/api/pipelines").unwrap()["pipelines"][0]["state"], "paused");
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 100);
    assert_eq!(host.post("/api/pipelines/count/start", b"").unwrap().status, 200);
    host.wait_unit("count/all", "rows_in_total", 150).unwrap();
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 150);
}
