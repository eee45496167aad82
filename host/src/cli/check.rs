//! `weir check`: everything that is wrong with a configuration, one problem per line, each with file, line, column, place and fix.
//!
//! Problems and warnings go to standard error, in the form that editors and CI know (`file:line:column: …`); a good configuration is one line on standard output. Exit
//! code 1 where there is a problem, or with `--deny-warnings` a warning.

use std::process::ExitCode;

use weir_core::config::{Problem, locate};

use super::{CheckArguments, paths, print, say};

pub fn check(arguments: CheckArguments) -> anyhow::Result<ExitCode> {
    let file = paths::config_file(arguments.config);
    let name =
        file.as_ref().map_or_else(|| "built-in configuration".to_owned(), |file| file.display().to_string());
    let checked = weir::app::check(file.as_deref())?;
    for warning in &checked.warnings {
        say(&told(&name, &checked.text, "warning", warning));
    }
    for problem in &checked.problems {
        say(&told(&name, &checked.text, "error", problem));
    }
    let (problems, warnings) = (checked.problems.len(), checked.warnings.len());
    if problems > 0 || (arguments.deny_warnings && warnings > 0) {
        say(&format!("{name}: {}, {}", count(problems, "problem"), count(warnings, "warning")));
        return Ok(ExitCode::FAILURE);
    }
    let beside = if warnings > 0 { format!(", {}", count(warnings, "warning")) } else { String::new() };
    print(&format!("{name}: good{beside}"))?;
    Ok(ExitCode::SUCCESS)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `weir.toml:14:12: error: pipeline "p", unit "u", config.keep: what is wrong`
fn told(name: &str, text: &str, kind: &str, problem: &Problem) -> String {
    let place = problem.place.rsplit_once(" (line ").map_or(problem.place.as_str(), |(words, _)| words);
    match locate(text, problem) {
        Some(spot) => format!("{name}:{}:{}: {kind}: {place}: {}", spot.line, spot.column, problem.message),
        None => format!("{name}: {kind}: {}: {}", problem.place, problem.message),
    }
}

#[cfg(test)]
mod tests {
    use weir_core::config::{Problem, Topology};

    fn check(text: &str) {
        let told =
            |problems: &[Problem]| problems.iter().map(|problem| format!("{problem}\n")).collect::<String>();
        let topology = Topology::parse(text).unwrap_or_else(|problems| panic!("{}", told(&problems)));
        assert!(topology.warnings.is_empty(), "{}", told(&topology.warnings));
    }

    #[test]
    fn the_built_in_configuration_is_good() {
        check(include_str!("../default.toml"));
    }

    #[test]
    fn the_examples_of_the_documentation_are_good() {
        let page = include_str!("../../../docs/configuration.md");
        let examples: Vec<&str> =
            page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!examples.is_empty());
        examples.into_iter().for_each(check);
    }
}
