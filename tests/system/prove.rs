//! The proofs in small, and that their checkers find what is wrong.

use std::time::Duration;

use weir_tests::prove::crash;
use weir_tests::prove::edit::{Options, run};
use weir_tests::prove::sender::Lie;
use weir_tests::prove::{Proof, disk};

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

#[test]
fn ten_kills_under_load_lose_and_double_nothing() {
    let options = crash::Options {
        cycles: 10,
        time: Duration::from_secs(240),
        engines: vec!["redb", "sled"],
        seed: 11,
    };
    let proof = crash::run(&options).unwrap();
    assert!(proof.violations.is_empty(), "{:#?}\n{}", proof.violations, proof.json());
    assert!(
        proof.figure("cycles") >= Some(10.0) && proof.figure("acked") > Some(1_000.0),
        "{}",
        proof.json()
    );
}

/// Each seventh call fails, 300 bits flip, 30 cases of the model for each engine.
fn disk_options(lie: Option<disk::Lie>) -> disk::Options {
    let engines = disk::engines();
    let flips = 300 / engines.len() as u64;
    disk::Options { engines, time: None, flips, cases: 30, every: 7, seed: 11, lie, process: lie.is_none() }
}

fn zero(proof: &Proof, name: &str) -> bool {
    proof.figure(name) == Some(0.0)
}

#[test]
fn a_disk_that_fails_loses_and_doubles_nothing() {
    let proof = disk::run(&disk_options(None)).unwrap();
    assert!(proof.violations.is_empty(), "{:#?}\n{}", proof.violations, proof.json());
    assert!(
        ["lost", "double", "reordered", "mismatched"].iter().all(|name| zero(&proof, name)),
        "{}",
        proof.json()
    );
    assert_eq!(proof.figure("faults_planned"), proof.figure("faults_fired"));
    assert!(
        proof.figure("faults_fired") > Some(80.0) && proof.figure("flips") == Some(300.0),
        "{}",
        proof.json()
    );
}

#[test]
fn the_checker_of_the_disk_finds_every_kind_of_violation() {
    let kinds = [
        (disk::Lie::Drop, "lost"),
        (disk::Lie::Duplicate, "double"),
        (disk::Lie::Swap, "reordered"),
        (disk::Lie::Stale, "mismatched"),
        (disk::Lie::Tail, "lost"),
    ];
    for (lie, figure) in kinds {
        let options = disk::Options {
            engines: vec![weir_checkpoint::EngineName::Redb],
            flips: 0,
            cases: 5,
            every: 60,
            ..disk_options(Some(lie))
        };
        let proof = disk::run(&options).unwrap();
        assert!(!zero(&proof, figure) && !proof.violations.is_empty(), "{lie:?}: {}", proof.json());
    }
}
