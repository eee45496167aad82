//! Checkpoints that fail: what was to change or to go with them is right with the next one, and a disk that was full is no end of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::host::TestHost;

use crate::small_disk;

const COMPONENT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/faults/faults.wasm");
const KEYS: usize = 5;
const START_S: i64 = 1_790_000_000;

/// Windows by key, each a row of the sink; and a unit that cannot take rows with x = 13.
fn config() -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:{{http}}"
[state]
replay = "100ms"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{{tcp}}"
triplet = "my/dev/event"
[source.fields]
time = "time"
[[source]]
name = "http"
kind = "http"
[source.fields]
time = "time"
[[pipeline]]
name = "p"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "windows"
use = "rollup"
config = {{ keys = ["key"], window = "1s", aggregates = {{ n = "count" }} }}
[[pipeline.stream]]
triplet = "my/dev/windows"
[[pipeline]]
name = "letters"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "u"
use = "{COMPONENT}"
config = {{ fault = "reject-rows", on_row_value = {{ column = "x", equals = 13 }} }}
[[sink]]
name = "windows"
kind = "file"
from = ["my/dev/windows"]
every = "100ms"
"#
    )
}

/// A row of each key at a second, the last one with that x.
fn post(host: &TestHost, second: i64, x: i64) {
    let row = |key: usize| {
        let x = if key + 1 == KEYS { x } else { 0 };
        format!("{{\"key\":\"k{key}\",\"time\":{},\"x\":{x}}}\n", START_S + second)
    };
    let answer =
        host.post("/ingest/my/dev/event", (0..KEYS).map(row).collect::<String>().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn number(host: &TestHost, metric: &str) -> f64 {
    let text = host.get("/metrics").unwrap().text();
    let line = text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("no {metric}"))
}

fn wait_number(host: &TestHost, metric: &str, is: impl Fn(f64) -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is(number(host, metric)) {
        assert!(Instant::now() < until, "{metric} is {}: {}", number(host, metric), host.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One more checkpoint than there are, begun after this call.
fn wait_checkpoint(host: &TestHost) {
    let taken = number(host, "weir_checkpoints_total ");
    wait_number(host, "weir_checkpoints_total ", |now| now > taken);
}

/// How often each window is in the files, by its time and key.
fn windows(folder: &Path) -> BTreeMap<(String, String), usize> {
    let mut found = BTreeMap::new();
    let Ok(files) = std::fs::read_dir(folder.join("data/sinks/windows")) else { return found };
    for path in files.map(|file| file.unwrap().path()) {
        if path.extension().is_none_or(|ending| ending != "ndjson") {
            continue;
        }
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            *found.entry((row["time"].to_string(), row["fields"]["key"].to_string())).or_default() += 1;
        }
    }
    found
}

#[test]
fn a_round_that_failed_leaves_nothing_stored_of_windows_that_closed() {
    let config = config();
    let host = TestHost::start(&config).unwrap();
    // Open windows are in a checkpoint.
    post(&host, 0, 0);
    wait_checkpoint(&host);
    // They close, and the next round fails: dead letters cannot be written.
    let obstacle = host.folder.path().join("data/dead/letters.log.tmp");
    std::fs::create_dir_all(&obstacle).unwrap();
    post(&host, 10, 13);
    wait_number(&host, "weir_checkpoints_failed_total ", |failed| failed > 0.0);
    std::fs::remove_dir(&obstacle).unwrap();
    wait_checkpoint(&host);
    let ports = (host.http, host.tcp);
    let host = TestHost::start_on(&config, host.crash().unwrap(), ports).unwrap();
    post(&host, 20, 0);
    host.wait("/api/sinks", |_| windows(host.folder.path()).len() >= 2 * KEYS).unwrap();
    let folder = host.end_in_peace().unwrap();
    let found = windows(folder.path());
    assert_eq!((found.len(), found.values().sum::<usize>()), (2 * KEYS, 2 * KEYS), "each once: {found:?}");
}

#[test]
fn checkpoints_go_on_when_a_full_disk_has_room_again() {
    for engine in ["redb", "sled"] {
        let config = config().replace("[state]", &format!("[state]\nengine = \"{engine}\""));
        let host = TestHost::start(&config).unwrap();
        post(&host, 0, 0);
        wait_checkpoint(&host);
        let (host, inside) = small_disk::start(host, &config, "data/state", "64m");
        small_disk::fill(&inside.join("ballast"));
        let row = |key: usize| format!("{{\"key\":\"{key:0200}\",\"time\":{},\"x\":0}}\n", START_S + 5);
        let many: String = (0..10_000).map(row).collect();
        assert_eq!(host.post("/ingest/my/dev/event", many.as_bytes()).unwrap().status, 200);
        wait_number(&host, "weir_checkpoints_stopped ", |stopped| stopped > 0.0);
        // Events are taken all the same, and nothing ends.
        post(&host, 6, 0);
        std::fs::remove_file(inside.join("ballast")).unwrap();
        wait_number(&host, "weir_checkpoints_stopped ", |stopped| stopped == 0.0);
        wait_number(&host, "weir_checkpoint_entries ", |entries| entries > 10_000.0);
        host.end_in_peace().unwrap();
    }
}
