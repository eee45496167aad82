//! What a chart's configuration says: JSON in, checked into [`Options`].
//!
//! In: JSON that already fits the schema of [`describe`]. Errors: the first thing that is wrong, with its JSON pointer.

use serde_json::{Value, json};
use weir_text::parse_duration_ns;

/// Lines beyond this many cannot be told apart.
const SERIES_MAX: usize = 40;

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Empty: all fields.
    pub fields: Vec<String>,
    /// line, area, bar or point.
    pub shape: String,
    /// Empty: what the host says of the series.
    pub measure: String,
    /// Of the y axis; empty: the field or the metric.
    pub label: String,
    /// The label that names a series; empty: all of its labels.
    pub label_by: String,
    pub stack: bool,
    pub y_min: Option<f64>,
    /// 0: by the expected interval.
    pub gap_after_ns: i64,
    pub series_max: usize,
}

/// What `describe` answers.
pub fn describe() -> String {
    json!({
        "name": "timeseries",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "series over time as lines, areas, bars or points; gaps stay empty, too many points are thinned out exactly",
        "kind": "formatter",
        "requires": [],
        "config": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "field": {
                    "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16 }],
                    "description": "field or fields of the series to draw; none: all"
                },
                "shape": { "enum": ["line", "area", "bar", "point"], "default": "line" },
                "measure": { "type": "string", "default": "", "description": "unit of measurement, such as \"%\" or \"1/s\"" },
                "label": { "type": "string", "default": "", "description": "name of the y axis" },
                "label_by": { "type": "string", "default": "", "description": "the label that names a series; none: all of its labels" },
                "stack": { "type": "boolean", "default": false },
                "y_min": { "type": "number", "description": "where the y axis begins" },
                "gap_after": {
                    "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
                    "description": "a distance between points that is a gap; none: 2.5 times the expected interval"
                },
                "series_max": { "type": "integer", "minimum": 1, "maximum": 200, "default": SERIES_MAX }
            }
        },
        "state": { "schema": 1, "migrates": [] },
    })
    .to_string()
}

/// The JSON pointer of what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    pub path: String,
    pub message: String,
}

impl Options {
    pub fn parse(json: &str) -> Result<Self, Complaint> {
        let complaint = |path: &str, message: String| Complaint { path: path.to_owned(), message };
        let json = if json.trim().is_empty() { "{}" } else { json };
        let options: Value =
            serde_json::from_str(json).map_err(|error| complaint("", format!("is no JSON: {error}")))?;
        let text = |name: &str| options.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fields = match options.get("field") {
            Some(Value::String(field)) => vec![field.clone()],
            Some(Value::Array(fields)) => {
                fields.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let shape = match text("shape").as_str() {
            "" => "line".to_owned(),
            shape @ ("line" | "area" | "bar" | "point") => shape.to_owned(),
            shape => {
                return Err(complaint("/shape", format!("\"{shape}\" is none of line, area, bar, point")));
            }
        };
        let gap_after = text("gap_after");
        let gap_after_ns = match gap_after.as_str() {
            "" => 0,
            gap_after => parse_duration_ns(gap_after).ok_or_else(|| {
                complaint("/gap_after", format!("\"{gap_after}\" is no duration such as \"30s\""))
            })?,
        };
        let series_max =
            options.get("series_max").and_then(Value::as_u64).map_or(SERIES_MAX, |max| max as usize);
        Ok(Self {
            fields,
            shape,
            measure: text("measure"),
            label: text("label"),
            label_by: text("label_by"),
            stack: options.get("stack").and_then(Value::as_bool).unwrap_or(false),
            y_min: options.get("y_min").and_then(Value::as_f64),
            gap_after_ns,
            series_max,
        })
    }
}
