//! The texts of the repository.
//!
//! In: its root. Out: every file that is UTF-8, path relative to the root with `/`, sorted. Left out: what is built or fetched, version control, and
//! symbolic links. Pictures are there without their bytes, so that links lead to them; other files than texts are not.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that version control does not keep, by name.
const LEFT_OUT: [&str; 5] = [".git", "target", "node_modules", "dist", "weir-data"];

#[derive(Debug)]
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Of the last part, without its endings.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// A file of nothing but tests.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    pub fn is_lock(&self) -> bool {
        self.path.ends_with("Cargo.lock") || self.path.ends_with("package-lock.json")
    }

    /// Lines with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// None: neither a text nor a picture.
fn text(path: &Path) -> Option<String> {
    if path.extension().is_some_and(|extension| extension == "png") {
        return Some(String::new());
    }
    fs::read_to_string(path).ok()
}

pub fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(prefix) = waiting.pop() {
        let folder = root.join(&prefix);
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
                waiting.push(format!("{prefix}{name}/"));
            } else if kind.is_file()
                && let Some(text) = text(&entry.path())
            {
                files.push(File { path: format!("{prefix}{name}"), text });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}
