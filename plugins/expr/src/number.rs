//! Whole columns of numbers: promotion, comparison, arithmetic.
//!
//! Two whole numbers stay whole (s64, or u64 where both are u64); a whole number and an f64 are computed as f64. What has no result
//! (division by zero, a whole number that does not fit) is reported in a second column of bytes, 0 where there is none.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::node::{Arithmetic, Comparison};

/// One value for all rows, or one for each.
#[derive(Clone, Debug)]
pub enum Flat<'a, T: Copy> {
    One(T),
    Many(Cow<'a, [T]>),
}

impl<'a, T: Copy + Default> Flat<'a, T> {
    pub fn many(values: Vec<T>) -> Self {
        Self::Many(Cow::Owned(values))
    }

    pub fn get(&self, row: usize) -> T {
        match self {
            Self::One(value) => *value,
            Self::Many(values) => values.get(row).copied().unwrap_or_default(),
        }
    }

    pub fn map<U: Copy>(&self, f: impl Fn(T) -> U) -> Flat<'a, U> {
        match self {
            Self::One(value) => Flat::One(f(*value)),
            Self::Many(values) => Flat::Many(values.iter().map(|value| f(*value)).collect()),
        }
    }

    pub fn zip<U: Copy>(&self, right: &Flat<'_, T>, f: impl Fn(T, T) -> U) -> Flat<'a, U> {
        match (self, right) {
            (Self::One(a), Flat::One(b)) => Flat::One(f(*a, *b)),
            (Self::One(a), Flat::Many(b)) => Flat::Many(b.iter().map(|b| f(*a, *b)).collect()),
            (Self::Many(a), Flat::One(b)) => Flat::Many(a.iter().map(|a| f(*a, *b)).collect()),
            (Self::Many(a), Flat::Many(b)) => {
                Flat::Many(a.iter().zip(b.iter()).map(|(a, b)| f(*a, *b)).collect())
            }
        }
    }

    pub fn into_vec(self, rows: usize) -> Vec<T> {
        match self {
            Self::One(value) => vec![value; rows],
            Self::Many(values) => values.into_owned(),
        }
    }
}

/// A type whose columns can be read from little-endian bytes.
pub trait Plain: Copy + Default {
    const BYTES: usize = size_of::<Self>();
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl Plain for $kind {
            fn from_bytes(bytes: &[u8]) -> Self {
                bytes.try_into().map(Self::from_le_bytes).unwrap_or_default()
            }
        }
    )*};
}
plain!(f64, i64, u64, u32);

/// `rows` values; without a copy where the bytes lie as the machine wants them. Missing ones are 0.
pub fn plain<T: Plain>(bytes: &[u8], rows: usize) -> Cow<'_, [T]> {
    if cfg!(target_endian = "little") && bytes.len() == rows * T::BYTES {
        // SAFETY: every bit pattern is a value of the four types that are `Plain`.
        let (before, values, after) = unsafe { bytes.align_to::<T>() };
        if before.is_empty() && after.is_empty() {
            return Cow::Borrowed(values);
        }
    }
    let mut values: Vec<T> = bytes.chunks_exact(T::BYTES).take(rows).map(T::from_bytes).collect();
    values.resize(rows, T::default());
    Cow::Owned(values)
}

/// Numbers of one of the three kinds.
#[derive(Clone, Debug)]
pub enum Numbers<'a> {
    F64s(Flat<'a, f64>),
    S64s(Flat<'a, i64>),
    U64s(Flat<'a, u64>),
}

/// Both sides in one kind.
enum Pair<'a> {
    F64s(Flat<'a, f64>, Flat<'a, f64>),
    S64s(Flat<'a, i64>, Flat<'a, i64>),
    U64s(Flat<'a, u64>, Flat<'a, u64>),
    /// s64 and u64: exact, slow, rare.
    Wide(Flat<'a, i128>, Flat<'a, i128>),
}

impl<'a> Numbers<'a> {
    pub fn into_f64s(self) -> Flat<'a, f64> {
        match self {
            Self::F64s(values) => values,
            Self::S64s(values) => values.map(|value| value as f64),
            Self::U64s(values) => values.map(|value| value as f64),
        }
    }

    fn into_wide(self) -> Flat<'a, i128> {
        match self {
            Self::F64s(values) => values.map(|value| value as i128),
            Self::S64s(values) => values.map(i128::from),
            Self::U64s(values) => values.map(i128::from),
        }
    }

    /// A constant takes the kind of the column beside it where nothing is lost, so that the column need not be converted.
    fn towards(self, other: &Self) -> Self {
        match (&self, other) {
            (Self::F64s(Flat::One(value)), Self::S64s(_)) if exact(*value) => {
                Self::S64s(Flat::One(*value as i64))
            }
            (Self::F64s(Flat::One(value)), Self::U64s(_)) if exact(*value) && *value >= 0.0 => {
                Self::U64s(Flat::One(*value as u64))
            }
            (Self::S64s(Flat::One(value)), Self::U64s(_)) if *value >= 0 => {
                Self::U64s(Flat::One(*value as u64))
            }
            _ => self,
        }
    }
}

fn exact(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0
}

fn pair<'a>(left: Numbers<'a>, right: Numbers<'a>) -> Pair<'a> {
    match (left, right) {
        (Numbers::F64s(a), Numbers::F64s(b)) => Pair::F64s(a, b),
        (Numbers::S64s(a), Numbers::S64s(b)) => Pair::S64s(a, b),
        (Numbers::U64s(a), Numbers::U64s(b)) => Pair::U64s(a, b),
        (a @ Numbers::F64s(_), b) | (a, b @ Numbers::F64s(_)) => Pair::F64s(a.into_f64s(), b.into_f64s()),
        (a, b) => Pair::Wide(a.into_wide(), b.into_wide()),
    }
}

pub fn compare<'a>(op: Comparison, left: Numbers<'a>, right: Numbers<'a>) -> Flat<'a, u8> {
    let left = left.towards(&right);
    let right = right.towards(&left);
    match pair(left, right) {
        Pair::F64s(a, b) => compare_flat(op, &a, &b),
        Pair::S64s(a, b) => compare_flat(op, &a, &b),
        Pair::U64s(a, b) => compare_flat(op, &a, &b),
        Pair::Wide(a, b) => compare_flat(op, &a, &b),
    }
}

fn compare_flat<'a, T: Copy + Default + PartialOrd>(
    op: Comparison,
    a: &Flat<'a, T>,
    b: &Flat<'a, T>,
) -> Flat<'a, u8> {
    match op {
        Comparison::Equal => a.zip(b, |a, b| u8::from(a == b)),
        Comparison::Unequal => a.zip(b, |a, b| u8::from(a != b)),
        Comparison::Less => a.zip(b, |a, b| u8::from(a < b)),
        Comparison::LessOrEqual => a.zip(b, |a, b| u8::from(a <= b)),
        Comparison::Greater => a.zip(b, |a, b| u8::from(a > b)),
        Comparison::GreaterOrEqual => a.zip(b, |a, b| u8::from(a >= b)),
    }
}

/// The order of one row; equal where one is not a number.
pub fn order(left: &Numbers, right: &Numbers, row: usize) -> Ordering {
    match (left, right) {
        (Numbers::S64s(a), Numbers::S64s(b)) => a.get(row).cmp(&b.get(row)),
        (Numbers::U64s(a), Numbers::U64s(b)) => a.get(row).cmp(&b.get(row)),
        (Numbers::F64s(a), Numbers::F64s(b)) => a.get(row).total_cmp(&b.get(row)),
        _ => Ordering::Equal,
    }
}

/// The result, and where there is one (none: everywhere).
pub type Computed<'a> = (Numbers<'a>, Option<Vec<u8>>);

pub fn compute<'a>(op: Arithmetic, left: Numbers<'a>, right: Numbers<'a>) -> Computed<'a> {
    if op == Arithmetic::Divide {
        return compute_f64s(op, left.into_f64s(), right.into_f64s());
    }
    let (left, right) = match (&left, &right) {
        (Numbers::S64s(Flat::One(_)), Numbers::U64s(_)) => (left.towards(&right), right),
        (Numbers::U64s(_), Numbers::S64s(Flat::One(_))) => {
            let right = right.towards(&left);
            (left, right)
        }
        _ => (left, right),
    };
    match pair(left, right) {
        Pair::F64s(a, b) => compute_f64s(op, a, b),
        Pair::S64s(a, b) => {
            let (values, valid) = whole(match op {
                Arithmetic::Add => a.zip(&b, i64::checked_add),
                Arithmetic::Subtract => a.zip(&b, i64::checked_sub),
                Arithmetic::Multiply => a.zip(&b, i64::checked_mul),
                Arithmetic::Divide | Arithmetic::Remainder => a.zip(&b, i64::checked_rem),
            });
            (Numbers::S64s(values), valid)
        }
        Pair::U64s(a, b) => compute_u64s(op, a, b),
        Pair::Wide(a, b) => {
            let narrow = |value: Option<i128>| value.and_then(|value| i64::try_from(value).ok());
            let (values, valid) = whole(match op {
                Arithmetic::Add => a.zip(&b, |a, b| narrow(a.checked_add(b))),
                Arithmetic::Subtract => a.zip(&b, |a, b| narrow(a.checked_sub(b))),
                Arithmetic::Multiply => a.zip(&b, |a, b| narrow(a.checked_mul(b))),
                Arithmetic::Divide | Arithmetic::Remainder => a.zip(&b, |a, b| narrow(a.checked_rem(b))),
            });
            (Numbers::S64s(values), valid)
        }
    }
}

/// A difference of two u64 may be negative: it is s64. The rest stays u64.
fn compute_u64s<'a>(op: Arithmetic, a: Flat<'a, u64>, b: Flat<'a, u64>) -> Computed<'a> {
    let (values, valid) = match op {
        Arithmetic::Subtract => {
            let (values, valid) = whole(a.zip(&b, |a, b| i64::try_from(i128::from(a) - i128::from(b)).ok()));
            return (Numbers::S64s(values), valid);
        }
        Arithmetic::Add => whole(a.zip(&b, u64::checked_add)),
        Arithmetic::Multiply => whole(a.zip(&b, u64::checked_mul)),
        Arithmetic::Divide | Arithmetic::Remainder => whole(a.zip(&b, u64::checked_rem)),
    };
    (Numbers::U64s(values), valid)
}

fn compute_f64s<'a>(op: Arithmetic, a: Flat<'a, f64>, b: Flat<'a, f64>) -> Computed<'a> {
    let values = match op {
        Arithmetic::Add => a.zip(&b, |a, b| a + b),
        Arithmetic::Subtract => a.zip(&b, |a, b| a - b),
        Arithmetic::Multiply => a.zip(&b, |a, b| a * b),
        Arithmetic::Divide | Arithmetic::Remainder => {
            let defined = |a: f64, b: f64, value: f64| {
                if b == 0.0 || (a.is_finite() && !value.is_finite()) { None } else { Some(value) }
            };
            let (values, valid) = whole(if op == Arithmetic::Divide {
                a.zip(&b, |a, b| defined(a, b, a / b))
            } else {
                a.zip(&b, |a, b| defined(a, b, a % b))
            });
            return (Numbers::F64s(values), valid);
        }
    };
    (Numbers::F64s(values), None)
}

/// Takes results and their absence apart.
pub fn whole<'a, T: Copy + Default>(results: Flat<'a, Option<T>>) -> (Flat<'a, T>, Option<Vec<u8>>) {
    match results {
        Flat::One(Some(value)) => (Flat::One(value), None),
        Flat::One(None) => (Flat::One(T::default()), Some(Vec::new())),
        Flat::Many(results) => {
            let values = Flat::Many(results.iter().map(|result| result.unwrap_or_default()).collect());
            let complete = results.iter().all(Option::is_some);
            let valid =
                (!complete).then(|| results.iter().map(|result| u8::from(result.is_some())).collect());
            (values, valid)
        }
    }
}
