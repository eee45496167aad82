//! `weir journal` and `weir state` over data folders that were written without a host.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use weir_checkpoint::recover::{Unwanted, export};
use weir_checkpoint::{EngineName, recover};
use weir_core::batch::Position;
use weir_disk::{Disk, RealDisk};
use weir_journal::{Settings, Writer};
use weir_tests::host::program;
use weir_tests::prove::disk::events::Maker;

/// With two bytes that are no text.
const KEY: &str = "requests/by_page\\x00\\x07";

fn weir(data: &Path, arguments: &[&str]) -> Output {
    Command::new(program().unwrap()).args(arguments).arg("--data").arg(data).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn disk(data: &Path, name: &str) -> Arc<dyn Disk> {
    Arc::new(RealDisk::open(&data.join(name)).unwrap())
}

/// 40 records in small segments; the writer goes on, as that of a host.
fn journal(data: &Path) -> (Writer, u64) {
    let settings = Settings { segment_bytes: 2_048, ..Settings::default() };
    let (mut writer, opened) =
        weir_journal::open(disk(data, "journal"), settings, Position::default(), 1).unwrap();
    let mut maker = Maker::new(7);
    maker.go_on(opened.position);
    let mut events = 0;
    for _ in 0..40 {
        let (record, made) = maker.record().unwrap();
        events += made.len() as u64;
        writer.append(&record).unwrap();
    }
    writer.flush().unwrap();
    writer.sync().unwrap();
    (writer, events)
}

/// One checkpoint of 300 keys, and a snapshot of it.
fn state(data: &Path, engine: EngineName) {
    let disk = disk(data, "state");
    let place = engine.place(&data.join("state"), &disk).unwrap();
    let mut store = recover(&*place, &disk, &mut Unwanted).unwrap().store;
    let mut writing = store.begin().unwrap();
    for n in 0..300_u16 {
        let key = [b"requests/by_page".as_slice(), &n.to_be_bytes()].concat();
        writing.put(&key, Some(format!("value {n}").as_bytes())).unwrap();
    }
    writing.commit(Position { log: 0, epoch: 1, offset: 39 }, Vec::new()).unwrap();
    export(&store, &disk).unwrap();
}

#[test]
fn the_journal_is_shown_beside_who_writes_it() {
    let data = tempfile::tempdir().unwrap();
    let (_writer, events) = journal(data.path());
    let listed = weir(data.path(), &["journal", "ls"]);
    let said = text(&listed.stdout);
    assert!(listed.status.success() && said.starts_with("segment") && said.contains("plain"), "{said}");
    let segments = lines(&weir(data.path(), &["journal", "ls", "--format", "json"]));
    assert!(segments.len() > 2 && segments[0]["first"] == 0, "{segments:?}");
    let verified = weir(data.path(), &["journal", "verify", "--format", "json"]);
    let found = &lines(&verified)[0];
    assert!(verified.status.success(), "{found}");
    assert_eq!((found["records"].as_u64(), found["events"].as_u64()), (Some(40), Some(events)));
    let records =
        lines(&weir(data.path(), &["journal", "cat", "--from", "30", "-n", "4", "--format", "json"]));
    assert_eq!(
        records.iter().map(|record| record["offset"].as_u64()).collect::<Vec<_>>(),
        [30, 31, 32, 33].map(Some)
    );
    let said = text(&weir(data.path(), &["journal", "cat"]).stdout);
    assert!(said.lines().count() == 40 && said.contains("batch    proof/disk/event, "), "{said}");
    let exported = lines(&weir(data.path(), &["journal", "export"]));
    assert_eq!(exported.len() as u64, events);
    assert!(exported[0]["type"] == "event" && exported[0]["seq"].is_i64(), "{}", exported[0]);
}

#[test]
fn damage_of_the_journal_is_told_with_its_place() {
    let data = tempfile::tempdir().unwrap();
    drop(journal(data.path()));
    let disk = disk(data.path(), "journal");
    let file = disk.list().unwrap()[1].clone();
    let path = data.path().join("journal").join(&file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[700] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let verified = weir(data.path(), &["journal", "verify"]);
    let said = text(&verified.stdout);
    assert_eq!(verified.status.code(), Some(1));
    assert!(said.contains(&format!("damaged: {file}")) && said.contains("missing: records"), "{said}");
}

#[test]
fn a_folder_without_a_journal_is_named() {
    let data = tempfile::tempdir().unwrap();
    for command in [["journal", "ls"], ["state", "ls"]] {
        let asked = weir(data.path(), &command);
        let said = text(&asked.stderr);
        assert_eq!(asked.status.code(), Some(1));
        assert!(said.contains("--data") && said.contains(data.path().to_str().unwrap()), "{said}");
    }
}

#[test]
fn the_state_is_shown_exported_and_brought_back() {
    for engine in weir_tests::prove::disk::engines() {
        let data = tempfile::tempdir().unwrap();
        state(data.path(), engine);
        let listed = lines(&weir(data.path(), &["state", "ls", "--format", "json"]));
        assert_eq!(
            (&listed[0]["what"], &listed[0]["entries"]),
            (&engine.as_str().into(), &300.into()),
            "{listed:?}"
        );
        assert_eq!((listed.len(), &listed[1]["offset"]), (2, &39.into()));
        let keys = lines(&weir(data.path(), &["state", "ls", "requests", "-n", "8", "--format", "json"]));
        assert_eq!((keys.len(), &keys[7]["key"]), (8, &KEY.into()), "{keys:?}");
        assert_eq!(text(&weir(data.path(), &["state", "get", KEY]).stdout), "value 7\n");
        assert_eq!(weir(data.path(), &["state", "get", "none"]).status.code(), Some(1));
        let verified = weir(data.path(), &["state", "verify"]);
        assert!(
            verified.status.success() && text(&verified.stdout).contains("300 keys"),
            "{}",
            text(&verified.stderr)
        );

        let file = data.path().join("all.snapshot");
        let file = file.to_str().unwrap();
        let exported = weir(data.path(), &["state", "export", file]);
        assert!(exported.status.success(), "{}", text(&exported.stderr));
        assert_eq!(
            weir(data.path(), &["state", "export", file]).status.code(),
            Some(1),
            "nothing is overwritten"
        );
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir(other.path().join("state")).unwrap();
        let imported = weir(other.path(), &["state", "import", file, "--engine", engine.as_str()]);
        assert!(text(&imported.stdout).contains("checkpoint 1 at 1:39"), "{}", text(&imported.stderr));
        assert_eq!(text(&weir(other.path(), &["state", "get", KEY]).stdout), "value 7\n");
    }
}

#[test]
fn a_state_in_use_is_read_from_its_snapshot_and_not_replaced() {
    let data = tempfile::tempdir().unwrap();
    state(data.path(), EngineName::Redb);
    let _held = RealDisk::open(data.path()).unwrap().lock("lock").unwrap();
    let got = weir(data.path(), &["state", "get", KEY]);
    assert_eq!(text(&got.stdout), "value 7\n");
    assert!(text(&got.stderr).contains("a host runs on this folder"), "{}", text(&got.stderr));
    let file = data.path().join("state/00000000000000000001.snapshot");
    let imported = weir(data.path(), &["state", "import", file.to_str().unwrap()]);
    assert!(imported.status.code() == Some(1) && text(&imported.stderr).contains("end it first"));
}

#[test]
fn damage_of_a_snapshot_is_told() {
    let data = tempfile::tempdir().unwrap();
    state(data.path(), EngineName::Redb);
    let file = data.path().join("state/00000000000000000001.snapshot");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let verified = weir(data.path(), &["state", "verify"]);
    let said = text(&verified.stdout);
    assert_eq!(verified.status.code(), Some(1));
    assert!(said.contains("redb: 300 keys") && said.contains("snapshot: NOT as it was written"), "{said}");
}
