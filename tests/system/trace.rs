//! One event's way through the units, and the filter of the recent ring: true answers, and no effect on anything.

use serde_json::{Value, json};
use weir_tests::client::{self, Answer};
use weir_tests::host::TestHost;

const TRACED: &str = weir_tests::local_config!(
    tcp: "triplet = \"my/dev/event\"\n",
    r#"[[source]]
name = "http"
kind = "http"
[[pipeline]]
name = "p"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "large"
use = "filter"
config = { keep = "x > 10" }
[[pipeline.unit]]
name = "twice"
use = "transform"
config = { set = { y = "x * 2" } }
[[pipeline.unit]]
name = "sums"
use = "rollup"
config = { window = "1s", aggregates = { n = "count" } }
[[pipeline.series]]
metric = "sums"
labels = []
"#
);

fn send(host: &TestHost) -> Vec<Value> {
    let answer = host.post("/ingest/my/dev/event", br#"[{"x":1},{"x":30}]"#).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = |value: &Value| value["events"].as_array().is_some_and(|events| events.len() == 2);
    let recent = host.wait("/api/streams/my/dev/event/recent", seen).unwrap();
    host.wait_unit("p/large", "rows_in_total", 2).unwrap();
    recent["events"].as_array().unwrap().clone()
}

fn trace(host: &TestHost, body: &Value) -> Answer {
    let json = [("content-type", "application/json")];
    client::request(host.http, "POST", "/api/trace", &json, body.to_string().as_bytes()).unwrap()
}

fn verdicts(host: &TestHost, event: &Value) -> Vec<String> {
    let body = json!({ "triplet": "my/dev/event", "position": event["position"], "row": event["row"] });
    let answer = trace(host, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let units = answer.json().unwrap()["pipelines"][0]["units"].clone();
    units.as_array().unwrap().iter().map(|unit| unit["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_unit_says_what_it_does_with_one_event_and_counts_nothing() {
    let host = TestHost::start(TRACED).unwrap();
    let events = send(&host);
    let of = |x: i64| events.iter().find(|event| event["fields"]["x"] == x).unwrap();
    assert_eq!(verdicts(&host, of(1)), ["dropped", "not-reached", "not-reached"]);
    assert_eq!(verdicts(&host, of(30)), ["kept", "changed", "taken-in"]);
    assert_eq!(host.unit("p/large", "rows_in_total").unwrap(), 2);
    let gone = trace(&host, &json!({ "triplet": "my/dev/event", "position": 0, "row": 9 }));
    assert_eq!(gone.status, 404, "{}", gone.text());
    let wrong = trace(&host, &json!({ "triplet": "my/dev/event" }));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

#[test]
fn the_ring_is_filtered_by_an_expression() {
    let host = TestHost::start(TRACED).unwrap();
    send(&host);
    let found = host.json("/api/streams/my/dev/event/recent?where=x%20%3E%2010").unwrap();
    assert_eq!(found["events"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["events"][0]["fields"]["x"], 30);
    let wrong = host.get("/api/streams/my/dev/event/recent?where=x%20%3E").unwrap();
    assert_eq!(wrong.status, 422, "{}", wrong.text());
}

#[test]
fn a_component_tells_the_schema_of_its_configuration() {
    let host = TestHost::start(TRACED).unwrap();
    let filter = host.json("/api/components/filter").unwrap();
    assert_eq!(filter["config_schema"]["required"], json!(["keep"]), "{filter}");
    assert_eq!(filter["component"]["used_by"], json!(["p/large"]));
    assert_eq!(host.get("/api/components/%2Fetc%2Fpasswd").unwrap().status, 404);
}

#[test]
fn components_that_are_not_compiled_yet_are_counted_and_come_by_themselves() {
    let host = TestHost::start(TRACED).unwrap();
    let path = "/api/components?wait=false";
    let first = host.json(path).unwrap();
    let names = |seen: &Value| seen["components"].as_array().map_or(0, Vec::len) as u64;
    let left = |seen: &Value| seen["compiling"].as_u64().unwrap_or(u64::MAX);
    let all = names(&first) + left(&first);
    let next = host.wait(path, |seen| left(seen) < left(&first) || left(seen) == 0).unwrap();
    assert_eq!(names(&next) + left(&next), all, "{next}");
    assert!(names(&next) > 1 && all > 15, "{next}");
    assert_eq!(host.get("/api/components?wat=false").unwrap().status, 400);
}
