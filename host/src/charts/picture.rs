//! What a formatter drew, checked: a description and tables of columns. Not pixels, not bytes of the wire.

use std::sync::Arc;

use serde_json::Value;

/// A picture that somebody may have seen.
#[derive(Debug)]
pub struct ChartVersion {
    pub chart: Arc<str>,
    /// Of the chart's life: a chart that was configured anew begins another one.
    pub epoch: u64,
    /// From 1, one more for each picture that differs from the one before.
    pub version: u64,
    /// Time of the newest point in the picture.
    pub newest_unix_ns: Option<i64>,
    /// JSON object, see `docs/wire.md`.
    pub description: Arc<Value>,
    pub tables: Vec<Arc<Table>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub name: Arc<str>,
    pub rows: usize,
    /// Each with `rows` values.
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: Arc<str>,
    pub values: Values,
    /// 1 where there is a value; none: everywhere.
    pub valid: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub enum Values {
    F64(Vec<f64>),
    /// ms since 1970.
    Time(Vec<f64>),
    Bool(Vec<u8>),
    /// Codes into names; each code has a name.
    Text {
        codes: Vec<u32>,
        names: Vec<Arc<str>>,
    },
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) | Self::Time(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text { codes, .. } => codes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Word of the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::F64(_) => "f64",
            Self::Time(_) => "time",
            Self::Bool(_) => "bool",
            Self::Text { .. } => "text",
        }
    }
}

/// Bit by bit, so that NaN equals NaN and a picture that did not change is found to be the same.
impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F64(left), Self::F64(right)) | (Self::Time(left), Self::Time(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| left.to_bits() == right.to_bits())
            }
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Text { codes, names }, Self::Text { codes: other_codes, names: other_names }) => {
                codes == other_codes && names == other_names
            }
            _ => false,
        }
    }
}

impl Table {
    /// Memory of the values, in bytes.
    pub fn bytes(&self) -> usize {
        let column = |column: &Column| {
            let names = match &column.values {
                Values::Text { names, .. } => names.iter().map(|name| name.len() + 16).sum(),
                _ => 0,
            };
            self.rows * 9 + names
        };
        self.columns.iter().map(column).sum()
    }
}
