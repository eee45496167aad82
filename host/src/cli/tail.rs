//! `weir tail`: the events of one stream of a running host, one JSON object per line.
//!
//! Asks `GET /api/streams/{a}/{e}/{t}/recent` five times a second over plain HTTP/1.1 and prints what is newer than what was seen: a record
//! becomes visible as a whole, so its position tells. At most 1,000 events per question; what a fast stream makes beyond that is
//! skipped, and said on standard error. A stream that is not there yet is waited for, a host that went away too; one that was never there is
//! an error.

use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::remote::{Answer, Host, TIMEOUT, encode};
use super::{TailArguments, say};

const POLL: Duration = Duration::from_millis(200);
const EVENTS_MAX: u32 = 1000;

pub fn tail(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let triplet = &arguments.stream;
    let server = Host::parse(&arguments.server)?;
    let parts = [triplet.application(), triplet.environment(), triplet.event_type()].map(encode);
    let path = format!("/api/streams/{}/recent?limit=", parts.join("/"));
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut told_waiting = false;
    let mut seen = None;
    let mut limit = arguments.events;
    let mut begun = false;
    loop {
        match server.get(&format!("{path}{}", limit.max(1))) {
            Ok(Answer { status: 200, body }) => {
                let events = events(&body)?;
                let past = if begun { EVENTS_MAX } else { arguments.events };
                seen = print_new(&mut out, &events, seen, begun, past as usize)?;
                (begun, limit) = (true, EVENTS_MAX);
            }
            Ok(Answer { status: 404, .. }) if !arguments.no_follow => {
                if !told_waiting {
                    say(&format!("weir: no event of {triplet} yet; waiting"));
                }
                // Everything from here on is new.
                (told_waiting, begun, limit) = (true, true, EVENTS_MAX);
            }
            Ok(answer) => bail!("{}: {}", arguments.server, answer.reason()),
            Err(error) if begun => {
                say(&format!("weir: {error:#}; trying again"));
                std::thread::sleep(TIMEOUT);
            }
            Err(error) => return Err(error.context(format!("no running host at {}", arguments.server))),
        }
        if arguments.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(POLL);
    }
}

/// Prints events (newest first) that are after position `seen`, oldest first, and gives the newest position.
fn print_new(
    out: &mut impl Write,
    events: &[Value],
    seen: Option<u64>,
    begun: bool,
    max: usize,
) -> anyhow::Result<Option<u64>> {
    let position = |event: &Value| event.get("position").and_then(Value::as_u64).unwrap_or(0);
    let is_new = |event: &&Value| seen.is_none_or(|seen| position(event) > seen);
    let new: Vec<&Value> = events.iter().take_while(is_new).take(max).collect();
    if begun && seen.is_some() && new.len() >= EVENTS_MAX as usize {
        say("weir: the stream is faster than the tail; some events were skipped");
    }
    for event in new.iter().rev() {
        writeln!(out, "{event}")?;
    }
    out.flush()?;
    Ok(events.first().map(position).max(seen))
}

fn events(body: &[u8]) -> anyhow::Result<Vec<Value>> {
    let answer: Value = serde_json::from_slice(body).context("the host's answer is not JSON")?;
    match answer {
        Value::Object(mut members) => match members.remove("events") {
            Some(Value::Array(events)) => Ok(events),
            _ => bail!("the host's answer has no events; is it of another version?"),
        },
        _ => bail!("the host's answer is not an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(position: u64, row: u64) -> Value {
        serde_json::json!({ "position": position, "row": row })
    }

    #[test]
    fn only_new_events_are_printed_oldest_first() {
        let mut out = Vec::new();
        let first = [event(2, 1), event(2, 0), event(1, 0)];
        let seen = print_new(&mut out, &first, None, false, 2).unwrap();
        let second = [event(3, 0), event(2, 1), event(2, 0)];
        let seen = print_new(&mut out, &second, seen, true, 1000).unwrap();
        assert_eq!(print_new(&mut out, &second, seen, true, 1000).unwrap(), Some(3));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, format!("{}\n{}\n{}\n", event(2, 0), event(2, 1), event(3, 0)));
    }
}
