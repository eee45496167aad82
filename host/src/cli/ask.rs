//! What the commands for a running host have in common: where it is, how a change is asked for, how an answer is shown.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::remote::{Answer, Host, Question};
use super::{print, say};

/// Another change came first.
const EXIT_CONFLICT: u8 = 3;

#[derive(Args)]
pub struct At {
    /// Address of the running host.
    #[arg(long = "server", alias = "url", value_name = "URL", default_value = super::SERVER)]
    pub url: String,
}

#[derive(Args)]
pub struct Change {
    #[command(flatten)]
    pub at: At,
    /// Only if this revision still runs; else exit code 3.
    #[arg(long, value_name = "N")]
    pub if_revision: Option<u64>,
}

pub fn ask(
    at: &At,
    method: &str,
    path: &str,
    headers: &[(&'static str, String)],
    body: Option<(&str, Vec<u8>)>,
) -> anyhow::Result<Answer> {
    let mut headers = headers.to_vec();
    headers.push(("Weir-Origin", "cli".to_owned()));
    let host = Host::parse(&at.url).context("--server")?;
    host.ask(&Question { method, path, headers, body }).with_context(|| {
        format!("no running host at {}; start it with `weir run`, or name another with --server", at.url)
    })
}

/// The answer as JSON, whatever it must be.
pub fn get(at: &At, path: &str) -> anyhow::Result<Value> {
    let answer = ask(at, "GET", path, &[], None)?;
    if !answer.is_good() {
        bail!("{}", answer.reason());
    }
    answer.json()
}

/// Asks for a change with a JSON body and tells what it came to.
pub fn change(by: &Change, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<ExitCode> {
    let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
    change_with(by, method, path, body)
}

pub fn change_with(
    by: &Change,
    method: &str,
    path: &str,
    body: Option<(&str, Vec<u8>)>,
) -> anyhow::Result<ExitCode> {
    let expected = by.if_revision.map(|revision| ("If-Match", format!("\"{revision}\"")));
    let answer = ask(&by.at, method, path, expected.as_slice(), body)?;
    if answer.is_good() {
        let answer = answer.json()?;
        print(&format!("revision {}: {}", answer["revision"], text(&answer["summary"])))?;
        told(&answer["warnings"], "warning: ");
        return Ok(ExitCode::SUCCESS);
    }
    let conflict = answer.json().is_ok_and(|answer| answer["error"]["code"] == "conflict");
    say(&format!("weir: {}", answer.reason()));
    told(&answer.json().unwrap_or_default()["problems"], "");
    Ok(if conflict { ExitCode::from(EXIT_CONFLICT) } else { ExitCode::FAILURE })
}

/// Problems or warnings, one on a line, on standard error.
pub fn told(problems: &Value, prefix: &str) {
    for problem in problems.as_array().into_iter().flatten() {
        let place = match (problem["line"].as_u64(), problem["column"].as_u64()) {
            (Some(line), Some(column)) => format!("{line}:{column}: "),
            _ => String::new(),
        };
        say(&format!("  {place}{prefix}{}: {}", text(&problem["place"]), text(&problem["message"])));
    }
}

/// A text as it is, everything else as JSON.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Columns under each other, two spaces apart.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_columns_under_each_other() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), "ü".to_owned()]];
        assert_eq!(table(&rows), "a     b\nlong  ü\n");
    }
}
