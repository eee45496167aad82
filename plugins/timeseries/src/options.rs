//! What a chart's configuration says.
//!
//! In: JSON that already fits [`CONFIG`]. Errors: a member that is not known, a word that is none of those there are, a duration that is none; serde names the place.

use serde::{Deserialize, Deserializer};
use weir_sdk::drawing::one_or_more;
use weir_text::parse_duration_ns;

/// Lines beyond this many cannot be told apart.
const SERIES_MAX: usize = 40;

pub const CONFIG: &str = r#"{
  "type": "object",
  "title": "Time series",
  "description": "Series over time as lines, areas, bars or points. Gaps stay empty and are named; more points than pixels are thinned out so that no pixel changes, and the chart says so.",
  "examples": [{ "field": "mean", "measure": "%", "label_by": "core" }, { "field": "mean_ms", "band": ["min_ms", "max_ms"], "measure": "ms", "rules": [{ "at": 250, "label": "too slow" }] }],
  "additionalProperties": false,
  "properties": {
    "field": {
      "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16 }],
      "title": "Field", "description": "The field or fields of the series that are drawn; left out: all, but those of the band.", "examples": ["mean_ms"]
    },
    "shape": {
      "enum": ["line", "area", "bar", "point"], "default": "line", "title": "Shape",
      "description": "line: through the points, which are marked where there is room. area: filled down to 0. bar: from 0. point: the points themselves and nothing between them."
    },
    "band": {
      "anyOf": [{ "const": "spread" }, { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 2, "maxItems": 2 }],
      "title": "Band", "examples": [["min_ms", "max_ms"]],
      "description": "What is filled behind a line. Two fields: from the first to the second. spread: from the least to the greatest of the points, once there are more than one for three pixels; the line is then their mean."
    },
    "stack": { "type": "boolean", "default": false, "title": "Stacked", "description": "Areas, bars and lines of several series add up." },
    "counter": {
      "type": "boolean", "default": false, "title": "Counter",
      "description": "The values only grow: what is drawn is how much they grow in a second. A value that falls is a counter that began again at 0: it is marked as a reset and makes no negative rate."
    },
    "rules": {
      "type": "array", "maxItems": 16, "default": [], "title": "Lines across", "description": "Values to look out for, such as limits of alerts.", "examples": [[{ "at": 250, "label": "too slow" }]],
      "items": {
        "type": "object", "additionalProperties": false, "required": ["at"],
        "properties": { "at": { "type": "number", "title": "Value" }, "label": { "type": "string", "default": "", "title": "Text" } }
      }
    },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "description": "Left out: that of the series.", "examples": ["%", "1/s"] },
    "label": { "type": "string", "default": "", "title": "Name of the axis", "description": "Left out: the field, or the metric." },
    "label_by": { "type": "string", "default": "", "title": "Named by", "description": "The label that names a series; left out: all of its labels." },
    "y_min": { "type": "number", "title": "Axis begins at", "description": "Left out: at 0 for areas and bars, else where the values do." },
    "gap_after": {
      "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "title": "Gap after", "examples": ["5m"],
      "description": "A distance between points that is a gap; left out: 2.5 times the usual one."
    },
    "series_max": { "type": "integer", "minimum": 1, "maximum": 200, "default": 40, "title": "Most series", "description": "How many further ones are left out is said." }
  }
}"#;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    #[default]
    Line,
    Area,
    Bar,
    Point,
}

impl Shape {
    /// Word of a mark.
    pub fn word(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Area => "area",
            Self::Bar => "bar",
            Self::Point => "point",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "neither \"spread\" nor two fields")]
pub enum Band {
    Spread(Spread),
    Fields([String; 2]),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Spread {
    #[serde(rename = "spread")]
    Spread,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub at: f64,
    #[serde(default)]
    pub label: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Empty: all.
    #[serde(default, deserialize_with = "one_or_more")]
    pub field: Vec<String>,
    #[serde(default)]
    pub shape: Shape,
    pub band: Option<Band>,
    #[serde(default)]
    pub stack: bool,
    /// Values only grow; their rate is drawn.
    #[serde(default)]
    pub counter: bool,
    #[serde(default)]
    pub rules: Vec<Line>,
    /// Empty: what the host says of the series.
    #[serde(default)]
    pub measure: String,
    /// Of the y axis; empty: the field or the metric.
    #[serde(default)]
    pub label: String,
    /// The label that names a series; empty: all of its labels.
    #[serde(default)]
    pub label_by: String,
    pub y_min: Option<f64>,
    /// 0: by the expected interval.
    #[serde(default, rename = "gap_after", deserialize_with = "duration")]
    pub gap_after_ns: i64,
    #[serde(default = "series_max")]
    pub series_max: usize,
}

fn series_max() -> usize {
    SERIES_MAX
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration_ns(&text).ok_or_else(|| {
        serde::de::Error::custom(format!("gap_after: \"{text}\" is no duration such as \"30s\""))
    })
}

impl Options {
    /// Whether the values of a field are needed.
    pub fn wants(&self, field: &str) -> bool {
        self.field.is_empty() || self.field.iter().chain(self.band_fields()).any(|wanted| wanted == field)
    }

    /// Whether a field has a mark of its own.
    pub fn draws(&self, field: &str) -> bool {
        match self.field.is_empty() {
            true => !self.band_fields().iter().any(|band| band == field),
            false => self.field.iter().any(|wanted| wanted == field),
        }
    }

    /// The two, or none.
    pub fn band_fields(&self) -> &[String] {
        match &self.band {
            Some(Band::Fields(fields)) => fields,
            _ => &[],
        }
    }

    pub fn spread(&self) -> bool {
        matches!(self.band, Some(Band::Spread(_)))
    }
}
