//! What a client may say, checked.
//!
//! In: one text message. Out: a [`Request`], or what is wrong with it. Unknown members are errors: a misspelt one must not be silent.

use serde::Deserialize;
use weir_core::triplet::Triplet;

/// Charts that one client may watch.
const CHARTS_MAX: usize = 64;
/// Longest id of a chart.
const ID_BYTES_MAX: usize = 256;
/// Frames of one chart that a client may let fly before it takes one: more would only be older pictures.
const IN_FLIGHT_MAX: u32 = 16;

#[derive(Debug, PartialEq)]
pub enum Request {
    /// Replaces the charts that are watched. Width and height 0: no wish. `in_flight`: how many frames of a chart may be on their way that were not
    /// acknowledged; 0: the client acknowledges none and no number is kept to.
    Subscribe { charts: Vec<Wanted>, width: u32, height: u32, in_flight: u32 },
    /// Frames that were taken: of each chart the newest, which stands for those before it.
    Ack(Vec<Taken>),
    /// None: ends it.
    Tail(Option<Triplet>),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    pub chart: String,
    /// What the client saw last.
    #[serde(default)]
    pub version: Option<u64>,
    #[serde(default)]
    pub epoch: Option<u64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    pub chart: String,
    pub version: u64,
    pub epoch: u64,
}

/// What the address of the connection asks for: pictures with the greeting, one round trip sooner.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    watch: Option<WatchFirst>,
    width: Option<u32>,
    height: Option<u32>,
    in_flight: Option<u32>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WatchFirst {
    /// Of every chart, as many as one client may watch.
    All,
}

/// A first subscription to all charts; its fields are those of [`Request::Subscribe`].
#[derive(Debug, PartialEq)]
pub struct WatchAll {
    pub width: u32,
    pub height: u32,
    pub in_flight: u32,
}

impl First {
    /// None: nothing is asked for.
    pub fn checked(self) -> Result<Option<WatchAll>, String> {
        if self.watch.is_none() {
            let other = self.width.or(self.height).or(self.in_flight);
            return match other {
                Some(_) => Err("`width`, `height` and `in_flight` need `watch=all` beside them".to_owned()),
                None => Ok(None),
            };
        }
        let (width, height) = (self.width.unwrap_or(0), self.height.unwrap_or(0));
        Ok(Some(WatchAll { width, height, in_flight: in_flight(self.in_flight)? }))
    }
}

/// The charts of a first subscription, from the ids of all.
pub fn first_of<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<Wanted> {
    ids.take(CHARTS_MAX).map(|id| Wanted { chart: id.to_owned(), version: None, epoch: None }).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    subscribe: Option<Vec<Wanted>>,
    #[serde(default)]
    in_flight: Option<u32>,
    #[serde(default)]
    ack: Option<Vec<Taken>>,
    #[serde(default)]
    width: Option<u32>,
    #[serde(default)]
    height: Option<u32>,
    /// Outer none: not there.
    #[serde(default, deserialize_with = "present")]
    tail: Option<Option<String>>,
}

/// A member that is there, be it null.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

pub fn parse(text: &str) -> Result<Request, String> {
    let message: Message = serde_json::from_str(text).map_err(|error| format!("message: {error}"))?;
    match (message.subscribe, message.tail, message.ack) {
        (Some(charts), None, None) => Ok(Request::Subscribe {
            charts: wanted(charts)?,
            width: message.width.unwrap_or(0),
            height: message.height.unwrap_or(0),
            in_flight: in_flight(message.in_flight)?,
        }),
        (None, Some(tail), None) => {
            let triplet =
                tail.map(|text| text.parse().map_err(|error| format!("tail: {error}"))).transpose()?;
            Ok(Request::Tail(triplet))
        }
        (None, None, Some(taken)) if taken.len() > CHARTS_MAX => {
            Err(format!("ack: {} charts, at most {CHARTS_MAX} are watched", taken.len()))
        }
        (None, None, Some(taken)) => Ok(Request::Ack(taken)),
        _ => Err("message: one of `subscribe`, `tail` and `ack` is expected".to_owned()),
    }
}

/// Sorted, each once.
fn wanted(mut charts: Vec<Wanted>) -> Result<Vec<Wanted>, String> {
    if charts.len() > CHARTS_MAX {
        return Err(format!("subscribe: {} charts, at most {CHARTS_MAX} are taken", charts.len()));
    }
    if charts.iter().any(|wanted| wanted.chart.len() > ID_BYTES_MAX) {
        return Err(format!("subscribe: an id has over {ID_BYTES_MAX} bytes"));
    }
    charts.sort_by(|left, right| left.chart.cmp(&right.chart));
    charts.dedup_by(|left, right| left.chart == right.chart);
    Ok(charts)
}

fn in_flight(wish: Option<u32>) -> Result<u32, String> {
    match wish {
        None => Ok(0),
        Some(frames) if (1..=IN_FLIGHT_MAX).contains(&frames) => Ok(frames),
        Some(frames) => Err(format!("in_flight: {frames}, 1 to {IN_FLIGHT_MAX} are taken")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_ask_for_all_charts() {
        let first = |text: &str| serde_json::from_str::<First>(text).map(First::checked);
        assert_eq!(first("{}").unwrap(), Ok(None));
        let all = WatchAll { width: 600, height: 0, in_flight: 2 };
        assert_eq!(first(r#"{"watch":"all","width":600,"in_flight":2}"#).unwrap(), Ok(Some(all)));
        assert!(first(r#"{"watch":"all","in_flight":99}"#).unwrap().unwrap_err().contains("1 to 16"));
        assert!(first(r#"{"width":600}"#).unwrap().unwrap_err().contains("watch=all"));
        assert!(first(r#"{"watch":"some"}"#).is_err() && first(r#"{"wacht":"all"}"#).is_err());
        assert_eq!(first_of((0..99).map(|_| "cpu")).len(), CHARTS_MAX);
    }

    #[test]
    fn subscriptions_and_tails_are_understood() {
        let wanted = |chart: &str, version, epoch| Wanted { chart: chart.into(), version, epoch };
        let charts = vec![wanted("a", None, None), wanted("b", Some(7), Some(9))];
        let text = r#"{"subscribe":[{"chart":"b","version":7,"epoch":9},{"chart":"a","version":null},{"chart":"a"}],"width":640}"#;
        assert_eq!(parse(text), Ok(Request::Subscribe { charts, width: 640, height: 0, in_flight: 0 }));
        let eager = r#"{"subscribe":[],"in_flight":2}"#;
        assert_eq!(
            parse(eager),
            Ok(Request::Subscribe { charts: vec![], width: 0, height: 0, in_flight: 2 })
        );
        let taken = vec![Taken { chart: "a".into(), version: 7, epoch: 9 }];
        assert_eq!(parse(r#"{"ack":[{"chart":"a","version":7,"epoch":9}]}"#), Ok(Request::Ack(taken)));
        assert_eq!(parse(r#"{"tail":null}"#), Ok(Request::Tail(None)));
        assert_eq!(parse(r#"{"tail":"a/b/c"}"#), Ok(Request::Tail(Some("a/b/c".parse().unwrap()))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let many = format!(r#"{{"subscribe":[{}]}}"#, vec![r#"{"chart":"a"}"#; 65].join(","));
        for (text, word) in [
            ("", "message"),
            ("[]", "message"),
            ("{}", "subscribe"),
            (r#"{"tail":"a/b"}"#, "tail"),
            (r#"{"tial":null}"#, "tial"),
            (r#"{"subscribe":[{"chart":1}]}"#, "message"),
            (&many, "65"),
            (r#"{"subscribe":[],"tail":null}"#, "one of"),
            (r#"{"subscribe":[],"ack":[]}"#, "one of"),
            (r#"{"subscribe":[],"in_flight":17}"#, "in_flight: 17"),
            (r#"{"subscribe":[],"in_flight":0}"#, "in_flight: 0"),
            (r#"{"ack":[{"chart":"a"}]}"#, "version"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
