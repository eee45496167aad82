//! Some members of a JSON object as texts, without making a tree of the whole.
//!
//! In: the text of an object, and the names of members at its top. Out: for each name its text: of a string what it says, of anything else its JSON; nothing for null
//! and for a name that is not there. Of members with one name the last counts. None: the text is no JSON object.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::form::Part;

pub fn of<'a>(text: &'a str, names: &[&str]) -> Option<Vec<Part<'a>>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parts = deserializer.deserialize_map(Members { names }).ok()?;
    deserializer.end().ok()?;
    Some(parts)
}

/// The text of a value; none of null.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

struct Members<'n> {
    names: &'n [&'n str],
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<Part<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parts: Vec<Part<'de>> = vec![None; self.names.len()];
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let place = self.names.iter().position(|name| key.as_deref() == Some(*name));
            match place.and_then(|place| parts.get_mut(place)) {
                Some(part) => *part = map.next_value::<Text<'de>>()?.0,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(parts)
    }
}

/// A value as its text, borrowed where it stands in the input as it is.
struct Text<'de>(Part<'de>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Borrowed(if value { "true" } else { "false" }))))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(value.to_string()))))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(value.to_string()))))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Text(text(&Value::from(value)).map(Cow::Owned)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let value = Value::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Text(text(&value).map(Cow::Owned)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let value = Value::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))?;
        Ok(Text(text(&value).map(Cow::Owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_what_a_tree_would_give() {
        let texts = [
            r#"{"a": 1, "b": "x", "c": null, "d": true}"#,
            r#"{"a": -5, "b": "q\"uote", "c": {"z": [1, 2.50]}, "d": [1, null, "t"]}"#,
            r#"{"a": 1e3, "a": 2, "b": 18446744073709551615, "e": {"a": 9}}"#,
            r#"{"a": 1.50, "b": ""}"#,
            r#"{}"#,
            r#"{"a": 1} x"#,
            r#"{"a": 1"#,
            r#"[1]"#,
            r#"{"x": [1, 2}, "a": 1}"#,
            "",
        ];
        let names = ["a", "b", "c", "d"];
        for given in texts {
            let tree: Option<Value> = serde_json::from_str(given).ok().filter(Value::is_object);
            let wanted = tree.map(|tree| names.map(|name| tree.get(name).and_then(text)).to_vec());
            let found = of(given, &names)
                .map(|parts| parts.into_iter().map(|part| part.map(Cow::into_owned)).collect());
            assert_eq!(found, wanted, "{given}");
        }
    }
}
