//! Notices against receivers on loopback that answer as they are told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_core::alerts::{Alerts, Flap, Policy};
use weir_core::config::{AlertSpec, ChannelKind, ChannelSpec, HttpUrl};
use weir_core::flow::effects::Said;
use weir_core::unit::{Level, Signal};

use super::queue::Queue;
use super::webhook::body;
use super::{Channels, Notice, QUEUE_MAX};

const POLICY: Policy =
    Policy { for_ns: 0, keep_firing_ns: 0, flap: Flap { changes: 0, within_ns: 0 }, forget_ns: 0 };
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What the levels make of one alert of the host `web`.
fn notices(rule: &str, levels: &[Level]) -> Vec<Arc<Notice>> {
    let rule: Arc<str> = rule.into();
    let mut alerts = Alerts::default();
    alerts.declare(&[(Arc::clone(&rule), POLICY)], 0);
    let spec = Arc::new(AlertSpec {
        policy: POLICY,
        labels: vec![("team".into(), "shop".into())],
        annotations: vec![("runbook".into(), "turn it off".into())],
        channels: None,
    });
    let mut notices = Vec::new();
    for (second, level) in (1i64..).zip(levels) {
        let signal = Signal {
            key: 0,
            level: *level,
            value: 12.5,
            time_unix_ns: second * 1_000_000_000,
            lasts_ns: 0,
            summary: "load 12.5".into(),
        };
        let said = Said {
            rule: Arc::clone(&rule),
            triplet: "shop/prod/host".parse().unwrap(),
            labels: vec![("host".into(), "web".into())],
            position: 40 + second as u64,
            signal,
        };
        for transition in alerts.say(0, said) {
            notices.push(Arc::new(Notice { rule: Arc::clone(&rule), spec: Arc::clone(&spec), transition }));
        }
    }
    notices
}

/// A receiver that gives these answers, one connection each, and tells the bodies that it got.
fn receiver(answers: &'static [&'static str]) -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, bodies) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
            tell.send(serde_json::from_slice(&body).unwrap()).unwrap();
        }
    });
    (port, bodies)
}

fn spec(port: u16) -> ChannelSpec {
    let authority = format!("127.0.0.1:{port}");
    let url = HttpUrl { host: "127.0.0.1".into(), port, path: "/alerts".into(), authority };
    ChannelSpec {
        name: "on-call".into(),
        kind: ChannelKind::Webhook { url },
        level: Level::Info,
        resolved: true,
        timeout_ns: 5_000_000_000,
        give_up_after_ns: 60_000_000_000,
    }
}

fn started(spec: ChannelSpec) -> Channels {
    let channels = Channels::default();
    channels.set(&[spec], "http://127.0.0.1:7070/").unwrap();
    channels
}

/// The first channel's counter, once it is as expected.
fn wait(channels: &Channels, counter: fn(&super::Counters) -> &AtomicU64, wanted: u64) {
    let until = Instant::now() + WAIT_MAX;
    loop {
        let seen = channels.states()[0].counters.clone();
        let seen = counter(&seen).load(Ordering::Relaxed);
        if seen == wanted {
            return;
        }
        assert!(Instant::now() < until, "{seen} instead of {wanted}");
        std::thread::yield_now();
    }
}

#[test]
fn the_body_is_what_receivers_of_alertmanager_know() {
    let notices = notices("rule/load", &[Level::Ok, Level::Warning, Level::Critical, Level::Ok]);
    let told: Value = serde_json::from_slice(&body("on-call", "http://h/", &notices[..2])).unwrap();
    assert_eq!(
        (&told["version"], &told["status"], &told["receiver"]),
        (&"4".into(), &"firing".into(), &"on-call".into())
    );
    assert_eq!(told["groupLabels"]["alertname"], "load");
    assert_eq!(told["commonLabels"]["host"], "web");
    assert_eq!(told["commonLabels"].get("severity"), None, "the two differ in it");
    let alert = &told["alerts"][0];
    let labels = r#"{"team":"shop","host":"web","alertname":"load","application":"shop","environment":"prod","type":"host","severity":"warning"}"#;
    assert_eq!(alert["labels"], serde_json::from_str::<Value>(labels).unwrap());
    assert_eq!(alert["annotations"]["runbook"], "turn it off");
    assert_eq!(
        (&alert["startsAt"], &alert["endsAt"]),
        (&"1970-01-01T00:00:02Z".into(), &"0001-01-01T00:00:00Z".into())
    );
    let over: Value = serde_json::from_slice(&body("on-call", "http://h/", &notices[2..])).unwrap();
    assert_eq!(
        (&over["status"], &over["alerts"][0]["endsAt"]),
        (&"resolved".into(), &"1970-01-01T00:00:04Z".into())
    );
    assert_eq!(over["alerts"][0]["weir"]["worst"]["level"], "critical");
    assert_eq!(over["alerts"][0]["fingerprint"], alert["fingerprint"]);
}

#[test]
fn a_body_is_bounded_and_says_what_is_left_out() {
    let mut big = notices("rule/load", &[Level::Warning]);
    let mut notice = Notice::clone(&big[0]);
    notice.transition.alert.summary = "x".repeat(60_000);
    let notice = Arc::new(notice);
    big = vec![notice; 30];
    let bytes = body("on-call", "http://h/", &big);
    let told: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(bytes.len() < super::webhook::BODY_BYTES_MAX);
    let there = told["alerts"].as_array().unwrap().len();
    assert_eq!(told["truncatedAlerts"], 30 - there);
}

#[test]
fn a_receiver_that_fails_is_asked_again_and_loses_nothing() {
    let (port, bodies) =
        receiver(&["503 Busy\r\nretry-after: 0", "429 Slower\r\nretry-after: 0", "200 OK", "200 OK"]);
    let channels = started(spec(port));
    let notices = notices("rule/load", &[Level::Warning, Level::Ok]);
    channels.send(&notices[0]);
    let tries: Vec<Value> = (0..3).map(|_| bodies.recv_timeout(WAIT_MAX).unwrap()).collect();
    assert!(tries.iter().all(|told| told["alerts"][0]["status"] == "firing"));
    wait(&channels, |counters| &counters.sent_total, 1);
    channels.send(&notices[1]);
    assert_eq!(bodies.recv_timeout(WAIT_MAX).unwrap()["status"], "resolved");
    wait(&channels, |counters| &counters.sent_total, 2);
    wait(&channels, |counters| &counters.attempts_failed_total, 2);
}

#[test]
fn a_refusal_is_counted_and_not_tried_again() {
    let (port, bodies) = receiver(&["400 What", "200 OK"]);
    let channels = started(spec(port));
    let notices = notices("rule/load", &[Level::Warning, Level::Ok]);
    channels.send(&notices[0]);
    wait(&channels, |counters| &counters.refused_total, 1);
    channels.send(&notices[1]);
    wait(&channels, |counters| &counters.sent_total, 1);
    assert_eq!(bodies.iter().take(2).count(), 2);
}

#[test]
fn a_channel_gets_what_it_asks_for() {
    let (port, bodies) = receiver(&["200 OK"]);
    let channels = started(ChannelSpec { level: Level::Critical, resolved: false, ..spec(port) });
    let notices = notices("rule/load", &[Level::Warning, Level::Critical, Level::Ok]);
    notices.iter().for_each(|notice| channels.send(notice));
    let mut elsewhere = Notice::clone(&notices[1]);
    elsewhere.spec =
        Arc::new(AlertSpec { channels: Some(vec!["other".into()]), ..(*elsewhere.spec).clone() });
    channels.send(&Arc::new(elsewhere));
    wait(&channels, |counters| &counters.sent_total, 1);
    let until = Instant::now() + WAIT_MAX;
    while channels.states()[0].queued > 0 {
        assert!(Instant::now() < until, "what was sent stays in the queue");
        std::thread::yield_now();
    }
    assert_eq!(bodies.recv_timeout(WAIT_MAX).unwrap()["alerts"][0]["weir"]["what"], "level");
}

#[test]
fn what_cannot_be_delivered_before_the_end_is_dropped_and_the_end_comes() {
    // A port that nobody listens on any more.
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let channels = started(spec(port));
    channels.send(&notices("rule/load", &[Level::Warning])[0]);
    wait(&channels, |counters| &counters.attempts_failed_total, 1);
    let counters = channels.states()[0].counters.clone();
    let begun = Instant::now();
    channels.end();
    assert!(begun.elapsed() < super::CLOSING + Duration::from_secs(2));
    assert_eq!(counters.sent_total.load(Ordering::Relaxed), 0);
}

#[test]
fn a_full_queue_drops_the_oldest() {
    let queue = Queue::default();
    let notice = &notices("rule/load", &[Level::Warning])[0];
    let dropped: u64 = (0..QUEUE_MAX + 7).map(|_| queue.push(Arc::clone(notice))).sum();
    assert_eq!((dropped, queue.count()), (7, QUEUE_MAX));
}
