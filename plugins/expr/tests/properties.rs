//! Properties over random texts and columns: nothing panics, categories and texts agree, cutting changes nothing, bits and bytes agree.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::thread;

use weir_expr::{Bits, Column, Columns, Packed, Source, Values, View, parse};

/// xorshift64*: the same sequence in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

const WORDS: [&str; 44] = [
    "a",
    "b",
    "t",
    "c",
    "time",
    "1",
    "2.5",
    "0",
    "'x'",
    "'%b'",
    "true",
    "false",
    "null",
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "!=",
    "<",
    ">=",
    "and",
    "or",
    "not",
    "in",
    "[1, 'x']",
    "(",
    ")",
    "like",
    "contains",
    "is null",
    "is not null",
    "abs(",
    "if(",
    ",",
    "min(",
    "lower(",
    "f64(",
    "text(",
    "coalesce(",
    "length(",
    "`q r`",
    "timestamp(",
];

/// A text that is an expression more often than not.
fn grown(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random
            .pick(&["a", "b", "t", "c", "time", "1", "-3", "2.5", "'x'", "'bb'", "true", "null", "gone"])
            .to_owned();
    }
    let mut part = || grown(random, depth - 1);
    let (x, y, z) = (part(), part(), part());
    match random.below(14) {
        0 => format!("({x} + {y})"),
        1 => format!("({x} * {y} - {z})"),
        2 => format!("({x} / {y})"),
        3 => format!("({x} % {y})"),
        4 => format!("({x} < {y})"),
        5 => format!("({x} = {y})"),
        6 => format!("(({x}) and ({y}) or ({z}))"),
        7 => format!("(not ({x}))"),
        8 => format!("({x} is null)"),
        9 => format!("if({x}, {y}, {z})"),
        10 => format!("coalesce({x}, {y})"),
        11 => format!("concat({x}, {y})"),
        12 => format!("max({x}, {y}, {z})"),
        _ => format!(
            "{}({x})",
            random.pick(&[
                "f64",
                "s64",
                "u64",
                "bool",
                "text",
                "timestamp",
                "lower",
                "length",
                "abs",
                "round",
                "log"
            ])
        ),
    }
}

/// Columns a (f64), b (s64), c (categories), t (texts with the same content as c), time; some without a value.
struct Rows {
    a: Vec<f64>,
    b: Vec<i64>,
    texts: Vec<usize>,
    valid: Vec<u8>,
}

const NAMES: [&str; 5] = ["", "x", "bb", "Xx%", "é"];

impl Rows {
    fn random(random: &mut Random, rows: usize) -> Self {
        Self {
            a: (0..rows).map(|_| [0.0, 1.0, -2.5, 1e300, f64::NAN, f64::INFINITY][random.below(6)]).collect(),
            b: (0..rows).map(|_| [0, 1, -3, i64::MAX, i64::MIN][random.below(5)]).collect(),
            texts: (0..rows).map(|_| random.below(5)).collect(),
            valid: (0..rows).map(|_| u8::from(random.below(4) > 0)).collect(),
        }
    }

    fn slice(&self, from: usize, to: usize) -> Self {
        Self {
            a: self.a[from..to].to_vec(),
            b: self.b[from..to].to_vec(),
            texts: self.texts[from..to].to_vec(),
            valid: self.valid[from..to].to_vec(),
        }
    }

    /// Evaluates with `c` and `t` both as texts, or both as categories; validity as bytes or bits.
    fn eval(&self, text: &str, categories: bool, bits: bool) -> Option<Vec<String>> {
        let expr = parse(text).ok()?;
        let rows = self.a.len();
        let bytes = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (a, b) =
            (self.a.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(), bytes(&self.b));
        let time = bytes(&(0..rows as i64).collect::<Vec<_>>());
        let codes: Vec<u8> = self.texts.iter().flat_map(|code| (*code as u32).to_le_bytes()).collect();
        let strings: Vec<&str> = self.texts.iter().map(|code| NAMES[*code]).collect();
        let (offsets, data) = packed(&strings);
        let (name_offsets, name_data) = packed(&NAMES);
        let mut bitmap = vec![0xFFu8; rows / 8 + 2];
        for (row, valid) in self.valid.iter().enumerate().filter(|(_, valid)| **valid == 0) {
            let at = row + 3;
            bitmap[at / 8] &= !(1 << (at % 8)) | *valid;
        }
        let valid =
            Some(if bits { Bits::Bits { bytes: &bitmap, offset: 3 } } else { Bits::Bytes(&self.valid) });
        let text_view = if categories {
            View::Categories { codes: &codes, names: Packed { offsets: &name_offsets, data: &name_data } }
        } else {
            View::Texts(Packed { offsets: &offsets, data: &data })
        };
        let mut columns = Columns::new(rows);
        columns.add("a", Source { view: View::F64s(&a), valid });
        columns.add("b", Source { view: View::S64s(&b), valid: None });
        columns.add("t", Source { view: text_view, valid: None });
        columns.add("c", Source { view: text_view, valid });
        columns.add("time", Source { view: View::Timestamps(&time), valid: None });
        let mask = expr.mask(&columns);
        let column = expr.eval(&columns);
        assert_eq!(mask.len(), rows, "{text}");
        let shown: Vec<String> = (0..rows).map(|row| cell(&column, row)).collect();
        for (row, cell) in shown.iter().enumerate() {
            assert_eq!(mask[row] == 1, cell == "true", "{text}: the mask says otherwise in row {row}");
        }
        Some(shown)
    }
}

fn packed(texts: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let mut offsets = 0u32.to_le_bytes().to_vec();
    let mut data = Vec::new();
    for text in texts {
        data.extend(text.bytes());
        offsets.extend((data.len() as u32).to_le_bytes());
    }
    (offsets, data)
}

fn cell(column: &Column, row: usize) -> String {
    if column.valid.as_ref().is_some_and(|valid| valid[row] == 0) {
        return "-".into();
    }
    let text = |bytes: &[u8]| format!("'{}'", String::from_utf8_lossy(bytes));
    match &column.values {
        Values::Null => "-".into(),
        Values::F64s(values) => format!("{:?}", values[row]),
        Values::S64s(values) => format!("{}s", values[row]),
        Values::U64s(values) => format!("{}u", values[row]),
        Values::Timestamps(values) => format!("@{}", values[row]),
        Values::Bools(values) => (values[row] == 1).to_string(),
        Values::Texts(texts) | Values::Blobs(texts) => text(texts.get(row)),
        Values::Categories { codes, names } => text(names.get(codes[row] as usize)),
    }
}

#[test]
fn categories_are_texts_and_bits_are_bytes() {
    let mut random = Random(42);
    let mut evaluated = 0;
    for round in 0..3000 {
        let text = grown(&mut random, 1 + round % 3);
        let rows = Rows::random(&mut random, 9);
        let plain = rows.eval(&text, false, false);
        evaluated += usize::from(plain.is_some());
        assert_eq!(plain, rows.eval(&text, true, false), "{text}");
        assert_eq!(plain, rows.eval(&text, false, true), "{text}");
    }
    assert!(evaluated > 500, "only {evaluated} of the texts were expressions");
}

#[test]
fn rows_do_not_know_of_each_other() {
    let mut random = Random(7);
    for _ in 0..1000 {
        // `time` is the row number here, so it is left out.
        let text = grown(&mut random, 2).replace("time", "b");
        let rows = Rows::random(&mut random, 8);
        let cut = random.below(8);
        for categories in [false, true] {
            let Some(whole) = rows.eval(&text, categories, false) else { continue };
            let mut pieces = rows.slice(0, cut).eval(&text, categories, false).unwrap();
            pieces.extend(rows.slice(cut, 8).eval(&text, categories, false).unwrap());
            assert_eq!(whole, pieces, "{text}");
        }
    }
}

#[test]
fn no_text_panics_and_the_stack_of_a_guest_suffices() {
    let soup = || {
        let mut random = Random(99);
        for _ in 0..20_000 {
            let words: Vec<&str> = (0..random.below(12)).map(|_| random.pick(&WORDS)).collect();
            let text = words.join(" ");
            if let Ok(expr) = parse(&text) {
                Rows::random(&mut random, 3).eval(expr.text(), true, false);
            }
        }
        for deep in ["abs(", "(", "-", "not ", "if(true, 1, "] {
            let text = format!("{}1{}", deep.repeat(60), ")".repeat(60));
            let _ = parse(&text).map(|expr| expr.eval(&Columns::new(1)));
        }
    };
    thread::Builder::new().stack_size(1 << 17).spawn(soup).unwrap().join().unwrap();
}

#[test]
fn columns_that_lie_about_their_length_read_as_empty() {
    for text in ["a + 1", "t like '%'", "c = 'x'", "upper(c)", "b and c is null", "concat(t, c)"] {
        let expr = parse(text).unwrap();
        let short = Packed { offsets: &[9, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255], data: b"x" };
        let mut columns = Columns::new(5);
        columns.add("a", Source { view: View::F64s(&[1, 2, 3]), valid: Some(Bits::Bytes(&[1])) });
        columns.add("b", Source { view: View::Bools(Bits::Bits { bytes: &[], offset: 9 }), valid: None });
        columns.add("t", Source { view: View::Texts(short), valid: None });
        columns.add("c", Source { view: View::Categories { codes: &[255; 20], names: short }, valid: None });
        assert_eq!(expr.mask(&columns).len(), 5, "{text}");
        expr.eval(&columns);
    }
}
