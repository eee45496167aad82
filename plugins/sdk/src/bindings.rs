//! Generated bindings of the four worlds; private by convention: the SDK's own modules give them shape.
//!
//! Made from `wit/` with wit-bindgen 0.63, one file for each world (types and imports are those of `unit` in all of them):
//! `wit-bindgen rust --world W --format --generate-all --generate-unused-types --disable-custom-section-link-helpers --pub-export-macro --export-macro-name export_W
//! --default-bindings-module weir_sdk::bindings::W --runtime-path ::weir_sdk::rt`, and for the other worlds
//! `--with weir:plugin/types@0.1.0=::weir_sdk::bindings::unit::weir::plugin::types` (also log; for rules state and timers). Then `__export_weir_plugin`
//! becomes `__export_W_weir_plugin`, because exported macros of one crate share a namespace.

#[allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic, unused, unused_qualifications)]
#[rustfmt::skip]
pub mod codec;
#[allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic, unused, unused_qualifications)]
#[rustfmt::skip]
pub mod formatter;
#[allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic, unused, unused_qualifications)]
#[rustfmt::skip]
pub mod rule;
#[allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic, unused, unused_qualifications)]
#[rustfmt::skip]
pub mod unit;
