//! Decoding of inputs and bodies, without sockets.

use std::io::ErrorKind;
use std::sync::Arc;

use tokio::sync::watch;
use weir_core::config::{SourceKind, SourceSpec};

use super::*;
use crate::source::fake::{self, Fake};

fn spec() -> SourceSpec {
    fake::spec("test", SourceKind::Http)
}

fn decoder(feed: &Feed) -> (Decoder, Arc<Fake>) {
    let fake = Arc::new(Fake::default());
    let (_, stop) = watch::channel(false);
    let outlet = fake::outlet("test", &fake, stop);
    (Decoder::new(outlet, feed), fake)
}

fn give(decoder: &mut Decoder, input: &mut Input, bytes: &[u8]) -> Brought {
    let copy = |buffer: &mut [u8]| {
        buffer.get_mut(..bytes.len()).unwrap().copy_from_slice(bytes);
        Ok(bytes.len())
    };
    decoder.read(input, copy).unwrap()
}

const LINES: &[u8] =
    b"{\"n\":1,\"s\":\"x\\ny\"}\n{\"n\":2,\"o\":{\"p\":[1,2]}}\nnonsense\n{\"n\":3,\"s\":\"\xc3\xa4\"}";

fn nonsense_at() -> u64 {
    LINES.windows(8).position(|bytes| bytes == b"nonsense").unwrap() as u64
}

#[test]
fn a_connection_split_at_every_byte_gives_the_same_rows() {
    for cut in 1..LINES.len() {
        let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
        let mut input = decoder.input();
        let (first, second) = LINES.split_at(cut);
        give(&mut decoder, &mut input, first);
        give(&mut decoder, &mut input, second);
        decoder.finish(&mut input);
        decoder.flush_all();
        assert_eq!(fake.integers("a/b/c", "n"), [1, 2, 3], "cut at {cut}");
        let rejected = decoder.outlet().rejected.newest(None, None, 9);
        let places: Vec<_> = rejected.iter().map(|row| (row.line, row.offset_bytes)).collect();
        assert_eq!(places, [(3, nonsense_at())], "cut at {cut}");
    }
}

#[test]
fn a_connection_of_single_bytes_gives_the_same_rows() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    for byte in LINES {
        give(&mut decoder, &mut input, &[*byte]);
    }
    decoder.finish(&mut input);
    decoder.flush_all();
    assert_eq!(fake.integers("a/b/c", "n"), [1, 2, 3]);
}

#[test]
fn events_of_two_connections_stay_in_the_order_of_each() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut inputs = [decoder.input(), decoder.input()];
    for n in 0..5_000 {
        for (sender, input) in inputs.iter_mut().enumerate() {
            let event = format!("{{\"s\":{sender},\"n\":{n}}}\n");
            let (first, second) = event.as_bytes().split_at(n % event.len());
            give(&mut decoder, input, first);
            if !second.is_empty() {
                give(&mut decoder, input, second);
            }
        }
    }
    decoder.flush_all();
    let rows: Vec<_> = fake.integers("a/b/c", "s").into_iter().zip(fake.integers("a/b/c", "n")).collect();
    for sender in 0..2 {
        let of_one = rows.iter().filter(|row| row.0 == sender).map(|row| row.1);
        assert!(of_one.eq(0..5_000), "sender {sender}");
    }
}

#[test]
fn full_batches_leave_at_once_and_the_rest_when_due() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    assert_eq!(decoder.flush_due(), None);
    give(&mut decoder, &mut input, "{\"n\":1}\n".repeat(5_000).as_bytes());
    assert_eq!(fake.rows(), 4_096);
    assert!(decoder.flush_due().is_none_or(|wait| wait <= Duration::from_millis(5)));
    while let Some(wait) = decoder.flush_due() {
        std::thread::sleep(wait);
    }
    assert_eq!((fake.rows(), decoder.holds_rows()), (5_000, false));
}

#[test]
fn an_event_over_the_bound_is_rejected_and_holds_no_memory() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    give(&mut decoder, &mut input, b"{\"n\":0}\n{\"s\":\"");
    for _ in 0..100 {
        give(&mut decoder, &mut input, &[b'x'; 64 << 10]);
        assert!(input.tail.capacity() <= 1 << 20, "{}", input.tail.capacity());
    }
    give(&mut decoder, &mut input, b"\"}\n{\"n\":1}\n");
    decoder.finish(&mut input);
    decoder.flush_all();
    assert_eq!(fake.integers("a/b/c", "n"), [0, 1]);
    assert_eq!(decoder.outlet().rejected.newest(None, None, 9).len(), 1);
}

#[test]
fn an_error_of_the_read_changes_nothing() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    give(&mut decoder, &mut input, b"{\"n\":");
    assert!(decoder.read(&mut input, |_| Err(ErrorKind::WouldBlock.into())).is_err());
    give(&mut decoder, &mut input, b"7}\n");
    decoder.flush_all();
    assert_eq!(fake.integers("a/b/c", "n"), [7]);
}

#[test]
fn rejected_rows_are_counted_and_only_the_newest_kept() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    for _ in 0..10 {
        give(&mut decoder, &mut input, &b"no\n".repeat(2_000));
    }
    assert_eq!(fake.counters.rejected_total.load(std::sync::atomic::Ordering::Relaxed), 20_000);
    let rejected = &decoder.outlet().rejected;
    assert_eq!(rejected.newest(None, None, usize::MAX).len(), 256);
}

#[test]
fn a_body_goes_to_the_stream_of_its_path_whatever_its_members_say() {
    let (mut decoder, fake) = decoder(&Feed::of_paths(&spec(), &Default::default()));
    let body = br#"{"application":"x","environment":"y","type":"z","n":1}"#;
    let taken = decoder.feed_body(&"p/q/r".parse().unwrap(), "json", body, 10);
    decoder.flush_all();
    assert_eq!((taken.accepted, taken.rejected), (1, 0));
    assert_eq!(fake.integers("p/q/r", "n"), [1]);
    let batches = fake.batches();
    assert!(batches.iter().all(|batch| batch.columns.column_by_name("type").is_some()));
}

#[test]
fn what_happens_in_the_builders_goes_with_the_batches() {
    let (mut decoder, fake) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    give(&mut decoder, &mut input, b"{\"n\":1}\n{\"n\":1.5}\n{\"n\":\"x\"}\n{\"n\":}\n");
    decoder.flush_all();
    let changes = fake.changes.lock();
    let (triplet, counters) = changes.first().unwrap();
    assert_eq!((triplet.as_str(), counters.mixed_to_text), ("a/b/c", 1), "{counters:?}");
    assert_eq!(changes.len(), 1, "quiet batches say nothing");
}

#[test]
fn a_rejected_row_is_kept_with_its_first_bytes_and_place() {
    let (mut decoder, _) = decoder(&Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    give(&mut decoder, &mut input, b"{\"n\":1}\n{\"n\":");
    give(&mut decoder, &mut input, b"oh}\n");
    let kept = decoder.outlet().rejected.newest(Some("test"), Some("a/b/c"), 9);
    let row = kept.first().unwrap();
    assert_eq!((row.offset_bytes, row.first_bytes.as_str()), (8, "{\"n\":oh}"), "{row:?}");
}
