//! What a `[[source]]` says about its kind: which keys that kind has, and their values.

use std::net::SocketAddr;

use super::super::check::Check;
use super::super::measure;
use super::super::near::hint;
use super::super::raw::{self, At};
use super::{AtEnd, Begin, FileSpec, Framing, RECEIVE_BUFFER_BYTES, SourceKind, TlsSpec, is_path};

const KINDS: [&str; 8] = ["tcp", "udp", "http", "websocket", "file", "stdin", "host", "weir"];

/// Kinds that read bytes, and so have a codec.
const DECODE: &[&str] = &["tcp", "udp", "http", "websocket", "file", "stdin"];

/// What the kernel takes as a size of a buffer: an int, half of which is its own overhead.
const RECEIVE_BUFFER_BYTES_MAX: u64 = 1 << 30;
const RECEIVE_BUFFER_BYTES_MIN: u64 = 4 << 10;

pub fn kind(check: &Check<'_>, raw: &raw::Source) -> SourceKind {
    let word = raw.kind.value.as_str();
    if word.is_empty() {
        // Missing, and told so.
        return SourceKind::Http;
    }
    if !KINDS.contains(&word) {
        let message = format!("there is no kind of source `{word}`{}", hint(word, KINDS));
        check.problem(&raw.place, "kind", raw.kind.line, message);
        return SourceKind::Http;
    }
    foreign_keys(check, raw, word);
    match word {
        "tcp" => {
            let listen = listen(check, raw, "7171");
            SourceKind::Tcp { listen, framing: framing(check, raw), tls: tls(check, raw) }
        }
        "udp" => SourceKind::Udp {
            listen: listen(check, raw, "7172"),
            receive_buffer_bytes: receive_buffer(check, raw),
        },
        "websocket" => SourceKind::WebSocket,
        "stdin" => SourceKind::Stdin { at_end: at_end(check, raw) },
        "file" => SourceKind::File(file(check, raw)),
        "host" => SourceKind::Host,
        "weir" => SourceKind::Weir,
        _ => SourceKind::Http,
    }
}

/// Keys that only other kinds have.
fn foreign_keys(check: &Check<'_>, raw: &raw::Source, word: &str) {
    let line = |text: &Option<At<String>>| text.as_ref().map(|text| text.line);
    let paths = raw.paths.as_ref().map(|paths| paths.first().map_or(0, |path| path.line));
    let keys: [(&str, Option<u32>, &[&str]); 12] = [
        ("listen", line(&raw.listen), &["tcp", "udp"]),
        ("framing", line(&raw.framing), &["tcp"]),
        ("tls", raw.tls.as_ref().map(|tls| tls.place.line), &["tcp"]),
        ("receive_buffer", line(&raw.receive_buffer), &["udp"]),
        ("paths", paths, &["file"]),
        ("read", line(&raw.read), &["file"]),
        ("begin", line(&raw.begin), &["file"]),
        ("at_end", line(&raw.at_end), &["file", "stdin"]),
        ("dedup", raw.dedup.as_ref().map(|dedup| dedup.line), DECODE),
        ("idempotency", raw.idempotency.as_ref().map(|keys| keys.line), &["http"]),
        ("codec", line(&raw.codec), DECODE),
        ("config", raw.place.config_lines.first().map(|(_, line)| *line), DECODE),
    ];
    for (member, line, kinds) in keys {
        let Some(line) = line.filter(|_| !kinds.contains(&word)) else { continue };
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
        let message = format!("only a source of kind {} has it; leave it out", kinds.join(" or "));
        check.problem(&raw.place, member, line, message);
    }
}

fn listen(check: &Check<'_>, raw: &raw::Source, port: &str) -> SocketAddr {
    if raw.listen.is_none() {
        check.problem(&raw.place, "listen", 0, format!("is missing; add `listen = \"127.0.0.1:{port}\"`"));
    }
    let listen = raw.listen.as_ref().and_then(|listen| check.listen(&raw.place, listen));
    listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// One of a few words; the first is the default.
fn word<T: Copy>(
    check: &Check<'_>,
    raw: &raw::Source,
    member: &str,
    text: Option<&At<String>>,
    words: [(&str, T); 2],
) -> T {
    let [(_, default), _] = words;
    let Some(text) = text else { return default };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
        return *value;
    }
    let near = hint(&text.value, words.iter().map(|(word, _)| *word));
    check.problem(&raw.place, member, text.line, format!("`{}` is not known{near}", text.value));
    default
}

fn framing(check: &Check<'_>, raw: &raw::Source) -> Framing {
    let words = [("codec", Framing::Codec), ("length", Framing::Length)];
    word(check, raw, "framing", raw.framing.as_ref(), words)
}

fn at_end(check: &Check<'_>, raw: &raw::Source) -> AtEnd {
    word(check, raw, "at_end", raw.at_end.as_ref(), [("stay", AtEnd::Stay), ("stop", AtEnd::Stop)])
}

fn path(check: &Check<'_>, raw: &raw::Source, member: &str, text: &At<String>) {
    // An absent one was told already, and is in the line of its section.
    if !is_path(&text.value) && !text.value.is_empty() {
        check.problem(
            &raw.place,
            member,
            text.line,
            "is too long for a path, or has control characters; write another",
        );
    }
}

fn tls(check: &Check<'_>, raw: &raw::Source) -> Option<TlsSpec> {
    let tls = raw.tls.as_ref()?;
    path(check, raw, "tls.certificate", &tls.certificate);
    path(check, raw, "tls.key", &tls.key);
    Some(TlsSpec { certificate: tls.certificate.value.clone(), key: tls.key.value.clone() })
}

fn receive_buffer(check: &Check<'_>, raw: &raw::Source) -> u64 {
    let Some(text) = &raw.receive_buffer else { return RECEIVE_BUFFER_BYTES };
    let size = measure::size_bytes(&text.value).and_then(|size| {
        let fits = (RECEIVE_BUFFER_BYTES_MIN..=RECEIVE_BUFFER_BYTES_MAX).contains(&size);
        fits.then_some(size).ok_or_else(|| "must be from \"4KiB\" to \"1GiB\"".to_owned())
    });
    size.unwrap_or_else(|message| {
        check.problem(&raw.place, "receive_buffer", text.line, message);
        RECEIVE_BUFFER_BYTES
    })
}

fn file(check: &Check<'_>, raw: &raw::Source) -> FileSpec {
    let paths = raw.paths.clone().unwrap_or_default();
    if paths.is_empty() {
        let message = "names no file; add `paths = [\"/var/log/shop/*.ndjson\"]`";
        check.problem(&raw.place, "paths", 0, message);
    }
    for text in &paths {
        if text.value.is_empty() {
            check.problem(&raw.place, "paths", text.line, "is empty; write a path");
        }
        path(check, raw, "paths", text);
    }
    let whole = word(check, raw, "read", raw.read.as_ref(), [("tail", false), ("whole", true)]);
    let begin = word(check, raw, "begin", raw.begin.as_ref(), [("end", Begin::End), ("start", Begin::Start)]);
    let only = |member: &str, text: &Option<At<String>>, read: &str| {
        if let Some(text) = text {
            let message = format!("only with `read = \"{read}\"`; leave it out");
            check.problem(&raw.place, member, text.line, message);
        }
    };
    if whole {
        only("begin", &raw.begin, "tail");
    } else {
        only("at_end", &raw.at_end, "whole");
    }
    FileSpec {
        paths: paths.into_iter().map(|path| path.value).collect(),
        tail: (!whole).then_some(begin),
        at_end: at_end(check, raw),
    }
}
