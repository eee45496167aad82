//! Sections of sources: what each kind may say.

use super::*;
use crate::config::Topology;

fn source(rest: &str) -> String {
    format!("[[source]]\nname = \"a\"\n{rest}")
}

fn parsed(rest: &str) -> SourceSpec {
    let topology = Topology::parse(&source(rest)).unwrap_or_else(|problems| panic!("{problems:?}"));
    topology.sources.into_iter().next().unwrap()
}

/// Each of `expected` stands in one problem, and there are no others.
fn check(rest: &str, expected: &[&str]) {
    let problems = Topology::parse(&source(rest)).map(|_| ()).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (problem, words) in told.iter().zip(expected) {
        assert!(problem.contains(words), "`{words}` is not in {problem}");
    }
}

#[test]
fn each_kind_has_its_defaults() {
    let listen = "listen = \"127.0.0.1:7172\"\n";
    let address = "127.0.0.1:7172".parse().unwrap();
    let tcp = SourceKind::Tcp { listen: address, framing: Framing::Codec, tls: None };
    assert_eq!(parsed(&format!("kind = \"tcp\"\n{listen}")).kind, tcp);
    let udp = SourceKind::Udp { listen: address, receive_buffer_bytes: RECEIVE_BUFFER_BYTES };
    assert_eq!(parsed(&format!("kind = \"udp\"\n{listen}")).kind, udp);
    assert_eq!(parsed("kind = \"stdin\"\n").kind, SourceKind::Stdin { at_end: AtEnd::Stay });
    let tail = FileSpec { paths: vec!["/x/*".into()], tail: Some(Begin::End), at_end: AtEnd::Stay };
    assert_eq!(parsed("kind = \"file\"\npaths = [\"/x/*\"]\n").kind, SourceKind::File(tail));
    assert_eq!(parsed("kind = \"websocket\"\n").kind, SourceKind::WebSocket);
    assert_eq!(parsed("kind = \"http\"\n").codec, CodecSpec::default());
}

#[test]
fn all_that_a_kind_may_say_is_read() {
    let text = "kind = \"tcp\"\nlisten = \"127.0.0.1:7172\"\nframing = \"length\"\ncodec = \"telemetry\"\n\
        config = { strict = true }\ntls = { certificate = \"c.pem\", key = \"k.pem\" }\n";
    let spec = parsed(text);
    let tls = TlsSpec { certificate: "c.pem".into(), key: "k.pem".into() };
    assert!(
        matches!(&spec.kind, SourceKind::Tcp { framing: Framing::Length, tls: Some(found), .. } if *found == tls)
    );
    assert_eq!((spec.codec.uses.as_str(), spec.codec.is_built_in()), ("telemetry", false));
    assert_eq!(spec.codec.config, serde_json::json!({ "strict": true }));
    let whole = parsed("kind = \"file\"\npaths = [\"x\"]\nread = \"whole\"\nat_end = \"stop\"\n").kind;
    assert!(matches!(whole, SourceKind::File(FileSpec { tail: None, at_end: AtEnd::Stop, .. })));
}

#[test]
fn keys_of_other_kinds_are_refused_by_name() {
    check(
        "kind = \"udp\"\nlisten = \"127.0.0.1:1\"\nframing = \"length\"\n",
        &["framing (line 5): only a source of kind \"tcp\""],
    );
    check("kind = \"http\"\npaths = [\"x\"]\nat_end = \"stop\"\n", &["paths (line 4)", "at_end (line 5)"]);
    check(
        "kind = \"host\"\ncodec = \"json\"\n",
        &["codec (line 4): only a source of kind \"tcp\" or \"udp\""],
    );
    check(
        "kind = \"file\"\npaths = [\"x\"]\nread = \"whole\"\nbegin = \"start\"\n",
        &["begin (line 6): only with `read = \"tail\"`"],
    );
    check(
        "kind = \"file\"\npaths = [\"x\"]\nat_end = \"stop\"\n",
        &["at_end (line 5): only with `read = \"whole\"`"],
    );
}

#[test]
fn wrong_values_name_what_would_be_right() {
    check("kind = \"upd\"\n", &["did you mean `udp`?"]);
    check("kind = \"udp\"\n", &["is missing; add `listen = \"127.0.0.1:7172\"`"]);
    check(
        "kind = \"udp\"\nlisten = \"127.0.0.1:1\"\nreceive_buffer = \"1B\"\n",
        &["from \"4KiB\" to \"1GiB\""],
    );
    check("kind = \"file\"\n", &["names no file"]);
    check("kind = \"stdin\"\nat_end = \"stpo\"\n", &["did you mean `stop`?"]);
    check("kind = \"stdin\"\ncodec = \"no such\"\n", &["neither the name of a codec nor a path"]);
    check("kind = \"stdin\"\nconfig = { a = 1 }\n", &["the codec `json` has nothing to configure"]);
    check(
        "kind = \"tcp\"\nlisten = \"127.0.0.1:1\"\ntls = { key = \"k\" }\n",
        &["certificate (line 5): is missing"],
    );
}

#[test]
fn udp_and_tcp_share_a_port_and_two_of_one_do_not() {
    let of = |name: &str, kind: &str| {
        format!("[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\nlisten = \"127.0.0.1:7171\"\n")
    };
    assert!(Topology::parse(&[of("t", "tcp"), of("u", "udp")].concat()).is_ok());
    let problems = Topology::parse(&[of("u", "udp"), of("v", "udp")].concat()).unwrap_err();
    assert!(problems[0].message.contains("taken by source \"u\""), "{problems:?}");
    let files = "[[source]]\nname = \"b\"\nkind = \"file\"\npaths = [\"x\"]\n";
    let both = format!("{}{files}", source("kind = \"file\"\npaths = [\"x\"]\n"));
    assert!(Topology::parse(&both).is_ok());
}
