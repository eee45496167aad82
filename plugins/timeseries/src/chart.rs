//! From series to a chart: one table for each series, one mark for each of its fields, gaps, axes and a sentence that says what is seen.
//!
//! In: a [`Request`] with series whose times rise (ns since 1970); NaN is "no value". Out: a [`Chart`]; points outside of [start, end) are left out. Series
//! stand in the natural order of their labels, so that the same series keep the same order and colours. More points than pixels are thinned out exactly ([`crate::m4`]), and the
//! chart says so. Markers at the points are drawn by the page where there is room. Limits: `series_max` series, the rest is named in the summary.
//! Errors: [`NoField`] where series are there but none has a field that is asked for.

use std::collections::{HashMap, HashSet};

use weir_text::{count, duration, measured};

use crate::gaps::{self, Gap};
use crate::m4::{self, Scale};
use crate::names;
use crate::options::Options;

pub struct Series {
    /// Of the metric.
    pub name: String,
    /// application/environment/type
    pub stream: String,
    /// Empty: unknown.
    pub measure: String,
    /// Expected distance of two points; 0: unknown.
    pub interval_ns: i64,
    pub labels: Vec<(String, String)>,
    pub time: Vec<i64>,
    /// Name and values of each field.
    pub fields: Vec<(String, Vec<f64>)>,
}

pub struct Request {
    pub title: String,
    pub scale: Scale,
    /// IANA name; empty: UTC.
    pub zone: String,
    pub series: Vec<Series>,
}

#[derive(Debug, PartialEq)]
pub struct Table {
    pub name: String,
    pub time: Vec<i64>,
    pub fields: Vec<(String, Vec<f64>)>,
}

#[derive(Debug, PartialEq)]
pub struct Mark {
    pub table: String,
    pub field: String,
    pub label: String,
}

#[derive(Debug, Default, PartialEq)]
pub struct Chart {
    pub title: String,
    pub summary: String,
    pub tables: Vec<Table>,
    pub marks: Vec<Mark>,
    /// Table (empty: all of them), gap and label.
    pub gaps: Vec<(String, Gap, String)>,
    /// Of the axes: label and measure, never empty.
    pub x: (String, String),
    pub y: (String, String),
    pub y_min: Option<f64>,
    pub extras: Vec<(String, String)>,
}

#[derive(Debug, PartialEq)]
pub struct NoField {
    pub message: String,
}

/// A series within the range, before it is thinned out.
struct Seen<'a> {
    series: &'a Series,
    label: String,
    table: String,
    time: &'a [i64],
    fields: Vec<(&'a str, &'a [f64])>,
}

pub fn build(request: &Request, options: &Options) -> Result<Chart, NoField> {
    let mut seen = see(request, options)?;
    let left_out = seen.len().saturating_sub(options.series_max);
    seen.truncate(options.series_max);
    let first = request.series.first();
    let measure = [options.measure.as_str(), first.map_or("", |series| &series.measure), "1"];
    let measure = measure.into_iter().find(|measure| !measure.is_empty()).unwrap_or("1");
    let mut chart = Chart {
        title: title(request),
        x: ("time".to_owned(), if request.zone.is_empty() { "UTC".to_owned() } else { request.zone.clone() }),
        y: (axis_label(&seen, request, options), measure.to_owned()),
        y_min: options.y_min.or(matches!(options.shape.as_str(), "area" | "bar").then_some(0.0)),
        ..Chart::default()
    };
    let all_points: usize = seen.iter().map(|one| one.time.len()).sum();
    chart.gaps = find_gaps(&seen, request.scale, options);
    chart.summary = summary(&seen, &chart, request.scale, left_out);
    for one in &seen {
        add(&mut chart, one, request.scale);
    }
    let points: usize = chart.tables.iter().map(|table| table.time.len()).sum();
    if points < all_points {
        let pixel = duration(request.scale.pixel_ns());
        let text = format!("1 px = {pixel}, {} samples", count(all_points as u64));
        chart.extras.push(("weir.downsampled".to_owned(), text));
    }
    if let Some(y_min) = chart.y_min {
        chart.extras.push(("weir.y_min".to_owned(), y_min.to_string()));
    }
    if options.gap_after_ns > 0 {
        chart.extras.push(("weir.gap_after".to_owned(), duration(options.gap_after_ns)));
    }
    if left_out > 0 {
        let text = format!("{left_out} of {} series", left_out + seen.len());
        chart.extras.push(("weir.left_out".to_owned(), text));
    }
    Ok(chart)
}

/// The series with their names, in order, cut to the range and to the fields that are drawn.
fn see<'a>(request: &'a Request, options: &Options) -> Result<Vec<Seen<'a>>, NoField> {
    let mut seen: Vec<Seen> = Vec::new();
    for series in &request.series {
        let start = series.time.partition_point(|time| *time < request.scale.start_ns);
        let end = series.time.partition_point(|time| *time < request.scale.end_ns).max(start);
        let wanted =
            |name: &str| options.fields.is_empty() || options.fields.iter().any(|field| field == name);
        let fields = series.fields.iter().filter(|(name, _)| wanted(name));
        let fields: Vec<_> = fields
            .map(|(name, values)| (name.as_str(), values.get(start..end).unwrap_or_default()))
            .collect();
        if fields.is_empty() {
            continue;
        }
        let stable = names::stable(&series.labels);
        seen.push(Seen {
            series,
            label: names::for_people(&series.labels, &options.label_by),
            table: if stable.is_empty() { series.name.clone() } else { stable },
            time: series.time.get(start..end).unwrap_or_default(),
            fields,
        });
    }
    if seen.is_empty() && !request.series.is_empty() {
        return Err(no_field(request, options));
    }
    seen.sort_by(|a, b| {
        names::natural(&a.label, &b.label)
            .then_with(|| a.table.cmp(&b.table))
            .then_with(|| a.series.stream.cmp(&b.series.stream))
    });
    tell_apart(&mut seen);
    Ok(seen)
}

fn no_field(request: &Request, options: &Options) -> NoField {
    let mut there: Vec<&str> =
        request.series.iter().flat_map(|one| &one.fields).map(|field| field.0.as_str()).collect();
    there.sort_unstable();
    there.dedup();
    let wanted = options.fields.join("`, `");
    NoField { message: format!("no series has a field `{wanted}`; there are: {}", there.join(", ")) }
}

/// Where labels or tables are equal (several streams, `label_by`) the stream and then a number tell them apart.
fn tell_apart(seen: &mut [Seen]) {
    let mut tables: HashSet<String> = HashSet::new();
    let mut labels: HashMap<String, usize> = HashMap::new();
    for one in seen.iter() {
        *labels.entry(one.label.clone()).or_default() += 1;
    }
    for one in seen {
        if labels.get(&one.label).is_some_and(|count| *count > 1) && !one.series.stream.is_empty() {
            let stream = &one.series.stream;
            one.label = if one.label.is_empty() { stream.clone() } else { format!("{} {stream}", one.label) };
        }
        let plain = one.table.clone();
        let mut number = 1;
        while !tables.insert(one.table.clone()) {
            number += 1;
            one.table = format!("{plain} {number}");
        }
    }
}

fn find_gaps(seen: &[Seen], scale: Scale, options: &Options) -> Vec<(String, Gap, String)> {
    let mut by_gap: HashMap<Gap, Vec<&str>> = HashMap::new();
    for one in seen {
        // Rows without any value are no data.
        let has_value = |row: usize| {
            one.fields.iter().any(|(_, values)| values.get(row).is_some_and(|value| !value.is_nan()))
        };
        let time: Vec<i64> =
            (0..).zip(one.time).filter(|(row, _)| has_value(*row)).map(|(_, time)| *time).collect();
        for gap in gaps::find(&time, one.series.interval_ns, options.gap_after_ns, scale) {
            by_gap.entry(gap).or_default().push(&one.table);
        }
    }
    let mut gaps: Vec<(String, Gap, String)> = Vec::new();
    for (gap, tables) in by_gap {
        let label = format!("no data {}", duration(gap.end_ns.saturating_sub(gap.start_ns)));
        if tables.len() == seen.len() {
            gaps.push((String::new(), gap, label));
        } else {
            gaps.extend(tables.into_iter().map(|table| (table.to_owned(), gap, label.clone())));
        }
    }
    gaps.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    gaps
}

fn add(chart: &mut Chart, one: &Seen, scale: Scale) {
    let values: Vec<&[f64]> = one.fields.iter().map(|field| field.1).collect();
    let rows = m4::keep(one.time, &values, scale);
    let pick =
        |values: &[f64]| rows.iter().map(|row| values.get(*row).copied().unwrap_or(f64::NAN)).collect();
    chart.tables.push(Table {
        name: one.table.clone(),
        time: rows.iter().filter_map(|row| one.time.get(*row).copied()).collect(),
        fields: one.fields.iter().map(|(name, values)| ((*name).to_owned(), pick(values))).collect(),
    });
    for (field, _) in &one.fields {
        let label = match (one.label.as_str(), one.fields.len()) {
            ("", _) => (*field).to_owned(),
            (label, 1) => label.to_owned(),
            (label, _) => format!("{label} {field}"),
        };
        chart.marks.push(Mark { table: one.table.clone(), field: (*field).to_owned(), label });
    }
}

fn title(request: &Request) -> String {
    match (request.title.as_str(), request.series.first()) {
        ("", Some(series)) => series.name.clone(),
        ("", None) => "no data yet".to_owned(),
        (title, _) => title.to_owned(),
    }
}

/// The configured one, else the field where there is one, else the metric.
fn axis_label(seen: &[Seen], request: &Request, options: &Options) -> String {
    let mut drawn = seen.iter().flat_map(|one| &one.fields).map(|field| field.0);
    let field = drawn.next().filter(|first| drawn.all(|other| other == *first));
    let metric = request.series.first().map(|series| series.name.as_str());
    let configured = options.fields.first().map(String::as_str);
    let choice = [Some(options.label.as_str()), field, metric, configured, Some("value")];
    choice.into_iter().flatten().find(|label| !label.is_empty()).unwrap_or("value").to_owned()
}

/// "cpu by core: 4 series, 2,400 points over 10 min; from 0.3 % to 97.1 %, newest 12 % (core 0) to 40 % (core 3); 1 gap without data."
fn summary(seen: &[Seen], chart: &Chart, scale: Scale, left_out: usize) -> String {
    let span = duration(scale.end_ns.saturating_sub(scale.start_ns));
    let values = || seen.iter().flat_map(|one| &one.fields).flat_map(|field| field.1.iter().copied());
    let lowest = values().fold(f64::NAN, f64::min);
    let highest = values().fold(f64::NAN, f64::max);
    if lowest.is_nan() {
        return format!("{}: no data over {span}.", chart.title);
    }
    let text = |value: f64| measured(value, &chart.y.1);
    let points: usize = seen.iter().map(|one| one.time.len()).sum();
    let mut out =
        format!("{}: {} series, {} points over {span}; ", chart.title, seen.len(), count(points as u64));
    out.push_str(&format!("from {} to {}", text(lowest), text(highest)));
    let newest = |one: &Seen| -> Option<f64> {
        one.fields
            .iter()
            .filter_map(|field| field.1.iter().rev().find(|value| !value.is_nan()).copied())
            .reduce(f64::max)
    };
    let newest: Vec<(&str, f64)> =
        seen.iter().filter_map(|one| Some((one.label.as_str(), newest(one)?))).collect();
    let least = newest.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let most = newest.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    match (least, most) {
        (Some(one), Some(_)) if newest.len() == 1 => out.push_str(&format!(", newest {}", text(one.1))),
        (Some(least), Some(most)) => {
            let (low, high) = (text(least.1), text(most.1));
            out.push_str(&format!(", newest {low} ({}) to {high} ({})", least.0, most.0));
        }
        _ => {}
    }
    match chart.gaps.len() {
        0 => {}
        1 => out.push_str("; 1 gap without data"),
        gaps => out.push_str(&format!("; {gaps} gaps without data")),
    }
    if left_out > 0 {
        out.push_str(&format!("; {left_out} more series are not shown"));
    }
    out.push('.');
    out
}
