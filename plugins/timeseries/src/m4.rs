//! Exact downsampling: of each column of pixels the first, the lowest, the highest and the last row.
//!
//! In: rising times and the values of the fields (NaN: none), all within the range that is drawn. Out: indexes of the rows to keep, rising. A line
//! through them covers the same pixels as one through all rows, because within a column only its extent is seen and between columns only the step from the
//! last row of one to the first of the next. With several fields the rows of each are kept: more rows than needed change no pixel.
//! At most 2 + 2 * fields rows for each column of pixels. Columns begin at multiples of their length since 1970 and not at the edge of the range: while the window moves the same rows
//! are kept, so that only what is new has to be sent. A column that the edge cuts is left out, be it of less than a pixel: what is kept of it would change all the time. Source: Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 2014.

/// The range that is drawn, `end_ns` not included, and its width in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub start_ns: i64,
    pub end_ns: i64,
    pub width_px: u32,
}

impl Scale {
    /// Column of pixels of a time within the range.
    pub fn pixel(&self, time_ns: i64) -> i64 {
        let span = (i128::from(self.end_ns) - i128::from(self.start_ns)).max(1);
        let from_start = i128::from(time_ns) - i128::from(self.start_ns);
        (from_start * i128::from(self.width_px.max(1)) / span) as i64
    }

    /// Time that one pixel stands for.
    pub fn pixel_ns(&self) -> i64 {
        self.end_ns.saturating_sub(self.start_ns) / i64::from(self.width_px.max(1))
    }
}

/// Rows to keep. All of them where there are no more rows than pixels.
pub fn keep(time: &[i64], fields: &[&[f64]], scale: Scale) -> Vec<usize> {
    if time.len() <= scale.width_px as usize {
        return (0..time.len()).collect();
    }
    let column_ns = scale.pixel_ns().max(1);
    let mut kept = Vec::new();
    let mut first = whole_from(time, scale.start_ns, column_ns);
    while let Some(time_ns) = time.get(first) {
        let column = time_ns.div_euclid(column_ns);
        let rest = time.get(first..).unwrap_or_default();
        let count = rest.partition_point(|time_ns| time_ns.div_euclid(column_ns) <= column).max(1);
        let rows = first..first + count;
        kept.push(first);
        for field in fields {
            let values = field.get(rows.clone()).unwrap_or_default();
            kept.extend(extremes(values).map(|row| row + first));
        }
        kept.push(first + count - 1);
        first += count;
    }
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// The first row of a column that the start of the range does not cut; the first of all where there is none.
fn whole_from(time: &[i64], start_ns: i64, column_ns: i64) -> usize {
    let cut = if start_ns.rem_euclid(column_ns) == 0 { None } else { Some(start_ns.div_euclid(column_ns)) };
    let first = time.partition_point(|time_ns| cut.is_some_and(|cut| time_ns.div_euclid(column_ns) <= cut));
    if first < time.len() { first } else { 0 }
}

/// Where the lowest and the highest value stand; none where all are NaN.
fn extremes(values: &[f64]) -> impl Iterator<Item = usize> {
    let mut lowest: Option<(usize, f64)> = None;
    let mut highest: Option<(usize, f64)> = None;
    for (row, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        if lowest.is_none_or(|(_, lowest)| *value < lowest) {
            lowest = Some((row, *value));
        }
        if highest.is_none_or(|(_, highest)| *value > highest) {
            highest = Some((row, *value));
        }
    }
    lowest.into_iter().chain(highest).map(|(row, _)| row)
}
