//! One client of the live WebSocket.
//!
//! In: its messages, the renderer's rounds, a clock for the tail of a stream. Out: frames, one at a time: the next is made when the socket has taken the one
//! before, from what was last sent to what is newest then. A client that acknowledges gets no further frame of a chart while as many as it named are on their
//! way ([`flight`](super::flight)): what a starved page leaves in its sockets stays small, and it goes on at the newest. A client is ended when it takes nothing for [`SEND_TIME`], says nothing (not even pong) for
//! [`SILENCE_TIME`], sends what is no request [`BAD_MESSAGES_MAX`] times, or more than [`MESSAGES_MAX`] messages or [`ACKS_MAX`] acknowledgements between two pings.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use weir_core::triplet::Triplet;

use super::flight::Flight;
use super::request::{self, Request, WatchAll};
use super::{Live, LiveCounters};
use crate::charts::picture::ChartVersion;
use crate::charts::{Chart, Round, Watch};
use crate::view::EventView;

const SEND_TIME: Duration = Duration::from_secs(30);
const GOODBYE_TIME: Duration = Duration::from_secs(1);
const PING_EVERY: Duration = Duration::from_secs(20);
const SILENCE_TIME: Duration = Duration::from_secs(60);
const TAIL_EVERY: Duration = Duration::from_millis(100);
/// Events in one push of a tail; what is more is counted as skipped.
const TAIL_EVENTS_MAX: usize = 100;
const BAD_MESSAGES_MAX: u32 = 10;
const MESSAGES_MAX: u32 = 1_000;
/// 64 charts, 20 times a second, each frame acknowledged alone.
const ACKS_MAX: u32 = 30_000;

/// Why a client is ended: code and reason of the close frame. None: it is gone already.
type End = Option<(u16, &'static str)>;

pub struct Client {
    live: Arc<Live>,
    socket: WebSocket,
    subscriptions: Vec<Subscription>,
    size: (u32, u32),
    tail: Option<Tail>,
    /// Of the charts that the subscriptions are bound to.
    revision: u64,
    heard: Instant,
    bad_messages: u32,
    messages: u32,
    acks: u32,
    /// Frames of a chart that may be on their way; 0: any number.
    in_flight: u32,
}

struct Subscription {
    id: String,
    /// None: there is no such chart.
    watch: Option<Watch>,
    /// What the client has.
    sent: Option<Arc<ChartVersion>>,
    /// Epoch and version that the client had before it connected, which is no longer kept.
    lost: Option<(u64, u64)>,
    flight: Flight,
    /// Number of the last error that was told.
    error: u64,
}

struct Tail {
    triplet: Triplet,
    /// Position and row of the last event sent.
    after: Option<(u64, u32)>,
}

impl Client {
    pub fn new(live: Arc<Live>, socket: WebSocket) -> Self {
        Self {
            live,
            socket,
            subscriptions: Vec::new(),
            size: (0, 0),
            tail: None,
            revision: 0,
            heard: Instant::now(),
            bad_messages: 0,
            messages: 0,
            acks: 0,
            in_flight: 0,
        }
    }

    /// Until either side ends it. `first`: what the address asked for.
    pub async fn run(mut self, first: Option<WatchAll>) {
        let Err(end) = self.serve(first).await;
        if let Some((code, reason)) = end {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let _ = timeout(GOODBYE_TIME, self.socket.send(close)).await;
        }
    }

    async fn serve(&mut self, all: Option<WatchAll>) -> Result<std::convert::Infallible, End> {
        let mut rounds = self.live.rounds.receiver.clone();
        let mut stop = self.live.stop.clone();
        let mut pings = interval(PING_EVERY);
        let mut tails = interval(TAIL_EVERY);
        tails.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let first = rounds.borrow_and_update().clone();
        self.hello(&first).await?;
        if let Some(WatchAll { width, height, in_flight }) = all {
            let charts = request::first_of(first.charts.iter().map(|chart| &*chart.id));
            self.answer(Request::Subscribe { charts, width, height, in_flight }).await?;
        }
        loop {
            // In this order: pictures, of which there may always be more, must not hold up the rest. What the others can
            // bring is bounded in time.
            tokio::select! {
                biased;
                () = crate::api::stopped(&mut stop) => return Err(Some((close_code::AWAY, "the host is stopping"))),
                message = self.socket.recv() => self.hear(message).await?,
                _ = tails.tick(), if self.tail.is_some() => self.push_tail().await?,
                _ = pings.tick() => self.ping().await?,
                changed = rounds.changed() => {
                    if changed.is_err() {
                        return Err(Some((close_code::AWAY, "the host is stopping")));
                    }
                    let round = rounds.borrow_and_update().clone();
                    self.follow(&round).await?;
                }
            }
        }
    }

    async fn hello(&mut self, round: &Round) -> Result<(), End> {
        self.revision = round.revision;
        let charts: Vec<Value> = round.charts.iter().map(|chart| chart.view()).collect();
        let hello =
            json!({ "version": env!("CARGO_PKG_VERSION"), "epoch": self.live.epoch, "charts": charts });
        self.say(&json!({ "hello": hello })).await
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let Some(Ok(message)) = message else { return Err(None) };
        self.heard = Instant::now();
        let request = match &message {
            Message::Text(text) => Some(request::parse(text)),
            _ => None,
        };
        self.count(matches!(request, Some(Ok(Request::Ack(_)))))?;
        match (message, request) {
            (_, Some(Ok(request))) => self.answer(request).await,
            (_, Some(Err(message))) => self.complain(&message).await,
            (Message::Close(_), None) => {
                // Reading on sends the answer to its goodbye.
                let _ = timeout(GOODBYE_TIME, self.socket.recv()).await;
                Err(None)
            }
            (Message::Binary(_), None) => self.complain("message: text is expected, not binary").await,
            _ => Ok(()),
        }
    }

    fn count(&mut self, is_ack: bool) -> Result<(), End> {
        let counter = if is_ack { &mut self.acks } else { &mut self.messages };
        *counter += 1;
        if self.messages > MESSAGES_MAX || self.acks > ACKS_MAX {
            return Err(Some((close_code::POLICY, "too many messages")));
        }
        Ok(())
    }

    async fn answer(&mut self, request: Request) -> Result<(), End> {
        match request {
            Request::Subscribe { charts, width, height, in_flight } => {
                self.in_flight = in_flight;
                self.subscribe(charts, (width, height)).await
            }
            Request::Tail(triplet) => {
                self.tail(triplet).await;
                Ok(())
            }
            Request::Ack(taken) => self.taken(&taken).await,
        }
    }

    /// What it has taken makes room for what is newest.
    async fn taken(&mut self, taken: &[request::Taken]) -> Result<(), End> {
        for one in taken {
            if let Some(subscription) = self.subscriptions.iter_mut().find(|known| known.id == one.chart) {
                subscription.flight.landed(one.epoch, one.version);
            }
        }
        self.push_charts().await
    }

    async fn complain(&mut self, message: &str) -> Result<(), End> {
        LiveCounters::add(&self.live.counters.bad_messages_total, 1);
        self.bad_messages += 1;
        if self.bad_messages >= BAD_MESSAGES_MAX {
            return Err(Some((close_code::POLICY, "too many messages that are no requests")));
        }
        self.say(&json!({ "error": { "code": "bad_message", "message": message } })).await
    }

    async fn subscribe(&mut self, wanted: Vec<request::Wanted>, size: (u32, u32)) -> Result<(), End> {
        self.size = size;
        let round = self.live.rounds.receiver.borrow().clone();
        let mut before = std::mem::take(&mut self.subscriptions);
        for wanted in wanted {
            let watch = find(&round, &wanted.chart).map(|chart| chart.watch(size.0, size.1));
            let had = before.iter_mut().find(|old| old.id == wanted.chart);
            let seen = wanted.epoch.zip(wanted.version);
            let kept = watch
                .as_ref()
                .zip(seen)
                .and_then(|(watch, (epoch, version))| watch.chart().kept(epoch, version));
            // What it says it has counts, as long as we know that picture: it may have dropped what we sent.
            let sent = kept.or_else(|| {
                let sent = had.and_then(|old| old.sent.take())?;
                (seen == Some((sent.epoch, sent.version))).then_some(sent)
            });
            let lost = if sent.is_none() { seen } else { None };
            // It says anew what it has, so what flies does not count any more.
            let flight = Flight::default();
            self.subscriptions.push(Subscription { id: wanted.chart, watch, sent, lost, flight, error: 0 });
        }
        drop(before);
        self.live.rounds.wake();
        let unknown: Vec<String> =
            self.subscriptions.iter().filter(|one| one.watch.is_none()).map(|one| one.id.clone()).collect();
        for id in unknown {
            self.say(&chart_error(&id, "there is no chart of this id; GET /api/charts lists them")).await?;
        }
        self.push_charts().await
    }

    /// A round of the renderer: perhaps another configuration, perhaps new pictures.
    async fn follow(&mut self, round: &Round) -> Result<(), End> {
        if round.revision != self.revision {
            self.revision = round.revision;
            for subscription in &mut self.subscriptions {
                let chart = find(round, &subscription.id);
                let same = chart
                    .zip(subscription.watch.as_ref())
                    .is_some_and(|(chart, watch)| Arc::ptr_eq(chart, watch.chart()));
                if !same {
                    subscription.watch = chart.map(|chart| chart.watch(self.size.0, self.size.1));
                }
            }
            self.live.rounds.wake();
            self.say(&json!({ "changed": "charts" })).await?;
        }
        self.push_charts().await
    }

    /// Sends what is newer than what the client has, one chart after the other.
    async fn push_charts(&mut self) -> Result<(), End> {
        for at in 0..self.subscriptions.len() {
            let Some(subscription) = self.subscriptions.get_mut(at) else { break };
            let Some(chart) = subscription.watch.as_ref().map(|watch| Arc::clone(watch.chart())) else {
                continue;
            };
            let error = chart.error().filter(|(number, _)| *number != subscription.error);
            if let Some((number, message)) = error {
                subscription.error = number;
                let text = chart_error(&subscription.id, &message);
                self.say(&text).await?;
            }
            let Some(newest) = chart.newest() else { continue };
            let in_flight = self.in_flight;
            let Some(frame) =
                self.subscriptions.get_mut(at).and_then(|one| one.advance(&self.live, newest, in_flight))
            else {
                continue;
            };
            LiveCounters::add(&self.live.counters.frames_total, 1);
            LiveCounters::add(&self.live.counters.frame_bytes_total, frame.len() as u64);
            self.send(Message::Binary(frame)).await?;
        }
        Ok(())
    }

    /// Starts behind the newest event, so that a tail shows what comes from now on.
    async fn tail(&mut self, triplet: Option<Triplet>) {
        let Some(triplet) = triplet else {
            self.tail = None;
            return;
        };
        let newest = self.recent(&triplet, None, 1).await;
        let after = newest.and_then(|(events, _)| events.last().map(|event| (event.position, event.row)));
        self.tail = Some(Tail { triplet, after });
    }

    async fn push_tail(&mut self) -> Result<(), End> {
        let Some(tail) = &self.tail else { return Ok(()) };
        let (triplet, after) = (tail.triplet.clone(), tail.after);
        // An unknown stream may come to be.
        let Some((events, skipped)) = self.recent(&triplet, after, TAIL_EVENTS_MAX).await else {
            return Ok(());
        };
        let Some(last) = events.last() else { return Ok(()) };
        if let Some(tail) = &mut self.tail {
            tail.after = Some((last.position, last.row));
        }
        self.say(&json!({ "tail": triplet.as_str(), "events": events, "skipped": skipped })).await
    }

    async fn recent(
        &mut self,
        triplet: &Triplet,
        after: Option<(u64, u32)>,
        limit: usize,
    ) -> Option<(Vec<EventView>, u64)> {
        let (runtime, triplet) = (Arc::clone(&self.live.runtime), triplet.clone());
        let read = tokio::task::spawn_blocking(move || runtime.recent_after(triplet.as_str(), after, limit));
        read.await.ok().flatten()
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > SILENCE_TIME {
            return Err(Some((close_code::POLICY, "nothing heard for a minute")));
        }
        (self.messages, self.acks) = (0, 0);
        self.send(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn say(&mut self, value: &Value) -> Result<(), End> {
        self.send(Message::Text(value.to_string().into())).await
    }

    /// Waits until the socket has taken the message; that is what makes a slow client skip pictures.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_TIME, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(None),
        }
    }
}

impl Subscription {
    /// The frame that brings the client from what it has to `newest`; none where it has that, or where as many as may be are on their way.
    fn advance(
        &mut self,
        live: &Live,
        newest: Arc<ChartVersion>,
        in_flight: u32,
    ) -> Option<axum::body::Bytes> {
        if self.flight.is_full(in_flight) {
            return None;
        }
        let had = self.sent.as_ref().map(|sent| (sent.epoch, sent.version)).or(self.lost.take());
        if self.sent.is_some() && had == Some((newest.epoch, newest.version)) {
            return None;
        }
        let merged = match had {
            Some((epoch, version)) if epoch == newest.epoch => {
                newest.version.saturating_sub(version.saturating_add(1))
            }
            _ => 0,
        };
        LiveCounters::add(&live.counters.merged_total, merged);
        let frame = live.frames.get(self.sent.as_deref(), &newest, merged);
        if in_flight > 0 {
            self.flight.sent(newest.epoch, newest.version);
        }
        self.sent = Some(newest);
        Some(frame)
    }
}

fn find<'a>(round: &'a Round, id: &str) -> Option<&'a Arc<Chart>> {
    round.charts.iter().find(|chart| &*chart.id == id)
}

fn chart_error(chart: &str, message: &str) -> Value {
    json!({ "chart_error": { "chart": chart, "message": message } })
}
