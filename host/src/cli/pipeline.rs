//! `weir pipeline`: looks at the pipelines of a running host and edits them under load.
//!
//! In: arguments. Out: tables or, with `--json`, the API's answer, on standard output; what a change came to is one line. Each change is one command in the host's log.
//! Exit code 1: refused, with the reason; 3: another change came first (`--if-revision`).

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::ask::{At, Change, change, get, table, text};
use super::remote::encode;
use super::{print, say};

const EXAMPLES: &str = "\
Examples:
  weir pipeline ls
  weir pipeline show requests
  weir pipeline inject requests/fast --use filter --set keep='latency_ms < 5' --after slow
  weir pipeline inject requests/tag --use transform --config '{\"set\":{\"zone\":\"1\"}}' --before 'series slow_requests'
  weir pipeline set requests/fast keep='latency_ms < 2'
  weir pipeline set requests/per_host --unset lateness aggregates.n=count
  weir pipeline remove requests/fast
  weir pipeline pause requests          weir pipeline start requests
  weir pipeline stop requests/fast      (its rows end there, counted)

A value is JSON where it is JSON, else a text: n=5 is a number, n='\"5\"' and n=five are texts.
Nothing is lost or doubled by a change; what was changed is a revision: see `weir config revisions` and `weir config undo`.

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 another change came first";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct PipelineArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All pipelines with their units: component, state, load.
    Ls {
        #[command(flatten)]
        at: At,
        /// The API's answer instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One pipeline as it is configured: units, ports, who feeds whom.
    Show {
        #[command(flatten)]
        at: At,
        pipeline: String,
        /// The API's answer instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Puts a new unit between two others.
    Inject(InjectArguments),
    /// Takes a unit out and joins its neighbours.
    Remove {
        #[command(flatten)]
        change: Change,
        #[arg(value_name = "PIPELINE/UNIT")]
        unit: String,
        /// Also removes what would then take nothing: series, streams, rules, units.
        #[arg(long)]
        drop: bool,
    },
    /// Changes members of a unit's configuration, or its component.
    Set(SetArguments),
    /// Lets a pipeline or a unit run (again).
    Start {
        #[command(flatten)]
        at: At,
        #[arg(value_name = "PIPELINE[/UNIT]")]
        what: String,
    },
    /// Lets rows end there, counted.
    Stop {
        #[command(flatten)]
        at: At,
        #[arg(value_name = "PIPELINE[/UNIT]")]
        what: String,
    },
    /// Lets rows wait.
    Pause {
        #[command(flatten)]
        at: At,
        #[arg(value_name = "PIPELINE[/UNIT]")]
        what: String,
    },
}

#[derive(Args)]
struct InjectArguments {
    #[command(flatten)]
    change: Change,
    #[arg(value_name = "PIPELINE/UNIT")]
    unit: String,
    /// Name of a component, or a path to a .wasm file as the host sees it.
    #[arg(long = "use", value_name = "COMPONENT")]
    uses: String,
    /// The configuration as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "set")]
    config: Option<String>,
    /// A member of the configuration; may be given often.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What feeds it: in, a unit or unit.port; may be given often. Default: what feeds --before, else the last unit.
    #[arg(long, value_name = "UNIT")]
    after: Vec<String>,
    /// Who takes from it instead of from --after, as `weir pipeline show` calls it; may be given often. Default: all that --after feeds.
    #[arg(long, value_name = "WHO", conflicts_with = "branch")]
    before: Vec<String>,
    /// Feeds nobody yet.
    #[arg(long, requires = "after")]
    branch: bool,
    /// Port of the new unit that leads on. Default: its first.
    #[arg(long)]
    port: Option<String>,
}

#[derive(Args)]
struct SetArguments {
    #[command(flatten)]
    change: Change,
    #[arg(value_name = "PIPELINE/UNIT")]
    unit: String,
    /// Members of the configuration; a.b=1 is a member inside a.
    #[arg(value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A member to leave out; may be given often.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// The whole configuration as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["set", "unset"])]
    config: Option<String>,
    /// Another component.
    #[arg(long = "use", value_name = "COMPONENT")]
    uses: Option<String>,
    /// What feeds it; may be given often.
    #[arg(long, value_name = "UNIT")]
    from: Vec<String>,
    /// hold, pass, drop or roll-back.
    #[arg(long, value_name = "POLICY")]
    on_open_circuit: Option<String>,
}

pub fn pipeline(arguments: PipelineArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Ls { at, json } => ls(&at, json),
        Command::Show { at, pipeline, json } => show(&at, &pipeline, json),
        Command::Inject(arguments) => inject(arguments),
        Command::Remove { change: by, unit, drop } => {
            let path = unit_path(&unit)?;
            let path = if drop { format!("{path}?drop=true") } else { path };
            change(&by, "DELETE", &path, None)
        }
        Command::Set(arguments) => set(arguments),
        Command::Start { at, what } => act(at, &what, "start"),
        Command::Stop { at, what } => act(at, &what, "stop"),
        Command::Pause { at, what } => act(at, &what, "pause"),
    }
}

fn ls(at: &At, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, "/api/pipelines")?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let titles = ["PIPELINE/UNIT", "COMPONENT", "STATE", "ROWS/S", "NS/EVENT", "LAG", "TO"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for pipeline in answer["pipelines"].as_array().into_iter().flatten() {
        let lag = format!("{:.1} s", pipeline["lag_s"].as_f64().unwrap_or(0.0));
        let from = list(&pipeline["from"]);
        rows.push(vec![
            text(&pipeline["name"]),
            String::new(),
            text(&pipeline["state"]),
            String::new(),
            String::new(),
            lag,
            format!("from {from}"),
        ]);
        for unit in pipeline["units"].as_array().into_iter().flatten() {
            let number = |member: &str| format!("{:.0}", unit[member].as_f64().unwrap_or(0.0));
            rows.push(vec![
                format!("  {}", text(&unit["id"])),
                text(&unit["component"]),
                text(&unit["state"]),
                number("rows_per_s"),
                number("ns_per_event"),
                String::new(),
                list(&unit["to"]),
            ]);
        }
    }
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn show(at: &At, pipeline: &str, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, &format!("/api/pipelines/{}", encode(pipeline)))?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!(
        "{} ({}), from {}, revision {}",
        text(&answer["name"]),
        text(&answer["state"]),
        list(&answer["from"]),
        answer["revision"]
    ))?;
    let mut rows = vec![["WHAT", "USE", "FROM", "PORTS", "CONFIG"].map(str::to_owned).to_vec()];
    for unit in answer["units"].as_array().into_iter().flatten() {
        let ports = unit["ports"].as_array().into_iter().flatten();
        let ports = ports.map(|port| format!("{} -> {}", text(&port["name"]), list(&port["to"])));
        rows.push(vec![
            text(&unit["name"]),
            text(&unit["use"]),
            list(&unit["from"]),
            ports.collect::<Vec<_>>().join("; "),
            unit["config"].to_string(),
        ]);
    }
    for rule in answer["rules"].as_array().into_iter().flatten() {
        let config = rule["config"].to_string();
        rows.push(vec![text(&rule["id"]), text(&rule["use"]), text(&rule["on"]), String::new(), config]);
    }
    for (kind, naming) in [("series", "metric"), ("stream", "triplet")] {
        let entries = if kind == "series" { &answer["series"] } else { &answer["streams"] };
        for entry in entries.as_array().into_iter().flatten() {
            let what = format!("{kind} {}", text(&entry[naming]));
            rows.push(vec![what, String::new(), list(&entry["from"]), String::new(), String::new()]);
        }
    }
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn inject(arguments: InjectArguments) -> anyhow::Result<ExitCode> {
    let (pipeline, unit) = split(&arguments.unit)?;
    let config = match &arguments.config {
        Some(config) => object(config)?,
        None => members(&arguments.set, &[])?,
    };
    let mut body = json!({ "name": unit, "use": arguments.uses, "config": config });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    put("after", Some(json!(arguments.after)).filter(|_| !arguments.after.is_empty()));
    put("before", Some(json!(arguments.before)).filter(|_| arguments.branch || !arguments.before.is_empty()));
    put("port", arguments.port.map(Value::from));
    let path = format!("/api/pipelines/{}/units", encode(pipeline));
    change(&arguments.change, "POST", &path, Some(&body))
}

fn set(arguments: SetArguments) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    if let Some(config) = &arguments.config {
        body.insert("config".into(), object(config)?);
    } else if !arguments.set.is_empty() || !arguments.unset.is_empty() {
        body.insert("merge".into(), members(&arguments.set, &arguments.unset)?);
    }
    if let Some(uses) = arguments.uses {
        body.insert("use".into(), uses.into());
    }
    if !arguments.from.is_empty() {
        body.insert("from".into(), json!(arguments.from));
    }
    if let Some(policy) = arguments.on_open_circuit {
        body.insert("on_open_circuit".into(), policy.into());
    }
    if body.is_empty() {
        bail!(
            "says nothing to change: give KEY=VALUE, --unset, --config, --use, --from or --on-open-circuit"
        );
    }
    change(&arguments.change, "PATCH", &unit_path(&arguments.unit)?, Some(&Value::Object(body)))
}

fn act(at: At, what: &str, action: &str) -> anyhow::Result<ExitCode> {
    let path = match what.split_once('/') {
        Some(_) => unit_path(what)?,
        None => format!("/api/pipelines/{}", encode(what)),
    };
    let answer = super::ask::ask(&at, "POST", &format!("{path}/{action}"), &[], None)?;
    if !answer.is_good() {
        say(&format!("weir: {}", answer.reason()));
        return Ok(ExitCode::FAILURE);
    }
    print(&format!("{action} {what}: from position {}", answer.json()?["position"]))?;
    Ok(ExitCode::SUCCESS)
}

fn split(id: &str) -> anyhow::Result<(&str, &str)> {
    id.split_once('/').with_context(|| format!("`{id}`: write PIPELINE/UNIT, like requests/slow"))
}

fn unit_path(id: &str) -> anyhow::Result<String> {
    let (pipeline, unit) = split(id)?;
    Ok(format!("/api/pipelines/{}/units/{}", encode(pipeline), encode(unit)))
}

fn object(config: &str) -> anyhow::Result<Value> {
    let value: Value = serde_json::from_str(config).context("--config is not JSON")?;
    if value.is_object() {
        Ok(value)
    } else {
        bail!("--config must be a JSON object, like '{{\"keep\": \"ms > 5\"}}'")
    }
}

/// `a.b=1` as {"a": {"b": 1}}; what is to be left out as null.
fn members(set: &[String], unset: &[String]) -> anyhow::Result<Value> {
    let mut members = json!({});
    let mut put = |path: &str, value: Value| {
        let mut place = &mut members;
        for part in path.split('.') {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[part];
        }
        *place = value;
    };
    for pair in set {
        let (path, value) =
            pair.split_once('=').with_context(|| format!("`{pair}`: write KEY=VALUE, like keep='ms > 5'"))?;
        put(path.trim(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
    }
    unset.iter().for_each(|path| put(path, Value::Null));
    Ok(members)
}

fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_json_or_text_and_may_be_nested() {
        let set = ["keep=ms > 5", "n=5", "t=\"5\"", "a.b=[1]", "a.c=true"].map(str::to_owned);
        let told = members(&set, &["gone".to_owned()]).unwrap();
        assert_eq!(
            told,
            json!({ "keep": "ms > 5", "n": 5, "t": "5", "a": { "b": [1], "c": true }, "gone": null })
        );
        assert!(members(&["keep".to_owned()], &[]).is_err());
        assert!(object("[1]").is_err() && object("x").is_err() && object("{}").is_ok());
        assert_eq!(unit_path("a b/c").unwrap(), "/api/pipelines/a%20b/units/c");
        assert!(unit_path("a").is_err());
    }
}
