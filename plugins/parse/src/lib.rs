//! parse: takes the texts of a column apart and makes columns of their parts.
//!
//! In: any stream; of it only the one column. Out: rows whose text is of the form on port `out`, with the new columns; the others, and those without a text, as they are on `unparsed`.
//! A part that a text does not have, or that does not convert, is not there in that row; a column without any value in a batch is left out. Which columns there are and of which
//! kind comes from the configuration and never from the texts. Each distinct text of a column of categories is taken apart once a batch. No state; cut-invariant. A bad
//! configuration is refused in `plan`, all complaints at once.

mod agent;
mod columns;
mod config;
mod form;
mod members;
mod url;

use weir_sdk::failure::bad_config;
use weir_sdk::output::forward_mask;
use weir_sdk::unit::is_connected;
use weir_sdk::{
    Batch, BatchExt, ColumnExt, Complaint, Context, Description, Failure, Forward, Opening, Output, Plan,
    Read, Rows, Unit,
};

use columns::{Texts, parse};
use config::{Checked, Config};

const OUT: u32 = 0;
const UNPARSED: u32 = 1;

struct Parse {
    column: String,
    checked: Checked,
    keep: bool,
    unparsed: bool,
}

impl Unit for Parse {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Takes texts apart: JSON, key=value, regular expressions, URLs, user agents";
        Description::new("transform", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        config.check()?;
        Ok(Plan::default()
            .reads([Read::optional(config.column, "any")])
            .port("out", "rows with the parts of their text as columns")
            .port("unparsed", "rows whose text is not of that form, as they are")
            .cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let checked = config.check().map_err(bad_config)?;
        let unparsed = is_connected(opening, "unparsed");
        Ok(Self { column: config.column, checked, keep: config.keep, unparsed })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let rows = input.rows as usize;
        let column = input.column(&self.column);
        let Some((column, texts)) = column.and_then(|column| Some((column, Texts::of(column)?))) else {
            return Ok(forward_mask(UNPARSED, vec![1; rows]).into_iter().collect());
        };
        let parsed = parse(&self.checked.form, &self.checked.fields, &texts);
        let good = |row: usize| column.is_there(row) && parsed.good.get(texts.of_row(row)) == Some(&true);
        let mask: Vec<u8> = (0..rows).map(|row| u8::from(good(row))).collect();
        let mut outputs = Vec::with_capacity(2);
        if mask.contains(&1) {
            let (mut set, mut omit) = (Vec::new(), Vec::new());
            for column in parsed.columns(&self.checked.fields, &texts, &mask) {
                match column {
                    Ok(column) => set.push(column),
                    // A column of that name that comes in would look like a part of the text.
                    Err(name) => omit.push(name),
                }
            }
            let replaced = set.iter().any(|column| column.name == self.column) || omit.contains(&self.column);
            if !self.keep && !replaced {
                omit.push(self.column.clone());
            }
            let all = !mask.contains(&0);
            let rows = if all { Rows::All } else { Rows::Mask(mask.clone()) };
            outputs.push(Output::Forward(Forward { port: OUT, rows, set, omit }));
        }
        if self.unparsed {
            outputs.extend(forward_mask(UNPARSED, mask.iter().map(|byte| byte ^ 1).collect()));
        }
        Ok(outputs)
    }
}

weir_sdk::export_unit!(Parse);

#[cfg(test)]
mod tests;
