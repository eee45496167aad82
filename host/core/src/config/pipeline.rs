//! Checks of one `[[pipeline]]` with its units, series and derived streams.
//!
//! References between units become indexes, units come out in topological order, a cycle is a problem that names its path.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::Check;
use super::derived;
use super::near::hint;
use super::order::topological;
use super::raw::{self, At};
use super::{
    Beyond, CircuitPolicy, DerivedSpec, KEEP_POINTS_MAX, LANES_MAX, LagSpec, LanesSpec, PipelineSpec, Place,
    PortRef, SeriesSpec, UnitSpec, measure,
};

/// Word for the input of the pipeline.
const INPUT: &str = "in";
const COLUMN_BYTES_MAX: usize = 256;
const DEFAULT_LAG_BYTES: u64 = 64 << 20;
const LAG_BYTES_MIN: u64 = 1 << 20;
const DEFAULT_LAG_S: f64 = 30.0;
const LAG_S_MAX: f64 = 86_400.0;
const DEFAULT_KEEP_POINTS: i64 = 3600;

pub fn pipeline(check: &mut Check<'_>, raw: &raw::Pipeline) -> PipelineSpec {
    let place = &raw.place;
    let name = check.name(place, "name", &raw.name);
    if &*name == "rule" {
        check.problem(
            place,
            "name",
            raw.name.line,
            "`rule` is the first part of the ids of rules; choose another name",
        );
    }
    let from = raw.from.as_deref().unwrap_or(&[]);
    if from.is_empty() {
        check.problem(
            place,
            "from",
            0,
            "names no stream; add `from = [\"shop/*/request\"]`, or [\"*/*/*\"] for all",
        );
    }
    let names: Vec<(&At<String>, &Place)> = raw.units.iter().map(|unit| (&unit.name, &unit.place)).collect();
    check.distinct("unit", &names);
    let names: Vec<&str> = raw.units.iter().map(|unit| unit.name.value.as_str()).collect();
    let units = units(check, raw, &name, &names);
    let (units, new_index) = in_order(check, place, units);
    let last = names.last().copied().unwrap_or(INPUT);
    let ports = |place: &Place, from: &Option<Vec<At<String>>>| {
        let ports = from_ports(check, place, from.as_deref(), last, &names);
        ports.into_iter().map(|port| renumber(port, &new_index)).collect::<Vec<PortRef>>()
    };
    let series = raw.series.iter().map(|raw| series(check, raw, ports(&raw.place, &raw.from))).collect();
    let streams = raw.streams.iter().filter_map(|raw| {
        let name = derived::name(check, raw)?;
        Some(DerivedSpec { name, from: ports(&raw.place, &raw.from), place: raw.place.clone() })
    });
    PipelineSpec {
        streams: streams.collect(),
        series,
        units,
        from: check.selectors(place, "from", from),
        lateness_ns: check.duration_ns(place, "lateness", raw.lateness.as_ref(), "0s"),
        lanes: lanes(check, place, &raw.lanes),
        lag: lag(check, place, &raw.lag),
        name,
        place: place.clone(),
    }
}

/// `in`, `unit` or `unit.port`, by the names of the units.
pub fn port_ref(text: &str, units: &[&str]) -> Result<PortRef, String> {
    if text == INPUT {
        return Ok(PortRef { unit: None, port: None });
    }
    let (unit, port) = match text.split_once('.') {
        Some((unit, port)) => (unit, Some(port)),
        None => (text, None),
    };
    if unit == INPUT {
        return Err(format!("`{text}`: the input of a pipeline has no ports; write \"in\""));
    }
    if port.is_some_and(str::is_empty) {
        return Err(format!("`{text}` ends in a point; write \"unit\" or \"unit.port\""));
    }
    match units.iter().position(|name| *name == unit) {
        Some(index) => Ok(PortRef { unit: Some(index), port: port.map(str::to_owned) }),
        None => {
            let near = hint(unit, units.iter().copied().filter(|name| !name.is_empty()).chain([INPUT]));
            Err(format!("there is no unit `{unit}` in this pipeline{near}"))
        }
    }
}

/// In the order of the text, `from` by that order.
fn units(check: &mut Check<'_>, raw: &raw::Pipeline, pipeline: &str, names: &[&str]) -> Vec<UnitSpec> {
    let mut before = INPUT;
    let mut units = Vec::with_capacity(raw.units.len());
    for raw in &raw.units {
        let place = &raw.place;
        let name: Arc<str> = check.name(place, "name", &raw.name);
        if &*name == INPUT {
            check.problem(
                place,
                "name",
                raw.name.line,
                "`in` is the input of the pipeline; choose another name",
            );
        }
        units.push(UnitSpec {
            id: format!("{pipeline}/{name}").into(),
            uses: check.uses(place, &raw.uses),
            from: from_ports(check, place, raw.from.as_deref(), before, names),
            config: raw.config.clone(),
            on_open_circuit: circuit(check, place, raw.on_open_circuit.as_ref()),
            place: place.clone(),
            name,
        });
        before = &raw.name.value;
    }
    units
}

fn from_ports(
    check: &Check<'_>,
    place: &Place,
    from: Option<&[At<String>]>,
    default: &str,
    names: &[&str],
) -> Vec<PortRef> {
    let Some(from) = from else { return port_ref(default, names).into_iter().collect() };
    if from.is_empty() {
        check.problem(
            place,
            "from",
            0,
            "is empty; name a unit or \"in\", or leave it out for the unit before",
        );
    }
    let mut ports: Vec<PortRef> = Vec::with_capacity(from.len());
    for text in from {
        match port_ref(&text.value, names) {
            Ok(port) if ports.contains(&port) => {
                check.problem(
                    place,
                    "from",
                    text.line,
                    format!("names `{}` twice; once is enough", text.value),
                );
            }
            Ok(port) => ports.push(port),
            Err(message) => check.problem(place, "from", text.line, message),
        }
    }
    ports
}

/// Units in topological order, and where each one of the text went.
fn in_order(check: &Check<'_>, place: &Place, units: Vec<UnitSpec>) -> (Vec<UnitSpec>, Vec<usize>) {
    let feeds = |from: usize| {
        let reads = |unit: &UnitSpec| unit.from.iter().any(|port| port.unit == Some(from));
        units.iter().enumerate().filter(|(_, unit)| reads(unit)).map(|(to, _)| to).collect()
    };
    let edges: Vec<Vec<usize>> = (0..units.len()).map(feeds).collect();
    let order = match topological(&edges) {
        Ok(order) => order,
        Err(cycle) => {
            let names: Vec<&str> =
                cycle.iter().chain(cycle.first()).filter_map(|i| units.get(*i)).map(|u| &*u.name).collect();
            let line = cycle.first().and_then(|i| units.get(*i)).map_or(0, |unit| unit.place.line);
            let message =
                format!("go in a circle: {}; a unit cannot be fed by what it feeds", names.join(" -> "));
            check.problem(place, "units", line, message);
            (0..units.len()).collect()
        }
    };
    let mut new_index = vec![0; units.len()];
    for (new, old) in order.iter().enumerate() {
        if let Some(slot) = new_index.get_mut(*old) {
            *slot = new;
        }
    }
    let mut sorted: Vec<(usize, UnitSpec)> = new_index.iter().copied().zip(units).collect();
    sorted.sort_by_key(|(new, _)| *new);
    let renumbered = sorted.into_iter().map(|(_, unit)| UnitSpec {
        from: unit.from.into_iter().map(|port| renumber(port, &new_index)).collect(),
        ..unit
    });
    (renumbered.collect(), new_index)
}

fn renumber(port: PortRef, new_index: &[usize]) -> PortRef {
    PortRef { unit: port.unit.and_then(|old| new_index.get(old).copied()), ..port }
}

fn series(check: &Check<'_>, raw: &raw::Series, from: Vec<PortRef>) -> SeriesSpec {
    let place = &raw.place;
    let labels = raw.labels.as_ref().map(|labels| columns(check, place, "labels", labels));
    let fields = raw.fields.as_ref().map(|fields| columns(check, place, "fields", fields));
    if raw.fields.as_ref().is_some_and(Vec::is_empty) {
        check.problem(
            place,
            "fields",
            0,
            "is empty, so that there would be no value; leave it out for all numeric columns",
        );
    }
    if let (Some(labels), Some(fields)) = (&labels, &fields)
        && let Some(both) = labels.iter().find(|label| fields.contains(label))
    {
        check.problem(
            place,
            "fields",
            0,
            format!("`{both}` is a label already; a column is one or the other"),
        );
    }
    SeriesSpec {
        metric: check.name(place, "metric", &raw.metric),
        from,
        labels,
        fields,
        keep_points: keep_points(check, place, "keep_points", raw.keep_points.as_ref()),
        place: place.clone(),
    }
}

/// How many points a series keeps.
pub fn keep_points(check: &Check<'_>, place: &Place, member: &str, raw: Option<&At<i64>>) -> usize {
    let keep = raw.map_or(DEFAULT_KEEP_POINTS, |keep| keep.value);
    let fits = usize::try_from(keep).ok().filter(|keep| (1..=KEEP_POINTS_MAX).contains(keep));
    fits.unwrap_or_else(|| {
        let message = format!("is {keep}; write a number from 1 to {KEEP_POINTS_MAX}");
        check.problem(place, member, raw.map_or(0, |keep| keep.line), message);
        1
    })
}

/// Lanes and lag of a pipeline that says nothing of them.
pub fn defaults_of(check: &Check<'_>, place: &Place) -> (LanesSpec, LagSpec) {
    (lanes(check, place, &raw::Lanes::default()), lag(check, place, &raw::Lag::default()))
}

/// Names of columns, each once.
pub fn columns(check: &Check<'_>, place: &Place, member: &str, names: &[At<String>]) -> Vec<Arc<str>> {
    let mut seen = BTreeSet::new();
    for name in names {
        let text = name.value.as_str();
        let message =
            if text.is_empty() || text.len() > COLUMN_BYTES_MAX || text.chars().any(char::is_control) {
                format!(
                    "`{}` is not a column: 1 to {COLUMN_BYTES_MAX} bytes without control characters",
                    text.escape_debug()
                )
            } else if text == "time" {
                "`time` is the time of the event and not a column; leave it out".to_owned()
            } else if !seen.insert(text) {
                format!("names `{text}` twice; once is enough")
            } else {
                continue;
            };
        check.problem(place, member, name.line, message);
    }
    names.iter().map(|name| name.value.as_str().into()).collect()
}

fn circuit(check: &mut Check<'_>, place: &Place, word: Option<&At<String>>) -> CircuitPolicy {
    let all = [CircuitPolicy::RollBack, CircuitPolicy::Pass, CircuitPolicy::Hold, CircuitPolicy::Drop];
    let Some(word) = word else { return CircuitPolicy::Hold };
    if word.value == CircuitPolicy::RollBack.word() {
        // Said aloud, since an operator who counts on it would find a stopped unit instead.
        check.warning(
            place,
            "on_open_circuit = \"roll-back\" acts as \"hold\": there is no older version of the unit to go back to, as long as \
             units are not swapped one by one; write \"hold\", \"pass\" or \"drop\"",
        );
    }
    all.into_iter().find(|policy| policy.word() == word.value).unwrap_or_else(|| {
        let near = hint(&word.value, all.map(CircuitPolicy::word));
        check.problem(
            place,
            "on_open_circuit",
            word.line,
            format!("there is no policy `{}`{near}", word.value),
        );
        CircuitPolicy::Hold
    })
}

fn lanes(check: &Check<'_>, pipeline: &Place, raw: &raw::Lanes) -> LanesSpec {
    let (count, line) = raw.count.as_ref().map_or((1, raw.place.line), |count| (count.value, count.line));
    let fits = u32::try_from(count).ok().filter(|count| (1..=LANES_MAX).contains(count));
    if fits.is_none() {
        check.problem(
            pipeline,
            "lanes.count",
            line,
            format!("is {count}; write a number from 1 to {LANES_MAX}"),
        );
    }
    let by = columns(check, pipeline, "lanes.by", &raw.by);
    if count > 1 && by.is_empty() {
        check.problem(
            pipeline,
            "lanes.by",
            line,
            "is empty; name the key column that chooses the lane, like `by = [\"host\"]`",
        );
    }
    LanesSpec { count: fits.unwrap_or(1), by }
}

fn lag(check: &Check<'_>, pipeline: &Place, raw: &raw::Lag) -> LagSpec {
    let bytes = match raw.bytes.as_ref().map(|text| (text.line, measure::size_bytes(&text.value))) {
        None => DEFAULT_LAG_BYTES,
        Some((_, Ok(bytes))) if bytes >= LAG_BYTES_MIN => bytes,
        Some((line, result)) => {
            let message = result.map_or_else(
                |message| message,
                |_| "is under 1 MiB, less than a few batches; write \"1MiB\" or more".into(),
            );
            check.problem(pipeline, "lag.bytes", line, message);
            DEFAULT_LAG_BYTES
        }
    };
    let (seconds, line) =
        raw.seconds.as_ref().map_or((DEFAULT_LAG_S, 0), |seconds| (seconds.value, seconds.line));
    if !(0.1..=LAG_S_MAX).contains(&seconds) {
        check.problem(
            pipeline,
            "lag.seconds",
            line,
            format!("is {seconds}; write a number from 0.1 to {LAG_S_MAX}"),
        );
    }
    let beyond = match raw.beyond.as_ref().map(|text| (text.line, text.value.as_str())) {
        None | Some((_, "back-pressure")) => Beyond::BackPressure,
        Some((_, "skip")) => Beyond::Skip,
        Some((line, word)) => {
            let near = hint(word, ["back-pressure", "skip"]);
            check.problem(pipeline, "lag.beyond", line, format!("there is no policy `{word}`{near}"));
            Beyond::BackPressure
        }
    };
    LagSpec { bytes, age_ns: (seconds * 1e9) as i64, beyond }
}
