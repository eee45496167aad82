//! What a `[[source]]` says of events and requests that come again: `dedup` and `idempotency`.

use super::super::Place;
use super::super::check::Check;
use super::super::raw::{self, At};
use super::{DedupSpec, FIELD_BYTES_MAX, RequestSpec};

const KEEP_NS_MIN: i64 = 1_000_000_000;
const KEEP_NS_MAX: i64 = 7 * 86_400_000_000_000;
/// Each takes some 150 B of memory.
const KEYS_MAX: i64 = 10_000_000;

pub fn columns(check: &Check<'_>, place: &Place, raw: &raw::Dedup) -> DedupSpec {
    let default = DedupSpec::default();
    let one = |member: &str, text: &Option<At<String>>, default: String| {
        let Some(text) = text else { return default };
        let long = text.value.len() > FIELD_BYTES_MAX;
        if text.value.is_empty() || long || text.value.chars().any(char::is_control) {
            let message = format!("must be 1 to {FIELD_BYTES_MAX} bytes without control characters");
            check.problem(place, member, text.line, message);
        }
        text.value.clone()
    };
    let spec = DedupSpec {
        producer: one("dedup.producer", &raw.producer, default.producer),
        seq: one("dedup.seq", &raw.seq, default.seq),
    };
    if spec.producer == spec.seq {
        check.problem(
            place,
            "dedup",
            raw.line,
            "names the same field twice; `producer` says who sent an event, `seq` is its number",
        );
    }
    spec
}

pub fn requests(check: &Check<'_>, place: &Place, raw: Option<&raw::Idempotency>) -> RequestSpec {
    let default = RequestSpec::default();
    let Some(raw) = raw else { return default };
    let keep_ns = check.duration_ns(place, "idempotency.keep", raw.keep.as_ref(), "10m");
    if let Some(keep) = raw.keep.as_ref().filter(|_| !(KEEP_NS_MIN..=KEEP_NS_MAX).contains(&keep_ns)) {
        check.problem(place, "idempotency.keep", keep.line, "must be from \"1s\" to \"7d\"");
    }
    let keys_max = raw.keys_max.as_ref().map_or(default.keys_max as i64, |number| number.value);
    if let Some(number) = raw.keys_max.as_ref().filter(|_| !(1..=KEYS_MAX).contains(&keys_max)) {
        check.problem(place, "idempotency.keys_max", number.line, format!("must be from 1 to {KEYS_MAX}"));
    }
    RequestSpec { keep_ns, keys_max: usize::try_from(keys_max).unwrap_or(default.keys_max) }
}
