//! A running host, asked over plain HTTP/1.1: one request, one connection.
//!
//! In: method, path, headers and body. Out: the [`Answer`], whatever its status; an error where there is no host or no HTTP. Bounds: [`TIMEOUT`] for each read and
//! write (longer for changes, which may compile), [`ANSWER_BYTES_MAX`].

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

pub const TIMEOUT: Duration = Duration::from_secs(5);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(120);
const ANSWER_BYTES_MAX: u64 = 256 << 20;

pub struct Host {
    /// Host and port, as in the `Host` header.
    authority: String,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// One question. `body` with its content type.
#[derive(Default)]
pub struct Question<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: Option<(&'a str, Vec<u8>)>,
}

impl Answer {
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a refusal says.
    pub fn reason(&self) -> String {
        let value = self.json().unwrap_or_default();
        let message = value.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        format!("{} (status {})", message, self.status)
    }

    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the host's answer is not JSON; is it of another version?")
    }

    pub fn text(&self) -> anyhow::Result<String> {
        String::from_utf8(self.body.clone()).context("the host's answer is not text")
    }
}

impl Host {
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let fits = |text: &&str| {
            !text.is_empty() && !text.contains(['/', '@', '?', '#', ' ']) && !text.contains(char::is_control)
        };
        let authority =
            authority.filter(fits).with_context(|| format!("{url}: write it like http://127.0.0.1:7070"))?;
        let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self { authority: if port { authority.to_owned() } else { format!("{authority}:80") } })
    }

    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(&Question { method: "GET", path, ..Question::default() })
    }

    pub fn ask(&self, question: &Question<'_>) -> anyhow::Result<Answer> {
        let resolved =
            self.authority.to_socket_addrs().with_context(|| format!("look up {}", self.authority))?;
        let mut last = None;
        for address in resolved {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return self.ask_over(stream, question),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error).with_context(|| format!("connect to {}", self.authority)),
            None => bail!("{} has no address", self.authority),
        }
    }

    fn ask_over(&self, mut stream: TcpStream, question: &Question<'_>) -> anyhow::Result<Answer> {
        stream.set_read_timeout(Some(if question.method == "GET" { TIMEOUT } else { CHANGE_TIMEOUT }))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut request = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n",
            question.method, question.path, self.authority
        );
        for (name, value) in &question.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = match &question.body {
            Some((kind, body)) => {
                request.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
                body.as_slice()
            }
            None if question.method == "GET" => &[],
            None => {
                request.push_str("Content-Length: 0\r\n");
                &[]
            }
        };
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).context("ask the host")?;
        // A refusal may come before all of the body is read; then the answer says why.
        drop(stream.write_all(body));
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).context("read the host's answer")?;
        parse_answer(&answer).context("the host's answer is not HTTP, or was cut")
    }
}

/// Percent-encodes a part of a path (RFC 3986, 2.3: all but the unreserved characters).
pub fn encode(part: &str) -> String {
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
        assert_eq!(Host::parse("http://localhost:7070/").unwrap().authority, "localhost:7070");
        assert_eq!(Host::parse("http://localhost").unwrap().authority, "localhost:80");
        for url in ["localhost:7070", "https://localhost", "http://", "http://a/b", "http://a b"] {
            assert!(Host::parse(url).is_err(), "{url}");
        }
        assert_eq!(encode("a b/ü"), "a%20b%2F%C3%BC");
    }
}
