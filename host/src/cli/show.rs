//! How events are written to the terminal: JSON lines, a table, key=value lines, or a template.
//!
//! In: events as the API shows them, oldest first. Out: lines. What a sender put into a text steers no terminal: control characters are
//! shown as spaces, except in JSON, where they are escaped anyway. A table gets its columns from the events that are there when it begins; an event with
//! another field begins it anew, with a header of its own.

use std::fmt::Write as _;
use std::io::Write;

use clap::ValueEnum;
use serde_json::{Map, Value};

/// Widest cell of a table, so that one long text does not push all others off the screen.
const CELL_CHARS_MAX: usize = 48;

/// Columns of a table.
const COLUMNS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// Columns under a header.
    Table,
    /// time=... key=value, as logfmt has it.
    Logfmt,
    /// The text of --template, in which {field}, {time} and {position} are replaced.
    Template,
}

/// Writes events in one format.
#[derive(Debug)]
pub struct Show {
    format: Format,
    template: Vec<Piece>,
    table: Table,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Field(String),
}

#[derive(Debug, Default)]
struct Table {
    columns: Vec<(String, usize)>,
}

impl Show {
    /// `template` counts where the format is that.
    pub fn new(format: Format, template: &str) -> anyhow::Result<Self> {
        let template = if format == Format::Template { pieces(template)? } else { Vec::new() };
        Ok(Self { format, template, table: Table::default() })
    }

    pub fn write(&mut self, out: &mut impl Write, events: &[&Value]) -> std::io::Result<()> {
        match self.format {
            Format::Json => events.iter().try_for_each(|event| writeln!(out, "{event}")),
            Format::Logfmt => events.iter().try_for_each(|event| writeln!(out, "{}", logfmt(event))),
            Format::Template => {
                events.iter().try_for_each(|event| writeln!(out, "{}", filled(&self.template, event)))
            }
            Format::Table => self.table.write(out, events),
        }
    }
}

fn fields(event: &Value) -> impl Iterator<Item = (&String, &Value)> {
    event.get("fields").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// Field, or `time` and `position` where no field has that name.
fn member<'a>(event: &'a Value, name: &str) -> Option<&'a Value> {
    let field = event.get("fields").and_then(|fields| fields.get(name));
    field.or_else(|| event.get(name).filter(|_| matches!(name, "time" | "position" | "row")))
}

/// One line, whatever is in it.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn logfmt(event: &Value) -> String {
    let mut line = String::new();
    let time = event.get("time").map(plain).unwrap_or_default();
    // Writing to a text cannot fail.
    let _ = write!(line, "time={time}");
    for (name, value) in fields(event).filter(|(_, value)| !value.is_null()) {
        let name: String = name
            .chars()
            .map(|c| if c.is_control() || matches!(c, ' ' | '=' | '"') { '_' } else { c })
            .collect();
        let text = plain(value);
        let quoted = text.is_empty() || text.contains([' ', '=', '"']);
        let _ = if quoted && value.is_string() {
            write!(line, " {name}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            write!(line, " {name}={text}")
        };
    }
    line
}

fn pieces(template: &str) -> anyhow::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut text = String::new();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        // A doubled brace is one brace.
        if let Some(next) = after.strip_prefix("{{") {
            text.push('{');
            rest = next;
        } else if let Some(next) = after.strip_prefix("}}") {
            text.push('}');
            rest = next;
        } else {
            let field = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            let Some((name, next)) = field.filter(|(name, _)| !name.is_empty()) else {
                anyhow::bail!("--template {template}: write {{field}}, and {{{{ or }}}} for a brace itself");
            };
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Field(name.to_owned()));
            rest = next;
        }
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

fn filled(template: &[Piece], event: &Value) -> String {
    let mut line = String::new();
    for piece in template {
        match piece {
            Piece::Text(text) => line.push_str(text),
            Piece::Field(name) => line.push_str(&member(event, name).map(plain).unwrap_or_default()),
        }
    }
    line
}

impl Table {
    fn write(&mut self, out: &mut impl Write, events: &[&Value]) -> std::io::Result<()> {
        let known = |name: &String| self.columns.iter().any(|(column, _)| column == name);
        if events.iter().any(|event| fields(event).any(|(name, _)| !known(name))) {
            self.begin(out, events)?;
        }
        for event in events {
            let cells = self.columns.iter().map(|(name, width)| {
                let value = member(event, name);
                let text = shortened(&value.map(plain).unwrap_or_default());
                let pad = " ".repeat(width.saturating_sub(text.chars().count()));
                if value.is_some_and(Value::is_number) { pad + &text } else { text + &pad }
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut impl Write, events: &[&Value]) -> std::io::Result<()> {
        let mut names: Vec<String> = vec!["time".to_owned()];
        names.extend(self.columns.drain(..).map(|(name, _)| name).filter(|name| name != "time"));
        for (name, _) in events.iter().flat_map(|event| fields(event)) {
            if !names.contains(name) && names.len() < COLUMNS_MAX {
                names.push(name.clone());
            }
        }
        let width = |name: &String| {
            let cells = events.iter().filter_map(|event| member(event, name)).map(plain);
            cells.map(|text| text.chars().count()).chain([name.chars().count()]).max().unwrap_or(0)
        };
        self.columns = names.iter().map(|name| (name.clone(), width(name).min(CELL_CHARS_MAX))).collect();
        let header = self.columns.iter().map(|(name, width)| format!("{name:width$}"));
        writeln!(out, "{}", header.collect::<Vec<_>>().join("  ").trim_end())
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= CELL_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(format: Format, template: &str, expected: &str) {
        let first = json!({ "time": "T1", "position": 1, "row": 0, "fields": { "page": "/a b", "ms": 12 } });
        let second = json!({ "time": "T2", "position": 1, "row": 1, "fields": { "page": "x\u{1b}[2J", "ms": 7, "ok": true } });
        let mut out = Vec::new();
        let mut show = Show::new(format, template).unwrap();
        show.write(&mut out, &[&first]).unwrap();
        show.write(&mut out, &[&second]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn events_are_written_in_each_format() {
        check(Format::Logfmt, "", "time=T1 page=\"/a b\" ms=12\ntime=T2 page=\"x [2J\" ms=7 ok=true\n");
        check(Format::Template, "{time} {{{page}}} {none}{ms}ms", "T1 {/a b} 12ms\nT2 {x [2J} 7ms\n");
        check(
            Format::Table,
            "",
            "time  page  ms\nT1    /a b  12\ntime  page   ms  ok\nT2    x [2J   7  true\n",
        );
    }

    #[test]
    fn a_template_that_is_not_closed_is_refused() {
        for template in ["{page", "page}", "{}"] {
            assert!(Show::new(Format::Template, template).is_err(), "{template}");
        }
    }
}
