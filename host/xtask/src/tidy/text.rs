//! Rules for every text: unfinished notes, paths of one machine, and hosts that only lock files may name.
//!
//! In: all files. Out: violations. In lock files every address must be a public registry's, so that a clone builds anywhere.

use super::Violation;
use super::files::File;

/// A note that is not finished; with an issue's number it is a plan: `(#12, owner)` behind it.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Where things lie on one machine. In pieces, so that this file may stand among the others.
const MACHINE: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/tmp", "/weir/"), concat!("/ro", "ot/"), concat!("/tmp", "/tgt")];

/// Package registries: which one is used is the machine's business.
const REGISTRIES: [&str; 6] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("pypi", ".org"),
    concat!("proxy.golang", ".org"),
];

/// What lock files may name: the registry of Cargo, and that of npm.
const LOCKED: [&str; 2] = [
    concat!("registry+https://github.com/rust-lang/crates", ".io-index"),
    concat!("https://registry.npm", "js.org/"),
];

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().flat_map(|file| if file.is_lock() { lock(file) } else { text(file) }).collect()
}

fn text(file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in file.lines() {
        if NOTES.iter().any(|note| is_loose_note(line, note)) {
            violations.push(Violation::new(
                file,
                number,
                "an unfinished note: do it, or give it an issue, `(#12, owner)`",
            ));
        }
        if let Some(path) = MACHINE.iter().find(|path| line.contains(*path)) {
            violations.push(Violation::new(file, number, format!("`{path}` is a path of one machine")));
        }
        if let Some(host) = REGISTRIES.iter().find(|host| line.contains(*host)) {
            violations.push(Violation::new(
                file,
                number,
                format!("`{host}`: only lock files name a registry"),
            ));
        }
    }
    violations
}

fn is_loose_note(line: &str, note: &str) -> bool {
    line.match_indices(note).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default().chars().next_back();
        let rest = line.get(at + note.len()..).unwrap_or_default();
        let inside = |char: char| char.is_alphanumeric() || char == '_';
        let is_word = !before.is_some_and(inside) && !rest.starts_with(inside);
        let issue = rest.strip_prefix("(#").unwrap_or_default();
        is_word && !issue.starts_with(|char: char| char.is_ascii_digit())
    })
}

fn lock(file: &File) -> Vec<Violation> {
    let sources = file.lines().filter(|(_, line)| {
        let line = line.trim_start();
        line.starts_with("source = ") || line.starts_with("\"resolved\": ")
    });
    let foreign = sources.filter(|(_, line)| !LOCKED.iter().any(|host| line.contains(host)));
    foreign
        .map(|(number, _)| Violation::new(file, number, "comes from another place than the public registry"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn a_note_needs_an_issue() {
        let note = NOTES[0];
        let text = format!("// {note}: later\n// {note}(#12, ann): later\n{note}S\n");
        assert_eq!(told(check, &[("a.rs", &text)]).len(), 1);
    }

    #[test]
    fn paths_of_one_machine_and_registries_are_found_outside_locks() {
        let text = format!("cd {}x\ncurl https://{}/x\n", MACHINE[0], REGISTRIES[2]);
        assert_eq!(told(check, &[("a.md", &text)]).len(), 2);
    }

    #[test]
    fn a_lock_names_public_registries_only() {
        let good = format!("source = \"{}\"\n", LOCKED[0]);
        let found = told(
            check,
            &[
                ("Cargo.lock", &good),
                ("host/ui/package-lock.json", "  \"resolved\": \"https://mirror.example/a\",\n"),
            ],
        );
        assert_eq!(found, ["host/ui/package-lock.json:1: comes from another place than the public registry"]);
    }
}
