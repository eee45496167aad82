//! How long the built-in JSON codec takes for an event: `cargo run --release -p weir-core --example codec_speed`.
//!
//! 200,000 events of about 200 bytes in chunks of 64 KiB, as a socket gives them; the best and the median of 9 runs, ns per event, batches
//! built and dropped. Time is the thread's CPU time as Linux counts it, so that other programs disturb little. The events: triplet, a host of 100, a path of 500, status, latency, bytes, RFC 3339 time, a unique trace id.

#![allow(clippy::expect_used)] // A measurement that cannot measure may stop.

use std::fmt::Write;

use weir_core::codec::{Decode, Defaults, Gather, JsonDecoder, Limits};

const EVENTS: usize = 200_000;
const CHUNK_BYTES: usize = 64 * 1024;
const RUNS: usize = 9;

fn main() {
    for (name, streams) in [("one stream", 1), ("ten streams, interleaved", 10)] {
        let input = events(streams);
        let mut gather = Gather::new(Limits::default(), "speed");
        let mut decoder = JsonDecoder::new();
        let mut ns_per_event: Vec<f64> = (0..RUNS).map(|_| run(&input, &mut decoder, &mut gather)).collect();
        ns_per_event.sort_by(f64::total_cmp);
        let (best, median) = (ns_per_event[0], ns_per_event[RUNS / 2]);
        let event_bytes = input.len() as f64 / EVENTS as f64;
        eprintln!("{name}: {event_bytes:.1} B per event, best {best:.0} ns, median {median:.0} ns per event");
    }
}

fn events(streams: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for number in 0..EVENTS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (host, path, status) =
            (random % 100, (random >> 8) % 500, [200, 200, 200, 404, 500][(random >> 20) as usize % 5]);
        let (latency, bytes, second) = ((random >> 24) % 100_000, (random >> 40) % 50_000, number / 10_000);
        let stream = number % streams;
        let _ = writeln!(
            text,
            r#"{{"application":"shop","environment":"prod","type":"request{stream}","host":"web-{host:03}","path":"/api/items/{path}","status":{status},"latency_ms":{}.{:03},"bytes":{bytes},"time":"2026-11-21T12:00:{second:02}.{:03}Z","trace":"{random:016x}"}}"#,
            latency / 1_000,
            latency % 1_000,
            number % 1_000,
        );
    }
    text.into_bytes()
}

fn run(input: &[u8], decoder: &mut JsonDecoder, gather: &mut Gather) -> f64 {
    let defaults = Defaults::new("speed");
    let mut rejected = Vec::new();
    let (mut at, mut rows) = (0, 0);
    let begun_ns = cpu_ns();
    while at < input.len() {
        let stop = (at + CHUNK_BYTES).min(input.len());
        at += decoder.decode(&input[at..stop], stop == input.len(), 0, &defaults, gather, &mut rejected);
        rows += gather.take_full().iter().map(|batch| batch.rows()).sum::<usize>();
    }
    rows += gather.take_all().iter().map(|batch| batch.rows()).sum::<usize>();
    let ns = (cpu_ns() - begun_ns) as f64;
    assert_eq!((rows, rejected.len()), (EVENTS, 0), "{:?}", rejected.first());
    ns / EVENTS as f64
}

fn cpu_ns() -> u64 {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("schedstat starts with ns on the CPU")
}
