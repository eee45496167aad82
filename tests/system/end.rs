//! How the program ends: drains that take long, a second signal, a crash.

use std::time::{Duration, Instant};

use weir_tests::host::TestHost;

use crate::start::COUNT;

/// A unit that needs about 150 ms for each record of [`RECORD`] and never opens its circuit: it spins on the row 13 until its deadline, alone and in company, and
/// takes the other.
fn slow() -> String {
    let faults = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/faults/faults.wasm");
    format!(
        "{COUNT}\n[[pipeline]]\nname = \"slow\"\nfrom = [\"my/dev/slow\"]\nlag = {{ bytes = \"64MiB\", seconds = 600, beyond = \"back-pressure\" }}\n\
         [[pipeline.unit]]\nname = \"u\"\nuse = \"{faults}\"\nconfig = {{ fault = \"spin\", on_row_value = {{ column = \"x\", equals = 13 }} }}\n"
    )
}

const RECORD: &[u8] = b"{\"x\":13}\n{\"x\":1}\n";

fn fill(host: &TestHost, records: usize) {
    for _ in 0..records {
        assert_eq!(host.post("/ingest/my/dev/slow", RECORD).unwrap().status, 200);
    }
    let waits = |seen: &serde_json::Value| {
        let pipelines = seen["pipelines"].as_array().unwrap();
        pipelines.iter().any(|it| it["name"] == "slow" && it["lag_records"].as_u64() > Some(3))
    };
    host.wait("/api/pipelines", waits).unwrap();
}

/// Until the drain has begun: the API accepts no more.
fn wait_draining(host: &TestHost) {
    let until = Instant::now() + Duration::from_secs(10);
    while host.get("/readyz").is_ok_and(|answer| answer.status == 200) {
        assert!(Instant::now() < until, "no drain began");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn second_interrupt_ends_at_once(first: i32) {
    let mut host = TestHost::start(&slow()).unwrap();
    fill(&host, 200);
    host.signal(first).unwrap();
    wait_draining(&host);
    assert!(host.is_alive(), "the drain takes as long as the queue");
    let begun = Instant::now();
    host.signal(libc::SIGINT).unwrap();
    let status = host.wait_end().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn a_second_interrupt_ends_a_slow_drain_at_once_with_130() {
    second_interrupt_ends_at_once(libc::SIGINT);
}

#[test]
fn an_interrupt_after_sigterm_ends_at_once_too() {
    second_interrupt_ends_at_once(libc::SIGTERM);
}

#[test]
fn a_drain_runs_what_waits_and_ends_with_0() {
    let mut host = TestHost::start(&slow()).unwrap();
    fill(&host, 12);
    host.signal(libc::SIGTERM).unwrap();
    wait_draining(&host);
    assert_eq!(host.wait_end().unwrap().code(), Some(0), "{}", host.log());
}

#[test]
fn a_drain_that_would_take_too_long_is_cut_and_says_so() {
    let mut host = TestHost::start(&slow()).unwrap();
    fill(&host, 300);
    host.signal(libc::SIGTERM).unwrap();
    assert_eq!(host.wait_end().unwrap().code(), Some(1), "{}", host.log());
    assert!(host.log().contains("the drain was cut short"), "{}", host.log());
}

#[test]
fn after_a_crash_it_starts_again_in_the_same_folder_even_with_a_damaged_cache() {
    let host = TestHost::start(COUNT).unwrap();
    host.send(&"{\"key\":\"a\",\"x\":1}\n".repeat(1_000)).unwrap();
    let folder = host.crash().unwrap();
    let cache = folder.path().join("data/cache");
    let mut damaged = 0;
    for entry in std::fs::read_dir(&cache).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        // The key and whatever else is short stays; compiled code is long.
        if bytes.len() > 4_096 {
            bytes[middle] ^= 0x55;
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged >= 2, "the cache was not found");
    let host = TestHost::start_in(COUNT, folder).unwrap();
    host.send(&"{\"key\":\"a\",\"x\":1}\n".repeat(10)).unwrap();
    host.wait_unit("count/all", "rows_in_total", 10).unwrap();
    assert_eq!(host.end().unwrap().code(), Some(0));
}
