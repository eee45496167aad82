//! A hole of the journal is seen where it matters: on the pipelines that it touches and in the pictures of their series.

use std::path::{Path, PathBuf};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use weir_tests::host::TestHost;

use crate::start::COUNT;

const CHART: &str = "\n[[chart]]\nid = \"counts\"\ntitle = \"counts\"\nmetric = \"counts\"\nuse = \"timeseries\"\nconfig = { field = \"n\", measure = \"1\" }\nwindow = \"10d\"\n";

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.join("data/journal")).unwrap();
    let mut segments: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|ending| ending == "journal"));
    segments.sort();
    segments
}

/// One event each minute, some hours ago.
fn post(host: &TestHost, from: i64, to: i64) {
    let first_s =
        i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap() - 86_400;
    let line = |n: i64| format!("{{\"key\":\"a\",\"x\":{n},\"time\":{}}}\n", (first_s / 60 + n) * 60);
    for n in from..to {
        let answer = host.post("/ingest/my/dev/event", line(n).as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

async fn description(host: &TestHost) -> Value {
    let url = format!("ws://127.0.0.1:{}/api/live", host.http);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let ask = json!({ "subscribe": [{ "chart": "counts", "version": null, "epoch": null }], "width": 800, "height": 240 });
    socket.send(Message::text(ask.to_string())).await.unwrap();
    let first = async {
        loop {
            if let Message::Binary(frame) = socket.next().await.unwrap().unwrap() {
                let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
                let header: Value = serde_json::from_slice(&frame[4..4 + length]).unwrap();
                return header["description"].clone();
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), first).await.unwrap()
}

fn holes_in(description: &Value) -> Vec<Value> {
    let gaps = description["gaps"].as_array().unwrap().iter();
    gaps.filter(|gap| gap["label"].as_str().unwrap().starts_with("journal hole")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_damaged_segment_took_is_shown_on_pipelines_and_charts_over_later_starts_too() {
    let config = format!("[state]\nreplay = \"10m\"\n{COUNT}{CHART}");
    let host = TestHost::start(&config).unwrap();
    let ports = (host.http, host.tcp);
    post(&host, 0, 60);
    assert!(holes_in(&description(&host).await).is_empty());
    // The next start makes the next segment, so that this one is in the middle.
    let host = TestHost::start_on(&config, host.crash().unwrap(), ports).unwrap();
    post(&host, 60, 70);
    let folder = host.crash().unwrap();
    let all = segments(folder.path());
    assert!(all.len() >= 2, "{all:?}");
    let mut bytes = std::fs::read(&all[0]).unwrap();
    let (middle, end) = (bytes.len() / 2, bytes.len() / 2 + bytes.len() / 8);
    bytes[middle..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&all[0], bytes).unwrap();
    let mut host = TestHost::start_on(&config, folder, ports).unwrap();
    for start in 0..2 {
        let seen = host.json("/api/pipelines").unwrap();
        let hole = &seen["pipelines"][0]["holes"][0];
        let (from, to) = (hole["from"].as_u64().unwrap(), hole["to"].as_u64().unwrap());
        assert!(to > from + 1, "{seen}");
        assert!(hole["start_unix_ns"].as_i64() <= hole["end_unix_ns"].as_i64(), "{seen}");
        let gaps = holes_in(&description(&host).await);
        let label = format!("journal hole: {} positions lost, {from} to {}", to - from, to - 1);
        assert_eq!((gaps.len(), gaps[0]["label"].as_str()), (1, Some(label.as_str())), "{gaps:?}");
        // In the time of the events: minutes of a day ago.
        let minutes =
            (gaps[0]["end_ms"].as_f64().unwrap() - gaps[0]["start_ms"].as_f64().unwrap()) / 60_000.0;
        assert!((2.0..60.0).contains(&minutes), "{minutes} minutes");
        let points = host.points("counts").unwrap();
        let inside = |ms: i64| {
            ms as f64 > gaps[0]["start_ms"].as_f64().unwrap()
                && (ms as f64) < gaps[0]["end_ms"].as_f64().unwrap()
        };
        assert!(!points.iter().any(|point| inside(point.time_unix_ns / 1_000_000)), "{points:?}");
        if start == 0 {
            // Its end in peace makes a checkpoint, from which the next start knows of the hole.
            host = TestHost::start_on(&config, host.end_in_peace().unwrap(), ports).unwrap();
        }
    }
}
