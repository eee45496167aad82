//! `cargo xtask docs`: writes the pages of `docs/units/`, one for each standard component, from what the components say of themselves.
//!
//! In: the repository's root. Out: files; what changed is for version control to show. The pages are made and, without the variable below, compared by the
//! whole-system test `pages`, so that one that is out of date does not pass.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, run, say};
use crate::components;

pub fn write(root: &Path) -> Result<()> {
    say("components");
    components::build(root)?;
    let mut test = cargo(root, &["test", "--release", "--workspace", "--test", "system", "--", "pages::"]);
    test.env("UPDATE_DOCS", "1");
    run(test)
}
