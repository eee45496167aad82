//! The accept loop: connections with bounds and deadlines.
//!
//! In: the listener and the router that answers now ([`Current`]). Bounds: [`CONNECTIONS_MAX`] connections (more wait in the kernel's queue), 16 KiB and 64 fields of header,
//! [`HEADER_TIME`] from the first byte of a request to the end of its header, [`IDLE_TIME`] between requests, and a floor for how slowly a body may
//! come. A connection that breaks one is closed. A WebSocket leaves the count when it is upgraded; it has bounds of its own.
//! HTTP/1.1 only: there is no TLS here that could negotiate more.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::{Mutex, RwLock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tower_service::Service;

pub const CONNECTIONS_MAX: usize = 1_000;
/// How long requests in hand may take to finish after the stop signal.
pub const DRAIN: Duration = Duration::from_secs(5);
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADER_FIELDS_MAX: usize = 64;
const HEADER_TIME: Duration = Duration::from_secs(10);
const IDLE_TIME: Duration = Duration::from_secs(30);
/// A body may take this long, and a second more for each [`BODY_FLOOR_BYTES_PER_S`] that came.
const BODY_TIME: Duration = Duration::from_secs(10);
const BODY_FLOOR_BYTES_PER_S: u64 = 1_024;
/// Pause after an accept that failed (out of file descriptors): trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `stop`, then waits for the connections.
pub async fn run(current: Current, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let (current, stop) = (current.clone(), stop.clone());
                connections.spawn(async move {
                    connection(current, stream, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting an HTTP connection failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(open = connections.len(), "HTTP connections were cut at the end of the drain");
        connections.shutdown().await;
    }
    current.set(Router::new());
}

/// What answers now: each request asks anew, so that a connection of the start is served by what came after.
#[derive(Clone, Default)]
pub struct Current(Arc<RwLock<Router>>);

impl Current {
    pub fn set(&self, router: Router) {
        *self.0.write() = router;
    }

    fn get(&self) -> Router {
        self.0.read().clone()
    }
}

/// Returns once the signal is true or nobody can give it any more.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What a connection is doing, for the deadline of its header.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Idle,
    Header(Instant),
    Request,
}

async fn connection(current: Current, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    // A delta must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let phase = Arc::new(Mutex::new(Phase::Idle));
    let watched = Watched { stream, phase: Arc::clone(&phase) };
    let seen = Arc::clone(&phase);
    let service = service_fn(move |request: Request<Incoming>| {
        *seen.lock() = Phase::Request;
        let request = request.map(|body| Body::new(FlooredBody::new(body)));
        let (mut router, seen) = (current.get(), Arc::clone(&seen));
        async move {
            let response = router.call(request).await;
            // The next byte that comes begins another request.
            *seen.lock() = Phase::Idle;
            response
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIME)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_FIELDS_MAX)
        .half_close(true);
    let mut served = pin!(builder.serve_connection(TokioIo::new(watched), service).with_upgrades());
    let mut draining = false;
    loop {
        let look = sleep(Duration::from_secs(1));
        tokio::select! {
            result = served.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "an HTTP connection ended");
                }
                return;
            }
            () = stopped(&mut stop), if !draining => {
                draining = true;
                served.as_mut().graceful_shutdown();
            }
            () = look => {
                if matches!(*phase.lock(), Phase::Header(since) if since.elapsed() > HEADER_TIME) {
                    return;
                }
            }
        }
    }
}

/// The stream, noting when a header begins: hyper has one deadline for the wait before it and for the header itself.
struct Watched {
    stream: TcpStream,
    phase: Arc<Mutex<Phase>>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(ctx, buffer));
        if buffer.filled().len() > before {
            let mut phase = self.phase.lock();
            if *phase == Phase::Idle {
                *phase = Phase::Header(Instant::now());
            }
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(ctx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(ctx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(ctx)
    }
}

/// A body that ends with an error where it comes too slowly. The clock runs only against a sender that keeps us waiting.
struct FlooredBody {
    body: Incoming,
    received_bytes: u64,
    begun: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl FlooredBody {
    fn new(body: Incoming) -> Self {
        let begun = Instant::now();
        Self { body, received_bytes: 0, begun, deadline: Box::pin(sleep_until(begun + BODY_TIME)) }
    }
}

impl HttpBody for FlooredBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(ctx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.received_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                let allowed = BODY_TIME + Duration::from_secs(self.received_bytes / BODY_FLOOR_BYTES_PER_S);
                let deadline = self.begun + allowed;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(ctx));
                let slow = io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the body came too slowly: at least 1 KiB per second after 10 s",
                );
                Poll::Ready(Some(Err(slow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
