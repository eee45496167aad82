//! JSON: inputs, and the oracle that says what they must come to.

#[cfg(test)]
mod acceptance;
mod inputs;
mod oracle;

pub use inputs::input;
pub use oracle::expect;
