//! Chunks to emitted batches.
//!
//! Rows go into the first batch where no column of theirs has another kind and there is room ([`ROWS_MAX`], the contract's bound). Broken
//! chunks are refused before anything of them is taken.

use std::collections::HashMap;

use weir_sdk::column::{Number, S64s, bytes_of};
use weir_sdk::output::emit_for_keys;
use weir_sdk::{Categories, Column, Output, Packed, Values};

use crate::reader::Reader;
use crate::{Broken, Kind};

/// Rows of one emitted batch.
pub const ROWS_MAX: usize = 65_536;

/// Rows on their way out.
#[derive(Debug, Default)]
pub struct Gather {
    groups: Vec<Group>,
    pub rows: usize,
    pub bytes: usize,
}

#[derive(Debug, Default)]
struct Group {
    times: Vec<i64>,
    keys: Vec<u32>,
    columns: Vec<Collected>,
}

#[derive(Debug)]
struct Collected {
    name: String,
    kind: Kind,
    valid: Vec<u8>,
    store: Store,
}

#[derive(Debug)]
enum Store {
    /// 8 bytes or 1 byte for each row.
    Fixed(Vec<u8>),
    Packed(Packed),
    Coded {
        codes: Vec<u8>,
        by_name: HashMap<Vec<u8>, u32>,
        names: Packed,
    },
}

/// One column of a chunk.
struct Part<'a> {
    name: &'a str,
    kind: Kind,
    valid: Option<&'a [u8]>,
    values: Vec<&'a [u8]>,
}

impl Gather {
    /// All rows of a chunk, for a key (0 where the plan names none).
    pub fn push(&mut self, chunk: &[u8], key: u32) -> Result<(), Broken> {
        let (times, parts) = parse(chunk)?;
        let fits = |group: &Group| {
            group.times.len() + times.len() <= ROWS_MAX
                && parts.iter().all(|part| group.kind_of(part.name).is_none_or(|kind| kind == part.kind))
        };
        let place = self.groups.iter().position(fits).unwrap_or(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(Group::default());
        }
        if let Some(group) = self.groups.get_mut(place) {
            self.rows += times.len();
            self.bytes += chunk.len();
            group.push(&times, &parts, key);
        }
        Ok(())
    }

    /// One output for each batch; `keyed` where the plan names key columns, which the host then adds.
    pub fn into_outputs(self, port: u32, keyed: bool) -> Vec<Output> {
        let groups = self.groups.into_iter().filter(|group| !group.times.is_empty());
        groups
            .map(|group| {
                let columns = group.columns.into_iter().map(Collected::into_column).collect();
                let keys: &[u32] = if keyed { &group.keys } else { &[] };
                emit_for_keys(port, &group.times, keys, columns)
            })
            .collect()
    }
}

impl Group {
    fn kind_of(&self, name: &str) -> Option<Kind> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.kind)
    }

    fn push(&mut self, times: &[i64], parts: &[Part<'_>], key: u32) {
        let before = self.times.len();
        self.times.extend(times);
        self.keys.extend(std::iter::repeat_n(key, times.len()));
        for part in parts {
            let place = self.columns.iter().position(|column| column.name == part.name);
            let place = place.unwrap_or_else(|| {
                let mut column = Collected::new(part.name, part.kind);
                column.pad(before);
                self.columns.push(column);
                self.columns.len() - 1
            });
            if let Some(column) = self.columns.get_mut(place) {
                column.push(part);
            }
        }
        let rows = self.times.len();
        self.columns.iter_mut().for_each(|column| column.pad(rows));
    }
}

impl Collected {
    fn new(name: &str, kind: Kind) -> Self {
        let packed = || Packed { offsets: vec![0; 4], data: Vec::new() };
        let store = match kind {
            Kind::Texts | Kind::Blobs => Store::Packed(packed()),
            Kind::Categories => Store::Coded { codes: Vec::new(), by_name: HashMap::new(), names: packed() },
            _ => Store::Fixed(Vec::new()),
        };
        Self { name: name.to_owned(), kind, valid: Vec::new(), store }
    }

    fn push(&mut self, part: &Part<'_>) {
        for (row, value) in part.values.iter().enumerate() {
            let there = part.valid.is_none_or(|valid| valid.get(row) == Some(&1));
            self.valid.push(u8::from(there));
            self.store.push(value, there);
        }
    }

    /// No value up to that many rows.
    fn pad(&mut self, rows: usize) {
        let nothing: &[u8] = match self.kind {
            Kind::Bools => &[0],
            Kind::Texts | Kind::Blobs | Kind::Categories => &[],
            _ => &[0; 8],
        };
        while self.valid.len() < rows {
            self.valid.push(0);
            self.store.push(nothing, false);
        }
    }

    fn into_column(self) -> Column {
        let values = match (self.kind, self.store) {
            (Kind::F64s, Store::Fixed(bytes)) => Values::F64s(bytes),
            (Kind::U64s, Store::Fixed(bytes)) => Values::U64s(bytes),
            (Kind::Timestamps, Store::Fixed(bytes)) => Values::Timestamps(bytes),
            (Kind::Bools, Store::Fixed(bytes)) => Values::Bools(bytes),
            (_, Store::Fixed(bytes)) => Values::S64s(bytes),
            (Kind::Blobs, Store::Packed(packed)) => Values::Blobs(packed),
            (_, Store::Packed(packed)) => Values::Texts(packed),
            (_, Store::Coded { codes, names, .. }) => {
                Values::Categories(Categories { codes, dictionary: 0, base: 0, names })
            }
        };
        let complete = self.valid.iter().all(|valid| *valid == 1);
        Column { name: self.name, values, valid: (!complete).then_some(self.valid) }
    }
}

impl Store {
    fn push(&mut self, value: &[u8], there: bool) {
        match self {
            Self::Fixed(bytes) => bytes.extend(value),
            Self::Packed(packed) => append(packed, value),
            // The code of what is not there is 0.
            Self::Coded { codes, .. } if !there => 0_u32.put_le(codes),
            Self::Coded { codes, by_name, names } => {
                let next = by_name.len() as u32;
                let code = *by_name.entry(value.to_vec()).or_insert_with(|| {
                    append(names, value);
                    next
                });
                code.put_le(codes);
            }
        }
    }
}

fn append(packed: &mut Packed, value: &[u8]) {
    packed.data.extend(value);
    packed.offsets.extend(bytes_of(&[packed.data.len() as u32]));
}

fn parse(chunk: &[u8]) -> Result<(Vec<i64>, Vec<Part<'_>>), Broken> {
    let mut reader = Reader::new(chunk);
    let rows = reader.number::<u32>()? as usize;
    let times = reader.bytes(rows.checked_mul(8).ok_or(Broken)?)?;
    let times = S64s::new(times).to_vec();
    let count = reader.short()?;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let length = reader.short()?;
        let name = std::str::from_utf8(reader.bytes(length)?).map_err(|_| Broken)?;
        let kind = Kind::from_byte(reader.byte()?).ok_or(Broken)?;
        let valid = if reader.byte()? == 1 { Some(reader.bytes(rows)?) } else { None };
        let mut values = Vec::with_capacity(rows);
        for _ in 0..rows {
            values.push(match kind {
                Kind::Texts | Kind::Blobs | Kind::Categories => reader.text()?,
                Kind::Bools => reader.bytes(1)?,
                _ => reader.bytes(8)?,
            });
        }
        parts.push(Part { name, kind, valid, values });
    }
    if reader.is_empty() { Ok((times, parts)) } else { Err(Broken) }
}
