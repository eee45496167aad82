//! One call of a formatter: from series to a picture.
//!
//! In: a metric and a window. [`collect`] copies the slices under the lock of the store ([`Ask`]); the formatter then draws without it. Out: [`Drawn`], or why
//! not, in words for people. Each series is one input, with a column of f64 for each field (NaN: no value). Bounds: [`SERIES_MAX`] series, the
//! newest [`ROWS_MAX`] points of each, [`POINTS_MAX`] in all; what is left out is told to the formatter and named in the description.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use weir_core::series::{Metric, Series};
use weir_core::triplet::Triplet;
use weir_engine::check::chart::{self, Axis, Gap, Mark};
use weir_engine::check::column::{self, Names, Strings};
use weir_engine::{Component, Fault, FormatterInstance, Limits, given};

use super::Chart;
use super::picture::{Column, Table, Values};
use crate::runtime::holes::Hole;

/// More lines than these cannot be told apart in one picture.
const SERIES_MAX: usize = 200;
/// Rows of a batch, see `wit/worlds.wit`.
const ROWS_MAX: usize = 65_536;
/// Values in one call: 8 MB.
const POINTS_MAX: usize = 1 << 20;
/// A picture of one chart on the wire and in memory.
const PICTURE_BYTES_MAX: usize = 8 << 20;
/// Formatters draw for people, not for each event: longer than a unit's deadline.
const DEADLINE_MS: u32 = 200;
/// More signs at the foot of a picture are not told apart.
const LATE_MAX: usize = 256;
/// Of a formatter's own, such as resets of counters.
const MOMENTS_MAX: usize = 256;
/// The extra of a chart that holds them: JSON, see `docs/wire.md`.
const MOMENTS: &str = "weir.moments";
const ZONE: &str = "UTC";

/// Draws pictures: an instance of a component, or a test's own.
pub trait Formatter: Send {
    fn draw(&mut self, ask: &Ask) -> Result<Drawn, String>;
}

/// What is to be drawn.
#[derive(Debug, Clone)]
pub struct Ask {
    pub title: String,
    pub metric: Arc<str>,
    pub options: String,
    pub start_unix_ns: i64,
    /// Not included.
    pub end_unix_ns: i64,
    pub width: u32,
    pub height: u32,
    pub inputs: Vec<Input>,
    /// Series that have points in the window and are not in `inputs`.
    pub left_out: usize,
    /// Points of `inputs` that came after newer ones.
    pub late: Vec<Late>,
    /// What is missing in the journal at times of the window: start, end and what to call it.
    pub holes: Vec<(i64, i64, String)>,
    pub newest_unix_ns: Option<i64>,
}

impl Ask {
    /// Those that lie in the window, by the times of the streams that are drawn.
    pub fn take_holes(&mut self, holes: &[Hole]) {
        for hole in holes {
            let streams: BTreeSet<&Triplet> = self.inputs.iter().map(|input| &input.triplet).collect();
            let times: BTreeSet<(i64, i64)> =
                streams.into_iter().map(|triplet| hole.of_stream(triplet)).collect();
            for (start, end) in times {
                let (start, end) = (start.max(self.start_unix_ns), end.min(self.end_unix_ns));
                if start < end {
                    self.holes.push((start, end, hole.label()));
                }
            }
        }
    }
}

/// A point that came late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    pub time_unix_ns: i64,
    /// How far it was behind the newest point of its series when it came.
    pub behind_ns: i64,
    /// Labels of its series.
    pub series: String,
}

/// One series within the window.
#[derive(Debug, Clone)]
pub struct Input {
    pub triplet: Triplet,
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    pub rows: usize,
    /// rows x s64, little-endian.
    pub time: Vec<u8>,
    /// Field and rows x f64, little-endian.
    pub columns: Vec<(Arc<str>, Vec<u8>)>,
}

/// What a formatter made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    pub description: Value,
    pub tables: Vec<Table>,
}

/// Copies what is in the window. Called under the lock of the store.
pub fn collect(chart: &Chart, metric: Option<&Metric>, now_unix_ns: i64, size: (u32, u32)) -> Ask {
    let end_unix_ns = now_unix_ns.saturating_add(1);
    let mut ask = Ask {
        title: chart.title.clone(),
        metric: Arc::clone(&chart.metric),
        options: chart.options.clone(),
        start_unix_ns: end_unix_ns.saturating_sub(chart.window_ns),
        end_unix_ns,
        width: size.0,
        height: size.1,
        inputs: Vec::new(),
        left_out: 0,
        late: Vec::new(),
        holes: Vec::new(),
        newest_unix_ns: None,
    };
    let Some(metric) = metric else { return ask };
    let mut room = POINTS_MAX;
    for series in &metric.series {
        let slice = series.ring.slice(ask.start_unix_ns..ask.end_unix_ns);
        let Some(&newest) = slice.time.last() else { continue };
        let fields = metric.fields.len().max(1);
        let rows = slice.time.len().min(ROWS_MAX).min(room / fields);
        if ask.inputs.len() == SERIES_MAX || rows == 0 {
            ask.left_out += 1;
            continue;
        }
        room -= rows * fields;
        ask.newest_unix_ns = ask.newest_unix_ns.max(Some(newest));
        ask.inputs.push(input(metric, series, ask.start_unix_ns..ask.end_unix_ns, rows));
        late(&mut ask, series);
    }
    ask
}

/// Whose points came late, up to [`LATE_MAX`] of a picture.
fn late(ask: &mut Ask, series: &Series) {
    let name = || series.labels.iter().map(|(_, value)| &**value).collect::<Vec<_>>().join(", ");
    for (time_unix_ns, behind_ns) in series.ring.late(ask.start_unix_ns..ask.end_unix_ns) {
        if ask.late.len() == LATE_MAX {
            return;
        }
        ask.late.push(Late { time_unix_ns, behind_ns, series: name() });
    }
}

/// The newest `rows` points of the window.
fn input(metric: &Metric, series: &Series, window: std::ops::Range<i64>, rows: usize) -> Input {
    let slice = series.ring.slice(window);
    let from = slice.time.len().saturating_sub(rows);
    let time = slice.time.iter().skip(from).flat_map(|time| time.to_le_bytes()).collect();
    let column = |(at, field): (usize, &Arc<str>)| {
        let values = slice.values(at);
        let bytes = if values.is_empty() {
            std::iter::repeat_n(f64::NAN.to_le_bytes(), rows).flatten().collect()
        } else {
            values.iter().skip(from).flat_map(|value| value.to_le_bytes()).collect()
        };
        (Arc::clone(field), bytes)
    };
    Input {
        triplet: series.triplet.clone(),
        labels: series.labels.to_vec(),
        rows,
        time,
        columns: metric.fields.iter().enumerate().map(column).collect(),
    }
}

/// A component.
pub struct EngineFormatter {
    instance: FormatterInstance,
}

impl EngineFormatter {
    pub fn open(id: &Arc<str>, component: &Component) -> Result<Self, Fault> {
        let chart = Arc::clone(id);
        let log = Box::new(move |level: weir_engine::LogLevel, line: &str| {
            tracing::debug!(chart = &*chart, ?level, line, "a formatter says");
        });
        let limits = Limits { deadline_ms: DEADLINE_MS, ..Limits::default() };
        Ok(Self { instance: FormatterInstance::new(component, log, limits)? })
    }
}

impl Formatter for EngineFormatter {
    fn draw(&mut self, ask: &Ask) -> Result<Drawn, String> {
        let labels: Vec<Vec<given::Extra<'_>>> = ask
            .inputs
            .iter()
            .map(|input| input.labels.iter().map(|(name, value)| given::Extra { name, value }).collect())
            .collect();
        let columns: Vec<Vec<given::Column<'_>>> = ask
            .inputs
            .iter()
            .map(|input| {
                input
                    .columns
                    .iter()
                    .map(|(name, bytes)| given::Column {
                        name,
                        values: given::Values::F64s(bytes),
                        valid: None,
                    })
                    .collect()
            })
            .collect();
        let inputs: Vec<given::Input<'_>> = ask
            .inputs
            .iter()
            .zip(labels.iter().zip(&columns))
            .map(|(input, (labels, columns))| given::Input {
                name: &ask.metric,
                measure: "",
                interval: 0,
                labels,
                batch: given::Batch {
                    triplet: given::Triplet {
                        application: input.triplet.application(),
                        environment: input.triplet.environment(),
                        event_type: input.triplet.event_type(),
                    },
                    rows: input.rows as u32,
                    time: &input.time,
                    keys: &[],
                    columns,
                    extras: &[],
                },
            })
            .collect();
        let left_out = ask.left_out.to_string();
        let extras = [
            given::Extra { name: "weir.title", value: &ask.title },
            given::Extra { name: "weir.left_out", value: &left_out },
        ];
        let request = given::Request {
            start: ask.start_unix_ns,
            end: ask.end_unix_ns,
            width: ask.width,
            height: ask.height,
            zone: ZONE,
            options: &ask.options,
            inputs: &inputs,
            extras: &extras,
        };
        match self.instance.render(&request) {
            Ok(Ok(chart)) => drawn(chart, ask),
            Ok(Err(failure)) => Err(format!("the formatter cannot: {}: {}", failure.code, failure.message)),
            Err(fault) => Err(fault.to_string()),
        }
    }
}

fn drawn(chart: chart::Chart, ask: &Ask) -> Result<Drawn, String> {
    let description = describe(&chart, ask);
    let tables: Vec<Table> = chart.tables.into_iter().map(table).collect();
    let bytes: usize = tables.iter().map(Table::bytes).sum();
    if bytes > PICTURE_BYTES_MAX {
        return Err(format!(
            "the picture has {bytes} bytes, at most {PICTURE_BYTES_MAX} are taken: fewer series, or let the formatter thin out its points"
        ));
    }
    Ok(Drawn { description, tables })
}

fn describe(chart: &chart::Chart, ask: &Ask) -> Value {
    let title = if ask.title.is_empty() { &chart.title } else { &ask.title };
    let mut more = extras(chart.extras.iter().map(|(name, value)| (&**name, &**value)));
    let mut moments: Vec<Value> = ask.late.iter().map(moment).collect();
    moments.extend(moments_said(more.remove(MOMENTS)));
    if ask.left_out > 0 {
        more.insert("weir.series_left_out".to_owned(), Value::from(ask.left_out));
    }
    json!({
        "title": title,
        "summary": chart.summary,
        "axes": chart.axes.iter().map(axis).collect::<Vec<_>>(),
        "marks": chart.marks.iter().map(mark).collect::<Vec<_>>(),
        "gaps": chart.gaps.iter().map(gap).chain(ask.holes.iter().map(hole)).collect::<Vec<_>>(),
        "moments": moments,
        "extras": more,
    })
}

/// What the formatter says of moments, up to [`MOMENTS_MAX`]; what is none is passed over, as any extra that is not known.
fn moments_said(extra: Option<Value>) -> Vec<Value> {
    let said = extra.and_then(|text| serde_json::from_str::<Vec<Moment>>(text.as_str()?).ok());
    let one =
        |moment: Moment| json!({ "kind": moment.kind, "time_ms": moment.time_ms, "label": moment.label });
    said.unwrap_or_default().into_iter().take(MOMENTS_MAX).map(one).collect()
}

/// A moment as the extra [`MOMENTS`] has it.
#[derive(serde::Deserialize)]
struct Moment {
    kind: String,
    time_ms: f64,
    #[serde(default)]
    label: String,
}

/// A series without labels has no name to give.
fn moment(late: &Late) -> Value {
    let behind = format!("{:.1} s late", late.behind_ns as f64 / 1e9);
    let label = if late.series.is_empty() { behind } else { format!("{}, {behind}", late.series) };
    json!({ "kind": "late", "time_ms": milliseconds(late.time_unix_ns), "label": label })
}

fn axis(axis: &Axis) -> Value {
    let more = extras(axis.extras.iter().map(|extra| (&*extra.name, &*extra.value)));
    json!({ "name": axis.name, "label": axis.label, "measure": axis.measure, "scale": axis.scale, "extras": more })
}

fn mark(mark: &Mark) -> Value {
    let bindings = mark.bindings.iter().map(|binding| {
        let axis = if binding.axis.is_empty() { Value::Null } else { Value::from(binding.axis.as_str()) };
        json!({ "role": binding.role, "column": binding.column, "axis": axis })
    });
    json!({
        "shape": mark.shape,
        "table": mark.table,
        "label": mark.label,
        "bindings": bindings.collect::<Vec<_>>(),
        "estimated": mark.estimated,
        "stack": mark.stack,
        "extras": extras(mark.extras.iter().map(|extra| (&*extra.name, &*extra.value))),
    })
}

fn extras<'a>(extras: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    extras.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

fn gap(gap: &Gap) -> Value {
    json!({ "table": gap.table, "start_ms": milliseconds(gap.start), "end_ms": milliseconds(gap.end), "label": gap.label })
}

/// In all tables.
fn hole((start, end, label): &(i64, i64, String)) -> Value {
    json!({ "table": "", "start_ms": milliseconds(*start), "end_ms": milliseconds(*end), "label": label })
}

fn milliseconds(unix_ns: i64) -> f64 {
    // Whole part and rest apart: a double cannot hold ns since 1970.
    unix_ns.div_euclid(1_000_000) as f64 + unix_ns.rem_euclid(1_000_000) as f64 / 1e6
}

fn table(table: chart::Table) -> Table {
    let columns = table.columns.into_iter().map(one_column).collect();
    Table { name: table.name.into(), rows: table.rows, columns }
}

fn one_column(column: column::Column) -> Column {
    let values = match column.values {
        column::Values::F64s(values) => Values::F64(values),
        // Beyond 2^53 a picture does not need the last digits.
        column::Values::S64s(values) => Values::F64(values.into_iter().map(|value| value as f64).collect()),
        column::Values::U64s(values) => Values::F64(values.into_iter().map(|value| value as f64).collect()),
        column::Values::Timestamps(values) => Values::Time(values.into_iter().map(milliseconds).collect()),
        column::Values::Bools(values) => Values::Bool(values),
        column::Values::Texts(strings) | column::Values::Blobs(strings) => {
            text((0..strings.len() as u32).collect(), &strings)
        }
        column::Values::Categories(categories) => match categories.names {
            Names::Own(strings) => text(categories.codes, &strings),
            // The engine refuses these in charts.
            Names::Given { .. } => text(categories.codes, &Strings { offsets: Vec::new(), data: Vec::new() }),
        },
    };
    Column { name: column.name.into(), values, valid: column.valid }
}

/// Distinct names; a code without a name (of a row without a value) becomes that of an empty one.
fn text(codes: Vec<u32>, strings: &Strings) -> Values {
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut known: std::collections::HashMap<&[u8], u32> = std::collections::HashMap::new();
    let mut translated = Vec::with_capacity(codes.len());
    for code in codes {
        let bytes = strings.get(code as usize);
        let code = *known.entry(bytes).or_insert_with(|| {
            names.push(String::from_utf8_lossy(bytes).into());
            names.len() as u32 - 1
        });
        translated.push(code);
    }
    Values::Text { codes: translated, names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_formatter_are_taken_and_what_is_none_is_passed_over() {
        let said = |text: &str| moments_said(Some(Value::from(text)));
        let reset = r#"[{"kind":"reset","time_ms":1.5,"label":"web-1"}]"#;
        assert_eq!(said(reset), [json!({ "kind": "reset", "time_ms": 1.5, "label": "web-1" })]);
        assert!(
            said("no JSON").is_empty() && said(r#"[{"kind":1}]"#).is_empty() && moments_said(None).is_empty()
        );
        let many = format!("[{}]", vec![r#"{"kind":"x","time_ms":1}"#; MOMENTS_MAX + 1].join(","));
        assert_eq!(said(&many).len(), MOMENTS_MAX);
    }
}
