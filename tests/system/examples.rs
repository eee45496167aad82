//! The examples that need no client of their own, run as their pages say.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use weir_tests::host::{TestHost, program};

use crate::events::START_NS;
use crate::metrics::grouped;

const WAIT_MAX: Duration = Duration::from_secs(30);

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

fn config(name: &str) -> String {
    let text = std::fs::read_to_string(folder(name).join("weir.toml")).unwrap();
    text.replace("127.0.0.1:7070", "127.0.0.1:{http}").replace("127.0.0.1:7171", "127.0.0.1:{tcp}")
}

/// Runs a script of an example against a host; what it said.
fn script(host: &TestHost, example: &str, script: &str) -> String {
    let url = format!("http://127.0.0.1:{}", host.http);
    let mut command = Command::new("sh");
    command.arg(script).arg(program().unwrap()).arg(url).current_dir(folder(example));
    let done = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script}: {said}\n{}", host.log());
    said
}

/// Requests of ten a second from a second after the start on, as lines.
fn requests(seed: &str, from_s: i64, count: &str) -> String {
    let start = (START_NS / 1_000_000_000 + from_s).to_string();
    let mut command = Command::new("python3");
    command.args([
        "send.py",
        "--print",
        "--start",
        &start,
        "--events",
        count,
        "--per-second",
        "10",
        "--seed",
        seed,
    ]);
    let printed = command.current_dir(folder("web-requests")).output().unwrap();
    String::from_utf8(printed.stdout).unwrap()
}

/// Half of the events come before the metrics are thought of, half after: each counts once.
#[test]
fn metrics_are_added_while_requests_come() {
    let host = TestHost::start(&config("metrics")).unwrap();
    // Five minutes of event time between them: while nothing comes, the watermark of a stream goes on with the clock, and the script takes its time.
    let (before, after) = (requests("1", 0, "300"), requests("2", 330, "300"));
    host.send(&before).unwrap();
    host.wait("/api/streams", |seen| seen["streams"][0]["events_total"] == 300).unwrap();
    let said = script(&host, "metrics", "ad_hoc.sh");
    for words in [
        "execution_time_ms  f64",
        "of the newest 300 events, 300 of them counted",
        "revision 3: adds the metric `searches`",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let end = START_NS / 1_000_000 + 600_000;
    host.send(&format!("{after}{{\"time\":{end},\"user_agent\":\"end\",\"path\":\"/search\",\"status_code\":0,\"execution_time_ms\":0}}\n")).unwrap();
    let all: Vec<Value> =
        before.lines().chain(after.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
    let searches: Vec<Value> = all.iter().filter(|request| request["path"] == "/search").cloned().collect();
    let count = |times: Vec<f64>| times.len() as f64;
    let greatest = |times: Vec<f64>| times.into_iter().fold(0.0, f64::max);
    check(&host, "execution_time_1s", "max", "status_code", grouped(&all, "status_code", 1, greatest));
    check(&host, "execution_time_10s", "count", "status_code", grouped(&all, "status_code", 10, count));
    check(&host, "searches_10s", "count", "user_agent", grouped(&searches, "user_agent", 10, count));
    let titles = host.json("/api/charts").unwrap().to_string();
    assert!(titles.contains("searches by user agent"), "{titles}");
}

fn check(host: &TestHost, metric: &str, field: &str, key: &str, expected: BTreeMap<(String, i64), f64>) {
    let points = host.wait_points(metric, |points| points.len() >= expected.len()).unwrap();
    let one = |point: &weir_tests::host::Point| {
        ((point.label(key).to_owned(), point.time_unix_ns / 1_000_000_000), point.value(field).unwrap())
    };
    let seen: BTreeMap<(String, i64), f64> = points.iter().map(one).collect();
    assert_eq!(seen, expected, "{metric}");
}

/// The receiver of the example, ended when dropped, and the lines that it prints.
struct Hears(Child, Receiver<String>);

impl Hears {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg("receiver.py").args(arguments).current_dir(folder("alerts")).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self(child, lines)
    }

    fn line(&self) -> String {
        self.1.recv_timeout(WAIT_MAX).unwrap()
    }
}

impl Drop for Hears {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The receiver refuses at first, as one that starts: nothing is lost by that.
#[test]
fn a_slow_page_is_told_to_the_webhook() {
    let hears = Hears::start(&["--port", "0", "--refuse", "1"]);
    let address = hears.line().replace("listens on ", "");
    let host = TestHost::start(&config("alerts").replace("127.0.0.1:9094", &address)).unwrap();
    script(&host, "alerts", "slow.sh");
    assert_eq!(hears.line(), "refused");
    let page = std::fs::read_to_string(folder("alerts").join("README.md")).unwrap();
    let expected: Vec<&str> = page.lines().filter(|line| line.contains(" slow-page /")).collect();
    assert_eq!(expected.len(), 4, "{expected:?}");
    for line in expected {
        assert_eq!(hears.line(), line, "{}", host.log());
    }
    let answer = host.json("/api/episodes").unwrap();
    let episodes = answer["episodes"].as_array().unwrap();
    assert_eq!((episodes.len(), &episodes[0]["worst_value"]), (1, &Value::from(2400.0)), "{answer:#}");
    host.wait("/api/channels", |answer| answer["channels"][0]["attempts_failed_total"] == 1).unwrap();
}
