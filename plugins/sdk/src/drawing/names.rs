//! Names of series: for people (legend) and stable ones (tables), and the order in which series stand.
//!
//! In: the labels of a series, name and value each. Out: "web1", "core 0", "core 0, web1" for people; "core=0,host=web1" as the table's name, the same whatever the order
//! of the labels. The order is natural: "core 2" stands before "core 10".

use std::cmp::Ordering;

use crate::Extra;

/// `label_by`: the one label that names the series; where it is empty or not there, all do. Empty where there are no labels.
pub fn for_people(labels: &[Extra], label_by: &str) -> String {
    match labels.iter().find(|label| !label_by.is_empty() && label.name == label_by) {
        Some(label) => one(label),
        None => labels.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

/// A value that is no number speaks for itself.
fn one(Extra { name, value }: &Extra) -> String {
    if value.is_empty() || value.parse::<f64>().is_ok() {
        format!("{name} {value}")
    } else {
        value.to_owned()
    }
}

pub fn stable(labels: &[Extra]) -> String {
    let mut labels: Vec<String> =
        labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
    labels.sort_unstable();
    labels.join(",")
}

/// Runs of digits compare as numbers, all else as text.
pub fn natural(left: &str, right: &str) -> Ordering {
    let (mut left_rest, mut right_rest) = (left, right);
    loop {
        let (left_run, left_after) = run(left_rest);
        let (right_run, right_after) = run(right_rest);
        if left_run.is_empty() || right_run.is_empty() {
            return left_run.len().cmp(&right_run.len()).then_with(|| left.cmp(right));
        }
        let order = match (digits(left_run), digits(right_run)) {
            // Without zeros in front the longer number is the greater.
            (Some(left), Some(right)) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
            _ => left_run.cmp(right_run),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left_rest, right_rest) = (left_after, right_after);
    }
}

/// The first run of digits, or of anything else, and what follows.
fn run(text: &str) -> (&str, &str) {
    let is_digit = text.starts_with(|first: char| first.is_ascii_digit());
    let end = text.find(|char: char| char.is_ascii_digit() != is_digit).unwrap_or(text.len());
    text.split_at(end)
}

fn digits(run: &str) -> Option<&str> {
    run.starts_with(|first: char| first.is_ascii_digit()).then(|| run.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[(&str, &str)]) -> Vec<Extra> {
        all.iter().map(|(name, value)| Extra { name: (*name).into(), value: (*value).into() }).collect()
    }

    #[test]
    fn numbers_need_their_label_and_names_speak_for_themselves() {
        let both = labels(&[("core", "0"), ("host", "web1")]);
        assert_eq!(for_people(&both, ""), "core 0, web1");
        assert_eq!(
            (for_people(&both, "host").as_str(), for_people(&both, "no").as_str()),
            ("web1", "core 0, web1")
        );
        assert_eq!(stable(&labels(&[("host", "web1"), ("core", "0")])), "core=0,host=web1");
    }

    #[test]
    fn the_order_is_natural_and_total() {
        for (left, right) in
            [("core 2", "core 10"), ("a", "b"), ("", "a"), ("a1b", "a1c"), ("7", "07x"), ("a", "a1")]
        {
            assert!(natural(left, right).is_lt() && natural(right, left).is_gt(), "{left} {right}");
        }
        assert!(natural("a01", "a1").is_ne() && natural("x9", "x9").is_eq());
    }
}
