//! Numbered events over TCP and HTTP at a pace, with a ledger of what was sent.
//!
//! Each sender has keys of its own, so that the order of a key is the order of one connection. An event is `{"key","n","h","c","time"}`: `n` counts by key, `h` is the
//! checker's hash, `c` is 1 for canaries. A sender can be told to lie to its ledger once, to see whether the checker finds out.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::checker::{Ledger, hash};
use crate::client;

/// Events between two looks at the clock.
const CHUNK: usize = 250;
/// The chunk that a lie is about; it has a canary.
const LIE_AT: u32 = 21;
const TRY_AGAIN: Duration = Duration::from_millis(50);
const TRIES_MAX: u32 = 1_200;

/// What a sender does wrong, once, in the middle of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Notes a chunk that it does not send.
    Drop,
    /// Sends a chunk twice and notes it once.
    Duplicate,
    /// Sends a chunk after later ones.
    Reorder,
}

/// What all senders go by.
#[derive(Debug, Default)]
pub struct Pace {
    pub stop: AtomicBool,
    /// Flood of all senders together, events per s; 0: as fast as it goes.
    pub rate: AtomicU64,
    pub sent: AtomicU64,
}

pub enum Way {
    Tcp(TcpStream),
    /// Port.
    Http(u16),
}

pub struct Sender {
    pub way: Way,
    /// Names of its keys: the first is a canary.
    pub keys: Vec<String>,
    /// Its part of the rate.
    pub share: f64,
    pub lie: Option<Lie>,
}

struct Chunk {
    lines: String,
    events: Vec<(usize, u64, i64)>,
}

impl Sender {
    /// Sends until told to stop.
    pub fn run(mut self, pace: &Pace) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        let mut numbers = vec![0_u64; self.keys.len()];
        let mut due = Instant::now();
        let mut chunks = 0_u32;
        let mut held: Option<Chunk> = None;
        while !pace.stop.load(Ordering::Acquire) {
            let chunk = self.chunk(&mut numbers, chunks);
            for (key, number, time_ms) in &chunk.events {
                ledger.note(&self.keys[*key], *key == 0, *number, *time_ms);
            }
            chunks += 1;
            match self.lie.filter(|_| chunks == LIE_AT) {
                Some(Lie::Drop) => {}
                Some(Lie::Duplicate) => {
                    self.send(&chunk.lines)?;
                    self.send(&chunk.lines)?;
                }
                Some(Lie::Reorder) => held = Some(chunk),
                None => self.send(&chunk.lines)?,
            }
            // Five chunks later there was another canary.
            if chunks == LIE_AT + 5
                && let Some(held) = held.take()
            {
                self.send(&held.lines)?;
            }
            pace.sent.fetch_add(CHUNK as u64, Ordering::Relaxed);
            due = self.wait(pace, due);
        }
        if let Some(held) = held {
            self.send(&held.lines)?;
        }
        if let Way::Tcp(stream) = &mut self.way {
            stream.shutdown(std::net::Shutdown::Write).context("close a connection")?;
        }
        Ok(ledger)
    }

    /// Flood, and a canary in every fourth chunk.
    fn chunk(&self, numbers: &mut [u64], number: u32) -> Chunk {
        let time_ms = now_ms();
        let mut chunk = Chunk { lines: String::with_capacity(CHUNK * 80), events: Vec::with_capacity(CHUNK) };
        for index in 0..CHUNK {
            let canary = index == 0 && number.is_multiple_of(4);
            let key = if canary { 0 } else { 1 + index % (self.keys.len() - 1) };
            let number = numbers[key];
            numbers[key] += 1;
            let (name, canary) = (&self.keys[key], u8::from(canary));
            let hash = hash(name, number);
            // A text is always written to.
            let _ = writeln!(
                chunk.lines,
                r#"{{"key":"{name}","n":{number},"h":{hash},"c":{canary},"time":{time_ms}}}"#
            );
            chunk.events.push((key, number, time_ms));
        }
        chunk
    }

    fn send(&mut self, lines: &str) -> Result<()> {
        match &mut self.way {
            Way::Tcp(stream) => stream.write_all(lines.as_bytes()).context("send over TCP"),
            Way::Http(port) => post(*port, lines),
        }
    }

    /// When the next chunk is due; waits until then. Who is behind does not catch up by more than a second.
    fn wait(&self, pace: &Pace, due: Instant) -> Instant {
        let rate = pace.rate.load(Ordering::Relaxed) as f64 * self.share;
        if rate <= 0.0 {
            return Instant::now();
        }
        let next = due + Duration::from_secs_f64(CHUNK as f64 / rate);
        let now = Instant::now();
        match next.checked_duration_since(now) {
            Some(wait) => std::thread::sleep(wait.min(Duration::from_secs(1))),
            None if now.duration_since(next) > Duration::from_secs(1) => return now,
            None => {}
        }
        next
    }
}

/// A busy host is asked again; nothing of a refused body was taken.
fn post(port: u16, lines: &str) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let headers = [("content-type", "application/x-ndjson")];
        let answer = client::request(port, "POST", "/ingest/proof/edit/event", &headers, lines.as_bytes())?;
        match answer.status {
            200 => {
                let taken = answer.json()?["accepted"].as_u64();
                if taken != Some(lines.lines().count() as u64) {
                    bail!("HTTP took only a part: {}", answer.text());
                }
                return Ok(());
            }
            429 | 503 => std::thread::sleep(TRY_AGAIN),
            _ => bail!("HTTP refused: {}", answer.text()),
        }
    }
    bail!("HTTP was busy for too long")
}

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
