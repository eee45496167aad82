//! Inputs of `key=value` lines: as programs write them, generated ones, and both with damage.

use crate::damage::damage;
use crate::random::Random;

const LINES: [&str; 6] = [
    r#"time=2026-11-21T12:00:07.301Z level=info msg="request served" host=web-017 path=/items/310?a=b status=200 latency_ms=31.482 bytes=23817 cached"#,
    r#"time=1795262400 level=warn msg="it took \"long\"\n" host=web-001 status=404 latency_ms=0.5 bytes=0"#,
    "type=cpu host=db-2 load.1m=0.25 load.5m=1.5 cores=8 idle=true",
    "at=error code=H12 desc=\"Request timeout\" dyno=web.1 connect=4ms service=30001ms status=503",
    "a=1 b=two c= d=null e=\"\" f",
    "x=18446744073709551615 y=-9223372036854775808 z=1e999 w=007 v=-0.0 u=-",
];

const NAMES: [&str; 14] = [
    "a",
    "b",
    "c",
    "host",
    "status",
    "n",
    "time",
    "type",
    "a.b",
    "é",
    "x",
    "msg",
    "long_name_of_a_field_that_goes_on_beyond_thirty_two_bytes",
    "-",
];

const VALUES: [&str; 30] = [
    "",
    "1",
    "-1",
    "0",
    "-0",
    "007",
    "1.5",
    "-2.25",
    "1e5",
    "1E-7",
    "1.",
    ".5",
    "1e",
    "true",
    "false",
    "null",
    "True",
    "x",
    "web-1",
    "12ms",
    "/a?b=c",
    "grün",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345678.25",
    "0.1",
    "4.35",
    "1e999",
    "NaN",
    "2026-11-21T12:00:07Z",
];

const QUOTED: [&str; 9] =
    ["", "a b", "a=b", "\\\"", "\\n\\t\\\\", "\\u00e4\\ud83d\\ude00", "grün \u{1f600}", "12", "tab\there"];

pub fn input(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    if random.chance(2) {
        text.push('\u{feff}');
    }
    for _ in 0..1 + random.below(4) {
        if random.chance(50) {
            text.push_str(random.pick(&LINES).copied().unwrap_or_default());
        } else {
            line(random, &mut text);
        }
        text.push_str(
            random.pick(&["\n", "\n", "\n", "\r\n", "\n\n", "\n \t\n"]).copied().unwrap_or_default(),
        );
    }
    let mut bytes = text.into_bytes();
    if random.chance(45) {
        damage(random, &mut bytes, b"=\" \\\n\t.e-u01a\r");
    }
    bytes
}

fn line(random: &mut Random, text: &mut String) {
    for pair in 0..random.below(8) {
        if pair > 0 {
            text.push_str(random.pick(&[" ", " ", " ", "  ", "\t"]).copied().unwrap_or_default());
        }
        text.push_str(random.pick(&NAMES).copied().unwrap_or_default());
        match random.below(10) {
            0 => continue,
            1 | 2 => {
                text.push_str("=\"");
                text.push_str(random.pick(&QUOTED).copied().unwrap_or_default());
                text.push('"');
            }
            3 => text.push_str(&format!("={}", random.bits() as i64 >> random.below(64))),
            4 => {
                text.push_str(&format!("={}.{}", random.below(1_000_000), random.bits() >> random.below(64)))
            }
            _ => {
                text.push('=');
                text.push_str(random.pick(&VALUES).copied().unwrap_or_default());
            }
        }
    }
}
