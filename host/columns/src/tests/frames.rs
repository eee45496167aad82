//! JSON rows whose keys come in an order of their own: with vectors they are read by their frames, else key by key, and both must give the same.

use super::*;
use crate::json::Scanner;
use crate::reject::Rejected;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        for shift in [13, 7, 17] {
            self.0 ^= if shift == 7 { self.0 >> shift } else { self.0 << shift };
        }
        (self.0 >> 20) as usize % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const KEYS: [&str; 15] = [
    r#""app""#,
    r#""type""#,
    r#""time""#,
    r#""a""#,
    r#""b""#,
    r#""o.x""#,
    r#""a key of more than sixteen bytes""#,
    r#""""#,
    r#""exactly 16 bytes""#,
    r#""c:,{}d""#,
    r#""q\"\"q""#,
    r#""\u0061""#,
    r#""f""#,
    r#""g""#,
    r#""s\\s""#,
];

const VALUES: [&str; 24] = [
    "1",
    "-17",
    "0.25",
    "1e3",
    "true",
    "false",
    "null",
    r#""t""#,
    r#""u""#,
    r#""""#,
    r#""x:y,{z}""#,
    r#"["a",1]"#,
    r#"{"x":1}"#,
    r#"{}"#,
    r#""q\"uote""#,
    r#""käse""#,
    r#""2026-11-21T12:00:07Z""#,
    r#" 5"#,
    "6 ",
    "01",
    "1.",
    r#""open"#,
    "123456789012345678901234567890",
    r#""a text that is rather long, so that it goes over the end of a block of bytes""#,
];

/// An event as a sender without order writes it, each value in one of `strange` cases as hardly any writes it, and in one of `broken` cases with a wrong byte.
fn event(random: &mut Random, (strange, broken): (usize, usize)) -> String {
    let mut pairs = Vec::new();
    for (number, key) in KEYS.iter().enumerate() {
        if random.below(8) == 0 {
            continue;
        }
        let usual = match number {
            0 | 1 => random.one_of(&VALUES[7..9]),
            2 => VALUES[16],
            _ => random.one_of(&VALUES[..11]),
        };
        let value = if random.below(strange) == 0 { random.one_of(&VALUES) } else { usual };
        // Escapes in names are the exception too.
        if !matches!(number, 10 | 11 | 14) || random.below(strange) == 0 {
            pairs.push(format!("{key}:{value}"));
        }
    }
    if random.below(4) == 0 {
        pairs.push(format!("\"new{}\":{}", random.below(500), random.one_of(&VALUES[..11])));
    }
    for last in (1..pairs.len()).rev() {
        pairs.swap(last, random.below(last + 1));
    }
    let mut event = format!("{{{}}}", pairs.join(","));
    if random.below(2 * broken) == 0 {
        let wrong =
            random.one_of(&["xax", "\"ax", "xa\"", "\"\"a", "a\"\"", " \"a\"", "\"a\" ", "\"a\"\"\""]);
        event = event.replacen("\"a\"", wrong, 1).replacen("\"b\"", "\"s\\s\"", 1);
    }
    if random.below(broken) == 0 {
        let at = random.below(event.len());
        if event.is_char_boundary(at) && event.is_char_boundary(at + 1) {
            event.replace_range(
                at..=at,
                random.one_of(&["\"", "\\", "{", "}", "[", "]", ":", ",", " ", "\n", "\t", "0", "a", ""]),
            );
        }
    }
    event + random.one_of(&["\n", "\n", "\n", "", " ", "\r\n"])
}

fn scan(scanner: &mut Scanner, tables: &mut Tables, text: &str) -> (Vec<Finished>, Vec<Rejected>) {
    let mut rejected = Vec::new();
    let input = Input { chunk: text.as_bytes(), end: true, arrived_unix_ns: 5, router: &Joined };
    scanner.scan(input, tables, &mut rejected);
    (tables.take_all(), rejected)
}

#[test]
fn rows_read_by_their_frames_are_those_read_key_by_key() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for strange in [(1_000, 1_000), (60, 30), (8, 8), (10_000, 2)] {
        let limits = Limits {
            columns_max: 40,
            keys_max: 48,
            string_bytes_max: 60,
            tables_max: 3,
            ..Limits::default()
        };
        let mut ways = [Scanner::new(), Scanner::portable()].map(|scanner| (scanner, tables(limits.clone())));
        for chunk in 0..if cfg!(miri) { 3 } else { 200 } {
            let text: String = (0..random.below(60)).map(|_| event(&mut random, strange)).collect();
            let [framed, plain] = ways.each_mut().map(|(scanner, tables)| scan(scanner, tables, &text));
            assert_eq!(framed.1, plain.1, "{strange:?} {chunk}: {text}");
            assert_eq!(framed.0.len(), plain.0.len(), "{strange:?} {chunk}");
            for (one, other) in framed.0.iter().zip(&plain.0) {
                assert_eq!((&one.name, &one.time), (&other.name, &other.time), "{strange:?} {chunk}");
                let [ours, theirs] = [one, other].map(|batch| {
                    let fields = batch.columns.schema().fields().clone();
                    fields
                        .iter()
                        .map(|field| (field.name().clone(), field.data_type().clone()))
                        .collect::<Vec<_>>()
                });
                assert_eq!(ours, theirs, "{strange:?} {chunk}: {text}");
                assert_eq!(one.columns.columns(), other.columns.columns(), "{strange:?} {chunk}: {text}");
            }
        }
        let [framed, plain] = ways.each_mut().map(|(_, tables)| tables.drain_counters());
        assert_eq!(framed, plain, "{strange:?}");
    }
}
