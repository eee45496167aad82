//! Whole bodies of many senders, decoded by one thread.
//!
//! In: [`Job`]s, each a body with the stream and the codec that it is of. Out: batches, and an [`Answer`] to each once its events are in the log and, where the
//! source promises it, on disk.
//! The thread hands over at most once per [`ROUND`], so that many senders with one event each do not make a record each; a body that
//! comes alone does not wait. Bodies are taken in the order in which they were given. Limits: [`WAITING_MAX`] bodies wait, and all that are read or
//! wait hold at most what the [`Budget`] says; over one the body is refused.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weir_core::config::SourceSpec;
use weir_core::triplet::{Selector, Triplet};

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
    /// Given back with the job.
    _charge: Charge,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// Comes once the events are where the source promises them to be.
pub type Answering = oneshot::Receiver<Result<Answer, Refusal>>;

/// What became of one body.
#[derive(Debug, serde::Serialize)]
pub struct Answer {
    pub accepted: u64,
    pub rejected: u64,
    pub reasons: Vec<Reason>,
}

#[derive(Debug, serde::Serialize)]
pub struct Reason {
    offset_bytes: u64,
    /// From 1.
    line: u64,
    code: &'static str,
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
        charge: Charge,
    ) -> Result<Answering, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = Job { triplet, codec, bytes, _charge: charge, reply };
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
        let job = Job { triplet, codec, bytes, _charge: charge, reply };
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

type Reply = (oneshot::Sender<Result<Answer, Refusal>>, Answer);

/// One sync answers all that were handed over with it and while the one before ran.
fn hand_over(decoder: &mut Decoder, answers: &mut Vec<Reply>) {
    decoder.flush_all();
    let answers = std::mem::take(answers);
    decoder.take_receipt().when_durable(move |outcome| {
        for (reply, answer) in answers {
            let told = outcome.clone().map(|()| answer);
            // The client may have gone; its events are in the log all the same.
            let _ = reply.send(
                told.map_err(|stopped| Refusal::Journal { why: stopped.into(), retry_after: RETRY_STOPPED }),
            );
        }
    });
}

fn decode(job: Job, decoder: &mut Decoder) -> Reply {
    let Taken { accepted, rejected, first } =
        decoder.feed_body(&job.triplet, &job.codec, &job.bytes, REASONS_MAX);
    let reasons = first.into_iter().map(|row| Reason {
        offset_bytes: row.offset_bytes,
        line: row.line,
        code: row.code,
        message: row.message,
    });
    (job.reply, Answer { accepted, rejected, reasons: reasons.collect() })
}
