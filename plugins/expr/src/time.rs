//! Times as text: RFC 3339 (`2026-11-21T23:30:00.5Z`, also with an offset, with a space, or a date alone), both ways, in ns since 1970.
//!
//! Years 1678 to 2262, what an s64 of nanoseconds holds; anything else is no time. Days by the civil calendar algorithm
//! (H. Hinnant, "chrono-compatible low-level date algorithms").

const SECOND_NS: i64 = 1_000_000_000;

pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let sign = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|byte| wanted.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let in_calendar = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !(sign(4, b"-") && sign(7, b"-") && in_calendar) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    if text.len() == 10 {
        return days.checked_mul(86_400)?.checked_mul(SECOND_NS);
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // 60 is a leap second: the next second.
    if !(sign(10, b"Tt ") && sign(13, b":") && sign(16, b":")) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ns, rest) = fraction(text.get(19..)?)?;
    let offset = offset_s(rest)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    seconds.checked_mul(SECOND_NS)?.checked_add(fraction_ns)
}

/// `.123` to nanoseconds; more than nine digits are cut.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(end)?;
    if digits.is_empty() {
        return None;
    }
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some((padded.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')), rest))
}

/// `Z`, `+02:00`; nothing means UTC.
fn offset_s(text: &str) -> Option<i64> {
    let direction = match text.as_bytes().first() {
        None => return Some(0),
        Some(b'Z' | b'z') if text.len() == 1 => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let valid = hours.len() == 2 && minutes.len() == 2;
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (valid && hours < 24 && minutes < 60)
        .then(|| direction * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// With as many digits of the second as are needed.
pub fn format(unix_ns: i64) -> String {
    let (seconds, ns) = (unix_ns.div_euclid(SECOND_NS), unix_ns.rem_euclid(SECOND_NS));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if ns == 0 { String::new() } else { format!(".{ns:09}").trim_end_matches('0').to_owned() };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_to_text_and_back() {
        for ns in [0, 1, -1, 1_732_231_800_123_456_000, i64::MIN + 1_000_000_000, i64::MAX - 1_000_000_000] {
            assert_eq!(parse(&format(ns)), Some(ns), "{}", format(ns));
        }
        assert_eq!(format(951_782_400 * SECOND_NS), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn offsets_dates_and_nonsense() {
        assert_eq!(parse("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(parse("1970-01-02"), Some(86_400 * SECOND_NS));
        for text in [
            "",
            "1970",
            "1970-13-01",
            "1970-02-29",
            "1970-01-01T24:00:00Z",
            "9999-01-01",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+2:00",
            "é970-01-01",
            "1970-01-01T00:00:00Zé",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
