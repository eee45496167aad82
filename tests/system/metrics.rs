//! Metrics: what one sentence of configuration gives, and where it begins when it is added while events come in.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::client::{self, Answer};
use weir_tests::host::{TestHost, program};

use crate::events::START_NS;
use crate::start::COUNT;

const ADDED: &str = r#"
[[metric]]
name = "seen"
from = ["my/dev/event"]
where = "x >= 0"
key = ["key"]
value = "x"
lateness = "60s"
rollup = [{ window = "1s", is = ["count", "sum", "max"] }]
"#;

/// Number, sum and greatest of `x` by key and second.
type Expected = BTreeMap<(String, i64), (f64, f64, f64)>;

fn line(n: i64, expected: &mut Expected) -> String {
    let (key, x, second) = (format!("k{}", n % 3), n % 17 - 2, START_NS / 1_000_000_000 + n / 40);
    if x >= 0 {
        let entry = expected.entry((key.clone(), second)).or_insert((0.0, 0.0, f64::MIN));
        *entry = (entry.0 + 1.0, entry.1 + x as f64, entry.2.max(x as f64));
    }
    format!("{{\"key\":\"{key}\",\"x\":{x},\"time\":{second}}}\n")
}

/// The recent ring holds all that came before the metric; what comes meanwhile must count once, on whichever side of the command it falls.
/// Each piece is a connection of its own, and two connections have no order, hence the lateness.
#[test]
fn a_metric_added_under_load_counts_every_event_of_the_ring_and_after_once() {
    let host = TestHost::start(COUNT).unwrap();
    let mut expected = Expected::new();
    let lines: Vec<String> = (0..900).map(|n| line(n, &mut expected)).collect();
    let (before, meanwhile) = lines.split_at(300);
    host.send(&before.concat()).unwrap();
    host.wait_unit("count/all", "rows_in_total", 300).unwrap();
    let text = COUNT.replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for piece in meanwhile.chunks(10) {
                host.send(&piece.concat()).unwrap();
            }
        });
        let answer = host.put("/api/configuration", &format!("{text}{ADDED}")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
    // Long after all of them: closes every window.
    host.send(&format!("{{\"key\":\"end\",\"x\":1,\"time\":{}}}\n", START_NS / 1_000_000_000 + 600)).unwrap();
    let points = host.wait_points("seen_1s", |points| points.len() >= expected.len()).unwrap();
    let seen: Expected = points
        .iter()
        .map(|point| {
            let of = |field| point.value(field).unwrap();
            let place = (point.label("key").to_owned(), point.time_unix_ns / 1_000_000_000);
            (place, (of("count"), of("sum"), of("max")))
        })
        .collect();
    assert_eq!(seen, expected);
    let metrics = host.json("/api/metrics").unwrap();
    assert_eq!(metrics["metrics"][0]["units"], serde_json::json!(["seen/1s"]));
    assert_eq!(metrics["metrics"][0]["chart"], "seen");
}

#[test]
fn a_metric_that_begins_with_nothing_leaves_the_ring_alone() {
    let host = TestHost::start(COUNT).unwrap();
    let mut before = Expected::new();
    host.send(&(0..100).map(|n| line(n, &mut before)).collect::<String>()).unwrap();
    host.wait_unit("count/all", "rows_in_total", 100).unwrap();
    let text = COUNT.replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string());
    let added = ADDED.replace("key = [\"key\"]", "key = [\"key\"]\nbackfill = \"none\"");
    assert_eq!(host.put("/api/configuration", &format!("{text}{added}")).unwrap().status, 200);
    let second = START_NS / 1_000_000_000 + 100;
    host.send(&format!(
        "{{\"key\":\"a\",\"x\":5,\"time\":{second}}}\n{{\"key\":\"end\",\"x\":1,\"time\":{}}}\n",
        second + 600
    ))
    .unwrap();
    let points = host.wait_points("seen_1s", |points| !points.is_empty()).unwrap();
    assert_eq!(points.len(), 1);
    assert_eq!((points[0].label("key"), points[0].value("count")), ("a", Some(1.0)));
}

fn ask(host: &TestHost, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    client::request(host.http, method, path, &headers, body.to_string().as_bytes()).unwrap()
}

fn seen() -> Value {
    json!({
        "name": "seen", "from": "my/dev/event", "where": "x >= 0", "key": "key", "value": "x", "lateness": "60s",
        "rollup": { "window": "1s", "is": ["count", "sum", "max"] }
    })
}

fn of_points(points: &[weir_tests::host::Point]) -> Expected {
    let one = |point: &weir_tests::host::Point| {
        let of = |field| point.value(field).unwrap();
        let place = (point.label("key").to_owned(), point.time_unix_ns / 1_000_000_000);
        (place, (of("count"), of("sum"), of("max")))
    };
    points.iter().map(one).collect()
}

#[test]
fn a_metric_is_tried_made_changed_and_taken_away_by_one_request_each() {
    let host = TestHost::start(COUNT).unwrap();
    let mut expected = Expected::new();
    host.send(&(0..300).map(|n| line(n, &mut expected)).collect::<String>()).unwrap();
    host.wait_unit("count/all", "rows_in_total", 300).unwrap();
    let text = host.get("/api/configuration").unwrap().text();
    // Tried: all windows, those that are open last, and nothing is changed.
    let tried = ask(&host, "POST", "/api/metrics/preview?limit=1000", &seen());
    assert_eq!(tried.status, 200, "{}", tried.text());
    let tried = tried.json().unwrap();
    assert_eq!(of_points(&weir_tests::host::points_of(&tried)), expected, "{tried:#}");
    let kept: f64 = expected.values().map(|(count, ..)| count).sum();
    assert_eq!((tried["events"].as_f64(), tried["rows"].as_f64()), (Some(300.0), Some(kept)), "{tried:#}");
    // With a lateness of a minute no window is over.
    let all_open = |series: &Value| {
        series["open"].as_u64() == series["time_unix_ns"].as_array().map(|all| all.len() as u64)
    };
    assert!(tried["series"].as_array().unwrap().iter().all(all_open), "{tried:#}");
    assert_eq!(host.get("/api/configuration").unwrap().text(), text);
    assert_eq!(host.get("/api/series/points?metric=seen_1s").unwrap().status, 404);
    // Made: what was tried is what is written, and what it gives.
    let made = ask(&host, "POST", "/api/metrics", &seen());
    assert_eq!((made.status, made.header("etag")), (201, Some("\"2\"")), "{}", made.text());
    assert_eq!(made.json().unwrap()["metric"]["units"], json!(["seen/1s"]));
    let text_with = format!("{text}\n{}", tried["toml"].as_str().unwrap());
    assert_eq!(host.get("/api/configuration").unwrap().text(), text_with);
    host.send(&format!("{{\"key\":\"end\",\"x\":1,\"time\":{}}}\n", START_NS / 1_000_000_000 + 600)).unwrap();
    let points = host.wait_points("seen_1s", |points| points.len() >= expected.len()).unwrap();
    assert_eq!(of_points(&points), expected);
    // Changed: only the member that differs.
    let mut wanted = seen();
    wanted["rollup"]["window"] = "5s".into();
    let changed = ask(&host, "PUT", "/api/metrics/seen", &wanted);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(changed.json().unwrap()["summary"], "sets rollup of the metric `seen`");
    let shown = host.json("/api/metrics/seen").unwrap();
    assert_eq!(
        (&shown["units"], &shown["written"]["rollup"][0]["window"]),
        (&json!(["seen/5s"]), &json!("5s"))
    );
    // Taken away, and back.
    assert_eq!(ask(&host, "DELETE", "/api/metrics/seen", &Value::Null).status, 200);
    assert_eq!(host.get("/api/configuration").unwrap().text(), text);
    assert_eq!(host.get("/api/metrics/seen").unwrap().status, 404);
    assert_eq!(ask(&host, "POST", "/api/configuration/undo?to=2", &Value::Null).status, 200);
    assert_eq!(host.json("/api/metrics/seen").unwrap()["units"], json!(["seen/1s"]));
}

#[test]
fn what_is_wrong_with_a_metric_is_told_at_its_place() {
    let host = TestHost::start(COUNT).unwrap();
    let refused = |method: &str, path: &str, body: Value, status: u16, code: &str, says: &str| {
        let answer = ask(&host, method, path, &body);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let told = answer.json().unwrap();
        assert_eq!(told["error"]["code"], code, "{told}");
        assert!(told.to_string().contains(says), "{told}");
        told
    };
    let mut bad = seen();
    bad["colour"] = "red".into();
    refused("POST", "/api/metrics", bad.clone(), 422, "bad_configuration", "colour");
    bad["where"] = "x >".into();
    let told =
        refused("POST", "/api/metrics/preview", bad, 422, "bad_configuration", "metric \\\"seen\\\", where");
    let line = told["problems"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["place"].as_str().unwrap().contains("where"));
    assert_eq!(line.unwrap()["line"], 4, "{told}");
    assert!(told["toml"].as_str().unwrap().lines().nth(3).unwrap().starts_with("where = "), "{told}");
    refused("POST", "/api/metrics", json!({ "from": "a/b/c" }), 400, "bad_body", "needs a `name`");
    refused("PUT", "/api/metrics/none", seen(), 400, "bad_body", "keeps its name");
    refused("DELETE", "/api/metrics/none", Value::Null, 404, "not_found", "no metric `none`");
    assert_eq!(ask(&host, "POST", "/api/metrics", &seen()).status, 201);
    refused("POST", "/api/metrics", seen(), 409, "exists", "already a metric");
    // Its units stand nowhere in the text: it is told where they come from.
    let pipeline = host.json("/api/metrics/seen").unwrap()["pipeline"].as_str().unwrap().to_owned();
    let made = |path: &str, says: &str| {
        refused("PATCH", path, json!({ "merge": { "window": "5s" } }), 409, "made_by_metric", says)
    };
    made("/api/pipelines/seen/units/1s", "made by the metric `seen`, from its rollup `1s`");
    made(
        &format!("/api/pipelines/{pipeline}/units/seen-1s"),
        "made by the metric `seen`, from its rollup `1s`",
    );
    made(&format!("/api/pipelines/{pipeline}/units/where"), "the `where` that the metric `seen` has");
    let unit = json!({ "name": "n", "use": "filter", "config": { "keep": "true" } });
    refused("POST", &format!("/api/pipelines/{pipeline}/units"), unit, 409, "made_by_metric", "no place");
    // They can be paused and started all the same.
    assert_eq!(host.post("/api/pipelines/seen/units/1s/pause", b"").unwrap().status, 200);
    assert_eq!(
        host.post(&format!("/api/pipelines/{pipeline}/units/seen-1s/start"), b"").unwrap().status,
        200
    );
}

/// As an operator would: on the command line, with nothing but what it says of itself.
#[test]
fn a_metric_is_made_on_the_command_line() {
    let host = TestHost::start(COUNT).unwrap();
    let mut expected = Expected::new();
    host.send(&(0..100).map(|n| line(n, &mut expected)).collect::<String>()).unwrap();
    host.wait_unit("count/all", "rows_in_total", 100).unwrap();
    let run = |arguments: &[&str]| {
        let url = format!("http://127.0.0.1:{}", host.http);
        let done = Command::new(program().unwrap())
            .arg("metric")
            .args(arguments)
            .args(["--url", &url])
            .output()
            .unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.code(), said)
    };
    let check = |arguments: &[&str], code: i32, says: &[&str]| {
        let (status, said) = run(arguments);
        assert_eq!(status, Some(code), "{arguments:?}: {said}");
        says.iter()
            .for_each(|words| assert!(said.contains(words), "{arguments:?}: {words} is not in\n{said}"));
    };
    let sum = [
        "seen",
        "--from",
        "my/dev/event",
        "--where",
        "x >= 0",
        "--key",
        "key",
        "--value",
        "x",
        "--rollup",
        "1s:sum,max",
    ];
    check(&[&["try"], &sum[..]].concat(), 0, &["where = \"x >= 0\"", "newest 100 events", "key=k1", "*"]);
    check(&["ls"], 0, &["there is no metric"]);
    check(&[&["add"], &sum[..]].concat(), 0, &["revision 2: adds the metric `seen`"]);
    check(&["ls"], 0, &["seen_1s (sum, max)"]);
    check(&["set", "seen", "--key", "x,key"], 0, &["revision 3: sets key of the metric `seen`"]);
    check(&["show", "seen"], 0, &["key = [\"x\", \"key\"]", "units seen/1s in metrics-", "series seen_1s"]);
    check(&["add", "seen", "--from", "my/dev/event"], 1, &["already a metric `seen`"]);
    check(
        &["try", "worse", "--from", "my/dev/event", "--where", "x >"],
        1,
        &["4:1: metric \"worse\", where: ", "  4 | where"],
    );
    check(&["rm", "seen"], 0, &["removes the metric `seen`"]);
    check(&["rm", "seen"], 1, &["there is no metric `seen`"]);
}

pub type Fold = fn(Vec<f64>) -> f64;

/// Of n sorted values the median lies at rank (n - 1) / 2, between two values in proportion.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() - 1) as f64 / 2.0;
    (values[rank.floor() as usize] + values[rank.ceil() as usize]) / 2.0
}

/// Folds the execution times by a member of the requests and by window, seconds since 1970.
pub fn grouped(requests: &[Value], key: &str, window_s: i64, fold: Fold) -> BTreeMap<(String, i64), f64> {
    let mut groups: BTreeMap<(String, i64), Vec<f64>> = BTreeMap::new();
    for request in requests {
        let second = request["time"].as_i64().unwrap() / 1_000;
        let name = request[key].as_str().map_or_else(|| request[key].to_string(), str::to_owned);
        let time = request["execution_time_ms"].as_f64().unwrap();
        groups.entry((name, second - second % window_s)).or_default().push(time);
    }
    groups.into_iter().map(|(place, times)| (place, fold(times))).collect()
}

/// The four questions of `examples/web-requests` from one payload, against a computation that knows nothing of windows and units. 3,000 requests in 10 s: of status 200 are over 256 in
/// each second, so that their medians come from a sketch and may be off by 1 %; the others are exact.
#[test]
fn four_questions_to_one_payload_are_answered_as_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/web-requests");
    let config = std::fs::read_to_string(folder.join("weir.toml")).unwrap();
    let host = TestHost::start(
        &config.replace("127.0.0.1:7070", "127.0.0.1:{http}").replace("127.0.0.1:7171", "127.0.0.1:{tcp}"),
    )
    .unwrap();
    let start = (START_NS / 1_000_000_000).to_string();
    let arguments = ["send.py", "--print", "--start", &start, "--events", "3000", "--per-second", "300"];
    let printed = Command::new("python3").args(arguments).current_dir(&folder).output().unwrap();
    let lines = String::from_utf8(printed.stdout).unwrap();
    let requests: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(requests.len(), 3_000);
    // On the same connection: two have no order, and what comes behind the end is late.
    let end = START_NS / 1_000_000 + 60_000;
    let last =
        format!("{{\"time\":{end},\"user_agent\":\"end\",\"status_code\":0,\"execution_time_ms\":0}}\n");
    host.send(&format!("{lines}{last}")).unwrap();
    let count = |times: Vec<f64>| times.len() as f64;
    let greatest = |times: Vec<f64>| times.into_iter().fold(0.0, f64::max);
    let questions: [(&str, &str, &str, i64, Fold); 4] = [
        ("requests_by_agent_1s", "user_agent", "count", 1, count),
        ("requests_by_status_1s", "status_code", "count", 1, count),
        ("median_time_1s", "status_code", "median", 1, median),
        ("slowest_10s", "status_code", "max", 10, greatest),
    ];
    for (metric, key, field, window_s, fold) in questions {
        let expected = grouped(&requests, key, window_s, fold);
        let points = host.wait_points(metric, |points| points.len() >= expected.len()).unwrap();
        assert_eq!(points.len(), expected.len(), "{metric}");
        for point in points {
            let place = (point.label(key).to_owned(), point.time_unix_ns / 1_000_000_000);
            let (seen, by_hand) = (point.value(field).unwrap(), expected[&place]);
            let many = metric == "median_time_1s" && place.0 == "200";
            let bound = if many { by_hand * 0.01 } else { 0.0 };
            assert!((seen - by_hand).abs() <= bound, "{metric} {place:?}: {seen}, by hand {by_hand}");
        }
    }
}
