//! `weir dead`: rows that units could not take: looked at, given back, dropped.
//!
//! In: a running host; `ls` and `show` read a data folder without one with `--data`, also beside a host (its file has them within a second or two of their record being on disk). Out: tables, or JSON
//! with `--json`. Exit code 1: something was refused or there is no such letter, with the reason.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use weir::runtime::{LettersWanted, letter_rows, letter_view};
use weir_core::letter::LetterId;
use weir_disk::RealDisk;
use weir_journal::letters::{Letters, file};

use super::ask::{At, ask, get, table, text};
use super::remote::encode;
use super::{print, say};

const EXAMPLES: &str = "\
Examples:
  weir dead ls                              the newest, with unit, reason and number of attempts
  weir dead ls --unit checkout/score --code trap
  weir dead show 1200-checkout/score-0      all its rows
  weir pipeline set checkout/score --use score_fixed.wasm
  weir dead replay --unit checkout/score    gives them to the repaired unit, with their own event times
  weir dead drop 1200-checkout/score-0
  weir dead ls --data /var/lib/weir         what is on disk, without a host

What a unit refuses again is a letter again, with one attempt more. Rows that are older than the watermark by now are late for units with windows, as any late row.

Exit codes: 0 done, 1 refused or not there, 2 wrong usage";

/// In one answer of the host.
const PAGE: usize = 1_000;
const MESSAGE_CHARS_MAX: usize = 60;
const CODE_CHARS_MAX: usize = 30;
/// Refusals that are told one by one.
const TOLD_MAX: usize = 20;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DeadArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The letters, newest first.
    Ls {
        #[command(flatten)]
        place: WherePlace,
        /// Only those of this unit: pipeline/unit.
        #[arg(long, value_name = "UNIT")]
        unit: Option<String>,
        /// Only those of this pipeline.
        #[arg(long, value_name = "PIPELINE")]
        pipeline: Option<String>,
        /// Only those with this code: trap, deadline, memory, contract, no-column, ...
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// At most so many.
        #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 100)]
        limit: usize,
        /// {"total", "rows", "letters"} instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One letter with all its rows.
    Show {
        #[command(flatten)]
        place: WherePlace,
        id: LetterId,
        /// The API's answer instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Gives letters to the units that refused them, as they are now.
    Replay(Which),
    /// Forgets letters for good.
    Drop(Which),
}

#[derive(Args)]
struct WherePlace {
    #[command(flatten)]
    at: At,
    /// Folder of a host's data, read without asking a host.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data: Option<PathBuf>,
}

#[derive(Args)]
struct Which {
    #[command(flatten)]
    at: At,
    #[arg(required_unless_present_any = ["unit", "all"])]
    ids: Vec<LetterId>,
    /// All of this unit: pipeline/unit.
    #[arg(long, value_name = "UNIT", conflicts_with_all = ["ids", "all"])]
    unit: Option<String>,
    /// All that there are.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// The API's answer instead of text.
    #[arg(long)]
    json: bool,
}

impl Which {
    fn body(&self) -> Value {
        match (&self.unit, self.all) {
            (Some(unit), _) => json!({ "unit": unit }),
            (None, true) => json!({ "all": true }),
            (None, false) => {
                json!({ "ids": self.ids.iter().map(ToString::to_string).collect::<Vec<_>>() })
            }
        }
    }
}

pub fn dead(arguments: DeadArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Ls { place, unit, pipeline, code, limit, json } => {
            let wanted = LettersWanted { unit, pipeline, code, before: None, limit };
            let answer = match &place.data {
                Some(data) => listed_offline(data, &wanted)?,
                None => listed(&place.at, &wanted)?,
            };
            if json {
                print(&serde_json::to_string_pretty(&answer)?)?
            } else {
                as_table(&answer)?
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { place, id, json } => {
            let letter = match &place.data {
                Some(data) => shown_offline(data, &id)?,
                None => get(&place.at, &format!("/api/dead/{}", encode(&id.to_string())))?,
            };
            if json {
                print(&serde_json::to_string_pretty(&letter)?)?
            } else {
                as_text(&letter)?
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Replay(which) => act(&which, "replay"),
        Command::Drop(which) => act(&which, "drop"),
    }
}

/// Page by page.
fn listed(at: &At, wanted: &LettersWanted) -> anyhow::Result<Value> {
    let mut letters: Vec<Value> = Vec::new();
    let mut filter = String::new();
    for (name, value) in [("unit", &wanted.unit), ("pipeline", &wanted.pipeline), ("code", &wanted.code)] {
        if let Some(value) = value {
            filter.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    loop {
        let limit = PAGE.min(wanted.limit.saturating_sub(letters.len())).max(1);
        let before = letters.last().map(|last| format!("&before={}", encode(&text(&last["id"]))));
        let path = format!("/api/dead?limit={limit}{filter}{}", before.unwrap_or_default());
        let mut answer = get(at, &path)?;
        let page = answer["letters"].as_array().cloned().unwrap_or_default();
        let is_last = page.len() < limit;
        letters.extend(page);
        if is_last || letters.len() >= wanted.limit {
            letters.truncate(wanted.limit);
            answer["letters"] = letters.into();
            return Ok(answer);
        }
    }
}

fn on_disk(data: &Path) -> anyhow::Result<Letters> {
    let folder = data.join("dead");
    let disk = RealDisk::open_existing(&folder).with_context(|| {
        format!("there are no dead letters at {}; name the folder of a host with --data", folder.display())
    })?;
    let found = file::read(&disk).with_context(|| format!("read {}", folder.display()))?.unwrap_or_default();
    for (at, bytes) in &found.damaged {
        say(&format!("weir: {} is damaged: {bytes} bytes at {at}", folder.join(file::NAME).display()));
    }
    Ok(found.into_letters())
}

/// Without a host nobody knows what runs.
fn no_host() -> Option<String> {
    Some("no host was asked".to_owned())
}

fn listed_offline(data: &Path, wanted: &LettersWanted) -> anyhow::Result<Value> {
    let letters = on_disk(data)?;
    let (total, rows, picked) = wanted.pick(letters.iter());
    let views = picked.iter().filter_map(|kept| Some(json!(letter_view(kept, &kept.letter()?, no_host()))));
    Ok(json!({ "total": total, "rows": rows, "letters": views.collect::<Vec<_>>() }))
}

fn shown_offline(data: &Path, id: &LetterId) -> anyhow::Result<Value> {
    let letters = on_disk(data)?;
    let found = letters.get(id).and_then(|kept| Some((kept, kept.letter()?)));
    let (kept, letter) = found.with_context(|| {
        format!("there is no letter {id} in {}; `weir dead ls` lists them", data.display())
    })?;
    let mut shown = json!(letter_view(kept, &letter, no_host()));
    shown["events"] = json!(letter_rows(&letter));
    Ok(shown)
}

fn as_table(answer: &Value) -> anyhow::Result<()> {
    let letters = answer["letters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if letters.is_empty() {
        say("no dead letter; a row that a unit cannot take would be here");
        return Ok(());
    }
    let mut rows =
        vec![["ID", "TIME", "CODE", "ROWS", "ATTEMPTS", "STREAM", "MESSAGE"].map(str::to_owned).to_vec()];
    for letter in letters {
        rows.push(vec![
            text(&letter["id"]),
            text(&letter["time"]),
            plain(&text(&letter["code"]), CODE_CHARS_MAX),
            letter["rows"].to_string(),
            letter["attempts"].to_string(),
            text(&letter["stream"]),
            plain(&text(&letter["message"]), MESSAGE_CHARS_MAX),
        ]);
    }
    print(table(&rows).trim_end())?;
    let (total, all_rows) = (&answer["total"], &answer["rows"]);
    say(&format!("{} of {total} letters shown; all together have {all_rows} rows", letters.len()));
    Ok(())
}

/// What a sender or a unit said steers no terminal.
fn plain(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// JSON escapes of the signs that steer a terminal only the first 32.
fn shown(json: &str) -> String {
    let escape = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(escape).collect()
}

fn as_text(letter: &Value) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for name in [
        "id", "unit", "pipeline", "digest", "code", "message", "time", "stream", "position", "rows",
        "attempts",
    ] {
        lines.push(format!("{name:<10} {}", plain(&text(&letter[name]), usize::MAX)));
    }
    if let Some(why) = letter["why"].as_str() {
        lines.push(format!("{:<10} no: {why}", "replayable"));
    }
    print(&lines.join("\n"))?;
    for event in letter["events"].as_array().into_iter().flatten() {
        print(&shown(&event.to_string()))?;
    }
    Ok(())
}

fn act(which: &Which, action: &str) -> anyhow::Result<ExitCode> {
    let body = ("application/json", which.body().to_string().into_bytes());
    let answer = ask(&which.at, "POST", &format!("/api/dead/{action}"), &[], Some(body))?;
    if !answer.is_good() {
        bail!("{}", answer.reason());
    }
    let answer = answer.json()?;
    let refused = answer["refused"].as_array().map(Vec::as_slice).unwrap_or_default();
    if which.json {
        print(&serde_json::to_string_pretty(&answer)?)?;
    } else {
        let done = answer["done"].as_u64().unwrap_or(0);
        print(&match action {
            "replay" => {
                format!("{done} letters given to their units; what is refused again is a letter again")
            }
            _ => format!("{done} letters dropped"),
        })?;
        let late = answer["late_rows"].as_u64().unwrap_or(0);
        if late > 0 {
            say(&format!(
                "weir: {late} of their rows are older than the watermark of their stream; units with windows let them out as late"
            ));
        }
        for refusal in refused.iter().take(TOLD_MAX) {
            say(&format!("weir: {}: {}", text(&refusal["id"]), text(&refusal["why"])));
        }
        let refused_total = answer["refused_total"].as_u64().unwrap_or(0);
        if refused_total > TOLD_MAX as u64 {
            say(&format!("weir: and {} more refused", refused_total - TOLD_MAX as u64));
        }
    }
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
