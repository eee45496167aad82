//! The program's life: start, check, inspect, drain, exit codes.

use std::process::{Command, Output};

use weir_tests::host::{TestHost, program};

fn weir(arguments: &[&str]) -> Output {
    Command::new(program().unwrap()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub const COUNT: &str = weir_tests::local_config!(
    tcp: "triplet = \"my/dev/event\"\n",
    r#"[[source]]
name = "http"
kind = "http"
[[pipeline]]
name = "count"
from = ["my/dev/event"]
[[pipeline.unit]]
name = "all"
use = "filter"
config = { keep = "true" }
[[pipeline.unit]]
name = "by_key"
use = "rollup"
config = { keys = ["key"], window = "1s", aggregates = { n = "count", sum = { of = "x", is = "sum" } } }
[[pipeline.series]]
metric = "counts"
from = ["by_key"]
labels = ["key"]
"#
);

#[test]
fn help_version_and_wrong_usage_have_their_exit_codes() {
    let help = weir(&["--help"]);
    assert!(help.status.success() && text(&help.stdout).contains("weir run"));
    assert!(text(&weir(&["--version"]).stdout).starts_with("weir "));
    assert_eq!(weir(&["no-such-command"]).status.code(), Some(2));
}

#[test]
fn inspect_tells_what_a_component_is_and_may() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/target/components/rollup.wasm");
    let shown = weir(&["inspect", root]);
    let said = text(&shown.stdout);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(
        said.contains("rollup") && said.contains("sha256:") && said.contains("weir:plugin/state"),
        "{said}"
    );
}

#[test]
fn check_names_all_problems_with_place_and_fix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    let bad =
        "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b\"]\n[[pipeline.unit]]\nname = \"u\"\nuse = \"filterr\"\n";
    std::fs::write(&file, bad).unwrap();
    let checked = weir(&["check", "--config", file.to_str().unwrap()]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1));
    assert!(said.contains("a/b") && said.contains("bad.toml:3:1: error: pipeline \"p\", from: "), "{said}");
    let good = bad.replace("a/b\"", "a/b/c\"");
    std::fs::write(&file, good).unwrap();
    let said = text(&weir(&["check", "--config", file.to_str().unwrap()]).stderr);
    assert!(said.contains("filterr") && said.contains("filter`"), "{said}");
}

#[test]
fn warnings_fail_a_check_only_where_they_are_denied() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.toml");
    let odd = "[[source]]\nname = \"http\"\nkind = \"http\"\nmay_write = [\"shop/*/*\"]\n[[pipeline]]\nname = \"p\"\nfrom = [\"shpo/a/b\"]\n\
               [[pipeline.unit]]\nname = \"u\"\nuse = \"filter\"\nconfig = { keep = \"true\" }\n[[pipeline.series]]\nmetric = \"m\"\n";
    std::fs::write(&file, odd).unwrap();
    let file = file.to_str().unwrap();
    let checked = weir(&["check", "--config", file]);
    assert!(checked.status.success() && text(&checked.stdout).contains("good, 1 warning"));
    let said = text(&checked.stderr);
    assert!(
        said.contains("odd.toml:7:1: warning: pipeline \"p\", from: `shpo/a/b` matches no stream"),
        "{said}"
    );
    assert_eq!(weir(&["check", "--deny-warnings", "--config", file]).status.code(), Some(1));
}

#[test]
fn the_built_in_configuration_is_good() {
    let checked = weir(&["check"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn sigterm_drains_what_was_sent_and_ends_with_0() {
    let host = TestHost::start(COUNT).unwrap();
    host.send(&"{\"key\":\"a\",\"x\":1}\n".repeat(1000)).unwrap();
    host.wait_unit("count/all", "rows_in_total", 1000).unwrap();
    let status = host.end().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let host = TestHost::start(COUNT).unwrap();
    let text = COUNT.replace("{tcp}", &host.tcp.to_string());
    let error = format!("{:#}", TestHost::start(&text).err().unwrap());
    assert!(error.contains("tcp") && error.contains("in use"), "{error}");
}
