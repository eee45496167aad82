//! Series in, chart out: a formatter in tests.

use crate::formatter::{Chart, Formatter, Input, Request};
use crate::manifest::parse_config;
use crate::testing::batch;
use crate::{Column, ColumnExt, Extra, Failure, FailureExt};

/// A series of the metric `latency`, in ms.
pub fn series(labels: &[(&str, &str)], times: &[i64], fields: &[(&str, &[f64])]) -> Input {
    Input {
        name: "latency".into(),
        measure: "ms".into(),
        interval: 0,
        labels: labels
            .iter()
            .map(|(name, value)| Extra { name: (*name).into(), value: (*value).into() })
            .collect(),
        batch: batch(times, &[], fields.iter().map(|(name, values)| Column::of_f64s(name, values)).collect()),
    }
}

/// A request of 400 by 200 pixels.
pub fn request(range: std::ops::Range<i64>, inputs: Vec<Input>, options: &str) -> Request {
    Request {
        start: range.start,
        end: range.end,
        width: 400,
        height: 200,
        zone: "UTC".into(),
        options: options.into(),
        inputs,
        extras: Vec::new(),
    }
}

/// What the formatter makes of a request, with its options parsed as on Wasm.
pub fn draw<F: Formatter>(request: Request) -> Result<Chart, Failure> {
    let options = parse_config(&request.options)
        .map_err(|complaint| Failure::fail("bad-options", complaint.message))?;
    F::render(options, request)
}

/// The text of a chart's extra; empty where it is not there.
pub fn extra<'a>(chart: &'a Chart, name: &str) -> &'a str {
    chart.extras.iter().find(|extra| extra.name == name).map_or("", |extra| &extra.value)
}
