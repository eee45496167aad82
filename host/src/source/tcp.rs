//! Source `tcp`: events over TCP, plain or with TLS.
//!
//! In: connections whose bytes are events, one after the other as the codec wants them (JSON best with a line feed between), or messages with
//! the length of each before it (`framing = "length"`). Out: batches; the order of a connection is kept, because a connection stays on one of the
//! source's threads. Each thread has one read buffer and one builder per stream for all its connections: bytes are read into that buffer and decoded where
//! they lie, and only the unfinished last event of a read is kept with its connection. A batch leaves when it is full or its oldest
//! event has waited 5 ms. Nothing is answered.
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
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::StartError;
use super::decoder::{Brought, Decoder, Feed, Input};
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
}

impl Shared {
    fn arm(&self, decoder: &Decoder) {
        if !self.armed.get() && decoder.holds_rows() {
            self.armed.set(true);
            self.arm.notify_one();
        }
    }

    /// Lets batches go when they are due. Has no timer while no row waits.
    async fn flush_due(&self) {
        loop {
            self.arm.notified().await;
            loop {
                let wait = self.decoder.borrow_mut().flush_due();
                let Some(wait) = wait else { break };
                tokio::time::sleep(wait).await;
            }
            self.armed.set(false);
        }
    }
}

/// Serves the connections of one thread until the accept loop is gone and all of them have ended.
async fn serve_all(mut arrivals: mpsc::Receiver<Arrival>, tls: Option<TlsAcceptor>, decoder: Decoder) {
    let shared =
        Rc::new(Shared { decoder: RefCell::new(decoder), armed: Cell::new(false), arm: Notify::new() });
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
    let input = shared.decoder.borrow().input();
    let mut connection = Connection { transport, shared, input, progress: Instant::now(), idle: IDLE };
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
}

impl Connection {
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
            match tokio::time::timeout_at(self.progress + self.idle, self.transport.ready()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return End::Failed(error),
                Err(_) => return End::Idle,
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
        self.shared.arm(&decoder);
        if brought.progress {
            self.progress = Instant::now();
        }
        Ok(brought)
    }

    /// What is left is the last event, whole or not.
    fn finish(&mut self) {
        let mut decoder = self.shared.decoder.borrow_mut();
        decoder.finish(&mut self.input);
        self.shared.arm(&decoder);
    }
}

#[cfg(test)]
mod tests;
