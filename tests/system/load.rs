//! Overload: memory stays bounded, every loss is counted, and one flow's trouble is not another's.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use weir_tests::host::TestHost;

use crate::start::COUNT;

const ROWS: usize = 400_000;

fn line(n: usize) -> String {
    format!("{{\"key\":\"k{}\",\"x\":{n},\"text\":\"{:0100}\"}}\n", n % 100, n)
}

#[test]
fn a_paused_flow_under_a_flood_skips_counted_and_its_neighbour_gets_all() {
    let config = format!(
        "{}\n[[pipeline]]\nname = \"other\"\nfrom = [\"my/dev/event\"]\n[[pipeline.unit]]\nname = \"all\"\nuse = \"filter\"\nconfig = {{ keep = \"true\" }}\n",
        COUNT.replace("from = [\"my/dev/event\"]\n", "from = [\"my/dev/event\"]\nlag = { bytes = \"4MiB\", seconds = 600, beyond = \"back-pressure\" }\n")
    );
    let host = TestHost::start(&config).unwrap();
    assert_eq!(host.post("/api/pipelines/count/pause", b"").unwrap().status, 200);
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["state"] == "paused").unwrap();
    let text: String = (0..ROWS).map(line).collect();
    host.send(&text).unwrap();
    host.wait_unit("other/all", "rows_in_total", ROWS as u64).unwrap();
    let paused = host.json("/api/pipelines").unwrap()["pipelines"][0].clone();
    assert!(paused["skipped_total"].as_u64().unwrap() > 0, "{paused}");
    assert!(paused["lag_bytes"].as_u64().unwrap() <= 5 << 20, "{paused}");
    assert!(host.rss_bytes().unwrap() < 400 << 20, "{} MiB", host.rss_bytes().unwrap() >> 20);
    assert_eq!(host.post("/api/pipelines/count/start", b"").unwrap().status, 200);
    host.wait("/api/pipelines", |seen| seen["pipelines"][0]["lag_records"].as_u64() == Some(0)).unwrap();
    let kept = host.unit("count/all", "rows_in_total").unwrap();
    assert!(kept > 0 && kept < ROWS as u64);
}

/// A unit that takes its time: each call burns most of its deadline.
fn slow_config() -> String {
    let faults = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/faults/faults.wasm");
    let slow = format!(
        "\n[[pipeline]]\nname = \"slow\"\nfrom = [\"my/dev/event\"]\nlag = {{ bytes = \"1MiB\", seconds = 600, beyond = \"back-pressure\" }}\n\
         [[pipeline.unit]]\nname = \"u\"\nuse = \"{faults}\"\nconfig = {{ fault = \"spin\" }}\non_open_circuit = \"drop\"\n"
    );
    format!("{COUNT}{slow}")
}

#[test]
fn a_slow_flow_makes_http_answer_429_and_tcp_stop_reading() {
    let host = TestHost::start(&slow_config()).unwrap();
    let body: String = (0..2_000).map(line).collect();
    let until = Instant::now() + Duration::from_secs(30);
    let refused = loop {
        let answer = host.post("/ingest/my/dev/event", body.as_bytes()).unwrap();
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(Instant::now() < until, "no 429 came");
    };
    assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    let mut stream = TcpStream::connect(("127.0.0.1", host.tcp)).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let blocked = (0..2_000).any(|_| stream.write_all(body.as_bytes()).is_err());
    assert!(blocked, "TCP took 300 MB from a flow that is stuck");
    assert!(host.rss_bytes().unwrap() < 400 << 20);
    assert_eq!(host.get("/healthz").unwrap().status, 200);
}

#[test]
fn a_source_waits_only_for_flows_that_want_its_streams() {
    // One row in each body spins, which costs the flow half a second and does not open its circuit.
    let config = slow_config()
        .replace("from = [\"my/dev/event\"]\nlag", "from = [\"my/dev/slow\"]\nlag")
        .replace("fault = \"spin\"", "fault = \"spin\", on_row_value = { column = \"x\", equals = 13 }")
        .replace(
            "triplet = \"my/dev/event\"\n",
            "triplet = \"my/dev/event\"\nmay_write = [\"my/dev/event\", \"b/*/*\"]\n",
        );
    let host = TestHost::start(&config).unwrap();
    let body: String = (0..2_000).map(line).collect();
    let until = Instant::now() + Duration::from_secs(30);
    while host.post("/ingest/my/dev/slow", body.as_bytes()).unwrap().status != 429 {
        assert!(Instant::now() < until, "no 429 came");
    }
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(host.post("/ingest/my/dev/slow", body.as_bytes()).unwrap().status == 429);
        host.send(&body).unwrap();
        assert_eq!(host.post("/ingest/my/dev/event", body.as_bytes()).unwrap().status, 200);
    }
    host.wait_unit("count/all", "rows_in_total", 80_000).unwrap();
    assert!(refused > 0, "the slow flow was not behind");
    let sources = host.json("/api/sources").unwrap();
    let tcp = sources["sources"].as_array().unwrap().iter().find(|source| source["name"] == "tcp");
    assert_eq!(tcp.unwrap()["waits_total"], 0, "{sources:#}");
    assert!(host.rss_bytes().unwrap() < 400 << 20);
}
