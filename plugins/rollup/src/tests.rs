//! Against a naive computation: random rows, every cut, instances replaced in between, a host that keeps state and timers as the real one does.

use std::collections::{BTreeMap, BTreeSet};

use weir_fold::columns::{Columns, Numbers, Output};
use weir_fold::layout::Layout;
use weir_sdk::ColumnExt;
use weir_sdk::testing::batch;

use crate::config::{Config, Windowing};
use weir_fold::host::{Closed, Due, Folded, Host, Refusal, Rows};
use weir_fold::windows::{Shape, Windows};

mod more;

/// State and timers in maps.
#[derive(Default)]
struct Memory {
    size: usize,
    values: BTreeMap<(u32, i64), Vec<u8>>,
    bytes: BTreeMap<(u32, i64), Vec<u8>>,
    timers: BTreeSet<(i64, u32, i64)>,
    by_address: BTreeMap<(u32, i64), i64>,
    entries_max: Option<usize>,
    /// Entries of bytes.
    bytes_max: Option<usize>,
    reads: usize,
}

fn pairs(keys: &[u8], starts: &[u8]) -> Vec<(u32, i64)> {
    assert_eq!(keys.len() * 2, starts.len());
    let keys = keys.as_chunks::<4>().0.iter().map(|key| u32::from_le_bytes(*key));
    keys.zip(starts.as_chunks::<8>().0.iter().map(|start| i64::from_le_bytes(*start))).collect()
}

impl Host for Memory {
    fn read(&mut self, keys: &[u8], starts: &[u8]) -> Vec<u8> {
        self.reads += 1;
        let zeros = vec![0; self.size];
        pairs(keys, starts).iter().flat_map(|at| self.values.get(at).unwrap_or(&zeros).clone()).collect()
    }

    fn write(&mut self, keys: &[u8], starts: &[u8], values: &[u8]) -> Result<(), Refusal> {
        let at = pairs(keys, starts);
        assert_eq!(values.len(), at.len() * self.size);
        let new = at.iter().filter(|at| !self.values.contains_key(at)).count();
        if self.entries_max.is_some_and(|max| self.values.len() + new > max) {
            return Err(Refusal { code: "quota".into(), message: "the table is full".into() });
        }
        for (at, value) in at.into_iter().zip(values.chunks_exact(self.size)) {
            self.values.insert(at, value.to_vec());
        }
        Ok(())
    }

    fn remove(&mut self, keys: &[u8], starts: &[u8]) {
        pairs(keys, starts).iter().for_each(|at| drop(self.values.remove(at)));
    }

    fn read_bytes(&mut self, keys: &[u8], starts: &[u8]) -> Vec<Vec<u8>> {
        pairs(keys, starts).iter().map(|at| self.bytes.get(at).cloned().unwrap_or_default()).collect()
    }

    fn write_bytes(&mut self, keys: &[u8], starts: &[u8], values: &[Vec<u8>]) -> Result<(), Refusal> {
        let new = pairs(keys, starts).iter().filter(|at| !self.bytes.contains_key(at)).count();
        if self.bytes_max.is_some_and(|max| self.bytes.len() + new > max) {
            return Err(Refusal { code: "quota".into(), message: "the table is full".into() });
        }
        self.bytes.extend(pairs(keys, starts).into_iter().zip(values.iter().cloned()));
        Ok(())
    }

    fn remove_bytes(&mut self, keys: &[u8], starts: &[u8]) {
        pairs(keys, starts).iter().for_each(|at| drop(self.bytes.remove(at)));
    }

    fn wake(&mut self, keys: &[u8], starts: &[u8], times: &[u8]) {
        for ((key, start), time) in pairs(keys, starts).into_iter().zip(times.as_chunks::<8>().0) {
            if let Some(old) = self.by_address.remove(&(key, start)) {
                self.timers.remove(&(old, key, start));
            }
            let time = i64::from_le_bytes(*time);
            if time != i64::MAX {
                self.timers.insert((time, key, start));
                self.by_address.insert((key, start), time);
            }
        }
    }
}

impl Memory {
    /// What is due at the true watermark, up to `limit`.
    fn due(&mut self, watermark: i64, limit: usize) -> [Vec<u8>; 3] {
        let due: Vec<_> =
            self.timers.iter().take_while(|timer| timer.0 <= watermark).take(limit).copied().collect();
        for timer in &due {
            assert!(self.timers.remove(timer));
            self.by_address.remove(&(timer.1, timer.2));
        }
        let keys = due.iter().flat_map(|timer| timer.1.to_le_bytes()).collect();
        let slots = due.iter().flat_map(|timer| timer.2.to_le_bytes()).collect();
        [keys, slots, due.iter().flat_map(|timer| timer.0.to_le_bytes()).collect()]
    }
}

#[derive(Clone, Copy, Debug)]
struct Row {
    time: i64,
    key: u32,
    value: f64,
    valid: bool,
}

/// One emitted row: (key, start) and the bits of its aggregates.
type Emitted = ((u32, i64), Vec<u64>);

fn emitted(closed: &Closed) -> Vec<Emitted> {
    let at = pairs(&closed.keys, &closed.starts).into_iter();
    at.enumerate()
        .map(|(row, at)| {
            let bits = closed.columns.iter().map(|column| match column {
                Output::Counts(counts) => counts[row],
                Output::Numbers(numbers) => numbers[row].to_bits(),
                Output::Texts(_) => 0,
            });
            (at, bits.collect())
        })
        .collect()
}

const CONFIG: &str = r#"{
    "keys": ["host"], "window": "1s", "lateness": "500ms",
    "aggregates": {
        "n": "count", "r": "rate", "c": {"of": "v", "is": "count"}, "sum": {"of": "v", "is": "sum"}, "mean": {"of": "v", "is": "mean"},
        "min": {"of": "v", "is": "min"}, "max": {"of": "v", "is": "max"}, "last": {"of": "v", "is": "last"}, "vs": {"of": "v", "is": "rate"}
    }
}"#;

fn shape(config: &Config) -> Shape {
    match config.shape {
        Windowing::Windows(shape) => shape,
        Windowing::Sessions { .. } => panic!("sessions have no shape"),
    }
}

struct Run {
    windows: Windows,
    config: Config,
    host: Memory,
    out: Vec<Emitted>,
    late: usize,
}

impl Run {
    fn new(config: &str) -> Self {
        let config = Config::parse(config).unwrap();
        let layout = config.layout();
        let host = Memory { size: layout.bytes(), ..Memory::default() };
        let windows = Windows::new(layout, shape(&config));
        Self { windows, config, host, out: Vec::new(), late: 0 }
    }

    /// A new instance: nothing is cached.
    fn replace(&mut self) {
        self.windows = Windows::new(self.config.layout(), shape(&self.config));
    }

    fn fold(&mut self, watermark: i64, rows: &[Row]) -> Folded {
        let time: Vec<u8> = rows.iter().flat_map(|row| row.time.to_le_bytes()).collect();
        let keys: Vec<u8> = rows.iter().flat_map(|row| row.key.to_le_bytes()).collect();
        let f64s: Vec<u8> = rows.iter().flat_map(|row| row.value.to_le_bytes()).collect();
        let valid: Vec<u8> = rows.iter().map(|row| u8::from(row.valid)).collect();
        let valid = rows.iter().any(|row| !row.valid).then_some(&valid[..]);
        let columns =
            Columns { numbers: vec![Some(Numbers { f64s: f64s.into(), valid })], items: Vec::new() };
        let rows = Rows { time: &time, keys: &keys, columns: &columns };
        let folded = self.windows.fold(watermark & !1_023, &[], &rows, &mut self.host).unwrap();
        self.late += folded.late.len() / 4;
        folded
    }

    fn close(&mut self, watermark: i64, limit: usize) {
        loop {
            let [keys, slots, times] = self.host.due(watermark, limit);
            if keys.is_empty() {
                return;
            }
            let due = Due { keys: &keys, slots: &slots, times: &times };
            let closed = self.windows.close(watermark & !1_023, &[], due, &mut self.host).unwrap();
            self.out.extend(emitted(&closed));
        }
    }
}

/// xorshift64*: the tests need no better.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % below
    }

    /// Rows about 1 ms apart that are up to `back_ms` out of order, now and then without a finite value.
    fn rows(&mut self, n: usize, keys: u64, back_ms: u64) -> Vec<Row> {
        (0..n as i64)
            .map(|row| {
                let ms = 1_700_000_000_000 + row - self.next(back_ms + 1) as i64;
                let value = match self.next(50) {
                    0 => f64::NAN,
                    1 => f64::INFINITY,
                    _ => self.next(100_000) as f64 / 7.0 - 3_000.0,
                };
                let valid = self.next(20) > 0;
                Row { time: ms * 1_000_000, key: self.next(keys) as u32, value, valid }
            })
            .collect()
    }
}

/// Row by row with maps, no regard to speed. Gives all windows by (key, start), and how many rows were late.
fn naive(rows: &[(i64, Row)], window_ns: i64, lateness_ns: i64) -> (BTreeMap<(u32, i64), Vec<u64>>, usize) {
    let mut windows: BTreeMap<(u32, i64), Vec<Row>> = BTreeMap::new();
    let mut late = 0;
    for (watermark, row) in rows {
        let start = row.time.div_euclid(window_ns) * window_ns;
        if start + window_ns + lateness_ns <= *watermark {
            late += 1;
        } else {
            windows.entry((row.key, start)).or_default().push(*row);
        }
    }
    let out = windows.into_iter().map(|(at, rows)| {
        let good: Vec<&Row> = rows.iter().filter(|row| row.valid && row.value.is_finite()).collect();
        let sum = good.iter().fold(0.0, |sum, row| sum + row.value);
        let or_nan = |value: f64| if good.is_empty() { f64::NAN } else { value };
        let last = good.iter().fold(None, |last: Option<&Row>, row| match last {
            Some(last) if last.time > row.time => Some(last),
            _ => Some(row),
        });
        let window_s = window_ns as f64 / 1e9;
        let numbers = [
            or_nan(sum),
            sum / good.len() as f64,
            or_nan(good.iter().map(|row| row.value).fold(f64::INFINITY, f64::min)),
            or_nan(good.iter().map(|row| row.value).fold(f64::NEG_INFINITY, f64::max)),
            last.map_or(f64::NAN, |row| row.value),
            sum / window_s,
        ];
        let mut bits = vec![rows.len() as u64, (rows.len() as f64 / window_s).to_bits(), good.len() as u64];
        bits.extend(
            numbers.iter().map(|number| if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() }),
        );
        (at, bits)
    });
    (out.collect(), late)
}

/// One NaN is as good as another.
fn plain(out: &[Emitted]) -> BTreeMap<(u32, i64), Vec<u64>> {
    let mut all = BTreeMap::new();
    for (at, bits) in out {
        let bits =
            bits.iter().map(|bits| if f64::from_bits(*bits).is_nan() { f64::NAN.to_bits() } else { *bits });
        assert!(all.insert(*at, bits.collect()).is_none(), "window {at:?} came out twice");
    }
    all
}

/// The watermark follows the rows by `behind_ms` and moves between batches only. Rows may be late.
fn check(seed: u64, cut: usize, keys: u64, back_ms: u64, behind_ms: i64, replace_every: usize) {
    check_of(CONFIG, seed, cut, keys, back_ms, behind_ms, replace_every);
}

fn check_of(
    config: &str,
    seed: u64,
    cut: usize,
    keys: u64,
    back_ms: u64,
    behind_ms: i64,
    replace_every: usize,
) {
    let rows = Random(seed).rows(6_000, keys, back_ms);
    let mut run = Run::new(config);
    let mut marked = Vec::new();
    let (mut newest, mut watermark) = (i64::MIN, i64::MIN);
    for (index, batch) in rows.chunks(cut).enumerate() {
        if replace_every > 0 && index % replace_every == 0 {
            run.replace();
        }
        run.fold(watermark, batch);
        marked.extend(batch.iter().map(|row| (watermark, *row)));
        newest = batch.iter().map(|row| row.time).fold(newest, i64::max);
        watermark = newest - behind_ms * 1_000_000;
        run.close(watermark, 4_096);
    }
    run.close(i64::MAX, 7);
    let (wanted, late) = naive(&marked, shape(&run.config).window_ns, shape(&run.config).lateness_ns);
    assert_eq!(run.late, late);
    assert_eq!(plain(&run.out), wanted, "seed {seed}, cut {cut}");
    assert!(run.host.values.is_empty() && run.windows.cached() == 0);
}

#[test]
fn equals_a_naive_computation_however_it_is_cut() {
    for seed in 1..6 {
        for cut in [1, 7, 128, 1_024] {
            check(seed, cut, 10, 300, 0, 0);
            check(seed, cut, 200, 5, 100, 0);
        }
    }
}

#[test]
fn late_rows_are_counted_and_not_folded() {
    for cut in [1, 7, 128, 1_024] {
        check(9, cut, 10, 4_000, 0, 0);
    }
}

/// Twenty windows of a key are open at a time, more than stand side by side in the cache, and rows fall into any of them.
#[test]
fn rows_of_windows_long_past_are_folded_where_lateness_allows() {
    let config = CONFIG.replace("500ms", "20s");
    for cut in [1, 7, 128, 1_024] {
        check_of(&config, 5, cut, 3, 19_000, 0, 0);
        check_of(&config, 6, cut, 20, 26_000, 0, 0);
        check_of(&config, 7, cut, 20, 26_000, 0, 3);
    }
}

#[test]
fn a_new_instance_goes_on_from_the_state() {
    for cut in [1, 7, 128, 1_024] {
        check(3, cut, 50, 900, 0, 1);
        check(4, cut, 50, 4_000, 0, 3);
    }
}

#[test]
fn equal_rows_come_out_of_every_cut_to_the_bit() {
    let run = |cut: usize| {
        let mut run = Run::new(CONFIG);
        let rows = Random(77).rows(5_000, 20, 400);
        for (index, batch) in rows.chunks(cut).enumerate() {
            if index % 5 == 4 {
                run.replace();
            }
            let first = batch.iter().map(|row| row.time).min().unwrap();
            let watermark = first - 1_000_000_000;
            run.close(watermark, 4_096);
            run.fold(watermark, batch);
        }
        run.close(i64::MAX, 4_096);
        assert_eq!(run.late, 0);
        plain(&run.out)
    };
    let whole = run(5_000);
    for cut in [1, 7, 128, 1_024] {
        assert_eq!(run(cut), whole, "cut {cut}");
    }
}

#[test]
fn windows_come_out_in_the_order_of_the_timers() {
    let mut run = Run::new(CONFIG);
    let row = |ms: i64, key| Row { time: ms * 1_000_000, key, value: 1.0, valid: true };
    run.fold(i64::MIN, &[row(2_100, 3), row(1_000, 9), row(1_999, 2), row(2_000, 1)]);
    run.close(i64::MAX, 4_096);
    let order: Vec<_> = run.out.iter().map(|row| row.0).collect();
    let s = 1_000_000_000;
    assert_eq!(order, [(2, s), (9, s), (1, 2 * s), (3, 2 * s)]);
}

#[test]
fn the_touched_windows_are_read_once_and_then_cached() {
    let mut run = Run::new(CONFIG);
    let rows = Random(5).rows(500, 10, 0);
    for batch in rows.chunks(50) {
        run.fold(0, batch);
    }
    assert_eq!(run.host.reads, 1);
    run.replace();
    run.fold(0, &rows[..50]);
    assert_eq!(run.host.reads, 2);
}

#[test]
fn a_full_state_refuses_new_windows_and_keeps_the_old_ones() {
    let mut run = Run::new(CONFIG);
    run.host.entries_max = Some(1);
    let row = |key| Row { time: 5_000_000_000, key, value: 2.0, valid: true };
    assert_eq!(run.fold(0, &[row(1)]).refused, None);
    let folded = run.fold(0, &[row(2), row(1), row(3), row(2)]);
    let (rows, refusal) = folded.refused.unwrap();
    assert_eq!(rows, [0u32, 2, 3].map(u32::to_le_bytes).concat());
    assert_eq!(refusal.code, "quota");
    run.host.entries_max = None;
    run.fold(0, &[row(2)]);
    run.close(i64::MAX, 10);
    let counts: Vec<_> = run.out.iter().map(|(at, bits)| (at.0, bits[0])).collect();
    assert_eq!(counts, [(1, 2), (2, 1)]);
}

/// Words fit and sketches do not: nothing of the new window stays, else it would never close.
#[test]
fn a_window_whose_sketches_are_refused_leaves_nothing_behind() {
    let mut run = Run::new(
        r#"{"keys": ["host"], "window": "1s", "aggregates": {"n": "count", "p50": {"of": "v", "is": "p50"}}}"#,
    );
    run.host.bytes_max = Some(1);
    let row = |key| Row { time: 5_000_000_000, key, value: 2.0, valid: true };
    assert_eq!(run.fold(0, &[row(1)]).refused, None);
    let (rows, _) = run.fold(0, &[row(2), row(1)]).refused.unwrap();
    assert_eq!(rows, 0_u32.to_le_bytes());
    assert_eq!(run.host.values.keys().map(|at| at.0).collect::<Vec<_>>(), [1]);
    run.host.bytes_max = None;
    run.fold(0, &[row(2)]);
    run.close(i64::MAX, 10);
    assert_eq!(run.out.iter().map(|(at, bits)| (at.0, bits[0])).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
    assert!(run.host.values.is_empty() && run.host.bytes.is_empty());
}

#[test]
fn values_that_are_not_finite_count_as_missing() {
    let mut run = Run::new(CONFIG);
    let row = |value| Row { time: 5, key: 0, value, valid: true };
    let folded = run.fold(i64::MIN, &[row(f64::NAN), row(f64::INFINITY), row(4.0), row(f64::NEG_INFINITY)]);
    assert_eq!(folded.not_finite, 3);
    run.close(i64::MAX, 10);
    let bits = &run.out[0].1;
    assert_eq!((bits[0], bits[2], f64::from_bits(bits[4])), (4, 1, 4.0));
}

#[test]
fn times_at_the_ends_of_time_harm_nothing() {
    let mut run = Run::new(CONFIG);
    let row = |time| Row { time, key: 0, value: 1.0, valid: true };
    let folded = run.fold(i64::MIN, &[row(i64::MIN), row(i64::MAX), row(0), row(-1)]);
    assert_eq!(folded.out_of_range, [0u32, 1].map(u32::to_le_bytes).concat());
    run.close(i64::MAX, 10);
    assert_eq!(run.out.iter().map(|row| row.0.1).collect::<Vec<_>>(), [-1_000_000_000, 0]);
}

#[test]
fn a_window_that_closed_within_the_rounding_of_the_watermark_stays_closed() {
    // 11 s is no multiple of 1,024 ns: the instance sees a watermark 512 ns before the end of the window that has closed.
    let mut run = Run::new(&CONFIG.replace("500ms", "0s"));
    let s = 1_000_000_000;
    let row = |time| Row { time, key: 0, value: 1.0, valid: true };
    run.fold(i64::MIN, &[row(10 * s)]);
    run.close(11 * s, 10);
    assert_eq!(run.out.len(), 1);
    assert_eq!(run.fold(11 * s, &[row(11 * s - 1_000)]).late.len(), 4);
    // While rows in order are never late, even where the watermark ends within the same microsecond.
    assert_eq!(run.fold(12 * s - 3, &[row(12 * s - 2)]).late.len(), 0);
}

#[test]
fn forgotten_keys_start_anew() {
    let mut run = Run::new(CONFIG);
    let row = Row { time: 5, key: 4, value: 1.0, valid: true };
    run.fold(i64::MIN, &[row]);
    // The host would not forget a key with an entry; should it, the cache must not bring the old one back.
    run.host.values.clear();
    let (time, keys, values) = (row.time.to_le_bytes(), 4u32.to_le_bytes(), 1f64.to_le_bytes());
    let numbers = Numbers { f64s: values[..].into(), valid: None };
    let columns = Columns { numbers: vec![Some(numbers)], items: Vec::new() };
    let rows = Rows { time: &time, keys: &keys, columns: &columns };
    run.windows.fold(i64::MIN, &4u32.to_le_bytes(), &rows, &mut run.host).unwrap();
    run.close(i64::MAX, 10);
    assert_eq!(run.out[0].1[0], 1);
}

#[test]
fn a_stream_without_the_column_or_without_keys_is_folded_all_the_same() {
    let mut run = Run::new(CONFIG);
    let time = [7i64.to_le_bytes(), 8i64.to_le_bytes()].concat();
    let rows = Rows { time: &time, keys: &[], columns: &Columns { numbers: vec![None], items: Vec::new() } };
    run.windows.fold(i64::MIN, &[], &rows, &mut run.host).unwrap();
    run.close(i64::MAX, 10);
    let (at, bits) = &run.out[0];
    assert_eq!((*at, bits[0], bits[2], f64::from_bits(bits[4]).is_nan()), ((0, 0), 2, 0, true));
}

#[test]
fn complaints_name_place_and_mend() {
    let complaints = |json: &str| {
        let complaints = Config::parse(json).unwrap_err();
        complaints.into_iter().map(|complaint| complaint.path).collect::<Vec<_>>()
    };
    assert_eq!(complaints(r#"{"window": "1 s", "aggregates": {"n": "count"}}"#), ["/window"]);
    assert_eq!(
        complaints(r#"{"window": "1us", "lateness": "-1s", "aggregates": {}}"#),
        ["/window", "/lateness", "/aggregates"]
    );
    assert_eq!(
        complaints(r#"{"aggregates": {"time": "count", "a/b": "mean"}}"#),
        ["/window", "/aggregates/time", "/aggregates/a~1b"]
    );
    let json =
        r#"{"keys": ["h"], "window": "1s", "aggregates": {"h": "count", "m": {"of": "v", "is": "medium"}}}"#;
    assert_eq!(complaints(json), ["/aggregates/h", "/aggregates/m"]);
}

#[test]
fn the_plan_names_columns_once_and_the_size_of_a_window() {
    let plan: serde_json::Value = serde_json::from_str(&Config::parse(CONFIG).unwrap().plan()).unwrap();
    assert_eq!(plan["reads"], serde_json::json!([{ "name": "v", "kind": "f64s", "optional": true }]));
    assert_eq!(plan["tables"][0]["size"], 8 * (1 + 1 + 1 + 1 + 1 + 2));
    assert_eq!(plan["ports"][1]["name"], "late");
}
