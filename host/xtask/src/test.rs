//! `cargo xtask test`: everything that must pass, as stages.
//!
//! In: a clone. Out: the table of the stages on standard output, exit code 1 where one failed. Components and page come before the lints and the
//! build, because the program embeds them. Everything is built with one profile and for the whole workspace, so that the engine is compiled
//! once; clippy's own artifacts are apart from that. Plugins and these commands are workspaces of their own, with the same stages.

use std::path::Path;
use std::process::ExitCode;

use crate::command::{cargo, cargo_plugins, cargo_xtask, command, run};
use crate::stages::Stages;
use crate::{browser, components, examples, page, program, tidy};

const FORMAT: [&str; 3] = ["fmt", "--all", "--check"];
const CLIPPY: [&str; 7] = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];

pub fn test(root: &Path) -> ExitCode {
    let mut stages = Stages::default();
    let ui = root.join("host/ui");
    stages.run("tools", &[], browser::install);
    stages.run("format", &[], || {
        [cargo, cargo_plugins, cargo_xtask].into_iter().try_for_each(|cargo| run(cargo(root, &FORMAT)))
    });
    stages.run("tidy", &[], || tidy::tidy(root));
    stages.run("components", &[], || components::build(root).map(drop));
    stages.run("page", &[], || page::build(root));
    stages.run("page: unit tests", &["page"], || run(command(&ui, "npm", &["test", "--silent"])));
    stages.run("page: its states", &["page", "tools"], || browser::states(root));
    stages.run("page: keys, axe", &["page", "tools"], || browser::keyboard(root));
    stages.run("page: pictures", &["page", "tools"], || browser::pictures(root));
    stages.run("plugins: lints", &[], || run(cargo_plugins(root, &CLIPPY)));
    stages.run("plugins: tests", &[], || run(cargo_plugins(root, &["test", "--release", "--workspace"])));
    stages.run("xtask: lints, tests", &[], || {
        run(cargo_xtask(root, &CLIPPY))?;
        run(cargo_xtask(root, &["test", "--release"]))
    });
    stages.run("lints", &["components", "page"], || run(cargo(root, &CLIPPY)));
    stages.run("build", &["components", "page"], || program::build(root, &["--bins"]).map(drop));
    stages.run("tests", &["build"], || run(cargo(root, &["test", "--release", "--workspace"])));
    stages.run("examples: clients", &["build", "tools"], || examples::clients(root));
    stages.run("examples: web", &["build", "tools"], || examples::web_requests(root));
    stages.run("examples: editing", &["build", "tools"], || examples::live_editing(root));
    stages.run("examples: factorials", &["build", "tools"], || examples::factorials(root));
    stages.run("examples: Python codec", &["build", "tools"], || examples::python_codec(root));
    stages.run("a graph moves", &["build", "tools"], || browser::graph_moves(root));
    print!("{}", stages.table());
    if stages.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
