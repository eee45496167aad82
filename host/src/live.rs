//! The live WebSocket: pictures of charts and events of streams, pushed. Format: `docs/wire.md`.
//!
//! In: the [`Round`]s of the renderer, and clients' subscriptions. Out: for each client and chart the difference from what it was last sent to the newest
//! picture, whenever its socket takes it: a slow client skips pictures, it never queues them, so its memory is one frame and one shared picture per
//! chart. With acknowledgements ([`flight`]) it does not queue them in its sockets either. Frames are made once for all clients that are at the same place ([`frames`]). Bounds: [`CLIENTS_MAX`] clients, 64 KiB per message in.

mod client;
mod diff;
mod flight;
mod frame;
mod frames;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, watch};

use self::client::Client;
use self::frames::Frames;
pub use self::request::First;
use crate::api::ApiError;
use crate::charts::Rounds;
use crate::runtime::Runtime;

pub const CLIENTS_MAX: usize = 256;
/// A message of a client: a list of charts.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// How long clients may take to hear that the host stops.
const DRAIN: Duration = Duration::from_secs(2);

/// What all clients share.
pub struct Live {
    runtime: Arc<Runtime>,
    rounds: Rounds,
    stop: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    frames: Frames,
    /// When this run began, ms since 1970.
    epoch: u64,
    pub counters: LiveCounters,
}

/// All only grow.
#[derive(Debug, Default)]
pub struct LiveCounters {
    pub clients_total: AtomicU64,
    pub refused_total: AtomicU64,
    pub frames_total: AtomicU64,
    pub frame_bytes_total: AtomicU64,
    /// Pictures that a slow client did not get to see.
    pub merged_total: AtomicU64,
    pub bad_messages_total: AtomicU64,
}

impl LiveCounters {
    fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

impl Live {
    pub fn new(runtime: Arc<Runtime>, rounds: Rounds, stop: watch::Receiver<bool>) -> Self {
        Self {
            runtime,
            rounds,
            stop,
            places: Arc::new(Semaphore::new(CLIENTS_MAX)),
            frames: Frames::default(),
            epoch: (now_unix_ns() / 1_000_000) as u64,
            counters: LiveCounters::default(),
        }
    }

    /// After the stop signal: waits until every client was told, a second or two.
    pub async fn drained(&self) {
        let _ = tokio::time::timeout(DRAIN, self.places.acquire_many(CLIENTS_MAX as u32)).await;
    }

    pub fn clients_open(&self) -> usize {
        CLIENTS_MAX.saturating_sub(self.places.available_permits())
    }
}

/// Answers `GET /api/live`. Who may open one was decided before.
pub fn open(live: &Arc<Live>, upgrade: WebSocketUpgrade, first: First) -> Response {
    let first = match first.checked() {
        Ok(first) => first,
        Err(message) => return ApiError::bad_request(message).into_response(),
    };
    let Ok(place) = Arc::clone(&live.places).try_acquire_owned() else {
        LiveCounters::add(&live.counters.refused_total, 1);
        let message =
            format!("{CLIENTS_MAX} live clients are connected, which is the most; close one and try again");
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_clients", message).into_response();
    };
    LiveCounters::add(&live.counters.clients_total, 1);
    let live = Arc::clone(live);
    upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX).on_upgrade(
        move |socket| async move {
            Client::new(live, socket).run(first).await;
            drop(place);
        },
    )
}

/// The wall clock, for `sent_unix_ns`.
fn now_unix_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}
