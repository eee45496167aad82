//! Source `websocket`: `GET /ingest/{application}/{environment}/{type}`, upgraded; each message is one whole body.
//!
//! In: text and binary messages in the codec of the source, or in the built-in one that the client names as its subprotocol (`json`, `msgpack`, ...). Out:
//! batches, and to the client what became of its messages: text messages `{"messages_total", "accepted_total", "duplicates_total", "rejected_total", "reasons"}`, at once where
//! nothing else waits, else every [`TALLY`]; totals since the connection opened, reasons since the last one. What is in a total is in the log. The
//! path names the stream. Messages of a connection keep their order.
//!
//! Limits: the constants below and those of [`super::bodies`]. A longer message ends the connection (1009); while a flow lags nothing is read, so that the
//! client waits; a client that takes no answer for [`SEND_TIME`] or shows no life for [`SILENCE`] is let go. At the stop signal what has arrived is
//! still taken, then the connection is closed (1001). Who may open one is decided by the API's guard: pages of other origins may not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use weir_core::codec;
use weir_core::config::SourceSpec;
use weir_core::triplet::{Selector, Triplet};

use super::StartError;
use super::bodies::refusal::Refusal;
use super::bodies::{Answer, Answering, Bodies, Ends, Reason};
use super::decoder::Feed;
use super::outlet::{Outlet, stopped};
use crate::intake::SourceCounters;

/// Open connections of the source.
const CONNECTIONS_MAX: u64 = 1_000;

/// Longest message.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Messages of one connection that are with the decoder.
const IN_FLIGHT_MAX: usize = 64;

/// How often a client that never pauses is told its totals.
const TALLY: Duration = Duration::from_millis(100);

const REASONS_MAX: usize = 10;
const SEND_TIME: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);

/// As for connections over TCP.
const DRAIN_MAX: Duration = Duration::from_millis(200);
const DRAIN_QUIET: Duration = Duration::from_millis(20);

/// Pause before memory is asked for again.
const MEMORY_PAUSE: Duration = Duration::from_millis(5);

/// Subprotocols that name a codec; those that are not built in are not offered.
const PROTOCOLS: [&str; 3] = ["json", "msgpack", "logfmt"];

pub(super) fn start(
    spec: &SourceSpec,
    feed: &Feed,
    outlet: &Outlet,
) -> Result<(Router, JoinHandle<()>), StartError> {
    let (bodies, thread) = Bodies::start(spec, feed, outlet, Ends::WithSenders)?;
    let router =
        Router::new().route("/ingest/{application}/{environment}/{type}", get(open)).with_state(bodies);
    Ok((router, thread))
}

async fn open(
    State(bodies): State<Arc<Bodies>>,
    Path(path): Path<(String, String, String)>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match try_open(&bodies, path, upgrade) {
        Ok(response) => response,
        Err(refusal) => {
            SourceCounters::add(&bodies.outlet.counters.refused_total, 1);
            refusal.into_response()
        }
    }
}

fn try_open(
    bodies: &Arc<Bodies>,
    path: (String, String, String),
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = upgrade.map_err(|rejection| Refusal::NoWebSocket(rejection.to_string()))?;
    let triplet = bodies.stream(path)?;
    if bodies.outlet.is_stopped() {
        return Err(Refusal::Stopping);
    }
    let seat = Seat::take(&bodies.outlet).ok_or(Refusal::TooManyConnections)?;
    let known = PROTOCOLS.into_iter().filter(|name| codec::decoder(name).is_some());
    let upgrade = upgrade.protocols(known);
    let named = upgrade.selected_protocol().and_then(|name| name.to_str().ok()).map(Arc::from);
    let codec = named.unwrap_or_else(|| bodies.codec.clone());
    let bodies = bodies.clone();
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let outlet = bodies.outlet.clone();
        let mut connection = Connection::new(socket, bodies, triplet, codec);
        let end = connection.run().await;
        tracing::debug!(source = %outlet.name, %end, "WebSocket closed");
        connection.close(&end).await;
        drop(seat);
    }))
}

/// The place of one open connection; given back when dropped.
struct Seat {
    outlet: Outlet,
}

impl Seat {
    fn take(outlet: &Outlet) -> Option<Self> {
        let open = &outlet.counters.connections_open;
        let free = |count| (count < CONNECTIONS_MAX).then_some(count + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        SourceCounters::add(&outlet.counters.connections_total, 1);
        Some(Self { outlet: outlet.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.outlet.counters.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the client closed it")]
    Closed,
    #[error("no sign of life for {} s", SILENCE.as_secs())]
    Silent,
    #[error("the client took nothing for {} s", SEND_TIME.as_secs())]
    Deaf,
    #[error("{0}")]
    Failed(axum::Error),
    #[error("{0}")]
    Refused(Refusal),
    #[error("the source ended")]
    Stopped,
}

/// What the client is told.
#[derive(Debug, Default, serde::Serialize)]
struct Tally {
    messages_total: u64,
    accepted_total: u64,
    duplicates_total: u64,
    rejected_total: u64,
    reasons: Vec<Reason>,
}

struct Connection {
    socket: WebSocket,
    bodies: Arc<Bodies>,
    triplet: Triplet,
    codec: Arc<str>,
    /// In the order of the messages.
    in_flight: VecDeque<Answering>,
    tally: Tally,
    /// When the client was last told, if something came since.
    untold: Option<Instant>,
    /// When the client last said anything.
    alive: Instant,
    pinged: Instant,
}

impl Connection {
    fn new(socket: WebSocket, bodies: Arc<Bodies>, triplet: Triplet, codec: Arc<str>) -> Self {
        let now = Instant::now();
        let (in_flight, tally) = (VecDeque::new(), Tally::default());
        Self { socket, bodies, triplet, codec, in_flight, tally, untold: None, alive: now, pinged: now }
    }

    async fn run(&mut self) -> End {
        let mut outlet = self.bodies.outlet.clone();
        // Only flows that want this one stream make it wait.
        outlet.streams = [Selector::from(&self.triplet)].into();
        let mut stop = outlet.stop.clone();
        loop {
            if !outlet.wait_room().await {
                return self.drain().await;
            }
            if let Err(end) = self.tell_if_due().await {
                return end;
            }
            let may_read = self.in_flight.len() < IN_FLIGHT_MAX;
            let look = self.next_look();
            let step = tokio::select! {
                () = stopped(&mut stop) => return self.drain().await,
                message = self.socket.recv(), if may_read => self.take(message).await,
                answer = first(&mut self.in_flight) => self.note(answer),
                () = sleep_until(look) => self.look().await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn next_look(&self) -> Instant {
        let told = self.untold.map_or(self.pinged + PING, |since| since + TALLY);
        told.min(self.pinged + PING)
    }

    async fn look(&mut self) -> Result<(), End> {
        if self.alive.elapsed() > SILENCE {
            return Err(End::Silent);
        }
        if self.pinged.elapsed() >= PING {
            self.pinged = Instant::now();
            return self.send(Message::Ping(Vec::new().into())).await;
        }
        Ok(())
    }

    async fn take(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.alive = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => self.give(text.as_bytes().to_vec()).await,
            Some(Ok(Message::Binary(bytes))) => self.give(bytes.into()).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => {
                self.settle().await?;
                Err(End::Closed)
            }
            Some(Err(error)) => {
                SourceCounters::add(&self.bodies.outlet.counters.refused_total, 1);
                Err(End::Failed(error))
            }
        }
    }

    /// Hands a message to the decoder, as soon as there is memory and room for it.
    async fn give(&mut self, bytes: Vec<u8>) -> Result<(), End> {
        SourceCounters::add(&self.bodies.outlet.counters.bytes_total, bytes.len() as u64);
        let mut charge = self.bodies.budget.charge();
        while charge.grow(bytes.len()).is_err() {
            tokio::time::sleep(MEMORY_PAUSE).await;
        }
        let (triplet, codec) = (self.triplet.clone(), self.codec.clone());
        let answer = self.bodies.give_when_free(triplet, codec, bytes, charge).await;
        self.in_flight.push_back(answer.map_err(|_| End::Stopped)?);
        Ok(())
    }

    fn note(&mut self, answer: Option<Result<Answer, Refusal>>) -> Result<(), End> {
        let answer = answer.ok_or(End::Stopped)?.map_err(End::Refused)?;
        self.tally.messages_total += 1;
        self.tally.accepted_total += answer.accepted;
        self.tally.duplicates_total += answer.duplicates;
        self.tally.rejected_total += answer.rejected;
        let room = REASONS_MAX.saturating_sub(self.tally.reasons.len());
        self.tally.reasons.extend(answer.reasons.into_iter().take(room));
        self.untold.get_or_insert_with(Instant::now);
        Ok(())
    }

    async fn tell_if_due(&mut self) -> Result<(), End> {
        let Some(since) = self.untold else { return Ok(()) };
        if !self.in_flight.is_empty() && since.elapsed() < TALLY {
            return Ok(());
        }
        self.untold = None;
        let text = serde_json::to_string(&self.tally).unwrap_or_default();
        self.tally.reasons.clear();
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_TIME, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(End::Failed),
            Err(_) => Err(End::Deaf),
        }
    }

    /// Waits for the answers that are still to come, and tells them.
    async fn settle(&mut self) -> Result<(), End> {
        while !self.in_flight.is_empty() {
            let answer = first(&mut self.in_flight).await;
            self.note(answer)?;
        }
        // Who closed may be gone already.
        let _ = self.tell_if_due().await;
        Ok(())
    }

    /// Takes what has arrived.
    async fn drain(&mut self) -> End {
        let end = Instant::now() + DRAIN_MAX;
        while self.bodies.outlet.accept.room(&[Selector::from(&self.triplet)]).is_ok() {
            let quiet = end.min(Instant::now() + DRAIN_QUIET);
            let Ok(message) = timeout_at(quiet, self.socket.recv()).await else { break };
            if let Err(end) = self.take(message).await {
                return end;
            }
        }
        match self.settle().await {
            Ok(()) => End::Stopped,
            Err(end) => end,
        }
    }

    async fn close(&mut self, end: &End) {
        let code = match end {
            End::Closed | End::Deaf => return,
            End::Stopped => close_code::AWAY,
            End::Silent => close_code::POLICY,
            End::Refused(_) => close_code::ERROR,
            End::Failed(error) => wrong(error),
        };
        let reason = match code {
            close_code::SIZE => format!("a message has at most {MESSAGE_BYTES_MAX} bytes"),
            close_code::INVALID => "a text message must be UTF-8".to_owned(),
            close_code::PROTOCOL => "that is no WebSocket frame of a client".to_owned(),
            _ => end.to_string(),
        };
        let frame = CloseFrame { code, reason: reason.into() };
        // The client may be gone.
        let _ = timeout(SEND_TIME, self.socket.send(Message::Close(Some(frame)))).await;
    }
}

/// What a client did wrong, as the code of its close frame (RFC 6455, section 7.4.1). axum hands the errors of its protocol on as words only.
fn wrong(error: &axum::Error) -> u16 {
    let words = error.to_string();
    if words.starts_with("Space limit exceeded") {
        close_code::SIZE
    } else if words.starts_with("UTF-8") {
        close_code::INVALID
    } else {
        close_code::PROTOCOL
    }
}

/// The oldest answer, once it is there; for ever where none is awaited. Losing the race of a `select!` loses nothing.
async fn first(in_flight: &mut VecDeque<Answering>) -> Option<Result<Answer, Refusal>> {
    let Some(oldest) = in_flight.front_mut() else { return std::future::pending().await };
    let answer = oldest.await.ok();
    in_flight.pop_front();
    answer
}
