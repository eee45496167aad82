//! Metrics in a text: made, changed, taken away; what stays as it was, and what is refused.

use serde_json::json;

use super::*;
use crate::edit::{Edit, apply};

const TEXT: &str = "\
# mine
[[metric]]
name = \"seen\" # all
from = [\"a/b/c\"]
rollup = [{ window = \"1s\", is = \"count\" }]

# who is too often here
[[rule]]
name = \"often\"
use = \"threshold\"
on = \"seen/1s\"

[[chart]]
id = \"drawn\"
metric = \"seen_1s\"
use = \"timeseries\"
";

fn done(text: &str, edit: &Edit) -> Result<crate::edit::Edited, EditError> {
    apply(text, edit, &|_| None)
}

fn wanted(members: Value) -> Wanted {
    Wanted::read(&members, None).unwrap()
}

#[test]
fn a_new_metric_stands_behind_the_others() {
    let members = json!({
        "rollup": [{ "window": "1s", "is": ["median", "max"], "keep": null }, { "window": "1m", "is": "count" }],
        "name": "time", "from": "a/b/c", "where": null, "key": "status", "value": { "ms": "t" }, "chart": false
    });
    let section = "[[metric]]\nname = \"time\"\nfrom = [\"a/b/c\"]\nkey = [\"status\"]\nvalue = { ms = \"t\" }\n\
                   rollup = [\n  { window = \"1s\", is = [\"median\", \"max\"] },\n  { window = \"1m\", is = \"count\" },\n]\nchart = false\n";
    assert_eq!(wanted(members.clone()).text().unwrap(), section);
    let added = done(TEXT, &Edit::AddMetric(wanted(members.clone()))).unwrap();
    assert_eq!(added.summary, "adds the metric `time`");
    assert_eq!(added.text, TEXT.replace("\n# who", &format!("\n{section}\n# who")));
    let gone = Edit::RemoveMetric { name: "time".into(), drop: false };
    assert_eq!(done(&added.text, &gone).unwrap().text, TEXT);
    let alone = done("[server]\n", &Edit::AddMetric(wanted(members))).unwrap().text;
    assert_eq!(alone, format!("[server]\n\n{section}"));
}

#[test]
fn a_change_touches_only_what_differs() {
    let set = |members: Value| done(TEXT, &Edit::SetMetric(wanted(members))).unwrap();
    let from = json!(["a/b/c"]);
    let rollup = json!([{ "window": "1s", "is": "count" }]);
    let same = json!({ "rollup": rollup, "from": from, "name": "seen" });
    assert_eq!(set(same).text, TEXT);
    let other = set(
        json!({ "name": "seen", "from": from, "key": "host", "rollup": [{ "window": "5s", "is": "count" }] }),
    );
    assert_eq!(
        other.text,
        TEXT.replace("is = \"count\" }]\n", "is = \"count\" }]\nkey = [\"host\"]\n")
            .replace("1s\", is", "5s\", is")
    );
    assert_eq!(other.summary, "sets rollup, key of the metric `seen`");
    let sections = TEXT.replace(
        "rollup = [{ window = \"1s\", is = \"count\" }]",
        "[[metric.rollup]]\nwindow = \"1s\"\nis = \"count\"",
    );
    let edit = Edit::SetMetric(wanted(
        json!({ "name": "seen", "from": from, "rollup": { "window": "5s", "is": "count" } }),
    ));
    let text = done(&sections, &edit).unwrap().text;
    assert!(text.starts_with("[[metric]]\nname = \"seen\"\nfrom = [\"a/b/c\"]\nrollup = [{ window = \"5s\", is = \"count\" }]\n\n# who"), "{text}");
}

#[test]
fn what_takes_from_a_metric_keeps_it_or_goes_with_it() {
    let remove = |drop| done(TEXT, &Edit::RemoveMetric { name: "seen".into(), drop });
    let Err(EditError::InUse(message)) = remove(false) else { panic!() };
    assert!(message.contains("rule `often`, chart `drawn` take from"), "{message}");
    let edited = remove(true).unwrap();
    assert_eq!(
        (edited.text.as_str(), edited.summary.as_str()),
        ("", "removes the metric `seen`, rule `often`, chart `drawn`")
    );
}

#[test]
fn what_is_no_metric_is_refused() {
    let refused = |members: Value, name| Wanted::read(&members, name).unwrap_err().to_string();
    assert!(refused(json!([]), None).contains("is an object like"));
    assert!(refused(json!({ "name": 5 }), None).contains("needs a `name`"));
    assert!(refused(json!({ "name": "b" }), Some("a")).contains("keeps its name"));
    let message = |edit: Edit| done(TEXT, &edit).unwrap_err().to_string();
    assert!(message(Edit::AddMetric(wanted(json!({ "name": "seen" })))).contains("already a metric `seen`"));
    assert!(message(Edit::SetMetric(wanted(json!({ "name": "sen" })))).contains("did you mean `seen`"));
}

#[test]
fn units_that_a_metric_made_are_told_by_their_metric() {
    let text = TEXT.replace("rollup = ", "where = \"x > 1\"\nvalue = \"y * 2\"\nrollup = ");
    let topology = Topology::parse(&text.replace("on = \"seen", "config = {}\non = \"seen")).unwrap();
    let pipeline = topology.pipelines[0].name.to_string();
    let told = |pipeline: &str, unit| {
        crate::edit::by_metric(&topology, pipeline, unit).map(|error| error.to_string())
    };
    for (pipeline, unit) in [("seen", "1s"), (pipeline.as_str(), "seen-1s")] {
        assert!(
            told(pipeline, Some(unit)).unwrap().contains("made by the metric `seen`, from its rollup `1s`")
        );
    }
    assert!(told("seen", Some("value")).unwrap().contains("from its `value`"));
    assert!(told(&pipeline, Some("where")).unwrap().contains("the `where` that the metric `seen` has"));
    assert!(told(&pipeline, None).unwrap().contains("no place for another unit"));
    assert_eq!(told("other", Some("1s")), None);
}
