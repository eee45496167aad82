//! The `--where` of the terminal: an expression over the fields of an event.
//!
//! In: an event as the API shows it. Out: whether the expression is true for it. Fields are columns under their names, the event time is `time`; a field that
//! an event has not is null, as everywhere in the language (`docs/expressions.md`).

use serde_json::Value;
use weir_expr::{Bits, Columns, Expr, Packed, Source, View};

pub struct Condition {
    expr: Expr,
}

/// The bytes of one field's value.
enum Held {
    S64([u8; 8]),
    U64([u8; 8]),
    F64([u8; 8]),
    Time([u8; 8]),
    Bool([u8; 1]),
    Text { offsets: [u8; 8], data: Vec<u8> },
}

impl Condition {
    /// For a parser of arguments: the error is what the language says, with the place.
    pub fn parse(text: &str) -> Result<Self, String> {
        weir_expr::parse(text).map(|expr| Self { expr }).map_err(|error| error.to_string())
    }

    pub fn holds(&self, event: &Value) -> bool {
        let held: Vec<(&str, Held)> =
            self.expr.columns().iter().filter_map(|name| Some((name.as_str(), hold(name, event)?))).collect();
        let mut columns = Columns::new(1);
        for (name, held) in &held {
            columns.add(name, Source { view: held.view(), valid: None });
        }
        self.expr.mask(&columns) == [1]
    }
}

fn hold(name: &str, event: &Value) -> Option<Held> {
    let field = event.get("fields").and_then(|fields| fields.get(name));
    match field {
        None if name == "time" => {
            let text = event.get("time")?.as_str()?;
            let time = weir_core::codec::time::TimeReader::default().text(text)?;
            Some(Held::Time(time.to_le_bytes()))
        }
        None | Some(Value::Null) => None,
        Some(Value::Bool(value)) => Some(Held::Bool([u8::from(*value)])),
        Some(Value::Number(number)) => Some(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => Held::S64(value.to_le_bytes()),
            (None, Some(value), _) => Held::U64(value.to_le_bytes()),
            (None, None, value) => Held::F64(value?.to_le_bytes()),
        }),
        Some(Value::String(text)) => Some(Held::text(text.clone())),
        Some(other) => Some(Held::text(other.to_string())),
    }
}

impl Held {
    fn text(text: String) -> Self {
        let mut offsets = [0; 8];
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        if let Some(last) = offsets.last_chunk_mut::<4>() {
            *last = end.to_le_bytes();
        }
        Self::Text { offsets, data: text.into_bytes() }
    }

    fn view(&self) -> View<'_> {
        match self {
            Self::S64(bytes) => View::S64s(bytes),
            Self::U64(bytes) => View::U64s(bytes),
            Self::F64(bytes) => View::F64s(bytes),
            Self::Time(bytes) => View::Timestamps(bytes),
            Self::Bool(bytes) => View::Bools(Bits::Bytes(bytes)),
            Self::Text { offsets, data } => View::Texts(Packed { offsets, data }),
        }
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expr.text())
    }
}

impl Clone for Condition {
    fn clone(&self) -> Self {
        Self { expr: self.expr.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, holds: bool) {
        let event = json!({
            "time": "2026-01-01T00:00:01Z",
            "fields": { "ms": 12, "ratio": 0.5, "large": u64::MAX, "page": "/", "ok": true, "none": null }
        });
        assert_eq!(Condition::parse(text).unwrap().holds(&event), holds, "{text}");
    }

    #[test]
    fn fields_of_every_type_are_compared() {
        check("ms > 10 and ratio < 1", true);
        check("ms > 12", false);
        check("page == '/' and ok", true);
        check("large > 9223372036854775807", true);
        check("none == 1", false);
        check("absent == 'x'", false);
    }

    #[test]
    fn what_is_no_expression_is_refused_with_its_place() {
        assert!(Condition::parse("ms >").unwrap_err().len() > 10);
    }
}
