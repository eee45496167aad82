//! What senders see of the journal: events that a real `weir` has acknowledged, per second of the clock.
//!
//! Events of some 200 B into the pipeline of bench `ingest`. HTTP: clients, each with a connection that stays open, post bodies of 1, 100 and 1,000 events and wait for the answer, which comes after the
//! sync. TCP: `weir ack`, as many lines at once, then the line `ok N` is waited for. Clients are threads of this process and share the machine with the host; what is refused for now (429)
//! is sent again after a moment and counts once.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::super::events::{self, Requests};
use super::super::{Report, ingest};
use crate::client::Connection;
use crate::process::{Weir, free_port};

const CLIENTS: [usize; 2] = [1, 100];
const ROWS: [usize; 3] = [1, 100, 1_000];
const FOR: Duration = Duration::from_secs(3);
const ANSWER_MAX: Duration = Duration::from_secs(30);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

#[derive(Clone, Copy)]
enum Way {
    Http,
    Tcp,
}

pub fn run(report: &mut Report) -> Result<()> {
    report.row(
        ["acknowledged to clients", "events/s", "answers/s", "p50 ms", "p99 ms"].map(str::to_owned).to_vec(),
    );
    for (way, name) in [(Way::Http, "http"), (Way::Tcp, "tcp")] {
        for clients in CLIENTS {
            for rows in ROWS {
                measure(report, way, name, clients, rows)
                    .with_context(|| format!("{clients} clients, {rows} events, {name}"))?;
            }
        }
    }
    Ok(())
}

fn measure(report: &mut Report, way: Way, name: &str, clients: usize, rows: usize) -> Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let weir = Weir::start_on(ingest::CONFIG, folder.path(), (free_port()?, free_port()?), true)?;
    let mut body = Vec::new();
    let mut requests = Requests::new(rows, events::now_unix_ms(), 500);
    while requests.write_next(&mut body).is_some() {}
    let start = Barrier::new(clients);
    let client = || -> Result<Vec<f64>> {
        let mut client = Client::open(&weir, way)?;
        start.wait();
        let until = Instant::now() + FOR;
        let mut waited_ms = Vec::new();
        while Instant::now() < until {
            let sent = Instant::now();
            client.send(&body, rows)?;
            waited_ms.push(sent.elapsed().as_secs_f64() * 1e3);
        }
        Ok(waited_ms)
    };
    let mut waited_ms = std::thread::scope(|scope| -> Result<Vec<f64>> {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let mut all = Vec::new();
        for client in clients {
            all.append(&mut client.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(all)
    })?;
    waited_ms.sort_by(f64::total_cmp);
    let at = |share: f64| super::super::measure::percentile(&waited_ms, share);
    let answers_per_s = waited_ms.len() as f64 / FOR.as_secs_f64();
    let events_per_s = answers_per_s * rows as f64;
    report.row(vec![
        format!("{name}, {clients} x {rows} events"),
        format!("{events_per_s:.0}"),
        format!("{answers_per_s:.0}"),
        format!("{:.2}", at(0.5)),
        format!("{:.2}", at(0.99)),
    ]);
    report.figure(&format!("{name}_acknowledged_per_s_{clients}x{rows}"), events_per_s);
    weir.process.end()
}

/// A connection, and for TCP how many events were sent over it.
enum Client {
    Http(Connection),
    Tcp(BufReader<TcpStream>, u64),
}

impl Client {
    fn open(weir: &Weir, way: Way) -> Result<Self> {
        match way {
            Way::Http => Connection::open(weir.http_port).map(Self::Http),
            Way::Tcp => {
                let mut stream = TcpStream::connect(("127.0.0.1", weir.tcp_port)).context("connect")?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                stream.set_write_timeout(Some(ANSWER_MAX))?;
                stream.write_all(b"weir ack\n")?;
                Ok(Self::Tcp(BufReader::new(stream), 0))
            }
        }
    }

    /// Until all of these events are acknowledged.
    fn send(&mut self, body: &[u8], rows: usize) -> Result<()> {
        match self {
            Self::Http(connection) => loop {
                let answer = connection.post("/ingest/shop/prod/request", "application/x-ndjson", body)?;
                match answer.status {
                    200 => return Ok(()),
                    429 => std::thread::sleep(AGAIN_AFTER),
                    status => bail!("{status}: {}", answer.text()),
                }
            },
            Self::Tcp(stream, sent) => {
                stream.get_mut().write_all(body)?;
                *sent += rows as u64;
                let mut line = String::new();
                loop {
                    line.clear();
                    stream.read_line(&mut line)?;
                    let done = line.strip_prefix("ok ").and_then(|rest| rest.trim_end().parse::<u64>().ok());
                    // A rejected event would make the line another one.
                    if done.with_context(|| format!("instead of `ok N` there came {line:?}"))? >= *sent {
                        return Ok(());
                    }
                }
            }
        }
    }
}
