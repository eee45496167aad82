//! `weir send`: standard input to a running host.
//!
//! In: lines (or, with `--whole`, one body of any kind). Out, over HTTP: bodies of at most [`BODY_BYTES_MAX`], each sent when it is full or nothing more
//! came for [`PAUSE`], so that `tail -f | weir send` is live; at the end one line on standard error with what was accepted and rejected, and the first
//! reasons with their line in the input. A host that lags (429) or stops (503) is asked again for [`RETRY_MAX`]. Over TCP: the bytes as they
//! are; nothing is answered there. Exit code 0: all was accepted (or, over TCP, sent); 1: something was not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use weir_core::triplet::Triplet;

use super::remote::{Answer, Host, Question, TIMEOUT, encode};
use super::{InputCodec, SendArguments, say};

/// Far below what the host takes, so that one refusal costs little.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What the host takes as one body.
const WHOLE_BYTES_MAX: u64 = 5 << 20;

/// The longest line that fits into a body; none beyond the host's own bound for an event can be accepted.
const LINE_BYTES_MAX: u64 = 4 << 20;

const PAUSE: Duration = Duration::from_millis(100);

/// Lines that were read and not sent yet.
const LINES_WAITING: usize = 1_024;

const RETRY_EVERY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Reasons that are told.
const REASONS_MAX: u64 = 10;

pub fn send(arguments: &SendArguments) -> anyhow::Result<ExitCode> {
    match (&arguments.stream, arguments.tcp) {
        (_, Some(address)) => over_tcp(address),
        (Some(stream), None) => {
            let host = Host::parse(&arguments.server)?;
            let mut sender = Sender::new(host, stream, arguments.codec.content_type());
            // What is not made of lines cannot be cut at them.
            if arguments.whole || arguments.codec == InputCodec::Msgpack {
                sender.send(&whole()?)?;
            } else {
                sender.send_lines(&lines())?;
            }
            sender.told()
        }
        // The parser asks for one of them.
        (None, None) => bail!("say which stream: weir send application/environment/type"),
    }
}

fn over_tcp(address: SocketAddr) -> anyhow::Result<ExitCode> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
        .with_context(|| format!("no source of kind tcp at {address}"))?;
    let bytes = std::io::copy(&mut std::io::stdin().lock(), &mut stream).context("send")?;
    stream.shutdown(std::net::Shutdown::Write).context("send the end")?;
    // The host closes when it has read all: only then is it sure that nothing is left in between.
    stream.set_read_timeout(Some(RETRY_MAX))?;
    std::io::copy(&mut stream, &mut std::io::sink()).context("wait for the host to take it")?;
    say(&format!(
        "weir send: {bytes} bytes taken; over TCP nothing says what was accepted (GET /api/sources counts it)"
    ));
    Ok(ExitCode::SUCCESS)
}

fn whole() -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    std::io::stdin()
        .lock()
        .take(WHOLE_BYTES_MAX + 1)
        .read_to_end(&mut body)
        .context("read standard input")?;
    if body.len() as u64 > WHOLE_BYTES_MAX {
        bail!(
            "standard input is longer than {WHOLE_BYTES_MAX} bytes, which is the most for one body; send it in parts"
        );
    }
    Ok(body)
}

/// Reads on a thread of its own, so that what is there is sent while nothing more comes.
fn lines() -> Receiver<std::io::Result<Vec<u8>>> {
    let (tx, rx) = sync_channel(LINES_WAITING);
    std::thread::spawn(move || {
        let mut input = BufReader::new(std::io::stdin().lock());
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            let sent = match read {
                Ok(0) => return,
                Ok(_) => tx.send(Ok(line)),
                Err(error) => tx.send(Err(error)),
            };
            if sent.is_err() {
                return;
            }
        }
    });
    rx
}

struct Sender {
    host: Host,
    path: String,
    content_type: &'static str,
    accepted: u64,
    rejected: u64,
    /// Lines before the body that is sent.
    lines: u64,
    told: u64,
}

impl Sender {
    fn new(host: Host, stream: &Triplet, content_type: &'static str) -> Self {
        let parts = [stream.application(), stream.environment(), stream.event_type()].map(encode);
        let path = format!("/ingest/{}", parts.join("/"));
        Self { host, path, content_type, accepted: 0, rejected: 0, lines: 0, told: 0 }
    }

    fn send_lines(&mut self, lines: &Receiver<std::io::Result<Vec<u8>>>) -> anyhow::Result<()> {
        let mut body: Vec<u8> = Vec::new();
        loop {
            // With nothing in hand there is no hurry.
            let line = if body.is_empty() {
                lines.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                lines.recv_timeout(PAUSE)
            };
            match line {
                Ok(line) => {
                    let line = line.context("read standard input")?;
                    if !body.is_empty() && body.len() + line.len() > BODY_BYTES_MAX {
                        self.send(&std::mem::take(&mut body))?;
                    }
                    body.extend_from_slice(&line);
                }
                Err(RecvTimeoutError::Timeout) => self.send(&std::mem::take(&mut body))?,
                Err(RecvTimeoutError::Disconnected) if body.is_empty() => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return self.send(&body),
            }
        }
    }

    fn send(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let until = Instant::now() + RETRY_MAX;
        let answer = loop {
            let answer = self.host.ask(&Question {
                method: "POST",
                path: &self.path,
                body: Some((self.content_type, body.to_vec())),
                ..Question::default()
            });
            match answer.context("no running host answers")? {
                Answer { status: 429 | 503, .. } if Instant::now() < until => std::thread::sleep(RETRY_EVERY),
                answer => break answer,
            }
        };
        let told = answer.json().unwrap_or_default();
        let count = |name: &str| told.get(name).and_then(Value::as_u64);
        let (Some(accepted), Some(rejected)) = (count("accepted"), count("rejected")) else {
            bail!("after {} accepted events: {}", self.accepted, answer.reason());
        };
        self.accepted += accepted;
        self.rejected += rejected;
        for reason in told.get("reasons").and_then(Value::as_array).into_iter().flatten() {
            self.tell(reason);
        }
        self.lines += body.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(())
    }

    fn tell(&mut self, reason: &Value) {
        self.told += 1;
        if self.told > REASONS_MAX {
            return;
        }
        let line = self.lines + reason.get("line").and_then(Value::as_u64).unwrap_or(1);
        let text = |name: &str| reason.get(name).and_then(Value::as_str).unwrap_or_default();
        say(&format!("weir send: line {line}: {}: {}", text("code"), text("message")));
    }

    fn told(&self) -> anyhow::Result<ExitCode> {
        let mut out = std::io::stderr().lock();
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(out, "weir send: {} accepted, {} rejected", self.accepted, self.rejected);
        Ok(if self.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
