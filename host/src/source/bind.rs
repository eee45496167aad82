//! What must be there before a source starts: its address, its files, its place beside others.
//!
//! In: a [`SourceSpec`]. Out: a [`Bound`], or a [`StartError`] that names the source and what to change. Nothing is read from a socket here.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use weir_core::config::{AtEnd, FileSpec, SourceKind, SourceSpec};

use super::file::Patterns;
use super::tls;

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
    #[error("source \"{name}\": \"{first}\" is of kind \"{kind}\" already; leave one of them")]
    Second { name: Arc<str>, first: Arc<str>, kind: &'static str },
    #[error("source \"{name}\": the socket cannot be made ready: {error}")]
    Socket { name: Arc<str>, error: io::Error },
    #[error("source \"{name}\", {member}: {message}")]
    Setting { name: Arc<str>, member: &'static str, message: String },
    #[error("source \"{name}\": cannot start a thread: {error}; raise the limit of threads of this user")]
    Thread { name: Arc<str>, error: io::Error },
}

/// A source that could start and has no thread yet.
pub enum Bound {
    Tcp(TcpListener, Option<TlsAcceptor>),
    Udp(UdpSocket, u64),
    Http,
    WebSocket,
    Stdin(OwnedFd, AtEnd),
    File(FileSpec, Patterns),
    Host,
    Own,
}

impl Bound {
    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().ok(),
            Self::Udp(socket, _) => socket.local_addr().ok(),
            _ => None,
        }
    }
}

pub fn bind(spec: &SourceSpec) -> Result<Bound, StartError> {
    let name = || spec.name.clone();
    let setting = |member, message| StartError::Setting { name: name(), member, message };
    Ok(match &spec.kind {
        SourceKind::Tcp { listen, tls, .. } => {
            let tls = tls.as_ref().map(tls::acceptor).transpose();
            let tls = tls.map_err(|error| setting("tls", error.to_string()))?;
            let bound = TcpListener::bind(loopback(spec, *listen)?);
            let ready = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
            Bound::Tcp(ready.map_err(|error| refused(spec, *listen, error))?, tls)
        }
        SourceKind::Udp { listen, receive_buffer_bytes } => {
            let bound = UdpSocket::bind(loopback(spec, *listen)?);
            Bound::Udp(bound.map_err(|error| refused(spec, *listen, error))?, *receive_buffer_bytes)
        }
        SourceKind::Http => Bound::Http,
        SourceKind::WebSocket => Bound::WebSocket,
        SourceKind::Stdin { at_end } => {
            // A handle of its own, so that closing it closes nobody else's.
            let input = io::stdin().as_fd().try_clone_to_owned();
            Bound::Stdin(input.map_err(|error| setting("kind", error.to_string()))?, *at_end)
        }
        SourceKind::File(file) => {
            let patterns = Patterns::new(&file.paths);
            let patterns =
                patterns.map_err(|(text, why)| setting("paths", format!("`{text}` is no pattern: {why}")))?;
            Bound::File(file.clone(), patterns)
        }
        SourceKind::Host => Bound::Host,
        SourceKind::Weir => Bound::Own,
    })
}

fn loopback(spec: &SourceSpec, listen: SocketAddr) -> Result<SocketAddr, StartError> {
    if listen.ip().is_loopback() {
        return Ok(listen);
    }
    Err(StartError::NotLoopback { name: spec.name.clone(), address: listen })
}

fn refused(spec: &SourceSpec, address: SocketAddr, error: io::Error) -> StartError {
    let name = spec.name.clone();
    match error.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { name, address },
        _ => StartError::Listen { name, address, error },
    }
}

/// Kinds that share the program's one input or one route.
pub fn one_of_a_kind(specs: &[SourceSpec]) -> Result<(), StartError> {
    for (index, spec) in specs.iter().enumerate() {
        let single = matches!(spec.kind, SourceKind::Http | SourceKind::WebSocket | SourceKind::Stdin { .. });
        let kind = spec.kind.word();
        let first = specs.iter().take(index).find(|first| first.kind.word() == kind).filter(|_| single);
        if let Some(first) = first {
            return Err(StartError::Second { name: spec.name.clone(), first: first.name.clone(), kind });
        }
    }
    Ok(())
}
