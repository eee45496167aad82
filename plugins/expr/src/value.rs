//! Constants, and the columns that an evaluation returns.

/// A constant of the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    S64(i64),
    /// Only above `i64::MAX`.
    U64(u64),
    F64(f64),
    Text(String),
}

impl Scalar {
    /// A whole number that fits neither s64 nor u64 becomes the nearest f64.
    pub fn integer(value: u64, negative: bool) -> Self {
        match (i64::try_from(value), negative) {
            (Ok(value), false) => Self::S64(value),
            (Ok(value), true) => Self::S64(-value),
            (Err(_), false) => Self::U64(value),
            (Err(_), true) if value == 1 << 63 => Self::S64(i64::MIN),
            (Err(_), true) => Self::F64(-(value as f64)),
        }
    }

    pub fn negated(self) -> Self {
        match self {
            Self::S64(value) => match value.checked_neg() {
                Some(value) => Self::S64(value),
                None => Self::U64(1 << 63),
            },
            Self::U64(value) => Self::integer(value, true),
            Self::F64(value) => Self::F64(-value),
            other => other,
        }
    }
}

/// n texts end to end: text i is `data[offsets[i]..offsets[i + 1]]`; `offsets` has n + 1 entries, the first 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    pub offsets: Vec<u32>,
    pub data: Vec<u8>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new() }
    }
}

impl Texts {
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut texts = Self { offsets: Vec::with_capacity(rows + 1), data: Vec::with_capacity(bytes) };
        texts.offsets.push(0);
        texts
    }

    /// Over 4 GiB in all the text is left empty; no batch comes near that.
    pub fn push(&mut self, text: &[u8]) {
        if self.data.len() + text.len() <= u32::MAX as usize {
            self.data.extend_from_slice(text);
        }
        self.offsets.push(self.data.len() as u32);
    }

    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empty where there is none.
    pub fn get(&self, index: usize) -> &[u8] {
        match (self.offsets.get(index), self.offsets.get(index + 1)) {
            (Some(from), Some(to)) => self.data.get(*from as usize..*to as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Every row is null, of no kind in particular.
    Null,
    F64s(Vec<f64>),
    S64s(Vec<i64>),
    U64s(Vec<u64>),
    /// ns since 1970.
    Timestamps(Vec<i64>),
    /// 0 or 1.
    Bools(Vec<u8>),
    /// UTF-8.
    Texts(Texts),
    Blobs(Texts),
    /// The names are distinct.
    Categories {
        codes: Vec<u32>,
        names: Texts,
    },
}

/// One value for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub values: Values,
    /// One byte for each row, 1 where there is a value; none: everywhere. A value that is not there is 0 or empty.
    pub valid: Option<Vec<u8>>,
}
