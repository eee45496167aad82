//! `cargo xtask tidy`: the house rules that no lint knows (CONTRIBUTING.md lists them).
//!
//! In: the texts of the repository, version control's and build folders left out. Out: one line per violation, `path:line: what and how to mend it`,
//! sorted, on standard error; an error with their number where there are any. Rules are functions from files to violations, one file for each
//! family, and read nothing themselves.

mod boundaries;
mod faults;
mod files;
mod links;
mod rust;
mod text;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use files::File;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    /// From 1; 0 is the file as a whole.
    line: usize,
    message: String,
}

impl Violation {
    fn new(file: &File, line: usize, message: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

pub fn tidy(root: &Path) -> Result<()> {
    let files = files::read(root)?;
    let mut violations = Vec::new();
    for rule in [rust::check, boundaries::check, text::check, links::check, faults::check] {
        violations.extend(rule(&files));
    }
    violations.sort();
    violations.dedup();
    for violation in &violations {
        eprintln!("{violation}");
    }
    match violations.len() {
        0 => {
            println!("tidy: {} files are in order", files.len());
            Ok(())
        }
        1 => bail!("tidy found 1 violation"),
        many => bail!("tidy found {many} violations"),
    }
}

/// What a rule says of made-up files, as lines.
#[cfg(test)]
fn told(rule: fn(&[File]) -> Vec<Violation>, files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    rule(&files).iter().map(ToString::to_string).collect()
}
