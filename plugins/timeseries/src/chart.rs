//! From series to a chart: one table for each series, marks for its fields, gaps, axes and a sentence that says what is seen.
//!
//! In: a [`Request`] with series whose times rise (ns since 1970), cut to the range; NaN is "no value". Out: a [`Chart`]. Series stand in the natural order of their labels, so that the same series
//! keep the same order and colours. More points than pixels are thinned out ([`crate::thin`], [`crate::spread`]), and the chart says so. Markers at the points are drawn by the page where there is
//! room. Limits: `series_max` series, the rest is counted in the summary.

use std::collections::{HashMap, HashSet};

use weir_sdk::Extra;
use weir_sdk::drawing::names;
use weir_text::{count, duration};

use crate::counter::{self, Reset};
use crate::fields;
use crate::gaps::{self, Gap};
use crate::m4::Scale;
use crate::options::{Options, Shape};
use crate::spread;
use crate::summary::summary;
use crate::thin::{self, Rows};

/// Name of the table of lines across; no series has it.
pub const RULES: &str = "lines across";
/// Marks of a chart that the host takes; lines across have one.
const MARKS_MAX: usize = 250;

pub struct Series {
    /// Of the metric.
    pub name: String,
    /// application/environment/type
    pub stream: String,
    /// Expected distance of two points; 0: unknown.
    pub interval_ns: i64,
    pub labels: Vec<Extra>,
    pub time: Vec<i64>,
    /// Name and values of each field: those of lines and those of the band.
    pub fields: Vec<(String, Vec<f64>)>,
}

pub struct Request {
    pub title: String,
    /// Never empty.
    pub measure: String,
    /// Empty where there is no series.
    pub metric: String,
    pub scale: Scale,
    pub height_px: u32,
    /// IANA name.
    pub zone: String,
    pub series: Vec<Series>,
    /// Where counters of `series` began anew.
    pub resets: Vec<Reset>,
}

#[derive(Debug, PartialEq)]
pub struct Table {
    pub name: String,
    pub time: Vec<i64>,
    pub fields: Vec<(String, Vec<f64>)>,
}

#[derive(Debug, PartialEq)]
pub struct Mark {
    pub shape: &'static str,
    pub table: String,
    pub label: String,
    /// Role and column of each binding to the y axis.
    pub y: Vec<(&'static str, String)>,
    pub stack: bool,
    pub estimated: bool,
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

/// A series with its names.
pub struct Seen<'a> {
    pub series: &'a Series,
    pub label: String,
    pub table: String,
}

impl Seen<'_> {
    /// Those of the fields that have a mark of their own.
    pub fn drawn<'b>(&'b self, options: &'b Options) -> impl Iterator<Item = (&'b str, &'b [f64])> {
        let fields = self.series.fields.iter().filter(|(name, _)| options.draws(name));
        fields.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    fn values(&self) -> Vec<&[f64]> {
        self.series.fields.iter().map(|(_, values)| values.as_slice()).collect()
    }
}

pub fn build(request: &Request, options: &Options) -> Chart {
    let mut seen = see(request, options);
    let all = seen.len();
    seen.truncate(options.series_max);
    let begins_at_zero = matches!(options.shape, Shape::Area | Shape::Bar);
    let mut chart = Chart {
        title: request.title.clone(),
        x: ("time".to_owned(), request.zone.clone()),
        y: (axis_label(&seen, request, options), request.measure.clone()),
        y_min: options.y_min.or(begins_at_zero.then_some(0.0)),
        ..Chart::default()
    };
    chart.gaps = find_gaps(&seen, request.scale, options);
    chart.summary = summary(&seen, &chart, request, all - seen.len(), options);
    let drawn: usize = seen.iter().map(|one| one.series.time.len()).sum();
    if options.spread() && seen.iter().any(|one| spread::is_dense(one.series.time.len(), request.scale)) {
        draw_spread(&mut chart, &seen, request.scale, options);
        let slice = duration(spread::slice_ns(request.scale));
        let text = format!("mean, least and greatest of each {slice}, {} samples", count(drawn as u64));
        chart.extras.push(("weir.downsampled".to_owned(), text));
    } else {
        draw(&mut chart, &seen, request, options);
        if chart.tables.iter().map(|table| table.time.len()).sum::<usize>() < drawn {
            let pixel = duration(request.scale.pixel_ns());
            let text = format!("1 px = {pixel}, {} samples", count(drawn as u64));
            chart.extras.push(("weir.downsampled".to_owned(), text));
        }
    }
    if let Some(y_min) = chart.y_min {
        chart.extras.push(("weir.y_min".to_owned(), y_min.to_string()));
    }
    if !request.resets.is_empty() {
        chart.extras.push(("weir.moments".to_owned(), counter::moments(&request.resets)));
    }
    if options.gap_after_ns > 0 {
        chart.extras.push(("weir.gap_after".to_owned(), duration(options.gap_after_ns)));
    }
    if all > seen.len() {
        let text = format!("{} of {all} series", all - seen.len());
        chart.extras.push(("weir.left_out".to_owned(), text));
    }
    chart
}

/// The series with their names, in order.
fn see<'a>(request: &'a Request, options: &Options) -> Vec<Seen<'a>> {
    let named = |series: &'a Series| {
        let stable = names::stable(&series.labels);
        let table = if stable.is_empty() { series.name.clone() } else { stable };
        Seen { series, label: names::for_people(&series.labels, &options.label_by), table }
    };
    let mut seen: Vec<Seen> = request.series.iter().map(named).collect();
    seen.sort_by(|a, b| {
        names::natural(&a.label, &b.label)
            .then_with(|| a.table.cmp(&b.table))
            .then_with(|| a.series.stream.cmp(&b.series.stream))
    });
    tell_apart(&mut seen);
    seen
}

/// Where labels or tables are equal (several streams, `label_by`) the stream and then a number tell them apart.
fn tell_apart(seen: &mut [Seen]) {
    let mut tables: HashSet<String> = HashSet::from([RULES.to_owned()]);
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
            let mut fields = one.series.fields.iter();
            fields.any(|(_, values)| values.get(row).is_some_and(|value| !value.is_nan()))
        };
        let time = (0..).zip(&one.series.time).filter(|(row, _)| has_value(*row));
        let time: Vec<i64> = time.map(|(_, time)| *time).collect();
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

/// The points themselves, thinned out where there are more than pixels.
fn draw(chart: &mut Chart, seen: &[Seen], request: &Request, options: &Options) {
    let rows: Vec<Rows> =
        seen.iter().map(|one| Rows { time: &one.series.time, fields: one.values() }).collect();
    let kept = thin::keep(&rows, request.scale, request.height_px, options);
    for (one, rows) in seen.iter().zip(&kept) {
        let pick = |values: &[f64]| {
            rows.iter().map(|row| values.get(*row).copied().unwrap_or(f64::NAN)).collect::<Vec<f64>>()
        };
        let fields = one.series.fields.iter().map(|(name, values)| (name.clone(), pick(values)));
        chart.tables.push(Table {
            name: one.table.clone(),
            time: rows.iter().filter_map(|row| one.series.time.get(*row).copied()).collect(),
            fields: fields.collect(),
        });
        if let [low, high] = options.band_fields() {
            let what = format!("{low} to {high}");
            let label = if one.label.is_empty() { what } else { format!("{}, {what}", one.label) };
            chart.mark("band", one, label, &[("low", low), ("high", high)]);
        }
        for (field, _) in one.drawn(options) {
            let label = label(one, options, &request.measure, field);
            chart.mark(options.shape.word(), one, label, &[("y", field)]);
            if let Some(mark) = chart.marks.last_mut() {
                mark.stack = options.stack;
            }
        }
    }
}

/// Mean, least and greatest of slices.
fn draw_spread(chart: &mut Chart, seen: &[Seen], scale: Scale, options: &Options) {
    for one in seen {
        let gaps = chart.gaps.iter().filter(|(table, ..)| table.is_empty() || *table == one.table);
        let gaps: Vec<Gap> = gaps.map(|(_, gap, _)| *gap).collect();
        let made = spread::slices(&one.series.time, &one.values(), &gaps, scale);
        let mut fields = Vec::new();
        for ((field, _), values) in one.series.fields.iter().zip(made.fields) {
            let (least, greatest) = (format!("{field} least"), format!("{field} greatest"));
            let label = label(one, options, &chart.y.1, field);
            chart.mark(
                "band",
                one,
                format!("{label}, least to greatest"),
                &[("low", &least), ("high", &greatest)],
            );
            chart.mark("line", one, format!("{label}, mean"), &[("y", field)]);
            fields.extend([(field.clone(), values.mean), (least, values.least), (greatest, values.greatest)]);
        }
        chart.tables.push(Table { name: one.table.clone(), time: made.time, fields });
    }
}

impl Chart {
    fn mark(&mut self, shape: &'static str, one: &Seen, label: String, y: &[(&'static str, &str)]) {
        if self.marks.len() < MARKS_MAX {
            let y = y.iter().map(|(role, column)| (*role, (*column).to_owned())).collect();
            let table = one.table.clone();
            self.marks.push(Mark { shape, table, label, y, stack: false, estimated: false });
        }
    }
}

/// The series, the field, or both where there are several. Fields that would be called the same keep their whole names.
fn label(one: &Seen, options: &Options, measure: &str, field: &str) -> String {
    let short = fields::for_people(field, measure);
    let same = one.drawn(options).filter(|(other, _)| fields::for_people(other, measure) == short).count();
    let name = if same > 1 { field } else { &short };
    match (one.label.as_str(), one.drawn(options).count()) {
        ("", _) => name.to_owned(),
        (label, 0 | 1) => label.to_owned(),
        (label, _) => format!("{label} {name}"),
    }
}

/// The configured one, else the field where there is one, else the metric.
fn axis_label(seen: &[Seen], request: &Request, options: &Options) -> String {
    let mut drawn = seen.iter().flat_map(|one| one.drawn(options)).map(|field| field.0);
    let field = drawn.next().filter(|first| drawn.all(|other| other == *first));
    let configured = options.field.first().map(String::as_str);
    let choice =
        [Some(options.label.as_str()), field, Some(request.metric.as_str()), configured, Some("value")];
    choice.into_iter().flatten().find(|label| !label.is_empty()).unwrap_or("value").to_owned()
}
