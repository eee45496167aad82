//! `weir stream`: which streams a running host has, and which columns their events have, so that a metric or a filter can name them.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::Value;
use weir_core::triplet::Triplet;

use super::ask::{At, get, table, text};
use super::{print, say};

const EXAMPLES: &str = "\
Examples:
  weir stream ls
  weir stream show shop/prod/request      its columns and their types
  weir tail shop/prod/request             its events";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct StreamArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All streams: events, rate, when the last one was.
    Ls {
        #[command(flatten)]
        at: At,
        /// The API's answer instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One stream and its columns.
    Show {
        #[command(flatten)]
        at: At,
        /// application/environment/type
        stream: Triplet,
        /// The stream of the API's answer instead of a table.
        #[arg(long)]
        json: bool,
    },
}

pub fn stream(arguments: StreamArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Ls { at, json } => ls(&at, json),
        Command::Show { at, stream, json } => show(&at, &stream, json),
    }
}

fn ls(at: &At, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, "/api/streams")?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let streams = answer["streams"].as_array().cloned().unwrap_or_default();
    if streams.is_empty() {
        say("no event has come yet; send one with `weir send`, `weir send --help` shows how");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows =
        vec![["STREAM", "EVENTS", "EVENTS/S", "LATE", "LAST", "COLUMNS"].map(str::to_owned).to_vec()];
    for stream in streams {
        let last = stream["last_event_time_unix_ns"].as_i64();
        rows.push(vec![
            text(&stream["triplet"]),
            stream["events_total"].to_string(),
            format!("{:.0}", stream["events_per_s"].as_f64().unwrap_or(0.0)),
            stream["late_total"].to_string(),
            last.map_or_else(|| "-".to_owned(), weir::runtime::rfc3339),
            stream["columns"].as_array().map_or(0, Vec::len).to_string(),
        ]);
    }
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn show(at: &At, stream: &Triplet, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, "/api/streams")?;
    let found =
        answer["streams"].as_array().into_iter().flatten().find(|one| one["triplet"] == stream.as_str());
    let Some(found) = found else {
        bail!("no event of {stream} has come yet; `weir stream ls` lists those that have");
    };
    if json {
        print(&serde_json::to_string_pretty(found)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns: &[Value] = found["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows = vec![["COLUMN", "TYPE"].map(str::to_owned).to_vec()];
    rows.extend(columns.iter().map(|column| vec![text(&column["name"]), text(&column["type"])]));
    print(&format!("{stream}: {} events", found["events_total"]))?;
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
