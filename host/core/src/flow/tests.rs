//! A flow with units in plain Rust: order, roll-back, bisection, timers in pieces, derived streams, lanes.

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::batch::Incoming;
use crate::config::Topology;
use crate::plan::{Plan, PlannedPort, PlannedTable};
use crate::sequencer::Sequencer;
use crate::state::{Quota, SharedState, UnitState};
use crate::unit::{CallError, Context, Due, Fault, FaultKind, Input, NamedColumn, Output, Rows, Unit};

/// Counts rows by key in a table, wakes each key at its row's time, and emits the count when woken. Faults on the value 13, after it has written.
struct Counts(SharedState);

impl Unit for Counts {
    fn process(&mut self, _: &Context, input: &Input) -> Result<Vec<Output>, CallError> {
        use arrow_array::cast::AsArray;
        let values = input.columns[0].array.as_primitive::<arrow_array::types::Int64Type>().values().clone();
        let mut state = lock(&self.0);
        for (row, key) in input.keys.iter().enumerate() {
            let key = key.to_le_bytes();
            let old = u64::from_le_bytes(state.read(0, &key, &[]).unwrap().try_into().unwrap());
            state.write(0, &key, &[], &(old + 1).to_le_bytes()).unwrap().unwrap();
            state.wake(&key, &0_i64.to_le_bytes(), &input.time[row].to_le_bytes(), false).unwrap();
            if values[row] == 13 {
                return Err(trap());
            }
        }
        Ok(vec![Output::Forward { port: 1, rows: Rows::All, set: Vec::new(), omit: Vec::new() }])
    }

    fn tick(&mut self, _: &Context, due: &Due) -> Result<Vec<Output>, CallError> {
        let state = lock(&self.0);
        let handles: Vec<u8> = due.keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        let counts = state.read(0, &handles, &[]).unwrap();
        let counts = counts.chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
        let column = NamedColumn {
            name: "n".into(),
            array: Arc::new(Int64Array::from_iter_values(counts)),
            dictionary: None,
        };
        let time = due.times.clone().into();
        Ok(vec![Output::Emit { port: 0, triplet: None, time, keys: due.keys.clone(), columns: vec![column] }])
    }

    fn reset(&mut self) {}
}

/// Remembers each key and does nothing else.
struct Remembers(SharedState);

impl Unit for Remembers {
    fn process(&mut self, _: &Context, input: &Input) -> Result<Vec<Output>, CallError> {
        let keys: Vec<u8> = input.keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        let ones: Vec<u8> = input.keys.iter().flat_map(|_| 1_u64.to_le_bytes()).collect();
        lock(&self.0).write(0, &keys, &[], &ones).unwrap().unwrap();
        Ok(Vec::new())
    }

    fn tick(&mut self, _: &Context, _: &Due) -> Result<Vec<Output>, CallError> {
        Ok(Vec::new())
    }

    fn reset(&mut self) {}
}

fn trap() -> CallError {
    CallError::Fault(Box::new(Fault {
        unit: "p/u".into(),
        digest: "sha256:0".into(),
        call: "process",
        kind: FaultKind::Trap,
        message: "thirteen".into(),
        frames: Vec::new(),
        position: 0,
        rows: 0,
    }))
}

fn counting_plan() -> Plan {
    let table = PlannedTable { name: "counts".into(), by_key: true, size: Some(8), expire_ns: None };
    let port = |name: &str| PlannedPort { name: name.into(), summary: String::new() };
    Plan {
        keys: vec!["v".into()],
        ports: vec![port("out"), port("rest")],
        tables: vec![table],
        ..Plan::default()
    }
}

fn node(id: &str) -> Node {
    let plan = Arc::new(counting_plan());
    let state: SharedState = UnitState::new(&plan, Quota::default()).shared();
    let unit = Box::new(Counts(Arc::clone(&state)));
    Node::new(id.into(), "sha256:0".into(), plan, state, unit)
}

const TEXT: &str = r#"
[[pipeline]]
name = "p"
from = ["a/b/c"]
[[pipeline.unit]]
name = "u"
use = "any"
[[pipeline.series]]
metric = "m"
from = ["u"]
[[pipeline.stream]]
triplet = "a/b/derived"
from = ["u.rest"]

[[pipeline]]
name = "q"
from = ["a/b/derived"]
[[pipeline.unit]]
name = "u"
use = "any"
[[pipeline.series]]
metric = "k"
from = ["u"]
"#;

fn flow(lane: Option<Lane>) -> Flow {
    let topology = Topology::parse(TEXT).unwrap();
    let pipelines = topology.pipelines.iter().map(|spec| {
        let streams = if spec.streams.is_empty() { Vec::new() } else { vec![Target::Stream(0)] };
        let routes = vec![vec![vec![Target::Series(0)], streams]];
        Pipeline::new(Arc::new(spec.clone()), vec![node(&spec.units[0].id)], 1, vec![Target::Node(0)], routes)
    });
    Flow::new("p".into(), pipelines.collect(), lane)
}

fn rows(values: &[i64], times: &[i64]) -> Incoming {
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]));
    let columns = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(values.to_vec()))]).unwrap();
    Incoming {
        triplet: "a/b/c".parse().unwrap(),
        source: "test".into(),
        time: times.to_vec().into(),
        columns,
    }
}

const S: i64 = 1 << 30;

/// Key and count of all points that the records gave.
fn points(effects: &[Effects], pipeline: usize) -> Vec<(i64, i64)> {
    use arrow_array::cast::AsArray;
    let mut out = Vec::new();
    for ((index, _), batch) in effects.iter().flat_map(|effects| &effects.series) {
        if *index == pipeline {
            let column = |name: &str| {
                let array = batch.columns.column_by_name(name).unwrap();
                array.as_primitive::<arrow_array::types::Int64Type>().values().to_vec()
            };
            out.extend(column("v").into_iter().zip(column("n")));
        }
    }
    out.sort_unstable();
    out
}

fn done(outcome: Outcome) -> Effects {
    let Outcome::Done(effects) = outcome else { panic!("taken back") };
    effects
}

fn run(flow: &mut Flow, sequencer: &mut Sequencer, batches: &[(&[i64], &[i64])]) -> Vec<Effects> {
    let mut effects = Vec::new();
    for (values, times) in batches {
        let record = sequencer.batch(rows(values, times), 100 * S).unwrap();
        effects.push(done(flow.run(&record, true, &|| 0)));
    }
    for second in 102..106 {
        let record = sequencer.tick(second * S);
        effects.push(done(flow.run(&record, true, &|| 0)));
    }
    effects
}

#[test]
fn counts_come_out_when_the_watermark_passes_and_downstream_sees_every_row() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    let effects = run(&mut flow, &mut sequencer, &[(&[1, 2, 1], &[S, S, S]), (&[2], &[2 * S])]);
    assert_eq!(points(&effects, 0), [(1, 2), (2, 1), (2, 2)]);
    assert_eq!(points(&effects, 1).iter().map(|(_, n)| n).max(), Some(&2));
    assert_eq!(effects.iter().map(|effects| effects.derived.len()).sum::<usize>(), 2);
}

#[test]
fn a_poison_row_alone_goes_to_the_dead_letters_and_is_counted_nowhere() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    let effects = run(&mut flow, &mut sequencer, &[(&[1, 2, 13, 1, 2, 1, 1], &[S; 7])]);
    assert_eq!(points(&effects, 0), [(1, 4), (2, 2)]);
    let dead: Vec<_> = effects.iter().flat_map(|effects| &effects.dead).collect();
    assert_eq!((dead.len(), dead[0].batch.rows(), dead[0].batch.row_ids.get(0)), (1, 1, 2));
    assert_eq!((&*dead[0].code, &*dead[0].message), ("trap", "thirteen"));
    assert!(effects[0].faults.len() > 2 && flow.nodes().all(|node| !node.circuit.is_open()));
}

#[test]
fn a_unit_that_only_fails_opens_its_circuit_and_holds_its_flow() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    let bad: [(&[i64], &[i64]); 6] = [(&[13], &[S]); 6];
    run(&mut flow, &mut sequencer, &bad);
    assert!(flow.held(106 * S));
    flow.command(&Command::Unit { unit: "p/u".into(), run: Run::Running });
    assert!(!flow.held(106 * S));
}

/// Rows of the record at 77, as their unit refused them.
fn letter(values: &[i64]) -> DeadLetter {
    let mut sequencer = Sequencer::new(0, 1, 77);
    let record = sequencer.batch(rows(values, &vec![S; values.len()]), 50 * S).unwrap();
    let Payload::Batch { batch, .. } = record.payload else { panic!("no batch") };
    DeadLetter::new("p/u".into(), "sha256:0".into(), "trap".into(), "thirteen".into(), batch)
}

fn redeliver(flow: &mut Flow, letters: Vec<DeadLetter>) -> Effects {
    let mut sequencer = Sequencer::new(0, 1, 200);
    let command = Command::Redeliver { unit: "p/u".into(), letters: letters.into() };
    done(flow.run(&sequencer.command(command, 100 * S), true, &|| 0))
}

#[test]
fn letters_that_are_given_back_go_on_or_come_back_as_what_they_were() {
    let effects = redeliver(&mut flow(None), vec![letter(&[5]), letter(&[1, 13, 2])]);
    let went_on: Vec<_> = effects.derived.iter().map(|batch| (batch.position.offset, batch.rows())).collect();
    assert_eq!(went_on, [(200, 1), (200, 1), (200, 1)]);
    let dead = &effects.dead[0];
    assert_eq!((dead.rows(), dead.batch.row_ids.get(0), dead.batch.position.offset), (1, 1, 77));
    assert_eq!((&*dead.id.to_string(), dead.attempts, &*dead.pipeline), ("200-p/u-0", 2, "p"));
    assert_eq!(effects.dead.len(), 1);
}

#[test]
fn a_unit_that_refuses_all_that_is_given_back_gets_few_and_holds_nobody_up() {
    let mut flow = flow(None);
    let attempts = |effects: &Effects| effects.dead.iter().map(|letter| letter.attempts).collect::<Vec<_>>();
    let effects = redeliver(&mut flow, (0..20).map(|_| letter(&[13])).collect());
    assert_eq!(attempts(&effects), [[2; 16].as_slice(), &[1; 4]].concat());
    assert!(!flow.held(101 * S) && flow.nodes().all(|node| !node.circuit.is_open()));
    flow.command(&Command::Unit { unit: "p/u".into(), run: Run::Stopped });
    let effects = redeliver(&mut flow, vec![letter(&[1, 2])]);
    let dead = &effects.dead[0];
    assert_eq!((&*dead.code, dead.rows(), dead.attempts, effects.derived.len()), ("not-run", 2, 1, 0));
}

#[test]
fn letters_of_a_unit_that_went_meanwhile_are_letters_again() {
    let mut sequencer = Sequencer::new(0, 1, 200);
    let given: Vec<DeadLetter> = [letter(&[1, 13]), letter(&[2])]
        .into_iter()
        .map(|letter| DeadLetter { pipeline: "p".into(), ..letter })
        .collect();
    let command = Command::Redeliver { unit: "p/gone".into(), letters: given.into() };
    let effects = done(flow(None).run(&sequencer.command(command, 100 * S), true, &|| 0));
    let said: Vec<_> = effects
        .dead
        .iter()
        .map(|letter| (letter.id.to_string(), letter.rows(), letter.batch.position.offset, letter.attempts))
        .collect();
    assert_eq!(said, [("200-p/u-0".to_owned(), 2, 77, 1), ("200-p/u-1".to_owned(), 1, 77, 1)]);
    assert!(effects.dead[0].message.contains("the unit is gone") && &*effects.dead[0].pipeline == "p");
    assert!(effects.derived.is_empty());
}

#[test]
fn lanes_share_out_what_is_given_back() {
    let values: Vec<i64> = (100..140).collect();
    let by_lane = (0..3).map(|index| {
        let lane = Lane { index, count: 3, by: vec!["v".into()] };
        let effects = redeliver(&mut flow(Some(lane)), vec![letter(&values), letter(&[13])]);
        let rows: usize = effects.derived.iter().map(Batch::rows).sum();
        assert!(
            effects.dead.iter().all(|letter| letter.id.lane == index && letter.batch.row_ids.get(0) == 0)
        );
        (rows, effects.dead.len())
    });
    let (rows, dead) = by_lane.fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
    assert_eq!((rows, dead), (40, 1));
}

#[test]
fn a_unit_without_room_for_more_keys_is_counted_as_such() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    let node = &mut flow.pipelines[0].nodes[0];
    let quota = Quota { keys: 2, ..Quota::default() };
    node.state = UnitState::new(&node.plan, quota).shared();
    node.unit = Box::new(Counts(Arc::clone(&node.state)));
    let counters = Arc::clone(&node.counters);
    run(&mut flow, &mut sequencer, &[(&[1, 2], &[S; 2])]);
    assert_eq!(counters.over_quota_at_unix_ns(), None);
    let effects = run(&mut flow, &mut sequencer, &[(&[1, 3, 4, 5], &[S; 4])]);
    assert_eq!((effects[0].dead[0].rows(), &*effects[0].dead[0].code), (3, "keys-over-limit"));
    assert_eq!(counters::NodeCounters::get(&counters.over_quota), 3);
    assert!(counters.over_quota_at_unix_ns().is_some());
}

/// Where the streams of each pipeline are.
fn marks(flow: &Flow) -> Vec<i64> {
    flow.pipelines.iter().flat_map(|pipeline| pipeline.watermarks.all().map(|(_, mark)| mark)).collect()
}

#[test]
fn many_timers_come_in_pieces_over_the_records() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    let values: Vec<i64> = (100..30_100).collect();
    let times = vec![S; values.len()];
    let record = sequencer.batch(rows(&values, &times), 100 * S).unwrap();
    let mut effects = vec![done(flow.run(&record, true, &|| 0))];
    for step in 0..40 {
        let record = sequencer.tick((102 + step) * S);
        effects.push(done(flow.run(&record, true, &|| 0)));
        let emitted: usize =
            effects.last().unwrap().series.iter().filter(|((p, _), _)| *p == 0).map(|(_, b)| b.rows()).sum();
        assert!(emitted <= TIMERS_MIN);
        let total = points(&effects, 0).len();
        assert!(flow.owes() || total == 0 || total == 30_000, "{step}: {total}");
        // A command hands out none, so it moves no watermark: what is still to come would be late for the units behind.
        let owed = (marks(&flow), flow.owes());
        let other = Command::Unit { unit: "other/u".into(), run: Run::Running };
        done(flow.run(&sequencer.command(other, (102 + step) * S), true, &|| 0));
        assert_eq!((marks(&flow), flow.owes()), owed, "{step}");
    }
    assert!(!flow.owes());
    assert_eq!(points(&effects, 0).len(), 30_000);
    assert_eq!(points(&effects, 1).len(), 30_000);
}

#[test]
fn lanes_share_the_rows_out_and_lose_none() {
    let mut all = Vec::new();
    for index in 0..3 {
        let lane = Lane { index, count: 3, by: vec!["v".into()] };
        let (mut flow, mut sequencer) = (flow(Some(lane)), Sequencer::new(0, 1, 1));
        let values: Vec<i64> = (20..80).collect();
        let effects = run(&mut flow, &mut sequencer, &[(&values, &[S; 60])]);
        all.extend(points(&effects, 0));
    }
    all.sort_unstable();
    assert_eq!(all, (20..80).map(|value| (value, 1)).collect::<Vec<_>>());
}

#[test]
fn two_runs_over_one_log_are_equal() {
    let once = || {
        let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
        let effects =
            run(&mut flow, &mut sequencer, &[(&[3, 13, 3, 9], &[S, S, 2 * S, S]), (&[9, 4], &[3 * S, S])]);
        let text = |batch: &Batch| format!("{:?} {:?} {:?}", batch.triplet, batch.time, batch.columns);
        effects.iter().flat_map(|effects| &effects.series).map(|(_, batch)| text(batch)).collect::<Vec<_>>()
    };
    assert_eq!(once(), once());
}

#[test]
fn a_stopped_unit_ends_rows_and_counts_them() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    flow.command(&Command::Unit { unit: "p/u".into(), run: Run::Stopped });
    let effects = run(&mut flow, &mut sequencer, &[(&[1, 2], &[S, S])]);
    assert!(effects.iter().all(Effects::is_empty));
    let dropped: u64 = flow.nodes().map(|node| counters::NodeCounters::get(&node.counters.dropped)).sum();
    assert_eq!(dropped, 2);
}

#[test]
fn an_impatient_run_takes_a_faulty_record_back_and_the_patient_one_counts_it_once() {
    let (mut flow, mut sequencer) = (flow(None), Sequencer::new(0, 1, 1));
    let record = sequencer.batch(rows(&[1, 13, 1, 2], &[S; 4]), 100 * S).unwrap();
    let Outcome::TakenBack(left) = flow.run(&record, false, &|| 0) else { panic!("a fault was not noticed") };
    assert!(left.series.is_empty() && left.derived.is_empty() && left.faults.len() == 1);
    let mut effects = vec![done(flow.run(&record, true, &|| 0))];
    effects.extend(run(&mut flow, &mut sequencer, &[]));
    assert_eq!(points(&effects, 0), [(1, 2), (2, 1)]);
    let rows_in = flow.nodes().next().map(|node| counters::NodeCounters::get(&node.counters.rows_in));
    assert_eq!(rows_in, Some(4));
}

#[test]
fn entries_of_a_table_that_expires_go_a_while_after_their_last_write() {
    let mut plan = counting_plan();
    plan.tables[0].expire_ns = Some(10 * S);
    let plan = Arc::new(plan);
    let state: SharedState = UnitState::new(&plan, Quota::default()).shared();
    let unit = Box::new(Remembers(Arc::clone(&state)));
    let node = Node::new("p/u".into(), "sha256:0".into(), plan, Arc::clone(&state), unit);
    let spec = Arc::new(Topology::parse(TEXT).unwrap().pipelines[0].clone());
    let pipeline = Pipeline::new(spec, vec![node], 1, vec![Target::Node(0)], vec![vec![Vec::new(); 2]]);
    let (mut flow, mut sequencer) = (Flow::new("p".into(), vec![pipeline], None), Sequencer::new(0, 1, 1));
    let mut entries_after = |values: &[i64], second: i64| {
        let record = sequencer.batch(rows(values, &vec![second * S; values.len()]), 100 * S).unwrap();
        done(flow.run(&record, true, &|| 0));
        lock(&state).entries()
    };
    // A write counts from the watermark before its record: those of the second one from 50 s, of the third from 55 s.
    assert_eq!(entries_after(&[1], 50), 1);
    assert_eq!(entries_after(&[2, 3], 55), 3);
    assert_eq!(entries_after(&[2], 59), 3);
    // 3 was written at 50 s, 2 at 55 s; 1 was written while there was no watermark, so it counts from when it was accepted.
    assert_eq!(entries_after(&[4], 61), 3);
    assert_eq!(entries_after(&[4], 66), 2);
}
