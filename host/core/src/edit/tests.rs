//! Edits of a text: what it says afterwards, what stays as it was, and what is refused.

use serde_json::json;

use super::*;

const TEXT: &str = "\
# mine
[[pipeline]]
name = \"p\"
from = [\"a/b/c\"] # all

# --- the way ---

# first of all
[[pipeline.unit]]
name = \"a\"
use = \"filter\"
config = { keep = \"x > 1\" } # why

[[pipeline.unit]]
name = \"b\"
use = \"rollup\"
config = { window = \"1s\", keys = [\"k\"] }

[[pipeline.series]]
metric = \"m\"

[[pipeline.series]]
metric = \"rest\"
from = [\"a.rest\"]

[[pipeline.stream]]
triplet = \"d/e/f\"
from = [\"a.out\"]

[[rule]]
name = \"r\"
use = \"threshold\"
on = \"p/b\"

[[chart]]
id = \"c\"
metric = \"rest\"
";

fn done(edit: &Edit) -> Result<Edited, EditError> {
    let ports = |unit: &str| Some(if unit == "b" { "closed" } else { "out" }.to_owned());
    apply(TEXT, edit, &ports)
}

/// The lines that went and came, without the others.
fn lines(edit: &Edit) -> Vec<String> {
    let text = done(edit).unwrap().text;
    let diff = crate::diff::unified(("", TEXT), ("", &text));
    diff.lines().skip(2).filter(|line| line.starts_with(['+', '-'])).map(str::to_owned).collect()
}

fn inject(after: &[&str], before: Option<&[&str]>) -> Edit {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Edit::Inject(Inject {
        pipeline: "p".into(),
        name: "n".into(),
        uses: "filter".into(),
        config: Some(json!({ "keep": "true" })),
        after: Some(texts(after)).filter(|after| !after.is_empty()),
        before: before.map(texts),
        ..Inject::default()
    })
}

fn remove(unit: &str, drop: bool) -> Edit {
    Edit::Remove { pipeline: "p".into(), unit: unit.into(), drop }
}

const SECTION: [&str; 5] =
    ["+name = \"n\"", "+use = \"filter\"", "+config = { keep = \"true\" }", "+", "+[[pipeline.unit]]"];

#[test]
fn a_unit_between_two_others_takes_and_gives_by_default() {
    // `b` has no `from` and takes the unit before it; only the stream has to be told.
    let mut expected: Vec<&str> = SECTION.to_vec();
    expected.extend(["-from = [\"a.out\"]", "+from = [\"n\"]"]);
    assert_eq!(lines(&inject(&["a"], None)), expected);
    assert_eq!(
        done(&inject(&["p/a"], Some(&["p/b"]))).unwrap().summary,
        "injects filter `n` after `a` in `p`"
    );
    // Before `b` alone: the stream stays, and is not touched.
    assert_eq!(lines(&inject(&["a"], Some(&["b"]))), SECTION);
    assert_eq!(lines(&inject(&[], Some(&["b"]))), SECTION);
}

#[test]
fn a_unit_before_all_a_branch_and_one_on_a_port_say_what_no_default_says() {
    let first = lines(&inject(&["in"], None));
    assert_eq!(first.len(), SECTION.len(), "a takes the unit before it: {first:?}");
    let branch = done(&inject(&["a"], Some(&[]))).unwrap().text;
    assert!(branch.contains(
        "name = \"b\"\nuse = \"rollup\"\nconfig = { window = \"1s\", keys = [\"k\"] }\nfrom = [\"a\"]"
    ));
    let rest = done(&inject(&["a.rest"], None)).unwrap().text;
    assert!(
        rest.contains("name = \"n\"\nuse = \"filter\"\nconfig = { keep = \"true\" }\nfrom = [\"a.rest\"]"),
        "{rest}"
    );
    assert!(rest.contains("metric = \"rest\"\nfrom = [\"n\"]"), "{rest}");
}

#[test]
fn the_end_feeds_what_the_last_unit_fed() {
    let text = done(&inject(&["b"], None)).unwrap().text;
    assert!(text.contains("on = \"p/n\""), "{text}");
    assert!(text.contains("[[pipeline.series]]\nmetric = \"m\"\n\n"), "by default the last unit: {text}");
}

#[test]
fn a_removed_unit_joins_its_neighbours_and_keeps_the_comments_of_others() {
    let Err(EditError::InUse(message)) = done(&remove("a", false)) else { panic!() };
    assert!(message.contains("series rest"), "{message}");
    let edited = done(&remove("a", true)).unwrap();
    assert_eq!(edited.summary, "removes `a`, `series rest` in `p`");
    assert!(edited.text.contains("# --- the way ---\n\n[[pipeline.unit]]\nname = \"b\""), "{}", edited.text);
    assert!(!edited.text.contains("first of all") && !edited.text.contains("chart"), "{}", edited.text);
    assert!(edited.text.contains("triplet = \"d/e/f\"\nfrom = [\"in\"]"), "{}", edited.text);
    let text = done(&remove("b", false)).unwrap().text;
    assert!(text.contains("on = \"p/a\"") && text.contains("metric = \"m\"\n\n"), "{text}");
}

#[test]
fn injecting_and_removing_gives_the_text_back_where_it_was_said_by_default() {
    let ports = |_: &str| Some("out".to_owned());
    let with = apply(TEXT, &inject(&["a"], Some(&["b"])), &ports).unwrap().text;
    let gone = Edit::Remove { pipeline: "p".into(), unit: "n".into(), drop: false };
    assert_eq!(apply(&with, &gone, &ports).unwrap().text, TEXT);
}

#[test]
fn a_changed_configuration_touches_only_its_member() {
    let change = |config: Option<Value>, merge: Option<Value>| {
        Edit::Change(Change { pipeline: "p".into(), unit: "b".into(), config, merge, ..Change::default() })
    };
    let merged = change(None, Some(json!({ "window": "5s", "keys": null, "lateness": "1s" })));
    assert_eq!(
        lines(&merged),
        ["-config = { window = \"1s\", keys = [\"k\"] }", "+config = { window = \"5s\", lateness = \"1s\" }"]
    );
    assert_eq!(
        done(&merged).unwrap().summary,
        "sets config.keys, config.window, config.lateness of `b` in `p`"
    );
    let same = change(Some(json!({ "keys": ["k"], "window": "1s" })), None);
    assert_eq!(done(&same).unwrap().text, TEXT);
    assert!(matches!(done(&change(Some(json!({ "n": null })), None)), Err(EditError::Bad(_))));
    assert!(matches!(done(&change(Some(json!(1)), None)), Err(EditError::Bad(_))));
    assert!(matches!(done(&change(Some(json!({})), Some(json!({})))), Err(EditError::Bad(_))));
}

#[test]
fn a_comment_behind_a_value_stays() {
    let edit = Edit::Change(Change {
        pipeline: "p".into(),
        unit: "a".into(),
        merge: Some(json!({ "keep": "x > 2" })),
        uses: Some("transform".into()),
        ..Change::default()
    });
    assert_eq!(
        lines(&edit),
        [
            "-use = \"filter\"",
            "-config = { keep = \"x > 1\" } # why",
            "+use = \"transform\"",
            "+config = { keep = \"x > 2\" } # why"
        ]
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is_near() {
    let message = |edit: &Edit| done(edit).unwrap_err().to_string();
    assert!(message(&inject(&["aa"], None)).contains("did you mean `a`"));
    assert!(message(&inject(&["a"], Some(&["series mm"]))).contains("did you mean `series m`"));
    assert!(message(&inject(&["in"], Some(&["b"]))).contains("takes nothing from in"));
    assert!(message(&remove("c", false)).contains("there is no unit `c`"));
    let twice = Edit::Inject(Inject { pipeline: "p".into(), name: "a".into(), ..Inject::default() });
    assert!(matches!(done(&twice), Err(EditError::Exists(_))));
    let elsewhere = Edit::Remove { pipeline: "q".into(), unit: "a".into(), drop: false };
    assert!(message(&elsewhere).contains("no pipeline `q`"));
}

const INLINE: &str = "\
[[pipeline]]
name = \"p\"
from = [\"a/b/c\"]
unit = [
  { name = \"a\", use = \"filter\", config = { keep = \"x > 1\" } }, # why
  { name = \"b\", use = \"filter\", config.keep = \"x > 2\", config.more = 1 },
]
series = [{ metric = \"m\" }, { metric = \"n\", from = [\"a\"] }]
";

fn inline(edit: &Edit) -> String {
    let text = apply(INLINE, edit, &|_| Some("out".to_owned())).unwrap().text;
    assert!(text.parse::<toml::Table>().is_ok(), "{text}");
    text
}

#[test]
fn units_that_are_written_in_one_value_stay_so() {
    let unit = "{ name = \"n\", use = \"filter\", config = { keep = \"true\" } }";
    let between = inline(&inject(&["a"], Some(&["b"])));
    assert_eq!(between, INLINE.replace("  { name = \"b\"", &format!("  {unit},\n  {{ name = \"b\"")));
    let last = inline(&inject(&["b"], None));
    assert!(last.contains(&format!("config.more = 1 }},\n  {unit},\n]")), "{last}");
    let first = inline(&inject(&["in"], Some(&["a"])));
    assert!(first.contains(&format!("unit = [\n  {unit},\n  {{ name = \"a\"")), "{first}");
    let gone = inline(&remove("a", false));
    assert!(gone.contains("unit = [\n  { name = \"b\", use") && gone.contains("from = [\"in\"]"), "{gone}");
    let gone = inline(&remove("b", false));
    assert!(gone.contains("} },\n]\nseries = [{ metric = \"m\" }, {"), "{gone}");
}

#[test]
fn members_of_a_unit_in_one_value_are_changed_in_place() {
    let change = |unit: &str, merge: Value| {
        let (pipeline, unit) = ("p".to_owned(), unit.to_owned());
        inline(&Edit::Change(Change { pipeline, unit, merge: Some(merge), ..Change::default() }))
    };
    assert_eq!(change("a", json!({ "keep": "y" })), INLINE.replace("x > 1", "y"));
    let dotted = change("b", json!({ "more": null }));
    assert!(
        dotted.contains("{ name = \"b\", use = \"filter\", config = { keep = \"x > 2\" } },"),
        "{dotted}"
    );
}

#[test]
fn lists_in_one_value_begin_and_end_with_nothing() {
    let text = "pipeline = [{ name = \"p\", from = [\"a/b/c\"], series = [ ] }, { name = \"q\", unit = [] }]";
    let ports = |_: &str| None;
    let with = apply(text, &inject(&["in"], Some(&[])), &ports).unwrap().text;
    assert!(with.contains("series = [ ], unit = [{ name = \"n\""), "{with}");
    let gone = Edit::Remove { pipeline: "p".into(), unit: "n".into(), drop: false };
    let text = apply(&with, &gone, &ports).unwrap().text;
    assert!(text.contains("unit = [] }, { name = \"q\", unit = [] }]"), "{text}");
    let q = Edit::Inject(Inject {
        pipeline: "q".into(),
        name: "n".into(),
        uses: "filter".into(),
        ..Inject::default()
    });
    let text = apply(&text, &q, &ports).unwrap().text;
    assert!(text.contains("{ name = \"q\", unit = [{ name = \"n\", use = \"filter\" }] }"), "{text}");
}

#[test]
fn sections_below_a_unit_stay_with_it_and_go_with_it() {
    let text = "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n\n[[pipeline.unit]]\nname = \"a\"\nuse = \"filter\"\n[pipeline.unit.config]\nkeep = \"x\" # why\n# more = 1\n\n[server]\n";
    let ports = |_: &str| None;
    let added = apply(text, &inject(&["a"], None), &ports).unwrap().text;
    assert!(added.contains("# more = 1\n\n[[pipeline.unit]]\nname = \"n\"\n"), "{added}");
    let change = Change {
        pipeline: "p".into(),
        unit: "a".into(),
        merge: Some(json!({ "keep": "y", "n": [1, 2.5], "odd key": { "a": true } })),
        ..Change::default()
    };
    let changed = apply(text, &Edit::Change(change), &ports).unwrap().text;
    assert!(
        changed.contains("keep = \"y\" # why\nn = [1, 2.5]\n\"odd key\" = { a = true }\n# more = 1\n"),
        "{changed}"
    );
    let removed = apply(text, &remove("a", true), &ports).unwrap().text;
    assert_eq!(removed, "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n\n[server]\n");
}

#[test]
fn a_first_unit_finds_its_place() {
    let text = "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n\n[[pipeline.series]]\nmetric = \"m\"";
    let added = apply(text, &inject(&[], None), &|_| None).unwrap().text;
    assert!(added.contains("from = [\"a/b/c\"]\n\n[[pipeline.unit]]\nname = \"n\"\n"), "{added}");
    assert!(added.ends_with("\n[[pipeline.series]]\nmetric = \"m\"\n"), "{added}");
}
