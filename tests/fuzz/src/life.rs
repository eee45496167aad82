//! Lives of decoders: many inputs for one decoder, until its columns are nearly as many as may be.
//!
//! In: a [`Plan`]. Out: a [`Summary`], or the first [`Failure`]. A life is named by its number; it depends on nothing but the seed and that number, so that a failure is seen again with
//! `--seed S --life N`. Some inputs are given once for each of their bytes, cut there; others at once, byte by byte, or cut at random.

use std::fmt;

use anyhow::{Context, Result};
use weir_columns::json::Scanner;

use crate::direct::{Decoder, Direct};
use crate::expected::{Columns, Expected};
use crate::random::Random;
use crate::subject::{Codec, Make, Subject, feed_all};
use crate::{json, logfmt, msgpack};

/// Most inputs of one decoder.
const LIFE_INPUTS: u64 = 20_000;
/// A decoder may keep 256 columns of a stream, and leaves further ones out; what it leaves out is not compared here.
const COLUMNS_MAX: usize = 180;
const STREAMS_MAX: usize = 2_000;
/// It keeps four times as many fields, those of objects and nulls too, which are not counted here. With fewer columns than these nothing may be left out.
const COLUMNS_KEPT_MIN: usize = 100;
/// Longest input that is cut at each of its bytes in turn.
const CUT_EVERYWHERE_BYTES_MAX: usize = 400;

/// A format with its inputs and its oracle.
#[derive(Clone, Copy)]
pub struct Format {
    pub name: &'static str,
    pub input: fn(&mut Random) -> Vec<u8>,
    pub expect: fn(&[u8]) -> Expected,
}

/// All formats that are fuzzed. JSON is scanned with vectors where the machine has them, and without.
pub fn formats() -> [Format; 4] {
    [
        Format { name: "json", input: json::input, expect: json::expect },
        Format { name: "json-portable", input: json::input, expect: json::expect },
        Format { name: "msgpack", input: msgpack::input, expect: msgpack::expect },
        Format { name: "logfmt", input: logfmt::input, expect: logfmt::expect },
    ]
}

impl Format {
    /// Weir's decoder of the format.
    pub fn subject(&self) -> Result<Box<dyn Subject>> {
        Ok(match self.name {
            "json-portable" => Box::new(Direct::new(Decoder::Json(Box::new(Scanner::portable())))),
            name => Box::new(Codec::new(name)?),
        })
    }
}

/// What to do.
pub struct Plan<'a> {
    pub format: Format,
    pub make: Make<'a>,
    pub seed: u64,
    /// Inputs in all.
    pub cases: u64,
    /// None: lives from 0 on.
    pub life: Option<u64>,
}

impl Plan<'_> {
    /// Of Weir's own decoder of that format.
    pub fn of_codec(format: Format, seed: u64, cases: u64) -> Result<Summary, Failure> {
        fuzz(&Plan { format, make: &|| format.subject(), seed, cases, life: None })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub cases: u64,
    pub lives: u64,
    pub events: u64,
    pub rejected: u64,
    /// Inputs that were given but not compared, because the documentation leaves open what they come to.
    pub open: u64,
}

/// A difference, and how to see it again.
#[derive(Debug)]
pub struct Failure {
    pub format: &'static str,
    pub seed: u64,
    pub life: u64,
    /// Number of the input within its life.
    pub case: u64,
    pub input: Vec<u8>,
    pub cuts: Vec<usize>,
    pub reason: String,
    /// Whether a decoder that has learned nothing is wrong about it as well.
    pub alone: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, seed, life, case, input, cuts, reason, alone } = self;
        let seen = if *alone { "by a new decoder too" } else { "only after what the decoder learned before" };
        writeln!(f, "{format}: seed {seed}, life {life}, input {case}, {seen}: {reason}")?;
        writeln!(f, "input, {} bytes, cut at {cuts:?}: {}", input.len(), input.escape_ascii())?;
        write!(f, "again: cargo xtask fuzz {format} --seed {seed} --life {life}")
    }
}

pub fn fuzz(plan: &Plan<'_>) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    let mut life = plan.life.unwrap_or(0);
    while summary.cases < plan.cases {
        live(plan, life, &mut summary)?;
        summary.lives += 1;
        if plan.life.is_some() {
            break;
        }
        life += 1;
    }
    Ok(summary)
}

fn live(plan: &Plan<'_>, life: u64, summary: &mut Summary) -> Result<(), Failure> {
    let mut random = Random::new(plan.seed ^ life.wrapping_mul(0xa076_1d64_78bd_642f));
    let mut columns = Columns::default();
    let mut failed = Failure {
        format: plan.format.name,
        seed: plan.seed,
        life,
        case: 0,
        input: Vec::new(),
        cuts: Vec::new(),
        reason: String::new(),
        alone: false,
    };
    let made = (plan.make)();
    let mut subject = match made {
        Ok(subject) => subject,
        Err(error) => return Err(Failure { reason: format!("{error:#}"), alone: true, ..failed }),
    };
    while failed.case < LIFE_INPUTS && summary.cases < plan.cases {
        if columns.most() > COLUMNS_MAX || columns.streams() > STREAMS_MAX {
            break;
        }
        failed.input = (plan.format.input)(&mut random);
        let expected = (plan.format.expect)(&failed.input);
        for cuts in cuts(&mut random, failed.input.len()) {
            failed.cuts = cuts;
            failed.case += 1;
            summary.cases += 1;
            let checked = check(subject.as_mut(), &mut columns, &expected, &failed, summary);
            if subject.left_out() > 0 && columns.all() >= COLUMNS_KEPT_MIN {
                return Ok(());
            }
            if let Err(error) = checked {
                failed.reason = format!("{error:#}");
                failed.alone = wrong_alone(plan, &expected, &failed);
                return Err(failed);
            }
        }
    }
    Ok(())
}

fn check(
    subject: &mut dyn Subject,
    columns: &mut Columns,
    expected: &Expected,
    case: &Failure,
    summary: &mut Summary,
) -> Result<()> {
    let output = feed_all(subject, &case.input, &case.cuts)?;
    match expected {
        Expected::Open(_) => {
            summary.open += 1;
            columns.learn_output(&output);
            Ok(())
        }
        Expected::Events(events) => {
            summary.events += events.len() as u64;
            summary.rejected += output.rejected.len() as u64;
            columns.compare(events, &output).with_context(|| format!("of {} events", events.len()))
        }
    }
}

fn wrong_alone(plan: &Plan<'_>, expected: &Expected, case: &Failure) -> bool {
    let Ok(mut subject) = (plan.make)() else { return true };
    check(subject.as_mut(), &mut Columns::default(), expected, case, &mut Summary::default()).is_err()
}

/// The ways in which an input is given: lists of places at which it is cut.
fn cuts(random: &mut Random, bytes: usize) -> Vec<Vec<usize>> {
    match random.below(100) {
        0 if bytes <= CUT_EVERYWHERE_BYTES_MAX => (0..=bytes).map(|cut| vec![cut]).collect(),
        1..=5 => vec![(1..bytes).collect()],
        6..=40 => {
            let mut cuts: Vec<usize> = (0..1 + random.below(4)).map(|_| random.below(bytes + 1)).collect();
            cuts.sort_unstable();
            vec![cuts]
        }
        _ => vec![Vec::new()],
    }
}

#[cfg(test)]
mod tests;
