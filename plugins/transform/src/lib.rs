//! transform: computes, renames, converts and drops columns.
//!
//! In: any stream; of it only the columns that expressions, casts and renames name. Out: all rows on port `out`, with the new columns. Everything is computed
//! from the columns as they come in, so the order of the configuration does not matter. A row in which something cannot be computed has no
//! value there; a column without a value in the whole batch is left out. `time` replaces the event time, and where there is no result it stays.
//! No state; cut-invariant. A bad configuration is refused in `plan`, all complaints at once.

mod config;

use weir_sdk::column::bytes_of;
use weir_sdk::expr::{self, Kind, Values as Computed};
use weir_sdk::output::forward_with;
use weir_sdk::{
    Batch, BatchExt, Column, ColumnExt, Complaint, Context, Description, Failure, FailureExt, Opening,
    Output, Plan, Read, Unit, Values,
};

use config::{Changes, Config};

struct Transform {
    changes: Changes,
}

impl Unit for Transform {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Computes, renames, converts and drops columns";
        Description::new("transform", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let changes = config::changes(&config)?;
        Ok(Plan::default()
            .reads(changes.reads.iter().map(|name| Read::optional(name, "any")))
            .port("out", "the rows with their new columns")
            .cut_invariant())
    }

    fn open(config: Config, _opening: &Opening) -> Result<Self, Failure> {
        let changes = config::changes(&config).map_err(|complaints| {
            let lines: Vec<String> =
                complaints.into_iter().map(|c| format!("{}: {}", c.path, c.message)).collect();
            Failure::fail("bad-config", lines.join("; "))
        })?;
        Ok(Self { changes })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let rows = input.rows as usize;
        let columns = input.expr_columns();
        let mut set = Vec::with_capacity(self.changes.made.len() + self.changes.moved.len());
        let mut omit = self.changes.omit.clone();
        for (name, expr) in &self.changes.made {
            let computed = expr.eval(&columns);
            if name == "time" {
                set.push(new_time(computed, &input, rows));
            } else if matches!(computed.values, Computed::Null) {
                omit.push(name.clone());
            } else {
                set.push(Column::of_expr(name, computed, rows));
            }
        }
        for (name, expr) in &self.changes.moved {
            let computed = expr.eval(&columns);
            if !matches!(computed.values, Computed::Null) {
                set.push(Column::of_expr(name, computed, rows));
            } else if expr.columns().iter().any(|column| input.column(column).is_some()) {
                // It is there, but nothing of it converts.
                omit.push(name.clone());
            }
        }
        Ok(vec![forward_with(0, set, omit)])
    }
}

/// The computed time where there is one, else the row's own.
fn new_time(computed: expr::Column, input: &Batch, rows: usize) -> Column {
    let column = Column::of_expr("computed", computed, rows);
    let mut columns = expr::Columns::new(rows);
    if let Some(source) = column.expr_source() {
        columns.add("computed", source);
    }
    let cast = expr::cast("computed", Kind::Timestamp).eval(&columns);
    let times = match &cast.values {
        Computed::Timestamps(times) => times.as_slice(),
        _ => &[],
    };
    let chosen = input.times().iter().enumerate().map(|(row, own)| match (times.get(row), &cast.valid) {
        (Some(time), None) => *time,
        (Some(time), Some(valid)) if valid.get(row) == Some(&1) => *time,
        _ => own,
    });
    Column::new("time", Values::S64s(bytes_of(&chosen.collect::<Vec<i64>>())))
}

weir_sdk::export_unit!(Transform);

#[cfg(test)]
mod tests;
