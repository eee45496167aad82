//! Bench `latency`: from an event's way into the socket to the frame that shows it, while 10,000 other events arrive per second.
//!
//! A real `weir` with raw points in two charts: ten series of the background, and the markers, whose values say which they are. One WebSocket client looks
//! at both. Markers go over a connection of their own at odd moments; the time of one ends with the first frame that has its value in a column.
//! Figures: ms over all markers, with what the operating system and this client add. A marker that never shows is an error.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::Report;
use super::measure::percentile;
use crate::process::Weir;

const MARKERS: usize = 250;
const BACKGROUND_PER_S: u64 = 10_000;
const BACKGROUND_EVERY: Duration = Duration::from_millis(10);
/// The background before the first marker.
const WARM_UP: Duration = Duration::from_secs(3);
const MARKER_EVERY_MS: std::ops::Range<u64> = 40..120;
/// After the last marker.
const SHOWN_MAX: Duration = Duration::from_secs(10);
/// Far from times in ms and from numbers of anything else in a frame.
const FIRST_MARKER: u64 = 1_000_000_000;

const P50_BUDGET_MS: f64 = 100.0;
const P99_BUDGET_MS: f64 = 250.0;

pub(super) const CONFIG: &str = crate::local_config!(
    tcp: "",
    r#"
[[pipeline]]
name = "background"
from = ["shop/prod/request"]
[[pipeline.unit]]
name = "real"
use = "filter"
config = { keep = "latency_ms >= 0" }
[[pipeline.series]]
metric = "background"
labels = ["host"]
fields = ["latency_ms"]
keep_points = 10000

[[pipeline]]
name = "markers"
from = ["shop/prod/marker"]
[[pipeline.unit]]
name = "real"
use = "filter"
config = { keep = "value >= 0" }
[[pipeline.series]]
metric = "markers"
labels = []
fields = ["value"]

[[chart]]
id = "background"
metric = "background"
use = "timeseries"
window = "10s"

[[chart]]
id = "markers"
metric = "markers"
use = "timeseries"
config = { shape = "point" }
window = "1m"
"#
);

/// Markers on their way, by their number.
type Flying = Arc<Mutex<HashMap<u64, Instant>>>;
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A task that does not outlive its owner.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub fn run() -> Result<Report> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start tokio")?;
    let (latencies_ms, frames, background) = runtime.block_on(measure(folder.path()))?;
    let [p50, p90, p99, most] = [0.5, 0.9, 0.99, 1.0].map(|share| percentile(&latencies_ms, share));
    let mut report = Report::new("latency", &["event sent to frame received", "ms"]);
    for (name, ms) in [("median", p50), ("90 %", p90), ("99 %", p99), ("greatest", most)] {
        report.row(vec![name.to_owned(), format!("{ms:.1}")]);
    }
    report.row(vec!["markers".into(), latencies_ms.len().to_string()]);
    report.row(vec!["frames with markers".into(), frames.to_string()]);
    report.row(vec!["other events per s".into(), format!("{background:.0}")]);
    report.budgeted("p50_ms", p50, P50_BUDGET_MS);
    report.budgeted("p99_ms", p99, P99_BUDGET_MS);
    report.figure("markers", latencies_ms.len() as f64);
    report.figure("background_events_per_s", background);
    Ok(report)
}

/// Latencies, frames that had a marker, and events of the background per second.
async fn measure(folder: &Path) -> Result<(Vec<f64>, usize, f64)> {
    let weir = Weir::start(CONFIG, folder)?;
    let flying = Flying::default();
    let socket = subscribe(weir.http_port).await?;
    let mut receiver = Task(tokio::spawn(receive(socket, Arc::clone(&flying))));
    let mut background = Task(tokio::spawn(send_background(weir.tcp_port)));
    tokio::time::sleep(WARM_UP).await;
    let before = taken(&weir)?;
    let begun = Instant::now();
    let mut markers = TcpStream::connect(("127.0.0.1", weir.tcp_port)).await.context("connect to weir")?;
    markers.set_nodelay(true)?;
    for number in FIRST_MARKER..FIRST_MARKER + MARKERS as u64 {
        tokio::time::sleep(Duration::from_millis(rand::random_range(MARKER_EVERY_MS))).await;
        let line = format!(
            "{{\"application\":\"shop\",\"environment\":\"prod\",\"type\":\"marker\",\"value\":{number}}}\n"
        );
        flying.lock().await.insert(number, Instant::now());
        markers.write_all(line.as_bytes()).await.context("send a marker")?;
    }
    let rate = (taken(&weir)? - before) / begun.elapsed().as_secs_f64();
    let received = tokio::time::timeout(SHOWN_MAX, &mut receiver.0).await;
    if background.0.is_finished() {
        (&mut background.0).await.context("the background")??;
    }
    let Ok(received) = received else {
        let left = flying.lock().await.len();
        bail!("{left} of {MARKERS} markers were not shown within {SHOWN_MAX:?}");
    };
    let (latencies_ms, frames) = received.context("the receiver")??;
    drop(background);
    ensure!(rate > BACKGROUND_PER_S as f64 * 0.9, "the background came to {rate:.0} events per s only");
    weir.process.end()?;
    Ok((latencies_ms, frames, rate))
}

/// Events of all sources so far.
fn taken(weir: &Weir) -> Result<f64> {
    let sources = weir.json("/api/sources")?;
    sources.pointer("/sources/0/events_total").and_then(Value::as_f64).context("no counter of the source")
}

async fn subscribe(port: u16) -> Result<Socket> {
    let url = format!("ws://127.0.0.1:{port}/api/live");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.context("open the WebSocket")?;
    let charts = json!({ "subscribe": [
        { "chart": "background", "version": null, "epoch": null },
        { "chart": "markers", "version": null, "epoch": null },
    ], "width": 800, "height": 240 });
    socket.send(Message::text(charts.to_string())).await.context("subscribe")?;
    Ok(socket)
}

/// Until all markers were seen.
async fn receive(mut socket: Socket, flying: Flying) -> Result<(Vec<f64>, usize)> {
    let (mut latencies_ms, mut frames) = (Vec::new(), 0);
    while latencies_ms.len() < MARKERS {
        let message = socket.next().await.context("weir closed the WebSocket")?.context("the WebSocket")?;
        let arrived = Instant::now();
        let Message::Binary(frame) = message else {
            ensure!(!message.to_string().contains("_error"), "weir says {message}");
            continue;
        };
        let values = marker_values(&frame)?;
        let mut flying = flying.lock().await;
        let shown: Vec<Instant> = values.iter().filter_map(|number| flying.remove(number)).collect();
        frames += usize::from(!shown.is_empty());
        latencies_ms.extend(shown.iter().map(|sent| (arrived - *sent).as_secs_f64() * 1_000.0));
    }
    Ok((latencies_ms, frames))
}

/// The whole numbers of at least [`FIRST_MARKER`] in the columns of doubles; none of another chart's frame.
fn marker_values(frame: &[u8]) -> Result<Vec<u64>> {
    let (length, rest) = frame.split_first_chunk::<4>().context("a frame without a header")?;
    let header = rest.get(..u32::from_le_bytes(*length) as usize).context("a header that is cut")?;
    let header: Value = serde_json::from_slice(header).context("a header that is no JSON")?;
    if header.get("chart").and_then(Value::as_str) != Some("markers") {
        return Ok(Vec::new());
    }
    let list = |value: &Value, member: &str| {
        value.get(member).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut numbers = Vec::new();
    for column in list(&header, "tables").iter().flat_map(|table| list(table, "columns")) {
        let number = |member: &str| column.get(member).and_then(Value::as_u64).map(|number| number as usize);
        if column.get("type").and_then(Value::as_str) == Some("f64") {
            let (offset, bytes) =
                (number("offset").context("no offset")?, number("bytes").context("no bytes")?);
            let values = frame.get(offset..offset + bytes).context("a column beyond the frame")?;
            let values = values.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            numbers.extend(values.filter(|value| *value >= FIRST_MARKER as f64).map(|value| value as u64));
        }
    }
    Ok(numbers)
}

/// Until it is stopped: 10,000 events per second in a steady stream.
async fn send_background(port: u16) -> Result<()> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).await.context("connect the background to weir")?;
    let mut every = tokio::time::interval(BACKGROUND_EVERY);
    let per_turn = BACKGROUND_PER_S * BACKGROUND_EVERY.as_millis() as u64 / 1_000;
    let mut lines = Vec::new();
    for number in 0.. {
        every.tick().await;
        lines.clear();
        for row in 0..per_turn {
            write_line(&mut lines, number * per_turn + row);
        }
        stream.write_all(&lines).await.context("send the background")?;
    }
    Ok(())
}

fn write_line(lines: &mut Vec<u8>, number: u64) {
    use std::io::Write;
    let (host, path, us) = (number % 10, number % 500, number * 7_919 % 100_000);
    // Writing to a Vec does not fail.
    drop(writeln!(
        lines,
        r#"{{"application":"shop","environment":"prod","type":"request","host":"web-{host:03}","path":"/api/items/{path}","status":200,"latency_ms":{}.{:03},"bytes":{},"trace":"{number:016x}"}}"#,
        us / 1_000,
        us % 1_000,
        number % 50_000,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_in_the_doubles_of_their_chart_alone() {
        let frame = |chart: &str| {
            let columns = json!([
                { "name": "time", "type": "time", "offset": 512, "bytes": 16 },
                { "name": "value", "type": "f64", "offset": 528, "bytes": 16 },
            ]);
            let mut header = json!({ "chart": chart, "tables": [{ "columns": columns }] }).to_string();
            header.push_str(&" ".repeat(508 - header.len()));
            let mut frame = 508_u32.to_le_bytes().to_vec();
            frame.extend(header.as_bytes());
            for value in [1.7e12, 1.8e12, 3.0, FIRST_MARKER as f64 + 2.0] {
                frame.extend(f64::to_le_bytes(value));
            }
            frame
        };
        assert_eq!(marker_values(&frame("markers")).unwrap(), [FIRST_MARKER + 2]);
        assert!(marker_values(&frame("background")).unwrap().is_empty());
        assert!(marker_values(&frame("markers")[..540]).is_err());
    }
}
