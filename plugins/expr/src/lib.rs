//! Weir's expression language: text in, columns out.
//!
//! [`parse`] checks a text once and makes an [`Expr`]; [`Expr::eval`] and [`Expr::mask`] run it over whole [`Columns`]. Columns are borrowed
//! views of little-endian bytes, so that a Wasm guest (bytes from the contract) and the host (Arrow buffers) use the same code.
//! The language is described in `docs/expressions.md`. What cannot be computed (a text plus a number, a column that is not there) is
//! null in that row, never an error; what is wrong in every row (`1 + 'a'`) is a [`ParseError`] with its place and what to write instead.
//! Limits: 8 KiB of text, 1,024 nodes, 64 levels, 128 columns, 1,024 list items. Nothing here panics, whatever the text and the bytes are.

mod cast;
mod column;
mod eval;
mod function;
mod lexer;
mod node;
mod number;
mod parser;
mod text;
mod time;
mod value;

pub use cast::{Kind, cast, copy};
pub use column::{Bits, Columns, Packed, Source, View};
pub use node::Expr;
pub use parser::{ParseError, parse};
pub use value::{Column, Texts, Values};
