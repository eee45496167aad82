//! Rows whose route is foretold by how they begin: each must still find its own table, in every format.

use super::*;

/// Router that can be told to answer otherwise.
struct Named(&'static str);

impl Router for Named {
    fn table(&self, parts: &[Option<&str>]) -> Result<Arc<str>, Refusal> {
        let parts: Vec<&str> = parts.iter().map(|part| part.unwrap_or("-")).collect();
        Ok(format!("{}:{}", self.0, parts.join("/")).into())
    }
}

/// One row: the parts of its route and its number.
type Line<'a> = (&'a str, Option<&'a str>, i64);

fn json(lines: &[Line<'_>]) -> Vec<u8> {
    let line = |(app, kind, value): &Line<'_>| match kind {
        Some(kind) => format!("{{\"app\":\"{app}\",\"type\":\"{kind}\",\"x\":{value}}}\n"),
        None => format!("{{\"app\":\"{app}\",\"x\":{value}}}\n"),
    };
    lines.iter().map(line).collect::<String>().into_bytes()
}

/// As JSON, and another route field where none is expected.
fn json_late(lines: &[Line<'_>]) -> Vec<u8> {
    let line = |(app, kind, value): &Line<'_>| match kind {
        Some(kind) => format!("{{\"app\":\"{app}\",\"x\":{value},\"type\":\"{kind}\"}}\n"),
        None => format!("{{\"app\":\"{app}\",\"x\":{value}}}\n"),
    };
    lines.iter().map(line).collect::<String>().into_bytes()
}

fn logfmt(lines: &[Line<'_>]) -> Vec<u8> {
    let line = |(app, kind, value): &Line<'_>| match kind {
        Some(kind) => format!("app={app} type=\"{kind}\" x={value}\n"),
        None => format!("app={app} x={value}\n"),
    };
    lines.iter().map(line).collect::<String>().into_bytes()
}

fn msgpack(lines: &[Line<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(0xa0 | text.len() as u8);
        bytes.extend(text.as_bytes());
    };
    for (app, kind, value) in lines {
        bytes.push(0x82 + u8::from(kind.is_some()));
        text(&mut bytes, "app");
        text(&mut bytes, app);
        if let Some(kind) = kind {
            text(&mut bytes, "type");
            text(&mut bytes, kind);
        }
        text(&mut bytes, "x");
        bytes.push(0xd3);
        bytes.extend(value.to_be_bytes());
    }
    bytes
}

/// What each table got, by name.
fn decode(
    decoder: &mut dyn Decoder,
    tables: &mut Tables,
    chunk: &[u8],
    router: &dyn Router,
) -> Vec<(String, Vec<i64>)> {
    let mut rejected = Vec::new();
    let input = Input { chunk, end: false, arrived_unix_ns: 0, router };
    assert_eq!((decoder.decode(input, tables, &mut rejected), rejected.len()), (chunk.len(), 0));
    let mut found: Vec<_> = tables
        .take_all()
        .iter()
        .map(|one| {
            (one.name.to_string(), one.columns.column(0).as_primitive::<Int64Type>().values().to_vec())
        })
        .collect();
    found.sort();
    found
}

/// Rows of ways to begin that take turns, come at random, begin like others, and leave out what others have.
fn lines(count: usize) -> Vec<Line<'static>> {
    const KINDS: [Option<&str>; 5] = [Some("a"), Some("ab"), Some("abc"), None, Some("b")];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let line = |number: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let turn = if number < count / 2 { number } else { random as usize >> 8 };
        (["p", "pq"][turn % 2], KINDS[turn / 2 % 5], number as i64)
    };
    (0..count).map(line).collect()
}

#[test]
fn rows_that_begin_alike_or_in_turn_find_their_own_tables() {
    let lines = lines(if cfg!(miri) { 200 } else { 3_000 });
    let mut expected: std::collections::BTreeMap<String, Vec<i64>> = Default::default();
    for (app, kind, value) in &lines {
        expected.entry(format!("one:{app}/{}", kind.unwrap_or("-"))).or_default().push(*value);
    }
    let expected: Vec<_> = expected.into_iter().collect();
    let ways: [(Box<dyn Decoder>, Vec<u8>); 7] = [
        (Box::new(json::Scanner::new()), json(&lines)),
        (Box::new(json::Scanner::portable()), json(&lines)),
        (Box::new(json::Scanner::new()), json_late(&lines)),
        (Box::new(msgpack::Decoder::new()), msgpack(&lines)),
        (Box::new(msgpack::Decoder::portable()), msgpack(&lines)),
        (Box::new(logfmt::Decoder::new()), logfmt(&lines)),
        (Box::new(logfmt::Decoder::portable()), logfmt(&lines)),
    ];
    for (mut decoder, text) in ways {
        let mut tables = tables(Limits::default());
        assert_eq!(decode(&mut *decoder, &mut tables, &text, &Named("one")), expected);
        tables.forget_routes();
        let found = decode(&mut *decoder, &mut tables, &text, &Named("two"));
        let names = found.iter().map(|(name, _)| name.replace("two:", "one:"));
        assert!(names.eq(expected.iter().map(|(name, _)| name.clone())));
        assert!(found.iter().map(|(_, values)| values).eq(expected.iter().map(|(_, values)| values)));
    }
}

#[test]
fn a_row_that_leaves_its_shape_behind_its_beginning_keeps_its_route() {
    let mut scanner = json::Scanner::new();
    let mut tables = tables(Limits::default());
    let usual = "{\"app\":\"p\",\"x\":1}\n".repeat(50);
    let text = format!("{usual}{{\"app\":\"p\",\"x\":2,\"type\":\"t\"}}\n{{\"app\":\"p\",\"y\":3}}\n{usual}");
    let mut rejected = Vec::new();
    let input = Input { chunk: text.as_bytes(), end: true, arrived_unix_ns: 0, router: &Named("r") };
    scanner.scan(input, &mut tables, &mut rejected);
    let found: Vec<_> = tables.take_all().iter().map(|one| (one.name.to_string(), one.time.len())).collect();
    assert_eq!(found, [("r:p/-".to_owned(), 101), ("r:p/t".to_owned(), 1)]);
}
