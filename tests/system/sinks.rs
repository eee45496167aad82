//! Derived streams as files: each event once, whatever the host went through.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use weir_tests::host::TestHost;

const KEPT: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[state]
replay = "100ms"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "my/dev/event"
[[source]]
name = "http"
kind = "http"
[[pipeline]]
name = "p"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "even"
use = "filter"
config = { keep = "x % 2 = 0" }
[[pipeline.stream]]
triplet = "my/dev/even"
[[sink]]
name = "even"
kind = "file"
from = ["my/dev/even"]
rows = 40
every = "200ms"
"#;

fn post(host: &TestHost, from: i64, to: i64) {
    let body: String = (from..to).map(|x| format!("{{\"x\":{x}}}\n")).collect();
    let answer = host.post("/ingest/my/dev/event", body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// (id, x) of all rows in the files, in the order of names.
fn rows(folder: &Path) -> Vec<(String, i64)> {
    let Ok(files) = std::fs::read_dir(folder.join("data/sinks/even")) else { return Vec::new() };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    paths.sort();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["stream"], "my/dev/even");
        (row["id"].as_str().unwrap().to_owned(), row["fields"]["x"].as_i64().unwrap())
    };
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.lines().map(row).collect::<Vec<_>>()).collect()
}

#[test]
fn each_derived_event_is_in_the_files_once_over_crashes() {
    let mut host = TestHost::start(KEPT).unwrap();
    let ports = (host.http, host.tcp);
    for round in 0..5 {
        for step in 0..6 {
            let from = round * 300 + step * 50;
            post(&host, from, from + 50);
            if step == 2 {
                // Some files are there, some rows are not: a crash may come anywhere between.
                let path = "/api/sinks";
                host.wait(path, |seen| seen["sinks"][0]["files_total"].as_u64() >= Some(1)).unwrap();
            }
        }
        host = TestHost::start_on(KEPT, host.crash().unwrap(), ports).unwrap();
    }
    let wanted: Vec<i64> = (0..1_500).filter(|x| x % 2 == 0).collect();
    let done = |seen: &Value| {
        seen["sinks"][0]["open_rows"] == 0
            && seen["sinks"][0]["waiting_files"] == 0
            && rows(host.folder.path()).len() >= wanted.len()
    };
    host.wait("/api/sinks", done).unwrap();
    let rows = rows(host.folder.path());
    assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), wanted, "each once, in order");
    assert_eq!(rows.iter().map(|row| &row.0).collect::<BTreeSet<_>>().len(), rows.len(), "ids are unique");
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_sink_rows_total{sink=\"even\"}"), "{metrics}");
}

#[test]
fn the_end_in_peace_leaves_nothing_behind_and_a_sink_comes_and_goes_at_a_position() {
    let without = KEPT.split("[[sink]]").next().unwrap();
    let host = TestHost::start(without).unwrap();
    post(&host, 0, 10);
    host.wait_unit("p/even", "rows_in_total", 10).unwrap();
    let text = |config: &str| {
        config.replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string())
    };
    assert_eq!(host.put("/api/configuration", &text(KEPT)).unwrap().status, 200);
    post(&host, 10, 20);
    assert_eq!(host.put("/api/configuration", &text(without)).unwrap().status, 200);
    post(&host, 20, 30);
    let folder = host.end_in_peace().unwrap();
    assert_eq!(rows(folder.path()).iter().map(|row| row.1).collect::<Vec<_>>(), [10, 12, 14, 16, 18]);
}

/// What waits belongs to positions before the change, so that it goes to the sinks that were there then: also where a checkpoint holds the change already.
#[test]
fn what_waits_in_a_paused_pipeline_outlives_an_edit_and_a_restart() {
    let edits: [(&str, &str); 3] = [
        ("", ""),
        // Another pipeline; another configuration of the unit that waits.
        ("[[sink]]", "[[pipeline]]\nname = \"q\"\nfrom = [\"x/y/z\"]\n[[sink]]"),
        ("x % 2 = 0", "x % 2 = 0 and x >= 0"),
    ];
    for (number, (old, new)) in edits.into_iter().enumerate() {
        let mut host = TestHost::start(KEPT).unwrap();
        let ports = (host.http, host.tcp);
        post(&host, 0, 10);
        assert_eq!(host.post("/api/pipelines/p/pause", b"").unwrap().status, 200);
        post(&host, 10, 20);
        if !old.is_empty() {
            let text = KEPT.replacen(old, new, 1);
            let text = text.replace("{http}", &ports.0.to_string()).replace("{tcp}", &ports.1.to_string());
            let answer = host.put("/api/configuration", &text).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        post(&host, 20, 30);
        // The last checkpoint holds the change, but not what waits.
        host = TestHost::start_on(KEPT, host.end_in_peace().unwrap(), ports).unwrap();
        let paused = |seen: &Value| seen["pipelines"][0]["state"] == "paused";
        host.wait("/api/pipelines", paused).unwrap();
        assert_eq!(host.post("/api/pipelines/p/start", b"").unwrap().status, 200);
        host.wait_unit("p/even", "rows_in_total", 30).unwrap();
        let folder = host.end_in_peace().unwrap();
        let found: Vec<i64> = rows(folder.path()).iter().map(|row| row.1).collect();
        assert_eq!(found, (0..30).filter(|x| x % 2 == 0).collect::<Vec<_>>(), "edit {number}");
    }
}
