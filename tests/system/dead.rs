//! Dead letters, whole: what a unit cannot take costs only itself, is there once over crashes, and is counted once the unit is repaired.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use weir_tests::client;
use weir_tests::host::{TestHost, program};

mod attack;

const COMPONENT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/faults/faults.wasm");

/// Pipeline `p` with the unit `u` that misbehaves, its rows in files, and a neighbour that counts the same events.
fn config(fault: &str, circuit: &str) -> String {
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
[[source]]
name = "http"
kind = "http"
[[pipeline]]
name = "count"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "all"
use = "filter"
config = {{ keep = "true" }}
[[pipeline]]
name = "p"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "u"
use = "{COMPONENT}"
config = {{ {fault} }}
on_open_circuit = "{circuit}"
[[pipeline.unit]]
name = "after"
use = "filter"
config = {{ keep = "true" }}
[[pipeline.stream]]
triplet = "my/dev/passed"
[[sink]]
name = "passed"
kind = "file"
from = ["my/dev/passed"]
every = "100ms"
"#
    )
}

const POISON: &str = "on_row_value = { column = \"x\", equals = 13 }";

/// Events `from .. to`: a key of seven, their number, and 13 where they are poison.
fn events(from: u64, to: u64, poison: impl Fn(u64) -> bool) -> String {
    let x = |n: u64| if poison(n) { 13 } else { n + 100 };
    (from..to).map(|n| format!("{{\"key\":\"k{}\",\"n\":{n},\"x\":{}}}\n", n % 7, x(n))).collect()
}

fn post(host: &TestHost, body: &str) {
    let answer = host.post("/ingest/my/dev/event", body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// (key, n) of all rows that came out, file by file and so in their order. None: a file was replaced meanwhile.
fn passed(folder: &Path) -> Option<Vec<(String, u64)>> {
    let Ok(files) = std::fs::read_dir(folder.join("data/sinks/passed")) else { return Some(Vec::new()) };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    paths.sort();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let fields = &row["fields"];
        (fields["key"].as_str().unwrap().to_owned(), fields["n"].as_u64().unwrap())
    };
    let texts: Option<Vec<String>> = paths.iter().map(|path| std::fs::read_to_string(path).ok()).collect();
    Some(texts?.iter().flat_map(|text| text.lines().map(row)).collect())
}

/// Until so many rows are in the files. Each event is there once.
fn wait_passed(host: &TestHost, wanted: usize) -> Vec<(String, u64)> {
    let written = |seen: &Value| seen["sinks"][0]["open_rows"] == 0 && seen["sinks"][0]["waiting_files"] == 0;
    let read = RefCell::new(Vec::new());
    let is_whole = |seen: &Value| {
        let Some(rows) = passed(host.folder.path()).filter(|_| written(seen)) else { return false };
        let enough = rows.len() >= wanted;
        read.replace(rows);
        // Nothing was written while the files were read: else one and what it replaces may both have been there.
        enough && host.json("/api/sinks").is_ok_and(|again| again == *seen)
    };
    host.wait("/api/sinks", is_whole).unwrap();
    let rows = read.into_inner();
    let distinct: BTreeSet<u64> = rows.iter().map(|(_, n)| *n).collect();
    assert_eq!((rows.len(), distinct.len()), (wanted, wanted), "each once");
    rows
}

fn in_order(rows: &[(String, u64)]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (key, n) in rows {
        let before = last.insert(key, *n);
        assert!(before.is_none_or(|before| before < *n), "{key}: {n} after {before:?}");
    }
}

fn letters(host: &TestHost) -> Vec<Value> {
    host.json("/api/dead?limit=1000").unwrap()["letters"].as_array().unwrap().clone()
}

fn wait_letters(host: &TestHost, total: u64) -> Vec<Value> {
    host.wait("/api/dead", |seen| seen["total"] == total).unwrap();
    letters(host)
}

fn ask(host: &TestHost, action: &str, body: &Value) -> Value {
    let path = format!("/api/dead/{action}");
    let kind = [("content-type", "application/json")];
    let answer = client::request(host.http, "POST", &path, &kind, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()
}

/// Another component in the place of the one that misbehaves.
fn repair(host: &TestHost) {
    let body = json!({ "use": "filter", "config": { "keep": "true" } }).to_string();
    let kind = [("content-type", "application/json")];
    let path = "/api/pipelines/p/units/u";
    let answer = client::request(host.http, "PATCH", path, &kind, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn weir_dead(arguments: &[&str]) -> Output {
    Command::new(program().unwrap()).arg("dead").args(arguments).output().unwrap()
}

fn dead_of(host: &TestHost, arguments: &[&str]) -> Output {
    let server = format!("http://127.0.0.1:{}", host.http);
    weir_dead(&[arguments, &["--server", &server]].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn restart(host: TestHost, config: &str) -> TestHost {
    let ports = (host.http, host.tcp);
    TestHost::start_on(config, host.crash().unwrap(), ports).unwrap()
}

#[test]
fn one_poison_row_in_100_000_costs_only_itself_and_is_counted_after_the_repair() {
    const EVENTS: u64 = 100_000;
    const POISONED: u64 = 99_500;
    let config = config(&format!("fault = \"trap\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    for from in (0..EVENTS).step_by(20_000) {
        post(&host, &events(from, from + 20_000, |n| n == POISONED));
    }
    host.wait_unit("p/after", "rows_in_total", EVENTS - 1).unwrap();
    in_order(&wait_passed(&host, EVENTS as usize - 1));
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), EVENTS);
    let letter = wait_letters(&host, 1).remove(0);
    let recent = host.json("/api/streams/my/dev/event/recent?limit=1000").unwrap();
    let event = recent["events"].as_array().unwrap().iter().find(|event| event["fields"]["x"] == 13).unwrap();
    let pipelines = host.json("/api/pipelines").unwrap();
    let units =
        pipelines["pipelines"].as_array().unwrap().iter().flat_map(|p| p["units"].as_array().unwrap());
    let unit = units.into_iter().find(|unit| unit["id"] == "p/u").unwrap();
    let said = |name: &str| letter[name].clone();
    assert_eq!((said("position"), said("row")), (event["position"].clone(), event["row"].clone()));
    assert_eq!((said("digest"), said("fields")["n"].clone()), (unit["digest"].clone(), json!(POISONED)));
    assert_eq!((said("code"), said("rows"), said("attempts")), (json!("trap"), json!(1), json!(1)));
    assert_eq!((said("unit"), said("pipeline"), said("replayable")), (json!("p/u"), json!("p"), json!(true)));
    assert!(letter["message"].as_str().unwrap().contains("unreachable"), "{letter}");

    // A crash: it is there once, as it was.
    let host = restart(host, &config);
    assert_eq!(letters(&host), std::slice::from_ref(&letter));
    // Given to the same component: it comes back, still called by what it was.
    assert_eq!(ask(&host, "replay", &json!({ "all": true }))["done"], 1);
    let again =
        host.wait("/api/dead", |seen| seen["letters"][0]["attempts"] == 2).unwrap()["letters"][0].clone();
    assert_ne!(again["id"], letter["id"]);
    for same in ["position", "row", "fields", "code", "digest", "stream"] {
        assert_eq!(again[same], letter[same], "{same}");
    }
    repair(&host);
    let replayed = dead_of(&host, &["replay", again["id"].as_str().unwrap()]);
    assert!(replayed.status.success(), "{}", text(&replayed.stderr));
    wait_letters(&host, 0);
    wait_passed(&host, EVENTS as usize);
    // What was given back stays given back.
    let host = restart(host, &config);
    assert!(letters(&host).is_empty(), "{:?}", letters(&host));
    wait_passed(&host, EVENTS as usize);
}

#[test]
fn a_unit_that_traps_each_thousandth_call_loses_nothing() {
    let host = TestHost::start(&config("fault = \"trap-each-thousandth\"", "hold")).unwrap();
    // One after the other: bodies that come together are one batch and one call.
    for piece in 0..2_200 {
        let row = |n: u64| format!("{{\"key\":\"t\",\"n\":{n},\"x\":1}}\n");
        post(&host, &(piece * 3..piece * 3 + 3).map(row).collect::<String>());
    }
    host.wait_unit("p/after", "rows_in_total", 6_600).unwrap();
    in_order(&wait_passed(&host, 6_600));
    let (calls, faults) =
        (host.unit("p/u", "calls_total").unwrap(), host.unit("p/u", "faults_total").unwrap());
    assert!(faults >= 2, "it trapped {faults} times in {calls} calls");
    assert!(letters(&host).is_empty(), "a retry on a new instance mends it");
}

#[test]
fn a_unit_that_spins_costs_its_row_and_nobody_else() {
    let host = TestHost::start(&config(&format!("fault = \"spin\", {POISON}"), "hold")).unwrap();
    post(&host, &events(0, 2_000, |n| n == 700));
    host.wait_unit("count/all", "rows_in_total", 2_000).unwrap();
    in_order(&wait_passed(&host, 1_999));
    let letter = wait_letters(&host, 1).remove(0);
    assert_eq!((&letter["code"], &letter["fields"]["n"]), (&json!("deadline"), &json!(700)), "{letter}");
}

#[test]
fn a_unit_that_always_fails_holds_nobody_up_and_its_rows_are_there_after_the_repair() {
    let host = TestHost::start(&config("fault = \"failure-fail\"", "hold")).unwrap();
    for n in 0..60 {
        post(&host, &events(10 * n, 10 * n + 10, |_| false));
    }
    host.wait_unit("count/all", "rows_in_total", 600).unwrap();
    let open = |seen: &Value| {
        let pipelines = seen["pipelines"].as_array().unwrap();
        let units = pipelines.iter().flat_map(|pipeline| pipeline["units"].as_array().unwrap());
        units.into_iter().any(|unit| unit["id"] == "p/u" && unit["state"] == "open-circuit")
    };
    let seen = host.json("/api/pipelines").unwrap();
    assert!(open(&seen) || host.wait("/api/pipelines", open).is_ok(), "{seen:#}");
    // Held: what comes now waits for the repair, and its sources do not.
    post(&host, &events(600, 700, |_| false));
    host.wait_unit("count/all", "rows_in_total", 700).unwrap();
    let dead_rows = host.json("/api/dead").unwrap()["rows"].as_u64().unwrap();
    assert!((1..700).contains(&dead_rows), "{dead_rows}");
    repair(&host);
    in_order(&wait_passed(&host, 700 - dead_rows as usize));
    let answer = ask(&host, "replay", &json!({ "unit": "p/u" }));
    assert_eq!(answer["refused"], json!([]));
    wait_passed(&host, 700);
    wait_letters(&host, 0);
}

#[test]
fn letters_are_there_once_after_a_crash_and_what_was_dropped_is_not() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    for n in 0..30 {
        post(&host, &events(10 * n, 10 * n + 10, |n| n % 10 == 3));
    }
    let ids = |host: &TestHost| -> Vec<String> {
        letters(host).iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
    };
    wait_letters(&host, 30);
    let first = ids(&host);
    let dropped = dead_of(&host, &["drop", &first[0], &first[29]]);
    assert!(dropped.status.success() && text(&dropped.stdout).contains("2 letters dropped"));
    // Paged: newest first, and no letter twice.
    let page = host.json(&format!("/api/dead?limit=5&before={}", first[10].replace('/', "%2F"))).unwrap();
    let paged: Vec<&str> =
        page["letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    assert_eq!(
        (paged, page["total"].as_u64()),
        (first[11..16].iter().map(String::as_str).collect(), Some(28))
    );
    let host = restart(host, &config);
    assert_eq!(ids(&host), first[1..29]);
    let host = restart(host, &config);
    assert_eq!(ids(&host), first[1..29]);
    // Given back, and the plug pulled at once.
    repair(&host);
    assert_eq!(ask(&host, "replay", &json!({ "all": true }))["done"], 28);
    let host = restart(host, &config);
    assert!(ids(&host).is_empty());
    wait_passed(&host, 298);
    assert_eq!(host.unit("p/u", "rejected_total").unwrap(), 30);
}

#[test]
fn letters_are_looked_at_with_and_without_a_host() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    post(&host, &events(0, 20, |n| n == 3 || n == 4));
    let letter = wait_letters(&host, 1).remove(0);
    let id = letter["id"].as_str().unwrap().to_owned();
    assert_eq!((letter["rows"].as_u64(), letter["code"].as_str()), (Some(2), Some("poison")));
    let shown = host.json(&format!("/api/dead/{}", id.replace('/', "%2F"))).unwrap();
    let numbers: Vec<&Value> =
        shown["events"].as_array().unwrap().iter().map(|row| &row["fields"]["n"]).collect();
    assert_eq!(numbers, [3, 4]);
    let listed = dead_of(&host, &["ls", "--unit", "p/u"]);
    assert!(text(&listed.stdout).contains(&id) && text(&listed.stdout).contains("poison"));
    assert!(!text(&dead_of(&host, &["ls", "--code", "trap"]).stdout).contains(&id));
    for (path, status, said) in [
        ("/api/dead/12-p%2Fu-9", 404, "any more"),
        ("/api/dead/nonsense", 404, "ids are like"),
        ("/api/dead?limit=0", 400, "from 1 to 1000"),
        ("/api/dead?before=x", 400, "before"),
        ("/api/dead?units=x", 400, "units"),
    ] {
        let answer = host.get(path).unwrap();
        assert!(answer.status == status && answer.text().contains(said), "{path}: {}", answer.text());
    }
    let kind = [("content-type", "application/json")];
    for body in ["{}", "{\"all\":false}", "{\"all\":true,\"unit\":\"p/u\"}", "{\"other\":1}", "[]"] {
        let answer = client::request(host.http, "POST", "/api/dead/drop", &kind, body.as_bytes()).unwrap();
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.text());
    }
    let foreign = [("content-type", "application/json"), ("origin", "http://evil.example")];
    let answer = client::request(host.http, "POST", "/api/dead/drop", &foreign, b"{\"all\":true}").unwrap();
    assert_eq!(answer.status, 403);
    // Its unit is gone: it can still be read, and not given back.
    let gone = client::request(host.http, "DELETE", "/api/pipelines/p/units/u", &[], b"").unwrap();
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(letters(&host)[0]["replayable"], false);
    let refused = dead_of(&host, &["replay", &id]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("there is no unit `p/u`"));
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_dead_letters 1") && metrics.contains("weir_dead_rows 2"), "{metrics}");
    // Beside a host and without one.
    let folder = host.folder.path().join("data");
    let there = |data: &Path| {
        let shown = weir_dead(&["show", &id, "--json", "--data", data.to_str().unwrap()]);
        shown.status.success().then(|| serde_json::from_slice::<Value>(&shown.stdout).unwrap())
    };
    host.wait("/api/dead", |_| there(&folder).is_some()).unwrap();
    let ended = host.end_in_peace().unwrap();
    let shown = there(&ended.path().join("data")).unwrap();
    assert_eq!((&shown["events"][1]["fields"]["n"], &shown["replayable"]), (&json!(4), &json!(false)));
    let listed = weir_dead(&["ls", "--json", "--data", ended.path().join("data").to_str().unwrap()]);
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap()["rows"], 2);
}

#[test]
fn bounds_push_out_the_oldest_and_old_rows_are_told_as_late() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold") + "[dead]\nkeep_rows = 5\n";
    let host = TestHost::start(&config).unwrap();
    for n in 0..9 {
        post(
            &host,
            &format!(
                "{{\"key\":\"k\",\"n\":{n},\"x\":13,\"time\":{}}}\n",
                1_767_225_600_000_i64 + n * 60_000
            ),
        );
    }
    host.wait("/api/dead", |seen| seen["total"] == 5 && seen["letters"][0]["fields"]["n"] == 8).unwrap();
    let kept: Vec<u64> =
        letters(&host).iter().map(|letter| letter["fields"]["n"].as_u64().unwrap()).collect();
    assert_eq!(kept, [8, 7, 6, 5, 4]);
    assert!(host.get("/metrics").unwrap().text().contains("weir_dead_evicted_total 4"));
    repair(&host);
    let answer = ask(&host, "replay", &json!({ "all": true }));
    assert_eq!(answer["done"], 5);
    assert!(answer["late_rows"].as_u64().unwrap() >= 4, "{answer}");
    let rows = wait_passed(&host, 5);
    assert_eq!(rows.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [4, 5, 6, 7, 8], "in the order of the log");
}
