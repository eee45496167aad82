//! Rules: how things stand, one signal for each key whose level changed.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::rule::exports::weir::plugin::{evaluation, lifecycle, manifest};
use crate::column::F64s;
use crate::manifest::parse_config;
use crate::unit::{Hosted, no_migration, not_open};
use crate::{
    Batch, BatchExt, ColumnExt, Complaint, Context, Description, Due, Entries, Failure, FailureExt, Opening,
    Packed, Plan, Values,
};

pub use evaluation::{Severity, Signal};

pub trait Rule: Sized + 'static {
    type Config: DeserializeOwned;

    fn describe() -> Description;
    fn plan(config: Self::Config) -> Result<Plan, Vec<Complaint>>;
    fn open(config: Self::Config, opening: &Opening) -> Result<Self, Failure>;
    fn evaluate(&mut self, context: &Context, input: Batch) -> Result<Vec<Signal>, Failure>;

    fn tick(&mut self, _context: &Context, _due: Due) -> Result<Vec<Signal>, Failure> {
        Ok(Vec::new())
    }

    fn migrate(schema: u32, _old: Entries) -> Result<Vec<Entries>, Failure> {
        Err(no_migration(schema))
    }

    fn close(&mut self) {}
}

/// Unit of measurement of a column: the configured one, else what the host says of it. Empty: unknown.
pub fn measure(opening: &Opening, column: &str, configured: String) -> String {
    let of_column = format!("weir.unit.{column}");
    let hosts = opening.extras.iter().find(|extra| configured.is_empty() && extra.name == of_column);
    hosts.map_or(configured, |extra| extra.value.clone())
}

/// Key number, time and value of each row that has one, of a column of f64s; none where the stream does not have it: then there is nothing to judge.
pub fn values<'a>(input: &'a Batch, column: &str) -> impl Iterator<Item = (u32, i64, f64)> + use<'a> {
    let column = input.column(column);
    let bytes = column.and_then(|column| match &column.values {
        Values::F64s(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let values = F64s::new(bytes.unwrap_or_default());
    let (times, keys) = (input.times(), input.key_numbers());
    let is_there = move |row: &usize| column.is_some_and(|column| column.is_there(*row));
    (0..values.len()).filter(is_there).map(move |row| (keys.get(row), times.get(row), values.get(row)))
}

#[doc(hidden)]
pub struct Guest<T>(PhantomData<T>);

impl<T: Rule> manifest::Guest for Guest<T> {
    fn describe() -> String {
        T::describe().to_json()
    }

    fn plan(config: String) -> Result<String, Vec<manifest::Complaint>> {
        let config = parse_config(&config).map_err(|complaint| vec![into_rule(complaint)])?;
        T::plan(config).map(|plan| plan.to_json()).map_err(|list| list.into_iter().map(into_rule).collect())
    }
}

fn into_rule(complaint: Complaint) -> manifest::Complaint {
    manifest::Complaint { path: complaint.path, message: complaint.message }
}

impl<T: Rule + Hosted> lifecycle::Guest for Guest<T> {
    fn open(opening: lifecycle::Opening) -> Result<(), Failure> {
        crate::log::catch_panics();
        let config = parse_config(&opening.config)
            .map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
        let opening = Opening {
            config: opening.config,
            pipeline: opening.pipeline,
            name: opening.name,
            lane: opening.lane,
            lanes: opening.lanes,
            seed: opening.seed,
            extras: opening.extras,
        };
        let rule = T::open(config, &opening)?;
        T::with_instance(|instance| *instance = Some(rule));
        Ok(())
    }

    fn migrate(schema: u32, old: lifecycle::Entries) -> Result<Vec<lifecycle::Entries>, Failure> {
        let old = Entries {
            table: old.table,
            keys: old.keys,
            names: old.names,
            slots: old.slots,
            values: old.values,
        };
        let new = T::migrate(schema, old)?;
        Ok(new.into_iter().map(into_rule_entries).collect())
    }

    fn close() {
        T::with_instance(|instance| instance.take().iter_mut().for_each(Rule::close));
    }
}

fn into_rule_entries(entries: Entries) -> lifecycle::Entries {
    let Entries { table, keys, names, slots, values } = entries;
    let (names, values): (Packed, Packed) = (names, values);
    lifecycle::Entries { table, keys, names, slots, values }
}

impl<T: Rule + Hosted> evaluation::Guest for Guest<T> {
    fn evaluate(context: Context, input: Batch) -> Result<Vec<Signal>, Failure> {
        T::with_instance(|instance| instance.as_mut().ok_or_else(not_open)?.evaluate(&context, input))
    }

    fn tick(context: Context, due: Due) -> Result<Vec<Signal>, Failure> {
        T::with_instance(|instance| instance.as_mut().ok_or_else(not_open)?.tick(&context, due))
    }
}

/// Counts a type as used on targets where nothing is exported.
#[doc(hidden)]
pub fn keep<T: Rule>() {}

/// Makes a component of a type that is a [`Rule`](crate::Rule).
#[macro_export]
macro_rules! export_rule {
    ($type:ident) => {
        $crate::hosted!($type);
        const _: fn() = $crate::rule::keep::<$type>;
        #[cfg(target_family = "wasm")]
        mod weir_exports {
            type Guest = $crate::rule::Guest<super::$type>;
            $crate::bindings::rule::export_rule!(Guest with_types_in $crate::bindings::rule);
        }
    };
}
