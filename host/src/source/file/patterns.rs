//! The paths of a source, with wildcards, and the files that are there.
//!
//! In: texts of the configuration, relative ones to the working directory. Out: files that are regular files (or links to such), each once, in the order of
//! their names. Bound: [`LOOKED_AT_MAX`] names are looked at in one scan. What cannot be read (a folder without permission) is left out:
//! the next scan may see it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// A pattern that means half the disk must not keep the thread for minutes.
const LOOKED_AT_MAX: usize = 10_000;

/// A codec would only see noise in them.
const COMPRESSED: [&str; 6] = ["gz", "zst", "bz2", "xz", "lz4", "zip"];

/// A name that begins with a dot is meant only where the pattern says so.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

#[derive(Debug, Clone)]
pub struct Patterns {
    texts: Vec<String>,
}

impl Patterns {
    /// The text of the first one that is no pattern, and why.
    pub fn new(texts: &[String]) -> Result<Self, (String, String)> {
        for text in texts {
            Pattern::new(text).map_err(|error| (text.clone(), error.msg.to_owned()))?;
        }
        Ok(Self { texts: texts.to_vec() })
    }

    pub fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for text in &self.texts {
            let plain = Path::new(text);
            if plain.is_file() {
                files.insert(plain.to_owned());
                continue;
            }
            // Checked before, so that this is no error.
            let Ok(found) = glob::glob_with(text, OPTIONS) else { continue };
            let found = found.take(LOOKED_AT_MAX).flatten();
            files.extend(found.filter(|path| path.is_file() && !is_compressed(path)));
        }
        files
    }
}

fn is_compressed(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    COMPRESSED.contains(&extension.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_files_once_in_order_without_compressed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["b.log", "a.log", "a.log.1.gz", ".hidden.log", "odd[1].log"] {
            std::fs::write(path(name), "").unwrap();
        }
        std::fs::create_dir(path("folder.log")).unwrap();
        let text = |name: &str| path(name).to_string_lossy().into_owned();
        let files = |texts: &[String]| Patterns::new(texts).unwrap().files().into_iter().collect::<Vec<_>>();
        assert_eq!(files(&[text("*.log"), text("a*")]), [path("a.log"), path("b.log"), path("odd[1].log")]);
        assert_eq!(files(&[text("odd[1].log")]), [path("odd[1].log")]);
        assert_eq!(files(&[text("a.log.1.gz")]), [path("a.log.1.gz")]);
        assert!(files(&[text("none/*")]).is_empty());
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let (text, why) = Patterns::new(&["/a/*".to_owned(), "/a/***".to_owned()]).unwrap_err();
        assert!(text == "/a/***" && !why.is_empty(), "{text}: {why}");
    }
}
