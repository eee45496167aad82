//! split: parts a stream to named ports, by a column's value or by conditions.
//!
//! In: any stream; of it only the columns that conditions and `by` name. Out: the ports of the configuration in their order, and last `rest`, for rows that
//! no other port takes. A row leaves once, by the first port that fits, or with `match = "all"` by each. What cannot be computed is not true, so a row without
//! the column goes to `rest`. Up to 63 ports. No state; cut-invariant. A bad configuration is refused in `plan`, all complaints at once.

mod config;

use std::collections::BTreeSet;

use weir_sdk::failure::bad_config;
use weir_sdk::output::forward_mask;
use weir_sdk::unit::is_connected;
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Failure, Opening, Output, Plan, Read, Unit,
};

use config::{Branch, Config, Match, REST};

struct Split {
    branches: Vec<Branch>,
    takes: Match,
    /// For each branch, and last for `rest`.
    connected: Vec<bool>,
}

impl Unit for Split {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Parts a stream to named ports, by a column's value or by conditions";
        Description::new("split", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let branches = config::branches(&config)?;
        // The event time comes with every batch, it is no column.
        let named = branches.iter().flat_map(|branch| branch.when.columns()).filter(|name| *name != "time");
        let names: BTreeSet<String> = named.cloned().collect();
        let plan = Plan::default().reads(names.into_iter().map(|name| Read::optional(name, "any")));
        let plan = branches.into_iter().fold(plan, |plan, branch| {
            let summary = format!("rows that `{}` takes", branch.name);
            plan.port(branch.name, summary)
        });
        Ok(plan.port(REST, "rows that no other port takes").cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let branches = config::branches(&config).map_err(bad_config)?;
        let names = branches.iter().map(|branch| branch.name.as_str()).chain([REST]);
        let connected = names.map(|name| is_connected(opening, name)).collect();
        Ok(Self { branches, takes: config.takes, connected })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let columns = input.expr_columns();
        let mut outputs = Vec::with_capacity(self.branches.len() + 1);
        // 1 where no port has taken the row yet.
        let mut left = vec![1_u8; input.rows as usize];
        let mut connected = self.connected.iter();
        for (port, (branch, connected)) in self.branches.iter().zip(&mut connected).enumerate() {
            let mut mask = branch.when.mask(&columns);
            for (taken, left) in mask.iter_mut().zip(&mut left) {
                let fits = *taken;
                if self.takes == Match::First {
                    *taken &= *left;
                }
                *left &= fits ^ 1;
            }
            if *connected {
                outputs.extend(forward_mask(port as u32, mask));
            }
        }
        if connected.next() == Some(&true) {
            outputs.extend(forward_mask(self.branches.len() as u32, left));
        }
        Ok(outputs)
    }
}

weir_sdk::export_unit!(Split);

#[cfg(test)]
mod tests;
