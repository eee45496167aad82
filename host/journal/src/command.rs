//! Commands as JSON, the one part of a segment that people may want to read as it lies there.
//!
//! `{"configure": {"revision": 3, "text": "…", "summary": "…"}}`, `{"pipeline": "checkout", "run": "paused"}`, `{"unit": "checkout/filter", "run": "stopped"}`.

use serde_json::{Value, json};
use weir_core::record::{Command, Run};

pub fn text(command: &Command) -> String {
    let value = match command {
        Command::Configure { revision, text, summary } => {
            json!({"configure": {"revision": revision, "text": &**text, "summary": &**summary}})
        }
        Command::Pipeline { pipeline, run } => json!({"pipeline": &**pipeline, "run": name(*run)}),
        Command::Unit { unit, run } => json!({"unit": &**unit, "run": name(*run)}),
    };
    value.to_string()
}

pub fn of(bytes: &[u8]) -> Option<Command> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(std::sync::Arc::from);
    if let Some(configure) = value.get("configure") {
        return Some(Command::Configure {
            revision: configure.get("revision")?.as_u64()?,
            text: text(configure, "text")?,
            summary: text(configure, "summary")?,
        });
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

fn name(run: Run) -> &'static str {
    match run {
        Run::Running => "running",
        Run::Paused => "paused",
        Run::Stopped => "stopped",
    }
}
