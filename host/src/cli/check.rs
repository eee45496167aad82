//! `weir check`: everything that is wrong with a configuration, one problem per line, each with place and fix.
//!
//! Problems and warnings go to standard error; a good configuration is one line on standard output. Exit code 1 where there is a problem.

use std::process::ExitCode;

use super::{CheckArguments, paths, print, say};

pub fn check(arguments: CheckArguments) -> anyhow::Result<ExitCode> {
    let file = paths::config_file(arguments.config);
    let name =
        file.as_ref().map_or_else(|| "built-in configuration".to_owned(), |file| file.display().to_string());
    let checked = weir::app::check(file.as_deref())?;
    for warning in &checked.warnings {
        say(&format!("{name}: warning: {warning}"));
    }
    for problem in &checked.problems {
        say(&format!("{name}: {problem}"));
    }
    match checked.problems.len() {
        0 => {
            print(&format!("{name}: good"))?;
            Ok(ExitCode::SUCCESS)
        }
        1 => {
            say(&format!("{name}: 1 problem"));
            Ok(ExitCode::FAILURE)
        }
        many => {
            say(&format!("{name}: {many} problems"));
            Ok(ExitCode::FAILURE)
        }
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
