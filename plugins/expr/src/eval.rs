//! Walks the tree over whole columns.
//!
//! Every node gives a [`Value`]: data of one kind and where it is there. A part that depends on one column of categories only is computed
//! once for each name (and once for "not there") and then spread by code, unless there are more names than rows.
//! Three-valued logic: null is unknown; `and`, `or` and `not` follow it; a row passes a condition only where it is true.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::cast;
use crate::column::{Bits, Columns, Source, View};
use crate::function;
use crate::node::{Arithmetic, Comparison, Expr, Node};
use crate::number::{self, Flat, Numbers, plain};
use crate::text::{self, Names, Strings};
use crate::value::{Column, Scalar, Texts, Values};

#[derive(Clone, Debug)]
pub enum Data<'a> {
    Null,
    Numbers(Numbers<'a>),
    Times(Flat<'a, i64>),
    Bools(Flat<'a, u8>),
    Texts(Strings<'a>),
    Blobs(Strings<'a>),
}

/// None: there in every row.
pub type Valid<'a> = Option<Cow<'a, [u8]>>;

#[derive(Clone, Debug)]
pub struct Value<'a> {
    pub data: Data<'a>,
    pub valid: Valid<'a>,
}

impl<'a> Value<'a> {
    pub fn new(data: Data<'a>, valid: Valid<'a>) -> Self {
        // A constant that has no result is marked with an empty column of validity.
        match valid {
            Some(valid) if valid.is_empty() => Self { data: Data::Null, valid: None },
            valid => Self { data, valid },
        }
    }

    pub fn null() -> Self {
        Self { data: Data::Null, valid: None }
    }

    pub fn is_there(&self, row: usize) -> bool {
        !matches!(self.data, Data::Null) && self.valid.as_ref().is_none_or(|valid| valid.get(row) == Some(&1))
    }
}

pub fn mask(expr: &Expr, columns: &Columns) -> Vec<u8> {
    let rows = columns.rows();
    let value = Evaluation::of(expr, columns).value(&expr.root);
    match (value.data, value.valid) {
        (Data::Bools(bools), None) => bools.into_vec(rows),
        (Data::Bools(bools), Some(valid)) => {
            let mut mask = bools.into_vec(rows);
            mask.iter_mut().zip(valid.iter()).for_each(|(byte, valid)| *byte &= valid);
            mask
        }
        _ => vec![0; rows],
    }
}

pub fn column(expr: &Expr, columns: &Columns) -> Column {
    let value = Evaluation::of(expr, columns).value(&expr.root);
    into_column(value, columns.rows())
}

fn into_column(value: Value, rows: usize) -> Column {
    let valid = value.valid.map(Cow::into_owned);
    let mut values = match value.data {
        Data::Null => return Column { values: Values::Null, valid: Some(vec![0; rows]) },
        Data::Numbers(Numbers::F64s(flat)) => Values::F64s(flat.into_vec(rows)),
        Data::Numbers(Numbers::S64s(flat)) => Values::S64s(flat.into_vec(rows)),
        Data::Numbers(Numbers::U64s(flat)) => Values::U64s(flat.into_vec(rows)),
        Data::Times(flat) => Values::Timestamps(flat.into_vec(rows)),
        Data::Bools(flat) => Values::Bools(flat.into_vec(rows)),
        Data::Blobs(strings) => Values::Blobs(into_texts(strings, rows)),
        Data::Texts(Strings::One(text)) => {
            let mut names = Texts::default();
            names.push(&text);
            Values::Categories { codes: vec![0; rows], names }
        }
        Data::Texts(Strings::Coded { codes, names }) => {
            Values::Categories { codes: codes.into_owned(), names: names.into_texts() }
        }
        Data::Texts(strings) => Values::Texts(into_texts(strings, rows)),
    };
    if let Some(valid) = &valid {
        blank(&mut values, valid);
    }
    Column { values, valid }
}

fn into_texts(strings: Strings, rows: usize) -> Texts {
    match strings {
        Strings::Owned(texts) => texts,
        other => {
            let mut texts = Texts::with_capacity(rows, rows * 8);
            (0..rows).for_each(|row| texts.push(other.get(row)));
            texts
        }
    }
}

/// What is not there is 0 or empty, so that equal results are equal bytes.
fn blank(values: &mut Values, valid: &[u8]) {
    fn zero<T: Default>(values: &mut [T], valid: &[u8]) {
        values
            .iter_mut()
            .zip(valid)
            .filter(|(_, valid)| **valid == 0)
            .for_each(|(value, _)| *value = T::default());
    }
    match values {
        Values::Null => {}
        Values::F64s(values) => zero(values, valid),
        Values::S64s(values) | Values::Timestamps(values) => zero(values, valid),
        Values::U64s(values) => zero(values, valid),
        Values::Bools(values) => zero(values, valid),
        Values::Categories { codes, .. } => zero(codes, valid),
        Values::Texts(texts) | Values::Blobs(texts) => {
            let filled = (0..texts.len()).any(|row| valid.get(row) == Some(&0) && !texts.get(row).is_empty());
            if filled {
                let mut blanked = Texts::with_capacity(texts.len(), texts.data.len());
                (0..texts.len()).for_each(|row| {
                    blanked.push(if valid.get(row) == Some(&0) { &[] } else { texts.get(row) })
                });
                *texts = blanked;
            }
        }
    }
}

/// One run over one batch (or over the names of one column).
pub struct Evaluation<'a> {
    pub rows: usize,
    /// By column number of the expression; none: no such column, all null.
    sources: Vec<Option<Source<'a>>>,
}

impl<'a> Evaluation<'a> {
    fn of(expr: &Expr, columns: &Columns<'a>) -> Self {
        let sources = expr.columns().iter().map(|name| columns.get(name).copied()).collect();
        Self { rows: columns.rows(), sources }
    }

    pub fn value<'b>(&self, node: &'b Node) -> Value<'b>
    where
        'a: 'b,
    {
        if let Some(spread) = self.by_name(node) {
            return spread;
        }
        match node {
            Node::Column(index) => match self.sources.get(*index) {
                Some(Some(source)) => self.load(source),
                _ => Value::null(),
            },
            Node::Constant(scalar) => constant(scalar),
            Node::Negate(child) => self.negate(child),
            Node::Not(child) => self.not(child),
            Node::IsNull(child, negated) => self.is_null(child, *negated),
            Node::Arithmetic(op, pair) => self.arithmetic(*op, &pair[0], &pair[1]),
            Node::Compare(op, pair) => {
                let (left, right) = (self.value(&pair[0]), self.value(&pair[1]));
                self.compare(*op, left, right)
            }
            Node::Match(op, pair) => match (self.value(&pair[0]), self.value(&pair[1])) {
                (
                    Value { data: Data::Texts(a), valid: left },
                    Value { data: Data::Texts(b), valid: right },
                ) => {
                    let bools = Data::Bools(text::matches(*op, &a, &b, self.rows));
                    Value::new(bools, both(left, right))
                }
                _ => Value::null(),
            },
            Node::And(terms) => self.chain(terms, false),
            Node::Or(terms) => self.chain(terms, true),
            Node::In(child, items) => self.is_in(child, items),
            Node::Cast(child, kind) => cast::value(self.value(child), *kind, self.rows),
            Node::Call(function, arguments) => {
                let values = arguments.iter().map(|argument| self.value(argument)).collect();
                function::call(*function, values, self.rows)
            }
        }
    }

    /// Computes a part that knows one column of categories for the names instead of the rows.
    fn by_name<'b>(&self, node: &'b Node) -> Option<Value<'b>>
    where
        'a: 'b,
    {
        if node.children().is_empty() {
            return None;
        }
        let index = node.only_column()?;
        let source = (*self.sources.get(index)?)?;
        let View::Categories { codes, names } = source.view else { return None };
        let count = names.len();
        if count > self.rows {
            return None;
        }
        // One row more than there are names: the column where it is not there.
        let mut there = vec![1; count + 1];
        there.pop();
        there.push(0);
        let texts = Source { view: View::Texts(names), valid: Some(Bits::Bytes(&there)) };
        let mut sources = vec![None; self.sources.len()];
        *sources.get_mut(index)? = Some(texts);
        let result = Evaluation { rows: count + 1, sources }.value_owned(node);
        let mut codes = plain::<u32>(codes, self.rows).into_owned();
        let valid = source.valid.map(|valid| valid.bytes(self.rows));
        for (row, code) in codes.iter_mut().enumerate() {
            let is_there = valid.as_ref().is_none_or(|valid| valid.get(row) == Some(&1));
            *code = if is_there { (*code).min(count as u32) } else { count as u32 };
        }
        Some(spread(result, codes))
    }

    /// The value with nothing borrowed from the columns.
    fn value_owned(&self, node: &Node) -> Value<'static> {
        let value = self.value(node);
        from_column(into_column(value, self.rows))
    }

    fn load(&self, source: &Source<'a>) -> Value<'a> {
        let rows = self.rows;
        let data = match source.view {
            View::F64s(bytes) => Data::Numbers(Numbers::F64s(Flat::Many(plain(bytes, rows)))),
            View::S64s(bytes) => Data::Numbers(Numbers::S64s(Flat::Many(plain(bytes, rows)))),
            View::U64s(bytes) => Data::Numbers(Numbers::U64s(Flat::Many(plain(bytes, rows)))),
            View::Timestamps(bytes) => Data::Times(Flat::Many(plain(bytes, rows))),
            View::Bools(bits) => Data::Bools(Flat::Many(bits.bytes(rows))),
            View::Texts(packed) => Data::Texts(Strings::Packed(packed)),
            View::Blobs(packed) => Data::Blobs(Strings::Packed(packed)),
            View::Categories { codes, names } => {
                Data::Texts(Strings::Coded { codes: plain(codes, rows), names: Names::Packed(names) })
            }
        };
        Value { data, valid: source.valid.map(|valid| valid.bytes(rows)) }
    }

    fn negate<'b>(&self, child: &'b Node) -> Value<'b>
    where
        'a: 'b,
    {
        let value = self.value(child);
        let zero = Value::new(Data::Numbers(Numbers::S64s(Flat::One(0))), None);
        match value.data {
            Data::Numbers(Numbers::F64s(flat)) => {
                Value { data: Data::Numbers(Numbers::F64s(flat.map(|value| -value))), valid: value.valid }
            }
            _ => arithmetic(Arithmetic::Subtract, zero, value),
        }
    }

    fn not<'b>(&self, child: &'b Node) -> Value<'b>
    where
        'a: 'b,
    {
        match self.value(child) {
            Value { data: Data::Bools(flat), valid } => {
                Value { data: Data::Bools(flat.map(|byte| byte ^ 1)), valid }
            }
            _ => Value::null(),
        }
    }

    fn is_null<'b>(&self, child: &'b Node, negated: bool) -> Value<'b>
    where
        'a: 'b,
    {
        let value = self.value(child);
        let there = u8::from(negated);
        let flat = match (&value.data, &value.valid) {
            (Data::Null, _) => Flat::One(1 - there),
            (_, None) => Flat::One(there),
            (_, Some(valid)) => {
                Flat::many(valid.iter().map(|valid| if *valid == 0 { 1 - there } else { there }).collect())
            }
        };
        Value::new(Data::Bools(flat), None)
    }

    fn arithmetic<'b>(&self, op: Arithmetic, left: &'b Node, right: &'b Node) -> Value<'b>
    where
        'a: 'b,
    {
        arithmetic(op, self.value(left), self.value(right))
    }

    pub fn compare<'b>(&self, op: Comparison, left: Value<'b>, right: Value<'b>) -> Value<'b> {
        let bools = match (left.data, right.data) {
            (Data::Numbers(a), Data::Numbers(b)) => number::compare(op, a, b),
            (Data::Times(a), Data::Times(b)) => number::compare(op, Numbers::S64s(a), Numbers::S64s(b)),
            (Data::Times(a), Data::Numbers(b)) => number::compare(op, Numbers::S64s(a), b),
            (Data::Numbers(a), Data::Times(b)) => number::compare(op, a, Numbers::S64s(b)),
            (Data::Texts(a @ Strings::One(_)), Data::Texts(b)) if !b.is_one() => {
                text::compare(op.mirrored(), &b, &a, self.rows)
            }
            (Data::Texts(a), Data::Texts(b)) => text::compare(op, &a, &b, self.rows),
            (Data::Bools(a), Data::Bools(b)) if op == Comparison::Equal => a.zip(&b, |a, b| u8::from(a == b)),
            (Data::Bools(a), Data::Bools(b)) if op == Comparison::Unequal => {
                a.zip(&b, |a, b| u8::from(a != b))
            }
            _ => return Value::null(),
        };
        Value::new(Data::Bools(bools), both(left.valid, right.valid))
    }

    /// `and` is `or` with everything turned round, so one loop serves both. A term that is no truth value is unknown.
    fn chain<'b>(&self, terms: &'b [Node], is_or: bool) -> Value<'b>
    where
        'a: 'b,
    {
        // Bytes that are 1 where a term decides (true for `or`, false for `and`), and where no term so far is unknown.
        let mut decided: Flat<u8> = Flat::One(0);
        let mut known: Flat<u8> = Flat::One(1);
        for term in terms {
            let value = self.value(term);
            let Data::Bools(bools) = value.data else {
                known = Flat::One(0);
                continue;
            };
            let decides = if is_or { bools } else { bools.map(|byte| byte ^ 1) };
            match value.valid {
                None => decided = decided.zip(&decides, |a, b| a | b),
                Some(valid) => {
                    let valid = Flat::Many(valid);
                    decided = decided.zip(&decides.zip(&valid, |a, b| a & b), |a, b| a | b);
                    known = known.zip(&valid, |a, b| a & b);
                }
            }
        }
        let valid = match (&known, &decided) {
            (Flat::One(1), _) => None,
            _ => match decided.zip(&known, |a, b| a | b) {
                Flat::One(0) => return Value::null(),
                Flat::One(_) => None,
                Flat::Many(valid) => Some(valid),
            },
        };
        Value::new(Data::Bools(if is_or { decided } else { decided.map(|byte| byte ^ 1) }), valid)
    }

    fn is_in<'b>(&self, child: &'b Node, items: &'b [Scalar]) -> Value<'b>
    where
        'a: 'b,
    {
        let value = self.value(child);
        if matches!(value.data, Data::Null) {
            return value;
        }
        let mut found: Flat<u8> = Flat::One(0);
        if let (Data::Texts(strings), true) = (&value.data, items.len() > 8) {
            let set: BTreeSet<&[u8]> = items.iter().filter_map(Scalar::as_text).collect();
            found = strings.map(self.rows, |text| u8::from(set.contains(text)));
        } else {
            for item in items {
                let one = Value { data: value.data.clone(), valid: None };
                if let Data::Bools(equal) = self.compare(Comparison::Equal, one, constant(item)).data {
                    found = found.zip(&equal, |a, b| a | b);
                }
            }
        }
        Value { data: Data::Bools(found), valid: value.valid }
    }
}

impl Scalar {
    fn as_text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }
}

pub fn constant(scalar: &Scalar) -> Value<'_> {
    let data = match scalar {
        Scalar::Null => Data::Null,
        Scalar::Bool(value) => Data::Bools(Flat::One(u8::from(*value))),
        Scalar::S64(value) => Data::Numbers(Numbers::S64s(Flat::One(*value))),
        Scalar::U64(value) => Data::Numbers(Numbers::U64s(Flat::One(*value))),
        Scalar::F64(value) => Data::Numbers(Numbers::F64s(Flat::One(*value))),
        Scalar::Text(text) => Data::Texts(Strings::One(Cow::Borrowed(text.as_bytes()))),
    };
    Value { data, valid: None }
}

pub fn both<'a>(left: Valid<'a>, right: Valid<'a>) -> Valid<'a> {
    match (left, right) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) => Some(a.iter().zip(b.iter()).map(|(a, b)| a & b).collect()),
    }
}

fn arithmetic<'a>(op: Arithmetic, left: Value<'a>, right: Value<'a>) -> Value<'a> {
    let moves = matches!(op, Arithmetic::Add | Arithmetic::Subtract);
    let (a, b, is_time) = match (left.data, right.data) {
        (Data::Numbers(a), Data::Numbers(b)) => (a, b, false),
        (Data::Times(a), Data::Times(b)) if op == Arithmetic::Subtract => {
            (Numbers::S64s(a), Numbers::S64s(b), false)
        }
        (Data::Times(a), Data::Numbers(b)) if moves => (Numbers::S64s(a), b, true),
        (Data::Numbers(a), Data::Times(b)) if op == Arithmetic::Add => (a, Numbers::S64s(b), true),
        _ => return Value::null(),
    };
    let (numbers, absent) = number::compute(op, a, b);
    let valid = both(both(left.valid, right.valid), absent.map(Cow::Owned));
    let data = match numbers {
        Numbers::S64s(flat) if is_time => Data::Times(flat),
        Numbers::F64s(flat) if is_time => Data::Times(flat.map(|value| value as i64)),
        numbers => Data::Numbers(numbers),
    };
    Value::new(data, valid)
}

/// Values that belong to nobody else.
pub fn from_column(column: Column) -> Value<'static> {
    let data = match column.values {
        Values::Null => return Value::null(),
        Values::F64s(values) => Data::Numbers(Numbers::F64s(Flat::many(values))),
        Values::S64s(values) => Data::Numbers(Numbers::S64s(Flat::many(values))),
        Values::U64s(values) => Data::Numbers(Numbers::U64s(Flat::many(values))),
        Values::Timestamps(values) => Data::Times(Flat::many(values)),
        Values::Bools(values) => Data::Bools(Flat::many(values)),
        Values::Texts(texts) => Data::Texts(Strings::Owned(texts)),
        Values::Blobs(texts) => Data::Blobs(Strings::Owned(texts)),
        Values::Categories { codes, names } => {
            Data::Texts(Strings::Coded { codes: Cow::Owned(codes), names: Names::Owned(names) })
        }
    };
    Value { data, valid: column.valid.map(Cow::Owned) }
}

/// A result for each name to one for each row; `codes` are below the count of results.
fn spread(result: Value<'static>, codes: Vec<u32>) -> Value<'static> {
    fn picked<T: Copy + Default>(flat: &Flat<T>, codes: &[u32]) -> Flat<'static, T> {
        Flat::many(codes.iter().map(|code| flat.get(*code as usize)).collect())
    }
    let valid = result.valid.and_then(|valid| {
        let complete = valid.iter().all(|valid| *valid == 1);
        (!complete).then(|| picked(&Flat::Many(valid), &codes).into_vec(codes.len()).into())
    });
    let data = match result.data {
        Data::Null => Data::Null,
        Data::Numbers(Numbers::F64s(flat)) => Data::Numbers(Numbers::F64s(picked(&flat, &codes))),
        Data::Numbers(Numbers::S64s(flat)) => Data::Numbers(Numbers::S64s(picked(&flat, &codes))),
        Data::Numbers(Numbers::U64s(flat)) => Data::Numbers(Numbers::U64s(picked(&flat, &codes))),
        Data::Times(flat) => Data::Times(picked(&flat, &codes)),
        Data::Bools(flat) => Data::Bools(picked(&flat, &codes)),
        Data::Texts(strings) => {
            let (numbers, names) = distinct(&strings, result_rows(&codes));
            let codes = codes.iter().map(|code| numbers.get(*code as usize).copied().unwrap_or(0)).collect();
            Data::Texts(Strings::Coded { codes, names: Names::Owned(names) })
        }
        // Categories never make byte strings.
        Data::Blobs(_) => Data::Null,
    };
    Value { data, valid }
}

fn result_rows(codes: &[u32]) -> usize {
    codes.iter().max().map_or(0, |most| *most as usize + 1)
}

/// Distinct texts, and the number of each row's among them.
fn distinct(strings: &Strings, rows: usize) -> (Vec<u32>, Texts) {
    let mut known: BTreeMap<&[u8], u32> = BTreeMap::new();
    let mut names = Texts::default();
    let numbers = (0..rows)
        .map(|row| {
            let text = strings.get(row);
            *known.entry(text).or_insert_with(|| {
                names.push(text);
                names.len() as u32 - 1
            })
        })
        .collect();
    (numbers, names)
}
