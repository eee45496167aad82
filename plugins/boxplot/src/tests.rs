//! Series in, chart out. The quartiles are compared with those of numpy 2.4 (`numpy.quantile`), written down here.

use weir_sdk::formatter::{Chart, Formatter, Input, Request};
use weir_sdk::testing::batch;
use weir_sdk::{Column, ColumnExt, Extra};

use crate::quartiles::{Box5, Whiskers};
use crate::{Boxplot, OUTLIERS_MAX};

fn input(host: &str, values: &[f64]) -> Input {
    let times: Vec<i64> = (0..values.len() as i64).collect();
    Input {
        name: "latency".into(),
        measure: "ms".into(),
        interval: 1,
        labels: vec![Extra { name: "host".into(), value: host.into() }],
        batch: batch(&times, &[], vec![Column::of_f64s("mean_ms", values)]),
    }
}

fn draw(inputs: Vec<Input>, options: &str) -> Chart {
    let request = Request {
        start: 0,
        end: 1_000_000,
        width: 400,
        height: 200,
        zone: "UTC".into(),
        options: options.into(),
        inputs,
        extras: Vec::new(),
    };
    Boxplot::render(serde_json::from_str(options).unwrap(), request).unwrap()
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
    assert!(chart.extras[0].value.contains("1.5 heights"));
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
    assert_eq!((chart.tables[0].rows, chart.extras[1].value.as_str()), (3, "2 of 5 series"));
    let request = Request {
        start: 0,
        end: 9,
        width: 1,
        height: 1,
        zone: String::new(),
        options: String::new(),
        inputs: vec![input("a", &[1.0])],
        extras: vec![],
    };
    let error = Boxplot::render(serde_json::from_str(r#"{"field": "p99"}"#).unwrap(), request).unwrap_err();
    assert_eq!(error.message, "no series has a field `p99`");
}
