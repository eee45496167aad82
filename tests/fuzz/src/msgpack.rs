//! MessagePack: inputs, and the oracle that says what they must come to.

mod inputs;
mod oracle;

pub use inputs::input;
pub use oracle::expect;
