//! What the tests call from outside (a browser above all), and the tests of the page with it.
//!
//! In: Debian's packages, found or installed by apt; the scripts of `tests/browser`. Out: success, or which check failed (the scripts print each).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{command, exists, run};
use crate::scratch::Scratch;

/// Programs that tests call, and the Debian packages that they are in.
const TOOLS: [(&str, &str); 7] = [
    (FONTS, "fonts-dejavu"),
    ("chromium", "chromium"),
    ("fiu-run", "fiu-utils"),
    ("nc", "netcat-openbsd"),
    ("curl", "curl"),
    ("python3", "python3"),
    (VENV, "python3-venv"),
];
/// No program either; stored pictures of the page are set in them.
const FONTS: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
/// Debian has it apart from Python; it is no program but a module.
const VENV: &str = "venv";

/// Finds or installs what the tests call.
pub fn install() -> Result<()> {
    let absent: Vec<&str> =
        TOOLS.iter().filter(|(program, _)| !found(program)).map(|(_, package)| *package).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let names = absent.join(" ");
    let how = format!("install with the system's package manager: {names} (the names are Debian's)");
    if !exists("apt-get") {
        bail!("{how}");
    }
    run(apt("update", &[])).context(how.clone())?;
    run(apt("install", &[&["--yes", "--no-install-recommends"], absent.as_slice()].concat())).context(how)
}

/// The scripts take another Chromium than Debian's by name.
fn found(program: &str) -> bool {
    if program == FONTS {
        return Path::new(FONTS).exists();
    }
    if program == VENV {
        let mut python = Command::new("python3");
        return python
            .args(["-c", "import ensurepip, venv"])
            .output()
            .is_ok_and(|output| output.status.success());
    }
    exists(program) || (program == "chromium" && std::env::var_os("CHROMIUM").is_some())
}

fn apt(verb: &str, arguments: &[&str]) -> Command {
    let mut apt = command(Path::new("/"), "apt-get", &[verb, "--quiet"]);
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// States of the page that a healthy host never shows, against a mock.
pub fn states(root: &Path) -> Result<()> {
    run(command(root, "node", &["tests/browser/states.mjs"]))
}

/// Each place by keys alone, and read by axe-core, against a mock.
pub fn keyboard(root: &Path) -> Result<()> {
    run(command(root, "node", &["tests/browser/keyboard.mjs"]))
}

/// Each place beside its stored picture, against a mock whose clock stands.
pub fn pictures(root: &Path) -> Result<()> {
    run(command(root, "node", &["tests/browser/pictures.mjs"]))
}

/// A real host, and a graph in it that moves.
pub fn graph_moves(root: &Path) -> Result<()> {
    let host = Scratch::start(root, "host/src/default.toml")?;
    let tested = run(command(
        root,
        "node",
        &["tests/browser/graph_moves.mjs", host.url(), &host.data.to_string_lossy()],
    ));
    let ended = host.end();
    tested.and(ended)
}
