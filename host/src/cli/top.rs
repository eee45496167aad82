//! `weir top`: the units of a running host, looked at again and again.
//!
//! In: `GET /api/pipelines` and `GET /api/sources`. Out: a table, the dearest units first, drawn anew in place on a terminal, one after the other
//! elsewhere; with `--json` one object per look. No raw mode and no alternate screen: Ctrl-C ends it, and what was last seen stays. A host that went
//! away is waited for; one that was never there is an error.

use std::cmp::Ordering;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::remote::Host;
use super::{TopArguments, say};

mod table;

/// Clears from the top left corner on.
const HOME_AND_CLEAR: &str = "\x1b[H\x1b[J";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Time of a core that it takes.
    Busy,
    Rate,
    Memory,
    Faults,
    Name,
}

/// One unit, with what its pipeline says of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
struct Unit {
    unit: String,
    component: String,
    state: String,
    rows_per_s: f64,
    ns_per_event: f64,
    /// Of one core.
    busy_percent: f64,
    memory_bytes: u64,
    lag_records: u64,
    lag_s: f64,
    faults_total: u64,
    rejected_total: u64,
}

/// One source.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
struct Source {
    source: String,
    kind: String,
    events_total: u64,
    /// Since the last look; none at the first.
    events_per_s: Option<f64>,
    rejected_total: u64,
    /// Datagrams that the kernel dropped.
    kernel_drops_total: u64,
    connections_open: u64,
}

pub fn top(arguments: &TopArguments) -> anyhow::Result<ExitCode> {
    let host = Host::parse(&arguments.server)?;
    let mut before: Option<(std::time::Instant, Vec<Source>)> = None;
    loop {
        match look(&host, arguments.sort) {
            Ok((units, mut sources)) => {
                let now = std::time::Instant::now();
                if let Some((at, before)) = &before {
                    rates(&mut sources, before, now.duration_since(*at).as_secs_f64());
                }
                print(arguments, &units, &sources)?;
                before = Some((now, sources));
            }
            Err(error) if before.is_some() && !arguments.once => {
                say(&format!("weir: {error:#}; trying again"));
            }
            Err(error) => return Err(error.context(format!("no running host at {}", arguments.server))),
        }
        if arguments.once {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(arguments.every);
    }
}

fn look(host: &Host, sort: Sort) -> anyhow::Result<(Vec<Unit>, Vec<Source>)> {
    let ask = |path: &str| {
        let answer = host.get(path)?;
        if !answer.is_good() {
            bail!("{path}: {}", answer.reason());
        }
        answer.json()
    };
    let mut units = units(&ask("/api/pipelines")?);
    units.sort_by(|left, right| order(sort, left, right).then_with(|| left.unit.cmp(&right.unit)));
    Ok((units, sources(&ask("/api/sources")?)))
}

fn order(sort: Sort, left: &Unit, right: &Unit) -> Ordering {
    match sort {
        Sort::Busy => right.busy_percent.total_cmp(&left.busy_percent),
        Sort::Rate => right.rows_per_s.total_cmp(&left.rows_per_s),
        Sort::Memory => right.memory_bytes.cmp(&left.memory_bytes),
        Sort::Faults => right.faults_total.cmp(&left.faults_total),
        Sort::Name => Ordering::Equal,
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str).unwrap_or_default();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn whole(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}

fn units(answer: &Value) -> Vec<Unit> {
    let mut units = Vec::new();
    for pipeline in list(answer, "pipelines") {
        for unit in list(pipeline, "units") {
            let (rows_per_s, ns_per_event) = (number(unit, "rows_per_s"), number(unit, "ns_per_event"));
            units.push(Unit {
                unit: text(unit, "id"),
                component: text(unit, "component"),
                state: text(unit, "state"),
                rows_per_s,
                ns_per_event,
                busy_percent: rows_per_s * ns_per_event / 1e7,
                memory_bytes: whole(unit, "memory_bytes"),
                lag_records: whole(pipeline, "lag_records"),
                lag_s: number(pipeline, "lag_s"),
                faults_total: whole(unit, "faults_total"),
                rejected_total: whole(unit, "rejected_total"),
            });
        }
    }
    units
}

fn sources(answer: &Value) -> Vec<Source> {
    let one = |source: &Value| Source {
        source: text(source, "name"),
        kind: text(source, "kind"),
        events_total: whole(source, "events_total"),
        events_per_s: None,
        rejected_total: whole(source, "rejected_total"),
        kernel_drops_total: whole(source, "kernel_drops_total"),
        connections_open: whole(source, "connections_open"),
    };
    list(answer, "sources").map(one).collect()
}

/// A host that was started anew counts from 0: that is no negative rate.
fn rates(sources: &mut [Source], before: &[Source], seconds: f64) {
    for source in sources {
        let last = before.iter().find(|last| last.source == source.source);
        source.events_per_s = last
            .and_then(|last| source.events_total.checked_sub(last.events_total))
            .filter(|_| seconds > 0.0)
            .map(|events| events as f64 / seconds);
    }
}

fn print(arguments: &TopArguments, units: &[Unit], sources: &[Source]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", json!({ "units": units, "sources": sources }))?;
        return Ok(out.flush()?);
    }
    let terminal = std::io::stdout().is_terminal() && !arguments.once;
    let (columns, lines) = if terminal { size() } else { (usize::MAX, usize::MAX) };
    let text = table::draw(&arguments.server, units, sources, columns, lines);
    let begin = if terminal { HOME_AND_CLEAR } else { "" };
    let end = if terminal || arguments.once { "" } else { "\n" };
    write!(out, "{begin}{text}{end}").and_then(|()| out.flush()).context("write the table")
}

/// Columns and lines of the terminal; what every terminal has where it does not say.
fn size() -> (usize, usize) {
    let size = terminal_size::terminal_size();
    size.map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn answer() -> Value {
        json!({ "pipelines": [
            { "name": "p", "lag_records": 3, "lag_s": 0.5, "units": [
                { "id": "p/cheap", "component": "filter", "state": "running", "rows_per_s": 100.0, "ns_per_event": 5.0, "memory_bytes": 1_200_000, "faults_total": 2, "rejected_total": 0 },
                { "id": "p/dear", "component": "rollup", "state": "running", "rows_per_s": 1_000_000.0, "ns_per_event": 100.0, "memory_bytes": 900, "faults_total": 0, "rejected_total": 7 },
            ]},
        ]})
    }

    fn first(sort: Sort) -> String {
        let mut units = units(&answer());
        units.sort_by(|left, right| order(sort, left, right).then_with(|| left.unit.cmp(&right.unit)));
        units[0].unit.clone()
    }

    #[test]
    fn units_are_read_and_sorted() {
        let units = units(&answer());
        assert_eq!((units[1].busy_percent, units[1].lag_records), (10.0, 3));
        assert_eq!(first(Sort::Busy), "p/dear");
        assert_eq!(first(Sort::Rate), "p/dear");
        assert_eq!(first(Sort::Memory), "p/cheap");
        assert_eq!(first(Sort::Faults), "p/cheap");
        assert_eq!(first(Sort::Name), "p/cheap");
    }

    #[test]
    fn a_rate_is_over_the_time_between_two_looks_and_never_negative() {
        let source =
            |events: u64| json!({ "sources": [{ "name": "tcp", "kind": "tcp", "events_total": events }] });
        let before = sources(&source(100));
        let mut now = sources(&source(300));
        rates(&mut now, &before, 2.0);
        assert_eq!(now[0].events_per_s, Some(100.0));
        let mut anew = sources(&source(5));
        rates(&mut anew, &before, 2.0);
        assert_eq!(anew[0].events_per_s, None);
    }
}
