//! Links in the documentation lead somewhere.
//!
//! In: all files. Out: a violation for each relative link in a `.md` file whose file or folder is not there, or whose heading is not. Other hosts
//! are not asked. Code blocks and code in a line are left out.

use std::collections::HashSet;

use super::Violation;
use super::files::File;

pub fn check(files: &[File]) -> Vec<Violation> {
    let pages: Vec<&File> = files.iter().filter(|file| file.path.ends_with(".md")).collect();
    let mut places: HashSet<&str> = HashSet::new();
    for file in files {
        places.insert(&file.path);
        places.extend(file.path.match_indices('/').filter_map(|(at, _)| file.path.get(..at)));
    }
    let mut violations = Vec::new();
    for page in &pages {
        for (number, target) in links(page) {
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { page.path.clone() } else { resolve(&page.path, path) };
            if !path.is_empty() && !places.contains(path.as_str()) {
                violations.push(Violation::new(
                    page,
                    number,
                    format!("the link to `{target}` leads nowhere"),
                ));
            } else if let Some(linked) = pages.iter().find(|page| page.path == path)
                && !heading.is_empty()
                && !headings(linked).any(|known| known == heading)
            {
                violations.push(Violation::new(
                    page,
                    number,
                    format!("`{path}` has no heading `#{heading}`"),
                ));
            }
        }
    }
    violations
}

/// Targets of `[text](target)` within the repository, with their lines.
fn links(page: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(page) {
        // Every second piece between backticks is code.
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let inner = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
        found.extend(inner.map(|target| (number, target.to_owned())));
    }
    found
}

/// Lines outside of code blocks.
fn prose(page: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    page.lines().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// As web pages name them: small letters, spaces as hyphens, no punctuation.
fn headings(page: &File) -> impl Iterator<Item = String> {
    prose(page).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    })
}

/// From the place of a page to the root; empty for the root itself.
fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_a_folder_or_a_heading() {
        let page = "# A title, twice\n[a](../README.md) [b](../host/src) [c](#a-title-twice) [d](https://x.example/y)\n";
        let files =
            [("docs/a.md", page), ("README.md", "see [a](docs/a.md#a-title-twice)\n"), ("host/src/a.rs", "")];
        assert!(told(check, &files).is_empty(), "{:?}", told(check, &files));
    }

    #[test]
    fn a_link_to_nowhere_is_found() {
        let page = "[a](b.md)\n```\n[c](d.md)\n```\n`[e](f.md)` [g](#h)\n";
        let found = told(check, &[("docs/a.md", page)]);
        assert_eq!(
            found,
            ["docs/a.md:1: the link to `b.md` leads nowhere", "docs/a.md:5: `docs/a.md` has no heading `#h`"]
        );
    }
}
