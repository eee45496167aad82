//! State against a plain model: writes, removals, roll-backs and layers in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::plan::PlannedTable;

const HANDLES: u32 = 6;

fn plan(size: Option<u32>) -> Plan {
    let table = PlannedTable { name: "t".into(), by_key: false, size, expire_ns: None };
    Plan { tables: vec![table], ..Plan::default() }
}

/// A state with one free table and the names a..f defined, so that handles 0..6 are known.
fn state(size: Option<u32>) -> UnitState {
    let mut state = UnitState::new(&plan(size), Quota::default());
    let names: Vec<u8> = (0..HANDLES).map(|n| b'a' + n as u8).collect();
    let offsets: Vec<u8> = (0..=HANDLES).flat_map(u32::to_le_bytes).collect();
    state.define(0, &offsets, &names).unwrap().unwrap();
    state
}

/// Handles and slots as a call wants them.
fn bytes(all: impl Iterator<Item = (u32, i64)> + Clone) -> [Vec<u8>; 2] {
    let handles = all.clone().flat_map(|(handle, _)| handle.to_le_bytes()).collect();
    [handles, all.flat_map(|(_, slot)| slot.to_le_bytes()).collect()]
}

fn read(state: &UnitState, handle: u32, slot: i64) -> u64 {
    let bytes = state.read(0, &handle.to_le_bytes(), &slot.to_le_bytes()).unwrap();
    u64::from_le_bytes(bytes.try_into().unwrap())
}

#[derive(Debug, Clone)]
enum Step {
    /// Of one call; the same address may come twice.
    Write(Vec<(u32, i64, u64)>),
    Remove(Vec<(u32, i64)>),
    Wake(u32, i64, i64),
    Commit,
    RollBack,
    Freeze,
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (handle, slot) = (0..HANDLES, 0..3_i64);
    let step = prop_oneof![
        6 => proptest::collection::vec((handle.clone(), slot.clone(), 1..u64::MAX), 1..5).prop_map(Step::Write),
        3 => proptest::collection::vec((handle, slot.clone()), 1..5).prop_map(Step::Remove),
        2 => (Just(0_u32), slot, 0..9_i64).prop_map(|(h, s, t)| Step::Wake(h, s, t)),
        2 => Just(Step::Commit),
        2 => Just(Step::RollBack),
        1 => Just(Step::Freeze),
        1 => Just(Step::Settle),
    ];
    proptest::collection::vec(step, 0..60)
}

type Model = (BTreeMap<(u32, i64), u64>, BTreeMap<(u32, i64), i64>);

fn apply(state: &mut UnitState, model: &mut Model, committed: &mut Model, mark: &mut Mark, step: &Step) {
    match step {
        Step::Write(all) => {
            let [handles, slots] = bytes(all.iter().map(|(h, s, _)| (*h, *s)));
            let values: Vec<u8> = all.iter().flat_map(|(.., v)| v.to_le_bytes()).collect();
            state.write(0, &handles, &slots, &values).unwrap().unwrap();
            model.0.extend(all.iter().map(|(h, s, v)| ((*h, *s), *v)));
        }
        Step::Remove(all) => {
            let [handles, slots] = bytes(all.iter().copied());
            state.remove(0, &handles, &slots).unwrap();
            model.0.retain(|at, _| !all.contains(at));
        }
        Step::Wake(h, s, t) => {
            state.wake(&h.to_le_bytes(), &s.to_le_bytes(), &t.to_le_bytes(), false).unwrap();
            model.1.insert((*h, *s), *t);
        }
        Step::Commit => {
            state.commit();
            committed.clone_from(model);
            *mark = state.mark();
        }
        Step::RollBack => {
            state.roll_back(*mark);
            model.clone_from(committed);
        }
        // Layers change between records only.
        Step::Freeze | Step::Settle => {
            state.commit();
            committed.clone_from(model);
            *mark = state.mark();
            let table = &mut state.tables_mut()[0];
            if matches!(step, Step::Freeze) && table.layers() < 4 {
                table.freeze();
            } else {
                table.settle();
            }
        }
    }
}

proptest! {
    #[test]
    fn state_is_what_a_map_would_be(steps in steps()) {
        let mut state = state(Some(8));
        let (mut model, mut committed) = (Model::default(), Model::default());
        let mut mark = state.mark();
        for step in &steps {
            apply(&mut state, &mut model, &mut committed, &mut mark, step);
            let all = (0..HANDLES).flat_map(|handle| (0..3).map(move |slot| (handle, slot)));
            let wanted = all.clone().flat_map(|at| model.0.get(&at).copied().unwrap_or(0).to_le_bytes());
            let [handles, slots] = bytes(all);
            prop_assert_eq!(state.read(0, &handles, &slots).unwrap(), wanted.collect::<Vec<u8>>());
            prop_assert_eq!(state.entries(), model.0.len());
            prop_assert_eq!(state.bytes(), model.0.len() * 8);
            prop_assert_eq!(state.timers(), model.1.len());
        }
        let page = state.scan(0, &[], &[], 1000).unwrap();
        prop_assert_eq!(page.handles.len() / 4, model.0.len());
        let due = state.take_due(0, 8, 4_096);
        prop_assert_eq!(due.keys.len(), model.1.len());
    }
}

/// However often a call names an address, its key is held once for it, and free when it is gone.
#[test]
fn keys_are_free_when_what_held_them_is_removed_twice_in_a_call() {
    let mut plan = plan(Some(8));
    plan.tables[0].by_key = true;
    plan.keys = vec!["v".into()];
    let mut state = UnitState::new(&plan, Quota::default());
    let keys = 5_000_u32;
    state.number(&numbers(keys));
    let twice = (0..keys).flat_map(|key| [(key, 7), (key, 7)]);
    let [handles, slots] = bytes(twice);
    let mark = state.mark();
    state.write(0, &handles, &slots, &vec![1; slots.len()]).unwrap().unwrap();
    state.roll_back(mark);
    assert_eq!(state.entries(), 0);
    state.write(0, &handles, &slots, &vec![2; slots.len()]).unwrap().unwrap();
    state.commit();
    assert_eq!((state.entries(), state.keys.take_forgotten().len()), (keys as usize, 0));
    let mark = state.mark();
    state.remove(0, &handles, &slots).unwrap();
    state.roll_back(mark);
    assert_eq!(state.entries(), keys as usize);
    state.commit();
    assert_eq!(state.keys.take_forgotten().len(), 0);
    state.remove(0, &handles, &slots).unwrap();
    state.commit();
    assert_eq!((state.entries(), state.keys.take_forgotten().len()), (0, keys as usize));
}

/// A batch whose column `v` counts up.
fn numbers(rows: u32) -> crate::batch::Batch {
    let values = arrow_array::Int64Array::from_iter_values(0..i64::from(rows));
    let columns = arrow_array::RecordBatch::try_from_iter([("v", Arc::new(values) as _)]).unwrap();
    crate::batch::Batch {
        triplet: crate::triplet::Triplet::new("shop", "prod", "order").unwrap(),
        position: crate::batch::Position::default(),
        accepted_at_unix_ns: 0,
        origin: crate::batch::Origin::Source("test".into()),
        row_ids: crate::batch::RowIds::From(0),
        time: vec![0; rows as usize].into(),
        columns,
        hops: 0,
    }
}

#[test]
fn a_wrong_table_handle_or_length_is_a_bug_with_a_text() {
    let mut state = state(Some(8));
    let handle = 0_u32.to_le_bytes();
    assert!(state.read(7, &handle, &[]).unwrap_err().0.contains("no table 7"));
    assert!(state.read(0, &99_u32.to_le_bytes(), &[]).unwrap_err().0.contains("never given"));
    assert!(state.read(0, &[1, 2], &[]).is_err());
    assert!(state.write(0, &handle, &[], &[1]).is_err());
    assert!(state.define(0, &[0, 0, 0, 0, 9, 0, 0, 0], b"x").is_err());
}

#[test]
fn a_full_state_refuses_and_writes_nothing() {
    let mut state = UnitState::new(&plan(None), Quota { entries: 1, ..Quota::default() });
    let offsets: Vec<u8> = [0_u32, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
    state.define(0, &offsets, b"a").unwrap().unwrap();
    let two = [0_u32, 0].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let slots = [0_i64, 1].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let offsets: Vec<u8> = [0_u32, 1, 2].iter().flat_map(|n| n.to_le_bytes()).collect();
    let refusal = state.write_packed(0, &two, &slots, &offsets, b"xy").unwrap().unwrap_err();
    assert_eq!((refusal.code, state.entries()), ("quota", 0));
}

#[test]
fn a_scan_goes_on_at_its_cursor() {
    let mut state = state(Some(8));
    for handle in 0..HANDLES {
        state.write(0, &handle.to_le_bytes(), &[], &[1; 8]).unwrap().unwrap();
    }
    let (mut cursor, mut seen) = (Vec::new(), Vec::new());
    loop {
        let page = state.scan(0, &[], &cursor, 4).unwrap();
        seen.extend(page.names.data);
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, b"abcdef");
}

#[test]
fn what_expired_comes_back_with_a_roll_back_and_waits_for_the_last_write() {
    let mut plan = plan(Some(8));
    plan.tables[0].expire_ns = Some(10);
    let mut state = UnitState::new(&plan, Quota::default());
    state.define(0, &[0, 0, 0, 0, 1, 0, 0, 0], b"a").unwrap().unwrap();
    let write = |state: &mut UnitState, value: u64| {
        state.write(0, &[0; 4], &[0; 8], &value.to_le_bytes()).unwrap().unwrap();
    };
    state.begin_call(100, 1_000);
    write(&mut state, 7);
    state.begin_call(105, 1_000);
    write(&mut state, 8);
    state.commit();
    state.expire_due(0, 112);
    assert_eq!(read(&state, 0, 0), 8);
    let mark = state.mark();
    state.expire_due(0, 116);
    assert_eq!((read(&state, 0, 0), state.expires()), (0, false));
    state.roll_back(mark);
    assert_eq!((read(&state, 0, 0), state.expires()), (8, true));
}
