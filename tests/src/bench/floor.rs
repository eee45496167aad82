//! The floor of the bench `ingest`: the same answer by hand, without Wasm, schema, batches, state or late windows.
//!
//! One thread of tokio reads its connections, splits lines, parses each by sonic-rs into a struct of borrowed text and adds to a `HashMap` by host
//! and second. A process of its own, so that its CPU time stands alone. Out, on standard output: `port N`, then, when all connections are at their end, a
//! line of JSON with rows, groups and the sum. It ends when its standard input does. [`cpu_us_per_event`] starts it, feeds it and checks what it found.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream as Connection;
use std::process::{Command, Stdio};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::measure::process_cpu_ns;
use super::windows::Windows;
use crate::process::Running;

const READ_BYTES: usize = 256 * 1024;

/// As much of an event as the floor needs.
#[derive(Deserialize)]
pub struct Event<'a> {
    pub host: &'a str,
    pub status: u16,
    pub latency_ms: f64,
    pub time: &'a str,
}

/// Count and sum by second and host.
#[derive(Default)]
struct Sums {
    by_second: HashMap<i64, HashMap<Box<str>, (u64, f64)>>,
}

/// What it found, so that nobody compares with a program that did not do the work.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    pub rows: u64,
    pub groups: u64,
    pub sum: f64,
}

pub fn serve(connections: usize) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start tokio")?;
    let sums = Rc::new(RefCell::new(Sums::default()));
    LocalSet::new().block_on(&runtime, all(connections, &sums))?;
    let sums = sums.borrow();
    let cells = || sums.by_second.values().flat_map(HashMap::values);
    let found = Found {
        rows: cells().map(|(count, _)| count).sum(),
        groups: cells().count() as u64,
        sum: cells().map(|(_, sum)| sum).sum(),
    };
    say(&serde_json::to_string(&found)?)?;
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).context("wait for the end of standard input")?;
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("write to standard output")
}

async fn all(connections: usize, sums: &Rc<RefCell<Sums>>) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", crate::host::free_port()?)).await.context("listen")?;
    say(&format!("port {}", listener.local_addr()?.port()))?;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await.context("accept")?;
        tasks.push(tokio::task::spawn_local(one(stream, Rc::clone(sums))));
    }
    for task in tasks {
        task.await.context("a task panicked")??;
    }
    Ok(())
}

async fn one(mut stream: TcpStream, sums: Rc<RefCell<Sums>>) -> Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(room).await.context("read")?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let used = sums.borrow_mut().take(buffer.get(..filled).unwrap_or_default())?;
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

/// CPU of a floor for these bytes, µs per event. `send` writes them all to its connections, which are closed then.
pub fn cpu_us_per_event(
    windows: &Windows,
    connections: usize,
    send: impl FnOnce(&mut [Connection]) -> Result<()>,
) -> Result<f64> {
    let own = std::env::current_exe().context("where is this program?")?;
    let mut command = Command::new(own);
    command.arg("floor").arg(connections.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut floor = Running::start(&mut command)?;
    let mut lines = BufReader::new(floor.child().stdout.take().context("no output of the floor")?).lines();
    let mut line = || lines.next().context("the floor has ended")?.context("read from the floor");
    let port = line()?;
    let port: u16 =
        port.strip_prefix("port ").and_then(|port| port.parse().ok()).context("no port of the floor")?;
    let pid = floor.pid();
    let begun_ns = process_cpu_ns(pid)?;
    let mut streams = connect(port, connections)?;
    send(&mut streams).context("send to the floor")?;
    drop(streams);
    let found: Found = serde_json::from_str(&line()?).context("what the floor found")?;
    let cpu_us = (process_cpu_ns(pid)? - begun_ns) as f64 / 1_000.0;
    let (rows, sum_ms) = (windows.rows(), windows.sum_ms());
    ensure!(
        found.rows == rows && found.groups == windows.len() as u64 && (found.sum - sum_ms).abs() < 1.0,
        "the floor found {found:?} instead of {rows} rows, {} groups and {sum_ms}",
        windows.len()
    );
    // Its input's end is its end.
    drop(floor.child().stdin.take());
    floor.wait()?;
    Ok(cpu_us / rows as f64)
}

/// So many connections to a port of this machine.
pub fn connect(port: u16, connections: usize) -> Result<Vec<Connection>> {
    let connect =
        |_| Connection::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"));
    (0..connections).map(connect).collect()
}

impl Sums {
    /// Adds all whole lines; says how many bytes they were.
    fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..)
            && let Some(length) = line_feed(rest)
        {
            let line = rest.get(..length).unwrap_or_default();
            let event: Event<'_> = sonic_rs::from_slice(line).context("parse an event")?;
            if event.latency_ms >= 0.0 && event.status > 0 {
                self.add(&event)?;
            }
            used += length + 1;
        }
        Ok(used)
    }

    fn add(&mut self, event: &Event<'_>) -> Result<()> {
        let second = second(event.time).context("a time of another form")?;
        let hosts = self.by_second.entry(second).or_default();
        match hosts.get_mut(event.host) {
            Some((count, sum)) => {
                *count += 1;
                *sum += event.latency_ms;
            }
            None => {
                hosts.insert(event.host.into(), (1, event.latency_ms));
            }
        }
        Ok(())
    }
}

/// Where the first one is.
pub fn line_feed(bytes: &[u8]) -> Option<usize> {
    // SAFETY: the call looks at no more than the bytes of the slice.
    let found = unsafe { libc::memchr(bytes.as_ptr().cast(), i32::from(b'\n'), bytes.len()) };
    (!found.is_null()).then(|| found.addr() - bytes.as_ptr().addr())
}

/// Second since 1970 of a time of the form `2026-11-21T12:00:00.000Z`.
fn second(time: &str) -> Option<i64> {
    let bytes: &[u8; 24] = time.as_bytes().try_into().ok()?;
    let digit = |at: usize| bytes.get(at).map_or(0, |byte| i64::from(byte.wrapping_sub(b'0')));
    let two = |at: usize| digit(at) * 10 + digit(at + 1);
    let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = days + (153 * shifted_month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + two(11) * 3_600 + two(14) * 60 + two(17))
}

#[cfg(test)]
mod tests {
    use super::super::events::{Requests, civil};
    use super::*;

    #[test]
    fn lines_are_counted_by_host_and_second_and_a_piece_of_one_waits() {
        let mut text = Vec::new();
        let mut requests = Requests::new(100, 1_795_305_600_000, 1_000);
        let (mut sum, mut least) = (0, i64::MAX);
        while let Some(request) = requests.write_next(&mut text) {
            (sum, least) = (sum + request.latency_us, least.min(request.second()));
        }
        let mut sums = Sums::default();
        let used = sums.take(&text[..text.len() - 5]).unwrap();
        sums.take(&text[used..]).unwrap();
        let cells: Vec<_> = sums.by_second.values().flat_map(HashMap::values).collect();
        assert_eq!(cells.iter().map(|(count, _)| count).sum::<u64>(), 100);
        let found: f64 = cells.iter().map(|(_, sum)| sum).sum();
        assert!((found - sum as f64 / 1_000.0).abs() < 1e-6);
        assert_eq!(sums.by_second.keys().min(), Some(&least));
    }

    #[test]
    fn seconds_are_those_of_the_calendar() {
        for expected in [951_782_399, 951_782_400, 1_709_164_800, 1_795_305_601, 4_102_444_799] {
            let [year, month, day, hour, minute, second_] = civil(expected);
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second_:02}.123Z");
            assert_eq!(second(&text), Some(expected), "{text}");
        }
    }
}
