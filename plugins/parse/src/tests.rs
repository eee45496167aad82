//! The parse over a host in memory.

use serde_json::{Value, json};
use weir_sdk::expr::{Kind, Values as Computed, cast};
use weir_sdk::testing::{Bench, batch, kept, plan};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Forward, Output};

use super::{OUT, Parse, UNPARSED};

fn input(texts: &[&str], coded: bool) -> Batch {
    let times = vec![1; texts.len()];
    let column = if coded { Column::of_categories("line", texts) } else { Column::of_texts("line", texts) };
    batch(&times, &[], vec![column])
}

/// The new columns by row, as texts.
fn rows_of(forward: &Forward, rows: usize) -> Vec<Value> {
    let made = batch(&vec![0; rows], &[], forward.set.clone());
    let mut out = vec![json!({}); rows];
    for column in &forward.set {
        let computed = cast(&column.name, Kind::Text).eval(&made.expr_columns());
        let texts = Column::of_expr("t", computed, rows);
        for (row, out) in out.iter_mut().enumerate() {
            if texts.is_there(row) {
                let text = match &texts.values {
                    weir_sdk::Values::Texts(texts) => weir_sdk::column::PackedExt::text_at(texts, row),
                    weir_sdk::Values::Categories(names) => {
                        let code = weir_sdk::column::U32s::new(&names.codes).get(row) as usize;
                        weir_sdk::column::PackedExt::text_at(&names.names, code)
                    }
                    _ => panic!("no text"),
                };
                out[column.name.as_str()] = json!(text);
            }
        }
    }
    out
}

/// One text, whole configuration beside the column; the parts, or null where it is unparsed.
fn check(config: Value, cases: &[(&str, Value)]) {
    let mut config = config;
    config["column"] = json!("line");
    let texts: Vec<&str> = cases.iter().map(|case| case.0).collect();
    for coded in [false, true] {
        let mut bench = Bench::<Parse>::open(&config.to_string()).unwrap();
        let outputs = bench.process(input(&texts, coded)).unwrap();
        let good = kept(&outputs, OUT, texts.len()).unwrap_or_default();
        let bad = kept(&outputs, UNPARSED, texts.len()).unwrap_or_default();
        let forward = outputs.iter().find_map(|output| match output {
            Output::Forward(forward) if forward.port == OUT => Some(forward),
            _ => None,
        });
        let rows = forward.map(|forward| rows_of(forward, texts.len())).unwrap_or_default();
        for (row, (text, wanted)) in cases.iter().enumerate() {
            let got = if good.contains(&(row as u32)) { rows[row].clone() } else { Value::Null };
            assert_eq!(got, *wanted, "{text:?}, coded: {coded}");
            assert_eq!(bad.contains(&(row as u32)), wanted.is_null());
        }
    }
}

#[test]
fn json_gives_its_members_by_their_way() {
    let fields = json!({ "level": "text", "user.id": "u64", "a.b.c": "f64", "ok": "bool", "list": "text" });
    check(
        json!({ "as": "json", "fields": fields }),
        &[
            (
                r#"{"level":"info","user":{"id":18446744073709551615},"a.b":{"c":1.5},"ok":true,"list":[1,2]}"#,
                json!({ "level": "info", "user.id": "18446744073709551615", "a.b.c": "1.5", "ok": "true", "list": "[1,2]" }),
            ),
            (r#"{"level":null,"user":{"id":"12"},"ok":"maybe"}"#, json!({ "user.id": "12" })),
            ("{}", json!({})),
            ("[1]", Value::Null),
            ("{\"level\":", Value::Null),
            ("", Value::Null),
        ],
    );
}

#[test]
fn pairs_may_be_quoted_and_the_last_of_a_key_counts() {
    let fields = json!({ "level": "text", "msg": "text", "took": "f64" });
    check(
        json!({ "as": "key_value", "fields": fields }),
        &[
            (
                r#"level=info msg="all \"is\" well" took=2.5"#,
                json!({ "level": "info", "msg": "all \"is\" well", "took": "2.5" }),
            ),
            ("now level=a  level=b took=x", json!({ "level": "b" })),
            (r#"msg="cut off"#, json!({ "msg": "cut off" })),
            ("msg= level=é", json!({ "msg": "", "level": "é" })),
            ("other=1", json!({})),
            ("no pairs here", Value::Null),
        ],
    );
    check(
        json!({ "as": "key_value", "fields": { "a": "s64", "b": "text" }, "between": ";", "sign": ":" }),
        &[("a: 1; b:x=y ", json!({ "a": "1", "b": "x=y" }))],
    );
}

#[test]
fn named_groups_become_columns() {
    check(
        json!({ "as": "regex", "pattern": r"^(?P<method>[A-Z]+) (?P<path>\S+)(?: (?P<status>\d{3}))?", "fields": { "status": "u64" } }),
        &[
            ("GET /a?b 200 x", json!({ "method": "GET", "path": "/a?b", "status": "200" })),
            ("PUT /ü", json!({ "method": "PUT", "path": "/ü" })),
            ("get /a", Value::Null),
        ],
    );
}

#[test]
fn urls_are_taken_apart_whole_or_from_the_path_on() {
    check(
        json!({ "as": "url", "fields": { "scheme": "text", "host": "text", "port": "u64", "path": "text", "query.q": "text", "fragment": "text" } }),
        &[
            (
                "HTTPS://me:secret@Shop.Example:8443/a%20b/?x=1&q=a+b%2Bc&q=2#top",
                json!({ "scheme": "https", "host": "shop.example", "port": "8443", "path": "/a%20b/", "query.q": "a b+c", "fragment": "top" }),
            ),
            ("http://[2001:db8::1]:80", json!({ "scheme": "http", "host": "[2001:db8::1]", "port": "80" })),
            ("/items/7?q=", json!({ "path": "/items/7", "query.q": "" })),
            ("//host/p", json!({ "host": "host", "path": "/p" })),
            ("mailto:a@b", json!({ "scheme": "mailto", "path": "a@b" })),
            ("http://host:99999/", Value::Null),
            ("two words", Value::Null),
            ("", Value::Null),
        ],
    );
}

#[test]
fn agents_say_what_they_are() {
    let fields = json!({ "browser": "text", "browser_version": "text", "system": "text", "system_version": "text", "device": "text", "bot": "bool" });
    let agent = |parts: [&str; 6]| {
        let names = ["browser", "browser_version", "system", "system_version", "device", "bot"];
        let there = names.iter().zip(parts).filter(|(_, part)| !part.is_empty());
        Value::from_iter(there.map(|(name, part)| ((*name).to_owned(), json!(part))))
    };
    check(
        json!({ "as": "user_agent", "fields": fields }),
        &[
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
                agent(["Chrome", "120.0.0.0", "Windows", "10.0", "desktop", "false"]),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91",
                agent(["Edge", "120.0.2210.91", "Windows", "10.0", "desktop", "false"]),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
                agent(["Safari", "17.1", "iOS", "17.1.2", "phone", "false"]),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
                agent(["Safari", "17.1", "macOS", "10.15.7", "desktop", "false"]),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
                agent(["Firefox", "120.0", "Linux", "", "desktop", "false"]),
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.43 Mobile Safari/537.36",
                agent(["Chrome", "120.0.6099.43", "Android", "14", "phone", "false"]),
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                agent(["Googlebot", "2.1", "", "", "bot", "true"]),
            ),
            ("curl/8.5.0", agent(["curl", "8.5.0", "", "", "tool", "false"])),
            ("something else", agent(["", "", "", "", "other", "false"])),
            (" ", Value::Null),
        ],
    );
}

#[test]
fn new_columns_have_their_prefix_and_replace_what_had_their_name() {
    let config = r#"{"column": "line", "as": "url", "prefix": "url.", "fields": {"host": "text", "port": "u64"}, "keep": false}"#;
    let outputs = Bench::<Parse>::open(config).unwrap().process(input(&["http://a/"], true)).unwrap();
    let Some(Output::Forward(forward)) = outputs.first() else { panic!("no forward") };
    assert_eq!(forward.set.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["url.host"]);
    assert_eq!(forward.omit, ["url.port", "line"]);
}

#[test]
fn a_column_that_is_no_text_leaves_all_rows_unparsed() {
    let config = r#"{"column": "line", "as": "user_agent"}"#;
    for columns in [vec![], vec![Column::of_s64s("line", &[1, 2])]] {
        let outputs = Bench::<Parse>::open(config).unwrap().process(batch(&[1, 2], &[], columns)).unwrap();
        assert_eq!(kept(&outputs, UNPARSED, 2).unwrap(), [0, 1]);
    }
}

#[test]
fn rows_come_out_the_same_however_they_are_cut() {
    let config = r#"{"column": "line", "as": "key_value", "fields": {"a": "f64", "b": "text"}}"#;
    let texts = ["a=1 b=x", "b=y", "a=2", "none", "a=z"];
    let run =
        |cut: usize| {
            let mut bench = Bench::<Parse>::open(config).unwrap();
            let mut out = Vec::new();
            for piece in texts.chunks(cut) {
                let outputs = bench.process(input(piece, true)).unwrap();
                for output in &outputs {
                    let Output::Forward(forward) = output else { continue };
                    let rows = rows_of(forward, piece.len());
                    let kept = kept(&outputs, forward.port, piece.len()).unwrap();
                    out.extend(kept.iter().map(|row| {
                        format!("{} {} {}", piece[*row as usize], forward.port, rows[*row as usize])
                    }));
                }
            }
            out.sort();
            out
        };
    assert_eq!(run(1), run(5));
    assert_eq!(run(2), run(5));
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, path) in [
        (json!({ "column": "time", "as": "json", "fields": { "a": "text" } }), "/column"),
        (json!({ "column": "a", "as": "json" }), "/fields"),
        (json!({ "column": "a", "as": "json", "fields": { "x/y": "int" } }), "/fields/x~1y"),
        (json!({ "column": "a", "as": "json", "fields": { "time": "text" } }), "/fields/time"),
        (json!({ "column": "a", "as": "regex" }), "/pattern"),
        (json!({ "column": "a", "as": "regex", "pattern": "(" }), "/pattern"),
        (json!({ "column": "a", "as": "regex", "pattern": "a+" }), "/pattern"),
        (
            json!({ "column": "a", "as": "regex", "pattern": "(?P<b>a)", "fields": { "c": "text" } }),
            "/fields/c",
        ),
        (json!({ "column": "a", "as": "url", "pattern": "(?P<b>a)" }), "/pattern"),
        (json!({ "column": "a", "as": "url", "fields": { "user": "text" } }), "/fields/user"),
        (json!({ "column": "a", "as": "key_value", "fields": { "b": "text" }, "sign": "==" }), "/sign"),
    ] {
        let complaints = plan::<Parse>(&config.to_string()).err().unwrap_or_else(|| panic!("{config}"));
        assert_eq!(complaints[0].path, path, "{config}: {complaints:?}");
    }
    let complaints =
        plan::<Parse>(r#"{"column": "a", "as": "regex", "pattern": "(?P<b>a{1000}){1000}"}"#).err().unwrap();
    assert!(complaints[0].message.contains("size"), "{complaints:?}");
}

#[test]
fn values_are_of_the_kinds_that_were_asked_for() {
    let config = r#"{"column": "line", "as": "key_value", "fields": {"n": "u64", "at": "timestamp"}}"#;
    let outputs = Bench::<Parse>::open(config)
        .unwrap()
        .process(input(&["n=7 at=2026-01-01T00:00:00Z"], false))
        .unwrap();
    let Some(Output::Forward(forward)) = outputs.first() else { panic!("no forward") };
    let made = batch(&[0], &[], forward.set.clone());
    let computed = cast("at", Kind::Timestamp).eval(&made.expr_columns());
    assert!(matches!(computed.values, Computed::Timestamps(times) if times == [1_767_225_600_000_000_000]));
    assert!(matches!(made.column("n").unwrap().values, weir_sdk::Values::U64s(_)));
}
