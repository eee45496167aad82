//! The name of a stream, and patterns over such names.
//!
//! A [`Triplet`] is `application/environment/type`; the text form is the one of configuration, API and URLs. A part is 1 to 128 bytes
//! of UTF-8 without `/`, `*`, control characters or white space at its ends. A [`Selector`] is the same form where a part may be `*`, or
//! end in `*` to match a prefix.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest part of a triplet, in bytes.
pub const PART_BYTES_MAX: usize = 128;

/// Names a stream. Cheap to clone, compared by its text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Triplet {
    text: Arc<str>,
    /// Where the two slashes are.
    slashes: (u32, u32),
}

/// Why a text is no triplet or no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TripletError {
    #[error("`{0}` is not of the form application/environment/type")]
    Shape(String),
    #[error(
        "part `{0}` of a triplet is empty, too long (over 128 bytes) or has a character that is not allowed"
    )]
    Part(String),
}

impl Triplet {
    pub fn new(application: &str, environment: &str, event_type: &str) -> Result<Self, TripletError> {
        for part in [application, environment, event_type] {
            check_part(part)?;
        }
        let first = application.len() as u32;
        let second = first + 1 + environment.len() as u32;
        Ok(Self {
            text: format!("{application}/{environment}/{event_type}").into(),
            slashes: (first, second),
        })
    }

    /// Of rows that belong to no stream.
    pub fn internal() -> Self {
        Self { text: "weir/local/internal".into(), slashes: (4, 10) }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn application(&self) -> &str {
        &self.text[..self.slashes.0 as usize]
    }

    pub fn environment(&self) -> &str {
        &self.text[self.slashes.0 as usize + 1..self.slashes.1 as usize]
    }

    pub fn event_type(&self) -> &str {
        &self.text[self.slashes.1 as usize + 1..]
    }
}

impl serde::Serialize for Triplet {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Triplet {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::exact::shown::deserialize(from)
    }
}

impl FromStr for Triplet {
    type Err = TripletError;

    fn from_str(text: &str) -> Result<Self, TripletError> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(application), Some(environment), Some(event_type), None) => {
                Self::new(application, environment, event_type)
            }
            _ => Err(TripletError::Shape(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for Triplet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Triplet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_part(part: &str) -> Result<(), TripletError> {
    let bad = part.is_empty()
        || part.len() > PART_BYTES_MAX
        || part.trim() != part
        || part.chars().any(|c| c == '/' || c == '*' || c.is_control());
    if bad { Err(TripletError::Part(part.chars().take(200).collect())) } else { Ok(()) }
}

/// A pattern over triplets: each part a text, `prefix*`, or `*`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    parts: [Arc<str>; 3],
}

impl Selector {
    pub fn matches(&self, triplet: &Triplet) -> bool {
        let names = [triplet.application(), triplet.environment(), triplet.event_type()];
        self.parts.iter().zip(names).all(|(pattern, name)| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => &**pattern == name,
        })
    }

    /// Whether there can be a triplet that both match.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.parts.iter().zip(&other.parts).all(|(left, right)| {
            match (left.strip_suffix('*'), right.strip_suffix('*')) {
                (Some(left), Some(right)) => left.starts_with(right) || right.starts_with(left),
                (Some(prefix), None) => right.starts_with(prefix),
                (None, Some(prefix)) => left.starts_with(prefix),
                (None, None) => left == right,
            }
        })
    }

    /// Whether it names one application and one environment, and leaves the end of the type open.
    pub fn leaves_type_open(&self) -> bool {
        let [application, environment, event_type] = &self.parts;
        !application.ends_with('*') && !environment.ends_with('*') && event_type.ends_with('*')
    }

    /// The triplet with `end` in the place of the type's `*`.
    pub fn with_type_end(&self, end: &str) -> Result<Triplet, TripletError> {
        let [application, environment, event_type] = &self.parts;
        let prefix = event_type.strip_suffix('*').unwrap_or(event_type);
        Triplet::new(application, environment, &format!("{prefix}{end}"))
    }
}

impl From<&Triplet> for Selector {
    fn from(triplet: &Triplet) -> Self {
        let parts = [triplet.application(), triplet.environment(), triplet.event_type()];
        Self { parts: parts.map(Arc::from) }
    }
}

impl FromStr for Selector {
    type Err = TripletError;

    fn from_str(text: &str) -> Result<Self, TripletError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [application, environment, event_type] = parts[..] else {
            return Err(TripletError::Shape(text.chars().take(200).collect()));
        };
        for part in [application, environment, event_type] {
            if part != "*" {
                check_part(part.strip_suffix('*').unwrap_or(part))?;
            }
        }
        Ok(Self { parts: [application.into(), environment.into(), event_type.into()] })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.parts[0], self.parts[1], self.parts[2])
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, triplet: &str) -> bool {
        selector.parse::<Selector>().unwrap().matches(&triplet.parse().unwrap())
    }

    #[test]
    fn a_selector_matches_parts_prefixes_and_anything() {
        assert!(matches("shop/prod/request", "shop/prod/request"));
        assert!(matches("shop/*/req*", "shop/prod/request"));
        assert!(!matches("shop/prod/req", "shop/prod/request"));
        assert!(!matches("other/*/*", "shop/prod/request"));
    }

    #[test]
    fn selectors_overlap_where_one_triplet_fits_both() {
        let overlap = |left: &str, right: &str| {
            let [left, right]: [Selector; 2] = [left, right].map(|text| text.parse().unwrap());
            assert_eq!(left.overlaps(&right), right.overlaps(&left), "{left} {right}");
            left.overlaps(&right)
        };
        for (left, right) in
            [("*/*/*", "a/b/c"), ("a/b/c", "a/b/c"), ("a/b/re*", "a/*/r*"), ("a/b*/c", "a/bb/*")]
        {
            assert!(overlap(left, right), "{left} {right}");
        }
        for (left, right) in [("a/b/c", "a/b/d"), ("a/b/re*", "a/b/s*"), ("a/b*/c", "a/c/*")] {
            assert!(!overlap(left, right), "{left} {right}");
        }
        let triplet: Triplet = "a/b/c".parse().unwrap();
        assert_eq!(Selector::from(&triplet), "a/b/c".parse().unwrap());
    }

    #[test]
    fn an_open_type_is_filled_in() {
        let open: Selector = "a/b/request-*".parse().unwrap();
        assert!(open.leaves_type_open());
        assert_eq!(open.with_type_end("get").unwrap().as_str(), "a/b/request-get");
        assert!(open.with_type_end("x/y").is_err());
        assert!(!"a/*/c*".parse::<Selector>().unwrap().leaves_type_open());
        assert!(!"a/b/c".parse::<Selector>().unwrap().leaves_type_open());
    }

    #[test]
    fn a_bad_name_is_refused_with_its_part() {
        for text in ["a/b", "a/b/c/d", "a//c", "a/b/ c", "a/b/c\n", "a/*/c"] {
            assert!(text.parse::<Triplet>().is_err(), "{text}");
        }
        assert_eq!("a/b/c".parse::<Triplet>().unwrap().event_type(), "c");
    }
}
