//! A unit of which only `describe` is of interest: [`describes!`] makes a component whose `describe` gives the value of an expression.
//!
//! Everything else is as good as can be: it plans one port and forwards all rows. So a host that runs such a component has believed the description.

pub use weir_sdk::bindings::unit::exports::weir::plugin::{lifecycle, manifest, processing};
pub use weir_sdk::bindings::unit::weir::plugin::types::{
    Batch, Context, Due, Failure, Forward, Output, Rows,
};

/// All rows to port 0.
pub fn forward_all() -> Vec<Output> {
    vec![Output::Forward(Forward { port: 0, rows: Rows::All, set: Vec::new(), omit: Vec::new() })]
}

/// `describes!(expression)` of type `String`.
#[macro_export]
macro_rules! describes {
    ($description:expr) => {
        pub struct Component;

        impl $crate::manifest::Guest for Component {
            fn describe() -> String {
                $description
            }

            fn plan(_config: String) -> Result<String, Vec<$crate::manifest::Complaint>> {
                Ok(r#"{"reads": [], "ports": [{"name": "out", "summary": "all rows"}]}"#.to_owned())
            }
        }

        impl $crate::lifecycle::Guest for Component {
            fn open(_opening: $crate::lifecycle::Opening) -> Result<(), $crate::Failure> {
                Ok(())
            }

            fn migrate(
                _schema: u32,
                old: $crate::lifecycle::Entries,
            ) -> Result<Vec<$crate::lifecycle::Entries>, $crate::Failure> {
                Ok(vec![old])
            }

            fn close() {}
        }

        impl $crate::processing::Guest for Component {
            fn process(
                _context: $crate::Context,
                _input: $crate::Batch,
            ) -> Result<Vec<$crate::Output>, $crate::Failure> {
                Ok($crate::forward_all())
            }

            fn tick(
                _context: $crate::Context,
                _due: $crate::Due,
            ) -> Result<Vec<$crate::Output>, $crate::Failure> {
                Ok(Vec::new())
            }
        }

        #[cfg(target_arch = "wasm32")]
        weir_sdk::bindings::unit::export_unit!(Component);
    };
}
