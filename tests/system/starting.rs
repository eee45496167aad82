//! While a start replays the journal: it lives, it is not ready, it says how far it is, and no source is open.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use weir_tests::client;
use weir_tests::host::TestHost;
use weir_tests::process::{Running, command};

use crate::start::COUNT;

fn number(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_long_replay_says_how_far_it_is_and_opens_no_source_before_its_end() {
    let config = format!("[state]\nreplay = \"10m\"\n{COUNT}");
    let host = TestHost::start(&config).unwrap();
    let (http, tcp) = (host.http, host.tcp);
    let lines: String = (0..1_000_000).map(|n| format!("{{\"key\":\"k{}\",\"x\":{n}}}\n", n % 97)).collect();
    host.send(&lines).unwrap();
    host.wait_unit("count/by_key", "rows_in_total", 1_000_000).unwrap();
    let folder = host.crash().unwrap();
    let mut process = Running::start(&mut command(folder.path(), true).unwrap()).unwrap();
    let get = |path: &str| client::request(http, "GET", path, &[], b"").ok();
    let (mut told, mut records) = (Vec::new(), Vec::new());
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        assert!(Instant::now() < until, "not ready: {told:?}");
        std::thread::sleep(Duration::from_millis(2));
        let Some(ready) = get("/readyz") else { continue };
        if ready.status == 200 {
            break;
        }
        assert_eq!(ready.status, 503);
        if ready.text().contains("the journal is replayed: ") {
            told.push(ready.text());
            assert_eq!(get("/healthz").map(|answer| answer.status), Some(200));
            let open = TcpStream::connect(("127.0.0.1", tcp)).is_ok();
            let metrics = get("/metrics").unwrap().text();
            let running = number(&metrics, "weir_replay_running") == Some(1.0);
            assert!(!open || !running, "a source is open in the middle of the replay");
            records.extend(number(&metrics, "weir_replay_records_done"));
            let refused = get("/api/streams").unwrap();
            assert!(refused.status == 200 || refused.text().contains("\"starting\""), "{}", refused.text());
        }
    }
    assert!(!told.is_empty() && told[0].contains(" of ") && told[0].contains('%'), "{told:?}");
    assert!(records.is_sorted(), "{records:?}");
    assert!(TcpStream::connect(("127.0.0.1", tcp)).is_ok());
    let metrics = get("/metrics").unwrap().text();
    assert_eq!(number(&metrics, "weir_replay_running"), Some(0.0), "{metrics}");
    assert_eq!(number(&metrics, "weir_replay_events"), Some(1_000_000.0));
    process.signal(libc::SIGTERM).unwrap();
    assert!(process.ended_within(Duration::from_secs(30)).unwrap().is_some());
}
