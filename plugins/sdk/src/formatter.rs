//! Formatters: series or events to a chart. Pure: no state, the answer depends on the request alone.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::formatter::exports::weir::plugin::{manifest, rendering};
use crate::manifest::parse_config;
use crate::{Complaint, Description, Failure, Plan};

pub use rendering::{Axis, Binding, Chart, Gap, Input, Mark, Request, Table};

pub trait Formatter: Sized + 'static {
    type Config: DeserializeOwned;

    fn describe() -> Description;

    /// Most formatters take what they get.
    fn plan(_config: Self::Config) -> Result<Plan, Vec<Complaint>> {
        Ok(Plan::default())
    }

    /// `options` is `request.options`, parsed.
    fn render(options: Self::Config, request: Request) -> Result<Chart, Failure>;
}

#[doc(hidden)]
pub struct Guest<T>(PhantomData<T>);

impl<T: Formatter> manifest::Guest for Guest<T> {
    fn describe() -> String {
        T::describe().to_json()
    }

    fn plan(config: String) -> Result<String, Vec<manifest::Complaint>> {
        let convert =
            |complaint: Complaint| manifest::Complaint { path: complaint.path, message: complaint.message };
        let config = parse_config(&config).map_err(|complaint| vec![convert(complaint)])?;
        T::plan(config).map(|plan| plan.to_json()).map_err(|list| list.into_iter().map(convert).collect())
    }
}

impl<T: Formatter> rendering::Guest for Guest<T> {
    fn render(request: Request) -> Result<Chart, Failure> {
        use crate::FailureExt;
        crate::log::catch_panics();
        let options = parse_config(&request.options)
            .map_err(|complaint| Failure::fail("bad-options", complaint.message))?;
        T::render(options, request)
    }
}

/// Counts a type as used on targets where nothing is exported.
#[doc(hidden)]
pub fn keep<T: Formatter>() {}

/// Makes a component of a type that is a [`Formatter`](crate::Formatter).
#[macro_export]
macro_rules! export_formatter {
    ($type:ident) => {
        const _: fn() = $crate::formatter::keep::<$type>;
        #[cfg(target_family = "wasm")]
        mod weir_exports {
            type Guest = $crate::formatter::Guest<super::$type>;
            $crate::bindings::formatter::export_formatter!(Guest with_types_in $crate::bindings::formatter);
        }
    };
}
