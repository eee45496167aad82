//! Series in, rows out.

use weir_sdk::column::PackedExt;
use weir_sdk::drawing::numbers;
use weir_sdk::formatter::{Chart, Input};
use weir_sdk::testing::charts::{extra, request, series};
use weir_sdk::{Failure, Values};

use crate::TableOf;

fn input(host: &str, points: &[(i64, f64, f64)]) -> Input {
    let times: Vec<i64> = points.iter().map(|point| point.0).collect();
    let values = |of: fn(&(i64, f64, f64)) -> f64| points.iter().map(of).collect::<Vec<_>>();
    let (n, mean) = (values(|point| point.1), values(|point| point.2));
    series(&[("host", host)], &times, &[("n", &n), ("mean", &mean)])
}

fn try_draw(inputs: Vec<Input>, options: &str) -> Result<Chart, Failure> {
    weir_sdk::testing::charts::draw::<TableOf>(request(10..100, inputs, options))
}

fn draw(inputs: Vec<Input>, options: &str) -> Chart {
    try_draw(inputs, options).unwrap()
}

fn hosts(chart: &Chart) -> Vec<String> {
    let table = &chart.tables[0];
    match &table.columns[0].values {
        Values::Texts(texts) => (0..table.rows as usize).map(|row| texts.text_at(row).to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn three() -> Vec<Input> {
    vec![
        input("web2", &[(20, 5.0, 1.0), (30, 7.0, f64::NAN)]),
        input("web1", &[(20, 9.0, 3.0)]),
        input("web3", &[(20, f64::NAN, 2.0), (200, 1.0, 1.0)]),
    ]
}

#[test]
fn the_newest_value_of_each_field_in_the_window() {
    let chart = draw(three(), "{}");
    assert_eq!(hosts(&chart), ["web1", "web2", "web3"]);
    let columns: Vec<&str> = chart.tables[0].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["host", "n", "mean", "newest point"]);
    let n = numbers(&chart.tables[0].columns[1]).unwrap();
    assert!(n[0] == 9.0 && n[1] == 7.0 && n[2].is_nan());
    assert_eq!(numbers(&chart.tables[0].columns[2]).unwrap(), [3.0, 1.0, 2.0]);
    assert_eq!(
        (chart.marks[0].shape.as_str(), chart.summary.as_str()),
        ("table", "latency: 3 rows of newest values.")
    );
}

#[test]
fn rows_are_sorted_and_those_without_a_value_come_last() {
    assert_eq!(hosts(&draw(three(), r#"{"sort_by": "n"}"#)), ["web2", "web1", "web3"]);
    assert_eq!(hosts(&draw(three(), r#"{"sort_by": "n", "descending": true}"#)), ["web1", "web2", "web3"]);
    assert_eq!(hosts(&draw(three(), r#"{"sort_by": "host", "descending": true}"#)), ["web3", "web2", "web1"]);
}

#[test]
fn fields_are_chosen_and_rows_are_bounded() {
    let chart = draw(three(), r#"{"field": "mean", "rows_max": 2}"#);
    assert_eq!((chart.tables[0].columns.len(), chart.tables[0].rows), (3, 2));
    assert_eq!(extra(&chart, "weir.left_out"), "1 of 3 series");
    let error = try_draw(three(), r#"{"field": ["mean", "p99"]}"#).unwrap_err();
    assert_eq!(error.message, "no series has a field `p99`; there are: mean, n");
}

#[test]
fn series_without_a_point_in_the_window_have_no_row() {
    let chart = draw(vec![input("old", &[(5, 1.0, 1.0)])], "{}");
    assert_eq!((chart.tables[0].rows, chart.summary.as_str()), (0, "latency: no values."));
    assert_eq!(draw(vec![], "{}").summary, "no data yet: no values.");
}

#[test]
fn each_field_has_its_unit_of_measurement() {
    let chart = draw(three(), r#"{"measures": {"n": "1"}}"#);
    let axis_of = |column: &str| {
        let binding = chart.marks[0].bindings.iter().find(|binding| binding.column == column)?;
        chart.axes.iter().find(|axis| axis.name == binding.axis).map(|axis| axis.measure.as_str())
    };
    assert_eq!((axis_of("n"), axis_of("mean"), axis_of("host")), (Some("1"), Some("ms"), None));
}

#[test]
fn labels_stand_in_natural_order() {
    let made = ["web10", "web9", "web1"].map(|host| input(host, &[(20, 1.0, 1.0)]));
    assert_eq!(hosts(&draw(made.into(), "{}")), ["web1", "web9", "web10"]);
}
