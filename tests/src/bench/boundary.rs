//! Bench `boundary`: what it costs to hand rows to a component and to take its decisions back, ns per row.
//!
//! Calls of one unit on decoded batches, as a flow makes them: filter (`latency_ms > 50`, one column of doubles read), transform (`latency_ms /
//! 1000`), rollup (count and sum by second and one of 100 hosts, whose numbers the host has made; its state is read, written and committed). And
//! whole flows, with projection, key numbers, decisions applied to batches of ten columns, timers and commit: chains of filters that each leave 2 % of the
//! rows away, and a rollup whose windows close. Beside each the same by hand in Rust (`native.rs`). CPU time of the thread; rounds take turns.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use weir::units::wasm::Made;
use weir::units::{Components, WasmUnit};
use weir_core::batch::{Batch, Incoming};
use weir_core::codec::{Decode, Defaults, Gather, JsonDecoder, Limits};
use weir_core::config::Topology;
use weir_core::flow::node::{Node, lock};
use weir_core::flow::{Flow, Outcome, Pipeline, Target};
use weir_core::projection::project;
use weir_core::record::{Payload, Record};
use weir_core::sequencer::Sequencer;
use weir_core::state::{Quota, UnitState};
use weir_core::unit::{Context, Input, Output};
use weir_engine::{Engine, Settings};

use super::Report;
use super::events::{self, Requests, TRIPLET};
use super::measure::{median, spread, thread_cpu_ns};
use super::native;

const SIZES: [usize; 4] = [16, 128, 1_024, 4_096];
const CHAINS: [usize; 3] = [1, 4, 8];
const ROUNDS: usize = 9;
const LEAST_ROUNDS: usize = 3;
/// CPU time of both ways together after which no further round is begun.
const ENOUGH_NS: u64 = 2_000_000_000;
/// Rows in one round, so that a round takes some ms.
pub const ROWS_PER_ROUND: usize = 1 << 18;
const FILTER_BUDGET_NS: f64 = 10.0;

/// ns per row, of the component and of the same by hand.
pub struct Pair {
    pub wasm: Vec<f64>,
    pub native: Vec<f64>,
}

pub fn run() -> Result<Report> {
    let engine = Engine::start(Settings::default()).context("start the engine")?;
    let components = Components::new(engine, None);
    let mut report =
        Report::new("boundary", &["ns per row", "rows", "component", "native", "component - native"]);
    for rows in SIZES {
        let batches = batches(rows)?;
        let mut add = |name: &str, pair: &Pair| {
            let price = median(&pair.wasm) - median(&pair.native);
            let cells =
                [rows.to_string(), spread(&pair.wasm, 2), spread(&pair.native, 2), format!("{price:.2}")];
            report.row(std::iter::once(name.to_owned()).chain(cells).collect());
        };
        let filter = filter(&components, &batches)?;
        add("filter, call", &filter);
        add("transform, call", &transform(&components, &batches)?);
        let rollup = rollup(&components, &batches)?;
        add("rollup by 100 keys, call", &rollup);
        let mut chain4 = None;
        for length in CHAINS {
            let pair = chain(&components, &batches, length)?;
            add(&format!("chain of {length} in a flow"), &pair);
            chain4 = chain4.or(Some(pair).filter(|_| length == 4));
        }
        add("rollup in a flow", &rollup_flow(&components, &batches)?);
        if rows == 1_024 {
            report.budgeted("filter_1024_ns", median(&filter.wasm), FILTER_BUDGET_NS);
            report.figure("filter_1024_native_ns", median(&filter.native));
            report.figure("rollup_1024_ns", median(&rollup.wasm));
            report.figure("rollup_1024_native_ns", median(&rollup.native));
            let chain4 = chain4.context("no chain of 4")?;
            report.figure("chain4_1024_ns", median(&chain4.wasm));
            report.figure("chain4_1024_native_ns", median(&chain4.native));
        }
    }
    Ok(report)
}

/// Decoded events in batches of that many rows, for one round.
pub fn batches(rows: usize) -> Result<Vec<Batch>> {
    let mut text = Vec::new();
    let mut requests = Requests::new(ROWS_PER_ROUND, events::now_unix_ms() - 700_000, 157_000);
    while requests.write_next(&mut text).is_some() {}
    batches_of(&text, rows)
}

/// The events of a round in batches of that many rows.
pub fn batches_of(text: &[u8], rows: usize) -> Result<Vec<Batch>> {
    let limits = Limits { batch_rows_max: rows, ..Limits::default() };
    let (mut gather, mut rejected) = (Gather::new(limits, "bench"), Vec::new());
    JsonDecoder::new().decode(text, true, 0, &Defaults::new("bench"), &mut gather, &mut rejected);
    let mut incoming = gather.take_full();
    incoming.extend(gather.take_all());
    ensure!(
        incoming.len() == ROWS_PER_ROUND / rows && rejected.is_empty(),
        "the codec made {} batches",
        incoming.len()
    );
    let mut sequencer = Sequencer::new(0, 1, 0);
    incoming.into_iter().map(|incoming| batch_of(sequenced(&mut sequencer, incoming)?)).collect()
}

fn sequenced(sequencer: &mut Sequencer, incoming: Incoming) -> Result<Record> {
    Ok(sequencer.batch(incoming, events::now_unix_ms() * 1_000_000)?)
}

fn batch_of(record: Record) -> Result<Batch> {
    match record.payload {
        Payload::Batch { batch, .. } => Ok(batch),
        _ => Err(anyhow!("the sequencer made no batch")),
    }
}

pub fn node(components: &Components, uses: &str, name: &str, config: &Value) -> Result<Node> {
    let refused = |problems: Vec<(String, String)>| anyhow!("{uses}: {problems:?}");
    let loaded = components.load(uses).map_err(|error| anyhow!("{error}; build the components first"))?;
    let config = components.complete(&loaded, config).map_err(refused)?;
    let plan = components.plan_of(&loaded, &config).map_err(refused)?;
    let state = UnitState::new(&plan, Quota::default()).shared();
    let made = Made {
        component: loaded.component,
        plan: Arc::clone(&plan),
        id: format!("bench/{name}").into(),
        pipeline: "bench".into(),
        name: name.into(),
        config: config.to_string().into(),
        lane: 0,
        lanes: 1,
        // Time of the wall: a busy machine makes figures worse, not missing.
        limits: weir_engine::Limits { deadline_ms: 10_000, ..weir_engine::Limits::default() },
        // As in a pipeline that takes the first port alone.
        unconnected: Arc::new([Arc::from("rest")]),
    };
    let (id, digest) = (Arc::clone(&made.id), Arc::clone(made.component.digest()));
    let unit = Box::new(WasmUnit::new(made, Arc::clone(&state)));
    Ok(Node::new(id, digest, plan, state, unit))
}

/// What the unit gets to see of the batches.
pub fn inputs(node: &Node, batches: &[Batch]) -> Result<Vec<Input>> {
    let input = |batch: &Batch| {
        let (projected, refused) = project(batch, &node.plan);
        ensure!(refused.is_empty(), "the projection refuses rows: {}", refused.len());
        let (batch, columns) = projected.context("the projection leaves nothing")?;
        let keys = lock(&node.state).number(&batch).into();
        Ok(Input { triplet: batch.triplet.clone(), time: batch.time.clone(), keys, columns })
    };
    batches.iter().map(input).collect()
}

/// Rounds of both ways in turn; the first of each is not counted. Slow ones get fewer rounds, so that a bench of many ends.
pub fn turns(mut wasm: impl FnMut() -> Result<()>, mut native: impl FnMut() -> Result<()>) -> Result<Pair> {
    let mut pair = Pair { wasm: Vec::new(), native: Vec::new() };
    let begun_ns = thread_cpu_ns()?;
    for round in 0..=ROUNDS {
        if round > LEAST_ROUNDS && thread_cpu_ns()? - begun_ns > ENOUGH_NS {
            break;
        }
        let timed = |way: &mut dyn FnMut() -> Result<()>| {
            let begun_ns = thread_cpu_ns()?;
            way()?;
            anyhow::Ok((thread_cpu_ns()? - begun_ns) as f64 / ROWS_PER_ROUND as f64)
        };
        let (wasm, native) = (timed(&mut wasm)?, timed(&mut native)?);
        if round > 0 {
            pair.wasm.push(wasm);
            pair.native.push(native);
        }
    }
    Ok(pair)
}

/// One call for each input.
pub fn calls(node: &mut Node, inputs: &[Input]) -> Result<()> {
    let context = Context::default();
    for input in inputs {
        let outputs = node.unit.process(&context, input);
        let outputs = outputs.map_err(|error| anyhow!("the unit fails: {error:?}"))?;
        let rejects = outputs.iter().any(|output| matches!(output, Output::Reject { .. }));
        ensure!(!rejects, "the unit rejects rows");
        black_box(outputs);
        lock(&node.state).commit();
    }
    Ok(())
}

fn filter(components: &Components, batches: &[Batch]) -> Result<Pair> {
    let mut node = node(components, "filter", "filter", &json!({ "keep": "latency_ms > 50" }))?;
    let inputs = inputs(&node, batches)?;
    let native =
        || inputs.iter().try_for_each(|input| native::filter(input, 50.0).map(|mask| drop(black_box(mask))));
    turns(|| calls(&mut node, &inputs), native)
}

fn transform(components: &Components, batches: &[Batch]) -> Result<Pair> {
    let config = json!({ "set": { "latency_s": "latency_ms / 1000" } });
    let mut node = node(components, "transform", "transform", &config)?;
    let inputs = inputs(&node, batches)?;
    let native =
        || inputs.iter().try_for_each(|input| native::transform(input).map(|column| drop(black_box(column))));
    turns(|| calls(&mut node, &inputs), native)
}

pub fn rollup_config() -> Value {
    let sum = json!({ "of": "latency_ms", "is": "sum" });
    json!({ "keys": ["host"], "window": "1s", "aggregates": { "n": "count", "sum_ms": sum } })
}

/// The watermark of the default context is 0: no window closes, each call adds to those that there are.
fn rollup(components: &Components, batches: &[Batch]) -> Result<Pair> {
    let mut node = node(components, "rollup", "rollup", &rollup_config())?;
    let inputs = inputs(&node, batches)?;
    let native = || {
        let mut rollup = native::Rollup::default();
        inputs.iter().try_for_each(|input| rollup.fold(input))?;
        black_box(rollup);
        Ok(())
    };
    turns(|| calls(&mut node, &inputs), native)
}

/// A flow of one pipeline: the nodes one after the other, the last one's first port into a series.
pub fn flow(nodes: Vec<Node>) -> Result<Flow> {
    let units: String = nodes
        .iter()
        .enumerate()
        .map(|(at, _)| format!("[[pipeline.unit]]\nname = \"u{at}\"\nuse = \"any\"\n"))
        .collect();
    let text = format!(
        "[[pipeline]]\nname = \"bench\"\nfrom = [\"{TRIPLET}\"]\nlateness = \"3s\"\n{units}[[pipeline.series]]\nmetric = \"bench\"\n"
    );
    let topology = Topology::parse(&text).map_err(|problems| anyhow!("{problems:?}"))?;
    let spec = topology.pipelines.into_iter().next().context("no pipeline")?;
    let last = nodes.len().saturating_sub(1);
    let out = |at: usize| if at == last { Target::Series(0) } else { Target::Node(at + 1) };
    let routes = nodes.iter().enumerate().map(|(at, node)| {
        let ports = node.plan.ports.iter().enumerate();
        ports.map(|(port, _)| if port == 0 { vec![out(at)] } else { Vec::new() }).collect()
    });
    let (routes, units) = (routes.collect(), nodes.len());
    let pipeline = Pipeline::new(Arc::new(spec), nodes, units, vec![Target::Node(0)], routes);
    Ok(Flow::new("bench".into(), vec![pipeline], None))
}

/// A record for each batch, in event time after those of the round before.
pub fn records(sequencer: &mut Sequencer, batches: &[Batch], round: i64) -> Result<Vec<Record>> {
    let shift_ns = round * 160_000_000_000;
    let record = |batch: &Batch| {
        let time: Vec<i64> = batch.time.iter().map(|time| time + shift_ns).collect();
        let (triplet, columns) = (batch.triplet.clone(), batch.columns.clone());
        let incoming = Incoming { triplet, source: "bench".into(), time: time.into(), columns };
        // As late as the events themselves, so that none of them is in the future.
        Ok(sequencer.batch(incoming, events::now_unix_ms() * 1_000_000 + shift_ns)?)
    };
    batches.iter().map(record).collect()
}

/// Rows that came out.
fn run_all(flow: &mut Flow, records: &[Record]) -> Result<usize> {
    let mut rows = 0;
    for record in records {
        let Outcome::Done(effects) = flow.run(record, true, &|| 0) else {
            bail!("the flow took a record back")
        };
        ensure!(
            effects.faults.is_empty() && effects.dead.is_empty(),
            "the flow loses rows: {:?}",
            effects.faults
        );
        rows += effects.series.iter().map(|(_, batch)| batch.rows()).sum::<usize>();
    }
    Ok(rows)
}

/// The bounds of a chain: each leaves away another 2 % of latencies from 0 to 100.
fn bounds(length: usize) -> Vec<f64> {
    (1..=length).map(|at| 2.0 * at as f64).collect()
}

fn chain(components: &Components, batches: &[Batch], length: usize) -> Result<Pair> {
    let bounds = bounds(length);
    let filter = |(at, least): (usize, &f64)| {
        node(components, "filter", &format!("u{at}"), &json!({ "keep": format!("latency_ms > {least}") }))
    };
    let mut flow = flow(bounds.iter().enumerate().map(filter).collect::<Result<_>>()?)?;
    let records = records(&mut Sequencer::new(0, 1, 0), batches, 0)?;
    let (mut of_flow, mut by_hand) = (0, 0);
    let native = || {
        by_hand = 0;
        for batch in batches {
            by_hand += black_box(native::chain(batch, &bounds)?).rows();
        }
        Ok(())
    };
    let wasm = || {
        of_flow = run_all(&mut flow, &records)?;
        Ok(())
    };
    let pair = turns(wasm, native)?;
    ensure!(of_flow == by_hand, "{of_flow} rows came out of the flow, {by_hand} by hand");
    Ok(pair)
}

fn rollup_flow(components: &Components, batches: &[Batch]) -> Result<Pair> {
    let node = node(components, "rollup", "u0", &rollup_config())?;
    let inputs = inputs(&node, batches)?;
    let mut flow = flow(vec![node])?;
    let mut sequencer = Sequencer::new(0, 1, 0);
    let rounds = (0..=ROUNDS).map(|round| records(&mut sequencer, batches, round as i64));
    let mut rounds = rounds.collect::<Result<Vec<_>>>()?.into_iter();
    let mut windows = 0;
    let wasm = || {
        windows += run_all(&mut flow, &rounds.next().context("no more rounds")?)?;
        Ok(())
    };
    let native = || {
        let mut rollup = native::Rollup::default();
        inputs.iter().try_for_each(|input| rollup.fold(input))?;
        black_box(rollup);
        Ok(())
    };
    let pair = turns(wasm, native)?;
    ensure!(windows > 100_000, "only {windows} windows closed");
    Ok(pair)
}
