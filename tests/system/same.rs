//! A host that was killed gives the outputs of one that never was: series, alerts, episodes and files of sinks.
//!
//! Time goes on by events alone: they lie hours apart, so that no pause of the test closes a window. Two comparisons: another host with the same input that runs through, where
//! everything but positions is equal (its clock's ticks take other positions); and the same journal run again, from a checkpoint and from its beginning, where every byte is.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use weir_tests::host::TestHost;

const ALL: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[state]
replay = "REPLAY"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "my/dev/event"
[[source]]
name = "http"
kind = "http"
[[pipeline]]
name = "lanes"
from = ["my/dev/event"]
lanes = { count = 2, by = ["key"] }
[[pipeline.unit]]
name = "hours"
use = "rollup"
config = { keys = ["key"], window = "3h", aggregates = { n = "count", sum = { of = "x", is = "sum" }, p = { of = "x", is = "p90" } } }
[[pipeline.unit]]
name = "sessions"
from = ["in"]
use = "rollup"
config = { keys = ["key"], gap = "5h", aggregates = { n = "count", last = { of = "x", is = "last" } } }
[[pipeline.unit]]
name = "held"
from = ["in"]
use = "buffer"
config = { keys = ["key"], capacity = 7, every = "12h" }
[[pipeline.series]]
metric = "hours"
from = ["hours"]
labels = ["key"]
[[pipeline.series]]
metric = "sessions"
from = ["sessions"]
labels = ["key"]
[[pipeline.stream]]
triplet = "my/dev/held"
from = ["held"]
[[rule]]
name = "high"
on = "lanes/hours"
use = "threshold"
config = { column = "sum", warning = 300, critical = 600, keys = ["key"] }
for = "3h"
keep_firing = "6h"
[[rule]]
name = "gone"
on = "lanes/in"
use = "absent"
config = { warning = "9h", critical = "30h", forget = "0s", keys = ["key"] }
[[sink]]
name = "held"
kind = "file"
from = ["my/dev/held"]
rows = 25
every = "1d"
"#;

const FIRST_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;
const BODIES: i64 = 120;

/// Some hours of some keys, which come and go; the last body lets everything be over.
fn body(n: i64) -> String {
    let hour = if n == BODIES { 10_000 } else { n * 2 };
    let keys = ["a", "b", "c", "d", "e"];
    let here = |at: i64| n == BODIES || (n + 3 * at) % 11 < 7 - at;
    let line = |(at, key): (i64, &&str)| {
        let time = FIRST_MS + hour * HOUR_MS + at * 60_000;
        format!("{{\"key\":\"{key}\",\"x\":{},\"time\":{time}}}\n", (n * 37 + at * 91) % 401)
    };
    (0..).zip(&keys).filter(|(at, _)| here(*at)).map(line).collect()
}

fn post(host: &TestHost, from: i64, to: i64) {
    for n in from..to {
        let answer = host.post("/ingest/my/dev/event", body(n).as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn rows(from: i64, to: i64) -> u64 {
    (from..to).map(|n| body(n).lines().count() as u64).sum()
}

fn settled(host: &TestHost) {
    for unit in ["lanes/hours", "lanes/sessions", "lanes/held"] {
        host.wait_unit(unit, "rows_in_total", rows(0, BODIES + 1)).unwrap();
    }
    // All but the windows of the last body are closed.
    host.wait("/api/episodes", |seen| seen["episodes"].as_array().is_some_and(|all| !all.is_empty()))
        .unwrap();
    let look = || json!([outputs(host), host.json("/api/sinks").unwrap()["sinks"][0]["rows_total"]]);
    let mut before = look();
    for _ in 0..150 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let now = look();
        if now == before {
            return;
        }
        before = now;
    }
    panic!("the outputs do not come to rest");
}

/// As the API gives them; series by their labels, since which of two lanes is the first to make one is not promised.
fn outputs(host: &TestHost) -> Value {
    let points = |metric: &str| {
        let mut answer = host.json(&format!("/api/series/points?metric={metric}&limit=100000")).unwrap();
        answer["series"].as_array_mut().unwrap().sort_by_key(|series| series["labels"].to_string());
        answer
    };
    let sorted = |path: &str, member: &str| {
        let mut all = host.json(path).unwrap()[member].as_array().cloned().unwrap();
        all.sort_by_key(|one| one["id"].to_string());
        all
    };
    json!({
        "hours": points("hours"),
        "sessions": points("sessions"),
        "alerts": sorted("/api/alerts?state=all", "alerts"),
        "episodes": sorted("/api/episodes?limit=1000", "episodes"),
    })
}

/// Names and bytes of the files of the sink.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let Ok(files) = std::fs::read_dir(folder.join("data/sinks/held")) else { return BTreeMap::new() };
    let file = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
    };
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "ndjson")).map(file).collect()
}

/// Without what tells of positions, in an order that does not depend on them.
fn without_positions(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !name.contains("position") && !["id", "epoch"].contains(&name.as_str()));
            members.values_mut().for_each(without_positions);
        }
        Value::Array(all) => {
            all.iter_mut().for_each(without_positions);
            if all.first().is_some_and(Value::is_object) {
                all.sort_by_key(Value::to_string);
            }
        }
        _ => {}
    }
}

fn plain(mut outputs: Value) -> Value {
    without_positions(&mut outputs);
    outputs
}

/// Rows of the sink's files by key, in order.
fn held(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut by_key: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in files(folder).values().flat_map(|text| text.lines()) {
        let row: Value = serde_json::from_str(line).unwrap();
        let key = row["fields"]["key"].as_str().unwrap().to_owned();
        by_key.entry(key).or_default().push(json!([row["time"], row["fields"]["x"]]));
    }
    by_key
}

#[test]
fn a_host_that_was_killed_gives_what_one_gives_that_was_not() {
    let config = ALL.replace("REPLAY", "100ms");
    let through = TestHost::start(&config).unwrap();
    post(&through, 0, BODIES + 1);
    settled(&through);
    let expected = plain(outputs(&through));
    assert!(expected["episodes"].as_array().unwrap().len() > 5, "{expected:#}");
    assert!(expected["hours"]["series"].as_array().unwrap().len() == 5, "{expected:#}");
    let mut host = TestHost::start(&config).unwrap();
    let ports = (host.http, host.tcp);
    for (from, to) in [(0, 17), (17, 40), (40, 41), (41, 90), (90, BODIES + 1)] {
        post(&host, from, to);
        if from == 17 {
            // One of the crashes comes behind a checkpoint.
            let taken = |text: &str| {
                text.lines().any(|line| line.starts_with("weir_checkpoints_total ") && !line.ends_with(" 0"))
            };
            let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while !taken(&host.get("/metrics").unwrap().text()) {
                assert!(std::time::Instant::now() < until, "no checkpoint: {}", host.log());
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        if to <= BODIES {
            host = TestHost::start_on(&config, host.crash().unwrap(), ports).unwrap();
        }
    }
    settled(&host);
    assert_eq!(plain(outputs(&host)), expected);
    let (one, other) = (through.end_in_peace().unwrap(), host.end_in_peace().unwrap());
    assert_eq!(held(other.path()), held(one.path()));
}

#[test]
fn the_same_journal_gives_the_same_bytes_from_a_checkpoint_and_from_its_beginning() {
    // No checkpoint by itself: the first one comes with the end in peace.
    let config = ALL.replace("REPLAY", "10m");
    let host = TestHost::start(&config).unwrap();
    let ports = (host.http, host.tcp);
    post(&host, 0, BODIES + 1);
    settled(&host);
    let expected = outputs(&host);
    let host = TestHost::start_on(&config, host.crash().unwrap(), ports).unwrap();
    settled(&host);
    assert_eq!(outputs(&host).to_string(), expected.to_string(), "replayed from the beginning");
    let folder = host.end_in_peace().unwrap();
    let written = files(folder.path());
    assert!(!written.is_empty());
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    settled(&host);
    assert_eq!(outputs(&host).to_string(), expected.to_string(), "from a checkpoint");
    let folder = host.crash().unwrap();
    std::fs::remove_dir_all(folder.path().join("data/state")).unwrap();
    std::fs::remove_dir_all(folder.path().join("data/sinks")).unwrap();
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    settled(&host);
    assert_eq!(outputs(&host).to_string(), expected.to_string(), "without its state");
    let lines = |files: &BTreeMap<String, String>| files.values().cloned().collect::<String>();
    let folder = host.end_in_peace().unwrap();
    assert_eq!(lines(&files(folder.path())), lines(&written), "the rows of the sink, byte for byte");
}
