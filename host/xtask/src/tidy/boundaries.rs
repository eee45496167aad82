//! Who may know what: the engine's library, the web server, and what a pure crate must not touch.
//!
//! In: all files. Out: violations. Looks at paths in code (`name::`) and at dependencies in manifests; comments may name anything.

use super::Violation;
use super::files::File;

/// A path that appears in code only below these places.
struct Boundary {
    path: &'static str,
    places: &'static [&'static str],
    why: &'static str,
}

const BOUNDARIES: [Boundary; 3] = [
    Boundary { path: "wasmtime::", places: &["host/engine/"], why: "only host/engine knows wasmtime" },
    Boundary {
        path: "axum::",
        places: &[
            "host/src/api.rs",
            "host/src/api/",
            "host/src/live.rs",
            "host/src/live/",
            "host/src/page.rs",
            "host/src/source.rs",
            "host/src/source/http.rs",
            "host/src/source/bodies.rs",
            "host/src/source/bodies/",
            "host/src/source/contract.rs",
            "host/src/source/http/",
            "host/src/source/websocket.rs",
        ],
        why: "only the API, the live page and the sources know the web server",
    },
    Boundary {
        path: "sled::",
        places: &["host/checkpoint/src/sled_engine.rs"],
        why: "only its engine of host/checkpoint knows sled",
    },
];

/// What the pure crate must not touch: time, randomness and I/O come in as arguments.
const IMPURE: [&str; 14] = [
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::{",
    "Instant",
    "SystemTime",
    "tokio::",
    "rand::",
];

/// Crates that a manifest may name only in its place.
const CRATES: [(&str, &str); 3] =
    [("wasmtime", "host/engine/"), ("axum", "host/Cargo.toml"), ("sled", "host/checkpoint/")];

pub fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for (number, line) in file.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            violations.extend(known(file, number, line));
            if file.path.starts_with("host/core/src/") && !file.is_test() {
                violations.extend(impure(file, number, line));
            }
        }
    }
    violations.extend(files.iter().filter(|file| file.path.ends_with("/Cargo.toml")).flat_map(dependencies));
    violations
}

fn known(file: &File, number: usize, line: &str) -> Option<Violation> {
    let crossed = BOUNDARIES.iter().find(|boundary| {
        names(line, boundary.path) && !boundary.places.iter().any(|place| file.path.starts_with(place))
    })?;
    Some(Violation::new(file, number, crossed.why))
}

fn impure(file: &File, number: usize, line: &str) -> Option<Violation> {
    let touched = IMPURE.iter().find(|path| names(line, path))?;
    Some(Violation::new(file, number, format!("`{touched}` in the pure crate: take it as an argument")))
}

/// The text stands in the line as a path of its own, not as the end of a longer name nor inside a text.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default().chars().next_back();
        let after = line.get(at + path.len()..).unwrap_or_default().chars().next();
        let inside = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
        !inside(before) && before != Some('"') && (!inside(after) || !path.ends_with(char::is_alphanumeric))
    })
}

fn dependencies(file: &File) -> Vec<Violation> {
    let outside = |(name, place): &&(&str, &str)| {
        let named = file
            .text
            .lines()
            .any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '='])));
        named && !file.path.starts_with(place)
    };
    let found = CRATES.iter().filter(outside);
    found
        .map(|(name, place)| Violation::new(file, 0, format!("`{name}` is a dependency of {place} alone")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn the_engine_alone_knows_wasmtime() {
        let path = BOUNDARIES[0].path;
        let text = format!("//! A, beside {path}Store.\nuse {path}Store;\n");
        let found = told(check, &[("host/engine/src/a.rs", &text), ("host/src/a.rs", &text)]);
        assert_eq!(found, ["host/src/a.rs:2: only host/engine knows wasmtime"]);
    }

    #[test]
    fn core_is_pure_but_for_its_tests() {
        let text = "//! A.\nuse std::time::Instant;\nlet instant = Instants(1);\n";
        let found = told(check, &[("host/core/src/a.rs", text), ("host/core/src/a/tests.rs", text)]);
        assert_eq!(found, ["host/core/src/a.rs:2: `Instant` in the pure crate: take it as an argument"]);
    }

    #[test]
    fn a_dependency_in_the_wrong_place_is_found() {
        let text = "[dependencies]\nwasmtime.workspace = true\n";
        let found = told(check, &[("host/engine/Cargo.toml", text), ("host/core/Cargo.toml", text)]);
        assert_eq!(found, ["host/core/Cargo.toml: `wasmtime` is a dependency of host/engine/ alone"]);
    }
}
