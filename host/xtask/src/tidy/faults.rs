//! Every way to misbehave that `plugins/faults` offers is used by a whole-system test.
//!
//! In: all files; the tables of `plugins/faults/README.md` name the faults in their first column. Out: a violation for each name that no file below
//! `tests/` holds between quotes. Once the tests read the table itself and run each of its rows, every name is used.

use super::Violation;
use super::files::File;

const TABLE: &str = "plugins/faults/README.md";

pub fn check(files: &[File]) -> Vec<Violation> {
    let tests: Vec<&File> = files.iter().filter(|file| file.path.starts_with("tests/")).collect();
    let Some(table) = files.iter().find(|file| file.path == TABLE) else { return Vec::new() };
    if tests.iter().any(|test| test.text.contains(TABLE)) {
        return Vec::new();
    }
    let unused = names(table).filter(|(_, name)| !tests.iter().any(|test| holds(&test.text, name)));
    unused
        .map(|(number, name)| {
            Violation::new(table, number, format!("no test in tests/ uses the fault `{name}`"))
        })
        .collect()
}

/// As a text of its own or as the last part of a path.
fn holds(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        before.ends_with(['"', '\'', '/']) && after.starts_with(['"', '\'', '.'])
    })
}

/// The first column of the tables: names in backticks.
fn names(table: &File) -> impl Iterator<Item = (usize, &str)> {
    table.lines().filter_map(|(number, line)| Some((number, line.strip_prefix("| `")?.split('`').next()?)))
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    const TWO: &str = "| fault | call |\n|---|---|\n| `spin` | process |\n| `trap` | process |\n";

    #[test]
    fn an_unused_fault_is_found() {
        let found = told(check, &[(TABLE, TWO), ("tests/src/faults.rs", "check(\"spin\");")]);
        assert_eq!(found, ["plugins/faults/README.md:4: no test in tests/ uses the fault `trap`"]);
    }

    #[test]
    fn tests_that_read_the_table_use_all() {
        let test = format!("include_str!(\"../../{TABLE}\")");
        assert!(told(check, &[(TABLE, TWO), ("tests/src/faults.rs", &test)]).is_empty());
    }
}
