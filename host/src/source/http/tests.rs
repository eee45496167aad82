//! The HTTP source through its router, without a socket.

use std::sync::atomic::Ordering;

use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower_service::Service;
use weir_core::config::SourceKind;

use super::*;
use crate::source::Running;
use crate::source::fake::{self, Fake};

struct World {
    fake: Arc<Fake>,
    running: Running,
    stop: watch::Sender<bool>,
}

impl World {
    fn new() -> Self {
        let fake = Arc::new(Fake::default());
        let (stop, stopped) = watch::channel(false);
        let spec = SourceSpec {
            triplet: None,
            may_write: vec!["a/*/*".parse().unwrap()],
            ..fake::spec("http", SourceKind::Http)
        };
        let running = crate::source::start(&[spec], &Default::default(), fake.clone(), stopped).unwrap();
        Self { fake, running, stop }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let response = self.running.ingest.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn post(&self, body: impl Into<Body>) -> (u16, Value) {
        let (status, _, answer) = self.send(request(&[]).body(body.into()).unwrap()).await;
        (status.as_u16(), answer)
    }
}

fn request(headers: &[(&str, &str)]) -> axum::http::request::Builder {
    let builder = Request::post("/ingest/a/b/c");
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value))
}

async fn check(body: &'static [u8], headers: &[(&str, &str)], accepted: u64) {
    let world = World::new();
    let (status, _, answer) = world.send(request(headers).body(body.into()).unwrap()).await;
    assert_eq!((status.as_u16(), &answer["accepted"]), (200, &json!(accepted)), "{answer}");
    // Whatever was answered is there.
    assert_eq!(world.fake.rows(), accepted as usize);
}

async fn check_refused(request: Request<Body>, status: u16, code: &str) {
    let world = World::new();
    let (got, _, answer) = world.send(request).await;
    assert_eq!((got.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().len() > 20);
    assert_eq!((world.fake.rows(), world.fake.counters.refused_total.load(Ordering::Relaxed)), (0, 1));
}

#[tokio::test]
async fn an_object_an_array_and_lines_are_taken() {
    check(b"{\"n\":1}", &[("content-type", "application/json")], 1).await;
    check(
        b" [{\"n\":1}, {\"n\":2},\n{\"n\":3}]\n",
        &[("content-type", "application/json; charset=utf-8")],
        3,
    )
    .await;
    check(b"{\"n\":1}\n{\"n\":2}\r\n\n{\"n\":3}", &[("content-type", "application/x-ndjson")], 3).await;
    check(b"{\"n\":1}\n", &[("content-type", "application/x-www-form-urlencoded")], 1).await;
    check(b"[]", &[], 0).await;
    check(b"", &[], 0).await;
}

#[tokio::test]
async fn gzip_is_taken() {
    let world = World::new();
    let body = body::gzip(b"{\"n\":1}\n{\"n\":2}\n");
    let (status, _, answer) =
        world.send(request(&[("content-encoding", "gzip")]).body(body.into()).unwrap()).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(2)), "{answer}");
    assert_eq!(world.fake.integers("a/b/c", "n"), [1, 2]);
}

#[tokio::test]
async fn a_bad_event_is_answered_with_its_place_and_harms_no_other() {
    let world = World::new();
    let (status, answer) = world.post("{\"n\":1}\nnonsense\n{\"n\":3}\n").await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (200, &json!(2), &json!(1)));
    let reason = &answer["reasons"][0];
    assert_eq!((&reason["offset_bytes"], &reason["line"]), (&json!(8), &json!(2)), "{answer}");
    assert_eq!(world.fake.counters.rejected_total.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn only_bad_events_are_a_bad_request_with_ten_reasons() {
    let world = World::new();
    let (status, answer) = world.post("no\n".repeat(50)).await;
    assert_eq!((status, &answer["rejected"]), (400, &json!(50)), "{answer}");
    assert_eq!(answer["reasons"].as_array().unwrap().len(), 10);
    for body in ["\u{0}", "{", "[{\"n\":1}", "null", "\"text\"", "12"] {
        let (status, answer) = World::new().post(body).await;
        assert!(status == 400 || answer["rejected"] == 1, "{body}: {answer}");
    }
}

#[tokio::test]
async fn a_lagging_flow_is_answered_429_with_a_time() {
    let world = World::new();
    world.fake.busy.store(true, Ordering::SeqCst);
    let (status, headers, answer) = world.send(request(&[]).body("{}".into()).unwrap()).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (429, &json!("lagging")));
    assert_eq!(headers.get("retry-after").unwrap(), "2");
    assert_eq!(world.fake.counters.waits_total.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_too_much_or_unknown_is_refused() {
    let body = || Body::from("{\"n\":1}");
    check_refused(
        request(&[]).body(vec![b' '; body::COMPRESSED_BYTES_MAX + 1].into()).unwrap(),
        413,
        "body-too-long",
    )
    .await;
    check_refused(request(&[("content-length", "99999999")]).body(body()).unwrap(), 413, "body-too-long")
        .await;
    let gzip = [("content-encoding", "gzip")];
    check_refused(
        request(&gzip).body(body::gzip(&vec![b' '; 4 << 20]).into()).unwrap(),
        413,
        "expands-too-much",
    )
    .await;
    check_refused(request(&gzip).body(body()).unwrap(), 400, "bad-gzip").await;
    check_refused(
        request(&[("content-encoding", "br")]).body(body()).unwrap(),
        415,
        "unknown-content-encoding",
    )
    .await;
    check_refused(
        request(&[("content-encoding", "gzip, gzip")]).body(body()).unwrap(),
        415,
        "unknown-content-encoding",
    )
    .await;
    check_refused(
        request(&[("content-type", "text/html")]).body(body()).unwrap(),
        415,
        "unknown-content-type",
    )
    .await;
    check_refused(Request::post("/ingest/x/b/c").body(body()).unwrap(), 403, "may-not-write").await;
    check_refused(Request::post("/ingest/a/b/%2A").body(body()).unwrap(), 400, "bad-triplet").await;
}

#[tokio::test]
async fn requests_at_once_share_records() {
    const REQUESTS: usize = 200;
    let world = World::new();
    let requests = (0..REQUESTS).map(|n| world.post(format!("{{\"n\":{n}}}")));
    for (status, answer) in futures_util::future::join_all(requests).await {
        assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    }
    assert_eq!(world.fake.rows(), REQUESTS);
    assert!(world.fake.calls() < REQUESTS / 2, "{} hand-overs", world.fake.calls());
}

#[tokio::test]
async fn a_broken_body_is_refused_and_nothing_of_it_taken() {
    let pieces = futures_util::stream::iter([Ok("{\"n\":1}\n"), Err(std::io::Error::other("reset"))]);
    check_refused(request(&[]).body(Body::from_stream(pieces)).unwrap(), 400, "broken-body").await;
}

#[tokio::test]
async fn after_the_stop_signal_the_answer_is_503() {
    let world = World::new();
    world.stop.send(true).unwrap();
    let ingest = world.running.ingest.clone();
    tokio::task::spawn_blocking(|| world.running.join()).await.unwrap();
    let response = ingest.clone().call(request(&[]).body(Body::from("{}")).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
