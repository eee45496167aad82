//! The formatter as a component of the world `formatter`: between the contract's records and [`crate::chart`].
//!
//! The chart's title is the request's extra `weir.title`, else the name of the metric. Columns of numbers and of flags (0, 1) are fields; others are passed over.

use weir_sdk::bindings::formatter::exports::weir::plugin::{manifest, rendering};
use weir_sdk::bindings::unit::weir::plugin::types::{Column, Extra, Failure, Values, Verdict};

use crate::chart::{self, Chart, Series};
use crate::m4::Scale;
use crate::options::{self, Options};

pub struct Timeseries;

impl manifest::Guest for Timeseries {
    fn describe() -> String {
        options::describe()
    }

    fn plan(config: String) -> Result<String, Vec<manifest::Complaint>> {
        let complaint = |wrong: options::Complaint| {
            vec![manifest::Complaint { path: wrong.path, message: wrong.message }]
        };
        Options::parse(&config).map_err(complaint)?;
        Ok("{}".to_owned())
    }
}

impl rendering::Guest for Timeseries {
    fn render(request: rendering::Request) -> Result<rendering::Chart, Failure> {
        let options = Options::parse(&request.options)
            .map_err(|wrong| failure("bad-options", format!("{} {}", wrong.path, wrong.message)))?;
        let title =
            request.extras.into_iter().find(|extra| extra.name == "weir.title").map(|extra| extra.value);
        let scale = Scale { start_ns: request.start, end_ns: request.end, width_px: request.width };
        let series = request.inputs.into_iter().map(series).collect();
        let request = chart::Request { title: title.unwrap_or_default(), scale, zone: request.zone, series };
        let chart = chart::build(&request, &options).map_err(|error| failure("no-field", error.message))?;
        Ok(to_contract(chart, &options))
    }
}

fn series(input: rendering::Input) -> Series {
    let triplet = input.batch.triplet;
    let time = input.batch.time.as_chunks::<8>().0.iter().map(|time| i64::from_le_bytes(*time)).collect();
    let fields =
        input.batch.columns.into_iter().filter_map(|column| Some((column.name.clone(), numbers(&column)?)));
    Series {
        name: input.name,
        stream: [triplet.application, triplet.environment, triplet.event_type].join("/"),
        measure: input.measure,
        interval_ns: input.interval,
        labels: input.labels.into_iter().map(|label| (label.name, label.value)).collect(),
        time,
        fields: fields.collect(),
    }
}

/// NaN where there is no value; none where the column has no numbers.
fn numbers(column: &Column) -> Option<Vec<f64>> {
    let eights = |bytes: &[u8], number: fn([u8; 8]) -> f64| -> Vec<f64> {
        bytes.as_chunks::<8>().0.iter().map(|bytes| number(*bytes)).collect()
    };
    let mut numbers = match &column.values {
        Values::F64s(bytes) => eights(bytes, f64::from_le_bytes),
        Values::S64s(bytes) => eights(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
        Values::U64s(bytes) => eights(bytes, |bytes| u64::from_le_bytes(bytes) as f64),
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

fn to_contract(chart: Chart, options: &Options) -> rendering::Chart {
    let y_extras = chart.y_min.map(|y_min| Extra { name: "weir.min".to_owned(), value: y_min.to_string() });
    let axis = |name: &str, (label, measure): (String, String), scale: &str, extras| rendering::Axis {
        name: name.to_owned(),
        label,
        measure,
        scale: scale.to_owned(),
        extras,
    };
    rendering::Chart {
        title: chart.title,
        summary: chart.summary,
        tables: chart.tables.into_iter().map(table).collect(),
        axes: vec![
            axis("x", chart.x, "time", Vec::new()),
            axis("y", chart.y, "linear", y_extras.into_iter().collect()),
        ],
        marks: chart.marks.into_iter().map(|mark| to_mark(mark, options)).collect(),
        gaps: chart
            .gaps
            .into_iter()
            .map(|(table, gap, label)| rendering::Gap { table, start: gap.start_ns, end: gap.end_ns, label })
            .collect(),
        extras: chart.extras.into_iter().map(|(name, value)| Extra { name, value }).collect(),
    }
}

fn to_mark(mark: chart::Mark, options: &Options) -> rendering::Mark {
    let binding = |role: &str, column: &str, axis: &str| rendering::Binding {
        role: role.to_owned(),
        column: column.to_owned(),
        axis: axis.to_owned(),
    };
    rendering::Mark {
        shape: options.shape.clone(),
        table: mark.table,
        label: mark.label,
        bindings: vec![binding("x", "time", "x"), binding("y", &mark.field, "y")],
        estimated: false,
        stack: if options.stack { "stack".to_owned() } else { String::new() },
        extras: Vec::new(),
    }
}

fn table(table: chart::Table) -> rendering::Table {
    let time = table.time.iter().flat_map(|time| time.to_le_bytes()).collect();
    let mut columns = vec![Column { name: "time".to_owned(), values: Values::Timestamps(time), valid: None }];
    for (name, numbers) in table.fields {
        let missing = numbers.iter().any(|number| number.is_nan());
        let valid = missing.then(|| numbers.iter().map(|number| u8::from(!number.is_nan())).collect());
        let or_zero = |number: &f64| if number.is_nan() { 0.0 } else { *number };
        let bytes = numbers.iter().flat_map(|number| or_zero(number).to_le_bytes()).collect();
        columns.push(Column { name, values: Values::F64s(bytes), valid });
    }
    rendering::Table { name: table.name, rows: table.time.len() as u32, columns }
}

fn failure(code: &str, message: String) -> Failure {
    Failure { verdict: Verdict::Fail, code: code.to_owned(), message, indexes: Vec::new(), after: 0 }
}

#[cfg(target_arch = "wasm32")]
weir_sdk::bindings::formatter::export_formatter!(Timeseries);
