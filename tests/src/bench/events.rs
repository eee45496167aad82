//! The events of the benches: web requests as JSON lines of about 200 bytes.
//!
//! Each has application, environment, type, a host of 100, a path of 500, a status, latency with three digits after the point, bytes, an RFC 3339 time with
//! milliseconds and a trace id. The same number of events from the same start is always the same bytes. Each 100th event is up to [`LATE_MS`] late.

use std::io::Write;

pub const HOSTS: usize = 100;
pub const TRIPLET: &str = "shop/prod/request";
/// How far the late ones lie behind.
pub const LATE_MS: u64 = 2_000;

/// What of an event the benches count with.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub host: usize,
    pub latency_us: u64,
    pub time_unix_ms: i64,
}

impl Request {
    pub fn second(&self) -> i64 {
        self.time_unix_ms.div_euclid(1_000)
    }
}

/// Makes `count` events, from `start_unix_ms` on spread over `span_ms`.
pub struct Requests {
    random: u64,
    count: usize,
    made: usize,
    start_unix_ms: i64,
    span_ms: i64,
    hosts: usize,
}

impl Requests {
    pub fn new(count: usize, start_unix_ms: i64, span_ms: i64) -> Self {
        Self::with_hosts(HOSTS, count, start_unix_ms, span_ms)
    }

    pub fn with_hosts(hosts: usize, count: usize, start_unix_ms: i64, span_ms: i64) -> Self {
        Self { random: 0x2545_f491_4f6c_dd1d, count, made: 0, start_unix_ms, span_ms, hosts }
    }

    /// Appends the next event and its line feed; none when all are made.
    pub fn write_next(&mut self, text: &mut Vec<u8>) -> Option<Request> {
        if self.made >= self.count {
            return None;
        }
        let random = self.next_random();
        let late_ms = if self.made % 100 == 99 { (random >> 32) % (LATE_MS + 1) } else { 0 };
        let time_unix_ms =
            self.start_unix_ms + self.made as i64 * self.span_ms / self.count as i64 - late_ms as i64;
        self.made += 1;
        let host = (random % self.hosts as u64) as usize;
        let status = [200, 200, 200, 404, 500].get((random >> 20) as usize % 5).copied().unwrap_or(200);
        let latency_us = (random >> 24) % 100_000_000 / 1_000;
        let (path, bytes) = ((random >> 8) % 500, (random >> 40) % 50_000);
        let request = Request { host, latency_us, time_unix_ms };
        write_line(text, &request, &Rest { path, status, bytes, trace: random >> 16 });
        Some(request)
    }

    /// Xorshift.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// An event of a host that is none of [`HOSTS`], only to move time on.
pub fn write_end(text: &mut Vec<u8>, time_unix_ms: i64) {
    let [year, month, day, hour, minute, second] = civil(time_unix_ms.div_euclid(1_000));
    // Writing to a Vec does not fail.
    drop(writeln!(
        text,
        r#"{{"application":"shop","environment":"prod","type":"request","host":"end","latency_ms":0.0,"time":"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"}}"#,
    ));
}

struct Rest {
    path: u64,
    status: u16,
    bytes: u64,
    trace: u64,
}

fn write_line(text: &mut Vec<u8>, request: &Request, rest: &Rest) {
    let Request { host, latency_us, time_unix_ms } = request;
    let (ms, us) = (latency_us / 1_000, latency_us % 1_000);
    let Rest { path, status, bytes, trace } = rest;
    let [year, month, day, hour, minute, second] = civil(time_unix_ms.div_euclid(1_000));
    let millisecond = time_unix_ms.rem_euclid(1_000);
    // Writing to a Vec does not fail.
    drop(writeln!(
        text,
        r#"{{"application":"shop","environment":"prod","type":"request","host":"web-{host:03}","path":"/items/{path}","status":{status},"latency_ms":{ms}.{us:03},"bytes":{bytes},"time":"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z","trace":"{trace:012x}"}}"#,
    ));
}

/// Year, month, day, hour, minute, second of a second since 1970, in the proleptic Gregorian calendar ("days from civil" turned round,
/// Hinnant, chrono-compatible low-level date algorithms).
pub fn civil(second: i64) -> [i64; 6] {
    let (days, of_day) = (second.div_euclid(86_400) + 719_468, second.rem_euclid(86_400));
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [year, month, day, of_day / 3_600, of_day / 60 % 60, of_day % 60]
}

/// Now, in whole seconds, as ms since 1970.
pub fn now_unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() as i64 * 1_000
}

#[cfg(test)]
mod tests {
    use weir_core::codec::time::TimeReader;

    use super::*;

    #[test]
    fn events_are_json_of_about_200_bytes_with_the_time_that_they_say() {
        let mut text = Vec::new();
        let mut requests = Requests::new(1_000, 1_795_305_600_000, 10_000);
        let mut all = Vec::new();
        while let Some(request) = requests.write_next(&mut text) {
            all.push(request);
        }
        let mean = text.len() as f64 / 1_000.0;
        assert!((190.0..210.0).contains(&mean), "{mean}");
        for (line, request) in text.split(|byte| *byte == b'\n').zip(&all) {
            let event: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert_eq!(event["latency_ms"].as_f64().unwrap(), request.latency_us as f64 / 1_000.0);
            let time = TimeReader::default().text(event["time"].as_str().unwrap());
            assert_eq!(time, Some(request.time_unix_ms * 1_000_000));
        }
    }
}
