//! What the command line shows of a folder.

use std::sync::Arc;

use serde_json::Value;
use weir_core::record::Payload;
use weir_disk::{Disk, RealDisk, SimDisk};
use weir_journal::offline;

use crate::records::{Maker, small};
use crate::there::open;

fn lines(bytes: &[u8]) -> Vec<Value> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_folder_is_shown_while_a_host_writes_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let (mut writer, opened) = open(&disk, small()).unwrap();
    let mut maker = Maker::new(1, opened.position);
    let mut events = 0;
    for _ in 0..100 {
        let record = maker.record();
        if let Payload::Batch { batch, .. } = &record.payload {
            events += batch.rows() as u64;
        }
        writer.append(&record).unwrap();
    }
    writer.flush().unwrap();

    let beside: Arc<dyn Disk> = Arc::new(RealDisk::open_existing(folder.path()).unwrap());
    let verified = offline::verify(Arc::clone(&beside)).unwrap();
    assert!(verified.is_good(), "{verified:?}");
    assert_eq!((verified.records, verified.events, verified.tail_bytes), (100, events, 0));
    assert_eq!(offline::ls(&*beside).unwrap().len() as u64, verified.segments);

    let mut out = Vec::new();
    assert_eq!(offline::cat(Arc::clone(&beside), 40, 10, &mut out).unwrap(), 10);
    let shown = lines(&out);
    assert_eq!((shown[0]["offset"].as_u64(), shown[9]["offset"].as_u64()), (Some(40), Some(49)));
    let mut out = Vec::new();
    let told = offline::export(Arc::clone(&beside), 0, &mut out).unwrap();
    assert!(told.is_whole() && told.events == events, "{told:?}");
    let exported = lines(&out);
    assert_eq!(exported.len() as u64, events);
    assert_eq!(exported[0]["application"], "shop");
    assert!(exported[0]["time"].is_i64() && exported.iter().any(|event| event["host"] == "host-0"));
}

#[test]
fn an_export_tells_what_is_missing_in_it() {
    let disk = SimDisk::new(1);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut writer, opened) = open(&shared, small()).unwrap();
    let mut maker = Maker::new(1, opened.position);
    (0..100).for_each(|_| writer.append(&maker.record()).unwrap());
    writer.close().unwrap();
    let whole = offline::export(Arc::clone(&shared), 0, &mut Vec::new()).unwrap();
    assert!(whole.is_whole(), "{whole:?}");
    let segments = weir_journal::segment::list(&disk).unwrap();
    let (damaged, removed) = (segments[1].to_string(), segments[3].to_string());
    assert!(disk.flip(&damaged, 600, 3));
    disk.remove(&removed).unwrap();
    let told = offline::export(Arc::clone(&shared), 0, &mut Vec::new()).unwrap();
    assert!(told.events < whole.events && !told.damaged.is_empty(), "{told:?}");
    let gone = (segments[3].first, segments[4].first);
    assert!(told.holes.contains(&gone), "{gone:?}: {told:?}");
}

#[test]
fn an_empty_folder_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    assert!(offline::verify(Arc::clone(&disk)).unwrap().is_good());
    assert!(offline::ls(&*disk).unwrap().is_empty());
}
