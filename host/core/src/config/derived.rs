//! What a derived stream is called: one triplet, or one whose type the rows choose.
//!
//! In: the members `triplet`, `type_by` and `types` of a `[[pipeline.stream]]`. Out: [`DerivedName`]. Which streams there can be is known from the configuration, so that circles are found
//! in it; how many there can be is bounded ([`TYPES_MAX`]).

use std::fmt;
use std::sync::Arc;

use super::Place;
use super::check::Check;
use super::raw;
use crate::triplet::{Selector, Triplet};

/// Most types of one derived stream.
pub const TYPES_MAX: usize = 1_024;
const DEFAULT_TYPES: i64 = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DerivedName {
    One(Triplet),
    /// The end of the type is the value of a column.
    ByColumn {
        pattern: Selector,
        column: Arc<str>,
        types_max: usize,
    },
}

impl DerivedName {
    /// Whether a pipeline with this selector may get rows of it.
    pub fn feeds(&self, selector: &Selector) -> bool {
        match self {
            Self::One(triplet) => selector.matches(triplet),
            Self::ByColumn { pattern, .. } => selector.overlaps(pattern),
        }
    }

    /// Whether both may write the same stream.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(one), Self::One(other)) => one == other,
            (Self::One(triplet), Self::ByColumn { pattern, .. })
            | (Self::ByColumn { pattern, .. }, Self::One(triplet)) => pattern.matches(triplet),
            (Self::ByColumn { pattern: one, .. }, Self::ByColumn { pattern: other, .. }) => {
                one.overlaps(other)
            }
        }
    }
}

impl fmt::Display for DerivedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(triplet) => write!(f, "{triplet}"),
            Self::ByColumn { pattern, .. } => write!(f, "{pattern}"),
        }
    }
}

pub fn name(check: &Check<'_>, raw: &raw::Stream) -> Option<DerivedName> {
    let place: &Place = &raw.place;
    let Some(column) = &raw.type_by else {
        if let Some(types) = &raw.types {
            check.problem(
                place,
                "types",
                types.line,
                "bounds the types that `type_by` chooses; add it, or take `types` out",
            );
        }
        return check.triplet(place, "triplet", &raw.triplet).map(DerivedName::One);
    };
    let types = raw.types.as_ref().map_or(DEFAULT_TYPES, |types| types.value);
    let types_max = usize::try_from(types).ok().filter(|types| (1..=TYPES_MAX).contains(types));
    if types_max.is_none() {
        check.problem(
            place,
            "types",
            raw.types.as_ref().map_or(0, |types| types.line),
            format!("must be 1 to {TYPES_MAX}"),
        );
    }
    if column.value.is_empty() {
        check.problem(place, "type_by", column.line, "names no column");
        return None;
    }
    let pattern = check.selectors(place, "triplet", std::slice::from_ref(&raw.triplet)).pop()?;
    if !pattern.leaves_type_open() {
        let message = "must leave the end of the type, and nothing else, to the column of `type_by`: \"shop/prod/request-*\"";
        check.problem(place, "triplet", raw.triplet.line, message);
        return None;
    }
    Some(DerivedName::ByColumn { pattern, column: column.value.as_str().into(), types_max: types_max? })
}
