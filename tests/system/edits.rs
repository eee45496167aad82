//! Edits of a running pipeline: what is counted goes on exactly, what is not touched keeps its state, and refusals say why.

use serde_json::{Value, json};
use weir_tests::client::{self, Answer};
use weir_tests::host::TestHost;

use crate::start::COUNT;

fn ask(host: &TestHost, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("weir-origin", "page")];
    client::request(host.http, method, path, &headers, body.to_string().as_bytes()).unwrap()
}

fn good(answer: &Answer) -> Value {
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    answer.json().unwrap()
}

fn lines(n: usize) -> String {
    "{\"key\":\"a\",\"x\":1,\"time\":1767225600000}\n".repeat(n)
}

fn inject(name: &str) -> Value {
    json!({ "name": name, "use": "filter", "config": { "keep": "true" }, "after": "all" })
}

#[test]
fn a_unit_is_injected_changed_and_removed_and_an_open_window_stays() {
    let host = TestHost::start(COUNT).unwrap();
    host.send(&lines(10)).unwrap();
    host.wait_unit("count/all", "rows_in_total", 10).unwrap();
    let injected = ask(&host, "POST", "/api/pipelines/count/units", &inject("new"));
    assert_eq!((injected.status, injected.header("etag")), (201, Some("\"2\"")), "{}", injected.text());
    host.send(&lines(10)).unwrap();
    host.wait_unit("count/new", "rows_in_total", 10).unwrap();
    let dropping = json!({ "merge": { "keep": "x > 1" } });
    let changed = good(&ask(&host, "PATCH", "/api/pipelines/count/units/new", &dropping));
    assert_eq!(changed["summary"], "sets config.keep of `new` in `count`");
    host.send(&lines(10)).unwrap();
    host.wait_unit("count/new", "rows_in_total", 20).unwrap();
    good(&ask(&host, "DELETE", "/api/pipelines/count/units/new", &Value::Null));
    host.send(&lines(10)).unwrap();
    host.wait_unit("count/all", "rows_in_total", 40).unwrap();
    // The window was open over all of it: 10 before, 10 through the new unit, none while that dropped them, 10 after.
    host.send("{\"key\":\"a\",\"x\":1,\"time\":1767225700000}\n").unwrap();
    let points = host.wait_points("counts", |points| !points.is_empty()).unwrap();
    assert_eq!(points[0].value("n"), Some(30.0), "{points:?}");
    let file = std::fs::read_to_string(host.folder.path().join("weir.toml")).unwrap();
    assert_eq!(host.get("/api/configuration").unwrap().text(), file, "an export gives the file back");
}

#[test]
fn what_waits_in_a_paused_pipeline_runs_through_the_edited_units() {
    let host = TestHost::start(COUNT).unwrap();
    good(&host.post("/api/pipelines/count/pause", b"").unwrap());
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["state"] == "paused").unwrap();
    host.send(&lines(100)).unwrap();
    host.wait("/api/streams", |seen| seen["streams"][0]["events_total"] == 100).unwrap();
    good(&ask(&host, "POST", "/api/pipelines/count/units", &inject("new")));
    good(&ask(&host, "POST", "/api/pipelines/count/units", &inject("newer")));
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["lag_records"].as_u64() > Some(0)).unwrap();
    assert_eq!(host.json("/api/pipelines").unwrap()["pipelines"][0]["state"], "paused");
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 0);
    good(&host.post("/api/pipelines/count/start", b"").unwrap());
    host.wait_unit("count/new", "rows_in_total", 100).unwrap();
    assert_eq!(host.unit("count/all", "rows_in_total").unwrap(), 100);
    assert_eq!(host.json("/api/pipelines").unwrap()["pipelines"][0]["skipped_total"], 0);
}

#[test]
fn revisions_are_listed_compared_and_gone_back_to() {
    let host = TestHost::start(COUNT).unwrap();
    let first = host.get("/api/configuration").unwrap();
    good(&ask(&host, "POST", "/api/pipelines/count/units", &inject("new")));
    let diff = host.json("/api/configuration/diff").unwrap();
    assert_eq!(diff["changes"][0]["place"], "pipeline \"count\", unit \"new\"", "{diff}");
    assert!(diff["unified"].as_str().unwrap().contains("+name = \"new\""), "{diff}");
    let undone = good(&ask(&host, "POST", "/api/configuration/undo", &Value::Null));
    assert_eq!(undone["summary"], "goes back to revision 1");
    assert_eq!(host.get("/api/configuration").unwrap().body, first.body);
    let list = host.json("/api/configuration/revisions").unwrap();
    assert_eq!(list["current"], 3);
    assert_eq!(list["revisions"][1]["summary"], "injects filter `new` after `all` in `count`");
    assert_eq!(list["revisions"][1]["origin"], "page");
    assert_eq!(list["revisions"][2]["origin"], "file");
    assert_eq!(host.get("/api/configuration/revisions/9").unwrap().status, 404);
    let same = good(&host.put("/api/configuration", &first.text()).unwrap());
    assert_eq!(same["revision"], 3, "the same text makes no revision");
}

#[test]
fn refusals_say_why_and_change_nothing() {
    let host = TestHost::start(COUNT).unwrap();
    let refused = |method: &str, path: &str, body: Value, status: u16, code: &str, says: &str| {
        let answer = ask(&host, method, path, &body);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let told = answer.json().unwrap();
        assert_eq!(told["error"]["code"], code, "{told}");
        assert!(told["error"]["message"].as_str().unwrap().contains(says), "{told}");
    };
    let units = "/api/pipelines/count/units";
    refused("POST", "/api/pipelines/cout/units", inject("n"), 404, "not_found", "did you mean `count`");
    refused("POST", units, inject("all"), 409, "exists", "another name");
    refused("POST", units, json!({ "name": "n", "use": "filter", "wrong": 1 }), 422, "bad_body", "wrong");
    let bad = json!({ "name": "n", "use": "filter", "config": { "keep": "x >" } });
    refused("POST", units, bad, 422, "bad_configuration", "unit \"n\"");
    refused("POST", units, json!({ "name": "n", "use": "filtre" }), 422, "bad_configuration", "did you mean");
    refused("DELETE", "/api/pipelines/count/units/x", Value::Null, 404, "not_found", "no unit `x`");
    let answer = client::request(host.http, "DELETE", &format!("{units}/all"), &[("if-match", "\"7\"")], b"");
    let told = answer.unwrap().json().unwrap();
    assert_eq!((told["error"]["code"].as_str(), told["revision"].as_u64()), (Some("conflict"), Some(1)));
    assert_eq!(host.json("/api/configuration/revisions").unwrap()["current"], 1);
}

#[test]
fn one_pipeline_is_shown_with_ports_and_neighbours() {
    let host = TestHost::start(COUNT).unwrap();
    let shown = host.json("/api/pipelines/count").unwrap();
    assert_eq!(shown["units"][0]["name"], "all", "{shown:#}");
    assert_eq!(shown["units"][0]["ports"][0]["to"], json!(["count/by_key"]), "{shown:#}");
    assert_eq!(shown["units"][1]["from"], json!(["all"]), "{shown:#}");
    assert_eq!(shown["series"][0]["metric"], "counts", "{shown:#}");
}

fn file_state(host: &TestHost, state: &str) -> Value {
    host.wait("/api/configuration/file", |seen| seen["state"] == state).unwrap()
}

#[test]
fn a_changed_file_is_taken_a_bad_one_refused_and_a_conflict_shown() {
    let host = TestHost::start(COUNT).unwrap();
    let path = host.folder.path().join("weir.toml");
    let first = std::fs::read_to_string(&path).unwrap();
    // As editors do: a new file in the place of the old one.
    let write = |text: &str| {
        let beside = host.folder.path().join("weir.toml.new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, &path).unwrap();
    };
    let changed = first.replace("keep = \"true\"", "keep = \"x > 0\"");
    write(&changed);
    let list = host.wait("/api/configuration/revisions", |seen| seen["current"] == 2).unwrap();
    assert_eq!(list["revisions"][0]["origin"], "file");
    assert_eq!(list["revisions"][0]["summary"], "changes pipeline \"count\", unit \"all\", config.keep");
    write(&changed.replace("x > 0", "x >"));
    let refused = file_state(&host, "refused");
    let line = changed.lines().position(|line| line.contains("x > 0")).unwrap() + 1;
    assert_eq!(refused["problems"][0]["line"], line, "{refused:#}");
    assert_eq!(refused["refused_total"], 1);
    assert_eq!(host.get("/api/configuration").unwrap().text(), changed);
    write(&changed);
    file_state(&host, "in-sync");
    good(&ask(&host, "POST", "/api/pipelines/count/units", &inject("new")));
    file_state(&host, "behind");
    write(&first);
    let conflict = file_state(&host, "conflict");
    assert!(conflict["message"].as_str().unwrap().contains("weir config export"), "{conflict}");
    assert_eq!(host.json("/api/configuration/revisions").unwrap()["current"], 3);
    let load = ask(&host, "POST", "/api/configuration/file/load", &Value::Null);
    assert_eq!((load.status, load.json().unwrap()["error"]["code"].as_str()), (409, Some("file_conflict")));
    good(&ask(&host, "POST", "/api/configuration/file/load?force=true", &Value::Null));
    assert_eq!(file_state(&host, "in-sync")["loaded_revision"], 4);
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_configuration_file_changes_total{result=\"refused\"} 1"), "{metrics}");
}

#[test]
fn a_hang_up_loads_the_file_at_once() {
    let mut host = TestHost::start(COUNT).unwrap();
    let path = host.folder.path().join("weir.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("# mine\n{text}")).unwrap();
    host.signal(libc::SIGHUP).unwrap();
    let list = host.wait("/api/configuration/revisions", |seen| seen["current"] == 2).unwrap();
    assert_eq!(list["revisions"][0]["summary"], "changes only comments or layout");
}

#[test]
fn the_command_line_edits_a_running_host() {
    let host = TestHost::start(COUNT).unwrap();
    let url = format!("http://127.0.0.1:{}", host.http);
    let weir = |line: &[&str]| {
        let output = std::process::Command::new(weir_tests::host::program().unwrap())
            .args(line)
            .args(["--url", &url])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let inject =
        ["pipeline", "inject", "count/n", "--use", "filter", "--set", "keep=x > 0", "--after", "all"];
    let (code, out, err) = weir(&inject);
    let told = "revision 2: injects filter `n` after `all` in `count`\n";
    assert_eq!((code, out.as_str()), (Some(0), told), "{err}");
    assert!(weir(&["pipeline", "ls"]).1.contains("count/n"));
    assert!(weir(&["pipeline", "show", "count"]).1.contains("out -> count/by_key"));
    assert_eq!(weir(&["pipeline", "set", "count/n", "keep=x > 1", "--if-revision", "1"]).0, Some(3));
    assert_eq!(weir(&["pipeline", "set", "count/n", "keep=x > 1"]).0, Some(0));
    let (code, _, err) = weir(&["pipeline", "set", "count/n", "keep=x >"]);
    assert!(code == Some(1) && err.contains("unit \"n\""), "{err}");
    assert_eq!(weir(&["pipeline", "pause", "count/n"]).0, Some(0));
    assert_eq!(weir(&["pipeline", "start", "count/n"]).0, Some(0));
    assert!(weir(&["config", "diff"]).1.contains("+config = { keep = \"x > 1\" }"));
    assert_eq!(weir(&["config", "undo"]).0, Some(0));
    assert!(weir(&["config", "revisions"]).1.contains("goes back to revision 2"));
    assert_eq!(weir(&["pipeline", "remove", "count/n"]).0, Some(0));
    let file = std::fs::read_to_string(host.folder.path().join("weir.toml")).unwrap();
    assert_eq!(weir(&["config", "export"]).1, file);
}
