//! `weir tail`: the events of one stream of a running host, one JSON object per line.
//!
//! Asks `GET /api/streams/{a}/{e}/{t}/recent` five times a second over plain HTTP/1.1 and prints what is newer than what was seen: a record
//! becomes visible as a whole, so its position tells. At most 1,000 events per question; what a fast stream makes beyond that is
//! skipped, and said on standard error. A stream that is not there yet is waited for, a host that went away too; one that was never there is
//! an error.

use std::io::{BufWriter, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::{TailArguments, say};

const POLL: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_secs(5);
const EVENTS_MAX: u32 = 1000;
const ANSWER_BYTES_MAX: u64 = 256 << 20;

pub fn tail(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let triplet = &arguments.stream;
    let server = Server::parse(&arguments.server)?;
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

/// Percent-encodes a part of a path (RFC 3986, 2.3: all but the unreserved characters).
fn encode(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte as char);
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

struct Server {
    /// Host and port, as in the `Host` header.
    authority: String,
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn reason(&self) -> String {
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = value.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        format!("{} (status {})", message, self.status)
    }
}

impl Server {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let fits = |text: &&str| {
            !text.is_empty() && !text.contains(['/', '@', '?', '#', ' ']) && !text.contains(char::is_control)
        };
        let authority = authority
            .filter(fits)
            .with_context(|| format!("--server {url}: write it like http://127.0.0.1:7070"))?;
        let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self { authority: if port { authority.to_owned() } else { format!("{authority}:80") } })
    }

    fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let resolved =
            self.authority.to_socket_addrs().with_context(|| format!("look up {}", self.authority))?;
        let mut last = None;
        for address in resolved {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return self.ask(stream, path),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error).with_context(|| format!("connect to {}", self.authority)),
            None => bail!("{} has no address", self.authority),
        }
    }

    fn ask(&self, mut stream: TcpStream, path: &str) -> anyhow::Result<Answer> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
            self.authority
        );
        stream.write_all(request.as_bytes()).context("ask the host")?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).context("read the host's answer")?;
        parse_answer(&answer).context("the host's answer is not HTTP, or was cut")
    }
}

/// Status and body. The connection closes after it, so the body is what follows; a length, where given, must be there.
fn parse_answer(answer: &[u8]) -> Option<Answer> {
    let head_end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let (head, body) = answer.split_at_checked(head_end)?;
    let body = body.get(4..)?;
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let header = |name: &str| {
        let found = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        found.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    };
    if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Some(Answer { status, body: unchunk(body)? });
    }
    match header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => Some(Answer { status, body: body.get(..length)?.to_vec() }),
        Some(Err(_)) => None,
        None => Some(Answer { status, body: body.to_vec() }),
    }
}

/// RFC 9112, 7.1; trailers are ignored.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = rest.windows(2).position(|bytes| bytes == b"\r\n")?;
        let line = std::str::from_utf8(rest.get(..line_end)?).ok()?;
        let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(line_end + 2..)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length.checked_add(2)?..)?;
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

    #[test]
    fn answers_are_read_with_length_in_chunks_and_to_the_end() {
        let body = |text: &str| {
            parse_answer(text.as_bytes())
                .map(|answer| (answer.status, String::from_utf8(answer.body).unwrap()))
        };
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Some((200, "ok".into())));
        assert_eq!(body("HTTP/1.1 404 Not Found\r\n\r\nno"), Some((404, "no".into())));
        assert_eq!(
            body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"),
            Some((200, "abcd".into()))
        );
        for cut in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "ICY 200 OK\r\n\r\n",
            "",
        ] {
            assert!(body(cut).is_none(), "{cut}");
        }
    }

    #[test]
    fn servers_and_parts_are_checked() {
        assert_eq!(Server::parse("http://localhost:7070/").unwrap().authority, "localhost:7070");
        assert_eq!(Server::parse("http://localhost").unwrap().authority, "localhost:80");
        for url in ["localhost:7070", "https://localhost", "http://", "http://a/b", "http://a b"] {
            assert!(Server::parse(url).is_err(), "{url}");
        }
        assert_eq!(encode("a b/ü"), "a%20b%2F%C3%BC");
    }
}
