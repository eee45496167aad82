//! Decoders that live long against oracles that read each input anew.
//!
//! A decoder that learns can only be wrong about what it learned before, so that it is not made anew for each input: [`fuzz`] gives one decoder thousands of inputs, cut
//! anywhere, and compares rows and rejected events with what an oracle says. In: the name of a codec, a seed, a number of inputs. Out: what was compared, or the
//! first difference with all that is needed to see it again. The same seed makes the same inputs on every machine.

pub mod damage;
pub mod direct;
pub mod expected;
pub mod fields;
pub mod json;
pub mod logfmt;
pub mod msgpack;
pub mod random;
pub mod subject;

mod life;

pub use life::{Failure, Format, Plan, Summary, formats, fuzz};
