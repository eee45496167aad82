//! Derives over structs with named fields; anything else is an error at its place.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Lit, Meta, Result};

fn fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    match &input.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) => Ok(data.fields.iter().collect()),
        _ => Err(Error::new_spanned(&input.ident, "this derives on structs with named fields")),
    }
}

/// The name of the column: `#[column = "http.status"]`, or the field's.
fn column_name(field: &Field) -> Result<String> {
    let Some(attribute) = field.attrs.iter().find(|attribute| attribute.path().is_ident("column")) else {
        return Ok(field.ident.as_ref().map(ToString::to_string).unwrap_or_default());
    };
    if let Meta::NameValue(pair) = &attribute.meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = &pair.value
    {
        return Ok(name.value());
    }
    Err(Error::new_spanned(attribute, "write `#[column = \"name\"]`"))
}

pub fn event(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let fields = fields(input)?;
    let columns = fields.iter().map(|field| column_name(field)).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let indexes: Vec<_> = (0..fields.len()).map(syn::Index::from).collect();
    let mut lifetimes = input.generics.lifetimes();
    let (lifetime, own) = match lifetimes.next() {
        Some(parameter) => {
            let lifetime = &parameter.lifetime;
            (quote!(#lifetime), quote!(<#lifetime>))
        }
        None => (quote!('event), quote!()),
    };
    let any = if own.is_empty() { quote!() } else { quote!(<'_>) };
    Ok(quote! {
        impl ::weir_sdk::Event for #name #any {
            type Row<#lifetime> = #name #own;
            type Readers<#lifetime> = (#(<#types as ::weir_sdk::event::Field<#lifetime>>::Reader,)*);

            fn reads() -> ::std::vec::Vec<::weir_sdk::Read> {
                fn of<#lifetime>() -> ::std::vec::Vec<::weir_sdk::Read> {
                    ::std::vec![#(::weir_sdk::event::read_of::<#types>(#columns)),*]
                }
                of()
            }

            fn readers<#lifetime>(batch: &#lifetime ::weir_sdk::Batch) -> Self::Readers<#lifetime> {
                (#(<#types as ::weir_sdk::event::Field<#lifetime>>::reader(::weir_sdk::BatchExt::column(batch, #columns)),)*)
            }

            #[inline]
            fn row<#lifetime>(readers: &Self::Readers<#lifetime>, row: usize) -> ::std::option::Option<Self::Row<#lifetime>> {
                ::std::option::Option::Some(#name {
                    #(#names: <#types as ::weir_sdk::event::Field<#lifetime>>::get(&readers.#indexes, row)?,)*
                })
            }
        }
    })
}

pub fn columns(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let fields = fields(input)?;
    let columns = fields.iter().map(|field| column_name(field)).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let indexes: Vec<_> = (0..fields.len()).map(syn::Index::from).collect();
    Ok(quote! {
        impl ::weir_sdk::event::Columns for #name {
            type Builders = (#(::weir_sdk::event::Builder<#types>,)*);

            fn push(self, builders: &mut Self::Builders) {
                #(builders.#indexes.push(self.#names);)*
            }

            fn push_nothing(builders: &mut Self::Builders) {
                #(builders.#indexes.push_nothing();)*
            }

            fn finish(builders: Self::Builders) -> ::std::vec::Vec<::weir_sdk::Column> {
                ::std::vec![#(builders.#indexes.finish(#columns)),*]
            }
        }
    })
}

pub fn state(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let fields = fields(input)?;
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    Ok(quote! {
        impl ::weir_sdk::aggregate::State for #name {
            const BYTES: usize = 0 #(+ <#types as ::weir_sdk::column::Number>::BYTES)*;

            fn from_bytes(bytes: &[u8]) -> Self {
                let mut rest = bytes;
                Self { #(#names: ::weir_sdk::aggregate::take::<#types>(&mut rest)),* }
            }

            fn put_bytes(&self, bytes: &mut ::std::vec::Vec<u8>) {
                #(::weir_sdk::column::Number::put_le(self.#names, bytes);)*
            }
        }
    })
}
