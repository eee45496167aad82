//! Sizes and durations as people write them: `"64MiB"` to bytes, `"250ms"` to ns.
//!
//! A number (with a fraction if wanted) and a unit, nothing else; no sign, no sum, so that one text means one thing everywhere. Durations: ns, us, ms,
//! s, m, h, d, at most 36,500 days. Sizes: B, KiB, MiB, GiB, kB, MB, GB, at most 1 TiB. Errors say what would be right and leave the place to
//! the caller.

const DURATION_NS_MAX: f64 = 36_500.0 * 86_400e9;
const SIZE_BYTES_MAX: f64 = (1u64 << 40) as f64;

/// Whole ns, never negative.
pub fn duration_ns(text: &str) -> Result<i64, String> {
    let wrong =
        || format!("`{text}` is not a duration; write a number and a unit, like \"250ms\", \"1s\" or \"5m\"");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let unit_ns = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        "d" => 86_400e9,
        _ => return Err(wrong()),
    };
    let ns = number * unit_ns;
    if ns > DURATION_NS_MAX {
        return Err(format!("`{text}` is longer than 36500 days"));
    }
    Ok(ns.round() as i64)
}

/// Whole bytes.
pub fn size_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write a number and a unit, like \"512KiB\" or \"64MiB\"");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let unit_bytes = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number * unit_bytes;
    if bytes > SIZE_BYTES_MAX {
        return Err(format!("`{text}` is more than 1024 GiB"));
    }
    Ok(bytes.round() as u64)
}

/// Number and unit. Digits and one point only, so that neither `1e9s` nor `-1s` nor `infs` is a number.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(end)?;
    if number.len() > 20 || !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read() {
        for (text, ns) in [
            ("250ms", 250_000_000),
            ("1s", 1_000_000_000),
            ("1.5 m", 90_000_000_000),
            ("0s", 0),
            ("3us", 3000),
        ] {
            assert_eq!(duration_ns(text), Ok(ns), "{text}");
        }
        for (text, bytes) in [("64MiB", 64 << 20), ("1kB", 1000), ("0.5KiB", 512), ("7B", 7)] {
            assert_eq!(size_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_measure_is_refused() {
        for text in ["", "s", "10", "-1s", "1e9s", "1 fortnight", "NaNs", "1..2s", "99999999d", "∞s"] {
            assert!(duration_ns(text).is_err(), "{text}");
        }
        for text in ["", "64", "64mib", "-1B", "9999999GiB"] {
            assert!(size_bytes(text).is_err(), "{text}");
        }
    }
}
