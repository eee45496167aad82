//! Event times: RFC 3339 text or a number, to ns since 1970. A number's unit is declared or told by its magnitude.
//!
//! Text: `2026-11-21T23:05:59.123456789Z`, any number of fraction digits (those beyond ns are cut off), `Z` or an offset, `t`, `z` and a
//! space for `T` allowed, a leap second counts as the second after. A number is seconds, ms, µs or ns by its magnitude: below 1e11, 1e14,
//! 1e17, or more (so that seconds reach the year 5138 and ms start in 1973). Range: i64 ns, 1677 to 2262. Anything else is `None`.

const NS_PER_S: i64 = 1_000_000_000;
/// Length of `YYYY-MM-DDTHH:MM:`.
const MINUTE_BYTES: usize = 17;

/// Length of `YYYY-MM-DDTHH:MM:SS.mmmZ`, the most frequent form.
pub(crate) const USUAL_BYTES: usize = 24;

/// The last 8 bytes of that form with zeros for digits, and what must be added to its bytes, the digits less their zeros, so that the top bit tells
/// those that are none, and other bytes than these.
const USUAL_END: u64 = u64::from_le_bytes(*b":00.000Z");
const USUAL_REST: u64 = u64::from_le_bytes([0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76, 0x76, 0x7f]);
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Remembers the last minute that was read: events of one minute share 17 bytes.
#[derive(Debug, Default)]
pub struct TimeReader {
    prefix: [u8; MINUTE_BYTES],
    /// Seconds since 1970 of the prefix, read as UTC.
    minute_unix_s: i64,
}

impl TimeReader {
    /// A text of the most frequent form in the minute that was read last.
    #[inline(always)]
    pub(crate) fn usual(&self, text: &[u8; USUAL_BYTES]) -> Option<i64> {
        let (prefix, end) = (text.first_chunk::<16>()?, text.last_chunk::<8>()?);
        if *prefix != *self.prefix.first_chunk::<16>()? {
            return None;
        }
        // A byte that carries into the next one has its top bit set itself.
        let digits = u64::from_le_bytes(*end) ^ USUAL_END;
        if (digits | digits.wrapping_add(USUAL_REST)) & TOPS != 0 {
            return None;
        }
        let digit = |place: u32| (digits >> (8 * place) & 0xf) as i64;
        let second = digit(1) * 10 + digit(2);
        let ms = digit(4) * 100 + digit(5) * 10 + digit(6);
        if second > 59 {
            return None;
        }
        (self.minute_unix_s + second).checked_mul(NS_PER_S)?.checked_add(ms * 1_000_000)
    }

    pub fn text(&mut self, text: &str) -> Option<i64> {
        self.read(text.as_bytes())
    }

    /// The same of bytes; what is not ASCII is no time.
    #[inline(always)]
    pub fn read(&mut self, text: &[u8]) -> Option<i64> {
        if let Ok(usual) = <&[u8; USUAL_BYTES]>::try_from(text)
            && let Some(time_unix_ns) = self.usual(usual)
        {
            return Some(time_unix_ns);
        }
        self.any(text)
    }

    #[inline(never)]
    fn any(&mut self, text: &[u8]) -> Option<i64> {
        let (prefix, rest) = text.split_first_chunk::<MINUTE_BYTES>()?;
        // The empty prefix of a new reader has zero bytes, which no valid prefix has.
        if *prefix != self.prefix {
            self.minute_unix_s = minute_unix_s(prefix)?;
            self.prefix = *prefix;
        }
        let (second, rest) = rest.split_first_chunk::<2>()?;
        let second = two_digits(*second)?;
        if second > 60 {
            return None;
        }
        let (fraction_ns, rest) = match rest {
            [b'.', rest @ ..] => fraction_ns(rest)?,
            _ => (0, rest),
        };
        let offset_s = match rest {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (two_digits([*h1, *h2])?, two_digits([*m1, *m2])?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let offset_s = hours * 3_600 + minutes * 60;
                if *sign == b'-' { -offset_s } else { offset_s }
            }
            _ => return None,
        };
        let at_unix_s = self.minute_unix_s + second - offset_s;
        // Whole seconds before the first that i64 ns can say, plus a fraction, may still be out of range or back in it.
        match at_unix_s.checked_mul(NS_PER_S) {
            Some(whole_ns) => whole_ns.checked_add(fraction_ns),
            None => {
                let at_unix_ns = i128::from(at_unix_s) * i128::from(NS_PER_S) + i128::from(fraction_ns);
                i64::try_from(at_unix_ns).ok()
            }
        }
    }
}

/// What a number says as a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds, ms, µs or ns, by how large it is.
    #[default]
    ByMagnitude,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    fn factor(self) -> Option<i64> {
        Some(match self {
            Self::ByMagnitude => return None,
            Self::Seconds => NS_PER_S,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        })
    }

    /// A whole number as ns since 1970.
    #[inline]
    pub fn integer(self, value: i64) -> Option<i64> {
        match self.factor() {
            None => from_integer(value),
            Some(factor) => value.checked_mul(factor),
        }
    }

    /// A number with a fraction as ns since 1970.
    pub fn float(self, value: f64) -> Option<i64> {
        match self.factor() {
            None => from_float(value),
            Some(factor) => scaled(value, factor),
        }
    }
}

/// A whole number by magnitude.
pub fn from_integer(value: i64) -> Option<i64> {
    let factor = match value.unsigned_abs() {
        0..100_000_000_000 => NS_PER_S,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    value.checked_mul(factor)
}

/// A number with a fraction by magnitude. f64 holds seconds of today to about 0.2 µs.
pub fn from_float(value: f64) -> Option<i64> {
    let magnitude = value.abs();
    let factor = if magnitude < 1e11 {
        NS_PER_S
    } else if magnitude < 1e14 {
        1_000_000
    } else if magnitude < 1e17 {
        1_000
    } else {
        1
    };
    scaled(value, factor)
}

fn scaled(value: f64, factor: i64) -> Option<i64> {
    if !value.is_finite() || value.abs() >= 9.2e18 {
        return None;
    }
    let whole = value.trunc();
    let fraction = ((value - whole) * factor as f64).round();
    (whole as i64).checked_mul(factor)?.checked_add(fraction as i64)
}

#[inline(always)]
fn two_digits(pair: [u8; 2]) -> Option<i64> {
    let [a, b] = pair.map(|byte| byte.wrapping_sub(b'0'));
    (a <= 9 && b <= 9).then(|| i64::from(a) * 10 + i64::from(b))
}

/// Digits after the point as ns, and what follows them.
fn fraction_ns(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (mut ns, mut place, mut rest) = (0, NS_PER_S, bytes);
    while let [byte, after @ ..] = rest
        && byte.is_ascii_digit()
    {
        // Digits beyond ns have place 0.
        place /= 10;
        ns += i64::from(byte - b'0') * place;
        rest = after;
    }
    (rest.len() < bytes.len()).then_some((ns, rest))
}

fn minute_unix_s(prefix: &[u8; MINUTE_BYTES]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', mi1, mi2, b':'] =
        *prefix
    else {
        return None;
    };
    let year = two_digits([y1, y2])? * 100 + two_digits([y3, y4])?;
    let (month, day) = (two_digits([mo1, mo2])?, two_digits([d1, d2])?);
    let (hour, minute) = (two_digits([h1, h2])?, two_digits([mi1, mi2])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 {
        return None;
    }
    Some(days_from_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the last of its year.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i64> {
        TimeReader::default().text(text)
    }

    #[test]
    fn rfc_3339_is_read_with_fraction_and_offset() {
        let at_ns = 1_795_302_359 * NS_PER_S;
        assert_eq!(read("2026-11-21T23:05:59Z"), Some(at_ns));
        assert_eq!(read("2026-11-22T01:05:59+02:00"), Some(at_ns));
        assert_eq!(read("2026-11-21 18:35:59.5-04:30"), Some(at_ns + 500_000_000));
        assert_eq!(read("2026-11-21t23:05:59.1234567899z"), Some(at_ns + 123_456_789));
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(read("1969-12-31T23:59:59.999999999Z"), Some(-1));
        assert_eq!(read("2000-02-29T00:00:00Z"), Some(951_782_400 * NS_PER_S));
        assert_eq!(read("2016-12-31T23:59:60Z"), read("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T23:05:59",
            "2026-13-21T23:05:59Z",
            "2026-02-29T00:00:00Z",
            "2026-11-21T24:05:59Z",
            "2026-11-21T23:60:59Z",
            "2026-11-21T23:05:61Z",
            "2026-11-21T23:05:59.Z",
            "2026-11-21T23:05:59+2:00",
            "2026-11-21T23:05:59Zx",
            "2500-01-01T00:00:00Z",
            "1600-01-01T00:00:00Z",
            "2026-11-21T23:05:59+24:00",
            "+026-11-21T23:05:59Z",
            "1795302359",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_remembered_minute_does_not_change_the_answer() {
        let mut reader = TimeReader::default();
        for text in [
            "2026-11-21T23:05:59Z",
            "2026-11-21T23:05:00Z",
            "2026-99-21T23:05:00Z",
            "2026-11-21T23:05:01Z",
            "2026-11-21T23:06:01Z",
        ] {
            assert_eq!(reader.text(text), read(text), "{text}");
        }
    }

    #[test]
    fn the_usual_form_is_read_as_any_other() {
        let (mut reader, usual) = (TimeReader::default(), b"2026-11-21T23:05:59.123Z");
        assert_eq!(reader.usual(usual), None);
        assert_eq!(reader.read(usual), Some(1_795_302_359 * NS_PER_S + 123_000_000));
        assert_eq!(reader.usual(usual), reader.any(usual));
        for at in 0..USUAL_BYTES {
            for byte in (0..=u8::MAX).step_by(if cfg!(miri) { 17 } else { 1 }) {
                let mut text = *usual;
                text[at] = byte;
                let mut any = TimeReader::default();
                let expected = any.any(&text);
                assert!(reader.usual(&text).is_none_or(|found| Some(found) == expected), "{at} {byte}");
                assert_eq!(TimeReader::default().read(&text), expected);
            }
        }
        for ms in (0..60_000).step_by(if cfg!(miri) { 777 } else { 1 }) {
            let text = format!("2026-11-21T23:05:{:02}.{:03}Z", ms / 1_000, ms % 1_000);
            let expected = 1_795_302_300 * NS_PER_S + ms * 1_000_000;
            assert_eq!(reader.usual(text.as_bytes().try_into().unwrap()), Some(expected));
        }
    }

    #[test]
    fn a_declared_unit_wins_over_the_magnitude() {
        assert_eq!(TimeUnit::Milliseconds.integer(5), Some(5_000_000));
        assert_eq!(TimeUnit::Nanoseconds.integer(5), Some(5));
        assert_eq!(TimeUnit::Seconds.float(1e11), None);
        assert_eq!(TimeUnit::Microseconds.float(2.5), Some(2_500));
    }

    #[test]
    fn a_number_is_read_by_its_magnitude() {
        let at_ns = 1_795_302_359_123_456_789;
        assert_eq!(from_integer(at_ns), Some(at_ns));
        assert_eq!(from_integer(at_ns / 1_000), Some(at_ns / 1_000 * 1_000));
        assert_eq!(from_integer(at_ns / 1_000_000), Some(at_ns / 1_000_000 * 1_000_000));
        assert_eq!(from_integer(1_795_302_359), Some(1_795_302_359 * NS_PER_S));
        assert_eq!(from_integer(-1), Some(-NS_PER_S));
        assert_eq!(from_integer(99_999_999_999), None);
        assert_eq!(from_float(1.5), Some(1_500_000_000));
        assert_eq!(from_float(1_795_302_359_123.5), Some(1_795_302_359_123_500_000));
        assert_eq!(from_float(f64::NAN), None);
        assert_eq!(from_float(1e300), None);
    }
}
