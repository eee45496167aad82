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
use std::os::fd::RawFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use weir_core::batch::Incoming;
use weir_core::codec::StreamCounters;
use weir_core::config::{Durability, SourceKind, SourceSpec};
use weir_core::record::{FilePlace, Note, Request};
use weir_core::triplet::{Selector, Triplet};

use crate::intake::{Busy, Intake, Receipt, SourceCounters, Took};

mod bind;
mod bodies;
pub mod check;
mod decoder;
mod file;
mod host;
mod http;
mod outlet;
mod own;
mod rejected;
mod stdin;
mod tcp;
mod tls;
mod udp;
mod websocket;

use bind::Bound;
pub use bind::StartError;
use check::Codecs;
use decoder::Feed;
use outlet::{Outlet, stopped};
pub use rejected::{RejectedRow, RejectedRows};

/// Where sources put what they read: [`Intake`], or a fake in tests. Called once per batch, never per event.
pub trait Accept: Send + Sync + 'static {
    /// Whether there is room for more events of these streams.
    fn room(&self, streams: &[Selector]) -> Result<(), Busy>;
    /// Never blocks, and refuses only where the journal stopped for good, which the receipt tells.
    /// With a note all of it is kept together or not at all.
    fn accept(&self, batches: Vec<Incoming>, durability: Durability, note: Option<Note>) -> Took;
    /// What a request of that key was answered, and when that is on disk.
    fn request(&self, key: &[u8; 16]) -> Option<(Arc<Request>, Receipt)>;
    /// How far the files of a source have been read; none: nothing of it outlives the process.
    fn places(&self, source: &str) -> Option<Vec<FilePlace>>;
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

    fn accept(&self, batches: Vec<Incoming>, durability: Durability, note: Option<Note>) -> Took {
        Self::accept(self, batches, durability, note)
    }

    fn request(&self, key: &[u8; 16]) -> Option<(Arc<Request>, Receipt)> {
        Self::request(self, key)
    }

    fn places(&self, source: &str) -> Option<Vec<FilePlace>> {
        Self::places(self, source)
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
    /// `/ingest/...`, to be merged into the API's router. Without a source of kind "http" or "websocket" it has no route.
    pub ingest: axum::Router,
    pub rejected: Arc<RejectedRows>,
    /// Becomes true when a source has read all that there is and the program is to end with it.
    pub wants_stop: watch::Receiver<bool>,
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

    fn start_one(
        &mut self,
        spec: &SourceSpec,
        codecs: &Codecs,
        bound: Bound,
        outlet: &Outlet,
    ) -> Result<(), StartError> {
        let feed = match bound {
            Bound::Http | Bound::WebSocket => Feed::of_paths(spec, codecs),
            _ => Feed::new(spec, codecs),
        };
        let thread = match bound {
            Bound::Tcp(listener, tls) => {
                self.threads.extend(tcp::start(listener, tls, &feed, outlet)?);
                return Ok(());
            }
            Bound::Http | Bound::WebSocket => {
                let start = if matches!(bound, Bound::Http) { http::start } else { websocket::start };
                let (router, thread) = start(spec, &feed, outlet)?;
                self.ingest = std::mem::take(&mut self.ingest).merge(router);
                thread
            }
            Bound::Udp(socket, buffer_bytes) => udp::start(socket, buffer_bytes, &feed, outlet)?,
            Bound::Stdin(input, at_end) => stdin::start(input, at_end, &feed, outlet)?,
            Bound::File(file, patterns) => file::start(&file, patterns, &feed, outlet)?,
            Bound::Host => host::start(outlet)?,
            Bound::Own => own::start(outlet)?,
        };
        self.threads.push(thread);
        Ok(())
    }

    /// The address of the source of that name.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.sources.iter().find(|source| &*source.name == name).and_then(|source| source.address)
    }
}

/// Starts all sources. Blocks only to bind; needs no async runtime around it.
pub fn start(
    specs: &[SourceSpec],
    codecs: &Codecs,
    accept: Arc<dyn Accept>,
    stop: watch::Receiver<bool>,
) -> Result<Running, StartError> {
    let bound = specs.iter().map(bind::bind).collect::<Result<Vec<_>, _>>()?;
    bind::one_of_a_kind(specs)?;
    let (wants_stop, wanted) = watch::channel(false);
    let mut running = Running {
        sources: Vec::with_capacity(specs.len()),
        ingest: axum::Router::new(),
        rejected: Arc::default(),
        wants_stop: wanted,
        threads: Vec::new(),
    };
    for (spec, bound) in specs.iter().zip(bound) {
        let kind = spec.kind.word();
        let outlet = Outlet {
            name: spec.name.clone(),
            streams: streams(spec),
            durability: spec.durability,
            accept: accept.clone(),
            counters: accept.counters(&spec.name, kind),
            rejected: running.rejected.clone(),
            stop: stop.clone(),
            wants_stop: wants_stop.clone(),
        };
        let address = bound.address();
        running.start_one(spec, codecs, bound, &outlet)?;
        tracing::info!(source = %spec.name, kind, ?address, "source started");
        running.sources.push(RunningSource { name: spec.name.clone(), kind, address });
    }
    Ok(running)
}

/// What a source may write, for the question of room: those of the machine and of Weir itself write streams of their own.
fn streams(spec: &SourceSpec) -> Arc<[Selector]> {
    let own = match spec.kind {
        SourceKind::Host => "host/local/*",
        SourceKind::Weir => "weir/local/*",
        _ => return spec.may_write.as_slice().into(),
    };
    own.parse().into_iter().collect()
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

/// Starts a named thread that blocks where it must.
fn spawn_blocking(
    outlet: &Outlet,
    part: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let failed = |error| StartError::Thread { name: outlet.name.clone(), error };
    std::thread::Builder::new().name(format!("{}{part}", outlet.name)).spawn(run).map_err(failed)
}

/// Waits until there is something to read (or the other end closed), for at most `wait`. False: there is not.
fn wait_readable(fd: RawFd, wait: Duration) -> io::Result<bool> {
    let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let wait = libc::timespec {
        tv_sec: wait.as_secs() as libc::time_t,
        tv_nsec: wait.subsec_nanos() as libc::c_long,
    };
    // SAFETY: one descriptor is given and counted as one; both places outlive the call.
    let count = unsafe { libc::ppoll(&raw mut asked, 1, &raw const wait, std::ptr::null()) };
    match count {
        0 => Ok(false),
        count if count > 0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            error => Err(error),
        },
    }
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
mod contract;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
