//! A pattern over triplets, as in a pipeline's `from`: each part a text, `prefix*` or `*`.

use weir_sdk::Triplet;

pub struct Selector {
    parts: [String; 3],
}

impl Selector {
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        let parts: [String; 3] = parts.try_into().ok()?;
        let good = |part: &String| !part.is_empty() && part.find('*').is_none_or(|at| at + 1 == part.len());
        parts.iter().all(good).then_some(Self { parts })
    }

    pub fn matches(&self, triplet: &Triplet) -> bool {
        let names = [&triplet.application, &triplet.environment, &triplet.event_type];
        self.parts.iter().zip(names).all(|(pattern, name)| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == name,
        })
    }
}
