//! The box and its file: each letter once, whatever the disk does.

use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch};
use weir_core::batch::{Batch, Origin, Position, RowIds};
use weir_disk::sim::{Chance, Fault};
use weir_disk::{Disk, SimDisk};

use super::file::{DAMAGED, LetterFile, NAME, read};
use super::*;

fn letter(offset: u64, rows: usize) -> DeadLetter {
    let names: DictionaryArray<UInt32Type> = (0..1_000)
        .map(|n| Some(format!("host-{}", n % 700)))
        .collect::<Vec<_>>()
        .iter()
        .map(|n| n.as_deref())
        .collect();
    let names: ArrayRef = Arc::new(names.slice(offset as usize % 600, rows));
    let numbers: ArrayRef =
        Arc::new(Int64Array::from((0..rows).map(|n| (n % 3 > 0).then_some(n as i64)).collect::<Vec<_>>()));
    let batch = Batch {
        triplet: "a/b/c".parse().unwrap(),
        position: Position { log: 1, epoch: 2, offset },
        accepted_at_unix_ns: offset as i64 * 1_000,
        origin: Origin::Unit { id: "p/before".into(), ordinal: 3 },
        row_ids: RowIds::From(17),
        time: (0..rows).map(|row| -5 * row as i64).collect::<Vec<_>>().into(),
        columns: RecordBatch::try_from_iter([("host", names), ("n", numbers)]).unwrap(),
        hops: 1,
    };
    let letter = DeadLetter::new("p/u".into(), "sha256:00".into(), "trap".into(), "thirteen".into(), batch);
    DeadLetter { pipeline: "p".into(), attempts: 2, ..letter }
}

fn content(file: &dyn weir_disk::File) -> Vec<u8> {
    let mut bytes = vec![0; file.len().unwrap() as usize];
    weir_disk::read_full_at(file, 0, &mut bytes).unwrap();
    bytes
}

fn kept(offset: u64, rows: usize) -> Kept {
    Kept::of(&letter(offset, rows))
}

fn offsets(letters: &Letters) -> Vec<u64> {
    letters.iter().map(|kept| kept.id.offset).collect()
}

#[test]
fn a_letter_comes_back_as_it_was_and_small() {
    let before = letter(9, 5);
    let bytes = form::put(&before);
    assert!(bytes.len() < 400, "{}", bytes.len());
    let after = form::take(&bytes).unwrap();
    let said = |letter: &DeadLetter| {
        let ids: Vec<u32> = (0..letter.rows()).map(|row| letter.batch.row_ids.get(row)).collect();
        let rows: Vec<_> =
            (0..letter.rows()).map(|row| weir_core::recent::event(&letter.batch, row)).collect();
        format!(
            "{} {} {} {ids:?} {rows:?} {:?}",
            letter.id, letter.message, letter.attempts, letter.batch.origin
        )
    };
    assert_eq!(said(&before), said(&after));
    assert_eq!(bytes, form::put(&after), "the same again");
    for cut in 0..bytes.len() {
        assert!(form::take(&bytes[..cut]).is_none(), "{cut}");
    }
}

#[test]
fn the_oldest_go_first_and_are_counted() {
    let mut letters = Letters::default();
    letters.keep(Keep { rows: 10, ..Keep::ALL });
    (1..=5).for_each(|offset| assert!(letters.take(kept(offset, 4))));
    assert_eq!((offsets(&letters), letters.rows()), (vec![4, 5], 8));
    assert_eq!(letters.totals, Totals { made: 20, evicted: 12, ..Totals::default() });
    assert!(!letters.take(kept(2, 4)), "what was pushed out stays so when its record is run again");
    assert!(!letters.take(kept(5, 4)), "what is there is not there twice");
    letters.keep(Keep { age_ns: 1_000, ..Keep::ALL });
    letters.forget_old(5_500);
    assert_eq!(offsets(&letters), [5]);
    letters.keep(Keep { bytes: 1, ..Keep::ALL });
    assert_eq!(offsets(&letters), [5], "the newest is kept however large");
    assert_eq!((letters.of_unit("p/u"), letters.of_unit("p/other")), (1, 0));
}

#[test]
fn bounds_of_the_past_push_nothing_out() {
    let mut letters = Letters::default();
    let there = (1..=5).map(|offset| kept(offset, 4)).chain([kept(5, 4)]).collect();
    letters.restore(there, []);
    assert_eq!((letters.len(), letters.rows()), (5, 20));
    let small = Keep { rows: 4, ..Keep::ALL };
    letters.keep_at_least(small);
    assert_eq!(letters.len(), 5);
    letters.take(kept(6, 4));
    assert_eq!((letters.len(), letters.totals.evicted), (5, 4), "and yet there is a bound");
    letters.keep(small);
    assert_eq!(offsets(&letters), [6]);
}

fn flush(letters: &mut Letters, file: &mut LetterFile, durable: u64) -> std::io::Result<()> {
    if file.is_missing() || file.is_slack(letters.bytes()) {
        let whole = letters.whole(durable, 0);
        return file.make_anew(&whole);
    }
    let change = letters.change(durable);
    file.append(&change)
}

fn reopen(disk: &Arc<dyn Disk>) -> (LetterFile, Letters, (u64, usize)) {
    let (file, found) = LetterFile::open(Arc::clone(disk)).unwrap();
    let told = (found.torn_bytes, found.damaged.len());
    (file, found.into_letters(), told)
}

#[test]
fn nothing_is_written_before_its_record_is_durable() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (mut file, mut letters, _) = reopen(&disk);
    (1..=6).for_each(|offset| assert!(letters.take(kept(offset, 1))));
    flush(&mut letters, &mut file, 4).unwrap();
    assert_eq!(offsets(&reopen(&disk).1), [1, 2, 3]);
    // Given again by the record at 9, which is not durable yet.
    let id = kept(2, 1).id;
    assert!(letters.end(&id, 9, End::Replayed).is_some());
    flush(&mut letters, &mut file, 6).unwrap();
    assert_eq!(offsets(&reopen(&disk).1), [1, 2, 3, 4, 5]);
    // A new file has it too.
    let whole = letters.whole(6, 0);
    file.make_anew(&whole).unwrap();
    assert_eq!(offsets(&reopen(&disk).1), [1, 2, 3, 4, 5]);
    flush(&mut letters, &mut file, 10).unwrap();
    let (_, mut after, _) = reopen(&disk);
    assert_eq!(offsets(&after), [1, 3, 4, 5, 6]);
    assert!(!after.take(kept(2, 1)), "its record is run again, and it stays given back");
}

#[test]
fn a_file_of_which_most_is_gone_is_made_anew() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (mut file, mut letters, _) = reopen(&disk);
    letters.keep(Keep { rows: 3_000, ..Keep::ALL });
    let mut longest = 0;
    for offset in 0..1_500 {
        letters.take(kept(offset, 300));
        flush(&mut letters, &mut file, offset + 1).unwrap();
        longest = longest.max(file.bytes());
    }
    assert!(longest < (5 << 20), "{longest}");
    let (_, again, told) = reopen(&disk);
    assert_eq!((offsets(&again), told), ((1_490..1_500).collect(), (0, 0)));
}

/// Letters made, ended and flushed by chance; gives what a flush that returned well promised: (kept, gone).
fn life(disk: &Arc<dyn Disk>, chance: &mut Chance) -> Option<(BTreeSet<u64>, BTreeSet<u64>)> {
    let (mut file, found) = LetterFile::open(Arc::clone(disk)).ok()?;
    let mut letters = found.into_letters();
    let mut promised = None;
    for offset in 1..40 {
        letters.take(kept(offset, 1 + chance.below(3) as usize));
        if chance.below(3) == 0 {
            let id = kept(1 + chance.below(offset), 1).id;
            letters.end(&id, offset, End::Dropped);
        }
        if chance.below(4) == 0 && flush(&mut letters, &mut file, offset + 1).is_ok() {
            let kept = offsets(&letters).into_iter().collect();
            promised = Some((kept, letters.gone.iter().map(|id| id.offset).collect()));
        }
        if chance.below(15) == 0 {
            let whole = letters.whole(offset + 1, 0);
            drop(file.make_anew(&whole));
        }
    }
    promised
}

#[test]
fn every_call_may_fail_and_what_was_flushed_is_there_once() {
    let mut fired = 0;
    for call in 0..60 {
        for fault in [Fault::Io, Fault::Full, Fault::Short, Fault::Crash] {
            let sim = SimDisk::new(call);
            sim.plan(call, fault);
            let disk: Arc<dyn Disk> = Arc::new(sim.clone());
            let promised = life(&disk, &mut Chance::new(call));
            fired += sim.fired().len();
            sim.reboot();
            let (mut file, mut letters, (_, damaged)) = reopen(&disk);
            let there: BTreeSet<u64> = offsets(&letters).into_iter().collect();
            assert_eq!((there.len(), damaged), (letters.len(), 0), "call {call} {fault:?}");
            if let Some((kept, gone)) = promised {
                // Later flushes may have been written in part: what they ended may be gone, what they had may be there.
                assert!(gone.is_disjoint(&there), "call {call} {fault:?}");
                let later: BTreeSet<u64> = letters.gone.iter().map(|id| id.offset).collect();
                assert!(
                    kept.iter().all(|offset| there.contains(offset) || later.contains(offset)),
                    "call {call} {fault:?}"
                );
            }
            letters.take(kept(1_000, 1));
            flush(&mut letters, &mut file, 1_001).unwrap();
            assert_eq!(offsets(&reopen(&disk).1).last(), Some(&1_000));
        }
    }
    assert!(fired > 100, "{fired}");
}

#[test]
fn every_damaged_bit_is_found_and_told_and_the_rest_is_read() {
    let make = || {
        let sim = SimDisk::new(1);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let (mut file, mut letters, _) = reopen(&disk);
        for offset in 1..=3 {
            letters.take(kept(offset, 1));
            flush(&mut letters, &mut file, offset + 1).unwrap();
        }
        (sim, disk, file.bytes())
    };
    let (_, _, length) = make();
    for byte in 0..length {
        let (sim, disk, _) = make();
        assert!(sim.flip(NAME, byte, (byte % 8) as u8));
        let (mut file, mut letters, (torn_bytes, damaged)) = reopen(&disk);
        assert!(torn_bytes > 0 || damaged > 0, "byte {byte}");
        assert!(letters.len() >= 2, "byte {byte}: {:?}", offsets(&letters));
        assert_eq!(damaged > 0, disk.open(DAMAGED).is_ok());
        // It is mended by the next flush, and not told again.
        assert!(file.is_bad());
        flush(&mut letters, &mut file, 4).unwrap();
        assert_eq!(reopen(&disk).2, (0, 0), "byte {byte}");
    }
}

#[test]
fn what_seems_a_frame_in_the_rows_of_a_damaged_letter_is_none() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (mut file, mut letters, _) = reopen(&disk);
    // A whole file in a reason: letters, and ids that are gone; and what would cost a look at all that follows each time.
    let forged = SimDisk::new(2);
    let (mut other, mut others, _) = reopen(&(Arc::new(forged.clone()) as Arc<dyn Disk>));
    others.take(kept(900, 1));
    flush(&mut others, &mut other, 901).unwrap();
    others.end(&kept(2, 1).id, 2, End::Dropped);
    flush(&mut others, &mut other, 902).unwrap();
    let bytes = content(&*forged.open(NAME).unwrap());
    let mut hostile = letter(1, 1);
    hostile.batch.origin = Origin::Unit { id: "WL\u{1}\0\0\0\u{10}\0".repeat(200_000).into(), ordinal: 0 };
    let mut hostile = Kept::of(&hostile);
    hostile.bytes = [&hostile.bytes[..], &bytes[..]].concat().into();
    letters.take(hostile);
    letters.take(kept(2, 1));
    flush(&mut letters, &mut file, 3).unwrap();
    assert!(sim.flip(NAME, 60, 3));
    let (_, after, (_, damaged)) = reopen(&disk);
    assert_eq!((offsets(&after), damaged), (vec![2], 1));
}

#[test]
fn a_file_of_a_later_version_is_refused_and_not_touched() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let mut header = b"WEIRDEAD\x02\0\0\0".to_vec();
    header.extend_from_slice(&weir_disk::crc32c(&header).to_le_bytes());
    weir_disk::replace(&*disk, NAME, &header).unwrap();
    let said = LetterFile::open(Arc::clone(&disk)).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("version 2"), "{said}");
    assert!(read(&*disk).is_err());
}
