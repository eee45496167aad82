//! The proof of live editing in small, and that its checker finds what is wrong.

use std::time::Duration;

use weir_tests::prove::edit::{Options, run};
use weir_tests::prove::sender::Lie;

fn options(edits: u32, seconds: u64, lie: Option<Lie>) -> Options {
    Options { edits, time: Duration::from_secs(seconds), rate: Some(20_000), seed: 7, lie }
}

#[test]
fn thirty_edits_under_load_lose_and_double_nothing() {
    let proof = run(&options(30, 20, None)).unwrap();
    assert!(proof.violations.is_empty(), "{:#?}\n{}", proof.violations, proof.json());
    assert_eq!(
        (proof.figure("edits"), proof.figure("lost"), proof.figure("double")),
        (Some(30.0), Some(0.0), Some(0.0))
    );
    assert!(
        proof.figure("events") > Some(100_000.0) && proof.figure("canaries") > Some(100.0),
        "{}",
        proof.json()
    );
}

#[test]
fn the_checker_finds_a_drop_a_duplicate_and_a_reorder() {
    let found = |lie: Lie| run(&options(1, 3, Some(lie))).unwrap();
    let dropped = found(Lie::Drop);
    assert!(dropped.figure("lost") >= Some(250.0) && !dropped.violations.is_empty(), "{}", dropped.json());
    let doubled = found(Lie::Duplicate);
    assert!(doubled.figure("double") >= Some(250.0) && !doubled.violations.is_empty(), "{}", doubled.json());
    let reordered = found(Lie::Reorder);
    assert!(
        reordered.figure("reordered") >= Some(1.0) && !reordered.violations.is_empty(),
        "{}",
        reordered.json()
    );
}
