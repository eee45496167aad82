//! From boxes to the marks of a chart.

use weir_sdk::drawing::{axis, column, extra, mark, measure, table, title};
use weir_sdk::formatter::{Binding, Chart, Mark, Request, Table};
use weir_sdk::{Column, ColumnExt, Extra};
use weir_text::{count, measured};

use crate::quartiles::Box5;
use crate::{Config, Series};

/// A box with the name at which it stands.
type Named<'a> = (String, &'a Box5);

pub fn chart(
    options: &Config,
    request: &Request,
    fields: &[String],
    all: &[Series],
    left_out: Option<Extra>,
) -> Chart {
    let measure = measure(request, &options.measure);
    let label = match (options.label.as_str(), fields) {
        ("", [field]) => field.clone(),
        ("", _) => request.inputs.first().map(|input| input.name.clone()).unwrap_or_default(),
        (label, _) => label.to_owned(),
    };
    let title = title(request);
    let side_by_side = side_by_side(fields, all);
    let beyond: u64 = side_by_side.iter().map(|(_, one)| one.outliers_total).sum();
    let mut chart = Chart {
        summary: summary(&title, &side_by_side, &measure, beyond),
        title,
        tables: Vec::new(),
        axes: vec![axis("x", "series", "1", "band"), axis("y", &label, &measure, "linear")],
        marks: Vec::new(),
        gaps: Vec::new(),
        extras: vec![extra("weir.whiskers", options.whiskers.words())],
    };
    if options.stack && fields.len() > 1 {
        stacked(&mut chart, fields, all, &measure);
    } else {
        chart.tables.push(boxes("boxes", &side_by_side));
        chart.marks.push(box_mark("boxes", &label));
        if options.outliers.unwrap_or(true) && beyond > 0 {
            outliers(&mut chart, &side_by_side, beyond);
        }
    }
    chart.extras.extend(left_out);
    chart
}

/// Each box at a place of its own: of one field it is called after the series, of several after both.
fn side_by_side<'a>(fields: &[String], all: &'a [Series]) -> Vec<Named<'a>> {
    let name = |series: &Series, field: &String| match (fields.len(), all.len()) {
        (1, _) => series.name.clone(),
        (_, 1) => field.clone(),
        _ => format!("{} {field}", series.name),
    };
    let of = |series: &'a Series| {
        let boxes = fields.iter().zip(&series.boxes);
        boxes.filter_map(move |(field, one)| Some((name(series, field), one.as_ref()?))).collect::<Vec<_>>()
    };
    all.iter().flat_map(of).collect()
}

fn boxes(name: &str, boxes: &[Named]) -> Table {
    let numbers = |of: fn(&Box5) -> f64| boxes.iter().map(|(_, one)| of(one)).collect::<Vec<f64>>();
    let counts: Vec<u64> = boxes.iter().map(|(_, one)| one.values).collect();
    let columns = vec![
        Column::of_texts("series", boxes.iter().map(|(name, _)| name)),
        column("low", &numbers(|one| one.low)),
        column("q1", &numbers(|one| one.q1)),
        column("median", &numbers(|one| one.median)),
        column("q3", &numbers(|one| one.q3)),
        column("high", &numbers(|one| one.high)),
        Column::of_u64s("n", &counts),
    ];
    table(name, boxes.len(), columns)
}

fn box_mark(table: &str, label: &str) -> Mark {
    let mut boxes = mark("box", table, label, &[("x", "series", "x"), ("n", "n", "")]);
    let value = |role: &&str| Binding { role: (*role).into(), column: (*role).into(), axis: "y".into() };
    boxes.bindings.extend(["low", "q1", "median", "q3", "high"].iter().map(value));
    boxes
}

fn outliers(chart: &mut Chart, boxes: &[Named], beyond: u64) {
    let points = boxes.iter().flat_map(|(name, one)| one.outliers.iter().map(move |value| (name, *value)));
    let (names, values): (Vec<&String>, Vec<f64>) = points.unzip();
    let columns = vec![Column::of_texts("series", names), column("value", &values)];
    chart.tables.push(table("outliers", values.len(), columns));
    let bindings = [("x", "series", "x"), ("y", "value", "y")];
    chart.marks.push(mark("point", "outliers", "beyond the whiskers", &bindings));
    if (values.len() as u64) < beyond {
        let text = format!("{} of {} points beyond the whiskers", count(values.len() as u64), count(beyond));
        chart.extras.push(extra("weir.downsampled", text));
    }
}

/// A table and a mark for each field, and a text with the sum of the medians over each series.
fn stacked(chart: &mut Chart, fields: &[String], all: &[Series], measure: &str) {
    for (at, field) in fields.iter().enumerate() {
        let of = |series: &'_ Series| Some((series.name.clone(), series.boxes.get(at)?.clone()?));
        let owned: Vec<(String, Box5)> = all.iter().filter_map(of).collect();
        let named: Vec<Named> = owned.iter().map(|(name, one)| (name.clone(), one)).collect();
        chart.tables.push(boxes(field, &named));
        let mut part = box_mark(field, field);
        part.stack = "stack".to_owned();
        chart.marks.push(part);
    }
    let total = |series: &Series| series.boxes.iter().flatten().map(|one| one.median).sum::<f64>();
    let totals: Vec<f64> = all.iter().map(total).collect();
    let columns = vec![
        Column::of_texts("series", all.iter().map(|series| &series.name)),
        column("sum of medians", &totals),
        Column::of_texts("text", totals.iter().map(|total| measured(*total, measure))),
    ];
    // A field may be called anything; this one is not.
    let name = format!("sum of {}", fields.join(", "));
    chart.tables.push(table(&name, all.len(), columns));
    let bindings = [("x", "series", "x"), ("y", "sum of medians", "y"), ("text", "text", "")];
    chart.marks.push(mark("text", &name, "sum of medians", &bindings));
}

/// "latency: 3 boxes of 1,200 values; median from 12 ms (web1) to 48 ms (web3); 14 values beyond the whiskers."
fn summary(title: &str, boxes: &[Named], measure: &str, beyond: u64) -> String {
    let medians = || boxes.iter().map(|(name, one)| (name, one.median));
    let least = medians().min_by(|left, right| left.1.total_cmp(&right.1));
    let most = medians().max_by(|left, right| left.1.total_cmp(&right.1));
    let (Some(least), Some(most)) = (least, most) else { return format!("{title}: no values.") };
    let values: u64 = boxes.iter().map(|(_, one)| one.values).sum();
    let text = |(name, value): (&String, f64)| format!("{} ({name})", measured(value, measure));
    let medians = if boxes.len() == 1 {
        format!("median {}", text(least))
    } else {
        format!("median from {} to {}", text(least), text(most))
    };
    let what = if boxes.len() == 1 { "1 box" } else { &format!("{} boxes", boxes.len()) };
    format!("{title}: {what} of {} values; {medians}; {} beyond the whiskers.", count(values), count(beyond))
}
