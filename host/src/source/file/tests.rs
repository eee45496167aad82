//! Files that are rotated, truncated and read whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use weir_core::config::SourceKind;

use super::*;
use crate::source::fake::{self, Fake, wait_until};
use crate::source::{Accept, Running};

struct World {
    folder: tempfile::TempDir,
    fake: Arc<Fake>,
    running: Option<(Running, watch::Sender<bool>)>,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), fake: Arc::default(), running: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, numbers: std::ops::Range<i64>) {
        let mut file = File::options().append(true).create(true).open(self.path(name)).unwrap();
        for n in numbers {
            writeln!(file, "{{\"n\":{n}}}").unwrap();
        }
    }

    fn run(&mut self, pattern: &str, tail: Option<Begin>, at_end: AtEnd) {
        let paths = vec![self.path(pattern).to_string_lossy().into_owned()];
        let spec = fake::spec("file", SourceKind::File(FileSpec { paths, tail, at_end }));
        let (stop, stopped) = watch::channel(false);
        self.running = Some((
            crate::source::start(&[spec], &Default::default(), self.fake.clone(), stopped).unwrap(),
            stop,
        ));
    }

    /// Waits for what must come, ends the source, and gives all numbers in the order in which they came.
    fn end(&mut self, rows: usize) -> Vec<i64> {
        self.fake.wait_rows(rows);
        let (running, stop) = self.running.take().unwrap();
        // A source that read all there was has ended already.
        stop.send_replace(true);
        running.join();
        self.fake.integers("a/b/c", "n")
    }
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_start() {
    let mut world = World::new();
    world.append("app.log", 0..10);
    world.run("app.log*", Some(Begin::Start), AtEnd::Stay);
    world.fake.wait_rows(10);
    fs::rename(world.path("app.log"), world.path("app.log.1")).unwrap();
    world.append("app.log", 20..30);
    // Who has the old file open still writes to it.
    world.append("app.log.1", 10..20);
    world.fake.wait_rows(30);
    fs::rename(world.path("app.log.1"), world.path("app.log.2")).unwrap();
    fs::rename(world.path("app.log"), world.path("app.log.1")).unwrap();
    world.append("app.log", 30..40);
    let mut numbers = world.end(40);
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..40));
}

#[test]
fn a_file_that_is_renamed_out_of_sight_is_read_to_its_end_and_then_let_go() {
    let mut world = World::new();
    world.append("app.log", 0..10);
    world.run("app.log", Some(Begin::Start), AtEnd::Stay);
    world.fake.wait_rows(10);
    fs::rename(world.path("app.log"), world.path("app.log.1")).unwrap();
    world.append("app.log.1", 10..20);
    world.append("app.log", 20..30);
    world.fake.wait_rows(30);
    let open = world.fake.counters.clone();
    wait_until("the old one is let go", || open.connections_open.load(Ordering::Relaxed) == 1);
    assert_eq!(open.connections_total.load(Ordering::Relaxed), 2);
    let mut numbers = world.end(30);
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..30));
}

#[test]
fn a_truncated_file_is_read_from_its_start_also_when_it_grew_again() {
    let mut world = World::new();
    world.append("app.log", 0..10);
    world.run("app.log", Some(Begin::Start), AtEnd::Stay);
    world.fake.wait_rows(10);
    File::create(world.path("app.log")).unwrap();
    world.append("app.log", 10..15);
    world.fake.wait_rows(15);
    // Copied away and truncated; longer than it was before anybody looked.
    let longer: String = (15..200).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    fs::write(world.path("app.log"), longer).unwrap();
    assert!(world.end(200).into_iter().eq(0..200));
}

#[test]
fn what_was_there_is_left_out_with_begin_end_and_later_files_are_read_whole() {
    let mut world = World::new();
    world.append("a.log", 0..10);
    world.run("*.log", Some(Begin::End), AtEnd::Stay);
    let opened = world.fake.counters.clone();
    wait_until("it is open", || opened.connections_total.load(Ordering::Relaxed) == 1);
    world.append("a.log", 10..20);
    world.fake.wait_rows(10);
    world.append("b.log", 20..30);
    assert!(world.end(20).into_iter().eq(10..30));
}

#[test]
fn a_line_that_is_written_in_pieces_is_one_event() {
    let mut world = World::new();
    world.append("a.log", 0..1);
    world.run("*.log", Some(Begin::Start), AtEnd::Stay);
    world.fake.wait_rows(1);
    let mut file = File::options().append(true).open(world.path("a.log")).unwrap();
    file.write_all(b"{\"n\":").unwrap();
    world.append("b.log", 1..2);
    world.fake.wait_rows(2);
    file.write_all(b"2}\n").unwrap();
    assert_eq!(world.end(3), [0, 1, 2]);
    assert_eq!(world.fake.counters.rejected_total.load(Ordering::Relaxed), 0);
}

#[test]
fn whole_files_are_read_once_in_the_order_of_their_names_and_the_program_may_end() {
    let mut world = World::new();
    world.append("b.ndjson", 5_000..6_000);
    world.append("a.ndjson", 0..5_000);
    // The last event of a file needs no line feed.
    fs::write(world.path("c.ndjson"), "{\"n\":6000}").unwrap();
    world.run("*.ndjson", None, AtEnd::Stop);
    let (running, _) = world.running.as_ref().unwrap();
    wait_until("it asks for the end", || *running.wants_stop.borrow());
    assert!(world.end(6_001).into_iter().eq(0..=6_000));
}

#[test]
fn a_link_is_the_file_that_it_leads_to_and_a_folder_is_none() {
    let mut world = World::new();
    world.append("a.log", 0..10);
    std::os::unix::fs::symlink(world.path("a.log"), world.path("link.log")).unwrap();
    fs::create_dir(world.path("folder.log")).unwrap();
    world.run("*.log", Some(Begin::Start), AtEnd::Stay);
    // A link to a file that is followed already is that file.
    assert!(world.end(10).into_iter().eq(0..10));
    assert_eq!(world.fake.counters.connections_total.load(Ordering::Relaxed), 1);
}

#[test]
fn who_remembers_goes_on_where_it_stood_with_what_came_meanwhile() {
    let mut world = World::new();
    world.fake.remembers.store(true, Ordering::SeqCst);
    world.append("a.log", 0..10);
    world.run("*.log", Some(Begin::End), AtEnd::Stay);
    let opened = world.fake.counters.clone();
    wait_until("it is open", || opened.connections_total.load(Ordering::Relaxed) == 1);
    world.append("a.log", 10..20);
    let mut file = File::options().append(true).open(world.path("a.log")).unwrap();
    file.write_all(b"{\"n\":").unwrap();
    world.end(10);
    file.write_all(b"20}\n").unwrap();
    world.append("a.log", 21..30);
    world.append("b.log", 30..40);
    world.run("*.log", Some(Begin::End), AtEnd::Stay);
    let mut numbers = world.end(30);
    numbers.sort_unstable();
    assert_eq!(numbers, (10..40).collect::<Vec<_>>());
    assert_eq!(world.fake.counters.rejected_total.load(Ordering::Relaxed), 0);
    // Written anew while nobody looked, and longer than before.
    let anew: String = (40..200).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    fs::write(world.path("a.log"), anew).unwrap();
    world.run("*.log", Some(Begin::End), AtEnd::Stay);
    let mut numbers = world.end(190);
    numbers.sort_unstable();
    assert_eq!(numbers, (10..200).collect::<Vec<_>>());
}

#[test]
fn a_file_that_was_read_whole_is_not_read_again() {
    let mut world = World::new();
    world.fake.remembers.store(true, Ordering::SeqCst);
    world.append("a.log", 0..5_000);
    world.run("*.log", None, AtEnd::Stay);
    world.end(5_000);
    world.append("b.log", 5_000..5_010);
    world.run("*.log", None, AtEnd::Stay);
    let numbers = world.end(5_010);
    assert!(numbers.into_iter().eq(0..5_010));
    let gone = world.fake.places("file").unwrap();
    assert_eq!(gone.len(), 2, "{gone:?}");
}
