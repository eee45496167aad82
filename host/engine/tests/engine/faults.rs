//! What a guest does wrong in a call, and the fault that it is.

use std::time::{Duration, Instant};

use weir_engine::*;

use crate::guest::{Guest, process};

/// Runs `process` of a guest that must fault; then the instance must refuse any further call.
fn fault_of(guest: &Guest) -> Fault {
    let (mut unit, _) = guest.opened();
    let fault = process(&mut unit).unwrap_err();
    assert!(unit.is_spent());
    assert_eq!(process(&mut unit).unwrap_err().kind, FaultKind::Host);
    fault
}

#[test]
fn a_good_guest_answers_call_after_call() {
    let (mut unit, _) = Guest::default().opened();
    for _ in 0..1000 {
        assert_eq!(process(&mut unit).unwrap().unwrap(), []);
    }
    assert_eq!((unit.calls(), unit.memory_bytes()), (1002, 65536));
    unit.close().unwrap();
}

#[test]
fn an_endless_loop_is_cut_at_the_deadline() {
    let guest = Guest { process: "(loop $spin (br $spin)) (unreachable)", ..Guest::default() };
    let (mut unit, _) = guest.opened();
    let start = Instant::now();
    let fault = process(&mut unit).unwrap_err();
    let took = start.elapsed();
    assert_eq!((fault.kind, fault.call), (FaultKind::Deadline, "process"));
    assert_eq!(fault.message, "ran into its deadline of 50 ms");
    assert!(took >= Duration::from_millis(40), "{took:?}");
    // A busy machine may wake the ticker late; on an idle one it is below 51 ms.
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn too_much_memory_is_a_memory_fault() {
    let process = "(loop $more (drop (memory.grow (i32.const 16))) (br $more)) (unreachable)";
    let fault = fault_of(&Guest { process, ..Guest::default() });
    assert_eq!(fault.kind, FaultKind::Memory);
    assert_eq!(fault.message, "asked for 67174400 bytes of memory, granted are 67108864");
}

#[test]
fn endless_recursion_is_a_stack_fault() {
    let items = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let fault = fault_of(&Guest { items, process: "(call $deep (i32.const 0))", ..Guest::default() });
    assert_eq!((fault.kind, fault.frames.len()), (FaultKind::Stack, 16));
    assert!(fault.frames[0].ends_with("!deep"), "{:?}", fault.frames);
}

#[test]
fn a_trap_shows_frames_and_last_words() {
    let process = "(call $log (i32.const 3) (i32.const 32) (i32.const 14)) (unreachable)";
    let guest = Guest { process, ..Guest::default() };
    let (mut unit, seen) = guest.opened();
    let fault = crate::guest::process(&mut unit).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert_eq!(
        fault.message,
        "wasm trap: wasm `unreachable` instruction executed; its last words: the last words"
    );
    assert!(fault.frames[0].contains("process"), "{:?}", fault.frames);
    assert_eq!(seen.lines(), ["Error the last words"]);
}

#[test]
fn a_lying_result_is_a_contract_fault() {
    let process = "
        (i32.store (i32.const 1032) (i32.const 1100)) (i32.store (i32.const 1036) (i32.const 1))
        (i32.store (i32.const 1108) (i32.const 1)) (i32.store (i32.const 1116) (i32.const 2))
        (i32.const 1024)";
    let fault = fault_of(&Guest { process, ..Guest::default() });
    assert_eq!(fault.kind, FaultKind::Contract);
    assert_eq!(fault.message, "output 0: mask has 2 bytes, expected one for each of 3 rows");
}

#[test]
fn a_list_outside_of_memory_is_a_contract_fault() {
    let process = "
        (i32.store (i32.const 1032) (i32.const 1100)) (i32.store (i32.const 1036) (i32.const 100000))
        (i32.const 1024)";
    let fault = fault_of(&Guest { process, ..Guest::default() });
    assert_eq!((fault.kind, fault.call), (FaultKind::Contract, "process"));
    assert!(fault.message.contains("out of bounds"), "{}", fault.message);
}

#[test]
fn handing_over_too_much_is_a_memory_fault() {
    let process = "
        (i32.store (i32.const 1032) (i32.const 1100)) (i32.store (i32.const 1036) (i32.const 1))
        (i32.store (i32.const 1108) (i32.const 1)) (i32.store (i32.const 1116) (i32.const 2000))
        (i32.const 1024)";
    let guest = Guest { process, ..Guest::default() };
    let (mut unit, _) = guest.opened_with(Limits { transfer_bytes: 1000, ..Limits::default() });
    let fault = crate::guest::process(&mut unit).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Memory, "{fault}");
}

#[test]
fn a_failure_is_no_fault_but_spends_the_instance() {
    let process = "
        (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1032) (i32.const 2))
        (i32.store (i32.const 1036) (i32.const 32)) (i32.store (i32.const 1040) (i32.const 3))
        (i32.const 1024)";
    let (mut unit, _) = Guest { process, ..Guest::default() }.opened();
    let failure = crate::guest::process(&mut unit).unwrap().unwrap_err();
    assert_eq!((failure.verdict, failure.code.as_str()), (check::Verdict::Fail, "the"));
    assert!(unit.is_spent());
}

#[test]
fn state_is_reached_and_its_bytes_arrive() {
    let process =
        "(call $read (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 512))
        (if (i32.ne (i32.load (i32.load (i32.const 512))) (i32.load (i32.const 16))) (then (unreachable)))
        (i32.const 1024)";
    let (mut unit, seen) = Guest { process, ..Guest::default() }.opened();
    crate::guest::process(&mut unit).unwrap().unwrap();
    assert_eq!(seen.lines(), ["read [123, 125, 0, 0]"]);
}

#[test]
fn misuse_of_state_is_a_contract_fault() {
    let cases = [
        (
            "(i32.const 7) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0)",
            "state.read: table 7 is not in the plan",
        ),
        (
            "(i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0)",
            "state.read: handles are 5 bytes, not a multiple of 4",
        ),
        (
            "(i32.const 0) (i32.const 16) (i32.const 4) (i32.const 16) (i32.const 4)",
            "state.read: 4 bytes of slots, expected are 8",
        ),
    ];
    for (arguments, expected) in cases {
        let process: &'static str =
            Box::leak(format!("(call $read {arguments} (i32.const 512)) (i32.const 1024)").into_boxed_str());
        let fault = fault_of(&Guest { process, ..Guest::default() });
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Contract, expected));
        assert!(fault.frames[0].contains("process"), "{:?}", fault.frames);
    }
}

#[test]
fn a_panic_of_the_host_is_a_host_fault() {
    let process =
        "(call $read (i32.const 13) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 512))
        (i32.const 1024)";
    let fault = fault_of(&Guest { process, ..Guest::default() });
    assert_eq!(fault.kind, FaultKind::Host);
    assert!(fault.message.contains("table 13"), "{}", fault.message);
}

#[test]
fn a_log_flood_is_counted_not_kept() {
    let items = "(global $n (mut i32) (i32.const 0))";
    let process = "(loop $more
            (call $log (i32.const 1) (i32.const 32) (i32.const 3))
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (global.get $n) (i32.const 5000))))
        (i32.const 1024)";
    let (mut unit, seen) = Guest { items, process, ..Guest::default() }.opened();
    crate::guest::process(&mut unit).unwrap().unwrap();
    assert_eq!((seen.lines().len(), unit.log_lines_dropped()), (100, 4900));
}

#[test]
fn imports_trap_in_describe() {
    let describe = "(call $log (i32.const 3) (i32.const 32) (i32.const 14)) (i32.const 1024)";
    let fault = Guest { describe, ..Guest::default() }.component().describe().unwrap_err();
    assert_eq!((fault.kind, fault.call), (FaultKind::Contract, "describe"));
    assert_eq!(fault.message, "log.write is not to be called from describe; it said: the last words");
    let describe =
        "(call $read (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 512))
        (i32.const 1024)";
    let fault = Guest { describe, ..Guest::default() }.component().describe().unwrap_err();
    assert_eq!(fault.message, "state.read is not to be called from describe");
}

#[test]
fn describe_and_plan_answer_and_are_bounded() {
    let component = Guest::default().component();
    assert_eq!(component.describe().unwrap(), "{}");
    assert_eq!(component.plan("{}").unwrap().unwrap(), "{}");
    let describe = "(drop (memory.grow (i32.const 8)))
        (memory.fill (i32.const 65536) (i32.const 120) (i32.const 300000))
        (i32.store (i32.const 1024) (i32.const 65536)) (i32.store (i32.const 1028) (i32.const 300000)) (i32.const 1024)";
    let fault = Guest { describe, ..Guest::default() }.component().describe().unwrap_err();
    assert_eq!(fault.message, "returned 300000 bytes, at most 262144 are taken");
}

#[test]
fn a_call_before_open_is_refused() {
    let component = Guest::default().component();
    let mut unit = UnitInstance::new(&component, crate::guest::imports(), Limits::default()).unwrap();
    assert_eq!(process(&mut unit).unwrap_err().message, "the instance was not opened");
    assert_eq!(unit.migrate(1, entries()).unwrap().unwrap(), []);
}

fn entries() -> given::Entries<'static> {
    let none = || given::Packed { offsets: &[], data: &[] };
    given::Entries { table: "t", keys: &[], names: none(), slots: &[], values: none() }
}
