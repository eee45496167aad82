//! Arrow columns of any type as the texts of labels and the numbers of fields.
//!
//! Converted once per batch; after that reading a row does not allocate. What does not convert is an empty text (no label) or NaN (no value).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, Float64Array, StringArray, UInt32Array};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::LABELS_MAX;

/// Longest value of a label in bytes; longer ones are cut at a character.
const LABEL_BYTES_MAX: usize = 1_024;

pub struct LabelColumn {
    pub name: Arc<str>,
    texts: Texts,
}

enum Texts {
    Plain(StringArray),
    Dictionary { codes: UInt32Array, names: StringArray },
    None,
}

impl LabelColumn {
    /// Sorted by name, at most [`LABELS_MAX`].
    pub fn sorted(labels: &[(Arc<str>, ArrayRef)]) -> Vec<Self> {
        let mut columns: Vec<Self> = labels
            .iter()
            .map(|(name, array)| Self { name: Arc::clone(name), texts: Texts::new(array) })
            .collect();
        columns.sort_by(|left, right| left.name.cmp(&right.name));
        columns.dedup_by(|left, right| left.name == right.name);
        columns.truncate(LABELS_MAX);
        columns
    }

    /// Empty: no label.
    pub fn get(&self, row: usize) -> &str {
        let text = match &self.texts {
            Texts::Plain(texts) if row < texts.len() && texts.is_valid(row) => texts.value(row),
            Texts::Dictionary { codes, names } if row < codes.len() && codes.is_valid(row) => {
                let name = codes.value(row) as usize;
                if name < names.len() && names.is_valid(name) { names.value(name) } else { "" }
            }
            _ => "",
        };
        clip(text)
    }
}

impl Texts {
    fn new(array: &ArrayRef) -> Self {
        if let Some(dictionary) = array.as_dictionary_opt::<UInt32Type>()
            && let Some(names) = dictionary.values().as_string_opt::<i32>()
        {
            return Self::Dictionary { codes: dictionary.keys().clone(), names: names.clone() };
        }
        if let Some(texts) = array.as_string_opt::<i32>() {
            return Self::Plain(texts.clone());
        }
        let texts = cast(array, &DataType::Utf8).ok();
        texts
            .as_ref()
            .and_then(|texts| texts.as_string_opt::<i32>())
            .map_or(Self::None, |texts| Self::Plain(texts.clone()))
    }
}

fn clip(text: &str) -> &str {
    if text.len() <= LABEL_BYTES_MAX {
        return text;
    }
    text.get(..text.floor_char_boundary(LABEL_BYTES_MAX)).unwrap_or_default()
}

pub struct NumberColumn(Option<Float64Array>);

impl NumberColumn {
    pub fn new(array: &ArrayRef) -> Self {
        let whole = match array.data_type() {
            DataType::Timestamp(..) => cast(array, &DataType::Int64).ok(),
            _ => Some(Arc::clone(array)),
        };
        let numbers = whole.and_then(|array| cast(&array, &DataType::Float64).ok());
        Self(numbers.and_then(|numbers| numbers.as_primitive_opt::<Float64Type>().cloned()))
    }

    /// NaN: no value. Infinite is no value either: it has no place on an axis and none in JSON.
    pub fn get(&self, row: usize) -> f64 {
        match &self.0 {
            Some(numbers) if row < numbers.len() && numbers.is_valid(row) => {
                let value = numbers.value(row);
                if value.is_finite() { value } else { f64::NAN }
            }
            _ => f64::NAN,
        }
    }
}
