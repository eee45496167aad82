//! threshold: a rule that gives each key the level that its newest value has.

pub mod component;
pub mod config;
pub mod levels;

#[cfg(test)]
mod tests;
