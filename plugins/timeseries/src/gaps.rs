//! Where there is no data although there should be: no line crosses a gap.
//!
//! In: rising times of the rows that have a value, and how far apart they should be. Out: pairs of the last time before and the first time after each gap. A gap is a distance over 2.5 times the
//! expected interval (that of the request, else the median distance), or over a configured duration. Gaps within one pixel cannot be seen and are left out, so there
//! are never more gaps than pixels.

use crate::m4::Scale;

/// Without a declared interval it takes this many distances to know what is usual.
const DISTANCES_MIN: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gap {
    pub start_ns: i64,
    pub end_ns: i64,
}

/// `interval_ns`: expected, 0: unknown. `gap_after_ns`: configured, 0: not.
pub fn find(time: &[i64], interval_ns: i64, gap_after_ns: i64, scale: Scale) -> Vec<Gap> {
    let limit_ns = match (gap_after_ns, interval_ns) {
        (configured, _) if configured > 0 => configured,
        (_, declared) if declared > 0 => two_and_a_half(declared),
        _ => match median_distance(time) {
            Some(median) => two_and_a_half(median),
            None => return Vec::new(),
        },
    };
    time.array_windows()
        .filter(|[before, after]| after.saturating_sub(*before) > limit_ns)
        .filter(|[before, after]| scale.pixel(*before) != scale.pixel(*after))
        .map(|[before, after]| Gap { start_ns: *before, end_ns: *after })
        .collect()
}

fn two_and_a_half(interval_ns: i64) -> i64 {
    interval_ns.saturating_mul(5) / 2
}

fn median_distance(time: &[i64]) -> Option<i64> {
    let mut distances: Vec<i64> =
        time.array_windows().map(|[before, after]| after.saturating_sub(*before)).collect();
    if distances.len() < DISTANCES_MIN {
        return None;
    }
    let middle = distances.len() / 2;
    Some(*distances.select_nth_unstable(middle).1)
}
