//! Which configuration runs after a start: the one that the journal ends with, or the file.
//!
//! In: what the journal left running (nothing at the first start), the text of the file now, and its text when it was taken last. Out: what runs, and how file and host stand to
//! each other. Changes over the API are in the journal and so survive a restart; a file that was changed while the host was down is taken; where both changed,
//! what ran stays, as it does while the host runs, and an operator says which of the two wins.

use std::sync::Arc;

use weir_core::config::Problem;

use crate::runtime::folder::Data;
use crate::runtime::{Checked, Runtime};
use crate::watched::CONFLICT;

/// How the file stands to what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The text of the file that was taken last.
    pub loaded: String,
    pub conflict: bool,
}

/// Makes the file's text run where that is what should. `checked` is that text.
pub fn settle(
    runtime: &Arc<Runtime>,
    data: Option<&Data>,
    text: &str,
    checked: Checked,
    origin: &str,
) -> Result<Standing, Vec<Problem>> {
    let (revision, running) = runtime.running();
    let loaded = data.and_then(Data::loaded);
    let (take, conflict) = decide((revision > 0).then_some(&*running), loaded.as_deref(), text);
    if take {
        let summary =
            if revision == 0 { "as at the start" } else { "the file was changed while weir was down" };
        runtime.configure_checked(checked, origin, summary)?;
    } else if conflict {
        tracing::warn!(revision, "the configuration file was not loaded: {CONFLICT}");
    } else if running != text {
        tracing::info!(revision, "what was changed over the API runs on; the configuration file is behind");
    }
    if !take {
        take_changed_components(runtime, revision, &running);
    }
    let loaded =
        if take || running == text { text.to_owned() } else { loaded.unwrap_or_else(|| text.to_owned()) };
    if let Some(data) = data.filter(|_| take || running == text) {
        data.keep_loaded(&loaded);
    }
    Ok(Standing { loaded, conflict })
}

/// A component whose file was changed while the host was down is taken, as a revision of its own, where it can run; else what ran goes on.
fn take_changed_components(runtime: &Arc<Runtime>, revision: u64, running: &str) {
    let changed = runtime.components_catalog().changed_since(revision);
    if changed.is_empty() {
        return;
    }
    let summary = format!("changed while weir was down: {}", changed.join(", "));
    let taken = Checked::new(running, runtime.components_catalog())
        .and_then(|checked| runtime.configure_checked(checked, "file", &summary));
    if let Err(problems) = taken {
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        tracing::error!(
            error = words,
            "a component that was changed while weir was down cannot run; the one before goes on"
        );
    }
}

/// Whether the file is taken, and whether it and what runs both have changed.
fn decide(running: Option<&str>, loaded: Option<&str>, file: &str) -> (bool, bool) {
    match (running, loaded) {
        (None, _) => (true, false),
        (Some(running), _) if running == file => (false, false),
        // The file is as it was: what runs was changed by other means.
        (Some(_), Some(loaded)) if loaded == file => (false, false),
        (Some(running), Some(loaded)) if loaded == running => (true, false),
        (Some(_), _) => (false, true),
    }
}

#[cfg(test)]
mod tests {
    use super::decide;

    #[test]
    fn the_side_that_changed_wins_and_where_both_did_nothing_is_taken() {
        for (running, loaded, file, expected) in [
            (None, None, "a", (true, false)),
            (Some("a"), Some("a"), "a", (false, false)),
            (Some("b"), Some("a"), "a", (false, false)),
            (Some("a"), Some("a"), "b", (true, false)),
            (Some("b"), Some("a"), "c", (false, true)),
            (Some("b"), Some("a"), "b", (false, false)),
            (Some("b"), None, "c", (false, true)),
        ] {
            assert_eq!(decide(running, loaded, file), expected, "{running:?} {loaded:?} {file}");
        }
    }
}
