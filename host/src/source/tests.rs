//! Starting and stopping sources.

use std::sync::atomic::Ordering;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};

use weir_core::config::Framing;

use super::fake::{Fake, spec, wait_until};
use super::*;

fn tcp(name: &str, listen: &str) -> SourceSpec {
    spec(name, SourceKind::Tcp { listen: listen.parse().unwrap(), framing: Framing::Codec, tls: None })
}

fn check_refused(specs: &[SourceSpec], words: &[&str]) {
    let (_stop, stopped) = watch::channel(false);
    let error = match start(specs, &Codecs::default(), Arc::new(Fake::default()), stopped) {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    for word in words {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

#[test]
fn an_address_in_use_names_source_address_and_fix() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_refused(
        &[tcp("free", "127.0.0.1:0"), tcp("second", &address)],
        &["\"second\"", &address, "in use", "`listen`"],
    );
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    check_refused(&[tcp("open", "0.0.0.0:7171")], &["\"open\"", "authentication", "127.0.0.1:7171"]);
}

#[test]
fn a_second_http_source_is_refused() {
    check_refused(&[spec("one", SourceKind::Http), spec("two", SourceKind::Http)], &["\"two\"", "\"one\""]);
}

#[test]
fn all_kinds_start_and_end_with_the_stop_signal() {
    let fake = Arc::new(Fake::default());
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    fake.own.lock().push(Incoming {
        triplet: "weir/local/source".parse().unwrap(),
        source: "weir".into(),
        time: vec![1].into(),
        columns: RecordBatch::try_from_iter([("n", column)]).unwrap(),
    });
    let (stop, stopped) = watch::channel(false);
    let specs = [
        tcp("tcp", "127.0.0.1:0"),
        spec("http", SourceKind::Http),
        spec("host", SourceKind::Host),
        spec("weir", SourceKind::Weir),
    ];
    let running = start(&specs, &Codecs::default(), fake.clone(), stopped).unwrap();
    assert_eq!(
        running.sources.iter().map(|source| source.kind).collect::<Vec<_>>(),
        ["tcp", "http", "host", "weir"]
    );
    assert!(running.address("tcp").is_some_and(|address| address.port() != 0));
    let came = |wanted: &str| fake.batches().iter().any(|batch| batch.triplet.as_str() == wanted);
    wait_until("host and weir", || came("host/local/memory") && came("weir/local/source"));
    stop.send(true).unwrap();
    running.join();
}

#[test]
fn a_second_without_room_is_left_out_and_counted() {
    let fake = Arc::new(Fake::default());
    fake.busy.store(true, Ordering::SeqCst);
    let (stop, stopped) = watch::channel(false);
    let running =
        start(&[spec("host", SourceKind::Host)], &Codecs::default(), fake.clone(), stopped).unwrap();
    wait_until("it waits", || fake.counters.waits_total.load(Ordering::Relaxed) > 0);
    drop(stop);
    running.join();
    assert_eq!(fake.rows(), 0);
}
