//! Hostile senders: what they send is refused or rejected, counted and bounded, and others are served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::client::{self, raw};
use weir_tests::host::TestHost;

use crate::start::COUNT;

const RSS_MAX: u64 = 400 << 20;

/// A good sender is served, and the memory is bounded.
fn all_is_well(host: &mut TestHost) {
    let before = host.unit("count/all", "rows_in_total").unwrap();
    host.send(&"{\"key\":\"a\",\"x\":1}\n".repeat(100)).unwrap();
    host.wait_unit("count/all", "rows_in_total", before + 100).unwrap();
    assert_eq!(host.get("/healthz").unwrap().status, 200);
    assert!(host.is_alive());
    assert!(host.rss_bytes().unwrap() < RSS_MAX, "{} MiB", host.rss_bytes().unwrap() >> 20);
}

fn connect(host: &TestHost) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", host.tcp)).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn source(host: &TestHost, name: &str, counter: &str) -> u64 {
    let seen = host.json("/api/sources").unwrap();
    seen["sources"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()[counter]
        .as_u64()
        .unwrap()
}

/// Codes of the kept rejected rows of a source.
fn codes(host: &TestHost, source: &str) -> Vec<String> {
    let seen = host.json(&format!("/api/rejected?source={source}&limit=1000")).unwrap();
    seen["rejected"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect()
}

fn wait_codes(host: &TestHost, wanted: &[&str]) {
    host.wait("/api/rejected?source=tcp&limit=1000", |seen| {
        let rows = seen["rejected"].as_array().unwrap();
        wanted.iter().all(|code| rows.iter().any(|row| row["code"] == *code))
    })
    .unwrap();
}

#[test]
fn a_line_that_never_ends_costs_only_its_own_connection() {
    let mut host = TestHost::start(COUNT).unwrap();
    let mut stream = connect(&host);
    stream.write_all(b"{\"key\":\"").unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        stream.write_all(&piece).unwrap();
    }
    wait_codes(&host, &["event_too_long"]);
    all_is_well(&mut host);
    stream.write_all(b"\"}\n{\"key\":\"b\",\"x\":1}\n").unwrap();
    host.wait_unit("count/all", "rows_in_total", 101).unwrap();
    assert!(codes(&host, "tcp").len() < 64, "one line is not a flood of reasons");
}

#[test]
fn hostile_events_are_rejected_one_by_one() {
    let mut host = TestHost::start(COUNT).unwrap();
    let deep = format!("{{\"a\":{}{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}1{}\n", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let keys: String = (0..2_000).map(|n| format!("\"k{n}\":1,")).collect();
    let keys = format!("{{{keys}\"x\":1}}\n");
    let texts = [deep, deep_objects, keys, format!("{{\"{}\":1}}\n", "n".repeat(5_000))];
    let mut stream = connect(&host);
    for text in &texts {
        stream.write_all(text.as_bytes()).unwrap();
    }
    stream.write_all(b"{\"a\":\"\xff\xfe\"}\n{\"a\":\"\\ud800\"}\n{\"x\":1e999}\n\0\0\0\n").unwrap();
    wait_codes(
        &host,
        &["too_deep", "too_many_keys", "key_too_long", "invalid_utf8", "number_out_of_range", "syntax"],
    );
    stream.write_all(b"{\"key\":\"b\",\"x\":1}\n").unwrap();
    host.wait_unit("count/all", "rows_in_total", 1).unwrap();
    all_is_well(&mut host);
}

#[test]
fn a_million_field_names_and_streams_are_bounded_and_counted() {
    let mut host = TestHost::start(COUNT).unwrap();
    let mut stream = connect(&host);
    for event in 0..1_000 {
        let fields: String = (0..1_000).map(|n| format!("\"f{}\":1,", event * 1_000 + n)).collect();
        stream.write_all(format!("{{{fields}\"key\":\"a\",\"x\":1}}\n").as_bytes()).unwrap();
    }
    host.wait_unit("count/all", "rows_in_total", 1_000).unwrap();
    let streams = host
        .wait("/api/streams", |seen| seen["streams"][0]["values_dropped_total"].as_u64() > Some(900_000))
        .unwrap();
    assert!(streams["streams"][0]["columns"].as_array().unwrap().len() <= 256);
    for flood in 0..20 {
        let lines: String =
            (0..1_000).map(|n| format!("{{\"type\":\"t{}\",\"x\":1}}\n", flood * 1_000 + n)).collect();
        stream.write_all(lines.as_bytes()).unwrap();
    }
    wait_codes(&host, &["too_many_streams"]);
    all_is_well(&mut host);
}

#[test]
fn a_sender_that_keeps_us_waiting_is_cut_off_and_others_are_served() {
    let mut host = TestHost::start(COUNT).unwrap();
    let head = "POST /ingest/my/dev/event HTTP/1.1\r\nhost: x\r\n";
    let mut loris: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", host.http)).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let slow_body = format!(
        "POST /ingest/my/dev/event HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-length: 1000000\r\n\r\n{{",
        host.http
    );
    let mut body = TcpStream::connect(("127.0.0.1", host.http)).unwrap();
    body.write_all(slow_body.as_bytes()).unwrap();
    all_is_well(&mut host);
    let begun = Instant::now();
    // A byte now and then must not keep a connection.
    let mut open = loris.len();
    while open > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "{open} connections without a whole header are still open"
        );
        std::thread::sleep(Duration::from_millis(500));
        loris.retain_mut(|stream| stream.write_all(b"a").is_ok() && !is_closed(stream));
        open = loris.len();
    }
    body.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = String::new();
    drop(body.read_to_string(&mut answer));
    let status = answer.split_whitespace().nth(1).unwrap_or_default().to_owned();
    assert!(matches!(&*status, "400" | "408"), "{answer}");
    all_is_well(&mut host);
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    match stream.read(&mut [0; 1_024]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}

#[test]
fn bombs_and_broken_bodies_are_refused() {
    let mut host = TestHost::start(COUNT).unwrap();
    let gzip = [("content-encoding", "gzip")];
    let post =
        |body: &[u8]| client::request(host.http, "POST", "/ingest/my/dev/event", &gzip, body).unwrap().status;
    // 64 MiB of spaces, and the same several times over as members of one body.
    let bomb = zeros(64 << 20);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(post(&bomb), 413);
    assert_eq!(post(&bomb.repeat(8)), 413);
    assert_eq!(post(&bomb[..bomb.len() / 2]), 413);
    assert_eq!(post(b"\x1f\x8b\x08\x00 no gzip at all"), 400);
    assert_eq!(post(b""), 400);
    all_is_well(&mut host);
}

/// Gzip of so many spaces.
fn zeros(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let piece = vec![b' '; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&piece).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn paths_and_heads_that_are_tricks_get_an_error_and_never_a_file() {
    let mut host = TestHost::start(COUNT).unwrap();
    let own = format!("host: 127.0.0.1:{}\r\nconnection: close\r\n", host.http);
    let paths = [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/%00",
        "/assets/..%5c..%5cetc",
        "/api/streams/%2e%2e/%2f/x/recent",
        "/api/streams/a/b/%ff/recent",
        "http://evil.example/api/streams",
        "/api/pipelines/..%2f/units/x/stop",
    ];
    for path in paths {
        let answer =
            raw(host.http, format!("GET {path} HTTP/1.1\r\n{own}\r\n").as_bytes(), Duration::from_secs(5))
                .unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status: u16 = text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        assert!((400..500).contains(&status), "{path}: {text}");
        assert!(!text.contains("root:"), "{path}: {text}");
    }
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let heads = [
        format!("GET / HTTP/1.1\r\n{own}x: {}\r\n\r\n", "y".repeat(64 << 10)),
        format!("GET / HTTP/1.1\r\n{own}{many}\r\n"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{own}host: evil.example\r\n\r\n"),
        format!(
            "POST /ingest/my/dev/event HTTP/1.1\r\n{own}content-length: 5\r\ncontent-length: 6\r\n\r\n{{}}   "
        ),
        format!("POST /ingest/my/dev/event HTTP/1.1\r\n{own}content-length: -1\r\n\r\n"),
        format!("POST /ingest/my/dev/event HTTP/1.1\r\n{own}content-length: 99999999999999999999\r\n\r\n"),
        "\u{1}\u{2}\u{3} nothing\r\n\r\n".to_owned(),
    ];
    for head in heads {
        let answer = raw(host.http, head.as_bytes(), Duration::from_secs(5)).unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let refused = text.is_empty() || text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4");
        assert!(refused, "{}: {text}", &head[..head.len().min(100)]);
    }
    all_is_well(&mut host);
}

/// The host may have only so many files open; a test cannot take ten thousand ports from its neighbours, and the limit is the same in small.
fn limit_files(host: &TestHost, files: u64) {
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    // SAFETY: sets a limit of a child of ours; `limit` lives as long as the call, and no old limit is asked for.
    let done = unsafe {
        libc::prlimit(host.pid() as libc::pid_t, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(done, 0, "prlimit");
}

#[test]
fn with_no_file_handles_left_it_waits_without_spinning_and_recovers() {
    let mut host = TestHost::start(COUNT).unwrap();
    let mut old = connect(&host);
    old.write_all(b"{\"key\":\"a\",\"x\":1}\n").unwrap();
    host.wait_unit("count/all", "rows_in_total", 1).unwrap();
    limit_files(&host, 120);
    let crowd: Vec<TcpStream> = (0..180).map(|_| connect(&host)).collect();
    let web: Vec<TcpStream> =
        (0..100).filter_map(|_| TcpStream::connect(("127.0.0.1", host.http)).ok()).collect();
    let cpu_before = cpu_ticks(&host);
    old.write_all(&b"{\"key\":\"a\",\"x\":1}\n".repeat(50)).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let used = cpu_ticks(&host) - cpu_before;
    assert!(used < 100, "it spins: {used} ticks of 10 ms in 2 s");
    assert!(host.is_alive(), "{}", host.log());
    drop((crowd, web));
    host.wait_unit("count/all", "rows_in_total", 51).unwrap();
    all_is_well(&mut host);
}

/// CPU time of the host, in ticks of 10 ms (proc(5)).
fn cpu_ticks(host: &TestHost) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.pid())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn more_connections_than_there_are_seats_are_refused_and_counted() {
    let mut host = TestHost::start(COUNT).unwrap();
    let crowd: Vec<TcpStream> = (0..1_200).map(|_| connect(&host)).collect();
    host.wait("/api/sources", |seen| {
        let tcp = seen["sources"].as_array().unwrap().iter().find(|it| it["name"] == "tcp").cloned();
        tcp.is_some_and(|tcp: Value| tcp["refused_total"].as_u64() >= Some(200))
    })
    .unwrap();
    assert!(source(&host, "tcp", "connections_open") <= 1_000);
    drop(crowd);
    host.wait("/api/sources", |seen| {
        seen["sources"].as_array().unwrap().iter().all(|it| it["connections_open"].as_u64() < Some(5))
    })
    .unwrap();
    all_is_well(&mut host);
}

const WEBSOCKET: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "my/dev/event"
[[source]]
name = "websocket"
kind = "websocket"
"#;

/// Code and reason of the close frame by which a connection ends that sends these bytes.
fn close_of(host: &TestHost, bytes: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", host.http)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "GET /ingest/my/dev/event HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host.http
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    // The host may close before it has all.
    let _ = stream.write_all(bytes);
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[0], 0x88, "a close frame");
    let mut reason = vec![0; usize::from(frame[1]) - 2];
    stream.read_exact(&mut reason).unwrap();
    (u16::from_be_bytes([frame[2], frame[3]]), String::from_utf8(reason).unwrap())
}

#[test]
fn a_websocket_sender_is_told_what_it_did_wrong() {
    let host = TestHost::start(WEBSOCKET).unwrap();
    let long = [&[0x81, 0xff][..], &(1_048_577_u64).to_be_bytes(), &[0; 4], &[b'x'; 1_000]].concat();
    let cases: [(&[u8], u16, &str); 4] = [
        (&long, 1009, "1048576"),
        (b"\x81\x83\0\0\0\0\xff{}", 1007, "UTF-8"),
        // Not masked; an opcode that is none.
        (b"\x81\x02{}", 1002, "no WebSocket frame"),
        (b"\x83\x81\0\0\0\0x", 1002, "no WebSocket frame"),
    ];
    for (bytes, code, words) in cases {
        let (found, reason) = close_of(&host, bytes);
        assert!(found == code && reason.contains(words), "{code}: {found} {reason}");
    }
}
