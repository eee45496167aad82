//! Series in, chart out. The quartiles are compared with those of numpy 2.4 (`numpy.quantile`), written down here.

use weir_sdk::column::PackedExt;
use weir_sdk::drawing::numbers;
use weir_sdk::formatter::{Chart, Input};
use weir_sdk::testing::charts::{extra, request, series};
use weir_sdk::{Failure, Values};

use crate::quartiles::{Box5, Whiskers};
use crate::{Boxplot, OUTLIERS_MAX};

fn input(host: &str, values: &[f64]) -> Input {
    let times: Vec<i64> = (0..values.len() as i64).collect();
    series(&[("host", host)], &times, &[("mean_ms", values)])
}

fn try_draw(inputs: Vec<Input>, options: &str) -> Result<Chart, Failure> {
    weir_sdk::testing::charts::draw::<Boxplot>(request(0..1_000_000, inputs, options))
}

fn draw(inputs: Vec<Input>, options: &str) -> Chart {
    try_draw(inputs, options).unwrap()
}

/// The first column of a table: names.
fn names(chart: &Chart, table: usize) -> Vec<&str> {
    let table = &chart.tables[table];
    let Values::Texts(texts) = &table.columns[0].values else { return Vec::new() };
    (0..table.rows as usize).map(|row| texts.text_at(row)).collect()
}

fn check(values: &[f64], whiskers: Whiskers, wanted: [f64; 5]) {
    let made = Box5::of(values.to_vec(), whiskers).unwrap();
    let seen = [made.low, made.q1, made.median, made.q3, made.high];
    assert!(
        seen.iter().zip(wanted).all(|(seen, wanted)| (seen - wanted).abs() < 1e-12),
        "{seen:?} {wanted:?}"
    );
}

#[test]
fn the_five_numbers_are_those_of_the_definition() {
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 40.0];
    check(&values, Whiskers::Tukey, [1.0, 3.25, 5.5, 7.75, 9.0]);
    check(&values, Whiskers::Range, [1.0, 3.25, 5.5, 7.75, 40.0]);
    check(&values, Whiskers::Percentiles, [1.45, 3.25, 5.5, 7.75, 26.05]);
    check(&[7.0], Whiskers::Tukey, [7.0; 5]);
    check(&[1.0, 2.0], Whiskers::Tukey, [1.0, 1.25, 1.5, 1.75, 2.0]);
    check(&[0.0, 0.0, 0.0, 0.0, 100.0], Whiskers::Tukey, [0.0; 5]);
}

#[test]
fn what_is_no_number_is_passed_over() {
    assert_eq!(Box5::of(vec![f64::NAN, f64::INFINITY], Whiskers::Range), None);
    check(&[f64::NAN, 3.0, f64::NEG_INFINITY], Whiskers::Range, [3.0; 5]);
}

#[test]
fn the_farthest_points_beyond_are_kept_and_counted() {
    let mut values = vec![0.0; 1_000];
    values.extend((1..=150).map(f64::from));
    let made = Box5::of(values, Whiskers::Tukey).unwrap();
    assert_eq!((made.outliers.len(), made.outliers_total, made.outliers[0]), (OUTLIERS_MAX, 150, 150.0));
}

#[test]
fn a_box_for_each_series_and_a_mark_for_what_is_beyond() {
    let chart = draw(vec![input("web2", &[1.0, 2.0, 3.0, 4.0, 90.0]), input("web1", &[5.0, 6.0])], "{}");
    let shapes: Vec<&str> = chart.marks.iter().map(|mark| mark.shape.as_str()).collect();
    assert_eq!(shapes, ["box", "point"]);
    assert_eq!((chart.tables[0].rows, chart.tables[1].rows), (2, 1));
    assert_eq!((chart.axes[1].label.as_str(), chart.axes[1].measure.as_str()), ("mean_ms", "ms"));
    let wanted =
        "latency: 2 boxes of 7 values; median from 3 ms (web2) to 5.5 ms (web1); 1 beyond the whiskers.";
    assert_eq!(chart.summary, wanted);
    assert!(extra(&chart, "weir.whiskers").contains("1.5 heights"));
    assert_eq!((names(&chart, 0), names(&chart, 1)), (vec!["web1", "web2"], vec!["web2"]));
    let roles: Vec<&str> = chart.marks[0].bindings.iter().map(|binding| binding.role.as_str()).collect();
    assert_eq!(roles, ["x", "n", "low", "q1", "median", "q3", "high"]);
}

#[test]
fn nothing_to_draw_is_said() {
    assert_eq!(draw(vec![], "{}").summary, "no data yet: no values.");
    assert_eq!(draw(vec![input("a", &[f64::NAN])], "{}").summary, "latency: no values.");
}

#[test]
fn too_many_series_are_named_and_an_unknown_field_is_an_error() {
    let many = (0..5).map(|host| input(&host.to_string(), &[1.0])).collect();
    let chart = draw(many, r#"{"series_max": 3}"#);
    assert_eq!((chart.tables[0].rows, extra(&chart, "weir.left_out")), (3, "2 of 5 series"));
    let error = try_draw(vec![input("a", &[1.0])], r#"{"field": "p99"}"#).unwrap_err();
    assert_eq!(error.message, "no series has a field `p99`; there are: mean_ms");
}

fn parts(host: &str, queue: &[f64], work: &[f64]) -> Input {
    series(&[("host", host)], &[0, 1, 2], &[("queue_ms", queue), ("work_ms", work)])
}

#[test]
fn fields_of_one_series_stand_on_each_other_with_their_sum() {
    let two = vec![parts("b", &[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), parts("a", &[f64::NAN; 3], &[4.0; 3])];
    let chart = draw(two, r#"{"field": ["queue_ms", "work_ms"], "stack": true}"#);
    let seen: Vec<_> = chart.marks.iter().map(|mark| (mark.shape.as_str(), mark.stack.as_str())).collect();
    assert_eq!(seen, [("box", "stack"), ("box", "stack"), ("text", "")]);
    assert_eq!((names(&chart, 0), names(&chart, 1)), (vec!["b"], vec!["a", "b"]));
    assert_eq!(numbers(&chart.tables[2].columns[1]).unwrap(), [4.0, 22.0]);
    assert_eq!((chart.axes[1].label.as_str(), chart.axes[1].measure.as_str()), ("latency", "ms"));
}

#[test]
fn fields_side_by_side_are_called_after_both() {
    let two = vec![parts("b", &[1.0, 2.0, 3.0], &[1.0; 3]), parts("a", &[1.0; 3], &[1.0; 3])];
    let chart = draw(two, r#"{"field": ["queue_ms", "work_ms"]}"#);
    assert_eq!(names(&chart, 0), ["a queue_ms", "a work_ms", "b queue_ms", "b work_ms"]);
    let one = draw(vec![parts("b", &[1.0; 3], &[1.0; 3])], r#"{"field": ["queue_ms", "work_ms"]}"#);
    assert_eq!(names(&one, 0), ["queue_ms", "work_ms"]);
}
