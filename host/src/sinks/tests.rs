//! Files end where they should, and count.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Int64Array, RecordBatch};
use weir_core::batch::{Batch, Origin, Position, RowIds};
use weir_core::config::Topology;

use super::{Sinks, run};

const CONFIG: &str = r#"
[[pipeline]]
name = "p"
from = ["a/b/c"]
[[pipeline.stream]]
triplet = "a/b/slow"
from = ["in"]
[[sink]]
name = "slow"
kind = "file"
from = ["a/b/slow"]
rows = 3
every = "1d"
"#;

fn batch(stream: &str, offset: u64, values: &[i64]) -> Batch {
    let columns: [(&str, arrow_array::ArrayRef); 1] = [("n", Arc::new(Int64Array::from(values.to_vec())))];
    Batch {
        triplet: stream.parse().unwrap(),
        position: Position { log: 0, epoch: 1, offset },
        accepted_at_unix_ns: 0,
        origin: Origin::Unit { id: "p/u".into(), ordinal: 0 },
        row_ids: RowIds::From(0),
        time: vec![0; values.len()].into(),
        columns: RecordBatch::try_from_iter(columns).unwrap(),
        hops: 1,
    }
}

fn give(sinks: &Sinks, stream: &str, offset: u64, values: &[i64]) {
    let batch = batch(stream, offset, values);
    sinks.take(&"p".into(), 0, batch.position, &[batch]);
}

/// From offset 2 on.
fn begin(sinks: &Sinks, folder: &std::path::Path) {
    sinks.keep_folders(folder, folder);
    sinks.set(&Topology::parse(CONFIG).unwrap().sinks, 2);
}

#[test]
fn files_end_at_their_bound_and_at_a_checkpoint_and_hold_each_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = Sinks::default();
    begin(&sinks, folder.path());
    give(&sinks, "a/b/slow", 1, &[0]);
    std::thread::scope(|scope| {
        scope.spawn(|| run(&sinks, || Ok(())));
        give(&sinks, "a/b/slow", 4, &[1, 2]);
        give(&sinks, "a/b/other", 5, &[9]);
        give(&sinks, "a/b/slow", 6, &[3]);
        give(&sinks, "a/b/slow", 8, &[4]);
        sinks.seal("q", 0);
        sinks.seal("p", 0);
        assert!(sinks.published(Duration::from_secs(20)));
        give(&sinks, "a/b/slow", 9, &[5]);
        assert_eq!(sinks.states()[0].open_rows, 1);
        assert!(sinks.finish(Duration::from_secs(20)));
    });
    let state = sinks.states().remove(0);
    assert_eq!((state.counters.rows_total, state.counters.files_total, state.waiting_files), (5, 3, 0));
    let mut texts = Vec::new();
    for (from, until) in [(4, 7), (8, 9), (9, 10)] {
        let path = state.folder.join(format!("p-{from:020}-{until:020}.ndjson"));
        texts.push(std::fs::read_to_string(path).unwrap());
    }
    let first = r#"{"id":"1-4-0","time":"1970-01-01T00:00:00Z","stream":"a/b/slow","fields":{"n":1}}"#;
    assert!(same(texts[0].lines().next().unwrap(), first), "{}", texts[0]);
    assert_eq!(texts.iter().map(|text| text.lines().count()).collect::<Vec<_>>(), [3, 1, 1]);
}

fn same(left: &str, right: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    value(left) == value(right)
}

#[test]
fn what_cannot_be_written_waits_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // A file stands where the folder should be.
    std::fs::write(folder.path().join("sinks"), "").unwrap();
    let sinks = Sinks::default();
    begin(&sinks, folder.path());
    std::thread::scope(|scope| {
        scope.spawn(|| run(&sinks, || Ok(())));
        give(&sinks, "a/b/slow", 3, &[1, 2, 3]);
        assert!(!sinks.published(Duration::from_millis(300)));
        let counters = sinks.states().remove(0).counters;
        assert!(counters.errors_total >= 1 && counters.error.is_some(), "{counters:?}");
        std::fs::remove_file(folder.path().join("sinks")).unwrap();
        assert!(sinks.published(Duration::from_secs(20)), "{:?}", sinks.states());
        assert!(sinks.finish(Duration::from_secs(1)));
    });
    assert_eq!(sinks.states()[0].counters.error, None);
}

#[test]
fn rows_of_a_flow_that_stood_still_go_to_the_sink_that_took_the_place_of_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = Sinks::default();
    begin(&sinks, folder.path());
    let changed = CONFIG.replace("rows = 3", "rows = 4");
    sinks.set(&Topology::parse(&changed).unwrap().sinks, 10);
    let long_ago = std::time::Instant::now().checked_sub(super::ENDED_KEPT);
    for sink in &mut sinks.shared.lock().sinks {
        sink.ended = sink.ended.map(|(at, _)| (at, long_ago.unwrap()));
    }
    sinks.set(&Topology::parse(&changed).unwrap().sinks, 20);
    let since: Vec<u64> = sinks.shared.lock().sinks.iter().map(|sink| sink.since).collect();
    assert_eq!(since, [2]);
}
