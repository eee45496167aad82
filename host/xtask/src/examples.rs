//! The examples, run as their READMEs say, against a real host.
//!
//! In: the folders below `examples/`. Out: success, or what did not come out as it should. What the host counts is compared with a count that is made
//! here, from the same events and without it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{command, output, run};
use crate::scratch::Scratch;

/// How long events may take to where they are looked for; windows close seconds after their end.
const ARRIVE_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A client beside the configuration that it is for, and its arguments.
type Client<'a> = (&'a str, &'a str, Vec<String>);

/// Every client sends three events to the same stream: those for the built-in configuration, and then all.
pub fn clients(root: &Path) -> Result<()> {
    send_and_tail(root, "host/src/default.toml", 5)?;
    send_and_tail(root, "examples/clients/weir.toml", 8)
}

fn send_and_tail(root: &Path, config: &str, count: usize) -> Result<()> {
    let host = Scratch::start(root, config)?;
    let over = |port: u16| vec!["127.0.0.1".to_owned(), port.to_string()];
    let file = host.files.join("clicks.ndjson").to_string_lossy().into_owned();
    let clients: [Client<'_>; 8] = [
        ("sh", "tcp.sh", over(host.tcp)),
        ("sh", "http.sh", over(host.http)),
        ("python3", "client.py", over(host.tcp)),
        ("node", "client.mjs", over(host.http)),
        ("python3", "msgpack.py", over(host.http)),
        ("python3", "websocket.py", over(host.http)),
        ("sh", "udp.sh", over(host.tcp)),
        ("sh", "file.sh", vec![file]),
    ];
    let tested = clients.iter().take(count).try_for_each(|client| sent(root, client));
    let tested = tested.and_then(|()| tailed(root, &host, "my/dev/click", 3 * count).map(drop));
    let ended = host.end();
    tested.and(ended)
}

fn sent(root: &Path, (program, file, arguments): &Client<'_>) -> Result<()> {
    let arguments: Vec<&str> = [*file].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    run(command(&root.join("examples/clients"), program, &arguments))
}

/// Waits until a stream has as many events; they are returned, one line of JSON each.
fn tailed(root: &Path, host: &Scratch, stream: &str, count: usize) -> Result<String> {
    let server = format!("http://127.0.0.1:{}", host.http);
    let arguments = ["tail", stream, "--server", &server, "-n", "100", "--no-follow"];
    let weir = host.weir.to_string_lossy();
    let mut lines = String::new();
    until(&format!("{count} events in {stream}"), || {
        // A stream without an event is an error like any other, which is waited for.
        lines = output(command(root, &weir, &arguments)).unwrap_or_default();
        let found = lines.lines().count();
        Ok((found == count).then_some(()).ok_or_else(|| format!("{found} events")))
    })?;
    Ok(lines)
}

/// Requests by user agent and by status code, and the slowest by status code. (Medians do not add up over windows: `tests/system/metrics.rs` looks at each window.)
pub fn web_requests(root: &Path) -> Result<()> {
    let host = Scratch::start(root, "examples/web-requests/weir.toml")?;
    let tested = send_and_count(root, &host);
    let ended = host.end();
    tested.and(ended)
}

fn send_and_count(root: &Path, host: &Scratch) -> Result<()> {
    let folder = root.join("examples/web-requests");
    let tcp = host.tcp.to_string();
    let amount = ["--events", "2000", "--per-second", "1000"];
    let send = |more: &[&str]| command(&folder, "python3", &[&["send.py"], more, &amount].concat());
    run(send(&["127.0.0.1", &tcp]))?;
    let lines = output(send(&["--print", "--start", "0"]))?;
    let requests: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let sum = |one: f64, other: f64| one + other;
    same(
        root,
        host,
        ("requests_by_agent_1s", "count"),
        sum,
        &by(&requests, "user_agent", |_| Some(1.0), sum),
    )?;
    same(
        root,
        host,
        ("requests_by_status_1s", "count"),
        sum,
        &by(&requests, "status_code", |_| Some(1.0), sum),
    )?;
    let time = |request: &Value| request.get("execution_time_ms").and_then(Value::as_f64);
    let slowest = by(&requests, "status_code", time, f64::max);
    same(root, host, ("slowest_10s", "max"), f64::max, &slowest)
}

/// Edits and goes back; the script itself looks whether the configuration is as it was.
pub fn live_editing(root: &Path) -> Result<()> {
    let host = Scratch::start(root, "examples/live-editing/weir.toml")?;
    let url = format!("http://127.0.0.1:{}", host.http);
    let weir = host.weir.to_string_lossy().into_owned();
    let edited = run(command(&root.join("examples/live-editing"), "sh", &["edit.sh", &weir, &url]));
    let ended = host.end();
    edited.and(ended)
}

/// Sums of the factorials of even and odd numbers, by sender; the numbers are of a computation outside.
pub fn factorials(root: &Path) -> Result<()> {
    let host = Scratch::start(root, "examples/factorials/weir.toml")?;
    let tested = send_and_sum(root, &host);
    let ended = host.end();
    tested.and(ended)
}

fn send_and_sum(root: &Path, host: &Scratch) -> Result<()> {
    let folder = root.join("examples/factorials");
    let tcp = host.tcp.to_string();
    run(command(&folder, "python3", &["numbers.py", "127.0.0.1", &tcp]))?;
    let sum = |one: f64, other: f64| one + other;
    let both = |number: f64| BTreeMap::from(["ann", "wild"].map(|sender| (sender.to_owned(), number)));
    for (metric, field, number) in [
        ("even", "numbers", 9.0),
        ("even", "sum", 6423384156578666.0),
        ("odd", "numbers", 9.0),
        ("odd", "sum", 357001369769647.0),
        // The black box comes to the same.
        ("black_box", "even", 9.0),
        ("black_box", "even_sum", 6423384156578666.0),
        ("black_box", "odd", 9.0),
        ("black_box", "odd_sum", 357001369769647.0),
    ] {
        same(root, host, (metric, field), sum, &both(number))?;
    }
    Ok(())
}

/// The codec in Python: built, held against the laws of codecs, used by a host, and both ways the same.
pub fn python_codec(root: &Path) -> Result<()> {
    let folder = root.join("examples/python-codec");
    // Its only line of output is the component's path.
    let component = output(command(root, "sh", &["examples/python-codec/build.sh"]))?;
    let component = folder.join(component.trim()).to_string_lossy().into_owned();
    let host = Scratch::start(root, "examples/python-codec/weir.toml")?;
    let tested = send_reports(root, &host, &component);
    let ended = host.end();
    tested.and(ended)
}

fn send_reports(root: &Path, host: &Scratch, component: &str) -> Result<()> {
    let (weir, sample) = (host.weir.to_string_lossy(), "examples/python-codec/reports.txt");
    run(command(root, &weir, &["codec", "check", component, "--sample", sample]))?;
    let nc = || format!("nc -N 127.0.0.1 {}", host.tcp);
    run(command(root, "sh", &["-c", &format!("{} < {sample}", nc())]))?;
    tailed(root, host, "weather/prod/report", 4)?;
    // The codec raises an error at this word, and goes on with the next connection.
    run(command(root, "sh", &["-c", &format!("printf 'PANIC\\n' | {}", nc())]))?;
    run(command(root, "sh", &["-c", &format!("{} < {sample}", nc())]))?;
    tailed(root, host, "weather/prod/report", 8)?;
    let server = format!("http://127.0.0.1:{}", host.http);
    let tail =
        ["tail", "weather/prod/report", "--server", &server, "--no-follow", "-n", "4", "--codec", component];
    let written = output(command(root, &weir, &tail))?;
    let reports = std::fs::read_to_string(root.join(sample)).with_context(|| format!("read {sample}"))?;
    // The third line and the fifth are no reports.
    let good = |line: usize| line != 2 && line != 4;
    let expected = reports.lines().enumerate().filter(|(line, _)| good(*line));
    let expected: Vec<&str> = expected.map(|(_, report)| report).collect();
    if written.lines().collect::<Vec<_>>() != expected {
        bail!("wrote {written:?} instead of {expected:?}");
    }
    let sources =
        output(command(root, "curl", &["--silent", "--show-error", &format!("{server}/api/sources")]))?;
    let sources: Value = serde_json::from_str(&sources).context("read /api/sources")?;
    match sources.pointer("/sources/0/rejected_total") {
        // Twice two lines, and once the piece with the word.
        Some(count) if *count == 5 => Ok(()),
        other => bail!("5 rejected pieces were expected, there are {other:?} in {sources}"),
    }
}

/// Folds a number of each request by one of its members.
fn by(
    requests: &[Value],
    key: &str,
    number: impl Fn(&Value) -> Option<f64>,
    fold: fn(f64, f64) -> f64,
) -> BTreeMap<String, f64> {
    let mut groups = BTreeMap::new();
    for request in requests {
        let (Some(key), Some(number)) = (request.get(key), number(request)) else { continue };
        let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        groups.entry(name).and_modify(|group| *group = fold(*group, number)).or_insert(number);
    }
    groups
}

/// Waits until all points of a metric, folded by label, are what was computed here.
fn same(
    root: &Path,
    host: &Scratch,
    (metric, field): (&str, &str),
    fold: fn(f64, f64) -> f64,
    expected: &BTreeMap<String, f64>,
) -> Result<()> {
    let url = format!("http://127.0.0.1:{}/api/series/points?metric={metric}", host.http);
    until(&format!("{metric} to be {expected:?}"), || {
        // A metric that has no point yet is an error like any other, which is not what is waited for.
        let answer = output(command(root, "curl", &["--silent", "--show-error", &url]))?;
        let answer: Value = serde_json::from_str(&answer).with_context(|| format!("read {metric}"))?;
        Ok(match folded(&answer, field, fold) {
            Some(found) if found == *expected => Ok(()),
            Some(found) => Err(format!("{found:?}")),
            None => Err(answer.to_string()),
        })
    })
}

/// The values of a field of each series, folded, by the value of its only label.
fn folded(answer: &Value, field: &str, fold: fn(f64, f64) -> f64) -> Option<BTreeMap<String, f64>> {
    let mut groups = BTreeMap::new();
    for series in answer.get("series")?.as_array()? {
        let label = series.get("labels")?.as_object()?.values().next()?.as_str()?;
        let values = series.get("values")?.get(field)?.as_array()?;
        if let Some(value) = values.iter().filter_map(Value::as_f64).reduce(fold) {
            groups.insert(label.to_owned(), value);
        }
    }
    Some(groups)
}

/// Looks until it is so; what was there instead is the error.
fn until(what: &str, mut look: impl FnMut() -> Result<Result<(), String>>) -> Result<()> {
    let begun = Instant::now();
    loop {
        match look()? {
            Ok(()) => return Ok(()),
            Err(instead) if begun.elapsed() > ARRIVE_MAX => bail!("waited for {what}; there is {instead}"),
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn points_are_folded_by_label() {
        let series = |code: &str, values: Value| json!({ "labels": { "status_code": code }, "values": { "n": values } });
        let answer = json!({ "series": [series("200", json!([1.0, null, 2.0])), series("500", json!([]))] });
        let sum = |one: f64, other: f64| one + other;
        assert_eq!(folded(&answer, "n", sum), Some([("200".to_owned(), 3.0)].into()));
        assert_eq!(folded(&json!({}), "n", sum), None);
    }

    #[test]
    fn requests_are_folded_by_member() {
        let requests = [json!({ "code": 200 }), json!({ "code": 200 }), json!({ "code": "x" })];
        let counts = by(&requests, "code", |_| Some(1.0), |one, other| one + other);
        assert_eq!(counts, [("200".to_owned(), 2.0), ("x".to_owned(), 1.0)].into());
    }
}
