//! Weir's decoders against the oracles, and broken ones, which must be caught.

use std::collections::HashMap;

use anyhow::Result;

use super::*;
use crate::subject::{Bad, Cell, Output};

/// Inputs of each format in the tests; many more by `cargo xtask fuzz`.
const CASES: u64 = 200_000;
const SEED: u64 = 20_261_122;

/// A decoder that lives long makes of each input what the oracle does.
fn check(name: &str) {
    let format = formats().into_iter().find(|format| format.name == name).unwrap();
    let summary = Plan::of_codec(format, SEED, CASES).unwrap_or_else(|failure| panic!("{failure}"));
    println!("seed {SEED}: {name} {summary:?}");
    assert!(
        summary.events > CASES && summary.rejected > CASES / 20 && summary.open < CASES / 20,
        "{summary:?}"
    );
}

#[test]
fn json_is_what_serde_json_and_the_documentation_say() {
    check("json");
}

#[test]
fn json_without_vectors_is_the_same() {
    check("json-portable");
}

#[test]
fn msgpack_is_what_rmpv_and_the_documentation_say() {
    check("msgpack");
}

#[test]
fn key_value_lines_are_what_the_documentation_says() {
    check("logfmt");
}

/// Something that a decoder might get wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// A row is lost now and then.
    Row,
    /// Tiny floats differ by their last bit.
    Bit,
    /// Whole numbers come as floats.
    Type,
    /// A place is wrong where the input was cut.
    Place,
    /// A key twice is taken without a word.
    Duplicate,
    /// What comes behind three texts in a column and is none is refused.
    Learned,
    /// More is consumed than there is.
    Consumed,
    /// The rest of an event is lost where the cut comes behind a backslash.
    Cut,
}

struct Broken {
    codec: Codec,
    wrong: Wrong,
    inputs: u64,
    cut: bool,
    /// Texts one after another in each column.
    texts: HashMap<String, u32>,
}

impl Subject for Broken {
    fn feed(&mut self, chunk: &[u8], base: usize, end: bool) -> Result<usize> {
        self.cut |= base > 0;
        let used = self.codec.feed(chunk, base, end)?;
        let lost = !end && matches!(self.wrong, Wrong::Cut) && chunk.last() == Some(&b'\\');
        Ok(if lost {
            chunk.len()
        } else {
            used + usize::from(matches!(self.wrong, Wrong::Consumed) && self.cut)
        })
    }

    fn take(&mut self) -> Result<Output> {
        let mut output = self.codec.take()?;
        self.inputs += 1;
        match self.wrong {
            Wrong::Row if self.inputs % 100 == 99 => drop(output.rows.pop_first()),
            Wrong::Bit => each_cell(&mut output, flip),
            Wrong::Type => each_cell(&mut output, widen),
            Wrong::Place if self.cut => output.rejected.iter_mut().for_each(|bad| bad.offset += 1),
            Wrong::Duplicate => output.rejected.retain(|bad| bad.code != "duplicate_key"),
            Wrong::Learned => self.refuse_after_texts(&mut output),
            _ => {}
        }
        self.cut = false;
        Ok(output)
    }

    fn left_out(&mut self) -> u64 {
        self.codec.left_out()
    }
}

fn each_cell(output: &mut Output, change: fn(&mut Cell)) {
    output.rows.values_mut().flatten().flat_map(|row| row.cells.values_mut()).for_each(change);
}

fn flip(cell: &mut Cell) {
    if let Cell::Float(value) = cell
        && value.abs() < 1e-5
    {
        *value = f64::from_bits(value.to_bits() ^ 1);
    }
}

fn widen(cell: &mut Cell) {
    if let Cell::Int(value) = cell {
        *cell = Cell::Float(*value as f64);
    }
}

impl Broken {
    fn refuse_after_texts(&mut self, output: &mut Output) {
        for rows in output.rows.values_mut() {
            rows.retain(|row| {
                row.cells.iter().all(|(name, cell)| {
                    let texts = self.texts.entry(name.clone()).or_default();
                    let number = matches!(cell, Cell::Text(text) if text.parse::<f64>().is_ok());
                    let refused = number && *texts >= 3;
                    *texts = if number { 0 } else { *texts + 1 };
                    if refused {
                        output.rejected.push(Bad { offset: 0, code: "syntax".into() });
                    }
                    !refused
                })
            });
        }
    }
}

#[test]
fn broken_decoders_are_caught() {
    let json = formats()[0];
    for wrong in [
        Wrong::Row,
        Wrong::Bit,
        Wrong::Type,
        Wrong::Place,
        Wrong::Duplicate,
        Wrong::Learned,
        Wrong::Consumed,
        Wrong::Cut,
    ] {
        let make = || -> Result<Box<dyn Subject>> {
            let codec = Codec::new("json")?;
            Ok(Box::new(Broken { codec, wrong, inputs: 0, cut: false, texts: HashMap::new() }))
        };
        let plan = Plan { format: json, make: &make, seed: SEED, cases: 30_000, life: None };
        let failure = fuzz(&plan).expect_err(&format!("{wrong:?} was not caught"));
        // It is seen again by what the failure says.
        let again = Plan { seed: failure.seed, life: Some(failure.life), cases: u64::MAX, ..plan };
        let again = fuzz(&again).expect_err("not seen again");
        assert_eq!((again.case, again.reason), (failure.case, failure.reason), "{wrong:?}");
    }
}
