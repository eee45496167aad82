//! Sources: what brings events in. Each is one or more named threads that hand [`Incoming`] batches to [`Accept`].
//!
//! In: the checked [`SourceSpec`]s of a configuration and a stop signal. Out: batches, in the order in which a connection sent its events.
//! [`start`] binds every address before it starts any thread, so that it either starts all sources or none. A source asks [`Accept::room`]
//! before it reads more, and waits only for flows that want streams that it may write. When the stop signal turns true, sources stop accepting, read what has already arrived, hand it over and end;
//! [`Running::join`] waits for that. Every bound is a constant beside its reason in the file of its source. Errors of the start name the
//! source and what to change; afterwards nothing that a peer sends is an error of the source: it is rejected, counted and shown in
//! [`RejectedRows`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use weir_core::batch::Incoming;
use weir_core::codec::StreamCounters;
use weir_core::config::{SourceKind, SourceSpec};
use weir_core::triplet::{Selector, Triplet};

use crate::intake::{Busy, Intake, SourceCounters};

mod decoder;
mod host;
mod http;
mod own;
mod rejected;
mod tcp;

pub use rejected::{RejectedRow, RejectedRows};

/// Longest pause between two looks at whether there is room again: short enough that a flow never runs dry.
const ROOM_LOOK_MAX: Duration = Duration::from_millis(20);

/// Where sources put what they read: [`Intake`], or a fake in tests. Called once per batch, never per event.
pub trait Accept: Send + Sync + 'static {
    /// Whether there is room for more events of these streams.
    fn room(&self, streams: &[Selector]) -> Result<(), Busy>;
    /// Never blocks and never refuses.
    fn accept(&self, batches: Vec<Incoming>);
    /// What happened in the builders of streams, behind the batches that were accepted. Rare, never per batch.
    fn note(&self, changes: Vec<(Triplet, StreamCounters)>);
    /// ns since 1970; never falls.
    fn now_unix_ns(&self) -> i64;
    fn counters(&self, name: &str, kind: &'static str) -> Arc<SourceCounters>;
    /// The program's own counters as events.
    fn own_counters(&self) -> Vec<Incoming>;
}

impl Accept for Intake {
    fn room(&self, streams: &[Selector]) -> Result<(), Busy> {
        Self::room(self, streams)
    }

    fn accept(&self, batches: Vec<Incoming>) {
        Self::accept(self, batches);
    }

    fn note(&self, changes: Vec<(Triplet, StreamCounters)>) {
        Self::note(self, &changes);
    }

    fn now_unix_ns(&self) -> i64 {
        Self::now_unix_ns(self)
    }

    fn counters(&self, name: &str, kind: &'static str) -> Arc<SourceCounters> {
        Self::counters(self, name, kind)
    }

    fn own_counters(&self) -> Vec<Incoming> {
        Self::own_counters(self)
    }
}

/// Why the sources could not start. No address is bound afterwards, except with `Thread`: what had started ends with the stop signal.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "source \"{name}\": {address} is in use by another program; end that one, or set another `listen` for this source"
    )]
    InUse { name: Arc<str>, address: SocketAddr },
    #[error(
        "source \"{name}\": cannot listen on {address}: {error}; set `listen` to an address of this machine"
    )]
    Listen { name: Arc<str>, address: SocketAddr, error: io::Error },
    #[error(
        "source \"{name}\": {address} can be reached from other machines, and there is no authentication yet; \
         set `listen` to a loopback address such as 127.0.0.1:{port}", port = address.port()
    )]
    NotLoopback { name: Arc<str>, address: SocketAddr },
    #[error(
        "source \"{name}\": \"{first}\" already takes `POST /ingest/...`; leave one source of kind \"http\""
    )]
    SecondHttp { name: Arc<str>, first: Arc<str> },
    #[error("source \"{name}\": cannot start a thread: {error}; raise the limit of threads of this user")]
    Thread { name: Arc<str>, error: io::Error },
}

/// One source that runs.
#[derive(Debug, Clone)]
pub struct RunningSource {
    pub name: Arc<str>,
    pub kind: &'static str,
    /// Where it listens, with the real port if port 0 was asked for. None for sources without a socket of their own.
    pub address: Option<SocketAddr>,
}

/// All sources that run. Dropping it does not stop them; the stop signal does.
pub struct Running {
    pub sources: Vec<RunningSource>,
    /// `POST /ingest/...`, to be merged into the API's router. Without a source of kind "http" it has no route.
    pub ingest: axum::Router,
    pub rejected: Arc<RejectedRows>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Blocks until every source has ended, which they do after the stop signal, and, for HTTP, once the API has dropped
    /// its router and answered its last request. Call it off the async runtime.
    pub fn join(self) {
        drop(self.ingest);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a source's thread panicked");
            }
        }
    }

    /// The address of the source of that name.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.sources.iter().find(|source| &*source.name == name).and_then(|source| source.address)
    }
}

/// What every source holds: the way out, its counters and the stop signal.
#[derive(Clone)]
struct Outlet {
    name: Arc<str>,
    /// What it may write: only flows that want some of it make it wait.
    streams: Arc<[Selector]>,
    accept: Arc<dyn Accept>,
    counters: Arc<SourceCounters>,
    rejected: Arc<RejectedRows>,
    stop: watch::Receiver<bool>,
}

impl Outlet {
    /// Counts the events and hands them over.
    fn send(&self, batches: Vec<Incoming>) {
        if batches.is_empty() {
            return;
        }
        let events = batches.iter().map(Incoming::rows).sum::<usize>();
        SourceCounters::add(&self.counters.events_total, events as u64);
        self.accept.accept(batches);
    }

    /// Whether there is room for whatever this source may write.
    fn room(&self) -> Result<(), Busy> {
        self.accept.room(&self.streams)
    }

    /// Waits until there is room, and counts that it had to. False: the stop signal came first.
    async fn wait_room(&mut self) -> bool {
        let Err(mut busy) = self.room() else { return true };
        SourceCounters::add(&self.counters.waits_total, 1);
        loop {
            tokio::select! {
                () = tokio::time::sleep(busy.retry_after.min(ROOM_LOOK_MAX)) => {}
                () = stopped(&mut self.stop) => return false,
            }
            match self.room() {
                Ok(()) => return true,
                Err(still) => busy = still,
            }
        }
    }
}

/// Ends when the stop signal is true, or nobody is left who could give it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A source whose address is bound and which has no thread yet.
enum Bound {
    Tcp(std::net::TcpListener),
    Http,
    Host,
    Own,
}

/// Starts all sources. Blocks only to bind; needs no async runtime around it.
pub fn start(
    specs: &[SourceSpec],
    accept: Arc<dyn Accept>,
    stop: watch::Receiver<bool>,
) -> Result<Running, StartError> {
    let bound = specs.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    one_http(specs)?;
    let mut running = Running {
        sources: Vec::with_capacity(specs.len()),
        ingest: axum::Router::new(),
        rejected: Arc::default(),
        threads: Vec::new(),
    };
    for (spec, bound) in specs.iter().zip(bound) {
        let kind = spec.kind.word();
        let outlet = Outlet {
            name: spec.name.clone(),
            streams: streams(spec),
            accept: accept.clone(),
            counters: accept.counters(&spec.name, kind),
            rejected: running.rejected.clone(),
            stop: stop.clone(),
        };
        let mut address = None;
        match bound {
            Bound::Tcp(listener) => {
                address = listener.local_addr().ok();
                running.threads.extend(tcp::start(spec, listener, &outlet)?);
            }
            Bound::Http => {
                let (router, thread) = http::start(spec, &outlet)?;
                running.ingest = router;
                running.threads.push(thread);
            }
            Bound::Host => running.threads.push(host::start(&outlet)?),
            Bound::Own => running.threads.push(own::start(&outlet)?),
        }
        tracing::info!(source = %spec.name, kind, ?address, "source started");
        running.sources.push(RunningSource { name: spec.name.clone(), kind, address });
    }
    Ok(running)
}

/// The streams that a source may write.
fn streams(spec: &SourceSpec) -> Arc<[Selector]> {
    let own = match spec.kind {
        SourceKind::Host => "host/local/*",
        SourceKind::Weir => "weir/local/*",
        _ => return spec.may_write.as_slice().into(),
    };
    own.parse().into_iter().collect()
}

fn one_http(specs: &[SourceSpec]) -> Result<(), StartError> {
    let mut http = specs.iter().filter(|spec| spec.kind == SourceKind::Http).map(|spec| &spec.name);
    match (http.next(), http.next()) {
        (Some(first), Some(name)) => Err(StartError::SecondHttp { name: name.clone(), first: first.clone() }),
        _ => Ok(()),
    }
}

fn bind(spec: &SourceSpec) -> Result<Bound, StartError> {
    let listen = match &spec.kind {
        SourceKind::Tcp { listen } => *listen,
        SourceKind::Http => return Ok(Bound::Http),
        SourceKind::Host => return Ok(Bound::Host),
        SourceKind::Weir => return Ok(Bound::Own),
    };
    let name = spec.name.clone();
    if !listen.ip().is_loopback() {
        return Err(StartError::NotLoopback { name, address: listen });
    }
    match std::net::TcpListener::bind(listen).and_then(|l| l.set_nonblocking(true).map(|()| l)) {
        Ok(listener) => Ok(Bound::Tcp(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(StartError::InUse { name, address: listen })
        }
        Err(error) => Err(StartError::Listen { name, address: listen, error }),
    }
}

/// Starts a named thread with an async runtime of its own, so that reading and decoding of one connection stay on one core.
fn spawn<F>(
    outlet: &Outlet,
    part: &str,
    run: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, StartError>
where
    F: Future<Output = ()>,
{
    let failed = |error| StartError::Thread { name: outlet.name.clone(), error };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    std::thread::Builder::new()
        .name(format!("{}{part}", outlet.name))
        .spawn(move || tokio::task::LocalSet::new().block_on(&runtime, run()))
        .map_err(failed)
}

/// Runs `each` every second until the stop signal. A second in which there is no room is left out and counted as a wait: these sources have
/// nothing that could be read later.
async fn every_second(mut outlet: Outlet, mut each: impl FnMut(&Outlet)) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            () = stopped(&mut outlet.stop) => return,
        }
        match outlet.room() {
            Ok(()) => each(&outlet),
            Err(_) => SourceCounters::add(&outlet.counters.waits_total, 1),
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
