//! Durations and numbers as people write and read them, the same in every standard component.
//!
//! In: texts of a configuration ("250ms") or values. Out: nanoseconds, or short texts for summaries and labels ("no data 13 s", "812").
//! Nothing here allocates more than the text that it gives, and nothing fails: what is no duration is `None`.

/// "250ms", "1s", "5m", "1h", "7d", also "us" and "ns": whole numbers only. None where it is anything else or over 292 years.
pub fn parse_duration_ns(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ns = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ns)
}

/// At most two units or three digits: "13 s", "1.5 s", "2 min 5 s", "3 h", "250 ms".
pub fn duration(ns: i64) -> String {
    const S: i64 = 1_000_000_000;
    let units = [(86_400 * S, "d"), (3_600 * S, "h"), (60 * S, "min"), (S, "s")];
    match ns.checked_abs().unwrap_or(i64::MAX) {
        ns if ns >= 60 * S => {
            // Rounded to the second unit, so that it never says "1 min 60 s".
            let index = units.iter().position(|(unit, _)| ns >= *unit).unwrap_or(2).min(2);
            let (large, large_name) = units.get(index).copied().unwrap_or((60 * S, "min"));
            let (small, small_name) = units.get(index + 1).copied().unwrap_or((S, "s"));
            let ns = ns.saturating_add(small / 2) / small * small;
            match (ns % large) / small {
                0 => format!("{} {large_name}", ns / large),
                rest => format!("{} {large_name} {rest} {small_name}", ns / large),
            }
        }
        ns if ns >= S => format!("{} s", number(ns as f64 / S as f64)),
        ns if ns >= 1_000_000 => format!("{} ms", number(ns as f64 / 1e6)),
        ns if ns >= 1_000 => format!("{} µs", number(ns as f64 / 1e3)),
        ns => format!("{ns} ns"),
    }
}

/// Three significant digits, all digits of a whole part, no zeros at the end: "812", "12.3", "0.00123", "1.2e-9", "48210".
pub fn number(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".to_owned() } else { format!("{value}") };
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = (2.0 - magnitude).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A whole number with its thousands apart: "12,300".
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The number and its unit of measurement: "12.3 %"; a plain number ("1" or nothing) stands alone.
pub fn measured(value: f64, measure: &str) -> String {
    match measure {
        "" | "1" => number(value),
        measure => format!("{} {measure}", number(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ns) in [
            ("250ms", Some(250_000_000)),
            ("1s", Some(1_000_000_000)),
            ("5m", Some(300_000_000_000)),
            ("7d", Some(604_800_000_000_000)),
            ("0s", Some(0)),
            ("", None),
            ("s", None),
            ("1.5s", None),
            ("-1s", None),
            ("1 s", None),
            ("9223372036854775807h", None),
        ] {
            assert_eq!(parse_duration_ns(text), ns, "{text}");
        }
    }

    #[test]
    fn durations_are_short() {
        for (ms, text) in [
            (13_000, "13 s"),
            (1_500, "1.5 s"),
            (125_000, "2 min 5 s"),
            (59_999, "60 s"),
            (119_999, "2 min"),
            (10_800_000, "3 h"),
            (90_000_000, "1 d 1 h"),
            (250, "250 ms"),
            (0, "0 ns"),
        ] {
            assert_eq!(duration(ms * 1_000_000), text);
        }
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (812.0, "812"),
            (12.34, "12.3"),
            (0.001_234_5, "0.00123"),
            (48_210.4, "48210"),
            (-3.0, "-3"),
            (0.5, "0.5"),
            (f64::NAN, "NaN"),
            (1e20, "1.00e20"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(12_300), "12,300");
        assert_eq!(count(999), "999");
        assert_eq!(measured(12.34, "%"), "12.3 %");
        assert_eq!(measured(2.0, "1"), "2");
    }
}
