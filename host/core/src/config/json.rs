//! TOML as JSON: what a `config` is for components, and what is compared between two revisions.

use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

/// Null stands for a number that JSON has not. Members are in the order of the text, because configurations may mean it.
pub fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(n) => {
            let signed = i64::from_str_radix(n.as_str(), n.radix()).map(Value::from);
            signed
                .or_else(|_| u64::from_str_radix(n.as_str(), n.radix()).map(Value::from))
                .unwrap_or(Value::Null)
        }
        DeValue::Float(n) => n.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(list) => list.iter().map(|entry| json(entry.get_ref())).collect(),
        DeValue::Table(table) => {
            let mut members: Vec<(usize, &str, &Spanned<DeValue<'_>>)> =
                table.iter().map(|(key, value)| (key.span().start, &**key.get_ref(), value)).collect();
            members.sort_by_key(|(start, ..)| *start);
            Value::Object(
                members.into_iter().map(|(_, key, value)| (key.to_owned(), json(value.get_ref()))).collect(),
            )
        }
    }
}
