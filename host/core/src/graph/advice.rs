//! What is allowed in a configuration that can run, and probably not meant: warnings, each with its place and what would be right.
//!
//! A selector that no source and no derived stream can match; a port that leads nowhere although the unit was given it on purpose; a key without an end, of which
//! something is kept for ever. (A unit whose output nothing takes is found without components, see `config`.)

use super::{Resolved, ResolvedPipeline};
use crate::config::{PipelineSpec, Problem, SourceKind, Topology, UnitSpec};
use crate::triplet::Selector;

/// The port of a split for what no other port took; nobody has to want it.
const REST: &str = "rest";

pub fn warnings(topology: &Topology, pipelines: &[ResolvedPipeline]) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let written = written(topology);
    for (spec, resolved) in topology.pipelines.iter().zip(pipelines) {
        // Without any source it is a part of a configuration, not a mistake in one.
        if !topology.sources.is_empty() {
            selectors(spec, &written, &mut warnings);
        }
        for ((unit, node), routes) in spec.units.iter().zip(&resolved.nodes).zip(&resolved.routes) {
            let led: Vec<bool> = routes.iter().map(|targets| !targets.is_empty()).collect();
            ports(unit, node, &led, &mut warnings);
            keys(unit, node, &mut warnings);
        }
    }
    warnings
}

/// What sources and pipelines may write.
fn written(topology: &Topology) -> Vec<Selector> {
    let own = |text: &str| text.parse::<Selector>().into_iter().collect::<Vec<Selector>>();
    let sources = topology.sources.iter().flat_map(|source| match &source.kind {
        SourceKind::Host => own("host/local/*"),
        SourceKind::Weir => own("weir/local/*"),
        _ => source.may_write.clone(),
    });
    let derived = topology.pipelines.iter().flat_map(|pipeline| &pipeline.streams);
    sources.chain(derived.flat_map(|stream| own(&stream.name.to_string()))).collect()
}

fn selectors(spec: &PipelineSpec, written: &[Selector], warnings: &mut Vec<Problem>) {
    for selector in &spec.from {
        if !written.iter().any(|known| known.overlaps(selector)) {
            let may: Vec<String> = written.iter().map(|known| format!("`{known}`")).collect();
            warnings.push(Problem {
                place: spec.place.member("from"),
                message: format!(
                    "`{selector}` matches no stream that a source may write or a pipeline derives ({}); correct it, or add the source",
                    may.join(", ")
                ),
            });
        }
    }
}

fn ports(unit: &UnitSpec, node: &Resolved, led: &[bool], warnings: &mut Vec<Problem>) {
    if !led.contains(&true) {
        return;
    }
    let named_on_purpose = node.manifest.kind == "split";
    for (number, port) in node.plan.ports.iter().enumerate() {
        let leads = led.get(number) == Some(&true);
        let wanted = number == 0 || (named_on_purpose && &*port.name != REST);
        if wanted && !leads {
            warnings.push(Problem {
                place: unit.place.here(),
                message: format!(
                    "nothing takes its port `{0}`, and those rows end there; connect it as `from = [\"{1}.{0}\"]`, or leave the port out",
                    port.name, unit.name
                ),
            });
        }
    }
}

/// Windows close and take their keys along; other tables keep what they have.
fn keys(unit: &UnitSpec, node: &Resolved, warnings: &mut Vec<Problem>) {
    let windowed = node.manifest.kind == "rollup" || node.plan.delay_ns > 0;
    let for_ever = node.plan.tables.iter().any(|table| table.by_key && table.expire_ns.is_none());
    if !node.plan.keys.is_empty() && for_ever && !windowed {
        warnings.push(Problem {
            place: unit.place.member("config.keys"),
            message: format!(
                "keeps something for each value of {} and never forgets one; where their number has no bound, let fewer columns make the key, or give the \
                 component an expiry where it has one",
                node.plan.keys.join(", ")
            ),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::graph::{Catalog, resolve};
    use crate::plan::{Manifest, Plan, PlannedPort, PlannedTable};

    /// `KIND` or `KIND-keyed`, each with the ports a, b and rest.
    struct Kinds;

    impl Catalog for Kinds {
        fn manifest(&self, uses: &str) -> Result<Arc<Manifest>, String> {
            let kind = uses.split('-').next().unwrap_or_default().to_owned();
            Ok(Arc::new(Manifest {
                name: uses.into(),
                version: "1".into(),
                summary: String::new(),
                kind,
                config_schema: Value::Null,
                state_schema: 1,
                migrates: Vec::new(),
                warnings: Vec::new(),
            }))
        }

        fn plan(&self, uses: &str, _: &Value) -> Result<Arc<Plan>, Vec<(String, String)>> {
            let port = |name: &str| PlannedPort { name: name.into(), summary: String::new() };
            let table = PlannedTable { name: "t".into(), by_key: true, size: None, expire_ns: None };
            let keyed = uses.ends_with("-keyed");
            Ok(Arc::new(Plan {
                ports: ["a", "b", "rest"].map(port).to_vec(),
                keys: if keyed { vec!["user".into()] } else { Vec::new() },
                tables: if keyed { vec![table] } else { Vec::new() },
                ..Plan::default()
            }))
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn check(from: &str, uses: &str, taken: &str, expected: &[&str]) {
        let text = format!(
            "[[source]]\nname = \"t\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:1\"\nmay_write = [\"shop/*/*\"]\n[[source]]\nname = \"h\"\nkind = \"host\"\n\
             [[pipeline]]\nname = \"p\"\nfrom = [\"{from}\"]\n[[pipeline.unit]]\nname = \"u\"\nuse = \"{uses}\"\n[[pipeline.series]]\nmetric = \"m\"\nfrom = [{taken}]\n"
        );
        let topology = Topology::parse(&text).unwrap();
        let graph = resolve(&topology, &Kinds).unwrap();
        let told: Vec<String> = graph.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        assert!(told.iter().zip(expected).all(|(told, part)| told.contains(part)), "{told:#?}");
    }

    #[test]
    fn a_selector_that_nothing_writes_is_told_with_what_is_written() {
        check("shop/prod/request", "filter", "\"u\"", &[]);
        check("host/local/c*", "filter", "\"u\"", &[]);
        check("shopp/prod/request", "filter", "\"u\"", &["`shopp/prod/request` matches no stream"]);
        check("host/remote/cpu", "filter", "\"u\"", &["`host/local/*`"]);
    }

    #[test]
    fn a_port_that_leads_nowhere_is_told_where_it_was_meant() {
        check("shop/a/b", "split", "\"u.a\", \"u.b\"", &[]);
        check("shop/a/b", "split", "\"u.a\"", &["port `b`"]);
        check("shop/a/b", "filter", "\"u.rest\"", &["port `a`"]);
        check("shop/a/b", "filter", "\"u\"", &[]);
    }

    #[test]
    fn a_key_without_an_end_is_told() {
        check("shop/a/b", "aggregate-keyed", "\"u\"", &["each value of user"]);
        check("shop/a/b", "rollup-keyed", "\"u\"", &[]);
    }
}
