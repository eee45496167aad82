//! The functions of the language, each over whole columns.
//!
//! Null in, null out, except `coalesce` (the first that is there), `if` (an unknown condition is false), `min` and `max` (over those that are there)
//! and `concat` (what is not there is left out). Arguments of another kind than wanted are null.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::cast::{self, Kind};
use crate::eval::{Data, Value, both};
use crate::node::Sort;
use crate::number::{self, Flat, Numbers, whole};
use crate::text::Strings;
use crate::value::Texts;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Abs,
    Round,
    Floor,
    Ceil,
    Sqrt,
    Log,
    Log2,
    Log10,
    Exp,
    Pow,
    Min,
    Max,
    Length,
    Lower,
    Upper,
    Trim,
    Concat,
    Coalesce,
    If,
}

/// Name, function, fewest and most arguments, how it is written.
const TABLE: [(&str, Function, usize, usize, &str); 20] = [
    ("abs", Function::Abs, 1, 1, "abs(x)"),
    ("round", Function::Round, 1, 2, "round(x) or round(x, digits)"),
    ("floor", Function::Floor, 1, 1, "floor(x)"),
    ("ceil", Function::Ceil, 1, 1, "ceil(x)"),
    ("sqrt", Function::Sqrt, 1, 1, "sqrt(x)"),
    ("log", Function::Log, 1, 1, "log(x)"),
    ("ln", Function::Log, 1, 1, "ln(x)"),
    ("log2", Function::Log2, 1, 1, "log2(x)"),
    ("log10", Function::Log10, 1, 1, "log10(x)"),
    ("exp", Function::Exp, 1, 1, "exp(x)"),
    ("pow", Function::Pow, 2, 2, "pow(x, y)"),
    ("min", Function::Min, 2, 16, "min(a, b, ...)"),
    ("max", Function::Max, 2, 16, "max(a, b, ...)"),
    ("length", Function::Length, 1, 1, "length(text)"),
    ("lower", Function::Lower, 1, 1, "lower(text)"),
    ("upper", Function::Upper, 1, 1, "upper(text)"),
    ("trim", Function::Trim, 1, 1, "trim(text)"),
    ("concat", Function::Concat, 1, 16, "concat(a, b, ...)"),
    ("coalesce", Function::Coalesce, 1, 16, "coalesce(a, b, ...)"),
    ("if", Function::If, 3, 3, "if(condition, then, else)"),
];

impl Function {
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    pub fn all_names() -> String {
        let casts = Kind::NAMES.iter().copied();
        let matches = ["starts_with", "ends_with", "contains"];
        TABLE.iter().map(|row| row.0).chain(casts).chain(matches).collect::<Vec<_>>().join(", ")
    }

    /// Sort of the result, or what is wrong with the arguments.
    pub fn check(self, arguments: &[Sort]) -> Result<Sort, String> {
        let Some((name, _, fewest, most, form)) = TABLE.iter().find(|row| row.1 == self) else {
            return Ok(Sort::Any);
        };
        if !(*fewest..=*most).contains(&arguments.len()) {
            return Err(format!("{name}() with {} arguments; write {form}", arguments.len()));
        }
        let all = |wanted: Sort| match arguments.iter().find(|sort| !sort.fits(wanted)) {
            Some(sort) => Err(format!("{form} wants {}, not {}", wanted.name(), sort.name())),
            None => Ok(()),
        };
        match self {
            Self::Length => all(Sort::Text).map(|()| Sort::Number),
            Self::Lower | Self::Upper | Self::Trim => all(Sort::Text).map(|()| Sort::Text),
            Self::Concat => Ok(Sort::Text),
            Self::Coalesce | Self::Min | Self::Max => same(arguments, form),
            Self::If => match arguments {
                [condition, _, _] if !condition.fits(Sort::Bool) => {
                    Err(format!("{form}: the condition is {}, not true or false", condition.name()))
                }
                [_, values @ ..] => same(values, form),
                [] => Ok(Sort::Any),
            },
            _ => all(Sort::Number).map(|()| Sort::Number),
        }
    }
}

fn same(sorts: &[Sort], form: &str) -> Result<Sort, String> {
    let mut common = Sort::Any;
    for sort in sorts {
        match (common, *sort) {
            (_, Sort::Any) => {}
            (Sort::Any, known) => common = known,
            (known, sort) if known == sort => {}
            (known, sort) => {
                return Err(format!("{form} mixes {} and {}; convert one", known.name(), sort.name()));
            }
        }
    }
    Ok(if sorts.contains(&Sort::Any) { Sort::Any } else { common })
}

pub fn call<'a>(function: Function, arguments: Vec<Value<'a>>, rows: usize) -> Value<'a> {
    match function {
        Function::Concat => return concat(&arguments, rows),
        Function::Coalesce => {
            return choose(arguments, rows, |values, row| {
                values.iter().position(|value| value.is_there(row))
            });
        }
        Function::Min => return extreme(arguments, rows, Ordering::Less),
        Function::Max => return extreme(arguments, rows, Ordering::Greater),
        Function::If => return choice(arguments, rows),
        _ => {}
    }
    let mut arguments = arguments.into_iter();
    let Some(first) = arguments.next() else { return Value::null() };
    match (function, arguments.next()) {
        (Function::Pow, Some(second)) => float_pair(first, second, |a, b| finite(a, a.powf(b))),
        (Function::Round, Some(second)) => float_pair(first, second, |value, digits| {
            let scale = 10f64.powf(digits.clamp(-15.0, 15.0).trunc());
            finite(value, (value * scale).round() / scale)
        }),
        (Function::Length | Function::Lower | Function::Upper | Function::Trim, _) => {
            of_text(function, first, rows)
        }
        _ => of_number(function, first),
    }
}

/// A finite number in must give a finite number out.
fn finite(before: f64, after: f64) -> Option<f64> {
    (after.is_finite() || !before.is_finite()).then_some(after)
}

fn float_pair<'a>(left: Value<'a>, right: Value<'a>, f: impl Fn(f64, f64) -> Option<f64>) -> Value<'a> {
    match (left.data, right.data) {
        (Data::Numbers(a), Data::Numbers(b)) => {
            let (values, there) = whole(a.into_f64s().zip(&b.into_f64s(), f));
            let valid = both(both(left.valid, right.valid), there.map(Cow::Owned));
            Value::new(Data::Numbers(Numbers::F64s(values)), valid)
        }
        _ => Value::null(),
    }
}

fn of_number(function: Function, value: Value) -> Value {
    let Value { data: Data::Numbers(numbers), valid } = value else { return Value::null() };
    let (numbers, there) = match (function, numbers) {
        // A whole number is rounded already.
        (
            Function::Round | Function::Floor | Function::Ceil,
            whole @ (Numbers::S64s(_) | Numbers::U64s(_)),
        ) => (whole, None),
        (Function::Abs, whole @ Numbers::U64s(_)) => (whole, None),
        (Function::Abs, Numbers::S64s(flat)) => {
            let (flat, there) = whole(flat.map(i64::checked_abs));
            (Numbers::S64s(flat), there)
        }
        (function, numbers) => {
            let (flat, there) = of_f64s(function, numbers.into_f64s());
            (Numbers::F64s(flat), there)
        }
    };
    Value::new(Data::Numbers(numbers), both(valid, there.map(Cow::Owned)))
}

fn of_f64s(function: Function, flat: Flat<f64>) -> (Flat<f64>, Option<Vec<u8>>) {
    let partial = |f: fn(f64) -> f64| {
        whole(flat.map(|value| finite(value, f(value)).filter(|result| !result.is_nan() || value.is_nan())))
    };
    match function {
        Function::Abs => (flat.map(f64::abs), None),
        Function::Round => (flat.map(f64::round), None),
        Function::Floor => (flat.map(f64::floor), None),
        Function::Ceil => (flat.map(f64::ceil), None),
        Function::Sqrt => partial(f64::sqrt),
        Function::Log => partial(f64::ln),
        Function::Log2 => partial(f64::log2),
        Function::Log10 => partial(f64::log10),
        Function::Exp => partial(f64::exp),
        _ => (Flat::One(0.0), Some(Vec::new())),
    }
}

fn of_text<'a>(function: Function, value: Value<'a>, rows: usize) -> Value<'a> {
    let (strings, is_text) = match value.data {
        Data::Texts(strings) => (strings, true),
        Data::Blobs(strings) if function == Function::Length => (strings, false),
        _ => return Value::null(),
    };
    if function == Function::Length {
        let characters = |text: &[u8]| text.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as i64;
        let lengths = strings.map(rows, |text| if is_text { characters(text) } else { text.len() as i64 });
        return Value { data: Data::Numbers(Numbers::S64s(lengths)), valid: value.valid };
    }
    let changed = |text: &[u8]| -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        match function {
            Function::Lower => text.to_lowercase().into_bytes(),
            Function::Upper => text.to_uppercase().into_bytes(),
            _ => text.trim().as_bytes().to_vec(),
        }
    };
    let strings = match strings {
        Strings::One(text) => Strings::One(changed(&text).into()),
        strings => {
            let mut texts = Texts::with_capacity(rows, rows * 8);
            (0..rows).for_each(|row| texts.push(&changed(strings.get(row))));
            Strings::Owned(texts)
        }
    };
    Value { data: Data::Texts(strings), valid: value.valid }
}

fn concat<'a>(arguments: &[Value<'a>], rows: usize) -> Value<'a> {
    let parts: Vec<Value> =
        arguments.iter().map(|argument| cast::value(argument.clone(), Kind::Text, rows)).collect();
    let mut texts = Texts::with_capacity(rows, rows * 16);
    let mut joined = Vec::new();
    for row in 0..rows {
        joined.clear();
        for part in parts.iter().filter(|part| part.is_there(row)) {
            if let Data::Texts(strings) = &part.data {
                joined.extend_from_slice(strings.get(row));
            }
        }
        texts.push(&joined);
    }
    Value { data: Data::Texts(Strings::Owned(texts)), valid: None }
}

fn choice(arguments: Vec<Value>, rows: usize) -> Value {
    let mut arguments = arguments.into_iter();
    let condition = arguments.next().unwrap_or_else(Value::null);
    let truth = |row: usize| match &condition.data {
        Data::Bools(flat) => flat.get(row) == 1 && condition.is_there(row),
        _ => false,
    };
    choose(arguments.collect(), rows, |_, row| Some(usize::from(!truth(row))))
}

/// Of those that are there, the one that is `wanted` against all others. NaN counts as above all numbers.
fn extreme(arguments: Vec<Value>, rows: usize, wanted: Ordering) -> Value {
    choose(arguments, rows, |values, row| {
        let mut best: Option<usize> = None;
        for (index, value) in values.iter().enumerate().filter(|(_, value)| value.is_there(row)) {
            let better =
                best.and_then(|best| values.get(best)).is_none_or(|best| order(value, best, row) == wanted);
            best = if better { Some(index) } else { best };
        }
        best
    })
}

fn order(left: &Value, right: &Value, row: usize) -> Ordering {
    match (&left.data, &right.data) {
        (Data::Numbers(a), Data::Numbers(b)) => number::order(a, b, row),
        (Data::Times(a), Data::Times(b)) => a.get(row).cmp(&b.get(row)),
        (Data::Texts(a), Data::Texts(b)) => a.get(row).cmp(b.get(row)),
        _ => Ordering::Equal,
    }
}

/// For each row the value of the argument that `pick` names, all brought to one kind first; arguments of different kinds give null.
fn choose<'a>(
    arguments: Vec<Value<'a>>,
    rows: usize,
    pick: impl Fn(&[Value<'a>], usize) -> Option<usize>,
) -> Value<'a> {
    let Some(values) = one_kind(arguments, rows) else { return Value::null() };
    let picks: Vec<Option<usize>> = (0..rows)
        .map(|row| {
            pick(&values, row).filter(|index| values.get(*index).is_some_and(|value| value.is_there(row)))
        })
        .collect();
    macro_rules! flat {
        ($pattern:pat => $flat:expr) => {
            picks
                .iter()
                .enumerate()
                .map(|(row, pick)| match pick.and_then(|index| values.get(index)).map(|value| &value.data) {
                    Some($pattern) => $flat.get(row),
                    _ => Default::default(),
                })
                .collect()
        };
    }
    let data = match values.iter().map(|value| &value.data).find(|data| !matches!(data, Data::Null)) {
        None => return Value::null(),
        Some(Data::Numbers(Numbers::F64s(_))) => {
            Data::Numbers(Numbers::F64s(Flat::many(flat!(Data::Numbers(Numbers::F64s(flat)) => flat))))
        }
        Some(Data::Numbers(Numbers::S64s(_))) => {
            Data::Numbers(Numbers::S64s(Flat::many(flat!(Data::Numbers(Numbers::S64s(flat)) => flat))))
        }
        Some(Data::Numbers(Numbers::U64s(_))) => {
            Data::Numbers(Numbers::U64s(Flat::many(flat!(Data::Numbers(Numbers::U64s(flat)) => flat))))
        }
        Some(Data::Times(_)) => Data::Times(Flat::many(flat!(Data::Times(flat) => flat))),
        Some(Data::Bools(_)) => Data::Bools(Flat::many(flat!(Data::Bools(flat) => flat))),
        Some(Data::Texts(_) | Data::Blobs(_)) => chosen_texts(&values, &picks, rows),
        Some(Data::Null) => return Value::null(),
    };
    let complete = picks.iter().all(Option::is_some);
    let valid = (!complete).then(|| picks.iter().map(|pick| u8::from(pick.is_some())).collect());
    Value { data, valid }
}

fn chosen_texts<'a>(values: &[Value<'a>], picks: &[Option<usize>], rows: usize) -> Data<'a> {
    let mut texts = Texts::with_capacity(rows, rows * 8);
    for (row, pick) in picks.iter().enumerate() {
        match pick.and_then(|index| values.get(index)).map(|value| &value.data) {
            Some(Data::Texts(strings) | Data::Blobs(strings)) => texts.push(strings.get(row)),
            _ => texts.push(&[]),
        }
    }
    let blobs = values.iter().any(|value| matches!(value.data, Data::Blobs(_)));
    if blobs { Data::Blobs(Strings::Owned(texts)) } else { Data::Texts(Strings::Owned(texts)) }
}

fn one_kind<'a>(mut values: Vec<Value<'a>>, rows: usize) -> Option<Vec<Value<'a>>> {
    let kinds: Vec<u8> =
        values.iter().map(|value| kind_number(&value.data)).filter(|kind| *kind > 0).collect();
    let (fewest, most) = (kinds.iter().min().copied().unwrap_or(0), kinds.iter().max().copied().unwrap_or(0));
    if fewest == most {
        return Some(values);
    }
    // Numbers of different kinds: f64 if there is one, else s64.
    if most > 3 {
        return None;
    }
    let common = if most == 3 { Kind::F64 } else { Kind::S64 };
    for value in &mut values {
        *value = cast::value(value.clone(), common, rows);
    }
    Some(values)
}

fn kind_number(data: &Data) -> u8 {
    match data {
        Data::Null => 0,
        Data::Numbers(Numbers::S64s(_)) => 1,
        Data::Numbers(Numbers::U64s(_)) => 2,
        Data::Numbers(Numbers::F64s(_)) => 3,
        Data::Times(_) => 4,
        Data::Bools(_) => 5,
        Data::Texts(_) => 6,
        Data::Blobs(_) => 7,
    }
}
