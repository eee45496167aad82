//! Units: one trait, and the macro that makes a component of it.
//!
//! The host calls `describe` and `plan` on a throw-away instance, `open` once, then `process` and `tick`. An instance is a value of the
//! author's type between these calls; after any error the host drops it with all its memory.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::unit::exports::weir::plugin::{lifecycle, manifest, processing};
use crate::manifest::parse_config;
use crate::{
    Batch, Complaint, Context, Description, Due, Entries, Failure, FailureExt, Opening, Output, Plan,
};

pub trait Unit: Sized + 'static {
    /// The configuration; [`crate::NoConfig`] where there is none.
    type Config: DeserializeOwned;

    fn describe() -> Description;

    /// Columns, keys, ports, tables for this configuration, or everything that is wrong with it.
    fn plan(config: Self::Config) -> Result<Plan, Vec<Complaint>>;

    fn open(config: Self::Config, opening: &Opening) -> Result<Self, Failure>;

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure>;

    /// Timers are due, or the pace of the plan's `tick`. Only `emit` and `extra` may be returned.
    fn tick(&mut self, _context: &Context, _due: Due) -> Result<Vec<Output>, Failure> {
        Ok(Vec::new())
    }

    /// State of an older schema to this one's.
    fn migrate(schema: u32, _old: Entries) -> Result<Vec<Entries>, Failure> {
        Err(no_migration(schema))
    }

    fn close(&mut self) {}
}

/// Whether a port leads anywhere; the rows of one that does not need not be found out.
pub fn is_connected(opening: &Opening, port: &str) -> bool {
    !opening.extras.iter().any(|extra| extra.name == "weir.unconnected" && extra.value == port)
}

pub(crate) fn no_migration(schema: u32) -> Failure {
    Failure::fail("no-migration", format!("state of schema {schema} is not understood"))
}

/// Where the one instance of a component lives; implemented by the export macros.
pub trait Hosted: Sized {
    fn with_instance<R>(call: impl FnOnce(&mut Option<Self>) -> R) -> R;
}

pub(crate) fn not_open() -> Failure {
    Failure::fail("not-open", "called before open")
}

/// What the bindings call; made by `export_unit!`.
#[doc(hidden)]
pub struct Guest<T>(PhantomData<T>);

impl<T: Unit> manifest::Guest for Guest<T> {
    fn describe() -> String {
        T::describe().to_json()
    }

    fn plan(config: String) -> Result<String, Vec<Complaint>> {
        let config = parse_config(&config).map_err(|complaint| vec![complaint])?;
        T::plan(config).map(|plan| plan.to_json())
    }
}

impl<T: Unit + Hosted> lifecycle::Guest for Guest<T> {
    fn open(opening: Opening) -> Result<(), Failure> {
        crate::log::catch_panics();
        let config = parse_config(&opening.config)
            .map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
        let unit = T::open(config, &opening)?;
        T::with_instance(|instance| *instance = Some(unit));
        Ok(())
    }

    fn migrate(schema: u32, old: Entries) -> Result<Vec<Entries>, Failure> {
        T::migrate(schema, old)
    }

    fn close() {
        T::with_instance(|instance| instance.take().iter_mut().for_each(Unit::close));
    }
}

impl<T: Unit + Hosted> processing::Guest for Guest<T> {
    fn process(context: Context, input: Batch) -> Result<Vec<Output>, Failure> {
        T::with_instance(|instance| instance.as_mut().ok_or_else(not_open)?.process(&context, input))
    }

    fn tick(context: Context, due: Due) -> Result<Vec<Output>, Failure> {
        T::with_instance(|instance| instance.as_mut().ok_or_else(not_open)?.tick(&context, due))
    }
}

/// The place for the one instance; used by the export macros.
#[doc(hidden)]
#[macro_export]
macro_rules! hosted {
    ($type:ident) => {
        impl $crate::unit::Hosted for $type {
            fn with_instance<R>(call: impl FnOnce(&mut Option<Self>) -> R) -> R {
                ::std::thread_local! {
                    static INSTANCE: ::std::cell::RefCell<Option<$type>> = const { ::std::cell::RefCell::new(None) };
                }
                INSTANCE.with_borrow_mut(call)
            }
        }
    };
}

/// Counts a type as used on targets where nothing is exported.
#[doc(hidden)]
pub fn keep<T: Unit>() {}

/// Makes a component of a type that is a [`Unit`](crate::Unit): `weir_sdk::export_unit!(MyUnit);`
#[macro_export]
macro_rules! export_unit {
    ($type:ident) => {
        $crate::hosted!($type);
        const _: fn() = $crate::unit::keep::<$type>;
        #[cfg(target_family = "wasm")]
        mod weir_exports {
            type Guest = $crate::unit::Guest<super::$type>;
            $crate::bindings::unit::export_unit!(Guest with_types_in $crate::bindings::unit);
        }
    };
}
