//! Units over Wasm: [`crate::units::WasmUnit`] is a flow's [`weir_core::unit::Unit`] made of an engine instance.
//!
//! The two crates do not know each other; this is the one place where their types meet: `give` lends Arrow buffers to the guest, `take` makes
//! arrays of what it returned, `state` serves its imports. `codec` is the same for codecs of sources. `catalog` knows which components
//! there are, `kept` has copies of what ran, `tables` reads the files that their configurations name.

pub mod catalog;
pub mod codec;
pub mod give;
mod kept;
pub mod state;
pub mod tables;
pub mod take;
pub mod wasm;

pub use catalog::Components;
pub use wasm::WasmUnit;
