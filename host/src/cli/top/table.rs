//! The picture of `weir top`: sources and units in columns, cut to the terminal.
//!
//! In: what was read, and the size of the terminal in characters. Out: lines of text, none wider, not more of them than fit; how many units were left
//! out is said.

use super::{Source, Unit};

/// Lines around the units: a title, headers, an empty line between.
const FRAME_LINES: usize = 5;

/// Sources take this many lines at most, so that units are seen too.
const SOURCES_MAX: usize = 8;

type Row = Vec<String>;

pub fn draw(server: &str, units: &[Unit], sources: &[Source], columns: usize, lines: usize) -> String {
    let shown_sources = sources.len().min(SOURCES_MAX);
    let room = lines.saturating_sub(FRAME_LINES + shown_sources).max(1);
    let left_out = units.len().saturating_sub(room);
    let busy: f64 = units.iter().map(|unit| unit.busy_percent).sum();
    let mut text = format!("{server}: {} units, {busy:.1} % of a core", units.len());
    if left_out > 0 {
        text.push_str(&format!(", {left_out} not shown"));
    }
    let mut drawn = vec![text];
    drawn.extend(aligned(sources_rows(sources.iter().take(shown_sources))));
    drawn.push(String::new());
    drawn.extend(aligned(unit_rows(units.iter().take(room))));
    let cut = drawn.iter().map(|line| line.chars().take(columns).collect::<String>());
    cut.map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn sources_rows<'a>(sources: impl Iterator<Item = &'a Source>) -> Vec<Row> {
    let header = ["SOURCE", "KIND", "EVENTS/S", "EVENTS", "REJECTED", "DROPPED", "OPEN"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(sources.map(|source| {
        vec![
            source.source.clone(),
            source.kind.clone(),
            source.events_per_s.map_or_else(|| "-".to_owned(), amount),
            source.events_total.to_string(),
            source.rejected_total.to_string(),
            source.kernel_drops_total.to_string(),
            source.connections_open.to_string(),
        ]
    }));
    rows
}

fn unit_rows<'a>(units: impl Iterator<Item = &'a Unit>) -> Vec<Row> {
    let header =
        ["UNIT", "COMPONENT", "STATE", "ROWS/S", "NS/EVENT", "CPU%", "MEMORY", "LAG", "FAULTS", "REJECTED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(units.map(|unit| {
        vec![
            unit.unit.clone(),
            unit.component.clone(),
            unit.state.clone(),
            amount(unit.rows_per_s),
            amount(unit.ns_per_event),
            format!("{:.1}", unit.busy_percent),
            bytes(unit.memory_bytes),
            if unit.lag_records == 0 {
                "0".to_owned()
            } else {
                format!("{} ({:.1} s)", unit.lag_records, unit.lag_s)
            },
            unit.faults_total.to_string(),
            unit.rejected_total.to_string(),
        ]
    }));
    rows
}

/// Texts to the left, numbers to the right: what begins with a digit or a dash in most rows is a number.
fn aligned(rows: Vec<Row>) -> Vec<String> {
    let count = rows.first().map_or(0, Vec::len);
    let cell = |row: &Row, index: usize| row.get(index).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..count)
        .map(|index| rows.iter().map(|row| cell(row, index).chars().count()).max().unwrap_or(0))
        .collect();
    let is_number = |index: usize| {
        let mut cells = rows.iter().skip(1).map(|row| cell(row, index));
        cells.all(|text| text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    };
    let numbers: Vec<bool> = (0..count).map(is_number).collect();
    let line = |row: &Row| {
        let cells = widths.iter().zip(&numbers).enumerate().map(|(index, (width, number))| {
            let text = cell(row, index);
            if *number { format!("{text:>width$}") } else { format!("{text:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

/// At most four digits: 12.3, 812, 4.1k, 1.2M.
fn amount(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{:.1}G", value / 1e9),
        value if value >= 1e6 => format!("{:.1}M", value / 1e6),
        value if value >= 1e4 => format!("{:.1}k", value / 1e3),
        value if value >= 100.0 || value == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

fn bytes(value: u64) -> String {
    match value as f64 {
        value if value >= 1024.0 * 1024.0 * 1024.0 => {
            format!("{:.1} GiB", value / (1024.0 * 1024.0 * 1024.0))
        }
        value if value >= 1024.0 * 1024.0 => format!("{:.1} MiB", value / (1024.0 * 1024.0)),
        value if value >= 1024.0 => format!("{:.1} KiB", value / 1024.0),
        value => format!("{value:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_fits_the_terminal_and_says_what_is_left_out() {
        let units = super::super::units(&super::super::tests::answer());
        let whole = draw("http://h", &units, &[], usize::MAX, usize::MAX);
        assert!(whole.starts_with("http://h: 2 units, 10.0 % of a core\n"), "{whole}");
        assert!(whole.contains("p/dear   rollup     running    1.0M       100"), "{whole}");
        let small = draw("http://h", &units, &[], 20, 6);
        assert!(
            small.lines().count() <= 6 && small.lines().all(|line| line.chars().count() <= 20),
            "{small}"
        );
        assert!(!small.contains("p/dear"), "{small}");
    }

    #[test]
    fn amounts_and_bytes_are_short() {
        assert_eq!(
            ["0", "12.3", "812", "9999", "12.3k", "1.2M"],
            [0.0, 12.34, 812.0, 9_999.0, 12_345.0, 1.23e6].map(amount).each_ref().map(String::as_str)
        );
        assert_eq!([bytes(12), bytes(1536), bytes(3 << 20)], ["12 B", "1.5 KiB", "3.0 MiB"]);
    }
}
