//! Source `http`: `POST /ingest/{application}/{environment}/{type}`.
//!
//! In: an object, an array of objects or objects one after the other (NDJSON), whatever the content type of those says; gzip allowed. Out:
//! batches, and the answer of `docs/wire.md` once the events are in the log. The path names the stream: members that other sources take for
//! the triplet are ordinary fields here. One thread decodes the bodies of all requests into one builder per stream and hands them over at
//! most once per [`ROUND`], so that many clients with one event each do not make a record each; a request that comes alone does not wait.
//! Requests are taken in the order in which their bodies were whole.
//!
//! Limits: the constants below; over one the answer is 413, or 429 where the program, not the request, has too much at once. While a flow
//! that wants its stream lags a request is answered 429 with `Retry-After`. How slowly a body may come is the business of the API's accept loop. Bad events
//! are rejected one by one: 200 with reasons where another one was accepted, else 400.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weir_core::config::SourceSpec;
use weir_core::triplet::{Selector, Triplet};

use super::decoder::{Decoder, Feed, Taken};
use super::{Outlet, StartError};
use crate::intake::{Busy, SourceCounters};

mod body;
mod refusal;

use body::{Budget, Charge};
use refusal::Refusal;

/// Requests that wait for the decoder.
const WAITING_MAX: usize = 256;

/// Time between two hand-overs: at most 1,000 records per second from clients that send single events.
const ROUND: Duration = Duration::from_millis(1);

/// Requests that one hand-over answers.
const ROUND_REQUESTS_MAX: usize = 1_024;

/// First reasons of an answer.
const REASONS_MAX: usize = 10;

/// Makes the route and starts the decoder's thread, which ends at the stop signal; later requests are answered 503.
pub(super) fn start(spec: &SourceSpec, outlet: &Outlet) -> Result<(Router, JoinHandle<()>), StartError> {
    let (jobs, waiting) = mpsc::channel(WAITING_MAX);
    let (own, feed) = (outlet.clone(), Feed::of_paths(spec));
    let thread = super::spawn(outlet, "", move || decode_all(waiting, Decoder::new(own, &feed)))?;
    let ingest = Arc::new(Ingest {
        outlet: outlet.clone(),
        may_write: spec.may_write.clone(),
        jobs,
        budget: Budget::default(),
    });
    let router =
        Router::new().route("/ingest/{application}/{environment}/{type}", post(take)).with_state(ingest);
    Ok((router, thread))
}

/// What the handlers share.
struct Ingest {
    outlet: Outlet,
    may_write: Vec<Selector>,
    jobs: mpsc::Sender<Job>,
    /// Bytes of all bodies that are being read or wait.
    budget: Budget,
}

/// One whole body on its way to the decoder.
struct Job {
    triplet: Triplet,
    bytes: Vec<u8>,
    /// Given back with the job.
    _charge: Charge,
    reply: oneshot::Sender<Answer>,
}

/// What became of one body.
#[derive(Debug, serde::Serialize)]
struct Answer {
    accepted: u64,
    rejected: u64,
    reasons: Vec<Reason>,
}

#[derive(Debug, serde::Serialize)]
struct Reason {
    offset_bytes: u64,
    /// From 1.
    line: u64,
    code: &'static str,
    message: String,
}

async fn take(
    State(ingest): State<Arc<Ingest>>,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match ingest.take(path, &headers, body).await {
        Ok(answer) => {
            let nothing = answer.accepted == 0 && answer.rejected > 0;
            let status = if nothing { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            (status, axum::Json(answer)).into_response()
        }
        Err(refusal) => {
            SourceCounters::add(&ingest.outlet.counters.refused_total, 1);
            refusal.into_response()
        }
    }
}

impl Ingest {
    async fn take(
        &self,
        (application, environment, event_type): (String, String, String),
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Answer, Refusal> {
        let triplet = Triplet::new(&application, &environment, &event_type)
            .map_err(|error| Refusal::Triplet(error.to_string()))?;
        if !self.may_write.iter().any(|selector| selector.matches(&triplet)) {
            return Err(Refusal::MayNotWrite { name: self.outlet.name.clone(), triplet });
        }
        check_content_type(headers)?;
        let gzip = is_gzip(headers)?;
        self.outlet.accept.room(&[Selector::from(&triplet)]).map_err(|busy| self.lagging(busy))?;
        let mut charge = self.budget.charge();
        let mut bytes = read(body, headers, &mut charge).await?;
        SourceCounters::add(&self.outlet.counters.bytes_total, bytes.len() as u64);
        if gzip {
            (bytes, charge) = expand(bytes, charge).await?;
        }
        let (reply, answer) = oneshot::channel();
        let job = Job { triplet, bytes, _charge: charge, reply };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::TooMuchAtOnce,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        answer.await.map_err(|_| Refusal::Stopping)
    }

    fn lagging(&self, busy: Busy) -> Refusal {
        SourceCounters::add(&self.outlet.counters.waits_total, 1);
        Refusal::Lagging(busy.retry_after)
    }
}

/// Reads the body as it came.
async fn read(body: Body, headers: &HeaderMap, charge: &mut Charge) -> Result<Vec<u8>, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > body::COMPRESSED_BYTES_MAX) {
        return Err(Refusal::TooLong);
    }
    let mut bytes = Vec::new();
    let mut frames = body.into_data_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|error| Refusal::Broken(error.to_string()))?;
        if bytes.len() + frame.len() > body::COMPRESSED_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        charge.grow(frame.len())?;
        bytes.extend_from_slice(&frame);
    }
    Ok(bytes)
}

/// Expanding takes milliseconds of a core, so it is done off the async runtime.
async fn expand(bytes: Vec<u8>, mut charge: Charge) -> Result<(Vec<u8>, Charge), Refusal> {
    let expanded = tokio::task::spawn_blocking(move || {
        let expanded = body::expand(&bytes, &mut charge)?;
        charge.shrink(bytes.len());
        Ok((expanded, charge))
    });
    expanded.await.map_err(|error| Refusal::Broken(error.to_string()))?
}

/// The content decides what is in a body; the type is only looked at to refuse what is surely something else. Form data is what `curl -d`
/// calls everything.
fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        ""
        | "application/json"
        | "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/json-lines"
        | "text/plain"
        | "application/octet-stream"
        | "application/x-www-form-urlencoded" => Ok(()),
        other if other.ends_with("+json") => Ok(()),
        other => Err(Refusal::ContentType(other.chars().take(100).collect())),
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut gzip = false;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
        match text.as_str() {
            "" | "identity" => {}
            "gzip" | "x-gzip" if !gzip => gzip = true,
            _ => return Err(Refusal::ContentEncoding(text.chars().take(100).collect())),
        }
    }
    Ok(gzip)
}

/// Decodes bodies until the stop signal or until no handler is left, in rounds: decode what waits, hand over, answer.
async fn decode_all(mut waiting: mpsc::Receiver<Job>, mut decoder: Decoder) {
    let mut stop = decoder.outlet().stop.clone();
    let mut next_round = Instant::now();
    let mut answers = Vec::new();
    loop {
        let job = tokio::select! {
            job = waiting.recv() => job,
            () = super::stopped(&mut stop) => None,
        };
        let Some(job) = job else { break };
        answers.push(decode(job, &mut decoder));
        // Company may still come; alone, `next_round` has long passed and this only takes what waits already.
        while answers.len() < ROUND_REQUESTS_MAX {
            match tokio::time::timeout_at(next_round, waiting.recv()).await {
                Ok(Some(job)) => answers.push(decode(job, &mut decoder)),
                Ok(None) | Err(_) => break,
            }
        }
        hand_over(&mut decoder, &mut answers);
        next_round = Instant::now() + ROUND;
    }
    waiting.close();
    while let Some(job) = waiting.recv().await {
        answers.push(decode(job, &mut decoder));
    }
    hand_over(&mut decoder, &mut answers);
}

fn hand_over(decoder: &mut Decoder, answers: &mut Vec<(oneshot::Sender<Answer>, Answer)>) {
    decoder.flush_all();
    for (reply, answer) in answers.drain(..) {
        // The client may have gone; its events are in the log all the same.
        let _ = reply.send(answer);
    }
}

fn decode(job: Job, decoder: &mut Decoder) -> (oneshot::Sender<Answer>, Answer) {
    let Taken { accepted, rejected, first } = decoder.feed_body(&job.triplet, &job.bytes, REASONS_MAX);
    let reasons = first.into_iter().map(|row| Reason {
        offset_bytes: row.offset_bytes,
        line: row.line,
        code: row.code,
        message: row.message,
    });
    (job.reply, Answer { accepted, rejected, reasons: reasons.collect() })
}

#[cfg(test)]
mod tests;
