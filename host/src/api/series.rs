//! `GET /api/series` (which there are) and `GET /api/series/points` (their points, newest `limit` of each, filtered by labels).
//!
//! Both are bounded: [`SERIES_MAX`] series and [`POINTS_MAX`] points in one answer; `"cut": true` says that there was more. A missing value is null.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Map, Value, json};
use weir_core::series::{Metric, Series, Slice};

use super::{Api, ApiError, off_thread};
use crate::view::SeriesView;

const SERIES_MAX: usize = 10_000;
const POINTS_MAX: usize = 500_000;
const LIMIT_DEFAULT: usize = 1_000;

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
struct Query {
    metric: Option<String>,
    labels: Vec<(String, String)>,
    limit: usize,
}

pub async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let query = Query::parse(query.as_deref().unwrap_or_default())?;
    off_thread(move || {
        let store = api.runtime.series().lock();
        let mut found = store
            .metrics
            .values()
            .filter(|metric| query.metric.as_deref().is_none_or(|name| name == &*metric.name))
            .flat_map(|metric| metric.series.iter().map(move |series| (metric, series)))
            .filter(|(_, series)| query.matches(series));
        let series: Vec<SeriesView> =
            found.by_ref().take(SERIES_MAX).map(|(metric, series)| view(metric, series)).collect();
        let cut = found.next().is_some();
        drop(found);
        drop(store);
        Json(json!({ "series": series, "cut": cut }))
    })
    .await
}

pub async fn points(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let query = Query::parse(query.as_deref().unwrap_or_default())?;
    let Some(name) = query.metric.clone() else {
        return Err(ApiError::bad_request("`metric` is missing: /api/series/points?metric=NAME"));
    };
    off_thread(move || {
        let store = api.runtime.series().lock();
        let Some(metric) = store.metric(&name) else {
            return Err(ApiError::not_found(&format!("no metric `{name}`; GET /api/series lists them")));
        };
        let mut room = POINTS_MAX;
        let mut answer = Vec::new();
        let mut cut = false;
        for series in metric.series.iter().filter(|series| query.matches(series)) {
            if room == 0 || answer.len() == SERIES_MAX {
                cut = true;
                break;
            }
            let slice = series.ring.newest(query.limit.min(room));
            room = room.saturating_sub(slice.time.len().max(1) * metric.fields.len().max(1));
            answer.push(points_of(metric, series, &slice));
        }
        Ok(Json(json!({ "series": answer, "cut": cut })))
    })
    .await?
}

/// The newest points of a series.
pub fn points_view(metric: &Metric, series: &Series, limit: usize) -> Value {
    points_of(metric, series, &series.ring.newest(limit))
}

fn points_of(metric: &Metric, series: &Series, slice: &Slice<'_>) -> Value {
    let values: Map<String, Value> = metric
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| (field.to_string(), numbers(slice.values(at))))
        .collect();
    json!({
        "metric": &*metric.name,
        "triplet": series.triplet.as_str(),
        "labels": labels(series),
        "fields": fields(metric),
        "time_unix_ns": slice.time,
        "values": values,
    })
}

/// Values as JSON; NaN, which JSON does not have, is null.
fn numbers(values: &[f64]) -> Value {
    values
        .iter()
        .map(|&value| serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number))
        .collect()
}

fn view(metric: &Metric, series: &Series) -> SeriesView {
    SeriesView {
        metric: metric.name.to_string(),
        triplet: series.triplet.to_string(),
        labels: labels(series),
        fields: fields(metric),
        points: series.ring.len() as u64,
        last_time_unix_ns: series.ring.last_time(),
    }
}

fn labels(series: &Series) -> Map<String, Value> {
    series.labels.iter().map(|(name, text)| (name.to_string(), Value::from(&**text))).collect()
}

fn fields(metric: &Metric) -> Vec<String> {
    metric.fields.iter().map(ToString::to_string).collect()
}

impl Query {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let mut query = Self { limit: LIMIT_DEFAULT, ..Self::default() };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            match name.as_str() {
                "metric" => query.metric = Some(value),
                "limit" => {
                    query.limit = value.parse().map_err(|_| {
                        ApiError::bad_request(format!("`limit` must be a whole number, not `{value}`"))
                    })?;
                }
                _ => match name.strip_prefix("label.") {
                    Some(label) => query.labels.push((label.to_owned(), value)),
                    None => {
                        return Err(ApiError::bad_request(format!(
                            "unknown parameter `{name}`; known are metric, limit and label.NAME"
                        )));
                    }
                },
            }
        }
        Ok(query)
    }

    fn matches(&self, series: &Series) -> bool {
        self.labels.iter().all(|(name, value)| {
            let text = series.labels.iter().find(|(known, _)| **known == **name).map_or("", |(_, text)| text);
            text == value
        })
    }
}

/// Percent-decoding of a query (application/x-www-form-urlencoded).
fn decode(text: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => {
                        return Err(ApiError::bad_request(
                            "a `%` in the query is not followed by two hexadecimal digits",
                        ));
                    }
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| ApiError::bad_request("the query is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_metric_labels_and_limit() {
        let query = Query::parse("metric=a%20b&label.host=x%2Fy&label.zone=&limit=5").unwrap();
        let labels = vec![("host".to_owned(), "x/y".to_owned()), ("zone".to_owned(), String::new())];
        assert_eq!(query, Query { metric: Some("a b".into()), labels, limit: 5 });
    }

    #[test]
    fn a_bad_query_is_refused_with_its_fault() {
        for (text, word) in [
            ("limit=x", "limit"),
            ("metrik=a", "metrik"),
            ("metric=%f", "%"),
            ("metric=%ff", "UTF-8"),
            ("limit=-1", "limit"),
        ] {
            let message = Query::parse(text).unwrap_err().message;
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn what_is_no_number_is_null() {
        assert_eq!(numbers(&[1.0, f64::NAN, f64::INFINITY]).to_string(), "[1.0,null,null]");
    }
}
