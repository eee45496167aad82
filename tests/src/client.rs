//! A small HTTP client, bounded: one request, one connection, or one connection that stays open. Nothing of the product is in it, so that it cannot share its mistakes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("host: 127.0.0.1:{port}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(head.as_bytes())?;
    // A refusal may come before all of the body is read; then the write fails and the answer is still to be read.
    drop(stream.write_all(body));
    let mut bytes = Vec::new();
    drop(stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes));
    parse(&bytes).with_context(|| format!("{method} {path}: {} bytes are no answer", bytes.len()))
}

/// A connection that stays open over requests. Of answers with `content-length` alone, as Weir gives to what it was sent.
pub struct Connection {
    stream: TcpStream,
    port: u16,
    bytes: Vec<u8>,
}

impl Connection {
    pub fn open(port: u16) -> Result<Self> {
        let stream =
            TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, port, bytes: Vec::new() })
    }

    pub fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> Result<Answer> {
        self.bytes.clear();
        let (port, length) = (self.port, body.len());
        write!(
            self.bytes,
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
        )?;
        self.bytes.extend_from_slice(body);
        self.stream.write_all(&self.bytes)?;
        self.bytes.clear();
        let mut piece = [0; 4_096];
        loop {
            let read = self.stream.read(&mut piece)?;
            ensure!(read > 0, "{path}: the connection was closed before the answer");
            self.bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
            if let Some(answer) = parse(&self.bytes)
                && let Some(length) = answer.header("content-length")
                && answer.body.len() >= length.parse().with_context(|| answer.head.clone())?
            {
                return Ok(answer);
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let body = bytes.get(end + 4..)?.to_vec();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some(Answer { status, head, body: if chunked { unchunk(&body) } else { body } })
}

/// RFC 9112, section 7.1, without trailers.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(body.get(..end).unwrap_or_default());
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        let Some(chunk) = body.get(end + 2..end + 2 + size) else { break };
        out.extend_from_slice(chunk);
        body = body.get(end + 4 + size..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    out
}

/// Sends bytes as they are and gives what comes back until the other side closes or says nothing for `patience`.
pub fn raw(port: u16, bytes: &[u8], patience: Duration) -> Result<Vec<u8>> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"))?;
    stream.set_read_timeout(Some(patience))?;
    // A refusal may come before all is taken.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer));
    Ok(answer)
}
