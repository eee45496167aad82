//! Stages: named pieces of work that run one after the other, each measured, and the table of how they went.
//!
//! In: closures. A stage runs although an earlier one failed, unless it needs that one. Out: a table with the minutes of each, and as the last
//! line `N passed, N failed`, where a stage that could not run counts as failed. Failures are printed when they happen and again in the table.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command::say;

#[derive(Default)]
pub struct Stages {
    done: Vec<Stage>,
}

struct Stage {
    name: &'static str,
    took: Duration,
    /// None: it passed.
    problem: Option<String>,
}

impl Stages {
    /// Runs a stage unless one that it needs has not passed.
    pub fn run(&mut self, name: &'static str, needs: &[&'static str], work: impl FnOnce() -> Result<()>) {
        if let Some(need) = needs.iter().find(|need| !self.passed(need)) {
            self.note(name, Duration::ZERO, Some(format!("not run: it needs the stage `{need}`")));
            return;
        }
        say(&format!("== {name}"));
        let begun = Instant::now();
        let problem = work().err().map(|error| format!("{error:#}"));
        self.note(name, begun.elapsed(), problem);
    }

    fn passed(&self, name: &str) -> bool {
        self.done.iter().any(|stage| stage.name == name && stage.problem.is_none())
    }

    fn note(&mut self, name: &'static str, took: Duration, problem: Option<String>) {
        if let Some(problem) = &problem {
            say(&format!("== {name} FAILED: {problem}"));
        }
        self.done.push(Stage { name, took, problem });
    }

    pub fn all_passed(&self) -> bool {
        self.done.iter().all(|stage| stage.problem.is_none())
    }

    /// The table, ending with the line that counts.
    pub fn table(&self) -> String {
        let mut table = format!("\n{:<24} {:>7}  result\n", "stage", "minutes");
        for stage in &self.done {
            let result =
                stage.problem.as_ref().map_or("passed".to_owned(), |problem| format!("FAILED: {problem}"));
            let result = result.lines().next().unwrap_or_default();
            // Writing to a text cannot fail.
            let _ = writeln!(table, "{:<24} {:>7.1}  {result}", stage.name, minutes(stage.took));
        }
        let _ =
            writeln!(table, "{:<24} {:>7.1}", "all", minutes(self.done.iter().map(|stage| stage.took).sum()));
        let failed = self.done.iter().filter(|stage| stage.problem.is_some()).count();
        let _ = writeln!(table, "{} passed, {failed} failed", self.done.len() - failed);
        table
    }
}

fn minutes(duration: Duration) -> f64 {
    duration.as_secs_f64() / 60.0
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_failed_stage_stops_only_those_that_need_it() {
        let mut stages = Stages::default();
        stages.run("page", &[], || bail!("no node\nmore"));
        stages.run("lints", &[], || Ok(()));
        stages.run("build", &["page"], || panic!("must not run"));
        let table = stages.table();
        assert!(table.ends_with("1 passed, 2 failed\n"), "{table}");
        assert!(table.contains("FAILED: no node\n") && table.contains("needs the stage `page`"), "{table}");
        assert!(!stages.all_passed());
    }
}
