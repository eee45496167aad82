//! The bounds that the crate states, over many random streams; and that merging, cutting and keeping as bytes change nothing.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;

use weir_sketch::bytes::Reader;
use weir_sketch::distinct::{STANDARD_ERROR, hash, hash_number};
use weir_sketch::quantiles::ERROR_MAX;
use weir_sketch::{Distinct, Histogram, Moments, Quantiles, Top};

/// xorshift64*: the tests need no better.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const SHARES: [f64; 9] = [0.0, 0.01, 0.1, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0];

/// Streams of many shapes: all positive, so that the bound holds between any two neighbours.
fn positive(shape: u64, n: usize, random: &mut Random) -> Vec<f64> {
    (0..n)
        .map(|at| {
            let u = random.share();
            match shape % 7 {
                0 => u * 1_000.0,
                1 => (u * 40.0).exp(),
                2 => -u.max(1e-300).ln(),
                3 => 1.0 / (1e-6 + u),
                4 => 1e-12 * (1.0 + u * 1e-3),
                5 => (at % 10) as f64 + 0.5,
                _ => 10f64.powf(u * 16.0 - 8.0),
            }
        })
        .collect()
}

fn exact(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = share * (sorted.len() - 1) as f64;
    let (low, part) = (sorted[rank.floor() as usize], rank.fract());
    if part == 0.0 { low } else { low * (1.0 - part) + sorted[rank.floor() as usize + 1] * part }
}

fn quantiles(values: &[f64]) -> Quantiles {
    let mut all = Quantiles::default();
    values.iter().for_each(|value| all.add(*value));
    all
}

fn read_again(all: &Quantiles) -> Quantiles {
    let mut bytes = Vec::new();
    all.put(&mut bytes);
    let mut reader = Reader::new(&bytes);
    let read = Quantiles::read(&mut reader).unwrap();
    reader.finish().unwrap();
    read
}

#[test]
fn quantiles_are_within_one_percent() {
    let mut random = Random(7);
    for case in 0..210 {
        let n = 1 + random.below(5_000) as usize;
        let values = positive(case, n, &mut random);
        let sign = if case % 3 == 0 { -1.0 } else { 1.0 };
        let values: Vec<f64> = values.iter().map(|value| value * sign).collect();
        for (share, got) in SHARES.iter().zip(quantiles(&values).at(&SHARES)) {
            let wanted = exact(&values, *share);
            assert!(
                (got - wanted).abs() <= ERROR_MAX * wanted.abs(),
                "case {case}, n {n}, {share}: {got}, not {wanted}"
            );
        }
    }
}

#[test]
fn up_to_256_values_quantiles_are_exact_and_the_ends_always_are() {
    let mut random = Random(11);
    for n in [1, 2, 3, 10, 255, 256, 257, 1_000] {
        let values: Vec<f64> = (0..n).map(|_| random.share() * 200.0 - 100.0).collect();
        let all = quantiles(&values);
        assert_eq!(all.is_exact(), n <= 256);
        assert_eq!(all.count(), n);
        let got = all.at(&SHARES);
        for (share, got) in SHARES.iter().zip(got) {
            if n <= 256 || *share == 0.0 || *share == 1.0 {
                assert_eq!(got, exact(&values, *share));
            }
        }
    }
    assert!(Quantiles::default().at(&[0.5])[0].is_nan());
}

#[test]
fn quantiles_of_mixed_signs_zeros_and_the_smallest_numbers() {
    let mut values: Vec<f64> = (0..2_000).map(|n| f64::from(n - 1_000)).collect();
    values.extend([0.0, -0.0, 5e-324, -5e-324]);
    let all = quantiles(&values);
    assert_eq!(all.at(&[0.5])[0], 0.0);
    let [low, high] = [all.at(&[0.1])[0], all.at(&[0.9])[0]];
    assert!((low + 800.0).abs() < 8.1 && (high - 800.0).abs() < 8.1, "{low} {high}");
    let wide: Vec<f64> = (0..300).flat_map(|_| [f64::MIN_POSITIVE, 1.0, f64::MAX, -f64::MAX]).collect();
    let got = quantiles(&wide).at(&[0.0, 0.7, 0.8, 1.0]);
    assert_eq!((got[0], got[3]), (-f64::MAX, f64::MAX));
    assert!(got[2] > 0.98 * f64::MAX);
}

#[test]
fn merged_cut_and_kept_as_bytes_quantiles_are_the_same() {
    let mut random = Random(13);
    for case in 0..60 {
        let n = 1 + random.below(1_500) as usize;
        let values = positive(case, n, &mut random);
        let whole = quantiles(&values);
        let mut parts = Quantiles::default();
        for part in values.chunks(1 + random.below(700) as usize) {
            parts.merge(&read_again(&quantiles(part)));
            parts = read_again(&parts);
        }
        assert_eq!(parts.at(&SHARES), whole.at(&SHARES), "case {case}");
        assert_eq!(parts.count(), n as u64);
    }
}

#[test]
fn a_sketch_of_a_usual_stream_takes_few_bytes() {
    let mut random = Random(3);
    let values: Vec<f64> = (0..100_000).map(|_| 1.0 - random.share().ln() * 100.0).collect();
    let mut bytes = Vec::new();
    quantiles(&values).put(&mut bytes);
    assert!(bytes.len() < 1_000, "{} bytes", bytes.len());
}

#[test]
fn distinct_values_are_counted_within_the_bound() {
    let mut squares = 0.0;
    let mut cases = 0.0;
    for seed in 1..25 {
        for n in [300_u64, 1_000, 5_000, 20_000, 60_000] {
            let mut all = Distinct::default();
            for at in 0..n {
                all.add(hash(format!("user-{seed}-{at}").as_bytes()));
                if at % 3 == 0 {
                    all.add(hash(format!("user-{seed}-{}", at / 2).as_bytes()));
                }
            }
            let error = all.count() as f64 / n as f64 - 1.0;
            assert!(error.abs() < 4.5 * STANDARD_ERROR, "{n}: off by {error}");
            squares += error * error;
            cases += 1.0;
        }
    }
    let standard: f64 = f64::sqrt(squares / cases);
    assert!(standard < 1.15 * STANDARD_ERROR, "standard error {standard}");
}

#[test]
fn few_distinct_values_are_exact_and_equal_numbers_are_one() {
    let mut all = Distinct::default();
    for at in 0..1_000_u64 {
        all.add(hash_number((at % 256) as f64));
    }
    assert_eq!(all.count(), 256);
    assert_eq!(hash_number(0.0), hash_number(-0.0));
    assert_ne!(hash(b"a\0"), hash(b"a"));
    assert_eq!(Distinct::default().count(), 0);
}

#[test]
fn merged_and_kept_as_bytes_distinct_counts_are_the_same() {
    for n in [10_u64, 256, 257, 9_000] {
        let of = |from: u64, to: u64| {
            let mut part = Distinct::default();
            (from..to).for_each(|at| part.add(hash(&at.to_le_bytes())));
            let mut bytes = Vec::new();
            part.put(&mut bytes);
            assert!(bytes.len() <= 3_073);
            let mut reader = Reader::new(&bytes);
            assert_eq!(Distinct::read(&mut reader).unwrap(), part);
            part
        };
        let mut merged = of(0, n / 2);
        merged.merge(&of(n / 3, n));
        assert_eq!(merged, of(0, n));
    }
}

#[test]
fn variance_is_that_of_two_passes_and_merges() {
    let mut random = Random(5);
    for offset in [0.0, 1e9] {
        let values: Vec<f64> = (0..3_000).map(|_| offset + random.share()).collect();
        let mean = values.iter().sum::<f64>() / 3_000.0;
        let wanted = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2_999.0;
        let mut merged = Moments::default();
        for part in values.chunks(700) {
            let mut moments = Moments::default();
            part.iter().for_each(|value| moments.add(*value));
            merged.merge(&moments);
        }
        let got = merged.variance().unwrap();
        assert!((got - wanted).abs() < 1e-6 * wanted, "{got}, not {wanted}");
    }
    assert_eq!(Moments::default().variance(), None);
}

/// Zipf-like: small numbers are frequent.
fn items(n: usize, kinds: u64, random: &mut Random) -> Vec<u64> {
    (0..n).map(|_| ((kinds as f64).powf(random.share()) as u64).min(kinds - 1)).collect()
}

#[test]
fn the_heaviest_are_there_within_the_bound() {
    let mut random = Random(17);
    for case in 0..40 {
        let capacity = 10 + random.below(200) as usize;
        let kinds = 1 + random.below(5_000);
        let items = items(20_000, kinds, &mut random);
        let (mut top, mut parts) = (Top::new(capacity), Top::new(capacity));
        let mut wanted: BTreeMap<u64, f64> = BTreeMap::new();
        for part in items.chunks(7_000) {
            let mut own = Top::new(capacity);
            for item in part {
                top.add(&item.to_le_bytes(), 1.0);
                own.add(&item.to_le_bytes(), 1.0);
                *wanted.entry(*item).or_default() += 1.0;
            }
            parts.merge(&own);
        }
        let bound = items.len() as f64 / capacity as f64;
        for (top, bound) in [(&top, bound), (&parts, 3.0 * bound)] {
            let found: BTreeMap<u64, (f64, f64)> = top
                .heaviest(capacity)
                .iter()
                .map(|counter| {
                    (
                        u64::from_le_bytes(*counter.item.first_chunk().unwrap()),
                        (counter.weight, counter.error),
                    )
                })
                .collect();
            for (item, count) in &wanted {
                match found.get(item) {
                    Some((weight, error)) => {
                        assert!(
                            weight >= count && weight - error <= *count,
                            "case {case}: {weight} +- {error} for {count}"
                        );
                        assert!(*error <= bound, "case {case}");
                    }
                    None => assert!(*count <= bound, "case {case}: {item} with {count} is not there"),
                }
            }
            if wanted.len() <= capacity {
                assert!(found.values().all(|(_, error)| *error == 0.0));
            }
        }
        assert_eq!(top.total(), items.len() as f64);
    }
}

#[test]
fn the_heaviest_are_the_same_when_kept_as_bytes_in_between_and_by_place() {
    let mut random = Random(19);
    let items = items(5_000, 800, &mut random);
    let (mut whole, mut kept, mut placed) = (Top::new(50), Top::new(50), Top::new(50));
    let mut places = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        whole.add(&item.to_le_bytes(), 2.0);
        kept.add(&item.to_le_bytes(), 2.0);
        if !places.get(item).is_some_and(|place| placed.add_at(*place, 2.0)) {
            places.insert(item, placed.add(&item.to_le_bytes(), 2.0));
        }
        if at % 97 == 0 {
            let mut bytes = Vec::new();
            kept.put(&mut bytes);
            kept = Top::read(&mut Reader::new(&bytes)).unwrap();
        }
    }
    let shown = |top: &Top| {
        top.heaviest(50)
            .iter()
            .map(|counter| (counter.item.to_vec(), counter.weight, counter.error))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&whole), shown(&kept));
    assert_eq!(shown(&whole), shown(&placed));
}

#[test]
fn a_histogram_counts_between_its_bounds() {
    let bounds = [1.0, 2.0, 5.0];
    let mut histogram = Histogram::new(bounds.len());
    [0.5, 1.0, 1.5, 2.0, 5.0, 5.1, 100.0].iter().for_each(|value| histogram.add(&bounds, *value));
    assert_eq!(histogram.counts(), [2, 2, 1, 2]);
    let mut bytes = Vec::new();
    histogram.put(&mut bytes);
    let read = Histogram::read(&mut Reader::new(&bytes)).unwrap();
    histogram.merge(&read);
    assert_eq!(histogram.counts(), [4, 4, 2, 4]);
    assert!(Histogram::are_bounds(&bounds));
    assert!(
        !Histogram::are_bounds(&[1.0, 1.0])
            && !Histogram::are_bounds(&[])
            && !Histogram::are_bounds(&[f64::NAN])
    );
}

#[test]
fn damaged_bytes_are_refused_and_harm_nothing() {
    let mut random = Random(23);
    let mut whole = Vec::new();
    quantiles(&positive(0, 1_000, &mut random)).put(&mut whole);
    let mut top = Top::new(5);
    (0..9_u8).for_each(|item| {
        top.add(&[item], 1.0);
    });
    let mut distinct = Distinct::default();
    (0..20).for_each(|item| distinct.add(hash_number(f64::from(item))));
    top.put(&mut whole);
    distinct.put(&mut whole);
    for _ in 0..4_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next() as u8;
        }
        bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
        for start in [0, random.below(bytes.len() as u64 + 1) as usize] {
            let part = &bytes[start..];
            drop(Quantiles::read(&mut Reader::new(part)).map(|read| read.at(&[0.5])));
            let _ = Distinct::read(&mut Reader::new(part)).map(|read| read.count());
            drop(Top::read(&mut Reader::new(part)));
            drop(Histogram::read(&mut Reader::new(part)));
        }
    }
    assert!(Quantiles::read(&mut Reader::new(&[9])).is_err());
}
