//! Series in, chart out. Downsampling is compared with all points drawn on a raster.

use crate::chart::{Chart, Request, Series, build};
use crate::gaps::{self, Gap};
use crate::m4::{self, Scale};
use crate::names::natural;
use crate::options::{Options, describe};

const S: i64 = 1_000_000_000;

fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> Series {
    Series {
        name: "cpu".into(),
        stream: "weir/local/host".into(),
        measure: "%".into(),
        interval_ns: S,
        labels: labels.iter().map(|label| (label.0.into(), label.1.into())).collect(),
        time: points.iter().map(|point| point.0 * S).collect(),
        fields: vec![("mean".into(), points.iter().map(|point| point.1).collect())],
    }
}

fn chart(series: Vec<Series>, options: &str) -> Chart {
    let scale = Scale { start_ns: 0, end_ns: 100 * S, width_px: 800 };
    let request = Request { title: "cpu by core".into(), scale, zone: String::new(), series };
    build(&request, &Options::parse(options).unwrap()).unwrap()
}

#[test]
fn one_table_and_mark_for_each_series_in_natural_order() {
    let point = [(1, 5.0)];
    let made = ["10", "2", "0"].map(|core| series(&[("core", core)], &point));
    let chart = chart(made.into(), r#"{"field": "mean", "label_by": "core"}"#);
    let labels: Vec<_> = chart.marks.iter().map(|mark| mark.label.as_str()).collect();
    assert_eq!(labels, ["core 0", "core 2", "core 10"]);
    let tables: Vec<_> = chart.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["core=0", "core=2", "core=10"]);
    assert_eq!((chart.x.1.as_str(), chart.y.0.as_str(), chart.y.1.as_str()), ("UTC", "mean", "%"));
}

#[test]
fn equal_labels_are_told_apart_by_their_stream() {
    let mut other = series(&[("core", "0")], &[(1, 5.0)]);
    other.stream = "weir/away/host".into();
    let chart = chart(vec![series(&[("core", "0")], &[(1, 5.0)]), other], "{}");
    assert_eq!(chart.marks[0].label, "core 0 weir/away/host");
    assert_eq!([&*chart.tables[0].name, &*chart.tables[1].name], ["core=0", "core=0 2"]);
}

#[test]
fn points_outside_of_the_range_are_left_out() {
    let chart =
        chart(vec![series(&[], &[(-1, 1.0), (0, 2.0), (99, 3.0), (100, 4.0)])], r#"{"gap_after": "5m"}"#);
    assert_eq!(chart.tables[0].time, [0, 99 * S]);
    assert_eq!(chart.tables[0].fields[0].1, [2.0, 3.0]);
}

#[test]
fn a_gap_is_named_and_belongs_to_its_table() {
    let good: Vec<_> = (0..50).map(|s| (s, 1.0)).collect();
    let holed: Vec<_> = good.iter().copied().filter(|point| point.0 < 20 || point.0 >= 32).collect();
    let both = vec![series(&[("core", "0")], &good), series(&[("core", "1")], &holed)];
    let one = chart(both, "{}");
    let gap = Gap { start_ns: 19 * S, end_ns: 32 * S };
    assert_eq!(one.gaps, [("core=1".to_owned(), gap, "no data 13 s".to_owned())]);
    let both = vec![series(&[("core", "0")], &holed), series(&[("core", "1")], &holed)];
    assert_eq!(chart(both, "{}").gaps, [(String::new(), gap, "no data 13 s".to_owned())]);
}

#[test]
fn rows_without_a_value_make_a_gap() {
    let points: Vec<_> = (0..50).map(|s| (s, if (10..15).contains(&s) { f64::NAN } else { 1.0 })).collect();
    let chart = chart(vec![series(&[], &points)], "{}");
    assert_eq!(chart.gaps.len(), 1);
    assert_eq!(chart.gaps[0].1, Gap { start_ns: 9 * S, end_ns: 15 * S });
    assert!(chart.tables[0].fields[0].1[12].is_nan());
}

#[test]
fn without_a_declared_interval_the_median_distance_counts() {
    let scale = Scale { start_ns: 0, end_ns: 1_000, width_px: 1_000 };
    assert_eq!(gaps::find(&[0, 10, 20, 45, 55, 81], 0, 0, scale), [Gap { start_ns: 55, end_ns: 81 }]);
    assert_eq!(gaps::find(&[0, 10, 900], 0, 0, scale), []);
    assert_eq!(gaps::find(&[0, 10, 900], 0, 800, scale), [Gap { start_ns: 10, end_ns: 900 }]);
    assert_eq!(gaps::find(&[], 5, 0, scale), []);
}

#[test]
fn gaps_within_a_pixel_are_not_named() {
    let scale = Scale { start_ns: 0, end_ns: 1_000, width_px: 10 };
    assert_eq!(gaps::find(&[0, 1, 2, 50, 90, 150], 1, 0, scale), [Gap { start_ns: 90, end_ns: 150 }]);
}

/// Column of pixels, lowest and highest value.
type Extent = (i64, f64, f64);
/// From a column and value to a column and value.
type Step = (i64, f64, i64, f64);

/// What a line covers: for each column of pixels the extent of the values in it, and the steps between columns.
fn raster(time: &[i64], values: &[f64], scale: Scale) -> (Vec<Extent>, Vec<Step>) {
    let mut columns: Vec<Extent> = Vec::new();
    let mut steps = Vec::new();
    for (row, (time, value)) in time.iter().zip(values).enumerate() {
        let pixel = scale.pixel(*time);
        match columns.last_mut().filter(|column| column.0 == pixel) {
            Some(column) => *column = (pixel, column.1.min(*value), column.2.max(*value)),
            None => {
                if row > 0 {
                    steps.push((columns.last().unwrap().0, values[row - 1], pixel, *value));
                }
                columns.push((pixel, *value, *value));
            }
        }
    }
    (columns, steps)
}

#[test]
fn thinning_out_changes_no_pixel() {
    let mut noise = 12_345u64;
    let mut next = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) as i64
    };
    for width_px in [1, 3, 100, 799] {
        let scale = Scale { start_ns: 0, end_ns: 1_000_000, width_px };
        let mut time: Vec<i64> = (0..5_000).map(|_| next() % 1_000_000).collect();
        time.sort_unstable();
        let fields: [Vec<f64>; 2] =
            std::array::from_fn(|_| time.iter().map(|_| (next() % 1_000) as f64).collect());
        let rows = m4::keep(&time, &[&fields[0], &fields[1]], scale);
        assert!(rows.len() <= 6 * width_px as usize);
        let thin: Vec<i64> = rows.iter().map(|row| time[*row]).collect();
        for field in &fields {
            let values: Vec<f64> = rows.iter().map(|row| field[*row]).collect();
            assert_eq!(raster(&thin, &values, scale), raster(&time, field, scale), "{width_px} px");
        }
    }
}

#[test]
fn a_thinned_out_chart_says_so() {
    let points: Vec<_> = (0..100).map(|s| (s, s as f64)).collect();
    let plain = chart(vec![series(&[], &points)], "{}");
    assert_eq!(plain.extras, []);
    let scale = Scale { start_ns: 0, end_ns: 100 * S, width_px: 10 };
    let request = Request {
        title: "x".into(),
        scale,
        zone: "Europe/Berlin".into(),
        series: vec![series(&[], &points)],
    };
    let thin = build(&request, &Options::parse("{}").unwrap()).unwrap();
    assert_eq!(thin.extras, [("weir.downsampled".to_owned(), "1 px = 10 s, 100 samples".to_owned())]);
    assert_eq!(thin.tables[0].time.len(), 20);
    assert_eq!(thin.x.1, "Europe/Berlin");
}

#[test]
fn the_summary_says_what_is_seen() {
    let two = vec![
        series(&[("core", "0")], &[(1, 5.0), (2, 97.0)]),
        series(&[("core", "1")], &[(1, 0.25), (2, 12.34)]),
    ];
    let summary = chart(two, "{}").summary;
    let wanted = "cpu by core: 2 series, 4 points over 1 min 40 s; from 0.25 % to 97 %, newest 12.3 % (core 1) to 97 % (core 0).";
    assert_eq!(summary, wanted);
    assert_eq!(chart(vec![], "{}").summary, "cpu by core: no data over 1 min 40 s.");
}

#[test]
fn axes_are_never_without_label_and_measure() {
    let empty = chart(vec![], "{}");
    assert!(![&empty.x.0, &empty.x.1, &empty.y.0, &empty.y.1].iter().any(|text| text.is_empty()));
    assert_eq!(
        chart(vec![series(&[], &[])], r#"{"measure": "1/s", "label": "rate"}"#).y,
        ("rate".into(), "1/s".into())
    );
}

#[test]
fn areas_and_bars_begin_at_zero() {
    let y_min = |options: &str| chart(vec![series(&[], &[(1, 5.0)])], options).y_min;
    assert_eq!(y_min(r#"{"shape": "area"}"#), Some(0.0));
    assert_eq!(y_min(r#"{"shape": "bar", "y_min": -5}"#), Some(-5.0));
    assert_eq!(y_min(r#"{"shape": "line"}"#), None);
}

#[test]
fn a_field_that_no_series_has_is_an_error_that_names_those_there_are() {
    let scale = Scale { start_ns: 0, end_ns: S, width_px: 8 };
    let request =
        Request { title: String::new(), scale, zone: String::new(), series: vec![series(&[], &[(0, 1.0)])] };
    let error = build(&request, &Options::parse(r#"{"field": "p99"}"#).unwrap()).unwrap_err();
    assert_eq!(error.message, "no series has a field `p99`; there are: mean");
}

#[test]
fn too_many_series_are_counted() {
    let many = (0..45).map(|core| series(&[("core", &core.to_string())], &[(1, 1.0)])).collect();
    let chart = chart(many, "{}");
    assert_eq!(chart.tables.len(), 40);
    assert_eq!(chart.extras, [("weir.left_out".to_owned(), "5 of 45 series".to_owned())]);
    assert!(chart.summary.ends_with("5 more series are not shown."));
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

#[test]
fn options_that_are_wrong_name_their_place() {
    assert_eq!(Options::parse(r#"{"shape": "pie"}"#).unwrap_err().path, "/shape");
    assert_eq!(Options::parse(r#"{"gap_after": "soon"}"#).unwrap_err().path, "/gap_after");
    assert!(serde_json::from_str::<serde_json::Value>(&describe()).is_ok());
}
