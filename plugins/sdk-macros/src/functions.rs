//! `#[filter]` and `#[transform]`: a function becomes a unit.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, Expr, ExprLit, FnArg, ItemFn, Lit, Meta, MetaNameValue, Result, ReturnType, Type};

/// What a function says of its unit.
struct Parts {
    event: Type,
    config: Option<Type>,
    summary: String,
    schema: TokenStream,
}

fn parts(arguments: TokenStream, function: &ItemFn) -> Result<Parts> {
    let mut types = function.sig.inputs.iter().map(referred);
    let wanted = "write `fn name(event: &Event)` or `fn name(event: &Event, config: &Config)`";
    let event = types.next().ok_or_else(|| Error::new_spanned(&function.sig, wanted))??;
    let config = types.next().transpose()?;
    if types.next().is_some() {
        return Err(Error::new_spanned(&function.sig, wanted));
    }
    Ok(Parts { event, config, summary: summary(function), schema: schema(arguments)? })
}

fn referred(argument: &FnArg) -> Result<Type> {
    if let FnArg::Typed(typed) = argument
        && let Type::Reference(reference) = &*typed.ty
    {
        return Ok((*reference.elem).clone());
    }
    Err(Error::new_spanned(argument, "this is taken by reference: `event: &Event`"))
}

/// The comment above the function in one line.
fn summary(function: &ItemFn) -> String {
    let lines = function.attrs.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(MetaNameValue {
            path,
            value: Expr::Lit(ExprLit { lit: Lit::Str(line), .. }),
            ..
        }) if path.is_ident("doc") => Some(line.value().trim().to_owned()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ")
}

fn schema(arguments: TokenStream) -> Result<TokenStream> {
    if arguments.is_empty() {
        return Ok(quote!(::weir_sdk::manifest::NO_CONFIG));
    }
    let pair = syn::parse2::<MetaNameValue>(arguments)?;
    let value = &pair.value;
    if pair.path.is_ident("schema") {
        return Ok(quote!(#value));
    }
    Err(Error::new_spanned(&pair.path, "write `schema = CONST_WITH_THE_JSON_SCHEMA`"))
}

pub fn filter(arguments: TokenStream, function: ItemFn) -> Result<TokenStream> {
    let parts = parts(arguments, &function)?;
    let Parts { event, config, .. } = &parts;
    let name = &function.sig.ident;
    let call = if config.is_some() { quote!(#name(event, &self.config)) } else { quote!(#name(event)) };
    let body = quote! {
        let mask = ::weir_sdk::event::mask::<#event>(&input, |event| #call);
        Ok(::weir_sdk::output::forward_mask(0, mask).into_iter().collect())
    };
    Ok(unit(&function, &parts, "filter", "rows that are kept", &body))
}

pub fn transform(arguments: TokenStream, function: ItemFn) -> Result<TokenStream> {
    let parts = parts(arguments, &function)?;
    let Parts { event, config, .. } = &parts;
    let name = &function.sig.ident;
    let ReturnType::Type(_, output) = &function.sig.output else {
        return Err(Error::new_spanned(&function.sig, "a transform returns a struct that derives `Columns`"));
    };
    let call = if config.is_some() { quote!(#name(event, &self.config)) } else { quote!(#name(event)) };
    let body = quote! {
        let columns = ::weir_sdk::event::set::<#event, #output>(&input, |event| #call);
        Ok(::std::vec![::weir_sdk::output::forward_with(0, columns, ::std::vec::Vec::new())])
    };
    Ok(unit(&function, &parts, "transform", "the rows with their new columns", &body))
}

fn unit(function: &ItemFn, parts: &Parts, kind: &str, port: &str, body: &TokenStream) -> TokenStream {
    let Parts { event, config, summary, schema } = parts;
    let config = config.as_ref().map_or_else(|| quote!(::weir_sdk::NoConfig), |config| quote!(#config));
    let unit = format_ident!("{}Unit", camel_case(&function.sig.ident.to_string()));
    let visibility = &function.vis;
    quote! {
        #function

        #visibility struct #unit {
            #[allow(dead_code)]
            config: #config,
        }

        impl ::weir_sdk::Unit for #unit {
            type Config = #config;

            fn describe() -> ::weir_sdk::Description {
                ::weir_sdk::Description::new(#kind, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), #summary).config(#schema)
            }

            fn plan(_config: #config) -> ::std::result::Result<::weir_sdk::Plan, ::std::vec::Vec<::weir_sdk::Complaint>> {
                Ok(::weir_sdk::Plan::default().reads(<#event as ::weir_sdk::Event>::reads()).port("out", #port).cut_invariant())
            }

            fn open(config: #config, _opening: &::weir_sdk::Opening) -> ::std::result::Result<Self, ::weir_sdk::Failure> {
                Ok(Self { config })
            }

            fn process(
                &mut self,
                _context: &::weir_sdk::Context,
                input: ::weir_sdk::Batch,
            ) -> ::std::result::Result<::std::vec::Vec<::weir_sdk::Output>, ::weir_sdk::Failure> {
                #body
            }
        }

        ::weir_sdk::export_unit!(#unit);
    }
}

fn camel_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    });
    words.collect()
}
