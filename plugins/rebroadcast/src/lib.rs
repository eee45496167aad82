//! rebroadcast: the same events to several ports, and to streams whose type the data choose.
//!
//! In: any stream; of it only the columns that `type` names. Out: all rows on each port of the configuration that leads anywhere; the rows are shared, not copied. With `type` they have the
//! computed type in a column, made of small letters, digits, `.`, `_` and `-`; a derived stream with `type_by` then goes by it, and bounds the number of types. The bound on how often a row may be
//! derived is the host's (8 times). No state; cut-invariant.

mod config;

use weir_rows::Spread;
use weir_sdk::column::{PackedExt, U32s};
use weir_sdk::expr::{self, Expr, Kind};
use weir_sdk::failure::bad_config;
use weir_sdk::output::forward_with;
use weir_sdk::unit::is_connected;
use weir_sdk::{
    Batch, BatchExt, Column, ColumnExt, Complaint, Context, Description, Failure, Opening, Output, Plan,
    Read, Unit, Values,
};

use config::Config;

const TYPE_CHARS_MAX: usize = 64;

struct Rebroadcast {
    /// Ports that lead anywhere.
    ports: Vec<u32>,
    made_of: Option<Expr>,
    type_column: String,
}

impl Unit for Rebroadcast {
    type Config = Config;

    fn describe() -> Description {
        let summary = "The same events to several ports, and to streams whose type the data choose";
        Description::new("rebroadcast", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let made_of = config.check()?;
        // The event time comes with every batch, it is no column.
        let names = made_of.iter().flat_map(Expr::columns).filter(|name| *name != "time");
        let plan = Plan::default().reads(names.map(|name| Read::optional(name, "any"))).cut_invariant();
        Ok(config.to.into_iter().fold(plan, |plan, name| plan.port(name, "all events")))
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let made_of = config.check().map_err(bad_config)?;
        let ports =
            (0..).zip(&config.to).filter(|(_, name)| is_connected(opening, name)).map(|(port, _)| port);
        Ok(Self { ports: ports.collect(), made_of, type_column: config.type_column })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let (mut set, mut omit) = (Vec::new(), Vec::new());
        if let Some(made_of) = &self.made_of {
            match self.types(made_of, &input) {
                Some(column) => set.push(column),
                // A column of that name that comes in is not the computed type.
                None => omit.push(self.type_column.clone()),
            }
        }
        Ok(self.ports.iter().map(|port| forward_with(*port, set.clone(), omit.clone())).collect())
    }
}

impl Rebroadcast {
    /// None where no row has a type.
    fn types(&self, made_of: &Expr, input: &Batch) -> Option<Column> {
        let rows = input.rows as usize;
        let made = Column::of_expr("made", made_of.eval(&input.expr_columns()), rows);
        let mut columns = expr::Columns::new(rows);
        columns.add("made", made.expr_source()?);
        let texts = Column::of_expr("made", expr::cast("made", Kind::Text).eval(&columns), rows);
        match &texts.values {
            Values::Categories(categories) => {
                let names = &categories.names;
                let types: Vec<Option<String>> =
                    (0..names.count()).map(|name| of_text(names.text_at(name))).collect();
                let codes = U32s::new(&categories.codes);
                let places: Vec<Option<usize>> =
                    (0..rows).map(|row| texts.is_there(row).then(|| codes.get(row) as usize)).collect();
                Spread::new(None, &types).column(&self.type_column, &places)
            }
            Values::Texts(packed) => {
                let of_row = |row| if texts.is_there(row) { of_text(packed.text_at(row)) } else { None };
                let types: Vec<Option<String>> = (0..rows).map(of_row).collect();
                let places: Vec<Option<usize>> = (0..rows).map(Some).collect();
                Spread::new(None, &types).column(&self.type_column, &places)
            }
            _ => None,
        }
    }
}

/// What can stand in a triplet; nothing of nothing.
fn of_text(text: &str) -> Option<String> {
    let fitting = |sign: char| match sign.to_ascii_lowercase() {
        sign if sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '-') => sign,
        _ => '-',
    };
    let made: String = text.trim().chars().take(TYPE_CHARS_MAX).map(fitting).collect();
    (!made.is_empty()).then_some(made)
}

weir_sdk::export_unit!(Rebroadcast);

#[cfg(test)]
mod tests;
