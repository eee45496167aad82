//! Bytes of events whose schema nobody declared in; Arrow columns, rejected rows and schema changes out.
//!
//! A [`Decoder`] reads one format and makes rows ([`json`], [`msgpack`], [`logfmt`]); [`Tables`] makes columns of rows: a row is staged ([`Row`]),
//! the fields that are named in [`Settings::route_fields`] choose its table, and committing it writes the table's column builders. So
//! events of many streams on one connection are split without being decoded twice, and a bad event leaves nothing behind. Batches come
//! back as [`Finished`]: a record batch, the rows' times, and how the schema changed.
//!
//! Types follow the data and never narrow: Int64, UInt64, Float64, Boolean, Utf8 (coded by a dictionary that lives across batches and has
//! an identity), Binary, Timestamp(ns). Values of several types in one column make it text. Nested fields are columns with dotted names.
//!
//! Everything is bounded by [`Limits`]. Nothing here reads a clock, a file or a socket, and nothing panics on any input.

mod bytes;
mod column;
mod dictionary;
mod input;
pub mod json;
mod lanes;
mod limits;
mod literal;
pub mod logfmt;
pub mod msgpack;
mod order;
mod reject;
mod routes;
mod row;
mod same;
mod schema;
mod settings;
mod shape;
mod stage;
mod table;
mod tables;
pub mod time;
mod value;
mod words;

pub use dictionary::{begin_dictionary_ids, new_dictionary_id};
pub use input::{Decoder, Input};
pub use limits::Limits;
pub use reject::{REJECTED_KEPT_MAX, Refusal, Rejected, shown};
pub use routes::{OneTable, Router};
pub use row::Row;
pub use schema::{ChangeKind, Field, Object, SchemaChange};
pub use settings::{ROUTE_FIELDS_MAX, Settings};
pub use table::{Finished, TableCounters};
pub use tables::Tables;
pub use value::Value;

#[cfg(test)]
mod tests;
