//! The functions, as they stand in a configuration.
//!
//! In: JSON: `"count"`, or `{"of": "latency_ms", "is": "p99"}`, or `{"initial": 0, "next": "state + price"}`. Out: an [`Aggregate`] or what is wrong with it and what would be right; and the part of a JSON
//! Schema that describes it. Limits: [`AGGREGATES_MAX`] functions in one unit, [`TOP_MAX`] items of a top.

use serde_json::{Value, json};
use weir_sdk::expr;
use weir_sketch::Histogram;
use weir_sketch::histogram::BOUNDS_MAX;

/// Most functions of one unit.
pub const AGGREGATES_MAX: usize = 64;
/// Most items that a top shows.
pub const TOP_MAX: usize = 100;
/// What the result so far is called in a step.
pub const STATE: &str = "state";
/// Counters of a top for each item that it shows: what is heavier than 1 / (10 k) of all is there.
const COUNTERS_PER_ITEM: usize = 10;
const COUNTERS_MIN: usize = 100;

/// What is computed of a column, or of the rows where the column is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    /// The value of the row with the least time; of equal times the first row.
    First,
    /// The value of the row with the greatest time; of equal times the last row.
    Last,
    /// The sum (or, without a column, the count of rows) per second of the window.
    Rate,
    /// Of a sample: divided by n - 1.
    Variance,
    Deviation,
    /// How much a counter rose from its first to its last sample; a fall is a reset to 0.
    Increase,
    /// The increase per second between these samples.
    CounterRate,
    /// From 0 to 1.
    Quantile(f64),
    Distinct,
    Top {
        k: usize,
    },
    Histogram(Vec<f64>),
    /// Seconds from the first to the last event.
    Duration,
    /// A number that begins as `initial` and becomes `next` with each row, an expression over the row's columns and [`STATE`].
    Steps {
        initial: f64,
        next: String,
    },
}

/// Of functions that are one word.
pub const WORDS: [&str; 16] = [
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "first",
    "last",
    "rate",
    "variance",
    "stddev",
    "increase",
    "counter-rate",
    "median",
    "distinct",
    "top",
    "histogram",
];

/// One of the configured results.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub name: String,
    /// None: of the rows themselves (count, rate and duration only).
    pub of: Option<String>,
    pub is: Function,
}

impl Aggregate {
    pub fn parse(name: &str, what: &Value) -> Result<Self, String> {
        let name = name.to_owned();
        let parts = match what {
            Value::String(word) => {
                let is = match word.as_str() {
                    "count" => Function::Count,
                    "rate" => Function::Rate,
                    "duration" => Function::Duration,
                    _ => {
                        return Err("only count, rate and duration go without a column: write \
                            {\"of\": column, \"is\": function}"
                            .to_owned());
                    }
                };
                return Ok(Self { name, of: None, is });
            }
            Value::Object(parts) if parts.contains_key("next") || parts.contains_key("initial") => {
                return Ok(Self { name, of: None, is: Function::steps(parts)? });
            }
            Value::Object(parts) => parts,
            _ => return Err("wants \"count\", \"rate\" or {\"of\": column, \"is\": function}".to_owned()),
        };
        let of = parts.get("of").and_then(Value::as_str).filter(|of| !of.is_empty() && *of != "time");
        let of = of.ok_or("\"of\" wants the name of a column")?.to_owned();
        let word = parts.get("is").and_then(Value::as_str).unwrap_or_default();
        Ok(Self { name, of: Some(of), is: Function::parse(word, parts)? })
    }
}

impl Function {
    fn steps(parts: &serde_json::Map<String, Value>) -> Result<Self, String> {
        if let Some(other) = parts.keys().find(|key| !["initial", "next"].contains(&key.as_str())) {
            return Err(format!("\"{other}\" has no meaning beside \"next\""));
        }
        let initial = parts.get("initial").map_or(Some(0.0), Value::as_f64);
        let initial = initial.filter(|initial| initial.is_finite()).ok_or("\"initial\" wants a number")?;
        let next = parts.get("next").and_then(Value::as_str).unwrap_or_default();
        let expr = expr::parse(next).map_err(|error| format!("\"next\": {error}"))?;
        if !expr.columns().iter().any(|column| column == STATE) {
            return Err(format!(
                "\"next\" names no `{STATE}`, which is the result so far: such as \"{STATE} + price\""
            ));
        }
        Ok(Self::Steps { initial, next: next.to_owned() })
    }

    fn parse(word: &str, parts: &serde_json::Map<String, Value>) -> Result<Self, String> {
        let function = match word {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "mean" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "first" => Self::First,
            "last" => Self::Last,
            "rate" => Self::Rate,
            "variance" => Self::Variance,
            "stddev" => Self::Deviation,
            "increase" => Self::Increase,
            "counter-rate" => Self::CounterRate,
            "median" => Self::Quantile(0.5),
            "distinct" => Self::Distinct,
            "top" => {
                let k = parts.get("k").and_then(Value::as_u64).unwrap_or(10);
                if !(1..=TOP_MAX as u64).contains(&k) {
                    return Err(format!("\"k\" is {k}; a top shows 1 to {TOP_MAX} items"));
                }
                Self::Top { k: k as usize }
            }
            "histogram" => {
                let bounds: Vec<f64> = parts
                    .get("bounds")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_f64)
                    .collect();
                if !Histogram::are_bounds(&bounds) {
                    return Err(format!(
                        "\"bounds\" wants 1 to {BOUNDS_MAX} rising numbers, such as [10, 100, 1000]"
                    ));
                }
                Self::Histogram(bounds)
            }
            _ => Self::Quantile(percentile(word).ok_or_else(|| {
                format!("\"{word}\" is none of {} and no percentile such as p99 or p99.9", WORDS.join(", "))
            })?),
        };
        for (member, wanted) in [("k", word == "top"), ("bounds", word == "histogram")] {
            if parts.contains_key(member) && !wanted {
                return Err(format!("\"{member}\" has no meaning for {word}"));
            }
        }
        Ok(function)
    }
}

/// "p99.9" is 0.999.
fn percentile(word: &str) -> Option<f64> {
    let number = word.strip_prefix('p')?;
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    number.parse::<f64>().ok().map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share))
}

/// Counters that a top of k items needs.
pub fn counters_of(k: usize) -> usize {
    (k * COUNTERS_PER_ITEM).max(COUNTERS_MIN)
}

/// The property `aggregates` of a schema. `steps`: whether results by an expression are taken.
pub fn schema(without_column: &[&str], also: &str, steps: bool) -> Value {
    let plain: Vec<&str> =
        WORDS.iter().copied().filter(|word| !["top", "histogram"].contains(word)).collect();
    let mut schema = json!({
        "type": "object", "minProperties": 1, "maxProperties": AGGREGATES_MAX,
        "title": "Results",
        "description": format!("Name of each column that comes out, and what it is: {} of the rows, or a function `is` of a column `of`. \
            count: values that are there. sum, mean, min, max, variance, stddev (of a sample). first, last: by event time. median, p50, p90, p95, p99, p99.9 and any other \
            percentile: exact up to 256 values, then within 1 %. distinct: how many different values, exact up to 256, then with a standard error of 1.6 %. \
            increase, counter-rate: of a counter from its first to its last sample, and that per second; where it falls it began again at 0. \
            top: the k most frequent values as JSON text with their counts; what is more frequent than 1 in 10 k is never missing. histogram: counts up to each bound, \
            as columns `name.le_BOUND`, and `name.le_inf`.{also} Values that are missing, NaN or infinite count as missing.", without_column.join(" and ")),
        "examples": [{ "n": "count", "p99_ms": { "of": "latency_ms", "is": "p99" }, "users": { "of": "user", "is": "distinct" } }],
        "additionalProperties": {
            "anyOf": [
                { "title": "Of the rows", "enum": without_column },
                {
                    "title": "Of a column", "type": "object", "additionalProperties": false, "required": ["of", "is"],
                    "properties": {
                        "of": { "type": "string", "minLength": 1, "title": "Column", "description": "name of the column" },
                        "is": {
                            "title": "Function",
                            "description": "what is computed of it",
                            "anyOf": [{ "enum": plain }, { "type": "string", "pattern": "^p[0-9]{1,2}(\\.[0-9]+)?$|^p100$", "examples": ["p99"] }]
                        }
                    }
                },
                {
                    "title": "The most frequent values", "type": "object", "additionalProperties": false, "required": ["of", "is"],
                    "properties": {
                        "of": { "type": "string", "minLength": 1, "title": "Column", "description": "name of the column" },
                        "is": { "const": "top" },
                        "k": { "type": "integer", "minimum": 1, "maximum": TOP_MAX, "default": 10, "title": "How many" }
                    }
                },
                {
                    "title": "A histogram", "type": "object", "additionalProperties": false, "required": ["of", "is", "bounds"],
                    "properties": {
                        "of": { "type": "string", "minLength": 1, "title": "Column", "description": "name of the column" },
                        "is": { "const": "histogram" },
                        "bounds": { "type": "array", "items": { "type": "number" }, "minItems": 1, "maxItems": BOUNDS_MAX, "title": "Bounds", "description": "rising" }
                    }
                }
            ]
        }
    });
    if let Some(Value::Array(forms)) = schema.pointer_mut("/additionalProperties/anyOf").filter(|_| steps) {
        forms.push(json!({
            "title": "By an expression", "type": "object", "additionalProperties": false, "required": ["next"],
            "properties": {
                "initial": { "type": "number", "default": 0, "title": "Initial state" },
                "next": {
                    "type": "string", "minLength": 1, "format": "weir-expression", "maxLength": 8192, "title": "Next state", "examples": ["state * 0.9 + latency_ms * 0.1"],
                    "description": "What the state becomes with each event, of the event's columns and `state`; where that gives no number the state stays."
                }
            }
        }));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(what: Value) -> Result<Function, String> {
        Aggregate::parse("x", &what).map(|aggregate| aggregate.is)
    }

    #[test]
    fn functions_are_read() {
        assert_eq!(parsed(json!("count")), Ok(Function::Count));
        assert_eq!(parsed(json!({ "of": "v", "is": "p12.5" })), Ok(Function::Quantile(0.125)));
        assert_eq!(parsed(json!({ "of": "v", "is": "median" })), Ok(Function::Quantile(0.5)));
        assert_eq!(parsed(json!({ "of": "v", "is": "top", "k": 3 })), Ok(Function::Top { k: 3 }));
        let steps = Function::Steps { initial: 1.0, next: "state * v".to_owned() };
        assert_eq!(parsed(json!({ "initial": 1, "next": "state * v" })), Ok(steps));
        let histogram = json!({ "of": "v", "is": "histogram", "bounds": [1, 2.5] });
        assert_eq!(parsed(histogram), Ok(Function::Histogram(vec![1.0, 2.5])));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        let wrong = |what: Value| parsed(what).unwrap_err();
        assert!(wrong(json!("sum")).contains("write {\"of\": column"));
        assert!(wrong(json!({ "is": "sum" })).contains("\"of\" wants"));
        assert!(wrong(json!({ "of": "v", "is": "p101" })).contains("no percentile such as p99"));
        assert!(wrong(json!({ "of": "v", "is": "pinf" })).contains("none of count"));
        assert!(wrong(json!({ "of": "v", "is": "histogram", "bounds": [2, 1] })).contains("rising"));
        assert!(wrong(json!({ "of": "v", "is": "top", "k": 0 })).contains("1 to 100"));
        assert!(wrong(json!({ "of": "v", "is": "sum", "k": 1 })).contains("no meaning"));
        assert!(wrong(json!({ "next": "v + 1" })).contains("names no `state`"));
        assert!(wrong(json!({ "next": "state +" })).contains("\"next\": "));
        assert!(wrong(json!({ "next": "state + v", "is": "sum" })).contains("no meaning beside"));
    }
}
