//! Senders that survive the crashes of the host: numbered events over HTTP and TCP, with a book of what was acknowledged.
//!
//! A producer has keys of its own for each life of the host, so that of each key only the last events may be unknown. An event is `{"p","s","key","n","h","c","time"}`: `s` counts by
//! producer over all lives, `n` by key. Nothing is sent twice: what is not known when the host ends stays so.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::checker::hash;
use super::journal::Book;
use super::sender::now_ms;
use crate::client;

const CHUNK: usize = 100;
const KEYS: usize = 4;
const LOOK: Duration = Duration::from_millis(5);
/// Chunks over TCP that are sent and not acknowledged.
const AHEAD_MAX: usize = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// What all producers go by.
#[derive(Debug, Default)]
pub struct Lives {
    /// Counts the starts; 0 while the host is down.
    pub life: AtomicU64,
    pub stop: AtomicBool,
    /// Events of one producer in a second.
    pub rate: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Http(u16),
    Tcp(u16),
}

pub struct Producer {
    pub name: String,
    pub way: Way,
    sequence: u64,
    numbers: [u64; KEYS],
    life: u64,
    book: Book,
    due: Instant,
}

/// (key, number, time)
type Event = (usize, u64, i64);

impl Producer {
    pub fn new(name: &str, way: Way) -> Self {
        let (name, book) = (name.to_owned(), Book::default());
        Self { name, way, sequence: 0, numbers: [0; KEYS], life: 0, book, due: Instant::now() }
    }

    /// Sends until told to stop; through all lives of the host.
    pub fn run(mut self, lives: &Lives) -> Result<Book> {
        while !lives.stop.load(Ordering::Acquire) {
            let life = lives.life.load(Ordering::Acquire);
            if life == 0 || life == self.life {
                std::thread::sleep(LOOK);
                continue;
            }
            (self.life, self.numbers, self.due) = (life, [0; KEYS], Instant::now());
            match self.way {
                Way::Http(port) => self.live_http(lives, port)?,
                Way::Tcp(port) => self.live_tcp(lives, port),
            }
        }
        Ok(self.book)
    }

    fn goes_on(&self, lives: &Lives) -> bool {
        !lives.stop.load(Ordering::Acquire) && lives.life.load(Ordering::Acquire) == self.life
    }

    fn live_http(&mut self, lives: &Lives, port: u16) -> Result<()> {
        while self.goes_on(lives) {
            let (lines, events) = self.chunk();
            let acked = loop {
                let headers = [("content-type", "application/x-ndjson")];
                let path = "/ingest/proof/edit/event";
                let Ok(answer) = client::request(port, "POST", path, &headers, lines.as_bytes()) else {
                    break false;
                };
                match answer.status {
                    200 if answer.json()?["accepted"].as_u64() == Some(CHUNK as u64) => break true,
                    429 => std::thread::sleep(LOOK),
                    // The host ends.
                    503 => break false,
                    _ => bail!("HTTP refused: {}", answer.text()),
                }
            };
            self.note(&events, if acked { events.len() } else { 0 });
            if !acked {
                return Ok(());
            }
            self.pace(lives);
        }
        Ok(())
    }

    /// A connection of this life; whatever ends it, what was not acknowledged is not known.
    fn live_tcp(&mut self, lives: &Lives, port: u16) {
        let mut sent: Vec<Event> = Vec::new();
        let acked = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let Ok(mut stream) = connect(port) else { return };
            let Ok(answers) = stream.try_clone() else { return };
            let reading = scope.spawn(|| read_acks(answers, &acked));
            while self.goes_on(lives) && !reading.is_finished() {
                if sent.len() as u64 > acked.load(Ordering::Acquire) + (AHEAD_MAX * CHUNK) as u64 {
                    std::thread::sleep(LOOK);
                    continue;
                }
                let (lines, events) = self.chunk();
                sent.extend(&events);
                if stream.write_all(lines.as_bytes()).is_err() {
                    break;
                }
                self.pace(lives);
            }
            drop(stream.shutdown(std::net::Shutdown::Write));
        });
        let acked = acked.load(Ordering::Acquire) as usize;
        self.note(&sent, acked);
    }

    fn note(&mut self, events: &[Event], acked: usize) {
        for (at, (key, number, time_ms)) in events.iter().enumerate() {
            let key = self.key(*key);
            self.book.note(&key, *number, *time_ms, at < acked);
        }
    }

    fn key(&self, key: usize) -> String {
        format!("{}-{}-{key}", self.name, self.life)
    }

    fn chunk(&mut self) -> (String, Vec<Event>) {
        let time_ms = now_ms();
        let (mut lines, mut events) = (String::with_capacity(CHUNK * 110), Vec::with_capacity(CHUNK));
        for index in 0..CHUNK {
            let key = index % KEYS;
            let number = self.numbers[key];
            self.numbers[key] += 1;
            let (name, producer, sequence) = (self.key(key), &self.name, self.sequence);
            let hash = hash(&name, number);
            // A text is always written to.
            let _ = writeln!(
                lines,
                r#"{{"p":"{producer}","s":{sequence},"key":"{name}","n":{number},"h":{hash},"c":0,"time":{time_ms}}}"#
            );
            self.sequence += 1;
            events.push((key, number, time_ms));
        }
        (lines, events)
    }

    fn pace(&mut self, lives: &Lives) {
        self.due += Duration::from_secs_f64(CHUNK as f64 / lives.rate.max(1) as f64);
        match self.due.checked_duration_since(Instant::now()) {
            Some(wait) => std::thread::sleep(wait),
            None => self.due = Instant::now(),
        }
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"weir ack\n")?;
    Ok(stream)
}

/// Until the other side closes: how many are on disk by its word.
fn read_acks(stream: TcpStream, acked: &AtomicU64) {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        // A line that a crash has cut says nothing.
        if line.ends_with('\n')
            && let Some(count) = line.trim_end().strip_prefix("ok ").and_then(|count| count.parse().ok())
        {
            acked.store(count, Ordering::Release);
        }
        line.clear();
    }
}
