//! Columns as an evaluation takes them: borrowed little-endian bytes at any address.
//!
//! The bytes of the contract fit as they are. So do Arrow's: value buffers and Utf8's offsets (not negative) as bytes, validity and
//! booleans as [`Bits`]. Nothing is trusted: what is too short reads as 0, as empty, or as not there.

use std::borrow::Cow;

/// n byte strings: `offsets` holds n + 1 u32, string i is `data[offsets[i]..offsets[i + 1]]`. The first offset need not be 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packed<'a> {
    pub offsets: &'a [u8],
    pub data: &'a [u8],
}

impl<'a> Packed<'a> {
    pub fn len(&self) -> usize {
        (self.offsets.len() / 4).saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empty where there is none.
    pub fn get(&self, index: usize) -> &'a [u8] {
        match (u32_at(self.offsets, index), u32_at(self.offsets, index + 1)) {
            (Some(from), Some(to)) => self.data.get(from as usize..to as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

pub fn u32_at(bytes: &[u8], index: usize) -> Option<u32> {
    let four = bytes.get(index * 4..index * 4 + 4)?;
    four.try_into().ok().map(u32::from_le_bytes)
}

/// Truth values: a byte for each row, or a bit for each row (lowest first) from bit `offset` on.
#[derive(Clone, Copy, Debug)]
pub enum Bits<'a> {
    Bytes(&'a [u8]),
    Bits { bytes: &'a [u8], offset: usize },
}

impl<'a> Bits<'a> {
    /// One byte (0 or 1) for each of `rows`.
    pub(crate) fn bytes(self, rows: usize) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) if bytes.len() == rows => Cow::Borrowed(bytes),
            Self::Bytes(bytes) => {
                let mut owned = bytes.to_vec();
                owned.resize(rows, 0);
                Cow::Owned(owned)
            }
            Self::Bits { bytes, offset } => {
                let bit = |row: usize| {
                    let at = offset + row;
                    bytes.get(at / 8).map_or(0, |byte| (byte >> (at % 8)) & 1)
                };
                Cow::Owned((0..rows).map(bit).collect())
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// rows x f64
    F64s(&'a [u8]),
    /// rows x s64
    S64s(&'a [u8]),
    /// rows x u64
    U64s(&'a [u8]),
    /// rows x s64, ns since 1970
    Timestamps(&'a [u8]),
    Bools(Bits<'a>),
    /// UTF-8
    Texts(Packed<'a>),
    Blobs(Packed<'a>),
    /// codes: rows x u32, into names; names in any order, distinct
    Categories {
        codes: &'a [u8],
        names: Packed<'a>,
    },
}

/// A view, and where it has values.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub view: View<'a>,
    /// None: in every row.
    pub valid: Option<Bits<'a>>,
}

/// The columns of one batch by name.
#[derive(Clone, Debug, Default)]
pub struct Columns<'a> {
    rows: usize,
    named: Vec<(&'a str, Source<'a>)>,
}

impl<'a> Columns<'a> {
    pub fn new(rows: usize) -> Self {
        Self { rows, named: Vec::new() }
    }

    /// The event time is the column `time`, given as timestamps.
    pub fn add(&mut self, name: &'a str, source: Source<'a>) {
        self.named.push((name, source));
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The one that was added last under that name.
    pub fn get(&self, name: &str) -> Option<&Source<'a>> {
        self.named.iter().rev().find(|(known, _)| *known == name).map(|(_, source)| source)
    }
}
