//! What a source names and this machine must have: certificates, patterns of files, codecs.
//!
//! In: the sources of a configuration. Out: every problem with its place, for `weir check` and before the start. Nothing is bound or started.

use weir_core::config::{Problem, SourceKind, SourceSpec};

use super::file::Patterns;
use super::tls;

pub fn problems(specs: &[SourceSpec]) -> Vec<Problem> {
    specs.iter().flat_map(one).collect()
}

fn one(spec: &SourceSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem =
        |member: &str, message: String| problems.push(Problem { place: spec.place.member(member), message });
    if !spec.codec.is_built_in() {
        problem("codec", format!("there is no codec `{}`; write \"json\"", spec.codec.uses));
    }
    match &spec.kind {
        SourceKind::Tcp { tls: Some(tls), .. } => {
            if let Err(error) = tls::acceptor(tls) {
                problem("tls", error.to_string());
            }
        }
        SourceKind::File(file) => {
            if let Err((text, why)) = Patterns::new(&file.paths) {
                problem("paths", format!("`{text}` is no pattern: {why}"));
            }
        }
        _ => {}
    }
    problems
}

#[cfg(test)]
mod tests {
    use weir_core::config::Topology;

    #[test]
    fn files_and_patterns_that_cannot_be_used_are_told_with_their_place() {
        let text = "[[source]]\nname = \"a\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:1\"\ntls = { certificate = \"/none.pem\", key = \"/none.key\" }\n\
            [[source]]\nname = \"b\"\nkind = \"file\"\npaths = [\"/x/***\"]\n";
        let topology = Topology::parse(text).unwrap();
        let told: Vec<String> = super::problems(&topology.sources).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("source \"a\", tls") && told[0].contains("/none.pem"), "{told:?}");
        assert!(told[1].starts_with("source \"b\", paths") && told[1].contains("/x/***"), "{told:?}");
    }
}
