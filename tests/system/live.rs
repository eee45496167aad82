//! The WebSocket: a snapshot, then deltas that move; going on after a break.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use weir_tests::host::TestHost;

use crate::events::START_NS;
use crate::start::COUNT;

const CHART: &str = "\n[[chart]]\nid = \"counts\"\ntitle = \"counts\"\nmetric = \"counts\"\nuse = \"timeseries\"\nconfig = { field = \"n\", measure = \"1\" }\nwindow = \"365d\"\n";

fn header(frame: &[u8]) -> Value {
    let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
    serde_json::from_slice(&frame[4..4 + length]).unwrap()
}

/// Asks for the chart and gives the headers of its frames until `enough`.
async fn frames(host: &TestHost, from: Value, enough: impl Fn(&Value) -> bool) -> Vec<Value> {
    let url = format!("ws://127.0.0.1:{}/api/live", host.http);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let ask = json!({ "subscribe": [from], "width": 800, "height": 240 });
    socket.send(Message::text(ask.to_string())).await.unwrap();
    let mut seen = Vec::new();
    let all = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(frame) = message {
                seen.push(header(&frame));
                if enough(seen.last().unwrap()) {
                    break;
                }
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), all).await.unwrap();
    seen
}

fn rows(frame: &Value) -> u64 {
    frame["tables"]
        .as_array()
        .map_or(0, |tables| tables.iter().filter_map(|table| table["rows"].as_u64()).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_chart_comes_as_a_snapshot_and_moves_by_deltas() {
    let host = TestHost::start(&format!("{COUNT}{CHART}")).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!(now > START_NS / 1_000_000_000);
    let line = |second: i64| format!("{{\"key\":\"a\",\"x\":1,\"time\":{}}}\n", now - 100 + second);
    host.send(&(0..20).map(line).collect::<String>()).unwrap();
    host.wait_points("counts", |points| points.len() >= 18).unwrap();
    let first = frames(&host, json!({ "chart": "counts", "version": null, "epoch": null }), |frame| {
        rows(frame) >= 18
    })
    .await;
    let last = first.last().unwrap();
    assert_eq!(first[0]["kind"], "snapshot");
    assert!(last["description"].is_object() || first[0]["description"].is_object());
    host.send(&(20..30).map(line).collect::<String>()).unwrap();
    host.wait_points("counts", |points| points.len() >= 28).unwrap();
    let from = json!({ "chart": "counts", "version": last["version"], "epoch": last["epoch"] });
    let more = frames(&host, from, |frame| rows(frame) > 0).await;
    let next = more.last().unwrap();
    assert!(next["version"].as_u64() > last["version"].as_u64(), "{next}");
    if next["kind"] == "delta" {
        assert!(rows(next) < 28, "{next}");
    }
}

/// Sends points until a client that acknowledges nothing has seen so many versions of the chart.
async fn versions(host: &TestHost, now: i64, many: usize) {
    let count = std::cell::Cell::new(0);
    let more = std::cell::Cell::new(0);
    frames(host, json!({ "chart": "counts" }), |_| {
        count.set(count.get() + 1);
        more.set(more.get() + 1);
        host.send(&format!("{{\"key\":\"a\",\"x\":1,\"time\":{}}}\n", now - 70 + more.get())).unwrap();
        count.get() >= many
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_acknowledges_gets_the_newest_once_it_took_what_it_had() {
    let host = TestHost::start(&format!("{COUNT}{CHART}")).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    host.send(&format!("{{\"key\":\"a\",\"x\":1,\"time\":{}}}\n", now - 100)).unwrap();
    let mut socket = connect_small(&host).await;
    let ask = json!({ "subscribe": [{ "chart": "counts" }], "in_flight": 1 });
    socket.send(Message::text(ask.to_string())).await.unwrap();
    let had = first(&mut socket).await;
    versions(&host, now, 5).await;
    // The answer to what is no request stands behind all that was sent before.
    socket.send(Message::text("{}")).await.unwrap();
    let answer = loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            other => break other,
        }
    };
    assert!(answer.is_text() && answer.to_text().unwrap().contains("bad_message"), "{answer:?}");
    let took = json!({ "ack": [{ "chart": "counts", "epoch": had["epoch"], "version": had["version"] }] });
    socket.send(Message::text(took.to_string())).await.unwrap();
    let next = first(&mut socket).await;
    assert!(next["merged"].as_u64() > Some(0), "{next}");
    let between = next["version"].as_u64().unwrap() - had["version"].as_u64().unwrap() - 1;
    assert_eq!(next["merged"].as_u64(), Some(between));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_foreign_origin_gets_no_socket() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let host = TestHost::start(COUNT).unwrap();
    let mut request = format!("ws://127.0.0.1:{}/api/live", host.http).into_client_request().unwrap();
    request.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert!(tokio_tungstenite::connect_async(request).await.is_err());
}

const CHARTS: usize = 10;

/// One second of event time for 100 keys.
fn second(host: &TestHost, time_unix_s: i64) {
    let lines: String =
        (0..100).map(|key| format!("{{\"key\":\"k{key}\",\"x\":{key},\"time\":{time_unix_s}}}\n")).collect();
    assert_eq!(host.post("/ingest/my/dev/event", lines.as_bytes()).unwrap().status, 200);
}

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

/// A client whose kernel takes next to nothing, so that its slowness is the host's to deal with.
async fn connect_small(host: &TestHost) -> Socket {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(([127, 0, 0, 1], host.http).into()).await.unwrap();
    let url = format!("ws://127.0.0.1:{}/api/live", host.http);
    tokio_tungstenite::client_async(url, stream).await.unwrap().0
}

async fn subscribe(socket: &mut Socket, charts: &[Value]) {
    let ask = json!({ "subscribe": charts, "width": 800, "height": 240 });
    socket.send(Message::text(ask.to_string())).await.unwrap();
}

/// Header of the next frame; a busy machine may take a while to draw it.
async fn first(socket: &mut Socket) -> Value {
    let wait = async {
        loop {
            if let Message::Binary(frame) = socket.next().await.unwrap().unwrap() {
                return header(&frame);
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("no frame in 20 s")
}

/// Headers of frames until nothing comes for a second.
async fn read_all(socket: &mut Socket) -> Vec<Value> {
    let mut seen = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(std::time::Duration::from_secs(1), socket.next()).await
    {
        if let Message::Binary(frame) = message.unwrap() {
            seen.push(header(&frame));
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_stops_reading_costs_no_memory_and_goes_on_with_the_newest() {
    let chart = |n: usize| CHART.replace("id = \"counts\"", &format!("id = \"c{n}\"")).replace("365d", "10m");
    let host = TestHost::start(&format!("{COUNT}{}", (0..CHARTS).map(chart).collect::<String>())).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let start = now - 500;
    let mut socket = connect_small(&host).await;
    let all: Vec<Value> =
        (0..CHARTS).map(|n| json!({ "chart": format!("c{n}"), "version": null, "epoch": null })).collect();
    subscribe(&mut socket, &all).await;
    for step in 0..40 {
        second(&host, start + step);
    }
    let before = host.rss_bytes().unwrap();
    for step in 40..240 {
        second(&host, start + step);
        // So that pictures are drawn in between: a picture for each second, not one for all.
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let grown = host.rss_bytes().unwrap().saturating_sub(before);
    assert!(grown < 96 << 20, "{} MiB more while a client took nothing", grown >> 20);
    let seen = read_all(&mut socket).await;
    let merged: u64 = seen.iter().filter_map(|frame| frame["merged"].as_u64()).sum();
    assert!(merged > 0, "nothing was merged in {} frames", seen.len());
    let last = seen.iter().rev().find(|frame| frame["chart"] == "c0").unwrap().clone();
    let newest = last["newest_unix_ns"].as_i64().unwrap() / 1_000_000_000;
    assert!(newest >= start + 238 - 2, "the last frame is of {} s before", start + 239 - newest);
    drop(socket);
    let mut socket = connect_small(&host).await;
    let from = json!({ "chart": "c0", "version": last["version"], "epoch": last["epoch"] });
    subscribe(&mut socket, &[from]).await;
    second(&host, start + 240);
    second(&host, start + 241);
    let next = first(&mut socket).await;
    assert_eq!(next["kind"], "delta", "it goes on from the version that it had: {next}");
    assert!(next["version"].as_u64() > last["version"].as_u64(), "{next}");
}

/// Raw points: no window closes before a late one.
const RAW: &str = weir_tests::local_config!(
    tcp: "triplet = \"my/dev/event\"\n",
    r#"
[[pipeline]]
name = "raw"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "all"
use = "filter"
config = { keep = "x >= 0" }
[[pipeline.series]]
metric = "raw"
labels = ["key"]
fields = ["x"]

[[chart]]
id = "raw"
metric = "raw"
use = "timeseries"
config = { measure = "1" }
window = "10m"
"#
);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_point_that_came_late_is_marked_with_whose_it_is_and_how_late() {
    let host = TestHost::start(RAW).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    for second in [-20, -10, -15] {
        let event = format!("{{\"key\":\"a\",\"x\":1,\"time\":{}}}\n", now + second);
        host.send(&event).unwrap();
        // One after the other: connections have no order among each other.
        host.wait("/api/series/points?metric=raw", |seen| {
            let times = seen.pointer("/series/0/time_unix_ns").and_then(Value::as_array);
            times.is_some_and(|times| times.contains(&json!((now + second) * 1_000_000_000)))
        })
        .unwrap();
    }
    let ask = json!({ "chart": "raw", "version": null, "epoch": null });
    let seen = frames(&host, ask, |frame| rows(frame) >= 3).await;
    let moments = &seen.last().unwrap()["description"]["moments"];
    let expected = json!([{ "kind": "late", "time_ms": (now - 15) as f64 * 1e3, "label": "a, 5.0 s late" }]);
    assert_eq!(*moments, expected, "{moments}");
}
