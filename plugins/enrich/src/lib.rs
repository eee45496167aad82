//! enrich: adds columns from a table to each event, by a key.
//!
//! In: any stream, of it the key columns; with `stream` also the streams that are the table. Out: rows on port `out` with the columns of their entry; rows without an entry
//! leave by `out` as they are, or with `unmatched = "apart"` by the port `unmatched`. The table is a file, which the host reads with the configuration and hands over as text, or the newest event of
//! each key of another stream, kept as state, one value for each key; its events go no further. Keys of a file are compared as texts. A full state fails the
//! call with the host's reason. With a file cut-invariant; with a stream not, because the entry that a row meets depends on the order in which two streams arrive.

mod config;
mod entries;
mod selector;
mod table;

use std::collections::HashMap;

use weir_rows::Spread;
use weir_sdk::failure::bad_config;
use weir_sdk::output::forward_mask;
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Failure, Forward, Opening, Output, Plan, Read, Rows,
    Unit,
};

use config::{Config, Field, From, Unmatched};
use selector::Selector;
use table::{BETWEEN, Table};

const OUT: u32 = 0;
const UNMATCHED: u32 = 1;

struct Enrich {
    keys: Vec<String>,
    fields: Vec<Field>,
    source: Source,
    unmatched: Unmatched,
}

enum Source {
    File(Table),
    Stream(Selector),
}

impl Unit for Enrich {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Adds columns from a table, of a file or of another stream";
        Description::new("transform", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let (fields, from) = config.check()?;
        let plan = Plan::default();
        let plan = match from {
            From::File { name, text } => {
                Table::parse(name, text, &config.keys, &fields)
                    .map_err(|message| vec![Complaint::new("/table/file", message)])?;
                plan.reads(config.keys.iter().map(|name| Read::optional(name, "any"))).cut_invariant()
            }
            From::Stream(_) => {
                let table = weir_sdk::Table {
                    expire: config.forget.clone(),
                    ..weir_sdk::Table::by_key_packed("entries")
                };
                let added = fields.into_iter().filter(|field| !config.keys.contains(&field.name));
                let plan = plan.reads(added.map(|field| Read::optional(field.name, "any")));
                let plan = plan.reads(config.keys.iter().map(|name| Read::optional(name, "any")));
                Plan { across: true, ..plan }.keys(config.keys.clone()).table(table)
            }
        };
        let plan = plan.port("out", "events with the columns of their entry");
        Ok(match config.unmatched {
            Unmatched::Pass => plan,
            Unmatched::Apart => plan.port("unmatched", "events without an entry, as they are"),
        })
    }

    fn open(config: Config, _opening: &Opening) -> Result<Self, Failure> {
        let (fields, from) = config.check().map_err(bad_config)?;
        let source = match from {
            From::Stream(selector) => Source::Stream(selector),
            From::File { name, text } => {
                let table = Table::parse(name, text, &config.keys, &fields);
                Source::File(
                    table.map_err(|message| bad_config(vec![Complaint::new("/table/file", message)]))?,
                )
            }
        };
        Ok(Self { keys: config.keys, fields, source, unmatched: config.unmatched })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        match &self.source {
            Source::File(table) => {
                let rows = find(table, &input, &self.keys);
                Ok(self.joined(&rows, &table.columns))
            }
            Source::Stream(selector) if selector.matches(&input.triplet) => {
                entries::write(&input, &self.fields)?;
                Ok(Vec::new())
            }
            Source::Stream(_) => {
                let (rows, columns) = self.look_up(&input);
                Ok(self.joined(&rows, &columns))
            }
        }
    }
}

impl Enrich {
    /// For each row the place of its entry among those that the batch needs.
    fn look_up(&self, input: &Batch) -> (Vec<Option<usize>>, Vec<Spread>) {
        let mut places: HashMap<u32, usize> = HashMap::new();
        let mut keys = Vec::new();
        let of_row: Vec<usize> = input
            .key_numbers()
            .iter()
            .map(|key| {
                *places.entry(key).or_insert_with(|| {
                    keys.push(key);
                    keys.len() - 1
                })
            })
            .collect();
        let (cells, found) = entries::read(&keys, self.fields.len());
        let columns =
            self.fields.iter().zip(&cells).map(|(field, cells)| Spread::new(field.kind, cells)).collect();
        let rows =
            of_row.into_iter().map(|place| Some(place).filter(|place| found.get(*place) == Some(&true)));
        (rows.collect(), columns)
    }

    fn joined(&self, rows: &[Option<usize>], columns: &[Spread]) -> Vec<Output> {
        let mask: Vec<u8> = rows.iter().map(|row| u8::from(row.is_some())).collect();
        let none = !mask.contains(&1);
        let mut outputs = Vec::with_capacity(2);
        if self.unmatched == Unmatched::Apart {
            outputs.extend(forward_mask(UNMATCHED, mask.iter().map(|byte| byte ^ 1).collect()));
            if none {
                return outputs;
            }
        }
        let (mut set, mut omit) = (Vec::new(), Vec::new());
        for (field, spread) in self.fields.iter().zip(columns) {
            match spread.column(&field.column, rows) {
                Some(column) => set.push(column),
                // A column of that name that comes in would look like one of the table.
                None => omit.push(field.column.clone()),
            }
        }
        let all = self.unmatched == Unmatched::Pass || !mask.contains(&0);
        let rows = if all { Rows::All } else { Rows::Mask(mask) };
        outputs.push(Output::Forward(Forward { port: OUT, rows, set, omit }));
        outputs
    }
}

/// The entry of each row.
fn find(table: &Table, input: &Batch, keys: &[String]) -> Vec<Option<usize>> {
    let texts: Vec<entries::Texts> = keys.iter().map(|name| entries::Texts::of(input, name)).collect();
    if let [texts] = &texts[..] {
        return texts.find_each(input.rows as usize, |key| table.find(key));
    }
    let mut key = String::new();
    (0..input.rows as usize)
        .map(|row| {
            key.clear();
            for (index, texts) in texts.iter().enumerate() {
                if index > 0 {
                    key.push(BETWEEN);
                }
                key.push_str(texts.get(row)?);
            }
            table.find(&key)
        })
        .collect()
}

weir_sdk::export_unit!(Enrich);

#[cfg(test)]
mod tests;
