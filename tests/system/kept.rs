//! What ran can run again, whatever became of the component's file.

use serde_json::json;
use weir_tests::client;
use weir_tests::host::TestHost;

const COMPONENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components");

fn config(wasm: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:{{http}}"
[state]
replay = "10m"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{{tcp}}"
triplet = "my/dev/event"
[[source]]
name = "http"
kind = "http"
[[pipeline]]
name = "p"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "u"
use = "{wasm}"
config = {{ keep = "x % 2 = 0" }}
[[pipeline.stream]]
triplet = "my/dev/even"
"#
    )
}

fn post(host: &TestHost, count: u64) {
    let body: String = (0..count).map(|x| format!("{{\"x\":{x}}}\n")).collect();
    assert_eq!(host.post("/ingest/my/dev/event", body.as_bytes()).unwrap().status, 200);
}

fn digest(host: &TestHost) -> String {
    let seen = host.json("/api/pipelines").unwrap();
    seen["pipelines"][0]["units"][0]["digest"].as_str().unwrap().to_owned()
}

/// The same component with another digest: a custom section behind it.
fn other(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0, 6, 4, b'n', b'o', b't', b'e', b'x']].concat()
}

#[test]
fn a_component_that_was_swapped_and_deleted_runs_again_in_a_replay() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first.wasm"), place.path().join("second.wasm"));
    let bytes = std::fs::read(format!("{COMPONENTS}/filter.wasm")).unwrap();
    std::fs::write(&first, &bytes).unwrap();
    std::fs::write(&second, other(&bytes)).unwrap();
    let config = config(first.to_str().unwrap());
    let host = TestHost::start(&config).unwrap();
    let ports = (host.http, host.tcp);
    let before = digest(&host);
    post(&host, 100);
    let body = json!({ "use": second.to_str().unwrap() });
    let headers = [("content-type", "application/json")];
    let path = "/api/pipelines/p/units/u";
    let changed = client::request(host.http, "PATCH", path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(changed.status, 200, "{}", changed.text());
    post(&host, 50);
    host.wait_unit("p/u", "rows_in_total", 150).unwrap();
    let after = digest(&host);
    assert_ne!(before, after);
    let folder = host.crash().unwrap();
    std::fs::remove_file(&first).unwrap();
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    assert!(!host.log().contains("cannot run any more"), "{}", host.log());
    assert_eq!(host.unit("p/u", "rows_in_total").unwrap(), 150, "{}", host.log());
    assert_eq!(host.unit("p/u", "rows_out_total").unwrap(), 75);
    assert_eq!(digest(&host), after);
    // The other one too: what ran last goes on from its copy.
    let folder = host.crash().unwrap();
    std::fs::remove_file(&second).unwrap();
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    assert_eq!((digest(&host), host.unit("p/u", "rows_in_total").unwrap()), (after, 150), "{}", host.log());
    post(&host, 10);
    host.wait_unit("p/u", "rows_in_total", 160).unwrap();
}

#[test]
fn a_file_that_was_changed_while_nothing_ran_is_taken_after_the_replay() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("it.wasm");
    let bytes = std::fs::read(format!("{COMPONENTS}/filter.wasm")).unwrap();
    std::fs::write(&file, &bytes).unwrap();
    let config = config(file.to_str().unwrap());
    let host = TestHost::start(&config).unwrap();
    let ports = (host.http, host.tcp);
    let before = digest(&host);
    post(&host, 100);
    host.wait_unit("p/u", "rows_in_total", 100).unwrap();
    let folder = host.crash().unwrap();
    std::fs::write(&file, other(&bytes)).unwrap();
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    assert_ne!(digest(&host), before);
    assert_eq!(host.json("/api/pipelines").unwrap()["revision"], 2);
    assert_eq!(host.unit("p/u", "rows_in_total").unwrap(), 100);
}
