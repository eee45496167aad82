//! The benches: what `cargo xtask bench NAME...` runs, one file each.
//!
//! In: a name of [`NAMES`]. Out: a [`Report`] with a table for people, figures by name and the budgets that were missed. Figures are medians of several
//! rounds; where two things are compared, their rounds take turns in one run, so that a machine that slows down slows both. CPU time is that of the
//! thread or process alone. An error means that there is no figure at all; processes that were started are ended then too.

pub mod boundary;
pub mod codec;
pub mod curve;
pub mod events;
pub mod floor;
pub mod ingest;
pub mod journal;
pub mod latency;
pub mod measure;
pub mod metrics;
pub mod native;
pub mod page;
pub mod shapes;
pub mod start;
pub mod state;
pub mod units;
pub mod windows;

use std::io::Write;

use anyhow::{Result, bail};

/// All benches, in the order of `all`.
pub const NAMES: [&str; 11] = [
    "boundary", "codec", "curve", "ingest", "journal", "latency", "metrics", "page", "start", "state",
    "units",
];

/// What a bench found.
#[derive(Debug)]
pub struct Report {
    pub bench: &'static str,
    /// The first line has the titles.
    pub table: Vec<Vec<String>>,
    pub figures: Vec<(String, f64)>,
    pub missed: Vec<String>,
}

impl Report {
    pub fn new(bench: &'static str, titles: &[&str]) -> Self {
        let titles = titles.iter().map(|title| (*title).to_owned()).collect();
        Self { bench, table: vec![titles], figures: Vec::new(), missed: Vec::new() }
    }

    /// Told on standard error at once too: a bench takes minutes.
    pub fn row(&mut self, cells: Vec<String>) {
        drop(writeln!(std::io::stderr(), "{}: {}", self.bench, cells.join("  ")));
        self.table.push(cells);
    }

    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.push((name.to_owned(), value));
    }

    /// A figure that must not be greater than its budget.
    pub fn budgeted(&mut self, name: &str, value: f64, budget: f64) {
        self.figure(name, value);
        // A figure that is no number is missed as well.
        if value.partial_cmp(&budget).is_none_or(std::cmp::Ordering::is_gt) {
            self.missed.push(format!("{name} is {value:.3}, its budget is {budget}"));
        }
    }

    /// The table with its columns under each other: the first to the left, the others to the right.
    pub fn table_text(&self) -> String {
        let columns = self.table.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let width =
            |column| self.table.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.table {
            for (column, width) in widths.iter().enumerate() {
                let cell = cell(row, column);
                text.push_str(&if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                });
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// `{"bench":…,"figures":{…}}`
    pub fn json(&self) -> String {
        let rounded = |value: f64| serde_json::json!((value * 1_000.0).round() / 1_000.0);
        let figures: serde_json::Map<_, _> =
            self.figures.iter().map(|(name, value)| (name.clone(), rounded(*value))).collect();
        serde_json::json!({ "bench": self.bench, "figures": figures }).to_string()
    }
}

pub fn run(name: &str) -> Result<Report> {
    match name {
        "boundary" => boundary::run(),
        "codec" => codec::run(),
        "curve" => curve::run(),
        "ingest" => ingest::run(),
        "journal" => journal::run(),
        "latency" => latency::run(),
        "metrics" => metrics::run(),
        "page" => page::run(),
        "start" => start::run(),
        "state" => state::run(),
        "units" => units::run(),
        _ => bail!("there is no bench `{name}`; there are {} and all", NAMES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_budget_is_told_and_a_kept_one_is_not() {
        let mut report = Report::new("codec", &["what", "ns"]);
        report.budgeted("kept_ns", 10.0, 10.0);
        report.budgeted("missed_ns", 10.001, 10.0);
        report.budgeted("lost_ns", f64::NAN, 10.0);
        assert_eq!(report.missed.len(), 2);
        assert!(report.missed[0].starts_with("missed_ns is 10.001"));
    }

    #[test]
    fn a_table_has_its_columns_under_each_other() {
        let mut report = Report::new("codec", &["what", "ns"]);
        report.row(vec!["parse".into(), "7".into()]);
        assert_eq!(report.table_text(), "what   ns\nparse   7\n");
        report.figure("a_ns", 1.23456);
        assert_eq!(report.json(), r#"{"bench":"codec","figures":{"a_ns":1.235}}"#);
    }
}
