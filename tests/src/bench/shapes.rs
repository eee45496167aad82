//! The inputs of the bench `codec`: JSON lines of several shapes, friendly and hostile.
//!
//! In: a name and a number of events. Out: the text, one event on a line, always the same bytes for the same number, and how many of its events are good. All but the
//! wide ones are built on the web request of `events.rs`, so that what is different is what the name says.

use std::fmt::Write as _;

use anyhow::Result;

use super::events::Requests;

/// One input.
pub struct Shape {
    pub name: &'static str,
    pub text: Vec<u8>,
    pub events: usize,
    /// Events that are to become rows.
    pub good: usize,
    /// A struct of the four usual fields can be filled from each event.
    pub usual: bool,
}

/// A fixed instant: 2026-11-21T12:00:00Z.
const START_UNIX_MS: i64 = 1_795_262_400_000;
const NAMES: u64 = 100_000;
const STREAMS: u64 = 10;

/// Web requests of 200 bytes.
pub fn requests(events: usize) -> Shape {
    let mut text = Vec::new();
    let mut requests = Requests::new(events, START_UNIX_MS, 600_000);
    while requests.write_next(&mut text).is_some() {}
    Shape { name: "200 B", text, events, good: events, usual: true }
}

/// What follows an event's number: the same for the same number.
struct Random(u64);

impl Random {
    fn of(row: usize) -> Self {
        // Splitmix, so that neighbours have nothing in common.
        let mut mixed = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((mixed ^ (mixed >> 27)).max(1))
    }

    /// Xorshift.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// In one of a hundred cases for each percent.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Name and JSON value of each field of a web request.
type Fields = Vec<(String, String)>;

fn fields(row: usize, random: &mut Random) -> Fields {
    let quoted = |text: &str| format!("\"{text}\"");
    let status = [200, 200, 200, 404, 500].get(random.below(5) as usize).copied().unwrap_or(200);
    let (latency_us, second, ms) = (random.below(100_000), row / 1_000 % 60, row % 1_000);
    let trace = random.next() & 0xffff_ffff_ffff;
    [
        ("application", quoted("shop")),
        ("environment", quoted("prod")),
        ("type", quoted("request")),
        ("host", format!("\"web-{:03}\"", random.below(100))),
        ("path", format!("\"/items/{}\"", random.below(500))),
        ("status", status.to_string()),
        ("latency_ms", format!("{}.{:03}", latency_us / 1_000, latency_us % 1_000)),
        ("bytes", random.below(50_000).to_string()),
        ("time", format!("\"2026-11-21T12:00:{second:02}.{ms:03}Z\"")),
        ("trace", format!("\"{trace:012x}\"")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn write(text: &mut String, fields: &[(String, String)]) {
    for (at, (name, value)) in fields.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = write!(text, "{}\"{name}\":{value}", if at == 0 { '{' } else { ',' });
    }
    text.push_str("}\n");
}

fn set(fields: &mut Fields, name: &str, value: String) {
    if let Some((_, old)) = fields.iter_mut().find(|(field, _)| field == name) {
        *old = value;
    }
}

fn shuffle(fields: &mut Fields, random: &mut Random) {
    for at in (1..fields.len()).rev() {
        fields.swap(at, random.below(at as u64 + 1) as usize);
    }
}

/// Events made by changing the fields of a web request.
fn changed(
    name: &'static str,
    events: usize,
    usual: bool,
    mut change: impl FnMut(usize, &mut Fields, &mut Random),
) -> Shape {
    let mut text = String::new();
    for row in 0..events {
        let mut random = Random::of(row);
        let mut fields = fields(row, &mut random);
        change(row, &mut fields, &mut random);
        write(&mut text, &fields);
    }
    Shape { name, text: text.into_bytes(), events, good: events, usual }
}

/// Web requests with what browsers and proxies add: about 1,000 bytes, 24 fields, some nested.
pub fn kilobyte(events: usize) -> Shape {
    changed("1 KB", events, true, |_, fields, random| {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
        add("user_agent", format!("\"{agent}\""));
        add("referrer", format!("\"https://shop.example/catalogue/section-{}/page\"", random.below(200)));
        add("session", format!("\"{:016x}{:016x}\"", random.next(), random.next()));
        let client = format!(
            r#"{{"ip":"10.{}.{}.{}","port":{},"country":"DE","city":"Hamburg","asn":{}}}"#,
            random.below(4),
            random.below(256),
            random.below(256),
            random.below(65_536),
            random.below(60_000)
        );
        add("client", client);
        let tls = r#"{"version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","resumed":true,"alpn":"h2"}"#;
        add("tls", tls.to_owned());
        let timing = format!(
            r#"{{"dns_ms":{}.{},"connect_ms":{}.5,"wait_ms":{},"receive_ms":{}.25}}"#,
            random.below(30),
            random.below(10),
            random.below(40),
            random.below(90),
            random.below(20)
        );
        add("timing", timing);
        add(
            "query",
            format!("\"q=garden+chair&page={}&sort=price_ascending&filter=in_stock\"", random.below(9)),
        );
        add(
            "message",
            format!("\"{}\"", "upstream answered within its time and the answer was kept. ".repeat(4)),
        );
        add("retries", random.below(3).to_string());
    })
}

/// 60 numbers, texts and truth values, three objects deep.
pub fn nested(events: usize) -> Shape {
    let mut text = String::new();
    for row in 0..events {
        let mut random = Random::of(row);
        let second = row / 1_000 % 60;
        let _ = write!(
            text,
            r#"{{"application":"shop","environment":"prod","type":"nested","time":"2026-11-21T12:00:{second:02}Z""#
        );
        for group in 0..7 {
            for part in 0..2 {
                let open = if part == 0 { format!(",\"group_{group}\":{{") } else { ",".to_owned() };
                let _ = write!(text, "{open}\"part_{part}\":{{\"ok\":{}", random.chance(90));
                let _ = write!(
                    text,
                    ",\"name\":\"unit-{}\",\"count\":{}",
                    random.below(50),
                    random.below(100_000)
                );
                let _ = write!(text, ",\"load\":{}.{:02}}}", random.below(100), random.below(100));
            }
            text.push('}');
        }
        text.push_str("}\n");
    }
    Shape { name: "60 keys, nested", text: text.into_bytes(), events, good: events, usual: false }
}

/// What real senders do: keys missing, null, in another order, escapes, spaces, whole numbers among fractions, a new key, a bad line.
pub fn messy(events: usize) -> Shape {
    let mut bad = 0;
    let mut shape = changed("messy mix", events, false, |row, fields, random| {
        if random.chance(10) {
            fields.remove(3 + random.below(7) as usize);
        }
        if random.chance(5) {
            set(fields, "path", "null".to_owned());
        }
        if random.chance(5) {
            set(fields, "path", format!(r#""/items/\u00e4\"{}\n""#, random.below(100)));
        }
        if random.chance(5) {
            set(fields, "latency_ms", random.below(100).to_string());
        }
        if random.chance(5) {
            let at = 3 + random.below(6) as usize;
            if at + 1 < fields.len() {
                fields.swap(at, at + 1);
            }
        }
        if random.chance(3) {
            fields
                .push(("user".to_owned(), format!("{{\"id\": {}, \"tags\": [1, 2]}}", random.below(1_000))));
        }
        if random.chance(2) {
            set(fields, "status", " 200 ".to_owned());
        }
        if row % 100 == 50 {
            set(fields, "environment", "prod\"".to_owned());
            bad += 1;
        }
    });
    shape.good -= bad;
    shape
}

/// The keys of each event in an order of its own.
pub fn shuffled(events: usize) -> Shape {
    changed("keys shuffled", events, true, |_, fields, random| shuffle(fields, random))
}

/// Web requests as MessagePack.
pub fn msgpack(events: usize) -> Result<Shape> {
    let mut text = Vec::new();
    for row in 0..events {
        let mut event = serde_json::Map::new();
        for (name, value) in fields(row, &mut Random::of(row)) {
            event.insert(name, serde_json::from_str(&value)?);
        }
        rmp_serde::encode::write_named(&mut text, &event)?;
    }
    Ok(Shape { name: "MessagePack", text, events, good: events, usual: false })
}

/// Web requests as lines of `key=value`.
pub fn logfmt(events: usize) -> Shape {
    let mut text = String::new();
    for row in 0..events {
        for (name, value) in fields(row, &mut Random::of(row)) {
            // None of the texts needs its quotes.
            let _ = write!(text, "{name}={} ", value.trim_matches('"'));
        }
        text.push('\n');
    }
    Shape { name: "key=value", text: text.into_bytes(), events, good: events, usual: false }
}

/// Hosts of 100,000 names.
pub fn names(events: usize) -> Shape {
    changed("100,000 names", events, true, |_, fields, random| {
        set(fields, "host", format!("\"web-{:06}\"", random.below(NAMES)));
    })
}

/// Ten streams in turn, their events otherwise like those of one.
pub fn streams(events: usize) -> Shape {
    changed("10 streams in turn", events, true, |row, fields, _| {
        set(fields, "type", format!("\"reques{}\"", row as u64 % STREAMS));
    })
}

/// What costs a decoder most: each is as long as a web request or longer only by what it does.
pub fn hostile(events: usize) -> [Shape; 4] {
    [
        changed("hostile: new keys", events, true, |row, fields, _| {
            if let Some((name, _)) = fields.last_mut() {
                *name = format!("trace{row}");
            }
        }),
        changed("hostile: new names", events, true, |row, fields, random| {
            set(fields, "host", format!("\"web-{row}\""));
            set(fields, "path", format!("\"/items/{row}-{}\"", random.below(500)));
        }),
        changed("hostile: other types", events, false, |row, fields, random| {
            let value = match (row + random.below(2) as usize) % 4 {
                0 => "17".to_owned(),
                1 => "true".to_owned(),
                2 => "\"text\"".to_owned(),
                _ => "{\"a\":[1]}".to_owned(),
            };
            for name in ["status", "bytes", "latency_ms", "host"] {
                set(fields, name, value.clone());
            }
        }),
        changed("hostile: all at once", events, false, |row, fields, random| {
            set(fields, "host", format!("\"web-{row}\""));
            set(fields, "status", if row % 2 == 0 { "17".to_owned() } else { "\"text\"".to_owned() });
            if let Some((name, _)) = fields.last_mut() {
                *name = format!("trace{row}");
            }
            shuffle(fields, random);
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_per_event(shape: &Shape) -> usize {
        shape.text.len() / shape.events
    }

    #[test]
    fn each_shape_is_json_of_the_length_that_it_says() {
        let all = [requests, kilobyte, nested, messy, shuffled, names, streams].map(|shape| shape(1_000));
        assert_eq!(all.each_ref().map(|shape| bytes_per_event(shape) / 100), [2, 10, 10, 2, 2, 2, 2]);
        for shape in all.iter().chain(&hostile(1_000)) {
            let lines = shape.text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let parsed = lines.map(|line| serde_json::from_slice::<serde_json::Value>(line).is_ok());
            let (good, all) = parsed.fold((0, 0), |(good, all), ok| (good + usize::from(ok), all + 1));
            assert_eq!((good, all), (shape.good, shape.events), "{}", shape.name);
        }
    }

    #[test]
    fn a_nested_event_has_60_values() {
        fn leaves(value: &serde_json::Value) -> usize {
            value.as_object().map_or(1, |object| object.values().map(leaves).sum())
        }
        assert_eq!(leaves(&serde_json::from_slice(&nested(1).text).unwrap()), 60);
    }
}
