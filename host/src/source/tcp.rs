//! Source `tcp`: events over TCP, plain or with TLS.
//!
//! In: connections whose bytes are events, one after the other as the codec wants them (JSON best with a line feed between), or messages with
//! the length of each before it (`framing = "length"`). Out: batches; the order of a connection is kept, because a connection stays on one of the
//! source's threads. Each thread has one read buffer and one builder per stream for all its connections: bytes are read into that buffer and decoded where
//! they lie, and only the unfinished last event of a read is kept with its connection. A batch leaves when it is full or its oldest
//! event has waited 5 ms.
//!
//! A connection whose first line is `weir ack` is told what is on disk: `ok N` once N of its events are, `ok N rejected M` where M could not be taken. One line stands
//! for all before it. Other connections are told nothing, and their events are on disk within a fifth of a second.
//!
//! Limits: the constants below. Over one a connection is closed at once and counted as refused, as is one whose TLS does not come about. While a
//! flow lags nothing is read, so the kernel's buffers fill and the sender waits. A connection is closed when no whole event came for [`IDLE`], and
//! when a length cannot be one, since what follows it could be anything. Bad events are rejected one by one with their offset in the
//! connection; the rest is taken. The last event needs no line feed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use weir_core::config::Durability;

use super::StartError;
use super::decoder::{Asks, Brought, Decoder, Feed, Input};
use super::outlet::Outlet;
use crate::intake::SourceCounters;

mod transport;

use transport::Transport;

/// Decoding is what needs cores; beyond four the units behind it are the limit.
const THREADS_MAX: usize = 4;

/// Open connections of one source: what a machine's programs need, and few enough that unfinished events stay within
/// 1,000 x 256 KiB at the very worst.
const CONNECTIONS_MAX: usize = 1_000;

/// Open connections from one other machine, so that one of them cannot take all. Programs of this machine share an
/// address and so are bounded by [`CONNECTIONS_MAX`] alone.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 50;

/// Longest time without a whole event; a sender that is quiet for longer connects again.
const IDLE: Duration = Duration::from_secs(60);

/// A read below this was hardly worth its system call...
const READ_SMALL_BYTES: usize = 16 << 10;

/// ...so where reads follow each other closer than this, the next one waits for as long and finds more. Far below the
/// 5 ms that a batch may wait.
const READ_PAUSE: Duration = Duration::from_millis(1);

/// When the source ends, a connection is still read until it was quiet for [`DRAIN_QUIET`], so that what is on its way arrives; in all at
/// most this long, because a sender may never be quiet.
const DRAIN_MAX: Duration = Duration::from_millis(200);

const DRAIN_QUIET: Duration = Duration::from_millis(20);

/// Events of a sender that wants to be told wait so long for company.
const TOLD_AFTER: Duration = Duration::from_millis(4);

/// How long the end of a connection waits for its last events to be on disk.
const LAST_TOLD_MAX: Duration = Duration::from_secs(10);

/// Pause after the system refused a connection (no file handles left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An accepted connection on its way to its thread.
struct Arrival {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    seat: Seat,
}

pub(super) fn start(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    feed: &Feed,
    outlet: &Outlet,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let count = std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS_MAX));
    let mut senders = Vec::with_capacity(count);
    let mut receivers = Vec::with_capacity(count);
    for _ in 0..count {
        // As many as there are seats, so that handing over never waits.
        let (tx, rx) = mpsc::channel(CONNECTIONS_MAX);
        senders.push(tx);
        receivers.push(rx);
    }
    let mut listening = Some((listener, senders));
    let mut threads = Vec::with_capacity(count);
    for (number, arrivals) in receivers.into_iter().enumerate() {
        let (own, feed, listening) = (outlet.clone(), feed.clone(), listening.take());
        let tls = tls.clone();
        threads.push(super::spawn(outlet, &format!("-{number}"), move || async move {
            let accepting = async {
                if let Some((listener, senders)) = listening {
                    accept_all(listener, senders, own.clone()).await;
                }
            };
            tokio::join!(accepting, serve_all(arrivals, tls, Decoder::new(own.clone(), &feed)));
        })?);
    }
    Ok(threads)
}

/// Accepts until the stop signal; connections go round the threads.
async fn accept_all(
    listener: std::net::TcpListener,
    senders: Vec<mpsc::Sender<Arrival>>,
    mut outlet: Outlet,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(source = %outlet.name, %error, "cannot listen");
            return;
        }
    };
    let seats = Seats::new(outlet.counters.clone());
    for sender in senders.iter().cycle() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = super::stopped(&mut outlet.stop) => return,
        };
        let arrival = accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer)));
        match arrival {
            Ok((stream, peer)) => match seats.take(peer.ip()) {
                // The channel has a place for each seat; its receiver ends after us.
                Some(seat) => drop(sender.try_send(Arrival { stream, peer, seat })),
                None => {
                    tracing::debug!(source = %outlet.name, %peer, "connection refused: too many are open")
                }
            },
            Err(error) => {
                SourceCounters::add(&outlet.counters.refused_total, 1);
                tracing::debug!(source = %outlet.name, %error, "connection lost before it was accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Which connections are open, from where.
struct Seats {
    counters: Arc<SourceCounters>,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one open connection; given back when dropped.
struct Seat {
    counters: Arc<SourceCounters>,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Seats {
    fn new(counters: Arc<SourceCounters>) -> Self {
        Self { counters, open: Arc::default() }
    }

    /// None, counted as refused, where too many are open.
    fn take(&self, address: IpAddr) -> Option<Seat> {
        let per_address = if address.is_loopback() { CONNECTIONS_MAX } else { CONNECTIONS_PER_ADDRESS_MAX };
        let mut open = self.open.lock();
        let total = open.values().sum::<usize>();
        if total >= CONNECTIONS_MAX || open.get(&address).copied().unwrap_or(0) >= per_address {
            SourceCounters::add(&self.counters.refused_total, 1);
            return None;
        }
        *open.entry(address).or_insert(0) += 1;
        SourceCounters::add(&self.counters.connections_total, 1);
        SourceCounters::add(&self.counters.connections_open, 1);
        Some(Seat { counters: self.counters.clone(), open: self.open.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
        self.counters.connections_open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What the connections of one thread share.
struct Shared {
    /// Borrowed only between two awaits.
    decoder: RefCell<Decoder>,
    /// Rows wait in the builders and the flush task knows.
    armed: Cell<bool>,
    arm: Notify,
    /// Connections that want to be told.
    askers: Cell<usize>,
    owed: RefCell<Owed>,
}

/// Who is to be told what, once all that was read is on disk.
struct Owed {
    since: Instant,
    list: Vec<(watch::Sender<Told>, Told)>,
}

/// What is known to be on disk of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    accepted: u64,
    rejected: u64,
    /// Nothing more will be.
    lost: bool,
}

impl Shared {
    fn new(decoder: Decoder) -> Rc<Self> {
        let owed = RefCell::new(Owed { since: Instant::now(), list: Vec::new() });
        let (decoder, armed, askers) = (RefCell::new(decoder), Cell::new(false), Cell::new(0));
        let shared = Self { decoder, armed, arm: Notify::new(), askers, owed };
        shared.ask(0);
        Rc::new(shared)
    }

    /// One more or less that wants to be told: only for them is each batch synced at once.
    fn ask(&self, change: isize) {
        let askers = self.askers.get().saturating_add_signed(change);
        self.askers.set(askers);
        let mut decoder = self.decoder.borrow_mut();
        let promised = decoder.outlet().durability;
        decoder.durability = match promised {
            Durability::Fsync if askers == 0 => Durability::Interval,
            other => other,
        };
    }

    fn owe(&self, to: &watch::Sender<Told>, told: Told) {
        let mut owed = self.owed.borrow_mut();
        if owed.list.is_empty() {
            owed.since = Instant::now();
        }
        match owed.list.iter_mut().find(|(known, _)| known.same_channel(to)) {
            Some((_, known)) => *known = told,
            None => owed.list.push((to.clone(), told)),
        }
    }

    /// Hands over what is due, and all of it where somebody waits to be told.
    fn flush(&self) -> Option<Duration> {
        let mut decoder = self.decoder.borrow_mut();
        let wait = decoder.flush_due();
        let mut owed = self.owed.borrow_mut();
        if owed.list.is_empty() || (wait.is_some() && owed.since.elapsed() < TOLD_AFTER) {
            return wait;
        }
        decoder.flush_all();
        let list = std::mem::take(&mut owed.list);
        decoder.take_receipt().when_durable(move |outcome| {
            for (to, told) in list {
                to.send_modify(|known| match outcome {
                    Ok(()) => *known = Told { lost: known.lost, ..told },
                    Err(_) => known.lost = true,
                });
            }
        });
        None
    }

    fn arm(&self, decoder: &Decoder) {
        if !self.armed.get() && (decoder.holds_rows() || !self.owed.borrow().list.is_empty()) {
            self.armed.set(true);
            self.arm.notify_one();
        }
    }

    /// Lets batches go when they are due. Has no timer while no row waits.
    async fn flush_due(&self) {
        loop {
            self.arm.notified().await;
            while let Some(wait) = self.flush() {
                tokio::time::sleep(wait).await;
            }
            self.armed.set(false);
        }
    }
}

/// Serves the connections of one thread until the accept loop is gone and all of them have ended.
async fn serve_all(mut arrivals: mpsc::Receiver<Arrival>, tls: Option<TlsAcceptor>, decoder: Decoder) {
    let shared = Shared::new(decoder);
    let mut open = tokio::task::JoinSet::new();
    let serve = async {
        loop {
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => drop(open.spawn_local(serve_one(arrival, tls.clone(), shared.clone()))),
                    None => break,
                },
                Some(ended) = open.join_next() => log_panic(&ended),
            }
        }
        while let Some(ended) = open.join_next().await {
            log_panic(&ended);
        }
    };
    tokio::select! {
        () = serve => {}
        () = shared.flush_due() => {}
    }
    shared.decoder.borrow_mut().flush_all();
}

fn log_panic(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task panicked; its unfinished event is lost");
    }
}

async fn serve_one(arrival: Arrival, tls: Option<TlsAcceptor>, shared: Rc<Shared>) {
    let Arrival { stream, peer, seat } = arrival;
    let mut outlet = shared.decoder.borrow().outlet().clone();
    let opening = Transport::open(stream, tls);
    tokio::pin!(opening);
    // What was accepted before the stop is still read, so its handshake gets the time of a drain.
    let opened = tokio::select! {
        biased;
        opened = &mut opening => Ok(opened),
        () = super::stopped(&mut outlet.stop) => tokio::time::timeout(DRAIN_MAX, opening).await,
    };
    let Ok(opened) = opened else { return };
    let transport = match opened {
        Ok(transport) => transport,
        Err(error) => {
            SourceCounters::add(&outlet.counters.refused_total, 1);
            tracing::debug!(source = %outlet.name, %peer, %error, "connection lost at its start");
            return;
        }
    };
    let mut connection = Connection::new(transport, shared);
    let mut reading = outlet.clone();
    let end = tokio::select! {
        end = connection.read_all(&mut reading) => Some(end),
        () = super::stopped(&mut outlet.stop) => None,
    };
    let end = match end {
        Some(end) => end,
        None => connection.drain(&outlet).await,
    };
    connection.finish();
    let end = connection.tell_last().await.err().unwrap_or(end);
    tracing::debug!(source = %outlet.name, %peer, %end, "connection closed");
    drop(seat);
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the sender closed it")]
    Closed,
    #[error("no whole event for {} s", IDLE.as_secs())]
    Idle,
    #[error("where the next event begins cannot be known any more")]
    OutOfStep,
    #[error("{0}")]
    Failed(io::Error),
    #[error("the journal stopped, so that nothing more can be promised")]
    Lost,
    #[error("the source ended")]
    Stopped,
}

struct Connection {
    transport: Transport,
    shared: Rc<Shared>,
    input: Input,
    /// When the last whole event came, so that single bytes do not keep a connection open.
    progress: Instant,
    /// [`IDLE`], shorter in tests.
    idle: Duration,
    to_tell: watch::Sender<Told>,
    told: watch::Receiver<Told>,
    /// It asked, and is counted as one that did.
    asked: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.asked {
            self.shared.ask(-1);
        }
    }
}

impl Connection {
    fn new(transport: Transport, shared: Rc<Shared>) -> Self {
        let mut input = shared.decoder.borrow().input();
        input.asks = Asks::Perhaps;
        let (to_tell, told) = watch::channel(Told::default());
        Self { transport, shared, input, progress: Instant::now(), idle: IDLE, to_tell, told, asked: false }
    }

    /// Says what is on disk by now.
    async fn tell(&mut self) -> Result<(), End> {
        let told = *self.told.borrow_and_update();
        if told.lost {
            return Err(End::Lost);
        }
        let line = match told.rejected {
            0 => format!("ok {}\n", told.accepted),
            rejected => format!("ok {} rejected {rejected}\n", told.accepted),
        };
        self.transport.write(line.as_bytes()).await.map_err(End::Failed)
    }

    /// The end: waits for what was read last.
    async fn tell_last(&mut self) -> Result<(), End> {
        if self.input.asks != Asks::Yes {
            return Ok(());
        }
        let all =
            Told { accepted: self.input.accepted_total, rejected: self.input.rejected_total, lost: false };
        let until = Instant::now() + LAST_TOLD_MAX;
        loop {
            let done = *self.told.borrow() == all;
            if self.told.has_changed().unwrap_or(false) {
                self.tell().await?;
            }
            if done {
                return Ok(());
            }
            match tokio::time::timeout_at(until, self.told.changed()).await {
                Ok(Ok(())) => self.tell().await?,
                _ => return Err(End::Lost),
            }
        }
    }

    /// Reads until the sender closes. May be dropped at each await: no bytes are held there.
    async fn read_all(&mut self, outlet: &mut Outlet) -> End {
        let mut last = Instant::now();
        let mut small = false;
        loop {
            if small && last.elapsed() < READ_PAUSE * 2 {
                tokio::time::sleep(READ_PAUSE).await;
            }
            if outlet.room().is_err() {
                if !outlet.wait_room().await {
                    return End::Stopped;
                }
                self.progress = Instant::now();
            }
            let idle_at = self.progress + self.idle;
            tokio::select! {
                ready = self.transport.ready() => match ready {
                    Ok(()) => {}
                    Err(error) => return End::Failed(error),
                },
                Ok(()) = self.told.changed() => match self.tell().await {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
                () = tokio::time::sleep_until(idle_at) => return End::Idle,
            }
            match self.read() {
                Ok(brought) if brought.out_of_step => return End::OutOfStep,
                Ok(brought) if brought.bytes == 0 => return End::Closed,
                Ok(brought) => small = brought.bytes < READ_SMALL_BYTES,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return End::Failed(error),
            }
            last = Instant::now();
            // So that a flood does not keep the thread's other connections waiting.
            tokio::task::yield_now().await;
        }
    }

    /// Takes what has been sent. Waiting for readiness, not only trying, lets the runtime look at the socket anew.
    async fn drain(&mut self, outlet: &Outlet) -> End {
        let end = Instant::now() + DRAIN_MAX;
        while outlet.room().is_ok() {
            let quiet = end.min(Instant::now() + DRAIN_QUIET);
            let Ok(Ok(())) = tokio::time::timeout_at(quiet, self.transport.ready()).await else { break };
            match self.read() {
                Ok(brought) if brought.out_of_step => return End::OutOfStep,
                Ok(brought) if brought.bytes == 0 => return End::Closed,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return End::Failed(error),
            }
        }
        End::Stopped
    }

    /// One read, decoded.
    fn read(&mut self) -> io::Result<Brought> {
        let transport = &mut self.transport;
        let mut decoder = self.shared.decoder.borrow_mut();
        let brought = decoder.read(&mut self.input, |buffer| transport.try_read(buffer))?;
        drop(decoder);
        self.note_owed();
        self.shared.arm(&self.shared.decoder.borrow());
        if brought.progress {
            self.progress = Instant::now();
        }
        Ok(brought)
    }

    /// What is left is the last event, whole or not.
    fn finish(&mut self) {
        self.shared.decoder.borrow_mut().finish(&mut self.input);
        self.note_owed();
        self.shared.arm(&self.shared.decoder.borrow());
    }

    fn note_owed(&mut self) {
        if self.input.asks != Asks::Yes {
            return;
        }
        if !std::mem::replace(&mut self.asked, true) {
            self.shared.ask(1);
        }
        let all =
            Told { accepted: self.input.accepted_total, rejected: self.input.rejected_total, lost: false };
        self.shared.owe(&self.to_tell, all);
    }
}

#[cfg(test)]
mod tests;
