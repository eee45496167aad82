//! Proofs against a real `weir` in its own process: what `cargo xtask prove NAME` runs.
//!
//! `edit`: live edits under load, with a checker outside that counts. `crash`: kills at random, with a book of what was acknowledged. `disk`: journal, checkpoints and snapshots on disks that
//! fail as planned, without a process. Out: figures by name and the violations; one line of JSON, `{"prove":…,"figures":{…}}`.

mod aim;
pub mod checker;
pub mod crash;
pub mod disk;
pub mod edit;
pub mod editor;
pub mod journal;
pub mod producer;
pub mod sender;
pub mod watcher;

/// What a proof found.
#[derive(Debug, Default)]
pub struct Proof {
    pub prove: &'static str,
    pub figures: Vec<(&'static str, f64)>,
    pub violations: Vec<String>,
}

impl Proof {
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    pub fn json(&self) -> String {
        let rounded = |value: f64| serde_json::json!((value * 1_000.0).round() / 1_000.0);
        let figures: serde_json::Map<_, _> =
            self.figures.iter().map(|(name, value)| ((*name).to_owned(), rounded(*value))).collect();
        serde_json::json!({ "prove": self.prove, "figures": figures }).to_string()
    }
}
