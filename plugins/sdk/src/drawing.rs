//! What formatters share: reading the fields of series, naming series, and making the parts of a chart.
//!
//! In: [`Input`]s of a request. Out: numbers by field (NaN: no value), cut to the range of the request; names of series ([`names`]); axes, marks and tables in
//! the words of a chart's description. Errors: no series has a field that is asked for; the message names those there are.

pub mod names;

use crate::column::{Number, S64s, bytes_of};
use crate::formatter::{Axis, Binding, Input, Mark, Request, Table};
use crate::{Column, Extra, Failure, FailureExt, Values};

/// Label and measure of an axis must not be empty.
const PLAIN: &str = "1";

/// The rows of an input that are in the range: times are sorted.
pub fn range(input: &Input, request: &Request) -> std::ops::Range<usize> {
    let times = S64s::new(&input.batch.time).to_vec();
    let start = times.partition_point(|time| *time < request.start);
    let end = times.partition_point(|time| *time < request.end).max(start);
    start..end
}

/// Times of the rows in the range, ns since 1970.
pub fn times_of(input: &Input, request: &Request) -> Vec<i64> {
    let times = S64s::new(&input.batch.time).to_vec();
    times.get(range(input, request)).unwrap_or_default().to_vec()
}

/// Names and numbers of the fields that are wanted (none: all) in the range, in the order of the series.
pub fn fields<'a>(input: &'a Input, request: &Request, wanted: &[String]) -> Vec<(&'a str, Vec<f64>)> {
    let range = range(input, request);
    let is_wanted = |column: &&Column| wanted.is_empty() || wanted.contains(&column.name);
    let columns = input.batch.columns.iter().filter(is_wanted);
    columns
        .filter_map(|column| {
            Some((column.name.as_str(), numbers(column)?.get(range.clone()).unwrap_or_default().to_vec()))
        })
        .collect()
}

/// The fields to draw, as configured, else the first that there is; empty where there is no series.
pub fn wanted_fields(request: &Request, configured: &[String]) -> Result<Vec<String>, Failure> {
    let is_there = |field: &&String| {
        let mut columns = request.inputs.iter().flat_map(|input| &input.batch.columns);
        columns.any(|column| column.name == **field)
    };
    let first = request.inputs.iter().flat_map(|input| &input.batch.columns).next();
    match configured.iter().find(|field| !is_there(field)).filter(|_| !request.inputs.is_empty()) {
        Some(field) => Err(no_field(request, std::slice::from_ref(field))),
        None if configured.is_empty() => Ok(first.map(|column| column.name.clone()).into_iter().collect()),
        None => Ok(configured.to_vec()),
    }
}

pub fn no_field(request: &Request, wanted: &[String]) -> Failure {
    let columns = request.inputs.iter().flat_map(|input| &input.batch.columns);
    let mut there: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
    there.sort_unstable();
    there.dedup();
    let wanted = wanted.join("`, `");
    Failure::fail("no-field", format!("no series has a field `{wanted}`; there are: {}", there.join(", ")))
}

/// One field or a list of them, as a configuration gives it.
pub fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged, expecting = "a field or a list of fields")]
    enum Fields {
        One(String),
        More(Vec<String>),
    }
    Ok(match serde::Deserialize::deserialize(deserializer)? {
        Fields::One(field) => vec![field],
        Fields::More(fields) => fields,
    })
}

/// None where the column has no numbers.
pub fn numbers(column: &Column) -> Option<Vec<f64>> {
    fn eights<T: Number>(bytes: &[u8], number: fn(T) -> f64) -> Vec<f64> {
        crate::column::Numbers::<T>::new(bytes).iter().map(number).collect()
    }
    let mut numbers = match &column.values {
        Values::F64s(bytes) => eights::<f64>(bytes, |number| number),
        Values::S64s(bytes) => eights::<i64>(bytes, |number| number as f64),
        Values::U64s(bytes) => eights::<u64>(bytes, |number| number as f64),
        Values::Bools(flags) => flags.iter().map(|flag| f64::from(*flag)).collect(),
        _ => return None,
    };
    for (number, valid) in numbers.iter_mut().zip(column.valid.iter().flatten()) {
        if *valid == 0 {
            *number = f64::NAN;
        }
    }
    Some(numbers)
}

/// By one label, or by all; the metric where there are none.
pub fn name(input: &Input, label_by: &str) -> String {
    match names::for_people(&input.labels, label_by) {
        name if name.is_empty() => input.name.clone(),
        name => name,
    }
}

/// The configured one, else that of the first series.
pub fn measure(request: &Request, configured: &str) -> String {
    let first = request.inputs.first().map_or("", |input| input.measure.as_str());
    [configured, first, PLAIN].into_iter().find(|measure| !measure.is_empty()).unwrap_or(PLAIN).to_owned()
}

/// Of the request, else the metric.
pub fn title(request: &Request) -> String {
    let given =
        request.extras.iter().find(|extra| extra.name == "weir.title").map(|extra| extra.value.clone());
    let metric = request.inputs.first().map(|input| input.name.clone());
    given.filter(|title| !title.is_empty()).or(metric).unwrap_or_else(|| "no data yet".to_owned())
}

pub fn axis(name: &str, label: &str, measure: &str, scale: &str) -> Axis {
    let (label, measure) =
        (if label.is_empty() { "value" } else { label }, if measure.is_empty() { PLAIN } else { measure });
    Axis {
        name: name.to_owned(),
        label: label.to_owned(),
        measure: measure.to_owned(),
        scale: scale.to_owned(),
        extras: Vec::new(),
    }
}

/// Bindings are (role, column, axis).
pub fn mark(shape: &str, table: &str, label: &str, bindings: &[(&str, &str, &str)]) -> Mark {
    let binding = |(role, column, axis): &(&str, &str, &str)| Binding {
        role: (*role).to_owned(),
        column: (*column).to_owned(),
        axis: (*axis).to_owned(),
    };
    Mark {
        shape: shape.to_owned(),
        table: table.to_owned(),
        label: label.to_owned(),
        bindings: bindings.iter().map(binding).collect(),
        estimated: false,
        stack: String::new(),
        extras: Vec::new(),
    }
}

pub fn table(name: &str, rows: usize, columns: Vec<Column>) -> Table {
    Table { name: name.to_owned(), rows: rows as u32, columns }
}

/// Numbers where NaN is no value.
pub fn column(name: &str, numbers: &[f64]) -> Column {
    let missing = numbers.iter().any(|number| number.is_nan());
    let valid = missing.then(|| numbers.iter().map(|number| u8::from(!number.is_nan())).collect());
    let there: Vec<f64> = numbers.iter().map(|number| if number.is_nan() { 0.0 } else { *number }).collect();
    Column { name: name.to_owned(), values: Values::F64s(bytes_of(&there)), valid }
}

pub fn extra(name: &str, value: impl Into<String>) -> Extra {
    Extra { name: name.to_owned(), value: value.into() }
}

/// Cuts a list to its bound; the extra that says how many are left out.
pub fn cut<T>(list: &mut Vec<T>, max: usize) -> Option<Extra> {
    let all = list.len();
    list.truncate(max);
    (all > max).then(|| extra("weir.left_out", format!("{} of {all} series", all - max)))
}

pub fn times(name: &str, unix_ns: &[i64]) -> Column {
    Column { name: name.to_owned(), values: Values::Timestamps(bytes_of(unix_ns)), valid: None }
}
