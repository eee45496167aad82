//! The webhook: notices as JSON by POST, in the shape that receivers of Alertmanager's webhook know (version 4,
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! In: notices from the queue, up to [`GROUP_MAX`] of one rule in a request. Out: one request at a time over HTTP/1.1 (hyper), a connection for each; the body is at most [`BODY_BYTES_MAX`],
//! what does not fit is counted in `truncatedAlerts`. Only plain http, no redirects. 2xx is success; no connection, a timeout, 408, 425, 429 and 5xx are tried again after
//! a pause that doubles from [`PAUSE_MIN`] to [`PAUSE_MAX`], with a random part of up to half so that many hosts do not come at once (`Retry-After` in seconds is heeded); any other
//! answer will not get better and drops the notices, counted. Of an answer only the status and the first [`ANSWER_BYTES_MAX`] bytes are looked at.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use weir_core::alerts::{End, What};
use weir_core::config::{ChannelKind, ChannelSpec, HttpUrl};

use super::queue::Queue;
use super::{Counters, Notice};
use crate::runtime::rfc3339;

pub const GROUP_MAX: usize = 64;
pub const BODY_BYTES_MAX: usize = 1 << 20;
const ANSWER_BYTES_MAX: usize = 4_096;
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

pub struct Sender {
    spec: ChannelSpec,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    address: String,
}

enum Refusal {
    /// Worth trying again, after at least so long.
    Later(String, Option<Duration>),
    Never(String),
}

impl Sender {
    pub fn new(spec: ChannelSpec, queue: Arc<Queue>, counters: Arc<Counters>, address: String) -> Self {
        Self { spec, queue, counters, address }
    }

    /// Until the queue is closed and empty.
    pub async fn run(self) {
        while let Some(notices) = self.queue.take(GROUP_MAX).await {
            let body = Bytes::from(body(&self.spec.name, &self.address, &notices));
            let count = notices.len() as u64;
            match self.deliver(body).await {
                Ok(()) => self.counters.sent_total.fetch_add(count, Ordering::Relaxed),
                Err(Refusal::Never(error)) => {
                    tracing::error!(channel = %self.spec.name, notices = count, %error, "notices were refused");
                    self.counters.refused_total.fetch_add(count, Ordering::Relaxed)
                }
                Err(Refusal::Later(error, _)) => {
                    tracing::error!(channel = %self.spec.name, notices = count, %error, "notices were given up");
                    self.counters.dropped_total.fetch_add(count, Ordering::Relaxed)
                }
            };
        }
    }

    async fn deliver(&self, body: Bytes) -> Result<(), Refusal> {
        let ChannelKind::Webhook { url } = &self.spec.kind;
        let give_up = Duration::from_nanos(self.spec.give_up_after_ns.unsigned_abs());
        let timeout = Duration::from_nanos(self.spec.timeout_ns.unsigned_abs());
        let begun = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let attempt = tokio::time::timeout(timeout, post(url, body.clone())).await;
            let attempt = attempt
                .unwrap_or_else(|_| Err(Refusal::Later(format!("no answer within {timeout:?}"), None)));
            let (error, wished) = match attempt {
                Ok(()) => return Ok(()),
                Err(Refusal::Later(error, wished)) => (error, wished),
                Err(never) => return Err(never),
            };
            let failed = self.counters.attempts_failed_total.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(channel = %self.spec.name, %error, failed, "delivery failed");
            if pause == PAUSE_MIN {
                tracing::warn!(channel = %self.spec.name, %error, "delivery failed; it is tried again");
            }
            let wait = wished.unwrap_or(pause).mul_f64(1.0 + rand::random_range(0.0..0.5));
            let until = self.queue.closing().unwrap_or(begun + give_up).min(begun + give_up);
            if Instant::now() + wait > until {
                return Err(Refusal::Later(error, None));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // When everything ends, one more attempt at once is better than none.
                () = self.queue.closed(), if self.queue.closing().is_none() => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

async fn post(url: &HttpUrl, body: Bytes) -> Result<(), Refusal> {
    let later = |what: &str, error: &dyn std::fmt::Display| Refusal::Later(format!("{what}: {error}"), None);
    let stream =
        TcpStream::connect((url.host.as_str(), url.port)).await.map_err(|error| later("connect", &error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| later("connect", &error))?;
    let request = Request::post(&url.path)
        .header(HOST, &url.authority)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))
        .map_err(|error| Refusal::Never(format!("request: {error}")))?;
    // The connection lives as long as this call and is driven by it: no task is left behind.
    let answered = async {
        let answer = sender.send_request(request).await.map_err(|error| later("send", &error))?;
        let status = answer.status();
        let wished =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let text = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let text = text.map(|text| text.to_bytes()).unwrap_or_default();
        judge(status, wished.map(Duration::from_secs), &text)
    };
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => match ended {
            // What was answered before the end is still there.
            Ok(()) => answered.await,
            Err(error) => Err(later("connection", &error)),
        },
    }
}

fn judge(status: StatusCode, wished: Option<Duration>, text: &[u8]) -> Result<(), Refusal> {
    if status.is_success() {
        return Ok(());
    }
    let text: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(200).collect();
    let error = format!("{status} {text}");
    let again = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    let wished = wished.map(|wished| wished.min(RETRY_AFTER_MAX));
    Err(if again { Refusal::Later(error, wished) } else { Refusal::Never(error) })
}

/// All of one rule.
pub fn body(channel: &str, address: &str, notices: &[Arc<Notice>]) -> Vec<u8> {
    let mut alerts: Vec<Value> = Vec::new();
    let mut bytes = 0;
    for notice in notices {
        let alert = alert(notice, address);
        bytes += alert.to_string().len();
        // Room for the rest of the body, which repeats some of the labels.
        if bytes > BODY_BYTES_MAX / 2 && !alerts.is_empty() {
            break;
        }
        alerts.push(alert);
    }
    let rule = notices.first().map_or("", |notice| &*notice.rule);
    let name = rule.strip_prefix("rule/").unwrap_or(rule);
    let firing = alerts.iter().any(|alert| alert["status"] == "firing");
    let body = json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
        "truncatedAlerts": notices.len() - alerts.len(),
        "status": if firing { "firing" } else { "resolved" },
        "receiver": channel,
        "groupLabels": { "alertname": name },
        "commonLabels": common(&alerts, "labels"),
        "commonAnnotations": common(&alerts, "annotations"),
        "externalURL": address,
        "alerts": alerts,
    });
    body.to_string().into_bytes()
}

/// What all of them have alike.
fn common(alerts: &[Value], member: &str) -> Map<String, Value> {
    let mut members = alerts.iter().map(|alert| alert[member].as_object());
    let Some(Some(first)) = members.next() else { return Map::new() };
    let others: Vec<_> = members.flatten().collect();
    let alike =
        first.iter().filter(|(name, value)| others.iter().all(|other| other.get(*name) == Some(value)));
    alike.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn alert(notice: &Notice, address: &str) -> Value {
    let transition = &notice.transition;
    let alert = &transition.alert;
    let episode = transition.episode.as_ref();
    let text = |value: &str| Value::from(value);
    let mut labels = Map::new();
    // The key's own labels win over those of the configuration, and the names of the shape over both.
    labels.extend(notice.spec.labels.iter().map(|(name, value)| (name.to_string(), text(value))));
    labels.extend(alert.labels.iter().map(|(name, value)| (name.to_string(), text(value))));
    let triplet = &alert.triplet;
    let level =
        if notice.is_over() { episode.map_or(alert.level, |episode| episode.level) } else { alert.level };
    let name = alert.rule.strip_prefix("rule/").unwrap_or(&alert.rule);
    for (label, value) in [
        ("alertname", name),
        ("application", triplet.application()),
        ("environment", triplet.environment()),
        ("type", triplet.event_type()),
        ("severity", level.word()),
    ] {
        labels.insert(label.to_owned(), text(value));
    }
    let mut annotations = Map::new();
    annotations.extend(notice.spec.annotations.iter().map(|(name, value)| (name.to_string(), text(value))));
    annotations.insert("summary".to_owned(), text(&alert.summary));
    let ended = episode.and_then(|episode| episode.ended);
    json!({
        "status": if notice.is_over() { "resolved" } else { "firing" },
        "labels": labels,
        "annotations": annotations,
        "startsAt": rfc3339(episode.map_or(transition.at_unix_ns, |episode| episode.started_unix_ns)),
        "endsAt": ended.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |(at, ..)| rfc3339(at)),
        "generatorURL": address,
        "fingerprint": alert.id.to_string(),
        "weir": {
            "what": what_word(transition.what),
            "episode": episode.map(|episode| episode.id.to_string()),
            "position": transition.position,
            "value": alert.value,
            "worst": episode.map(|episode| json!({ "level": episode.worst.level.word(), "value": episode.worst.value })),
            "flapping": alert.flapping,
        },
    })
}

/// As the API, the log and receivers read it.
pub fn what_word(what: What) -> &'static str {
    match what {
        What::Pending => "pending",
        What::Withdrawn => "withdrawn",
        What::Fired => "fired",
        What::Level { .. } => "level",
        What::Flapping => "flapping",
        What::Calm => "calm",
        What::Ended(End::Resolved) => "resolved",
        What::Ended(end) => end.word(),
    }
}
