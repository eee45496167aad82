//! filter: keeps the rows for which an expression is true.
//!
//! In: any stream; of it only the columns that the expression names. Out: kept rows on port `out`, the others on port `rest` (connect it or not).
//! A row is kept where the expression is true; false, null and what cannot be computed (a text that is compared with a number, a column that
//! the stream does not have) go to `rest`. No state; cut-invariant. A bad expression is refused in `plan`, with the place and what would be right.

use serde::Deserialize;
use weir_sdk::expr::{self, Expr};
use weir_sdk::output::{forward, forward_mask};
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Failure, FailureExt, Opening, Output, Plan, Read, Unit,
};

const OUT: u32 = 0;
const REST: u32 = 1;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Filter",
  "description": "Keeps the rows for which a condition is true; the others leave on the port `rest`.",
  "required": ["keep"],
  "additionalProperties": false,
  "properties": {
    "keep": {
      "type": "string",
      "title": "Keep rows where",
      "description": "A condition over the columns of the stream. Columns are written by name, texts in quotes. A row in which it is false or cannot be computed is not kept.",
      "minLength": 1,
      "maxLength": 8192,
      "format": "weir-expression",
      "examples": ["status >= 500", "method = 'GET' and latency_ms > 100", "path like '/api/%' and not (agent contains 'bot')"]
    }
  },
  "examples": [{ "keep": "status >= 500" }]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    keep: String,
}

struct Filter {
    keep: Expr,
    /// Whether the port `rest` leads anywhere; else its mask is not made.
    rest: bool,
}

fn parsed(config: &Config) -> Result<Expr, Complaint> {
    let keep = expr::parse(&config.keep).map_err(|err| Complaint::new("/keep", err.to_string()))?;
    if keep.is_condition() {
        return Ok(keep);
    }
    Err(Complaint::new(
        "/keep",
        "this is not true or false; compare it with something, as in `latency_ms > 100`",
    ))
}

impl Unit for Filter {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Keeps the rows for which a condition is true";
        Description::new("filter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary).config(CONFIG)
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let keep = parsed(&config).map_err(|complaint| vec![complaint])?;
        // The event time comes with every batch, it is no column.
        let names = keep.columns().iter().filter(|name| *name != "time");
        Ok(Plan::default()
            .reads(names.map(|name| Read::optional(name, "any")))
            .port("out", "rows for which the condition is true")
            .port("rest", "the other rows")
            .cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let keep = parsed(&config).map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
        let unconnected = |extra: &weir_sdk::Extra| extra.name == "weir.unconnected" && extra.value == "rest";
        Ok(Self { keep, rest: !opening.extras.iter().any(unconnected) })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let mask = self.keep.mask(&input.expr_columns());
        if !self.rest {
            return Ok(forward_mask(OUT, mask).into_iter().collect());
        }
        let rest = mask.iter().map(|byte| byte ^ 1).collect();
        let Some(out) = forward_mask(OUT, mask) else { return Ok(vec![forward(REST)]) };
        Ok(forward_mask(REST, rest).into_iter().fold(vec![out], |mut outputs, rest| {
            outputs.push(rest);
            outputs
        }))
    }
}

weir_sdk::export_unit!(Filter);

#[cfg(test)]
mod tests;
