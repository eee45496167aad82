//! Commands as JSON, the one part of a segment that people may want to read as it lies there.
//!
//! Dead letters that are given again are the unit and their ids in JSON, then a zero byte, then each letter with its length before it (`letters/form.rs`).
//!
//! `{"configure": {"revision": 3, "text": "…", "summary": "…"}}`, `{"pipeline": "checkout", "run": "paused"}`, `{"unit": "checkout/filter", "run": "stopped"}`.

use serde_json::{Value, json};
use weir_core::letter::DeadLetter;
use weir_core::record::{Command, Run};

use crate::bytes::{Take, put_bytes};
use crate::letters::form;

/// The payload of its frame.
pub fn put(out: &mut Vec<u8>, command: &Command) {
    out.extend_from_slice(text(command).as_bytes());
    if let Command::Redeliver { letters, .. } = command {
        out.push(0);
        letters.iter().for_each(|letter| put_bytes(out, &form::put(letter)));
    }
}

/// What people see of it.
pub fn text(command: &Command) -> String {
    let value = match command {
        Command::Configure { revision, text, summary } => {
            json!({"configure": {"revision": revision, "text": &**text, "summary": &**summary}})
        }
        Command::Pipeline { pipeline, run } => json!({"pipeline": &**pipeline, "run": name(*run)}),
        Command::Unit { unit, run } => json!({"unit": &**unit, "run": name(*run)}),
        Command::Redeliver { unit, letters } => {
            let ids: Vec<String> = letters.iter().map(|letter| letter.id.to_string()).collect();
            json!({"redeliver": {"unit": &**unit, "letters": ids}})
        }
    };
    value.to_string()
}

pub fn of(bytes: &[u8]) -> Option<Command> {
    // JSON has no zero byte.
    let end = bytes.iter().position(|byte| *byte == 0);
    let (json, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
    let value: Value = serde_json::from_slice(json).ok()?;
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(std::sync::Arc::from);
    if let Some(configure) = value.get("configure") {
        return Some(Command::Configure {
            revision: configure.get("revision")?.as_u64()?,
            text: text(configure, "text")?,
            summary: text(configure, "summary")?,
        });
    }
    if let Some(redeliver) = value.get("redeliver") {
        return redelivered(text(redeliver, "unit")?, rest.get(1..)?);
    }
    let run = match value.get("run")?.as_str()? {
        "running" => Run::Running,
        "paused" => Run::Paused,
        "stopped" => Run::Stopped,
        _ => return None,
    };
    match text(&value, "pipeline") {
        Some(pipeline) => Some(Command::Pipeline { pipeline, run }),
        None => Some(Command::Unit { unit: text(&value, "unit")?, run }),
    }
}

fn redelivered(unit: std::sync::Arc<str>, bytes: &[u8]) -> Option<Command> {
    let mut from = Take(bytes);
    let mut letters: Vec<DeadLetter> = Vec::new();
    while !from.is_empty() {
        letters.push(form::take(from.bytes()?)?);
    }
    Some(Command::Redeliver { unit, letters: letters.into() })
}

fn name(run: Run) -> &'static str {
    match run {
        Run::Running => "running",
        Run::Paused => "paused",
        Run::Stopped => "stopped",
    }
}
