//! The TCP source over real loopback connections.

use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use weir_core::config::{Framing, SourceKind, SourceSpec};

use super::*;
use crate::source::Running;
use crate::source::fake::{self, Fake, wait_until};

fn spec() -> SourceSpec {
    let listen = "127.0.0.1:0".parse().unwrap();
    fake::spec("tcp", SourceKind::Tcp { listen, framing: Framing::Codec, tls: None })
}

struct World {
    fake: Arc<Fake>,
    running: Running,
    stop: watch::Sender<bool>,
}

impl World {
    fn new() -> Self {
        let fake = Arc::new(Fake::default());
        let (stop, stopped) = watch::channel(false);
        let running = crate::source::start(&[spec()], &Default::default(), fake.clone(), stopped).unwrap();
        Self { fake, running, stop }
    }

    fn connect(&self) -> Client {
        let client = Client::connect(self.running.address("tcp").unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        client
    }

    fn end(self) -> Arc<Fake> {
        self.stop.send(true).unwrap();
        self.running.join();
        self.fake
    }
}

#[test]
fn a_slow_sender_of_single_bytes_is_understood() {
    let world = World::new();
    let mut client = world.connect();
    for byte in b"{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n" {
        client.write_all(&[*byte]).unwrap();
    }
    world.fake.wait_rows(3);
    assert_eq!(world.end().integers("a/b/c", "n"), [1, 2, 3]);
}

#[test]
fn the_last_event_needs_no_line_feed() {
    let world = World::new();
    let mut client = world.connect();
    client.write_all(b"{\"n\":1}\n{\"n\":2}").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    world.fake.wait_rows(2);
    // The other side closes too.
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(world.end().integers("a/b/c", "n"), [1, 2]);
}

#[test]
fn many_connections_lose_nothing_and_keep_their_order() {
    const CONNECTIONS: i64 = 60;
    const EVENTS: i64 = 500;
    let world = World::new();
    std::thread::scope(|scope| {
        for sender in 0..CONNECTIONS {
            let mut client = world.connect();
            scope.spawn(move || {
                for n in 0..EVENTS {
                    writeln!(client, "{{\"s\":{sender},\"n\":{n}}}").unwrap();
                }
            });
        }
    });
    world.fake.wait_rows((CONNECTIONS * EVENTS) as usize);
    let counters = world.fake.counters.clone();
    wait_until("all closed", || counters.connections_open.load(Ordering::Relaxed) == 0);
    let fake = world.end();
    assert_eq!(counters.connections_total.load(Ordering::Relaxed), CONNECTIONS as u64);
    assert_eq!(counters.events_total.load(Ordering::Relaxed), (CONNECTIONS * EVENTS) as u64);
    let rows: Vec<_> = fake.integers("a/b/c", "s").into_iter().zip(fake.integers("a/b/c", "n")).collect();
    for sender in 0..CONNECTIONS {
        assert!(rows.iter().filter(|row| row.0 == sender).map(|row| row.1).eq(0..EVENTS), "sender {sender}");
    }
}

#[test]
fn nothing_is_read_while_a_flow_lags() {
    let world = World::new();
    world.fake.busy.store(true, Ordering::SeqCst);
    let mut client = world.connect();
    client.write_all(b"{\"n\":1}\n").unwrap();
    let counters = world.fake.counters.clone();
    wait_until("it waits", || counters.waits_total.load(Ordering::Relaxed) == 1);
    assert_eq!(counters.bytes_total.load(Ordering::Relaxed), 0);
    world.fake.busy.store(false, Ordering::SeqCst);
    world.fake.wait_rows(1);
    world.end();
}

fn unacknowledged_bytes(client: &Client) -> i32 {
    let mut bytes = 0;
    // SAFETY: TIOCOUTQ writes one int to where the third argument points.
    let result = unsafe { libc::ioctl(client.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    assert_eq!(result, 0);
    bytes
}

#[test]
fn stopping_takes_what_has_arrived() {
    let world = World::new();
    let mut client = world.connect();
    client.write_all(b"{\"n\":0}\n").unwrap();
    world.fake.wait_rows(1);
    for n in 1..1_000 {
        writeln!(client, "{{\"n\":{n}}}").unwrap();
    }
    wait_until("the other side's kernel has all", || unacknowledged_bytes(&client) == 0);
    assert!(world.end().integers("a/b/c", "n").into_iter().eq(0..1_000));
}

#[test]
fn stopping_while_a_flow_lags_ends() {
    let world = World::new();
    world.fake.busy.store(true, Ordering::SeqCst);
    let _client = world.connect();
    let counters = world.fake.counters.clone();
    wait_until("it waits", || counters.waits_total.load(Ordering::Relaxed) == 1);
    assert_eq!(world.end().rows(), 0);
}

#[test]
fn bad_events_harm_no_other_and_are_counted() {
    let world = World::new();
    let mut client = world.connect();
    client.write_all(b"{\"n\":1}\n\xff\xfe{]\n{\"n\":2}\n[[[[\n{\"n\":3}\n").unwrap();
    drop(client);
    world.fake.wait_rows(3);
    let fake = world.end();
    assert_eq!(fake.integers("a/b/c", "n"), [1, 2, 3]);
    assert_eq!(fake.counters.rejected_total.load(Ordering::Relaxed), 2);
}

#[test]
fn another_machine_gets_its_share_of_connections_and_no_more() {
    let seats = Seats::new(Arc::default());
    let other = "10.0.0.1".parse().unwrap();
    let mut taken: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| seats.take(other).unwrap()).collect();
    assert!(seats.take(other).is_none());
    taken.pop();
    assert!(seats.take(other).is_some());
    let local = "127.0.0.1".parse().unwrap();
    let free = CONNECTIONS_MAX - taken.len();
    taken.extend((0..free).map(|_| seats.take(local).unwrap()));
    assert!(seats.take(local).is_none());
    assert_eq!(seats.counters.refused_total.load(Ordering::Relaxed), 2);
    drop(taken);
    assert_eq!(seats.counters.connections_open.load(Ordering::Relaxed), 0);
    assert!(seats.open.lock().is_empty());
}

#[tokio::test]
async fn a_connection_without_a_whole_event_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"{\"n\":").unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let fake = Arc::new(Fake::default());
    let (_stop, stopped) = watch::channel(false);
    let mut outlet = fake::outlet("tcp", &fake, stopped);
    let feed = Feed::new(&spec(), &Default::default());
    let shared = Shared::new(Decoder::new(outlet.clone(), &feed));
    let mut connection = Connection::new(Transport::Plain(stream), shared);
    connection.idle = Duration::from_millis(30);
    let began = Instant::now();
    assert!(matches!(connection.read_all(&mut outlet).await, End::Idle));
    assert!(began.elapsed() >= Duration::from_millis(29), "{:?}", began.elapsed());
}

/// CPU time of the threads of this process that read, all tests together.
fn readers_cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_readers = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("tcp-"))
    });
    let cpu_ns = of_readers.filter_map(|task| {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()
    });
    cpu_ns.sum()
}

/// CPU time of decoding alone, of the same bytes in the same pieces.
fn decode_cpu_ns(world: &World, bytes: &[u8]) -> u64 {
    let own_cpu_ns = || -> u64 {
        let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
    };
    let fake = Arc::new(Fake::default());
    let outlet = fake::outlet("tcp", &fake, world.stop.subscribe());
    let mut decoder = Decoder::new(outlet, &Feed::new(&spec(), &Default::default()));
    let mut input = decoder.input();
    let before = own_cpu_ns();
    for piece in bytes.chunks(crate::source::decoder::READ_BYTES) {
        let copy = |buffer: &mut [u8]| {
            buffer.get_mut(..piece.len()).unwrap().copy_from_slice(piece);
            Ok(piece.len())
        };
        decoder.read(&mut input, copy).unwrap();
    }
    own_cpu_ns() - before
}

/// Cost of the path from socket to builder: prints only, a budget is checked by the benchmark of the whole program.
#[test]
fn a_flood_over_one_connection_arrives_whole() {
    const EVENTS: usize = 200_000;
    let mut lines = String::new();
    for n in 0..EVENTS {
        let pad = "x".repeat(60);
        lines.push_str(&format!(
            "{{\"time\":\"2026-11-21T23:05:{:02}Z\",\"n\":{n},\"host\":\"host-{}\",\"latency_ms\":{}.5,\"path\":\"/a/b/c\",\"pad\":\"{pad}\"}}\n",
            n / 10_000, n % 100, n % 977
        ));
    }
    let world = World::new();
    let mut client = world.connect();
    let began = std::time::Instant::now();
    client.write_all(lines.as_bytes()).unwrap();
    world.fake.wait_rows(EVENTS);
    let took = began.elapsed();
    let calls = world.fake.calls();
    let (bytes, events) = (lines.len() / EVENTS, EVENTS as u64);
    let (wall, cpu) = (took.as_nanos() as u64 / events, readers_cpu_ns() / events);
    println!(
        "{bytes} bytes each; ns each: {wall} wall, {cpu} CPU of the reading threads; {calls} hand-overs"
    );
    println!("without the socket: {} ns each", decode_cpu_ns(&world, lines.as_bytes()) / events);
    assert!(calls < EVENTS / 500, "{calls} hand-overs for {EVENTS} events");
    assert!(world.end().integers("a/b/c", "n").into_iter().eq(0..EVENTS as i64));
}
