//! A chart in a sentence, for those who cannot see it.

use weir_text::{count, duration, measured};

use crate::chart::{Chart, Request, Seen};
use crate::options::Options;

/// "cpu by core: 4 series, 2,400 points over 10 min; from 0.3 % to 97.1 %, newest 12 % (core 0) to 40 % (core 3); 1 gap without data."
pub fn summary(
    seen: &[Seen],
    chart: &Chart,
    request: &Request,
    left_out: usize,
    options: &Options,
) -> String {
    let scale = request.scale;
    let span = duration(scale.end_ns.saturating_sub(scale.start_ns));
    let values = || seen.iter().flat_map(|one| &one.series.fields).flat_map(|field| field.1.iter().copied());
    let lowest = values().fold(f64::NAN, f64::min);
    let highest = values().fold(f64::NAN, f64::max);
    if lowest.is_nan() {
        return format!("{}: no data over {span}.", chart.title);
    }
    let text = |value: f64| measured(value, &chart.y.1);
    let points: usize = seen.iter().map(|one| one.series.time.len()).sum();
    let mut out =
        format!("{}: {} series, {} points over {span}; ", chart.title, seen.len(), count(points as u64));
    out.push_str(&format!("from {} to {}", text(lowest), text(highest)));
    let newest = |one: &Seen| -> Option<f64> {
        one.drawn(options)
            .filter_map(|field| field.1.iter().rev().find(|value| !value.is_nan()).copied())
            .reduce(f64::max)
    };
    let newest: Vec<(&str, f64)> =
        seen.iter().filter_map(|one| Some((one.label.as_str(), newest(one)?))).collect();
    let least = newest.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let most = newest.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    match (least, most) {
        (Some(one), Some(_)) if newest.len() == 1 => out.push_str(&format!(", newest {}", text(one.1))),
        (Some(least), Some(most)) => {
            let (low, high) = (text(least.1), text(most.1));
            out.push_str(&format!(", newest {low} ({}) to {high} ({})", least.0, most.0));
        }
        _ => {}
    }
    match chart.gaps.len() {
        0 => {}
        1 => out.push_str("; 1 gap without data"),
        gaps => out.push_str(&format!("; {gaps} gaps without data")),
    }
    match request.resets.len() {
        0 => {}
        1 => out.push_str("; 1 counter reset"),
        resets => out.push_str(&format!("; {resets} counter resets")),
    }
    if left_out > 0 {
        out.push_str(&format!("; {left_out} more series are not shown"));
    }
    out.push('.');
    out
}
