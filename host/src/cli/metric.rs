//! `weir metric`: metrics of a running host: made, tried, looked at, changed and taken away.
//!
//! In: arguments; they become the JSON of a metric as `docs/wire.md` has it. Out: tables or, with `--json`, the API's answer, on standard output; what a change came to is one line.
//! Each change is one command in the host's log and a revision of its configuration. Exit code 1: refused, with the reason; 3: another change came first.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::ask::{At, Change, ask, change, change_with, get, table, text, told};
use super::remote::encode;
use super::{print, say};

const EXAMPLES: &str = "\
Examples:
  weir metric add requests --from 'shop/*/request'
        how many each second, drawn as `requests`
  weir metric add execution_time --from 'web/*/request' --value execution_time_ms --key status_code \\
        --rollup 1s:median,max --rollup 1m:count --where 'status_code != 404'
  weir metric add traffic --from 'web/*/request' --value in=bytes_in --value kib_out='bytes_out / 1024' --rollup 10s:sum
  weir metric try slow --from 'web/*/request' --where 'execution_time_ms > 500' --key page
        what it would give, of the newest events; changes nothing
  weir metric ls
  weir metric show execution_time           how it is written, and its newest points
  weir metric set execution_time --rollup 5s:p99
  weir metric rm execution_time

A metric is short for units, series and a chart. Added while events come in it begins with those that the host still has of its streams (`--backfill none`: with the next).
`count` and `rate` need no value; of a value: count, sum, mean, min, max, first, last, median, p99 (any percentile), stddev, variance, distinct, rate, increase.
What was changed is a revision: see `weir config diff` and `weir config undo`. The page shows the chart at once.

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 another change came first";

/// What is taken where nothing is said.
const ROLLUP_DEFAULT: &str = "1s:count";
/// Points of each series that are shown.
const SHOWN_POINTS: usize = 3;
/// Series that are shown.
const SHOWN_SERIES: usize = 20;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct MetricArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All metrics: streams, series, chart.
    Ls {
        #[command(flatten)]
        at: At,
        /// The API's answer instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One metric: how it is written, what it stands for, its newest points.
    Show {
        #[command(flatten)]
        at: At,
        metric: String,
        /// The API's answer instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Makes a metric.
    #[command(after_help = EXAMPLES)]
    Add {
        #[command(flatten)]
        change: Change,
        /// Its series and chart are called after it.
        metric: String,
        #[command(flatten)]
        members: Members,
    },
    /// Runs a metric over the newest events without making it.
    #[command(visible_alias = "preview")]
    Try {
        #[command(flatten)]
        at: At,
        metric: String,
        #[command(flatten)]
        members: Members,
        /// The API's answer instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Changes members of a metric; what is not named stays.
    Set {
        #[command(flatten)]
        change: Change,
        metric: String,
        #[command(flatten)]
        members: Members,
        /// A member to leave out: where, key, value, lateness, backfill, chart; may be given often.
        #[arg(long, value_name = "MEMBER")]
        unset: Vec<String>,
    },
    /// Takes a metric away, with its units, series and chart.
    #[command(visible_alias = "remove")]
    Rm {
        #[command(flatten)]
        change: Change,
        metric: String,
        /// Also removes rules and charts on it.
        #[arg(long)]
        drop: bool,
    },
}

/// What a metric says.
#[derive(Args)]
struct Members {
    /// Streams: application/environment/type, where a part may be * or end in *; may be given often.
    #[arg(long, value_name = "STREAM")]
    from: Vec<String>,
    /// Which events, such as 'status != 404'. Default: all.
    #[arg(long = "where", value_name = "EXPRESSION")]
    condition: Option<String>,
    /// A column whose values part the series; may be given often, or several with commas. Default: one series.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// A column or an expression, such as 'bytes / 1024'; NAME=EXPRESSION, given often, for several.
    #[arg(long, value_name = "EXPRESSION")]
    value: Vec<String>,
    /// A window and what is wanted of it; may be given often. Default: 1s:count.
    #[arg(long, value_name = "WINDOW:FUNCTION[,FUNCTION]")]
    rollup: Vec<String>,
    /// How many points of each series are kept.
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// How late an event may come, such as 2s.
    #[arg(long, value_name = "DURATION")]
    lateness: Option<String>,
    /// recent: it begins with the newest events; none: with the next.
    #[arg(long, value_name = "WORD", value_parser = ["recent", "none"])]
    backfill: Option<String>,
    /// Title of its chart.
    #[arg(long, value_name = "TEXT", conflicts_with = "no_chart")]
    title: Option<String>,
    /// Makes no chart.
    #[arg(long)]
    no_chart: bool,
}

pub fn metric(arguments: MetricArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Ls { at, json } => ls(&at, json),
        Command::Show { at, metric, json } => show(&at, &metric, json),
        Command::Add { change: by, metric, members } => {
            change(&by, "POST", "/api/metrics", Some(&whole(&metric, &members)?))
        }
        Command::Try { at, metric, members, json } => preview(&at, &whole(&metric, &members)?, json),
        Command::Set { change, metric, members, unset } => set(&change, &metric, &members, &unset),
        Command::Rm { change: by, metric, drop } => {
            let query = if drop { "?drop=true" } else { "" };
            change(&by, "DELETE", &format!("{}{query}", path(&metric)), None)
        }
    }
}

fn path(metric: &str) -> String {
    format!("/api/metrics/{}", encode(metric))
}

impl Members {
    /// Only what was said.
    fn said(&self) -> anyhow::Result<Map<String, Value>> {
        let mut said = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                said.insert(name.to_owned(), value);
            }
        };
        put("from", Some(json!(self.from)).filter(|_| !self.from.is_empty()));
        put("where", self.condition.as_deref().map(Value::from));
        put("key", Some(json!(self.key)).filter(|_| !self.key.is_empty()));
        put("value", values(&self.value)?);
        let rollups = self.rollup.iter().map(|text| rollup(text, self.keep));
        let rollups = rollups.collect::<anyhow::Result<Vec<Value>>>()?;
        put("rollup", Some(rollups).filter(|rollups| !rollups.is_empty()).map(Value::from));
        put("lateness", self.lateness.as_deref().map(Value::from));
        put("backfill", self.backfill.as_deref().map(Value::from));
        put("chart", self.title.as_ref().map(|title| json!({ "title": title })));
        put("chart", self.no_chart.then_some(Value::Bool(false)));
        Ok(said)
    }
}

fn whole(metric: &str, members: &Members) -> anyhow::Result<Value> {
    let mut said = members.said()?;
    if !said.contains_key("from") {
        bail!(
            "which events? Add --from STREAM, like --from 'shop/*/request'; `weir stream ls` lists the streams"
        );
    }
    if !said.contains_key("rollup") {
        if said.contains_key("value") {
            bail!("what of the value? Add --rollup WINDOW:FUNCTION, like --rollup 1s:mean,max");
        }
        said.insert("rollup".into(), Value::Array(vec![rollup(ROLLUP_DEFAULT, members.keep)?]));
    }
    said.insert("name".into(), metric.into());
    Ok(Value::Object(said))
}

/// `x`, or `a=x` and `b=y`. `a == b` and `a >= b` are expressions and name nothing.
fn values(given: &[String]) -> anyhow::Result<Option<Value>> {
    let named = |text: &str| {
        let (name, expression) = text.split_once('=')?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (plain && !expression.starts_with('=')).then(|| (name.to_owned(), Value::from(expression)))
    };
    let parts: Vec<(Option<(String, Value)>, &String)> =
        given.iter().map(|text| (named(text), text)).collect();
    match parts.as_slice() {
        [] => Ok(None),
        [(None, only)] => Ok(Some(Value::from(only.as_str()))),
        several => {
            let mut out = Map::new();
            for (part, text) in several {
                let Some((name, expression)) = part else {
                    bail!("--value {text}: each of several values has a name, like --value ms='{text}'");
                };
                if out.insert(name.clone(), expression.clone()).is_some() {
                    bail!("--value {text}: there is already a value `{name}`");
                }
            }
            Ok(Some(Value::Object(out)))
        }
    }
}

/// `1s:median,max`
fn rollup(text: &str, keep: Option<u32>) -> anyhow::Result<Value> {
    let parts =
        text.split_once(':').filter(|(window, functions)| !window.is_empty() && !functions.is_empty());
    let (window, functions) = parts.with_context(|| {
        format!("--rollup {text}: write WINDOW:FUNCTION, like 1s:count or 10s:median,max")
    })?;
    let functions: Vec<&str> = functions.split(',').map(str::trim).collect();
    let is = match functions.as_slice() {
        [only] => json!(only),
        several => json!(several),
    };
    let mut rollup = json!({ "window": window.trim(), "is": is });
    if let Some(keep) = keep {
        rollup["keep"] = keep.into();
    }
    Ok(rollup)
}

fn set(by: &Change, metric: &str, members: &Members, unset: &[String]) -> anyhow::Result<ExitCode> {
    let known = get(&by.at, &path(metric))?;
    let mut wanted = known["written"].as_object().cloned().unwrap_or_default();
    let said = members.said()?;
    if said.is_empty() && unset.is_empty() && members.keep.is_none() {
        bail!(
            "says nothing to change: give --from, --where, --key, --value, --rollup, --keep, --lateness, --title, --no-chart or --unset"
        );
    }
    wanted.extend(said);
    for member in unset {
        if wanted.shift_remove(member.as_str()).is_none() {
            bail!("--unset {member}: the metric has no such member");
        }
    }
    let rollups = wanted.get_mut("rollup").and_then(Value::as_array_mut);
    if let (Some(keep), Some(rollups)) = (members.keep, rollups) {
        rollups.iter_mut().for_each(|rollup| rollup["keep"] = keep.into());
    }
    // What was read is what is changed, whoever else is at work.
    let revision = by.if_revision.or(known["revision"].as_u64());
    let at = At { url: by.at.url.clone() };
    let body = Value::Object(wanted).to_string().into_bytes();
    change_with(&Change { at, if_revision: revision }, "PUT", &path(metric), Some(("application/json", body)))
}

fn ls(at: &At, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, "/api/metrics")?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let metrics = answer["metrics"].as_array().cloned().unwrap_or_default();
    if metrics.is_empty() {
        say("there is no metric; make one with `weir metric add`, `weir metric add --help` shows how");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["METRIC", "FROM", "SERIES", "CHART", "UNITS"].map(str::to_owned).to_vec()];
    for metric in metrics {
        let series = metric["series"].as_array().into_iter().flatten();
        let series = series.map(|one| format!("{} ({})", text(&one["metric"]), list(&one["fields"])));
        rows.push(vec![
            text(&metric["name"]),
            list(&metric["from"]),
            series.collect::<Vec<_>>().join(", "),
            metric["chart"].as_str().unwrap_or("-").to_owned(),
            list(&metric["units"]),
        ]);
    }
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn show(at: &At, metric: &str, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, &path(metric))?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(text(&answer["toml"]).trim_end())?;
    print(&format!("\nunits {} in {}", list(&answer["units"]), text(&answer["pipeline"])))?;
    for series in answer["series"].as_array().into_iter().flatten() {
        let name = text(&series["metric"]);
        let query = format!("/api/series/points?metric={}&limit={SHOWN_POINTS}", encode(&name));
        let points = get(at, &query)?;
        print(&format!("\nseries {name}"))?;
        print(&points_table(&points["series"]))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn preview(at: &At, metric: &Value, json: bool) -> anyhow::Result<ExitCode> {
    let body = Some(("application/json", metric.to_string().into_bytes()));
    let answer = ask(at, "POST", &format!("/api/metrics/preview?limit={SHOWN_POINTS}"), &[], body)?;
    let good = answer.is_good();
    let seen = answer.json().unwrap_or_default();
    if !good {
        say(&format!("weir: {}", answer.reason()));
        if let Some(toml) = seen["toml"].as_str() {
            say(&numbered(toml));
        }
        told(&seen["problems"], "");
        return Ok(ExitCode::FAILURE);
    }
    if json {
        print(&serde_json::to_string_pretty(&seen)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(text(&seen["toml"]).trim_end())?;
    let open =
        seen["series"].as_array().into_iter().flatten().any(|series| series["open"].as_u64() > Some(0));
    let mark = if open { "; * is of a window that is not over yet" } else { "" };
    print(&format!("\nof the newest {} events, {} of them counted{mark}", seen["events"], seen["rows"]))?;
    print(&points_table(&seen["series"]))?;
    for fault in seen["faults"].as_array().into_iter().flatten() {
        say(&format!("  fault of {}: {}", text(&fault["unit"]), text(&fault["message"])));
    }
    told(&seen["warnings"], "warning: ");
    if seen["cut"] == true {
        say("  there is more than is shown");
    }
    Ok(ExitCode::SUCCESS)
}

/// With the numbers that problems refer to.
fn numbered(toml: &str) -> String {
    let lines = toml.lines().enumerate().map(|(number, line)| format!("  {:>3} | {line}", number + 1));
    lines.collect::<Vec<_>>().join("\n")
}

/// One row for each of the newest points of each series.
fn points_table(series: &Value) -> String {
    let all = series.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(first) = all.first() else { return "  no points yet".to_owned() };
    let fields: Vec<String> = first["fields"].as_array().into_iter().flatten().map(text).collect();
    let mut rows = vec![vec!["  TIME".to_owned(), "STREAM".to_owned(), "KEY".to_owned()]];
    if let Some(titles) = rows.first_mut() {
        titles.extend(fields.iter().cloned());
    }
    for one in all.iter().take(SHOWN_SERIES) {
        let labels = one["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={}", text(value))).collect();
        let times = one["time_unix_ns"].as_array().map(Vec::as_slice).unwrap_or_default();
        let open = one["open"].as_u64().unwrap_or(0);
        for (index, time) in times.iter().enumerate().skip(times.len().saturating_sub(SHOWN_POINTS)) {
            let mark = if (times.len() - index) as u64 <= open { "*" } else { "" };
            let time = weir::runtime::rfc3339(time.as_i64().unwrap_or(0));
            let mut row = vec![format!("  {time}{mark}"), text(&one["triplet"]), labels.join(" ")];
            row.extend(fields.iter().map(|field| number(&one["values"][field][index])));
            rows.push(row);
        }
    }
    let more = all.len().saturating_sub(SHOWN_SERIES);
    let more = if more > 0 { format!("  and {more} series more") } else { String::new() };
    format!("{}\n{more}", table(&rows).trim_end()).trim_end().to_owned()
}

fn number(value: &Value) -> String {
    let short = |number: f64| format!("{number:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
    value.as_f64().map_or_else(|| "-".to_owned(), short)
}

fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        members: Members,
    }

    fn check(arguments: &[&str]) -> Result<Value, String> {
        let line = Line::try_parse_from([&["x"], arguments].concat()).map_err(|error| error.to_string())?;
        whole("m", &line.members).map_err(|error| error.to_string())
    }

    #[test]
    fn a_metric_is_said_in_words_of_the_configuration() {
        let rollup = json!([{ "window": "1s", "is": "count" }]);
        assert_eq!(
            check(&["--from", "a/b/c"]),
            Ok(json!({ "from": ["a/b/c"], "rollup": rollup, "name": "m" }))
        );
        let line = [
            "--from",
            "a/b/c",
            "--key",
            "x,y",
            "--value",
            "ms",
            "--rollup",
            "1s:median,max",
            "--keep",
            "5",
            "--no-chart",
        ];
        let rollup = json!([{ "window": "1s", "is": ["median", "max"], "keep": 5 }]);
        assert_eq!(
            check(&line),
            Ok(
                json!({ "from": ["a/b/c"], "key": ["x", "y"], "value": "ms", "rollup": rollup, "chart": false, "name": "m" })
            )
        );
    }

    #[test]
    fn several_values_have_names() {
        let values =
            |given: &[&str]| values(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(values(&["a == b"]).unwrap(), Some(json!("a == b")));
        assert_eq!(values(&["in=a", "out=b / 2"]).unwrap(), Some(json!({ "in": "a", "out": "b / 2" })));
        assert_eq!(values(&["ms=a"]).unwrap(), Some(json!({ "ms": "a" })));
        assert!(values(&["a", "b"]).is_err() && values(&["a=x", "a=y"]).is_err());
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        assert!(check(&[]).unwrap_err().contains("--from"));
        assert!(check(&["--from", "a/b/c", "--value", "x"]).unwrap_err().contains("--rollup"));
        assert!(check(&["--from", "a/b/c", "--rollup", "1s"]).unwrap_err().contains("WINDOW:FUNCTION"));
        assert!(check(&["--from", "a/b/c", "--title", "t", "--no-chart"]).is_err());
    }

    #[test]
    fn points_are_shown_newest_last_with_what_is_open() {
        let series = json!([{ "triplet": "a/b/c", "labels": { "k": "v" }, "fields": ["n"], "time_unix_ns": [0, 1_000_000_000], "values": { "n": [1.5, null] }, "open": 1 }]);
        assert_eq!(
            points_table(&series),
            "  TIME                   STREAM  KEY  n\n  1970-01-01T00:00:00Z   a/b/c   k=v  1.5\n  1970-01-01T00:00:01Z*  a/b/c   k=v  -"
        );
    }
}
