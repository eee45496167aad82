//! boxplot: a formatter that compares how values are distributed, one box for each series.
//!
//! In: series; the points of one field or several within the window. Out: a box of first quartile, median and third quartile for each series and field, whiskers, and the points beyond them. Quartiles are
//! interpolated linearly between the sorted values (type 7 of Hyndman and Fan, The American Statistician 50 (1996); what numpy and R do unless told otherwise). Whiskers, as configured: to the farthest
//! value within one and a half times the height of the box (Tukey), to the least and the greatest value, or to the 5th and 95th percentile; the chart says which. Stacked, the fields are parts of
//! one whole: each box stands on the medians below it, the sum of medians is written on top, and points beyond are not drawn. Limits: `series_max` series, [`FIELDS_MAX`] fields, [`OUTLIERS_MAX`] points
//! beyond the whiskers of each box, the farthest first; what is left out is named. Series without a value have no box.

mod picture;
mod quartiles;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use weir_sdk::drawing::names::natural;
use weir_sdk::drawing::{cut, fields, name, one_or_more, wanted_fields};
use weir_sdk::formatter::{Chart, Formatter, Request};
use weir_sdk::{Description, Failure};

use quartiles::Box5;
pub use quartiles::Whiskers;

/// Points drawn beyond the whiskers of one box.
pub const OUTLIERS_MAX: usize = 100;
/// As the schema has it.
pub const FIELDS_MAX: usize = 16;
const SERIES_MAX: usize = 40;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Box plot",
  "description": "Compares how the values of series are distributed: a box from the first to the third quartile with the median, whiskers, and the points beyond them.",
  "examples": [{ "field": "mean_ms", "measure": "ms" }, { "field": ["queue_ms", "work_ms", "send_ms"], "stack": true, "measure": "ms" }],
  "additionalProperties": false,
  "properties": {
    "field": {
      "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16 }],
      "title": "Field", "description": "The field or fields of the series whose points are compared; left out: the first one.", "examples": ["mean_ms"]
    },
    "stack": { "type": "boolean", "default": false, "title": "Stacked", "description": "The fields are parts of one whole: each box stands on the medians of those before it." },
    "whiskers": {
      "enum": ["tukey", "range", "p5-p95"], "default": "tukey", "title": "Whiskers reach",
      "description": "tukey: to the farthest value within 1.5 times the height of the box. range: to the least and the greatest value. p5-p95: to the 5th and the 95th percentile."
    },
    "outliers": { "type": "boolean", "default": true, "title": "Points beyond the whiskers", "description": "Whether they are drawn." },
    "label_by": { "type": "string", "default": "", "title": "Named by", "description": "The label that names a box; left out: all of its labels." },
    "label": { "type": "string", "default": "", "title": "Name of the axis", "description": "Left out: the field." },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "examples": ["ms"], "description": "Left out: that of the series." },
    "series_max": { "type": "integer", "minimum": 1, "maximum": 200, "default": 40, "title": "Most series", "description": "How many further ones are left out is said." }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Empty: the first.
    #[serde(default, deserialize_with = "one_or_more")]
    field: Vec<String>,
    #[serde(default)]
    stack: bool,
    #[serde(default)]
    whiskers: Whiskers,
    outliers: Option<bool>,
    #[serde(default)]
    label_by: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    measure: String,
    series_max: Option<usize>,
}

/// What stands at one place of the x axis, or on one another.
pub struct Series {
    name: String,
    /// Of each field; none where it has no value.
    boxes: Vec<Option<Box5>>,
}

pub struct Boxplot;

impl Formatter for Boxplot {
    type Config = Config;

    fn describe() -> Description {
        let summary =
            "How values are distributed, one box for each series: quartiles, median, whiskers, points beyond";
        Description::new("formatter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(CONFIG)
    }

    fn render(options: Config, request: Request) -> Result<Chart, Failure> {
        let field_names = wanted_fields(&request, &options.field)?;
        let mut all: Vec<Series> = Vec::new();
        for input in &request.inputs {
            let values = fields(input, &request, &field_names);
            let of = |field: &String| {
                let (_, values) = values.iter().find(|(name, _)| name == field)?;
                Box5::of(values.clone(), options.whiskers)
            };
            let boxes: Vec<Option<Box5>> = field_names.iter().map(of).collect();
            if boxes.iter().any(Option::is_some) {
                all.push(Series { name: name(input, &options.label_by), boxes });
            }
        }
        all.sort_by(|left, right| natural(&left.name, &right.name));
        let left_out = cut(&mut all, options.series_max.unwrap_or(SERIES_MAX));
        Ok(picture::chart(&options, &request, &field_names, &all, left_out))
    }
}

weir_sdk::export_formatter!(Boxplot);
