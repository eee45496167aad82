//! Ways in and the terminal: sources as configured, `weir send`, `tail`, `top`, the manual.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use weir_tests::host::{TestHost, free_port, program};

use crate::start::COUNT;

fn weir(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program().unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A program that ends early leaves the rest unread.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn server(host: &TestHost) -> String {
    format!("http://127.0.0.1:{}", host.http)
}

#[test]
fn what_is_sent_is_accepted_and_what_is_no_event_is_told_with_its_line() {
    let host = TestHost::start(COUNT).unwrap();
    let lines: String =
        (0..50_000).map(|n| format!("{{\"key\":\"k\",\"x\":{n},\"pad\":\"{:060}\"}}\n", n)).collect();
    let sent = weir(&["send", "my/dev/event", "--server", &server(&host)], &lines);
    assert!(sent.status.success() && err(&sent).contains("50000 accepted, 0 rejected"), "{}", err(&sent));
    host.wait_unit("count/all", "rows_in_total", 50_000).unwrap();
    // In a later body, so that the line is that of the input and not of the body.
    let bad = format!("{lines}nonsense\n{{\"x\":1}}\n");
    let sent = weir(&["send", "my/dev/event", "--server", &server(&host)], &bad);
    assert_eq!(sent.status.code(), Some(1));
    let said = err(&sent);
    assert!(said.contains("line 50001: ") && said.contains("50001 accepted, 1 rejected"), "{said}");
}

#[test]
fn what_is_sent_over_tcp_is_taken_before_it_ends() {
    let host = TestHost::start(COUNT).unwrap();
    let lines = "{\"key\":\"k\",\"x\":1}\n".repeat(10_000);
    let sent = weir(&["send", "--tcp", &format!("127.0.0.1:{}", host.tcp)], &lines);
    assert!(sent.status.success(), "{}", err(&sent));
    host.wait_unit("count/all", "rows_in_total", 10_000).unwrap();
    let port = free_port().unwrap();
    let nobody = weir(&["send", "--tcp", &format!("127.0.0.1:{port}")], &lines);
    assert!(nobody.status.code() == Some(1) && err(&nobody).contains("no source"), "{}", err(&nobody));
}

#[test]
fn tail_shows_what_the_condition_lets_through_in_each_format() {
    let host = TestHost::start(COUNT).unwrap();
    let lines: String = (0..100).map(|n| format!("{{\"key\":\"k{}\",\"x\":{n}}}\n", n % 2)).collect();
    host.send(&lines).unwrap();
    host.wait("/api/streams", |seen| seen["streams"][0]["events_total"] == 100).unwrap();
    let tail = |more: &[&str]| {
        let server = server(&host);
        let all = [&["tail", "my/dev/event", "--server", &server, "--no-follow", "-n", "5"], more].concat();
        out(&weir(&all, ""))
    };
    let found = tail(&["--where", "x >= 90 and key == 'k1'", "--template", "{key}={x}"]);
    assert_eq!(found, "k1=91\nk1=93\nk1=95\nk1=97\nk1=99\n");
    let table = tail(&["--format", "table"]);
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert!(header == ["time", "key", "x"] && table.lines().count() == 6, "{table}");
    assert!(tail(&["--format", "logfmt"]).contains(" key=k1 x=99\n"));
    let json: Value = serde_json::from_str(tail(&[]).lines().last().unwrap()).unwrap();
    assert_eq!(json["fields"]["x"], 99);
}

#[test]
fn top_shows_units_and_sources_once_as_table_and_as_json() {
    let host = TestHost::start(COUNT).unwrap();
    host.send("{\"key\":\"k\",\"x\":1}\n").unwrap();
    host.wait_unit("count/all", "rows_in_total", 1).unwrap();
    let table = weir(&["top", "--once", "--server", &server(&host)], "");
    assert!(out(&table).contains("count/by_key") && out(&table).contains("NS/EVENT"), "{}", out(&table));
    let json = weir(&["top", "--once", "--json", "--sort", "name", "--server", &server(&host)], "");
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["units"][0]["unit"], "count/all", "{json}");
    assert_eq!(json["sources"][1]["kind"], "http", "{json}");
    let nobody =
        weir(&["top", "--once", "--server", &format!("http://127.0.0.1:{}", free_port().unwrap())], "");
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn completions_and_man_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = weir(&["completions", shell], "");
        assert!(script.status.success() && out(&script).contains("no-follow"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let made = weir(&["man", folder.path().to_str().unwrap()], "");
    assert!(made.status.success(), "{}", err(&made));
    for page in ["weir.1", "weir-run.1", "weir-tail.1", "weir-send.1", "weir-top.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH") && text.len() > 400, "{page}: {text}");
    }
}

/// Standard input, a file and UDP feed one program, which ends when the first two are read.
#[test]
fn standard_input_and_files_are_read_to_their_end_and_the_program_ends_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let lines: String = (0..1_000).map(|n| format!("{{\"x\":{n}}}\n")).collect();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:{}\"\n[[source]]\nname = \"in\"\nkind = \"stdin\"\nat_end = \"stop\"\ntriplet = \"my/dev/event\"\n\
         [[pipeline]]\nname = \"p\"\nfrom = [\"my/dev/event\"]\n[[pipeline.unit]]\nname = \"u\"\nuse = \"filter\"\nconfig = {{ keep = \"true\" }}\n",
        free_port().unwrap()
    );
    std::fs::write(path("weir.toml"), config).unwrap();
    let run = weir(&["run", "--config", &path("weir.toml"), "--data", &path("data")], &lines);
    assert!(run.status.success(), "{}", err(&run));
    assert!(err(&run).contains("all input was read"), "{}", err(&run));
}

#[test]
fn udp_and_files_are_counted_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.log");
    std::fs::write(&file, "{\"key\":\"old\",\"x\":1}\n").unwrap();
    let udp = free_port().unwrap();
    let config = format!(
        "{COUNT}\n[[source]]\nname = \"udp\"\nkind = \"udp\"\nlisten = \"127.0.0.1:{udp}\"\ntriplet = \"my/dev/event\"\nreceive_buffer = \"64KiB\"\n\
         [[source]]\nname = \"log\"\nkind = \"file\"\npaths = [\"{}\"]\nbegin = \"start\"\ntriplet = \"my/dev/event\"\n",
        file.display()
    );
    let host = TestHost::start(&config).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..100 {
        client.send_to(format!("{{\"key\":\"u\",\"x\":{n}}}\nno").as_bytes(), ("127.0.0.1", udp)).unwrap();
    }
    host.wait_unit("count/all", "rows_in_total", 101).unwrap();
    let sources = host.json("/api/sources").unwrap();
    let source = |name: &str| {
        sources["sources"].as_array().unwrap().iter().find(|source| source["name"] == name).unwrap().clone()
    };
    let udp = source("udp");
    assert_eq!((&udp["events_total"], &udp["rejected_total"]), (&100.into(), &100.into()), "{udp}");
    assert_eq!(
        (&udp["receive_buffer_bytes"], &udp["kernel_drops_total"]),
        (&65_536.into(), &0.into()),
        "{udp}"
    );
    assert_eq!(source("log")["events_total"], 1);
    assert!(host.get("/metrics").unwrap().text().contains("weir_source_kernel_drops_total{source=\"udp\""));
}

#[test]
fn check_tells_what_is_wrong_with_certificates_and_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let text = "[[source]]\nname = \"safe\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:7171\"\ntls = { certificate = \"/none/server.pem\", key = \"/none/server.key\" }\n";
    std::fs::write(&file, text).unwrap();
    let checked = weir(&["check", "--config", file.to_str().unwrap()], "");
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        err(&checked).contains("source \"safe\", tls") && err(&checked).contains("/none/server.pem"),
        "{}",
        err(&checked)
    );
}

/// A component of the examples or of those that misbehave.
fn component(name: &str) -> String {
    format!("{}/../plugins/target/components/{name}.wasm", env!("CARGO_MANIFEST_DIR"))
}

/// A frame of the format of `plugins/telemetry` with one channel.
fn frame(sender: u16) -> Vec<u8> {
    let mut bytes = vec![0xEB, 0x90, 0x20];
    bytes.extend(sender.to_be_bytes());
    bytes.extend([0x61, 0x05, 0, 0, 0, 0, 0x12, 0x30]);
    let crc = bytes.iter().fold(0xFFFF_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    bytes.extend(crc.to_be_bytes());
    bytes
}

/// Two sources with codecs that are components, beside that of `COUNT`.
fn with_codecs(udp: u16, faulty: u16) -> String {
    format!(
        "{COUNT}\n[[source]]\nname = \"beacon\"\nkind = \"udp\"\nlisten = \"127.0.0.1:{udp}\"\ntriplet = \"space/prod/beacon\"\n\
         codec = \"{}\"\nconfig = {{ channels = [\"volt\"], scale = 0.5 }}\n\
         [[source]]\nname = \"faulty\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:{faulty}\"\ntriplet = \"my/dev/length\"\ncodec = \"{}\"\n",
        component("examples/telemetry"),
        component("faults/faults-codec")
    )
}

fn source(host: &TestHost, name: &str) -> Value {
    let sources = host.json("/api/sources").unwrap();
    let mut all = sources["sources"].as_array().unwrap().iter();
    all.find(|source| source["name"] == name).unwrap().clone()
}

fn wait_source(host: &TestHost, name: &str, member: &str, count: u64) {
    let seen = |sources: &Value| {
        let mut all = sources["sources"].as_array().into_iter().flatten();
        all.any(|source| source["name"] == name && source[member] == count)
    };
    host.wait("/api/sources", seen).unwrap();
}

#[test]
fn a_codec_that_is_a_component_reads_what_a_source_gets_and_writes_what_tail_asks() {
    let [udp, faulty] = [free_port().unwrap(), free_port().unwrap()];
    let host = TestHost::start(&with_codecs(udp, faulty)).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(&[frame(1), frame(2)].concat(), ("127.0.0.1", udp)).unwrap();
    client.send_to(b"no frame", ("127.0.0.1", udp)).unwrap();
    client.send_to(&frame(3), ("127.0.0.1", udp)).unwrap();
    wait_source(&host, "beacon", "events_total", 3);
    wait_source(&host, "beacon", "rejected_total", 1);
    let tail = |more: &[&str]| {
        let server = server(&host);
        weir(&[&["tail", "space/prod/beacon", "--server", &server, "--no-follow"], more].concat(), "")
    };
    let lines = out(&tail(&["--template", "{sender} {volt} {time}"]));
    assert!(lines.starts_with("1 145.5 2026-01-01T00:00:00"), "{lines}");
    let telemetry = component("examples/telemetry");
    let config = "{\"channels\":[\"volt\"],\"scale\":0.5}";
    let written = tail(&["--codec", &telemetry, "--codec-config", config]);
    assert_eq!(written.stdout, [frame(1), frame(2), frame(3)].concat(), "{}", err(&written));
    let unwritable =
        tail(&["--codec", &telemetry, "--codec-config", "{\"channels\":[\"volt\"],\"scale\":0.001}"]);
    assert!(err(&unwritable).contains("3 events cannot be written: does_not_fit"), "{}", err(&unwritable));
    let wrong = tail(&["--codec", &telemetry, "--codec-config", "{\"scale\":0}"]);
    assert!(wrong.status.code() == Some(1) && err(&wrong).contains("/scale"), "{}", err(&wrong));
}

#[test]
fn a_codec_that_fails_costs_its_connection_and_nothing_else() {
    let [udp, faulty] = [free_port().unwrap(), free_port().unwrap()];
    let host = TestHost::start(&with_codecs(udp, faulty)).unwrap();
    for (faults, word) in (1..).zip(["codec-trap", "codec-spin", "codec-lie-offsets"]) {
        let mut client = TcpStream::connect(("127.0.0.1", faulty)).unwrap();
        client.write_all(word.as_bytes()).unwrap();
        // The connection is closed by the host; nobody could know where the next event begins.
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "{word}");
        wait_source(&host, "faulty", "codec_faults_total", faults);
    }
    host.send("{\"key\":\"k\",\"x\":1}\n").unwrap();
    host.wait_unit("count/all", "rows_in_total", 1).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", faulty)).unwrap();
    client.write_all(b"fine").unwrap();
    drop(client);
    wait_source(&host, "faulty", "events_total", 1);
    assert_eq!(source(&host, "faulty")["rejected_total"], 3);
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_source_codec_faults_total{source=\"faulty\""), "{metrics}");
    let rejected = host.json("/api/rejected?source=faulty").unwrap();
    assert!(rejected.to_string().contains("codec_fault"), "{rejected}");
}

#[test]
fn codecs_are_checked_with_the_configuration_and_against_their_laws() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (codec, said) in [
        ("codec = \"filter\"".to_owned(), "not a codec"),
        (
            format!("codec = \"{}\"\nconfig = {{ scale = 0 }}", component("examples/telemetry")),
            "config.scale",
        ),
        ("codec = \"no-such\"".to_owned(), "there is no component `no-such`"),
    ] {
        let text =
            format!("[[source]]\nname = \"odd\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:7171\"\n{codec}\n");
        std::fs::write(path("weir.toml"), text).unwrap();
        let checked = weir(&["check", "--config", &path("weir.toml")], "");
        assert_eq!(checked.status.code(), Some(1));
        assert!(
            err(&checked).contains("source \"odd\"") && err(&checked).contains(said),
            "{}",
            err(&checked)
        );
    }
    let sample = [frame(1), b"noise".to_vec(), frame(2)].concat();
    std::fs::write(path("sample"), sample).unwrap();
    let check = |codec: &str| weir(&["codec", "check", codec, "--sample", &path("sample")], "");
    let good = check(&component("examples/telemetry"));
    assert!(
        out(&good).contains("good: 2 rows, 1 rejected") && out(&good).contains("2 rows written"),
        "{}",
        err(&good)
    );
    assert!(check("json").status.success());
    std::fs::write(path("sample"), "fine codec-trap").unwrap();
    let bad = check(&component("faults/faults-codec"));
    assert!(bad.status.code() == Some(1) && err(&bad).contains("cut at byte"), "{} {}", out(&bad), err(&bad));
}
