//! Whole bodies of many senders, decoded by one thread.
//!
//! In: [`Job`]s, each a body with the stream and the codec that it is of. Out: batches, and an [`Answer`] to each once its events are in the log and, where the
//! source promises it, on disk.
//! The thread hands over at most once per [`ROUND`], so that many senders with one event each do not make a record each; a body that
//! comes alone does not wait. A body whose sender names it by a key is taken once, as a whole; when it comes again it is answered as it was. Bodies are taken in the order in which they were given. Limits: [`WAITING_MAX`] bodies wait, and all that are read or
//! wait hold at most what the [`Budget`] says; over one the body is refused.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weir_core::config::{Durability, SourceSpec};
use weir_core::record::{Note, Request};
use weir_core::triplet::{Selector, Triplet};
use weir_journal::Stopped;

use super::StartError;
use super::decoder::{Decoder, Feed, Taken};
use super::outlet::Outlet;
use crate::intake::{Busy, SourceCounters, Why};

pub mod body;
pub mod refusal;

use body::{Budget, Charge};
use refusal::Refusal;

/// Bodies that wait for the decoder.
const WAITING_MAX: usize = 256;

/// Time between two hand-overs: at most 1,000 records per second from clients that send single events.
const ROUND: Duration = Duration::from_millis(1);

/// Bodies that one hand-over answers.
const ROUND_REQUESTS_MAX: usize = 1_024;

/// Until an operator has restarted the program.
const RETRY_STOPPED: Duration = Duration::from_secs(10);

/// First reasons of an answer.
const REASONS_MAX: usize = 10;

/// When the thread ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// At the stop signal; what is given later is refused.
    AtStop,
    /// When nobody is left who could give it a body.
    WithSenders,
}

/// What the handlers of a source share.
pub struct Bodies {
    pub outlet: Outlet,
    may_write: Vec<Selector>,
    jobs: mpsc::Sender<Job>,
    /// Bytes of all bodies that are being read or wait.
    pub budget: Budget,
    /// Of bodies that do not say theirs.
    pub codec: Arc<str>,
}

/// One whole body on its way to the decoder.
struct Job {
    triplet: Triplet,
    codec: Arc<str>,
    bytes: Vec<u8>,
    /// Digest of the key by which the sender repeats it.
    key: Option<[u8; 16]>,
    /// Given back with the job.
    _charge: Charge,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// Comes once the events are where the source promises them to be.
pub type Answering = oneshot::Receiver<Result<Answer, Refusal>>;

/// What became of one body.
#[derive(Debug, serde::Serialize)]
pub struct Answer {
    /// Taken now.
    pub accepted: u64,
    /// Taken before.
    pub duplicates: u64,
    pub rejected: u64,
    pub reasons: Vec<Reason>,
    /// It is the answer to an earlier request with the same key.
    #[serde(skip)]
    pub is_repeated: bool,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    offset_bytes: u64,
    /// From 1.
    line: u64,
    code: Cow<'static, str>,
    message: String,
}

impl Bodies {
    /// Starts the decoder's thread.
    pub fn start(
        spec: &SourceSpec,
        feed: &Feed,
        outlet: &Outlet,
        ends: Ends,
    ) -> Result<(Arc<Self>, JoinHandle<()>), StartError> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (own, own_feed) = (outlet.clone(), feed.clone());
        let thread =
            super::spawn(outlet, "", move || decode_all(waiting, Decoder::new(own, &own_feed), ends))?;
        let bodies = Self {
            outlet: outlet.clone(),
            may_write: spec.may_write.clone(),
            jobs,
            budget: Budget::default(),
            codec: feed.codec().clone(),
        };
        Ok((Arc::new(bodies), thread))
    }

    /// The stream that a path names, if it may be written.
    pub fn stream(
        &self,
        (application, environment, event_type): (String, String, String),
    ) -> Result<Triplet, Refusal> {
        let triplet = Triplet::new(&application, &environment, &event_type)
            .map_err(|error| Refusal::Triplet(error.to_string()))?;
        if !self.may_write.iter().any(|selector| selector.matches(&triplet)) {
            return Err(Refusal::MayNotWrite { name: self.outlet.name.clone(), triplet });
        }
        Ok(triplet)
    }

    /// Gives a body to the decoder, unless too many wait there.
    pub fn give(
        &self,
        triplet: Triplet,
        codec: Arc<str>,
        bytes: Vec<u8>,
        key: Option<[u8; 16]>,
        charge: Charge,
    ) -> Result<Answering, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = Job { triplet, codec, bytes, key, _charge: charge, reply };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::TooMuchAtOnce,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        Ok(answer)
    }

    /// The same for a sender that can wait.
    pub async fn give_when_free(
        &self,
        triplet: Triplet,
        codec: Arc<str>,
        bytes: Vec<u8>,
        charge: Charge,
    ) -> Result<Answering, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = Job { triplet, codec, bytes, key: None, _charge: charge, reply };
        self.jobs.send(job).await.map_err(|_| Refusal::Stopping)?;
        Ok(answer)
    }

    pub fn lagging(&self, busy: Busy) -> Refusal {
        SourceCounters::add(&self.outlet.counters.waits_total, 1);
        match busy.why {
            Why::Lag => Refusal::Lagging(busy.retry_after),
            Why::Journal(why) => Refusal::Journal { why, retry_after: busy.retry_after },
        }
    }
}

/// Decodes bodies until the stop signal or until no handler is left, in rounds: decode what waits, hand over, answer.
async fn decode_all(mut waiting: mpsc::Receiver<Job>, mut decoder: Decoder, ends: Ends) {
    let mut stop = decoder.outlet().stop.clone();
    let mut next_round = Instant::now();
    let mut answers = Vec::new();
    loop {
        let job = tokio::select! {
            job = waiting.recv() => job,
            () = super::stopped(&mut stop), if ends == Ends::AtStop => None,
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

struct Reply {
    to: oneshot::Sender<Result<Answer, Refusal>>,
    told: Result<Answer, Refusal>,
    /// The decoder tells which of its rows came before, once they have left.
    counts: bool,
}

/// One sync answers all that were handed over with it and while the one before ran.
fn hand_over(decoder: &mut Decoder, answers: &mut Vec<Reply>) {
    decoder.flush_all();
    let mut answers = std::mem::take(answers);
    let mut duplicates = decoder.take_duplicates().into_iter();
    for answer in answers.iter_mut().filter(|answer| answer.counts) {
        let (Some(duplicates), Ok(answer)) = (duplicates.next(), &mut answer.told) else { break };
        answer.duplicates = duplicates.min(answer.accepted);
        answer.accepted -= answer.duplicates;
    }
    decoder.take_receipt().when_durable(move |outcome| {
        for Reply { to, told, .. } in answers {
            let stopped = |stopped: &Stopped| Refusal::Journal {
                why: stopped.clone().into(),
                retry_after: RETRY_STOPPED,
            };
            let told = told.and_then(|answer| outcome.as_ref().map(|()| answer).map_err(stopped));
            // The client may have gone; its events are in the log all the same.
            let _ = to.send(told);
        }
    });
}

fn decode(job: Job, decoder: &mut Decoder) -> Reply {
    if let Some(key) = job.key {
        return Reply { told: decode_once(&job, key, decoder), to: job.reply, counts: false };
    }
    let taken = decoder.feed_body(&job.triplet, &job.codec, &job.bytes, REASONS_MAX);
    Reply { to: job.reply, told: Ok(answer_of(&taken)), counts: true }
}

/// A request with a key: the answer of before, or it is taken as a whole.
fn decode_once(job: &Job, key: [u8; 16], decoder: &mut Decoder) -> Result<Answer, Refusal> {
    let print = digest(&[job.triplet.as_str().as_bytes(), job.codec.as_bytes(), &job.bytes]);
    if let Some((request, receipt)) = decoder.outlet().accept.request(&key) {
        if request.print != print {
            return Err(Refusal::KeyUsed);
        }
        if decoder.outlet().durability == Durability::Fsync {
            // Not told before the first one could be.
            decoder.also_wait(receipt);
        }
        SourceCounters::add(&decoder.outlet().counters.duplicates_total, request.accepted);
        return Ok(Answer {
            accepted: request.accepted.saturating_sub(request.duplicates),
            duplicates: request.duplicates,
            rejected: request.rejected,
            reasons: serde_json::from_str(&request.reasons).unwrap_or_default(),
            is_repeated: true,
        });
    }
    let mut told = None;
    let note = |taken: &Taken| {
        let answer = answer_of(taken);
        let reasons = serde_json::to_string(&answer.reasons).unwrap_or_default().into();
        let (accepted, rejected) = (answer.accepted, answer.rejected);
        told = Some(answer);
        Note::Request(Request { key, print, accepted, duplicates: 0, rejected, reasons })
    };
    let (taken, duplicates) = decoder.feed_noted(&job.triplet, &job.codec, &job.bytes, REASONS_MAX, note);
    let mut answer = told.unwrap_or_else(|| answer_of(&taken));
    answer.duplicates = duplicates.min(answer.accepted);
    answer.accepted -= answer.duplicates;
    Ok(answer)
}

fn answer_of(taken: &Taken) -> Answer {
    let reasons = taken.first.iter().map(|row| Reason {
        offset_bytes: row.offset_bytes,
        line: row.line,
        code: row.code.into(),
        message: row.message.clone(),
    });
    Answer {
        accepted: taken.accepted,
        duplicates: 0,
        rejected: taken.rejected,
        reasons: reasons.collect(),
        is_repeated: false,
    }
}

/// Of parts that cannot run into each other.
pub fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let whole = hasher.finalize();
    std::array::from_fn(|index| whole.get(index).copied().unwrap_or_default())
}
