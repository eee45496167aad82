//! Series in, chart out. Downsampling is compared with all points drawn on a raster.

use weir_sdk::Extra;
use weir_sdk::formatter::Formatter;
use weir_sdk::testing::charts;

use crate::chart::{Chart, Request, Series, build};
use crate::component::Timeseries;
use crate::gaps::{self, Gap};
use crate::m4::{self, Scale};
use crate::options::Options;

const S: i64 = 1_000_000_000;

fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> Series {
    Series {
        name: "cpu".into(),
        stream: "weir/local/host".into(),
        interval_ns: S,
        labels: labels.iter().map(|label| Extra { name: label.0.into(), value: label.1.into() }).collect(),
        time: points.iter().map(|point| point.0 * S).collect(),
        fields: vec![("mean".into(), points.iter().map(|point| point.1).collect())],
    }
}

fn options(json: &str) -> Options {
    serde_json::from_str(json).unwrap()
}

fn chart_of(series: Vec<Series>, width_px: u32, json: &str) -> Chart {
    let scale = Scale { start_ns: 0, end_ns: 100 * S, width_px };
    let request = Request {
        title: "cpu by core".into(),
        measure: "%".into(),
        metric: series.first().map(|series| series.name.clone()).unwrap_or_default(),
        scale,
        height_px: 100,
        zone: "UTC".into(),
        series,
        resets: Vec::new(),
    };
    build(&request, &options(json))
}

fn chart(series: Vec<Series>, json: &str) -> Chart {
    chart_of(series, 800, json)
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
    let input = charts::series(&[], &[-1, 0, 99, 100], &[("mean", &[1.0, 2.0, 3.0, 4.0])]);
    let drawn =
        charts::draw::<Timeseries>(charts::request(0..100, vec![input], r#"{"gap_after": "5m"}"#)).unwrap();
    assert_eq!(weir_sdk::drawing::numbers(&drawn.tables[0].columns[1]).unwrap(), [2.0, 3.0]);
    assert_eq!((drawn.axes[1].measure.as_str(), charts::extra(&drawn, "weir.gap_after")), ("ms", "5 min"));
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
        let pixel = time.div_euclid(scale.pixel_ns().max(1));
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
        // One more column where the range is no multiple of a pixel.
        assert!(rows.len() <= 6 * (width_px as usize + 1));
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
    let thin = chart_of(vec![series(&[], &points)], 10, "{}");
    assert_eq!(thin.extras, [("weir.downsampled".to_owned(), "1 px = 10 s, 100 samples".to_owned())]);
    assert_eq!(thin.tables[0].time.len(), 20);
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
    assert_eq!(chart(vec![series(&[], &[])], r#"{"label": "rate"}"#).y, ("rate".into(), "%".into()));
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
    for wrong in [r#"{"field": "p99"}"#, r#"{"field": "mean", "band": ["p99", "mean"]}"#] {
        let input = charts::series(&[], &[0], &[("mean", &[1.0])]);
        let error = charts::draw::<Timeseries>(charts::request(0..100, vec![input], wrong)).unwrap_err();
        assert_eq!(error.message, "no series has a field `p99`; there are: mean");
    }
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
fn options_that_are_wrong_are_named() {
    for (wrong, message) in [
        (r#"{"shape": "pie"}"#, "unknown variant `pie`"),
        (r#"{"gap_after": "soon"}"#, "\"soon\" is no duration"),
        (r#"{"band": "all"}"#, "neither \"spread\" nor two fields"),
    ] {
        let error = serde_json::from_str::<Options>(wrong).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let described = Timeseries::describe().to_json();
    assert!(serde_json::from_str::<serde_json::Value>(&described).is_ok());
}

fn shapes(chart: &Chart) -> Vec<(&str, Vec<&str>)> {
    chart.marks.iter().map(|mark| (mark.shape, mark.y.iter().map(|one| one.1.as_str()).collect())).collect()
}

#[test]
fn two_fields_make_a_band_behind_the_line_of_the_third() {
    let mut one = series(&[("core", "0")], &[(1, 5.0)]);
    one.fields.extend([("min".to_owned(), vec![1.0]), ("max".to_owned(), vec![9.0])]);
    let chart = chart(vec![one], r#"{"band": ["min", "max"]}"#);
    assert_eq!(shapes(&chart), [("band", vec!["min", "max"]), ("line", vec!["mean"])]);
    assert_eq!((chart.y.0.as_str(), chart.marks[1].label.as_str()), ("mean", "core 0"));
}

#[test]
fn a_band_of_the_spread_comes_once_points_are_dense() {
    let points: Vec<_> = (0..100).map(|s| (s, (s % 5) as f64)).collect();
    let json = r#"{"band": "spread"}"#;
    assert_eq!(shapes(&chart_of(vec![series(&[], &points)], 400, json)), [("line", vec!["mean"])]);
    let dense = chart_of(vec![series(&[], &points)], 20, json);
    assert_eq!(shapes(&dense), [("band", vec!["mean least", "mean greatest"]), ("line", vec!["mean"])]);
    assert_eq!(dense.extras[0].1, "mean, least and greatest of each 15 s, 100 samples");
    let fields = &dense.tables[0].fields;
    assert_eq!(
        (dense.tables[0].time.len(), fields[0].1[0], fields[1].1[0], fields[2].1[0]),
        (7, 2.0, 0.0, 4.0)
    );
}

#[test]
fn a_slice_of_the_spread_ends_at_a_gap() {
    let points: Vec<_> = (0..100).filter(|s| !(20..28).contains(s)).map(|s| (s, 1.0)).collect();
    let dense = chart_of(vec![series(&[], &points)], 20, r#"{"band": "spread"}"#);
    let gap = dense.gaps[0].1;
    assert_eq!(gap, Gap { start_ns: 19 * S, end_ns: 28 * S });
    assert!(dense.tables[0].time.contains(&(28 * S)));
    assert!(!dense.tables[0].time.iter().any(|time| *time > gap.start_ns && *time < gap.end_ns));
}

#[test]
fn raw_points_are_all_there_or_one_for_each_pixel() {
    let points: Vec<_> = (0..100).map(|s| (s, (s % 4) as f64)).collect();
    let all = chart_of(vec![series(&[], &points)], 100, r#"{"shape": "point"}"#);
    assert_eq!(all.tables[0].time.len(), 100);
    let thin = chart_of(vec![series(&[], &points)], 10, r#"{"shape": "point"}"#);
    // Ten columns of pixels with four different values each.
    assert_eq!((thin.tables[0].time.len(), thin.extras[0].0.as_str()), (40, "weir.downsampled"));
}

#[test]
fn series_that_add_up_are_thinned_out_at_the_same_times() {
    let wave = |shift: i64| -> Vec<_> { (0..100).map(|s| (s, ((s * 7 + shift) % 13) as f64)).collect() };
    let two = || vec![series(&[("core", "0")], &wave(0)), series(&[("core", "1")], &wave(5))];
    let thin = chart_of(two(), 10, r#"{"shape": "area", "stack": true}"#);
    assert_eq!(thin.tables[0].time, thin.tables[1].time);
    assert!(thin.tables[0].time.len() < 100 && thin.marks.iter().all(|mark| mark.stack));
    let sums = |chart: &Chart| -> Vec<(i64, f64)> {
        let rows = chart.tables[0].fields[0].1.iter().zip(&chart.tables[1].fields[0].1);
        chart.tables[0]
            .time
            .iter()
            .zip(rows)
            .map(|(time, (low, high))| (time / (10 * S), low + high))
            .collect()
    };
    let all = chart_of(two(), 100, r#"{"shape": "area", "stack": true}"#);
    for column in 0..10 {
        let highest = |chart: &Chart| {
            sums(chart).iter().filter(|sum| sum.0 == column).map(|sum| sum.1).fold(f64::NAN, f64::max)
        };
        assert_eq!(highest(&thin), highest(&all), "column {column}");
    }
}

#[test]
fn lines_across_are_marks_of_their_own() {
    let input = charts::series(&[], &[0], &[("mean", &[1.0])]);
    let json = r#"{"rules": [{"at": 250, "label": "too slow"}]}"#;
    let drawn = charts::draw::<Timeseries>(charts::request(0..100, vec![input], json)).unwrap();
    assert_eq!((drawn.marks[1].shape.as_str(), drawn.tables[1].rows), ("rule", 1));
}

#[test]
fn a_counter_that_falls_is_a_reset_and_no_negative_rate() {
    let input = charts::series(
        &[("host", "web-1")],
        &[0, 10 * S, 20 * S, 30 * S, 40 * S],
        &[("n", &[100.0, 150.0, f64::NAN, 20.0, 60.0])],
    );
    let drawn =
        charts::draw::<Timeseries>(charts::request(0..100 * S, vec![input], r#"{"counter": true}"#)).unwrap();
    let rates = weir_sdk::drawing::numbers(&drawn.tables[0].columns[1]).unwrap();
    assert!(rates[0].is_nan() && rates[2].is_nan(), "{rates:?}");
    assert_eq!([rates[1], rates[3], rates[4]], [5.0, 1.0, 4.0]);
    assert_eq!(drawn.axes[1].measure, "ms/s");
    let moments = charts::extra(&drawn, "weir.moments");
    let moments: serde_json::Value = serde_json::from_str(moments).unwrap();
    assert_eq!(moments[0]["kind"], "reset");
    assert!(moments[0]["label"].as_str().unwrap().contains("web-1"), "{moments}");
    assert_eq!(moments.as_array().unwrap().len(), 1);
    assert!(drawn.summary.contains("1 counter reset"), "{}", drawn.summary);
}

#[test]
fn what_is_no_counter_may_fall() {
    let input = charts::series(&[], &[0, 10 * S], &[("n", &[5.0, 1.0])]);
    let drawn = charts::draw::<Timeseries>(charts::request(0..100 * S, vec![input], "{}")).unwrap();
    assert!(drawn.extras.iter().all(|extra| extra.name != "weir.moments"));
}

#[test]
fn while_the_window_moves_the_same_rows_are_kept_but_for_its_ends() {
    let time: Vec<i64> = (0..10_000).map(|row| row * S / 100).collect();
    let values: Vec<f64> = (0..10_000).map(|row| f64::from(row * 7_919 % 487)).collect();
    let kept = |start_ns: i64| {
        let scale = Scale { start_ns, end_ns: start_ns + 50 * S, width_px: 200 };
        let from = time.partition_point(|time_ns| *time_ns < start_ns);
        let to = time.partition_point(|time_ns| *time_ns < start_ns + 50 * S);
        let rows = m4::keep(&time[from..to], &[&values[from..to]], scale);
        rows.into_iter().map(|row| row + from).collect::<Vec<usize>>()
    };
    let (before, after) = (kept(10 * S + 13_000_000), kept(10 * S + 263_000_000));
    let begins = before.iter().position(|row| *row == after[0]).unwrap();
    let same = before[begins..].iter().zip(&after).take_while(|(old, new)| old == new).count();
    assert!(begins <= 8 && same + 8 >= before.len() - begins, "{begins} dropped, {same} of {}", before.len());
}
