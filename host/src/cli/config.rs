//! `weir config`: the configuration of a running host, what ran before it, what differs, and the way back.
//!
//! Out: TOML, diffs and tables on standard output, `--json` gives the API's answer. Exit code 1: refused, with all problems; 3: another change came first.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::ask::{At, Change, ask, change, change_with, get, table, text, told};
use super::print;

const EXAMPLES: &str = "\
Examples:
  weir config export > weir.toml      the running configuration, comments and all
  weir config revisions               who changed what, and when
  weir config diff                    what the last change did
  weir config diff 3 7                from revision 3 to 7
  weir config undo                    back to the revision before
  weir config undo --to 3             back to revision 3, as a new one
  weir config apply weir.toml         the whole file at once, if it is good
  weir config file                    whether the watched file and what runs are the same
  weir config load --force            take the watched file, although it was changed in both places

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 another change came first";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What ran and what runs, newest first.
    Revisions {
        #[command(flatten)]
        at: At,
        /// At most so many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        number: usize,
        /// The API's answer instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// The text of a revision; default: the running one.
    #[command(visible_alias = "export")]
    Show {
        #[command(flatten)]
        at: At,
        revision: Option<u64>,
    },
    /// What differs between two revisions; default: what the last change did.
    Diff {
        #[command(flatten)]
        at: At,
        from: Option<u64>,
        to: Option<u64>,
        /// Member by member, as the API answers.
        #[arg(long)]
        json: bool,
    },
    /// Back to an older revision, as a new one.
    Undo {
        #[command(flatten)]
        change: Change,
        /// Default: the one before the running one.
        #[arg(long, value_name = "N")]
        to: Option<u64>,
    },
    /// Takes a whole configuration.
    Apply {
        #[command(flatten)]
        change: Change,
        file: PathBuf,
    },
    /// The watched file: whether it and what runs are the same.
    File {
        #[command(flatten)]
        at: At,
        /// The API's answer.
        #[arg(long)]
        json: bool,
    },
    /// Takes the watched file now.
    Load {
        #[command(flatten)]
        change: Change,
        /// Although what runs was changed since the file was taken last.
        #[arg(long)]
        force: bool,
    },
}

pub fn config(arguments: ConfigArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Revisions { at, number, json } => revisions(&at, number, json),
        Command::Show { at, revision } => show(&at, revision),
        Command::Diff { at, from, to, json } => diff(&at, from, to, json),
        Command::Undo { change: by, to } => {
            let to = to.map_or_else(String::new, |to| format!("?to={to}"));
            change(&by, "POST", &format!("/api/configuration/undo{to}"), None)
        }
        Command::Apply { change: by, file } => {
            let text = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            change_with(&by, "PUT", "/api/configuration", Some(("application/toml", text)))
        }
        Command::File { at, json } => file(&at, json),
        Command::Load { change: by, force } => {
            change(&by, "POST", &format!("/api/configuration/file/load?force={force}"), None)
        }
    }
}

fn revisions(at: &At, number: usize, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, "/api/configuration/revisions")?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["REVISION", "AT", "BY", "WHAT"].map(str::to_owned).to_vec()];
    for revision in answer["revisions"].as_array().into_iter().flatten().take(number) {
        let running = if revision["revision"] == answer["current"] { " *" } else { "" };
        rows.push(vec![
            format!("{}{running}", revision["revision"]),
            text(&revision["at"]),
            text(&revision["origin"]),
            text(&revision["summary"]),
        ]);
    }
    print(table(&rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn show(at: &At, revision: Option<u64>) -> anyhow::Result<ExitCode> {
    let path = match revision {
        Some(revision) => format!("/api/configuration/revisions/{revision}"),
        None => "/api/configuration".to_owned(),
    };
    let answer = ask(at, "GET", &path, &[], None)?;
    if !answer.is_good() {
        bail!("{}", answer.reason());
    }
    print(answer.text()?.strip_suffix('\n').unwrap_or(&answer.text()?))?;
    Ok(ExitCode::SUCCESS)
}

fn diff(at: &At, from: Option<u64>, to: Option<u64>, json: bool) -> anyhow::Result<ExitCode> {
    let query: Vec<String> = [("from", from), ("to", to)]
        .into_iter()
        .filter_map(|(name, revision)| Some(format!("{name}={}", revision?)))
        .collect();
    let answer = get(at, &format!("/api/configuration/diff?{}", query.join("&")))?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
    } else {
        print(text(&answer["unified"]).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn file(at: &At, json: bool) -> anyhow::Result<ExitCode> {
    let answer = get(at, "/api/configuration/file")?;
    if json {
        print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = answer["name"].as_str().unwrap_or("no file");
    print(&format!("{name}: {}. {}", text(&answer["state"]), text(&answer["message"])))?;
    told(&answer["problems"], "");
    let fine = matches!(answer["state"].as_str(), Some("none" | "in-sync" | "behind"));
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
