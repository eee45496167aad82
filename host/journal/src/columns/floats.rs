//! Floats: as whole numbers of tenths, hundredths or thousandths where that gives exactly the same bits, else as their bits.
//!
//! A byte says which: 0 to 3 are digits behind the point and [`ints`] follow, 8 is bits. Measurements of the real world are mostly short decimals, which then
//! take 1 to 4 bytes.

use super::ints;
use crate::bytes::Take;

const BITS: u8 = 8;
const POWERS: [f64; 4] = [1.0, 10.0, 100.0, 1_000.0];
/// Where all are below it, the quotient is the nearest float and so exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Rows that are tried before a power is tried on all.
const TRIED: usize = 8;

pub fn put(out: &mut Vec<u8>, values: &[f64]) {
    let head = values.get(..TRIED).unwrap_or(values);
    for (digits, power) in POWERS.into_iter().enumerate() {
        if !head.iter().all(|value| whole(*value, power).is_some()) {
            continue;
        }
        let wholes: Option<Vec<i64>> = values.iter().map(|value| whole(*value, power)).collect();
        if let Some(wholes) = wholes {
            out.push(digits as u8);
            return ints::put(out, &wholes);
        }
    }
    out.push(BITS);
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn whole(value: f64, power: f64) -> Option<i64> {
    let scaled = (value * power).round();
    let exact = scaled.abs() < WHOLE_MAX && (scaled / power).to_bits() == value.to_bits();
    // Minus zero is not exact: 0 as a whole number has no sign.
    (exact && !(scaled == 0.0 && value.is_sign_negative())).then_some(scaled as i64)
}

pub fn take(take: &mut Take, rows: usize) -> Option<Vec<f64>> {
    let digits = take.byte()?;
    if digits == BITS {
        let bytes = take.slice(rows.checked_mul(8)?)?;
        let (places, _) = bytes.as_chunks::<8>();
        return Some(places.iter().map(|place| f64::from_le_bytes(*place)).collect());
    }
    let power = POWERS.get(digits as usize).copied()?;
    Some(ints::take(take, rows)?.into_iter().map(|whole| whole as f64 / power).collect())
}
