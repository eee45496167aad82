//! Series in, chart out.

use weir_sdk::Values;
use weir_sdk::column::{S64s, U64s};
use weir_sdk::drawing::numbers;
use weir_sdk::formatter::{Chart, Input, Table};
use weir_sdk::testing::charts::{extra, request, series};

use crate::bins::Bins;
use crate::{BINS_MAX, BINS_MIN, Histogram, SLICES_MAX};

const S: i64 = 1_000_000_000;

fn input(host: &str, values: &[f64]) -> Input {
    let times: Vec<i64> = (0..values.len() as i64).collect();
    series(&[("host", host)], &times, &[("mean_ms", values)])
}

fn draw(inputs: Vec<Input>, options: &str) -> Chart {
    weir_sdk::testing::charts::draw::<Histogram>(request(0..1_000_000, inputs, options)).unwrap()
}

fn counts(table: &Table) -> Vec<u64> {
    match &table.columns[3].values {
        Values::U64s(bytes) => U64s::new(bytes).to_vec(),
        _ => Vec::new(),
    }
}

#[test]
fn values_fall_into_bins_that_hold_their_lower_edge() {
    let chart = draw(vec![input("a", &[0.0, 9.9, 10.0, 19.9, 35.0])], r#"{"width": 10}"#);
    assert_eq!(counts(&chart.tables[0]), [2, 2, 0, 1]);
    assert_eq!(
        chart.summary,
        "latency: 5 values from 0 ms to 35 ms in 4 bins of 10 ms; most (2) from 0 ms to 10 ms."
    );
    assert_eq!((chart.axes[0].label.as_str(), chart.axes[0].measure.as_str()), ("mean_ms", "ms"));
}

#[test]
fn bins_begin_at_a_multiple_of_their_width() {
    let bins = Bins::of(&[-7.0, 12.0], Some(5.0)).unwrap();
    assert_eq!((bins.start, bins.count), (-10.0, 5));
    assert_eq!(bins.middles(), [-7.5, -2.5, 2.5, 7.5, 12.5]);
    assert_eq!((bins.edges(0)[0], bins.edges(1)[4]), (-10.0, 15.0));
}

#[test]
fn without_a_width_it_is_round_and_there_are_not_too_many() {
    let mut noise = 1u64;
    for size in [2usize, 3, 10, 1_000, 20_000] {
        let mut next = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 40) as f64 / 1e3
        };
        let values: Vec<f64> = (0..size).map(|_| next() * next()).collect();
        let bins = Bins::of(&values, None).unwrap();
        assert!(bins.count <= BINS_MAX && (size < 10 || bins.count >= BINS_MIN), "{size}: {bins:?}");
        assert_eq!(bins.fill(&values).iter().sum::<u64>(), size as u64);
        let leading = bins.width / 10f64.powf(bins.width.log10().floor());
        assert!([1.0, 2.0, 5.0].iter().any(|round| (leading - round).abs() < 1e-9), "{}", bins.width);
    }
}

#[test]
fn a_width_that_gives_too_many_bins_is_widened_and_it_is_said() {
    let chart = draw(vec![input("a", &[0.0, 1_000.0])], r#"{"width": 1}"#);
    assert_eq!(chart.tables[0].rows, 63);
    assert!(extra(&chart, "weir.downsampled").contains("widened to 16"));
}

#[test]
fn equal_values_and_huge_ones_have_bins_too() {
    assert_eq!(Bins::of(&[5.0; 7], None).unwrap().fill(&[5.0; 7]), [7]);
    for values in [vec![1e300, -1e300], vec![0.0, 5e-324], vec![1e15, 1e15 + 1.0]] {
        if let Some(bins) = Bins::of(&values, None) {
            assert_eq!(bins.fill(&values).iter().sum::<u64>(), 2);
        }
    }
    assert_eq!(Bins::of(&[], None), None);
}

#[test]
fn series_are_counted_together_or_stand_on_each_other() {
    let two = || vec![input("b", &[1.0, 2.0]), input("a", &[2.5])];
    let together = draw(two(), r#"{"width": 1}"#);
    assert_eq!((together.tables.len(), counts(&together.tables[0])), (1, vec![1, 2]));
    let apart = draw(two(), r#"{"width": 1, "by_series": true}"#);
    let seen: Vec<_> = apart.marks.iter().map(|mark| (mark.label.as_str(), mark.stack.as_str())).collect();
    assert_eq!(seen, [("a", "stack"), ("b", "stack")]);
    assert_eq!((counts(&apart.tables[0]), counts(&apart.tables[1])), (vec![0, 1], vec![1, 1]));
}

#[test]
fn nothing_to_draw_is_said() {
    assert_eq!(draw(vec![], "{}").summary, "no data yet: no values.");
    assert_eq!(draw(vec![input("a", &[f64::NAN])], "{}").summary, "latency: no values.");
}

#[test]
fn over_time_each_cell_says_how_many_values_fell_into_it() {
    let times: Vec<i64> = (0..600).map(|second| second * S).collect();
    let values: Vec<f64> = (0..600).map(|second| f64::from(second % 2) * 10.0 + 5.0).collect();
    let inputs = vec![series(&[], &times, &[("mean_ms", &values)])];
    let options = r#"{"over_time": true, "width": 10}"#;
    let chart =
        weir_sdk::testing::charts::draw::<Histogram>(request(5 * S..600 * S, inputs, options)).unwrap();
    let table = &chart.tables[0];
    let Values::Timestamps(from) = &table.columns[0].values else { panic!("no times") };
    // 595 s in at most 50 slices of 8 px: of 15 s, two bins of each; the first slice begins where the window does.
    assert_eq!((table.rows, S64s::new(from).get(0), S64s::new(from).get(2)), (80, 5 * S, 15 * S));
    let counts = numbers(&table.columns[4]).unwrap();
    assert_eq!((counts[0], counts[2], counts.iter().sum::<f64>()), (5.0, 7.0, 595.0));
    assert_eq!(chart.axes[0].scale, "time");
    assert_eq!(extra(&chart, "weir.slices"), "slices of 15 s");
}

#[test]
fn slices_of_any_window_are_bounded() {
    for span in [1, 1_000, 7 * S, 86_400 * S, 40 * 86_400 * S, i64::MAX / 2] {
        let times: Vec<i64> = (0..5_000).map(|at| span / 5_000 * at).collect();
        let inputs = vec![series(&[], &times, &[("mean_ms", &[1.0; 5_000])])];
        let chart =
            weir_sdk::testing::charts::draw::<Histogram>(request(0..span, inputs, r#"{"over_time": true}"#));
        assert!(chart.unwrap().tables[0].rows as usize <= SLICES_MAX);
    }
}
