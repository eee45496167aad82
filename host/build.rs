//! Embeds what the program carries: the standard components and the page, as two indexes of files in `OUT_DIR/embedded.rs`.
//!
//! In: `plugins/target/components/*.wasm` and everything under `host/ui/dist`. Out: `COMPONENTS` (name without `.wasm`, bytes) and `PAGE`
//! (path with `/`, bytes), both sorted. A folder that is not built yet gives an empty index and a warning, so that lints and core tests run on a
//! bare clone. Symbolic links are not followed.

#![allow(clippy::print_stdout, reason = "that is how a build script speaks to cargo")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");

    let components =
        files(&host.join("../plugins/target/components"), "`cargo xtask run` builds the components")?
            .into_iter()
            .filter_map(|(path, file)| Some((path.strip_suffix(".wasm")?.to_owned(), file)))
            .filter(|(name, _)| !name.contains('/'))
            .collect();
    let page = files(&host.join("ui/dist"), "`cargo xtask run` builds the page")?;

    let mut text = String::new();
    index(&mut text, "COMPONENTS", components);
    index(&mut text, "PAGE", page);
    fs::write(out.join("embedded.rs"), text)
}

/// All files under a folder, by their path in it.
fn files(folder: &Path, how: &str) -> io::Result<Vec<(String, PathBuf)>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    if !folder.is_dir() {
        println!("cargo::warning=nothing to embed from {}: {how}", folder.display());
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), folder.canonicalize()?)];
    while let Some((prefix, folder)) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push((format!("{prefix}{name}/"), entry.path()));
            } else if kind.is_file() {
                found.push((format!("{prefix}{name}"), entry.path()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn index(text: &mut String, name: &str, files: Vec<(String, PathBuf)>) {
    let _ = writeln!(text, "static {name}: &[(&str, &[u8])] = &[");
    for (path, file) in files {
        let _ = writeln!(text, "    ({path:?}, include_bytes!({:?})),", file.display().to_string());
    }
    let _ = writeln!(text, "];");
}
