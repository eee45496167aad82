//! The formatter as a component of the world `formatter`: between the contract's records and [`crate::chart`].

use weir_sdk::drawing::{
    axis, column, extra, fields, mark, measure, no_field, table, times, times_of, title,
};
use weir_sdk::formatter::{Chart, Formatter, Gap, Input, Mark, Request, Table};
use weir_sdk::{Column, ColumnExt, Description, Failure};

use crate::chart::{self, Series};
use crate::counter;
use crate::m4::Scale;
use crate::options::{CONFIG, Options};

pub struct Timeseries;

impl Formatter for Timeseries {
    type Config = Options;

    fn describe() -> Description {
        let summary = "Series over time as lines, areas, bars or points, with bands; gaps stay empty, too many points are thinned out exactly";
        Description::new("formatter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(CONFIG)
    }

    fn render(options: Options, request: Request) -> Result<Chart, Failure> {
        let mut series: Vec<Series> =
            request.inputs.iter().filter_map(|input| series(input, &request, &options)).collect();
        let no_field_of = |wanted: &[String]| no_field(&request, wanted);
        if series.is_empty() && !request.inputs.is_empty() {
            return Err(no_field_of(&options.field));
        }
        let known =
            |field: &String| series.iter().any(|one| one.fields.iter().any(|(name, _)| name == field));
        if let Some(field) = options.band_fields().iter().find(|field| !series.is_empty() && !known(field)) {
            return Err(no_field_of(std::slice::from_ref(field)));
        }
        let resets = counter::apply(&mut series, &options);
        let asked = chart::Request {
            title: title(&request),
            measure: counter::measure(measure(&request, &options.measure), &options),
            metric: request.inputs.first().map(|input| input.name.clone()).unwrap_or_default(),
            scale: Scale { start_ns: request.start, end_ns: request.end, width_px: request.width },
            height_px: request.height,
            zone: if request.zone.is_empty() { "UTC".to_owned() } else { request.zone.clone() },
            series,
            resets,
        };
        Ok(to_contract(chart::build(&asked, &options), &options))
    }
}

/// None where it has no field that is drawn.
fn series(input: &Input, request: &Request, options: &Options) -> Option<Series> {
    let wanted: Vec<String> = input
        .batch
        .columns
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| options.wants(name))
        .collect();
    let drawn = wanted.iter().any(|name| options.draws(name));
    if wanted.is_empty() || !drawn && options.band_fields().is_empty() {
        return None;
    }
    let triplet = &input.batch.triplet;
    let fields = fields(input, request, &wanted);
    Some(Series {
        name: input.name.clone(),
        stream: [&*triplet.application, &*triplet.environment, &*triplet.event_type].join("/"),
        interval_ns: input.interval,
        labels: input.labels.clone(),
        time: times_of(input, request),
        fields: fields.into_iter().map(|(name, values)| (name.to_owned(), values)).collect(),
    })
}

fn to_contract(chart: chart::Chart, options: &Options) -> Chart {
    let mut y = axis("y", &chart.y.0, &chart.y.1, "linear");
    y.extras.extend(chart.y_min.map(|y_min| extra("weir.min", y_min.to_string())));
    let gap = |(table, gap, label): (String, crate::gaps::Gap, String)| Gap {
        table,
        start: gap.start_ns,
        end: gap.end_ns,
        label,
    };
    let mut tables: Vec<Table> = chart.tables.into_iter().map(to_table).collect();
    let mut marks: Vec<Mark> = chart.marks.iter().map(to_mark).collect();
    if !options.rules.is_empty() {
        let at: Vec<f64> = options.rules.iter().map(|rule| rule.at).collect();
        let texts = Column::of_texts("text", options.rules.iter().map(|rule| &rule.label));
        tables.push(table(chart::RULES, at.len(), vec![column("at", &at), texts]));
        marks.push(mark("rule", chart::RULES, "limits", &[("y", "at", "y"), ("text", "text", "")]));
    }
    Chart {
        title: chart.title,
        summary: chart.summary,
        tables,
        axes: vec![axis("x", &chart.x.0, &chart.x.1, "time"), y],
        marks,
        gaps: chart.gaps.into_iter().map(gap).collect(),
        extras: chart.extras.into_iter().map(|(name, value)| extra(&name, value)).collect(),
    }
}

fn to_mark(made: &chart::Mark) -> Mark {
    let mut bindings = vec![("x", "time", "x")];
    bindings.extend(made.y.iter().map(|(role, column)| (*role, column.as_str(), "y")));
    let mut mark = mark(made.shape, &made.table, &made.label, &bindings);
    mark.stack = if made.stack { "stack".to_owned() } else { String::new() };
    mark.estimated = made.estimated;
    mark
}

fn to_table(made: chart::Table) -> Table {
    let mut columns = vec![times("time", &made.time)];
    columns.extend(made.fields.iter().map(|(name, values)| column(name, values)));
    table(&made.name, made.time.len(), columns)
}

weir_sdk::export_formatter!(Timeseries);
