//! What a field is called in a legend: without the unit at its end, which stands at the axis.
//!
//! In: the name of a field and the measure of the axis (UCUM). Out: words for people: `swap_used_bytes` in `By` is `swap used`. A name that is nothing but its unit stays
//! as it is, and so does one that does not end in it.

use std::borrow::Cow;

/// How names of fields end that are in a measure.
const ENDINGS: [(&str, &str); 12] = [
    ("By", "bytes"),
    ("By/s", "bytes_per_s"),
    ("%", "percent"),
    ("ns", "ns"),
    ("us", "us"),
    ("ms", "ms"),
    ("s", "s"),
    ("s", "seconds"),
    ("Cel", "celsius"),
    ("Hz", "hz"),
    ("1/s", "per_s"),
    ("1", "count"),
];

pub fn for_people<'a>(field: &'a str, measure: &str) -> Cow<'a, str> {
    let short = ENDINGS.iter().filter(|(of, _)| *of == measure).find_map(|(_, ending)| {
        field.strip_suffix(ending)?.strip_suffix('_').filter(|rest| !rest.is_empty())
    });
    short.map_or(Cow::Borrowed(field), |short| Cow::Owned(short.replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::for_people;

    #[test]
    fn the_unit_at_the_end_is_left_out_where_it_is_that_of_the_axis() {
        for (field, measure, words) in [
            ("swap_used_bytes", "By", "swap used"),
            ("received_bytes_per_s", "By/s", "received"),
            ("busy_percent", "%", "busy"),
            ("busy_percent", "1", "busy_percent"),
            ("bytes", "By", "bytes"),
            ("_bytes", "By", "_bytes"),
            ("one", "1", "one"),
        ] {
            assert_eq!(for_people(field, measure), words, "{field} in {measure}");
        }
    }
}
