//! Builds the web page of `host/ui` into `host/ui/dist`, which the program embeds.
//!
//! In: the repository's root, Node.js and npm. The packages are installed (`npm ci`) where `node_modules` is missing or older than the lock; the
//! page is built where a source is newer than the last build that passed. Errors say which program is missing or which step failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::command::{command, output, run, say};

/// What the page is made of, below `host/ui`.
const SOURCES: [&str; 8] = [
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "size.mjs",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];

/// The first version that the page's tools run on.
const NODE_MIN: (u32, u32) = (20, 19);

pub fn build(root: &Path) -> Result<()> {
    let folder = root.join("host/ui");
    install(&folder)?;
    let page = modified(&folder.join("dist/index.html"));
    let built = modified(&stamp(&folder));
    let changed = SOURCES.iter().filter_map(|source| newest(&folder.join(source))).max();
    if page.is_some() && built.is_some() && built > changed {
        say("page is up to date");
        return Ok(());
    }
    let begun = SystemTime::now();
    run(command(&folder, "npm", &["run", "--silent", "build"]))?;
    // Only a build that passed counts, and a source that changes while it runs makes the next one.
    let stamp = fs::File::create(stamp(&folder)).context("note the build")?;
    stamp.set_modified(begun).context("note the build")
}

/// The packages that the lock names.
fn install(folder: &Path) -> Result<()> {
    check_node(&output(command(folder, "node", &["--version"]))?)?;
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(&folder.join("package-lock.json")) {
        return Ok(());
    }
    run(command(folder, "npm", &["ci", "--no-audit", "--no-fund"]))
}

fn check_node(version: &str) -> Result<()> {
    let mut parts =
        version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < NODE_MIN {
        let (major, minor) = NODE_MIN;
        bail!("Node.js is {}; the page needs {major}.{minor} or later: https://nodejs.org", version.trim());
    }
    Ok(())
}

/// Beside the packages, which version control leaves out and `npm ci` empties.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("node_modules/.weir-page")
}

/// The latest change of a file or of anything below a folder; a file that went away changes its folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let below = fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| newest(&entry.path()));
    below.max().max(modified(path))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_node_is_refused_with_the_version_that_is_needed() {
        assert!(check_node("v20.19.0\n").is_ok() && check_node("v22.1.0").is_ok());
        let error = check_node("v18.20.4").unwrap_err().to_string();
        assert!(error.contains("v18.20.4") && error.contains("20.19"), "{error}");
        assert!(check_node("nonsense").is_err());
    }
}
