//! What every source must do, whatever it reads from: the same tests for each of them.
//!
//! A [`World`] runs one source before a [`Fake`] and sends to it as a real client would, over loopback, a pipe or a file. To add a source, add a [`Way`] to it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use weir_core::config::{AtEnd, Begin, FileSpec, Framing, SourceKind, SourceSpec};

use super::fake::{self, Fake, wait_until};
use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Tcp,
    TcpLength,
    TcpTls,
    Udp,
    Http,
    WebSocket,
    Stdin,
    File,
}

type Client = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

/// What keeps a connection open until the test ends.
enum Held {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    WebSocket(Box<Client>),
}

struct World {
    way: Way,
    fake: Arc<Fake>,
    running: Running,
    stop: watch::Sender<bool>,
    /// Serves the routes of sources that have some.
    runtime: tokio::runtime::Runtime,
    server: Option<(SocketAddr, watch::Sender<bool>)>,
    certificate: tls::made::Made,
    folder: tempfile::TempDir,
    pipe: Option<File>,
    held: Vec<Held>,
}

fn spec(kind: SourceKind) -> SourceSpec {
    fake::spec("it", kind)
}

fn pipe() -> (OwnedFd, File) {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors to the array, which are nobody else's.
    let ends = unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        ends.map(|end| OwnedFd::from_raw_fd(end))
    };
    let [reading, writing] = ends;
    (reading, writing.into())
}

impl World {
    fn start(way: Way) -> Self {
        Self::start_with(way, Arc::new(Fake::default()))
    }

    fn start_with(way: Way, fake: Arc<Fake>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let folder = tempfile::tempdir().unwrap();
        let certificate = tls::made::made();
        let listen = "127.0.0.1:0".parse().unwrap();
        let tcp = |framing, tls| SourceKind::Tcp { listen, framing, tls };
        let paths = vec![folder.path().join("*.log").to_string_lossy().into_owned()];
        let kind = match way {
            Way::Tcp => tcp(Framing::Codec, None),
            Way::TcpLength => tcp(Framing::Length, None),
            Way::TcpTls => tcp(Framing::Codec, Some(certificate.spec.clone())),
            Way::Udp => SourceKind::Udp { listen, receive_buffer_bytes: 1 << 20 },
            Way::Http => SourceKind::Http,
            Way::WebSocket => SourceKind::WebSocket,
            Way::Stdin => SourceKind::Stdin { at_end: AtEnd::Stay },
            Way::File => SourceKind::File(FileSpec { paths, tail: Some(Begin::Start), at_end: AtEnd::Stay }),
        };
        let (running, pipe) = start_one(&spec(kind), fake.clone(), stopped);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = matches!(way, Way::Http | Way::WebSocket).then(|| serve(&runtime, &running));
        Self { way, fake, running, stop, runtime, server, certificate, folder, pipe, held: Vec::new() }
    }

    /// Sends these pieces as one connection or body, cut between them; to UDP each as a datagram.
    fn send(&mut self, pieces: &[&[u8]]) {
        match self.way {
            Way::Tcp => {
                let mut client = self.connect();
                pieces.iter().for_each(|piece| client.write_all(piece).unwrap());
                self.held.push(Held::Tcp(client));
            }
            Way::TcpLength => {
                let whole = pieces.concat();
                let cut = pieces.first().unwrap().len();
                let framed = [&(whole.len() as u32).to_be_bytes(), &*whole].concat();
                let mut client = self.connect();
                let (first, second) = framed.split_at(cut);
                client.write_all(first).unwrap();
                client.write_all(second).unwrap();
                self.held.push(Held::Tcp(client));
            }
            Way::TcpTls => self.send_tls(pieces),
            Way::Udp => {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                let address = self.running.address("it").unwrap();
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    client.send_to(piece, address).unwrap();
                }
            }
            Way::Http => {
                let answer = self.post(pieces);
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
            Way::WebSocket => self.send_websocket(pieces),
            Way::Stdin => {
                let pipe = self.pipe.as_mut().unwrap();
                pieces.iter().for_each(|piece| pipe.write_all(piece).unwrap());
            }
            Way::File => {
                let path = self.folder.path().join("it.log");
                let mut file = File::options().append(true).create(true).open(path).unwrap();
                pieces.iter().for_each(|piece| file.write_all(piece).unwrap());
            }
        }
    }

    fn connect(&self) -> TcpStream {
        let address = self.server.as_ref().map(|(address, _)| *address);
        let client = TcpStream::connect(address.or(self.running.address("it")).unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        client
    }

    fn send_tls(&mut self, pieces: &[&[u8]]) {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.certificate.certificate_pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut client = StreamOwned::new(client, self.connect());
        for piece in pieces {
            client.write_all(piece).unwrap();
            client.flush().unwrap();
        }
        self.held.push(Held::Tls(Box::new(client)));
    }

    fn post(&self, pieces: &[&[u8]]) -> String {
        let mut client = self.connect();
        let head = "POST /ingest/a/b/c HTTP/1.1\r\nhost: it\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            client.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
            client.write_all(piece).unwrap();
            client.write_all(b"\r\n").unwrap();
        }
        client.write_all(b"0\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    fn open_websocket(&self) -> Client {
        let stream = self.connect();
        stream.set_nonblocking(true).unwrap();
        self.runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let (client, _) = tokio_tungstenite::client_async("ws://it/ingest/a/b/c", stream).await.unwrap();
            client
        })
    }

    /// One message, in as many frames as there are pieces.
    fn send_websocket(&mut self, pieces: &[&[u8]]) {
        let mut client = self.open_websocket();
        self.runtime.block_on(async {
            for (index, piece) in pieces.iter().enumerate() {
                // Binary, since a text that is no UTF-8 ends the connection (RFC 6455, 8.1).
                let data = if index == 0 { Data::Binary } else { Data::Continue };
                let last = index + 1 == pieces.len();
                let frame = Frame::message(piece.to_vec(), OpCode::Data(data), last);
                client.send(Message::Frame(frame)).await.unwrap();
            }
        });
        self.held.push(Held::WebSocket(Box::new(client)));
    }

    /// Until the kernel at the other side has all of what was sent.
    fn wait_sent(&mut self) {
        for held in &mut self.held {
            let socket = match held {
                Held::Tcp(client) => client.as_raw_fd(),
                Held::Tls(client) => client.sock.as_raw_fd(),
                Held::WebSocket(client) => client.get_ref().as_raw_fd(),
            };
            let unsent = || {
                let mut bytes = 0;
                // SAFETY: TIOCOUTQ writes one int to where the third argument points.
                assert_eq!(unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut bytes) }, 0);
                bytes
            };
            wait_until("the other side's kernel has all", || unsent() == 0);
        }
    }

    fn end(mut self) -> Arc<Fake> {
        self.stop.send(true).unwrap();
        drop(self.pipe.take());
        if let Some((_, stop)) = self.server.take() {
            stop.send(true).unwrap();
        }
        self.running.join();
        self.held.clear();
        self.runtime.shutdown_background();
        self.fake
    }

    fn numbers(&self) -> Vec<i64> {
        let mut numbers = self.fake.integers("a/b/c", "n");
        numbers.sort_unstable();
        numbers
    }
}

/// As [`start`] does, but a source of kind stdin gets a pipe, whose other end is returned.
fn start_one(spec: &SourceSpec, fake: Arc<Fake>, stop: watch::Receiver<bool>) -> (Running, Option<File>) {
    let SourceKind::Stdin { at_end } = spec.kind else {
        return (start(std::slice::from_ref(spec), &Codecs::default(), fake, stop).unwrap(), None);
    };
    let mut running = start(&[], &Codecs::default(), fake.clone(), stop.clone()).unwrap();
    let outlet = Outlet { rejected: running.rejected.clone(), ..fake::outlet("it", &fake, stop) };
    running.wants_stop = outlet.wants_stop.subscribe();
    let (reading, writing) = pipe();
    running.start_one(spec, &Codecs::default(), Bound::Stdin(reading, at_end), &outlet).unwrap();
    (running, Some(writing))
}

fn serve(runtime: &tokio::runtime::Runtime, running: &Running) -> (SocketAddr, watch::Sender<bool>) {
    let (stop, mut stopped) = watch::channel(false);
    let router = running.ingest.clone();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        tokio::select! {
            _ = axum::serve(listener, router).into_future() => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    });
    (address, stop)
}

fn lines(first: i64) -> Vec<u8> {
    let text = format!(
        "{{\"n\":{first},\"s\":\"x\\ny\"}}\n{{\"n\":{},\"o\":{{\"p\":[1,2]}}}}\nnonsense\n{{\"n\":{},\"s\":\"ä\"}}\n",
        first + 1,
        first + 2
    );
    text.into_bytes()
}

/// Cut anywhere on its way, the same events come out, and what is no event costs only itself.
fn cuts(way: Way) {
    let mut world = World::start(way);
    let length = lines(1_000).len();
    let mut expected = Vec::new();
    let mut rejected = 0;
    for cut in (1..length).step_by(3) {
        let first = 1_000 + cut as i64 * 10;
        let bytes = lines(first);
        // A datagram is never joined with the next one: it is cut between lines.
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        let cut = if way == Way::Udp { ends[cut % 3] } else { cut };
        let (one, other) = bytes.split_at(cut);
        world.send(&[one, other]);
        expected.extend([first, first + 1, first + 2]);
        rejected += 1;
    }
    world.fake.wait_rows(expected.len());
    let counters = world.fake.counters.clone();
    wait_until("all bad rows", || counters.rejected_total.load(Ordering::Relaxed) == rejected);
    assert_eq!(world.numbers(), expected);
    assert_eq!(counters.events_total.load(Ordering::Relaxed), expected.len() as u64);
    world.end();
}

/// A bad row is counted and kept with its beginning.
fn bad_rows(way: Way) {
    let mut world = World::start(way);
    world.send(&[b"{\"n\":1}\nnonsense\n{\"n\":2}\n\xff\xfe\n{\"n\":3}\n"]);
    world.fake.wait_rows(3);
    let counters = world.fake.counters.clone();
    wait_until("two bad rows", || counters.rejected_total.load(Ordering::Relaxed) == 2);
    let rejected = world.running.rejected.newest(Some("it"), None, 9);
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert!(
        rejected.iter().any(|row| row.first_bytes.starts_with("nonsense") && row.line == 2),
        "{rejected:?}"
    );
    assert!(counters.bytes_total.load(Ordering::Relaxed) >= 36);
    assert_eq!(world.numbers(), [1, 2, 3]);
    world.end();
}

/// While a flow lags nothing is taken, and nothing is lost.
fn back_pressure(way: Way) {
    let fake = Arc::new(Fake::default());
    fake.busy.store(true, Ordering::SeqCst);
    let mut world = World::start_with(way, fake.clone());
    if way == Way::Http {
        let answer = world.post(&[b"{\"n\":1}"]);
        assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after"), "{answer}");
    } else {
        world.send(&[b"{\"n\":1}\n"]);
    }
    wait_until("it waits", || fake.counters.waits_total.load(Ordering::Relaxed) > 0);
    assert_eq!(fake.rows(), 0);
    fake.busy.store(false, Ordering::SeqCst);
    if way == Way::Http {
        world.send(&[b"{\"n\":1}"]);
    }
    fake.wait_rows(1);
    assert_eq!(world.end().integers("a/b/c", "n"), [1]);
}

/// What was sent before the stop signal is taken, and the source ends although connections stay open.
fn drain(way: Way) {
    let mut world = World::start(way);
    world.send(&[b"{\"n\":0}\n"]);
    world.fake.wait_rows(1);
    let text: String = (1..1_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    world.send(&[text.as_bytes()]);
    world.wait_sent();
    // A connection that is not accepted yet is nobody's: it must be open before the signal.
    let counters = world.fake.counters.clone();
    if matches!(way, Way::Tcp | Way::TcpLength | Way::TcpTls | Way::WebSocket) {
        wait_until("both are open", || counters.connections_total.load(Ordering::Relaxed) == 2);
    }
    let mut numbers = world.end().integers("a/b/c", "n");
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..1_000));
}

/// An event over a limit of the codec is rejected; the next one is taken.
fn limits(way: Way) {
    let mut world = World::start(way);
    let deep = format!("{{\"d\":{}1{}}}\n{{\"n\":1}}\n", "[".repeat(100), "]".repeat(100));
    world.send(&[deep.as_bytes()]);
    let mut expected = 1;
    if way != Way::Udp && way != Way::TcpLength {
        let long = format!("{{\"s\":\"{}\"}}\n{{\"n\":2}}\n", "x".repeat(300 << 10));
        world.send(&[long.as_bytes()]);
        expected = 2;
    }
    world.fake.wait_rows(expected);
    let counters = world.fake.counters.clone();
    wait_until("they are rejected", || counters.rejected_total.load(Ordering::Relaxed) == expected as u64);
    assert_eq!(world.numbers(), (1..=expected as i64).collect::<Vec<_>>());
    world.end();
}

/// A source that waits for room ends at the stop signal.
fn stop_while_waiting(way: Way) {
    let fake = Arc::new(Fake::default());
    fake.busy.store(true, Ordering::SeqCst);
    let mut world = World::start_with(way, fake.clone());
    if way != Way::Http {
        world.send(&[b"{\"n\":1}\n"]);
        wait_until("it waits", || fake.counters.waits_total.load(Ordering::Relaxed) > 0);
    }
    assert_eq!(world.end().rows(), 0);
}

macro_rules! contract {
    ($($name:ident: $way:ident),+ $(,)?) => {$(
        mod $name {
            use super::Way;

            #[test]
            fn cut_anywhere_the_same_events_come() {
                super::cuts(Way::$way);
            }

            #[test]
            fn bad_rows_are_counted_and_kept() {
                super::bad_rows(Way::$way);
            }

            #[test]
            fn nothing_is_taken_while_a_flow_lags() {
                super::back_pressure(Way::$way);
            }

            #[test]
            fn what_was_sent_before_the_stop_is_taken() {
                super::drain(Way::$way);
            }

            #[test]
            fn an_event_over_a_limit_costs_only_itself() {
                super::limits(Way::$way);
            }

            #[test]
            fn it_ends_while_it_waits() {
                super::stop_while_waiting(Way::$way);
            }
        }
    )+};
}

contract! {
    tcp: Tcp,
    tcp_length: TcpLength,
    tcp_tls: TcpTls,
    udp: Udp,
    http: Http,
    websocket: WebSocket,
    stdin: Stdin,
    file: File,
}

#[test]
fn a_length_that_cannot_be_one_ends_the_connection_and_says_so() {
    let mut world = World::start(Way::TcpLength);
    let mut client = world.connect();
    client.write_all(&[&7_u32.to_be_bytes()[..], b"{\"n\":1}", b"{\"n\":2}\n"].concat()).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
    world.fake.wait_rows(1);
    let rejected = world.running.rejected.newest(None, None, 9);
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert!(
        rejected[0].code == "frame_too_long" && rejected[0].message.contains("u32 big endian"),
        "{rejected:?}"
    );
    assert_eq!(rejected[0].offset_bytes, 11);
    world.send(&[b"{\"n\":3}"]);
    world.fake.wait_rows(2);
    assert_eq!(world.end().integers("a/b/c", "n"), [1, 3]);
}

#[test]
fn who_speaks_no_tls_is_refused_and_counted() {
    let mut world = World::start(Way::TcpTls);
    let mut client = world.connect();
    client.write_all(b"{\"n\":1}\n").unwrap();
    let mut answer = Vec::new();
    drop(client.read_to_end(&mut answer));
    wait_until("refused", || world.fake.counters.refused_total.load(Ordering::Relaxed) == 1);
    world.send(&[b"{\"n\":2}\n"]);
    world.fake.wait_rows(1);
    assert_eq!(world.end().integers("a/b/c", "n"), [2]);
}

#[test]
fn a_websocket_is_told_what_became_of_its_messages() {
    let world = World::start(Way::WebSocket);
    let mut client = world.open_websocket();
    let told = |client: &mut Client, messages: u64| {
        world.runtime.block_on(async {
            loop {
                let text = client.next().await.unwrap().unwrap().into_text().unwrap();
                let told: serde_json::Value = serde_json::from_str(&text).unwrap();
                if told["messages_total"] == messages {
                    return told;
                }
            }
        })
    };
    world.runtime.block_on(client.send(Message::text("{\"n\":1}\nno\n"))).unwrap();
    let first = told(&mut client, 1);
    assert_eq!((&first["accepted_total"], &first["rejected_total"]), (&1.into(), &1.into()), "{first}");
    assert_eq!(first["reasons"][0]["line"], 2, "{first}");
    world.runtime.block_on(async {
        for n in 0..500 {
            client.feed(Message::binary(format!("{{\"n\":{n}}}"))).await.unwrap();
        }
        client.flush().await.unwrap();
    });
    let last = told(&mut client, 501);
    assert_eq!(last["accepted_total"], 501, "{last}");
    // What was told is in the log.
    assert_eq!(world.fake.rows(), 501);
    assert!(world.fake.integers("a/b/c", "n").into_iter().skip(1).eq(0..500));
    world.end();
}

#[test]
fn a_message_that_is_too_long_ends_the_websocket_and_no_other() {
    let mut world = World::start(Way::WebSocket);
    let mut client = world.open_websocket();
    let long = vec![b' '; crate::source::websocket::MESSAGE_BYTES_MAX + 1];
    world.runtime.block_on(async {
        drop(client.send(Message::binary(long)).await);
        while client.next().await.is_some_and(|message| message.is_ok()) {}
    });
    wait_until("closed", || world.fake.counters.connections_open.load(Ordering::Relaxed) == 0);
    world.send(&[b"{\"n\":1}"]);
    world.fake.wait_rows(1);
    world.end();
}

#[test]
fn what_the_kernel_drops_of_udp_is_counted() {
    let fake = Arc::new(Fake::default());
    fake.busy.store(true, Ordering::SeqCst);
    let world = World::start_with(Way::Udp, fake.clone());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let datagram = [b"{\"n\":1,\"s\":\"", &[b'x'; 8_000][..], b"\"}"].concat();
    for _ in 0..2_000 {
        client.send_to(&datagram, world.running.address("it").unwrap()).unwrap();
    }
    fake.busy.store(false, Ordering::SeqCst);
    let counters = &fake.counters;
    let all = || counters.kernel_drops_total.load(Ordering::Relaxed) + fake.rows() as u64 == 2_000;
    wait_until("all are taken or counted as dropped", all);
    assert!(counters.kernel_drops_total.load(Ordering::Relaxed) > 0);
    assert!(counters.receive_buffer_bytes.load(Ordering::Relaxed) > 0);
    world.end();
}

#[test]
fn the_end_of_standard_input_takes_the_last_event_and_may_end_the_program() {
    let (stop, stopped) = watch::channel(false);
    for (at_end, ends) in [(AtEnd::Stay, false), (AtEnd::Stop, true)] {
        let fake = Arc::new(Fake::default());
        let (running, pipe) = start_one(&spec(SourceKind::Stdin { at_end }), fake.clone(), stopped.clone());
        pipe.unwrap().write_all(b"{\"n\":1}\n{\"n\":2}").unwrap();
        fake.wait_rows(2);
        if ends {
            wait_until("it asks for the end", || *running.wants_stop.borrow());
        }
        assert_eq!(*running.wants_stop.borrow(), ends);
        running.join();
    }
    drop(stop);
}
