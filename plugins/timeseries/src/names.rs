//! Names of series: for people (legend) and stable ones (tables), and the order in which series stand.
//!
//! In: the labels of a series. Out: "web1", "core 0", "core 0, web1" for people; "core=0,host=web1" as the table's name, the same whatever the order
//! of the labels. The order is natural: "core 2" stands before "core 10".

use std::cmp::Ordering;

/// Name and value of each label, as they came.
pub type Labels = [(String, String)];

/// `label_by`: the one label that names the series; where it is empty or not there, all do. Empty where there are no labels.
pub fn for_people(labels: &Labels, label_by: &str) -> String {
    match labels.iter().find(|(name, _)| !label_by.is_empty() && name == label_by) {
        Some((name, value)) => one(name, value),
        None => {
            let all: Vec<String> = labels.iter().map(|(name, value)| one(name, value)).collect();
            all.join(", ")
        }
    }
}

/// A value that is no number speaks for itself.
fn one(name: &str, value: &str) -> String {
    if value.is_empty() || value.parse::<f64>().is_ok() {
        format!("{name} {value}")
    } else {
        value.to_owned()
    }
}

pub fn stable(labels: &Labels) -> String {
    let mut labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
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
