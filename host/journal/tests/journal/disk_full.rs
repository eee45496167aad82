//! A disk without room, and room again.

use std::sync::Arc;

use weir_disk::{Disk, SimDisk};

use crate::records::{Maker, small};
use crate::there::{check_prefix, open, read};

#[test]
fn what_was_accepted_is_finished_with_the_reserve_and_goes_on_with_room() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (mut writer, opened) = open(&disk, small()).unwrap();
    assert!(writer.keep_reserve().unwrap());
    let mut maker = Maker::new(1, opened.position);
    let mut records = vec![maker.record()];
    writer.append(&records[0]).unwrap();
    assert!(writer.flush().unwrap());
    writer.sync().unwrap();
    sim.set_capacity(Some(sim.used()));

    records.push(maker.record());
    writer.append(&records[1]).unwrap();
    assert!(writer.flush().unwrap(), "the reserve gave the room");
    writer.sync().unwrap();
    assert!(writer.is_full(), "and nothing more is to be accepted");
    assert!(!writer.resume().unwrap());
    while writer.flush().unwrap() {
        records.push(maker.record());
        writer.append(records.last().unwrap()).unwrap();
    }
    let accepted = records.len();
    assert!(writer.waiting_bytes() > 0, "what came all the same waits");

    sim.set_capacity(None);
    assert!(writer.resume().unwrap() && !writer.is_full() && writer.waiting_bytes() == 0);
    writer.sync().unwrap();
    sim.reboot();
    open(&disk, small()).unwrap();
    let there = read(&disk, 0);
    assert_eq!(there.records.len(), accepted);
    check_prefix(&there, &records);
}

#[test]
fn a_disk_full_at_any_byte_loses_nothing_and_goes_on() {
    for room in (0..6_000).step_by(61) {
        let sim = SimDisk::new(room);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let (mut writer, opened) = open(&disk, small()).unwrap();
        writer.keep_reserve().unwrap();
        sim.set_capacity(Some(sim.used() + room));
        let mut maker = Maker::new(room, opened.position);
        let records: Vec<_> = (0..60).map(|_| maker.record()).collect();
        for (index, record) in records.iter().enumerate() {
            writer.append(record).unwrap();
            writer.flush().unwrap();
            writer.sync().unwrap();
            if index == 40 {
                sim.set_capacity(None);
            }
            writer.resume().unwrap();
        }
        assert!(!writer.is_full());
        writer.close().unwrap();
        let there = read(&disk, 0);
        assert_eq!((there.records.len(), there.damages, there.tail_bytes), (60, 0, 0), "room {room}");
        check_prefix(&there, &records);
    }
}
