//! How far a value goes, without making anything of it, in pieces.
//!
//! In: bytes, again and again, each time from where the last call stopped. Out: whether the value ended. No bytes are looked at twice and nothing is kept
//! but two numbers, so that a sender who sends an endless event byte by byte costs no more than the bytes. Nesting needs no stack: what is left is a number of values.

use super::head::{Head, Reader, Stop};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    /// Values that are still to come.
    values: u64,
    /// Bytes of a text or extension that are still to come.
    bytes: u64,
}

/// Where a measurement stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// The value ends there.
    End(usize),
    /// More bytes are needed; those from there on were not taken.
    More(usize),
    /// A byte that no value begins with.
    Reserved,
}

impl Measure {
    /// Of one value.
    pub fn of_value() -> Self {
        Self { values: 1, bytes: 0 }
    }

    pub fn run(&mut self, bytes: &[u8], at: usize) -> Measured {
        let mut reader = Reader { bytes, at };
        loop {
            let there = bytes.len().saturating_sub(reader.at);
            let passed = there.min(usize::try_from(self.bytes).unwrap_or(usize::MAX));
            reader.at += passed;
            self.bytes -= passed as u64;
            if self.bytes > 0 {
                return Measured::More(reader.at);
            }
            if self.values == 0 {
                return Measured::End(reader.at);
            }
            let before = reader.at;
            match reader.head() {
                Ok(head) => {
                    // A sum of lengths below 2^33 for each byte that was read.
                    self.values -= 1;
                    match head {
                        Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => {
                            self.bytes = length as u64;
                        }
                        Head::Array(length) => self.values += u64::from(length),
                        Head::Map(length) => self.values += 2 * u64::from(length),
                        Head::Nil | Head::Bool(_) | Head::Int(_) | Head::UInt(_) | Head::Float(_) => {}
                    }
                }
                Err(Stop::Reserved) => return Measured::Reserved,
                Err(_) => return Measured::More(before),
            }
        }
    }
}
