//! A small HTTP client: one request, one connection, bounded. Nothing of the product is in it, so that it cannot share its mistakes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

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
