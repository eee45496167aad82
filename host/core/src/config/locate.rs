//! Where in the text a problem stands, for editors and for `weir check`: line and column, from 1.
//!
//! A problem's place is for people and ends in its line (`…, config.keep (line 14)`); the column is that of the member's last word in that line, or below it in the
//! same section, else of the first character that is not white space. Columns count characters. None where the place names no line, as for what is missing altogether.

use super::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub line: u32,
    pub column: u32,
}

pub fn locate(text: &str, problem: &Problem) -> Option<Spot> {
    let (words, line) = problem.place.rsplit_once(" (line ")?;
    let numbers = line.strip_suffix(')')?;
    let (line, column) = match numbers.split_once(", column ") {
        Some((line, column)) => (line.parse().ok()?, Some(column.parse().ok()?)),
        None => (numbers.parse::<u32>().ok()?, None),
    };
    let mut lines = text.lines().skip(usize::try_from(line).ok()?.checked_sub(1)?);
    let there = lines.next().unwrap_or_default();
    if let Some(column) = column {
        return Some(Spot { line, column });
    }
    let member = words.rsplit([',', '.', ' ']).next().unwrap_or_default();
    if let Some(column) = key_column(there, member) {
        return Some(Spot { line, column });
    }
    // A place may name its section's line: then the member is in the section or nowhere.
    let section = lines.take_while(|line| !line.trim_start().starts_with('['));
    for (below, text) in (line + 1..).zip(section).filter(|_| there.trim_start().starts_with('[')) {
        if let Some(column) = key_column(text, member) {
            return Some(Spot { line: below, column });
        }
    }
    let indent = there.chars().take_while(|c| c.is_whitespace()).count();
    Some(Spot { line, column: indent as u32 + 1 })
}

/// Column of a key in a line: the word itself, with what may follow a key behind it.
fn key_column(line: &str, key: &str) -> Option<u32> {
    if key.is_empty() {
        return None;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    for (at, _) in line.match_indices(key) {
        let (before, from) = line.split_at_checked(at)?;
        let after = from.get(key.len()..)?.trim_start_matches('"').trim_start();
        let starts = !before.ends_with(is_word);
        if starts && after.starts_with(['=', '.', ']']) {
            let quoted = usize::from(before.ends_with('"'));
            return Some((before.chars().count() - quoted) as u32 + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(text: &str, place: &str) -> Option<(u32, u32)> {
        let problem = Problem { place: place.to_owned(), message: String::new() };
        locate(text, &problem).map(|spot| (spot.line, spot.column))
    }

    #[test]
    fn a_problem_is_found_at_its_key() {
        let text = "[[pipeline]]\n  name = \"keep\"\nconfig = { a = 1, keep = \"x\", \"odd\" = 2 }\n";
        assert_eq!(spot(text, "pipeline \"p\", unit \"u\", config.keep (line 3)"), Some((3, 19)));
        assert_eq!(spot(text, "pipeline \"p\", config.odd (line 3)"), Some((3, 31)));
        assert_eq!(spot(text, "pipeline \"p\", name (line 2)"), Some((2, 3)));
        assert_eq!(spot(text, "pipeline \"p\" (line 1)"), Some((1, 1)));
        assert_eq!(spot(text, "pipeline \"p\", config.keep (line 1)"), Some((3, 19)));
        assert_eq!(spot(text, "pipeline \"p\", from (line 2)"), Some((2, 3)));
    }

    #[test]
    fn a_place_may_say_its_column_or_none_at_all() {
        assert_eq!(spot("a\nb", "TOML (line 2, column 7)"), Some((2, 7)));
        assert_eq!(spot("a", "TOML (line 9)"), Some((9, 1)));
        assert_eq!(spot("a", "configuration"), None);
        assert_eq!(spot("a", "x (line 0)"), None);
    }
}
