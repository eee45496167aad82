//! `weir tail`: the newest events of a stream, then new ones as they come.
//!
//! In: the API of a running host, asked over plain HTTP/1.1. Out: the events that the condition lets through, in the format that was asked for, or
//! as messages of a codec. The host keeps a bounded
//! number of recent events; a stream that is faster than that is told as skipped on standard error. A stream that has no event yet is
//! waited for, a host that went away too; one that was never there is an error.

use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::condition::Condition;
use super::remote::{Answer, Host, TIMEOUT, encode};
use super::show::Show;
use super::{TailArguments, say};

mod messages;

use messages::Messages;

const POLL: Duration = Duration::from_millis(200);
const EVENTS_MAX: u32 = 1000;

pub fn tail(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let triplet = &arguments.stream;
    let host = Host::parse(&arguments.server)?;
    let parts = [triplet.application(), triplet.environment(), triplet.event_type()].map(encode);
    let path = format!("/api/streams/{}/recent?limit=", parts.join("/"));
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut told_waiting = false;
    let form = match &arguments.codec {
        Some(codec) => {
            Form::Messages(Box::new(Messages::new(triplet, codec, arguments.codec_config.as_deref())?))
        }
        None => Form::Text(Show::new(arguments.format(), arguments.template.as_deref().unwrap_or_default())?),
    };
    let mut feed = Feed { form, condition: arguments.condition.as_ref(), seen: None, begun: false };
    // A condition may leave few of many.
    let mut limit = if arguments.condition.is_some() { EVENTS_MAX } else { arguments.events };
    loop {
        match host.get(&format!("{path}{}", limit.max(1))) {
            Ok(Answer { status: 200, body }) => {
                let events = events(&body)?;
                let past = if feed.begun { EVENTS_MAX } else { arguments.events };
                feed.print_new(&mut out, &events, past as usize)?;
                limit = EVENTS_MAX;
            }
            Ok(Answer { status: 404, .. }) if !arguments.no_follow => {
                if !told_waiting {
                    say(&format!("weir: no event of {triplet} yet; waiting"));
                }
                // Everything from here on is new.
                (told_waiting, feed.begun, limit) = (true, true, EVENTS_MAX);
            }
            Ok(answer) => bail!("{}: {}", arguments.server, answer.reason()),
            Err(error) if feed.begun => {
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

/// How events are written.
enum Form {
    Text(Show),
    Messages(Box<Messages>),
}

/// What was printed so far, and how.
struct Feed<'a> {
    form: Form,
    condition: Option<&'a Condition>,
    /// The newest position that was looked at.
    seen: Option<u64>,
    /// What comes now is new, not past.
    begun: bool,
}

impl Feed<'_> {
    /// Prints those of the events (newest first) that were not seen yet, oldest first.
    fn print_new(&mut self, out: &mut impl Write, events: &[Value], max: usize) -> anyhow::Result<()> {
        let position = |event: &Value| event.get("position").and_then(Value::as_u64).unwrap_or(0);
        let is_new = |event: &&Value| self.seen.is_none_or(|seen| position(event) > seen);
        let looked_at = events.iter().take_while(is_new).count();
        if self.begun && self.seen.is_some() && looked_at >= EVENTS_MAX as usize {
            say("weir: the stream is faster than the tail; some events were skipped");
        }
        let holds = |event: &&Value| self.condition.is_none_or(|condition| condition.holds(event));
        let mut new: Vec<&Value> = events.iter().take(looked_at).filter(holds).take(max).collect();
        new.reverse();
        match &mut self.form {
            Form::Text(show) => show.write(out, &new)?,
            Form::Messages(messages) => messages.write(out, &new)?,
        }
        out.flush()?;
        self.seen = events.first().map(position).max(self.seen);
        self.begun = true;
        Ok(())
    }
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
    use super::super::show::Format;
    use super::*;

    fn event(position: u64, row: u64) -> Value {
        serde_json::json!({ "position": position, "row": row, "fields": { "row": row } })
    }

    fn check(condition: Option<&str>, expected: &[Value]) {
        let condition = condition.map(|text| Condition::parse(text).unwrap());
        let form = Form::Text(Show::new(Format::Json, "").unwrap());
        let mut feed = Feed { form, condition: condition.as_ref(), seen: None, begun: false };
        let mut out = Vec::new();
        let first = [event(2, 1), event(2, 0), event(1, 0)];
        feed.print_new(&mut out, &first, 2).unwrap();
        let second = [event(3, 0), event(2, 1), event(2, 0)];
        feed.print_new(&mut out, &second, 1000).unwrap();
        feed.print_new(&mut out, &second, 1000).unwrap();
        assert_eq!(feed.seen, Some(3));
        let expected: String = expected.iter().map(|event| format!("{event}\n")).collect();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn only_new_events_are_printed_oldest_first() {
        check(None, &[event(2, 0), event(2, 1), event(3, 0)]);
    }

    #[test]
    fn past_events_are_counted_after_the_condition() {
        check(Some("row == 0"), &[event(1, 0), event(2, 0), event(3, 0)]);
    }
}
