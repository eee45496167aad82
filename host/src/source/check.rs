//! What a source names and this machine must have: certificates, patterns of files, codecs.
//!
//! In: the sources of a configuration. Out: every problem with its place, for `weir check` and before the start. Nothing is bound or started, but a codec that is a component is
//! loaded and opened once.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_core::config::{Problem, SourceKind, SourceSpec};

use super::file::Patterns;
use super::tls;
use crate::units::Components;
use crate::units::codec::CodecMaker;

/// The codecs of sources that are components, by the name of the source.
#[derive(Clone, Default)]
pub struct Codecs {
    makers: BTreeMap<Arc<str>, CodecMaker>,
}

impl Codecs {
    /// Loads the components, which may compile them, and opens each once with its configuration.
    pub fn load(specs: &[SourceSpec], components: &Components) -> Result<Self, Vec<Problem>> {
        let mut makers = BTreeMap::new();
        let mut problems = Vec::new();
        for spec in specs.iter().filter(|spec| !spec.codec.is_built_in()) {
            match CodecMaker::new(components, &spec.name, &spec.codec.uses, &spec.codec.config) {
                Ok(maker) => drop(makers.insert(spec.name.clone(), maker)),
                Err(wrong) => problems.extend(wrong.into_iter().map(|(pointer, message)| Problem {
                    place: pointer.map_or_else(|| spec.place.member("codec"), |at| spec.place.config(&at)),
                    message,
                })),
            }
        }
        if problems.is_empty() { Ok(Self { makers }) } else { Err(problems) }
    }

    pub fn of(&self, source: &str) -> Option<CodecMaker> {
        self.makers.get(source).cloned()
    }
}

pub fn problems(specs: &[SourceSpec], components: &Components) -> Vec<Problem> {
    let codecs = Codecs::load(specs, components).err().unwrap_or_default();
    specs.iter().flat_map(one).chain(codecs).collect()
}

fn one(spec: &SourceSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem =
        |member: &str, message: String| problems.push(Problem { place: spec.place.member(member), message });
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
        let told: Vec<String> =
            topology.sources.iter().flat_map(super::one).map(|problem| problem.to_string()).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("source \"a\", tls") && told[0].contains("/none.pem"), "{told:?}");
        assert!(told[1].starts_with("source \"b\", paths") && told[1].contains("/x/***"), "{told:?}");
    }
}
