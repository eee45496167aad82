//! Sliding windows, sessions, sketches and early results, against naive computations and across cuts and new instances.

use super::*;
use weir_fold::sessions::Sessions;

const S: i64 = 1_000_000_000;

/// A batch of columns `v` (doubles) and `who` (texts) and the key numbers.
fn columns_of(rows: &[Row], layout: &Layout) -> weir_sdk::Batch {
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let keys: Vec<u32> = rows.iter().map(|row| row.key).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    let mut v = weir_sdk::Column::of_f64s("v", &values);
    v.valid = Some(rows.iter().map(|row| u8::from(row.valid)).collect());
    let who = weir_sdk::Column::of_categories(
        "who",
        values.iter().map(|value| format!("w{}", value.abs() as u64 % 97)),
    );
    let columns = if layout.items.is_empty() { vec![v] } else { vec![v, who] };
    batch(&times, &keys, columns)
}

enum Machine {
    Windows(Box<Windows>),
    Sessions(Box<Sessions>),
}

fn machine(config: &Config) -> Machine {
    match config.shape {
        Windowing::Windows(shape) => Machine::Windows(Box::new(Windows::new(config.layout(), shape))),
        Windowing::Sessions { gap_ns, lateness_ns } => {
            Machine::Sessions(Box::new(Sessions::new(config.layout(), gap_ns, lateness_ns)))
        }
    }
}

/// What came out: (key, start, provisional) and the columns as text.
type Lines = Vec<((u32, i64, bool), Vec<String>)>;

fn lines(closed: &Closed, lines: &mut Lines) {
    for (row, (key, start)) in pairs(&closed.keys, &closed.starts).into_iter().enumerate() {
        let shown = closed.columns.iter().map(|column| match column {
            Output::Counts(counts) => counts[row].to_string(),
            Output::Numbers(numbers) => numbers[row].to_string(),
            Output::Texts(texts) => texts[row].clone(),
        });
        lines.push(((key, start, closed.provisional[row] == 1), shown.collect()));
    }
}

/// All rows through a rollup, cut so, with a new instance at each `replace_every`-th batch. The watermark is `behind_ns` behind the newest row.
fn run(config: &str, rows: &[Row], cut: usize, behind_ns: i64, replace_every: usize) -> (Lines, usize) {
    let config = Config::parse(config).unwrap();
    let layout = config.layout();
    let mut host = Memory { size: layout.bytes(), ..Memory::default() };
    let mut at_work = machine(&config);
    let (mut out, mut late, mut newest) = (Vec::new(), 0, i64::MIN);
    let mut batches: Vec<&[Row]> = rows.chunks(cut).collect();
    batches.push(&[]);
    for (index, part) in batches.into_iter().enumerate() {
        if replace_every > 0 && index % replace_every == 0 {
            at_work = machine(&config);
        }
        let watermark = newest.saturating_sub(behind_ns);
        if !part.is_empty() {
            let batch = columns_of(part, &layout);
            let columns = Columns::of(&batch, &layout);
            let rows = Rows { time: &batch.time, keys: &batch.keys, columns: &columns };
            let folded = match &mut at_work {
                Machine::Windows(windows) => windows.fold(watermark & !1_023, &[], &rows, &mut host),
                Machine::Sessions(sessions) => sessions.fold(watermark & !1_023, &[], &rows, &mut host),
            };
            late += folded.unwrap().late.len() / 4;
            newest = part.iter().map(|row| row.time).fold(newest, i64::max);
        }
        let watermark = if part.is_empty() { i64::MAX } else { newest.saturating_sub(behind_ns) };
        loop {
            let [keys, slots, times] = host.due(watermark, 700);
            if keys.is_empty() {
                break;
            }
            let due = Due { keys: &keys, slots: &slots, times: &times };
            let closed = match &mut at_work {
                Machine::Windows(windows) => windows.close(watermark & !1_023, &[], due, &mut host),
                Machine::Sessions(sessions) => sessions.close(&[], due, &mut host),
            };
            lines(&closed.unwrap(), &mut out);
        }
    }
    assert!(host.values.is_empty() && host.bytes.is_empty() && host.timers.is_empty());
    out.sort();
    (out, late)
}

/// Rows that are never late when the watermark is a second behind.
fn rows(seed: u64, n: usize, keys: u64) -> Vec<Row> {
    Random(seed).rows(n, keys, 900)
}

fn good(rows: &[&Row]) -> Vec<f64> {
    rows.iter().filter(|row| row.valid && row.value.is_finite()).map(|row| row.value).collect()
}

#[test]
fn sliding_windows_are_those_of_a_naive_computation() {
    let config = r#"{"window": "2s", "slide": "500ms", "aggregates": {"n": "count", "max": {"of": "v", "is": "max"}, "d": {"of": "who", "is": "distinct"}}}"#;
    let rows = rows(3, 6_000, 5);
    let mut wanted = Lines::new();
    for key in 0..5 {
        let first = rows.iter().map(|row| row.time).min().unwrap().div_euclid(S / 2) - 4;
        for window in first..first + 30 {
            let start = window * (S / 2);
            let of: Vec<&Row> = rows
                .iter()
                .filter(|row| row.key == key && (start..start + 2 * S).contains(&row.time))
                .collect();
            let values = good(&of);
            let names: BTreeSet<u64> = of.iter().map(|row| row.value.abs() as u64 % 97).collect();
            let max = values.iter().copied().fold(f64::NAN, f64::max);
            if !of.is_empty() {
                wanted.push((
                    (key, start, false),
                    vec![of.len().to_string(), max.to_string(), names.len().to_string()],
                ));
            }
        }
    }
    wanted.sort();
    for (cut, replace_every) in [(1, 3), (7, 0), (128, 1), (6_000, 0)] {
        let (out, late) = run(config, &rows, cut, S, replace_every);
        assert_eq!(late, 0);
        assert_eq!(out, wanted, "cut {cut}");
    }
}

/// The sessions of one key: rows by time, cut where two are over the gap apart.
fn naive_sessions(rows: &[Row], key: u32, gap_ns: i64) -> Vec<Vec<Row>> {
    let mut of: Vec<Row> = rows.iter().filter(|row| row.key == key).copied().collect();
    of.sort_by_key(|row| row.time);
    let mut sessions: Vec<Vec<Row>> = Vec::new();
    for row in of {
        match sessions.last_mut() {
            Some(session) if row.time - session.last().unwrap().time <= gap_ns => session.push(row),
            _ => sessions.push(vec![row]),
        }
    }
    sessions
}

#[test]
fn sessions_are_those_of_a_naive_computation() {
    let config = r#"{"gap": "100ms", "aggregates": {"n": "count", "s": "duration", "med": {"of": "v", "is": "median"}}}"#;
    let rows = rows(5, 4_000, 40);
    let mut wanted = Lines::new();
    for key in 0..40 {
        for session in naive_sessions(&rows, key, 100_000_000) {
            let mut values = good(&session.iter().collect::<Vec<_>>());
            values.sort_by(f64::total_cmp);
            let median = match values.len() {
                0 => f64::NAN,
                n if n % 2 == 1 => values[n / 2],
                n => values[n / 2 - 1] * 0.5 + values[n / 2] * 0.5,
            };
            let (first, last) = (session[0].time, session.last().unwrap().time);
            let seconds = (last - first) as f64 / 1e9;
            wanted.push((
                (key, first, false),
                vec![session.len().to_string(), seconds.to_string(), median.to_string()],
            ));
        }
    }
    wanted.sort();
    assert!(wanted.len() > 200, "only {} sessions", wanted.len());
    for (cut, replace_every) in [(1, 5), (7, 0), (128, 1), (4_000, 0)] {
        let (out, late) = run(config, &rows, cut, S, replace_every);
        assert_eq!(late, 0);
        assert_eq!(out, wanted, "cut {cut}");
    }
}

#[test]
fn every_function_gives_the_same_bits_in_every_cut() {
    let functions = r#""n": "count", "d": "duration", "sd": {"of": "v", "is": "stddev"}, "var": {"of": "v", "is": "variance"}, "first": {"of": "v", "is": "first"},
        "last": {"of": "v", "is": "last"}, "p50": {"of": "v", "is": "p50"}, "p99": {"of": "v", "is": "p99.9"}, "who": {"of": "who", "is": "distinct"},
        "top": {"of": "who", "is": "top", "k": 5}, "h": {"of": "v", "is": "histogram", "bounds": [0, 5000]}, "inc": {"of": "v", "is": "increase"},
        "cr": {"of": "v", "is": "counter-rate"}, "sum": {"of": "v", "is": "sum"}, "both": {"of": "who", "is": "count"}"#;
    for shape in [r#""window": "2s""#, r#""window": "2s", "slide": "1s""#, r#""gap": "20ms""#] {
        let config = format!("{{{shape}, \"aggregates\": {{{functions}}}}}");
        let rows = rows(11, 8_000, 3);
        let (whole, late) = run(&config, &rows, 8_000, S, 0);
        assert_eq!(late, 0);
        assert!(whole.iter().any(|line| line.1[0].parse::<u64>().unwrap() > 2));
        for (cut, replace_every) in [(1, 50), (7, 13), (128, 1), (1_024, 0)] {
            assert_eq!(run(&config, &rows, cut, S, replace_every).0, whole, "{shape}, cut {cut}");
        }
    }
}

fn one_window(functions: &str, values: &[f64]) -> Vec<String> {
    let row =
        |(at, value): (usize, &f64)| Row { time: at as i64 * 1_000_000, key: 0, value: *value, valid: true };
    let rows: Vec<Row> = values.iter().enumerate().map(row).collect();
    let config = format!("{{\"window\": \"1h\", \"aggregates\": {{{functions}}}}}");
    let (out, _) = run(&config, &rows, 100, S, 0);
    assert_eq!(out.len(), 1);
    out[0].1.clone()
}

#[test]
fn the_functions_give_what_they_say() {
    let got = one_window(
        r#""f": {"of": "v", "is": "first"}, "l": {"of": "v", "is": "last"}, "var": {"of": "v", "is": "variance"}, "sd": {"of": "v", "is": "stddev"},
        "med": {"of": "v", "is": "median"}, "inc": {"of": "v", "is": "increase"}, "cr": {"of": "v", "is": "counter-rate"},
        "h": {"of": "v", "is": "histogram", "bounds": [2, 4]}, "top": {"of": "who", "is": "top", "k": 2}, "d": {"of": "who", "is": "distinct"}"#,
        &[1.0, 3.0, 6.0, 2.0, 2.0],
    );
    // The counter: 1, 3, 6, then a reset and 2 more, in 4 ms.
    let wanted = [
        "1",
        "2",
        "3.7",
        "1.9235384061671346",
        "2",
        "7",
        "1750",
        "3",
        "1",
        "1",
        r#"[["w2",2],["w1",1]]"#,
        "4",
    ];
    assert_eq!(got, wanted);
}

#[test]
fn percentiles_of_many_values_are_within_one_percent() {
    let values: Vec<f64> = (1..=5_000).map(|n| f64::from(n * 7 % 5_000) + 1.0).collect();
    let got = one_window(
        r#""p50": {"of": "v", "is": "p50"}, "p99": {"of": "v", "is": "p99"}, "p100": {"of": "v", "is": "p100"}"#,
        &values,
    );
    let number = |at: usize| got[at].parse::<f64>().unwrap();
    assert!((number(0) - 2_500.5).abs() < 25.0 && (number(1) - 4_950.0).abs() < 49.5, "{got:?}");
    assert_eq!(number(2), 5_000.0);
}

#[test]
fn early_rows_are_marked_and_the_final_one_comes_last() {
    let config = r#"{"window": "10s", "early": "2s", "aggregates": {"n": "count"}}"#;
    let row = |ms: i64| Row { time: ms * 1_000_000, key: 0, value: 1.0, valid: true };
    let rows: Vec<Row> = (0..12_000).step_by(100).map(row).collect();
    let (out, _) = run(config, &rows, 1, 0, 0);
    let shown: Vec<(i64, bool, &str)> =
        out.iter().map(|line| (line.0.1 / S, line.0.2, line.1[0].as_str())).collect();
    let first = [(0, false, "100"), (0, true, "21"), (0, true, "41"), (0, true, "61"), (0, true, "81")];
    assert_eq!(shown[..5], first);
    // In one batch the final row is all that is left to say.
    let (out, _) = run(config, &rows, 1_000, 0, 0);
    assert_eq!(out.iter().map(|line| line.0.2).collect::<Vec<_>>(), [false, false]);
}

#[test]
fn a_late_row_goes_to_no_pane_and_no_session() {
    for shape in [r#""window": "2s", "slide": "1s""#, r#""gap": "1s""#] {
        let config = format!("{{{shape}, \"aggregates\": {{\"n\": \"count\"}}}}");
        let row = |s: i64| Row { time: s * S, key: 0, value: 1.0, valid: true };
        let (out, late) = run(&config, &[row(10), row(20), row(11)], 1, 0, 0);
        assert_eq!(late, 1, "{shape}");
        let total: u64 = out.iter().map(|line| line.1[0].parse::<u64>().unwrap()).sum();
        assert_eq!(total, if shape.contains("gap") { 2 } else { 4 });
    }
}

#[test]
fn what_does_not_go_together_is_refused_with_its_place() {
    let paths = |json: &str| {
        let complaints = Config::parse(json).unwrap_err();
        complaints.into_iter().map(|complaint| complaint.path).collect::<Vec<_>>()
    };
    let n = r#""aggregates": {"n": "count"}"#;
    assert_eq!(paths(&format!(r#"{{"window": "1s", "gap": "1s", {n}}}"#)), ["/gap"]);
    assert_eq!(paths(&format!(r#"{{"window": "10s", "slide": "3s", {n}}}"#)), ["/slide"]);
    assert_eq!(paths(&format!(r#"{{"window": "10s", "slide": "1ms", {n}}}"#)), ["/slide"]);
    assert_eq!(paths(&format!(r#"{{"window": "10s", "slide": "5s", "early": "1s", {n}}}"#)), ["/early"]);
    assert_eq!(paths(&format!(r#"{{"gap": "10s", "early": "1s", {n}}}"#)), ["/early"]);
    assert_eq!(paths(r#"{"gap": "1s", "aggregates": {"r": "rate"}}"#), ["/aggregates/r"]);
}
