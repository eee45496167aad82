//! What the standard formatters draw, seen through the whole host: a folder of configuration and input, and `charts.json` with the pictures that must come over the WebSocket.
//!
//! `UPDATE_CASES=1` writes `charts.json` anew from what came; a person reads the difference. Windows are so long that they hold events of the past, so pictures do not depend on when they
//! are drawn.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;
use weir_tests::host::TestHost;

/// The first picture of each chart.
async fn pictures(host: &TestHost, charts: &[String]) -> BTreeMap<String, Value> {
    let url = format!("ws://127.0.0.1:{}/api/live", host.http);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let all: Vec<Value> =
        charts.iter().map(|chart| json!({ "chart": chart, "version": null, "epoch": null })).collect();
    let ask = json!({ "subscribe": all, "width": 800, "height": 240 });
    socket.send(Message::text(ask.to_string())).await.unwrap();
    let mut seen = BTreeMap::new();
    let come = async {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Binary(frame) => {
                    let (chart, picture) = picture(&frame);
                    seen.entry(chart).or_insert(picture);
                }
                Message::Text(text) => assert!(!text.contains("chart_error"), "{text}"),
                _ => {}
            }
            if seen.len() == charts.len() {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), come).await.unwrap();
    seen
}

/// Name of the chart; its description, and its tables column by column.
fn picture(frame: &[u8]) -> (String, Value) {
    let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&frame[4..4 + length]).unwrap();
    let mut tables = Map::new();
    for table in header["tables"].as_array().unwrap() {
        let rows = table["rows"].as_u64().unwrap() as usize;
        let columns = table["columns"].as_array().unwrap().iter();
        let columns: Map<String, Value> =
            columns.map(|one| (one["name"].as_str().unwrap().to_owned(), column(frame, one, rows))).collect();
        tables.insert(table["name"].as_str().unwrap().to_owned(), Value::Object(columns));
    }
    let picture = json!({ "description": header["description"], "tables": tables });
    (header["chart"].as_str().unwrap().to_owned(), picture)
}

fn column(frame: &[u8], column: &Value, rows: usize) -> Value {
    let at = column["offset"].as_u64().unwrap() as usize;
    let valid = column["valid_offset"].as_u64().map(|at| &frame[at as usize..at as usize + rows]);
    let eight = |row: usize| f64::from_le_bytes(frame[at + row * 8..at + row * 8 + 8].try_into().unwrap());
    let code = |row: usize| u32::from_le_bytes(frame[at + row * 4..at + row * 4 + 4].try_into().unwrap());
    let value = |row: usize| match column["type"].as_str().unwrap() {
        _ if valid.is_some_and(|valid| valid[row] == 0) => Value::Null,
        "text" => column["names"][code(row) as usize].clone(),
        "bool" => json!(frame[at + row] == 1),
        _ => json!(eight(row)),
    };
    (0..rows).map(value).collect()
}

async fn check(name: &str, metric: &str, points: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(name);
    let read = |file: &str| {
        std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{name}/{file}: {error}"))
    };
    let host = TestHost::start(&read("weir.toml")).unwrap();
    host.send(&read("in.ndjson")).unwrap();
    host.wait_points(metric, |seen| seen.len() >= points).unwrap();
    let charts = host.json("/api/charts").unwrap();
    let charts = charts["charts"].as_array().unwrap().iter();
    let charts: Vec<String> = charts.map(|chart| chart["id"].as_str().unwrap().to_owned()).collect();
    let seen = json!(pictures(&host, &charts).await);
    if std::env::var_os("UPDATE_CASES").is_some_and(|value| !value.is_empty()) {
        std::fs::write(folder.join("charts.json"), format!("{seen:#}\n")).unwrap();
        return;
    }
    let expected: Value = serde_json::from_str(&read("charts.json")).unwrap();
    for (chart, wanted) in expected.as_object().unwrap() {
        assert_eq!(&seen[chart], wanted, "{name}: chart {chart}: got\n{:#}", seen[chart]);
    }
    assert_eq!(seen.as_object().unwrap().len(), expected.as_object().unwrap().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_standard_formatter_draws_what_its_series_say() {
    check("charts", "latency", 40).await;
}
