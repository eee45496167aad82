//! factorial: adds n! of the column `n` as the column `factorial`.
//!
//! In: rows with a whole number `n`. Out: rows with n from 0 to 20 on port `out`: 20! is the last one that 64 bits hold. Other rows are rejected as "out-of-range",
//! so they are dead letters with a reason and not wrong sums. No state; cut-invariant.

use weir_sdk::column::S64s;
use weir_sdk::output::reject;
use weir_sdk::{
    Batch, BatchExt, Column, ColumnExt, Complaint, Context, Description, Failure, FailureExt, Forward,
    NoConfig, Opening, Output, Plan, Read, Rows, Unit, Values,
};

const N_MAX: i64 = 20;

struct Factorial;

/// None outside of 0 to 20.
fn factorial(n: i64) -> Option<u64> {
    (0..=N_MAX).contains(&n).then(|| (1..=n.unsigned_abs()).product())
}

impl Unit for Factorial {
    type Config = NoConfig;

    fn describe() -> Description {
        let summary = "Adds the factorial of the column n, which is from 0 to 20";
        Description::new("transform", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
    }

    fn plan(_config: NoConfig) -> Result<Plan, Vec<Complaint>> {
        let plan = Plan::default().reads([Read::new("n", "s64s")]);
        Ok(plan.port("out", "rows with their factorial").cut_invariant())
    }

    fn open(_config: NoConfig, _opening: &Opening) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let column =
            input.column("n").ok_or_else(|| Failure::fail("no-column", "the column n is not there"))?;
        let Values::S64s(numbers) = &column.values else {
            return Err(Failure::fail("no-column", "the column n is not of whole numbers"));
        };
        let found: Vec<Option<u64>> = S64s::new(numbers)
            .iter()
            .enumerate()
            .map(|(row, n)| Some(n).filter(|_| column.is_there(row)).and_then(factorial))
            .collect();
        let outside: Vec<u32> =
            (0..).zip(&found).filter(|(_, it)| it.is_none()).map(|(row, _)| row).collect();
        let mut outputs = Vec::new();
        if outside.len() < found.len() {
            let values: Vec<u64> = found.iter().map(|found| found.unwrap_or_default()).collect();
            let set = vec![Column::of_u64s("factorial", &values)];
            let rows = Rows::Mask(found.iter().map(|found| u8::from(found.is_some())).collect());
            outputs.push(Output::Forward(Forward { port: 0, rows, set, omit: Vec::new() }));
        }
        if !outside.is_empty() {
            outputs.push(reject(
                &outside,
                "out-of-range",
                "the factorial of n from 0 to 20 is a whole number of 64 bits",
            ));
        }
        Ok(outputs)
    }
}

weir_sdk::export_unit!(Factorial);

#[cfg(test)]
mod tests {
    use weir_sdk::testing::{Bench, batch, f64s, kept};

    use super::*;

    #[test]
    fn factorials_are_exact_and_other_numbers_are_rejected() {
        let rows = batch(&[0; 5], &[], vec![Column::of_s64s("n", &[0, 5, 20, 21, -1])]);
        let outputs = Bench::<Factorial>::open("{}").unwrap().process(rows).unwrap();
        assert_eq!(kept(&outputs, 0, 5).unwrap(), [0, 1, 2]);
        let Some(Output::Forward(forward)) = outputs.first() else { panic!("no forward") };
        let numbers = f64s(&batch(&[0; 5], &[], forward.set.clone()), "factorial");
        assert_eq!(numbers[..2], [1.0, 120.0]);
        assert_eq!(factorial(20), Some(2_432_902_008_176_640_000));
        let Some(Output::Reject(rejected)) = outputs.get(1) else { panic!("no rejection") };
        assert_eq!((rejected.indexes.len(), rejected.code.as_str()), (8, "out-of-range"));
    }
}
