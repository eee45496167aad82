//! Many points as the mean, the least and the greatest value of each slice of time.
//!
//! In: rising times and values (NaN: none), all within the range, and the gaps between them. Out: a row for each slice that has a value, at the time of its first point; a slice is [`SLICE_PX`]
//! wide, begins at a multiple of its length since 1970 (so that it stays what it is while the window moves), and ends at a gap.

use crate::gaps::Gap;
use crate::m4::Scale;

/// As wide as what a marker needs.
pub const SLICE_PX: i64 = 3;

#[derive(Debug, Default, PartialEq)]
pub struct Slices {
    pub time: Vec<i64>,
    pub fields: Vec<Field>,
}

/// NaN where a slice has no value of this field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    pub mean: Vec<f64>,
    pub least: Vec<f64>,
    pub greatest: Vec<f64>,
    /// Sum and number of the values of the newest slice.
    sum: f64,
    count: f64,
}

impl Field {
    fn begin(&mut self) {
        (self.sum, self.count) = (0.0, 0.0);
        for values in [&mut self.mean, &mut self.least, &mut self.greatest] {
            values.push(f64::NAN);
        }
    }

    fn add(&mut self, value: f64) {
        let newest = (self.mean.last_mut(), self.least.last_mut(), self.greatest.last_mut());
        let (Some(mean), Some(least), Some(greatest)) = newest else { return };
        self.sum += value;
        self.count += 1.0;
        *mean = self.sum / self.count;
        // NaN gives way to a number.
        *least = least.min(value);
        *greatest = greatest.max(value);
    }
}

pub fn slice_ns(scale: Scale) -> i64 {
    scale.pixel_ns().saturating_mul(SLICE_PX).max(1)
}

/// Whether there are more points than can be marked.
pub fn is_dense(rows: usize, scale: Scale) -> bool {
    rows as i64 > i64::from(scale.width_px) / SLICE_PX
}

pub fn slices(time: &[i64], fields: &[&[f64]], gaps: &[Gap], scale: Scale) -> Slices {
    let slice_ns = slice_ns(scale);
    let mut out = Slices { time: Vec::new(), fields: vec![Field::default(); fields.len()] };
    let mut place = None;
    for (row, time_ns) in time.iter().enumerate() {
        let values = || fields.iter().map(|values| values.get(row).copied().unwrap_or(f64::NAN));
        if values().all(f64::is_nan) {
            continue;
        }
        let here = Some((time_ns.div_euclid(slice_ns), gaps.partition_point(|gap| gap.end_ns <= *time_ns)));
        if here != place {
            place = here;
            out.time.push(*time_ns);
            out.fields.iter_mut().for_each(Field::begin);
        }
        for (field, value) in out.fields.iter_mut().zip(values()).filter(|(_, value)| !value.is_nan()) {
            field.add(value);
        }
    }
    out
}
