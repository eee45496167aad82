//! The developer's commands.

mod components;

use std::path::Path;

fn main() -> anyhow::Result<()> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().nth(2).unwrap_or(manifest);
    for component in components::build(root)? {
        eprintln!("{}", component.display());
    }
    Ok(())
}
