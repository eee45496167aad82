//! The attributes and derives of weir-sdk. What they expand to is plain code that an author could have written with the traits of the SDK.

mod derives;
mod functions;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemFn, parse_macro_input};

/// Makes a filter of `fn keep(event: &E) -> bool` or `fn keep(event: &E, config: &C) -> bool`, where `E` derives `Event` and `C` deserializes.
/// Rows that lack a field which is not an `Option` are not kept. The comment above the function is the summary.
/// `#[filter(schema = CONFIG)]` names a const with the JSON Schema of `C`.
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finished(functions::filter(arguments.into(), function))
}

/// Makes a transform of `fn add(event: &E) -> O` (or with `config: &C`), where `O` derives `Columns`: its fields become columns of the row.
/// Rows that lack a field which is not an `Option` get no value in the new columns.
#[proc_macro_attribute]
pub fn transform(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finished(functions::transform(arguments.into(), function))
}

/// Fields of type f64, i64, u64, bool, &str, and Option of these are read from the columns of their names, or of `#[column = "name"]`.
#[proc_macro_derive(Event, attributes(column))]
pub fn event(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    finished(derives::event(&input))
}

/// Fields of type f64, i64, u64, bool, String, and Option of these become columns of their names, or of `#[column = "name"]`.
#[proc_macro_derive(Columns, attributes(column))]
pub fn columns(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    finished(derives::columns(&input))
}

/// Fields of type f64, i64, u64, u32 are kept one after the other; all zeros is a state in which nothing has happened.
#[proc_macro_derive(State)]
pub fn state(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    finished(derives::state(&input))
}

fn finished(made: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    made.unwrap_or_else(|err| err.to_compile_error()).into()
}
