//! The contract of both disks, and what the simulated one does of its own.

use super::*;
use crate::{RealDisk, is_full, read_full_at, replace, write_all_at};

fn read(disk: &dyn Disk, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    assert_eq!(read_full_at(&*file, 0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// The contract of both disks.
fn check(disk: &dyn Disk) {
    assert_eq!(disk.open("a").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.open_writable("a").unwrap_err().kind(), io::ErrorKind::NotFound);
    let file = disk.create("a").unwrap();
    write_all_at(&*file, 0, b"0123456789").unwrap();
    write_all_at(&*file, 12, b"cd").unwrap();
    file.sync().unwrap();
    assert_eq!(read(disk, "a"), b"0123456789\0\0cd");
    file.set_len(4).unwrap();
    assert_eq!(read(disk, "a"), b"0123");
    replace(disk, "b", b"new").unwrap();
    replace(disk, "b", b"newer").unwrap();
    assert_eq!(disk.list().unwrap(), ["a", "b"]);
    disk.rename("a", "b").unwrap();
    assert_eq!(read(disk, "b"), b"0123");
    disk.remove("b").unwrap();
    disk.sync_dir().unwrap();
    assert!(disk.list().unwrap().is_empty());
}

#[test]
fn both_disks_do_the_same() {
    check(&SimDisk::new(1));
    let folder = tempfile::tempdir().unwrap();
    check(&RealDisk::open(&folder.path().join("new")).unwrap());
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(folder.path()).unwrap();
    let held = disk.lock("lock").unwrap();
    assert_eq!(disk.lock("lock").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(held);
    disk.lock("lock").unwrap();
}

#[test]
fn a_reboot_keeps_what_was_synced_and_any_part_of_the_rest() {
    let mut kept = [0; 3];
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let file = disk.create("a").unwrap();
        write_all_at(&*file, 0, &[1; 2_048]).unwrap();
        file.sync().unwrap();
        disk.sync_dir().unwrap();
        write_all_at(&*file, 2_048, &[2; 2_048]).unwrap();
        disk.reboot();
        assert!(file.len().is_err(), "handles of before are dead");
        let bytes = read(&disk, "a");
        assert_eq!(bytes[..2_048], [1; 2_048]);
        assert!(bytes[2_048..].iter().all(|byte| [0, 2].contains(byte)));
        let twos = bytes.iter().filter(|byte| **byte == 2).count();
        kept[if twos == 0 { 0 } else { 1 + usize::from(twos == 2_048) }] += 1;
    }
    assert!(kept.iter().all(|count| *count > 10), "none, some and all are kept at times: {kept:?}");
}

#[test]
fn a_name_is_lost_where_the_folder_was_not_synced() {
    let names = |seed| {
        let disk = SimDisk::new(seed);
        disk.create("a").unwrap().sync().unwrap();
        disk.reboot();
        disk.list().unwrap().len()
    };
    let lost = (0..100).filter(|seed| names(*seed) == 0).count();
    assert!((20..80).contains(&lost), "{lost}");
}

#[test]
fn a_sync_that_failed_forgets_what_it_should_have_written() {
    let lost = |seed| {
        let disk = SimDisk::new(seed);
        let file = disk.create("a").unwrap();
        disk.sync_dir().unwrap();
        write_all_at(&*file, 0, &[1; 512]).unwrap();
        disk.plan(0, Fault::Io);
        assert!(file.sync().is_err());
        write_all_at(&*file, 512, &[2; 512]).unwrap();
        assert_eq!(read(&disk, "a")[..512], [1; 512], "reads show it all the same");
        disk.reboot();
        read(&disk, "a").first() != Some(&1)
    };
    assert!((0..100).filter(|seed| lost(*seed)).count() > 20);
}

#[test]
fn planned_faults_fire_once_and_are_told() {
    let disk = SimDisk::new(3);
    disk.plan(1, Fault::Short);
    disk.plan(3, Fault::Full);
    let file = disk.create("a").unwrap();
    write_all_at(&*file, 0, &[7; 100]).unwrap();
    assert_eq!(read(&disk, "a"), [7; 100]);
    let refused = write_all_at(&*file, 100, &[7; 100]).unwrap_err();
    assert!(is_full(&refused));
    assert_eq!(disk.fired(), [(Call::Write, Fault::Short), (Call::Write, Fault::Full)]);
    disk.plan(0, Fault::Crash);
    assert!(file.sync().is_err() && file.sync().is_err() && disk.list().is_err());
    disk.reboot();
    disk.list().unwrap();
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = SimDisk::new(3);
    disk.set_capacity(Some(150));
    let file = disk.create("a").unwrap();
    assert_eq!(file.write_at(0, &[1; 100]).unwrap(), 100);
    assert_eq!(file.write_at(100, &[1; 100]).unwrap(), 50);
    assert!(is_full(&file.write_at(150, &[1; 100]).unwrap_err()));
    assert_eq!(file.write_at(20, &[2; 100]).unwrap(), 100, "what is there can be written over");
    disk.set_capacity(None);
    assert_eq!(file.write_at(150, &[1; 100]).unwrap(), 100);
}

#[test]
fn a_file_that_could_not_be_replaced_takes_no_room() {
    let sim = SimDisk::new(1);
    replace(&sim, "a", b"old").unwrap();
    sim.set_capacity(Some(10));
    let error = replace(&sim, "a", &[7; 100]).unwrap_err();
    assert!(is_full(&error), "{error}");
    assert_eq!(sim.list().unwrap(), ["a"]);
    assert_eq!((read(&sim, "a").as_slice(), sim.used()), (b"old".as_slice(), 3));
    sim.set_capacity(None);
    replace(&sim, "a", &[7; 100]).unwrap();
    assert_eq!(sim.used(), 100);
}

#[test]
fn what_a_rename_left_undone_never_moves_another_file() {
    for seed in 0..200 {
        let sim = SimDisk::new(seed);
        replace(&sim, "a", b"old").unwrap();
        drop(sim.create("a.tmp").unwrap());
        sim.sync_dir().unwrap();
        sim.remove("a.tmp").unwrap();
        let file = sim.create("a.tmp").unwrap();
        write_all_at(&*file, 0, b"new").unwrap();
        file.sync().unwrap();
        sim.rename("a.tmp", "a").unwrap();
        sim.reboot();
        let there = read(&sim, "a");
        assert!(there == b"old" || there == b"new", "{seed}: {there:?}");
    }
}
