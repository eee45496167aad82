//! Inputs of JSON events: lines as senders write them, generated documents, and both with damage.
//!
//! Out: the bytes of one input, one to four events on lines, one after another or in an array. Names come from a bounded list, so that a decoder that lives long
//! meets each of them again with other types, in other orders and at other depths; damage makes some new ones.

use crate::damage::damage;
use crate::random::Random;

const LINES: [&str; 12] = [
    r#"{"application":"shop","environment":"prod","type":"request","host":"web-017","path":"/items/310","status":200,"latency_ms":31.482,"bytes":23817,"time":"2026-11-21T12:00:07.301Z","trace":"00c4ffab9e31"}"#,
    r#"{"application":"shop","environment":"prod","type":"request","host":"web-001","path":"/","status":404,"latency_ms":0.5,"bytes":0,"time":"2026-11-21T12:01:00Z","trace":"a"}"#,
    r#"{"type":"cpu","host":"db-2","load":{"1m":0.25,"5m":1.5,"15m":12},"cores":[1,2,{"x":null}],"time":1795262400123}"#,
    r#"{"type":"order","id":9007199254740993,"total":19.99,"items":[{"sku":"a-1","n":2},{"sku":"b","n":1}],"gift":true,"note":null}"#,
    r#"{"type":"order", "id": -1, "total": 1e2, "items": [], "gift": false, "note": "f\u00fcr \"dich\"\n\ud83d\ude00"}"#,
    r#"{"x":18446744073709551615,"y":-9223372036854775808,"z":123456789012345678901234567890,"w":0.1,"v":-0.0,"u":-0}"#,
    r#"{"level":"warn","msg":"größer als 5 µs","ctx":{"req":{"id":"r-1","user":{"id":7,"name":"Ärger"}}},"time":"2026-11-21T23:05:59.123456789+02:00"}"#,
    r#"{"a":1,"b":"two","c":3.5,"d":true,"e":[1],"f":{"g":{"h":"i"}},"j":null}"#,
    r#"{"f":{"g":{"h":1},"k":2},"d":"true","c":3,"b":2,"a":"1"}"#,
    r#"{}"#,
    r#"{"deep":{"deep":{"deep":{"deep":{"deep":{"deep":{"deep":{"deep":1}}}}}}}}"#,
    r#"{"host":"web-017","text":"a text that is a good deal longer than thirty-two bytes, so that it does not fit one register","end":"\\"}"#,
];

const NAMES: [&str; 24] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "host",
    "status",
    "latency_ms",
    "n",
    "o",
    "",
    "time",
    "type",
    "a.b",
    "é",
    "k\"q",
    "long_name_of_a_field_that_goes_on_beyond_thirty_two_bytes",
    "x",
    "y",
    "z",
    "tab\there",
    "application",
    "id",
    "v",
];

const WORDS: [&str; 10] =
    ["", "a", "web-1", "true", "12", "grün", "\u{1f600}", "a\"b\\c/d", "line\nfeed\ttab", "null"];

const NUMBERS: [&str; 26] = [
    "0",
    "-0",
    "1",
    "-1",
    "17",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "0.1",
    "-0.0",
    "1e5",
    "1E-7",
    "1.5e+3",
    "123456789.123456789",
    "0.000001",
    "1e308",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072011e-308",
    "9007199254740993.0",
    "1e999",
    "4.35",
    "100000000000000000000.5",
];

const TIMES: [&str; 9] = [
    "\"2026-11-21T12:00:07.301Z\"",
    "\"2026-11-21T12:00:08Z\"",
    "\"2026-11-21 12:00:08+01:30\"",
    "1795262400",
    "1795262400.25",
    "1795262400123456789",
    "\"2026-02-30T00:00:00Z\"",
    "\"yesterday\"",
    "null",
];

/// One input.
pub fn input(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    if random.chance(2) {
        unordered(random, &mut text);
        return ended(random, text);
    }
    let array = random.chance(15);
    if random.chance(2) {
        text.push('\u{feff}');
    }
    if array {
        text.push('[');
    }
    let events = 1 + random.below(4);
    for event in 0..events {
        if event > 0 {
            text.push_str(match (array, random.below(4)) {
                (true, 0) => " , ",
                (true, 1) => ",\n",
                (true, _) => ",",
                (false, 0) => "",
                (false, 1) => "\r\n\n",
                (false, _) => "\n",
            });
        }
        if random.chance(50) {
            text.push_str(random.pick(&LINES).copied().unwrap_or_default());
        } else {
            object(random, &mut text, 0);
        }
    }
    if array {
        text.push(']');
    }
    ended(random, text)
}

/// With a line feed behind it most often, and with damage nearly half of the time.
fn ended(random: &mut Random, mut text: String) -> Vec<u8> {
    if random.chance(70) {
        text.push('\n');
    }
    let mut bytes = text.into_bytes();
    if random.chance(45) {
        damage(random, &mut bytes, b"{}[]\",:\\0-.e \nu\t9aft");
    }
    bytes
}

/// Events of a sender that writes its keys in an order of its own each time: so many that the decoder no longer waits for an order.
fn unordered(random: &mut Random, text: &mut String) {
    let mut names: Vec<&str> =
        (0..2 + random.below(10)).filter_map(|_| random.pick(&NAMES).copied()).collect();
    names.sort_unstable();
    names.dedup();
    for _ in 0..40 + random.below(40) {
        for last in (1..names.len()).rev() {
            names.swap(last, random.below(last + 1));
        }
        text.push('{');
        let left_out = random.below(names.len() * 4);
        for (_, name) in names.iter().enumerate().filter(|(member, _)| *member != left_out) {
            text.push_str(if text.ends_with('{') { "" } else { "," });
            string(random, text, name);
            text.push(':');
            match *name {
                "time" => text.push_str(TIMES[0]),
                "type" | "application" => text.push_str("\"t\""),
                // Most are flat.
                _ => {
                    let depth = if random.chance(99) { 5 } else { 4 };
                    value(random, text, depth);
                }
            }
        }
        text.push_str(if random.chance(98) { "}\n" } else { "}" });
    }
}

fn object(random: &mut Random, text: &mut String, depth: usize) {
    text.push('{');
    let spaced = random.chance(10);
    for member in 0..random.below(if depth == 0 { 10 } else { 4 }) {
        if member > 0 {
            text.push(',');
        }
        if spaced {
            text.push_str(random.pick(&[" ", "\t", "\n  "]).copied().unwrap_or_default());
        }
        let name = random.pick(&NAMES).copied().unwrap_or_default();
        string(random, text, name);
        text.push_str(if spaced { " : " } else { ":" });
        match name {
            "time" if depth == 0 => text.push_str(random.pick(&TIMES).copied().unwrap_or_default()),
            "type" | "application" if depth == 0 => text.push_str(
                random.pick(&["\"t\"", "\"u\"", "null", "\"a/b\"", "1"]).copied().unwrap_or_default(),
            ),
            _ => value(random, text, depth),
        }
    }
    text.push('}');
}

fn value(random: &mut Random, text: &mut String, depth: usize) {
    match random.below(if depth < 5 { 12 } else { 9 }) {
        0 | 1 => text.push_str(random.pick(&NUMBERS).copied().unwrap_or_default()),
        2 => text.push_str(&(random.bits() as i64 >> random.below(64)).to_string()),
        3 => text.push_str(&float(random)),
        4 | 5 => {
            let word = random.pick(&WORDS).copied().unwrap_or_default();
            string(random, text, word);
        }
        6 => {
            let word: String = (0..random.below(80)).map(|_| char::from(b' ' + random.byte() % 95)).collect();
            string(random, text, &word);
        }
        7 => text.push_str(random.pick(&["true", "false"]).copied().unwrap_or_default()),
        8 => text.push_str("null"),
        9 => {
            text.push('[');
            for element in 0..random.below(4) {
                text.push_str(if element > 0 { ", " } else { "" });
                value(random, text, depth + 1);
            }
            text.push(']');
        }
        _ => object(random, text, depth + 1),
    }
}

/// Any finite double, or digits as programs print them.
fn float(random: &mut Random) -> String {
    match random.below(3) {
        0 => {
            let value = f64::from_bits(random.bits());
            if value.is_finite() { format!("{value:e}") } else { "0.5".to_owned() }
        }
        1 => format!("{}.{:03}", random.below(100_000), random.below(1_000)),
        _ => {
            let digits: String =
                (0..1 + random.below(20)).map(|_| char::from(b'0' + random.byte() % 10)).collect();
            format!("{}.{digits}", random.below(1_000_000))
        }
    }
}

/// A text with the escapes that it needs, and some that it does not.
fn string(random: &mut Random, text: &mut String, word: &str) {
    let fancy = random.chance(5);
    text.push('"');
    for char in word.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            char if fancy && random.chance(30) => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            char => text.push(char),
        }
    }
    text.push('"');
}
