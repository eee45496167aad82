//! black-box: what the five units of the pipeline do, by one component that cannot be taken apart.
//!
//! In: rows with a whole number `n`. Out: for each sender and second one row with how many numbers were even and odd, and the sums of their factorials. Numbers
//! outside of 0 to 20 are left out; nobody outside sees that, which is one of the points of the comparison. Sums are f64, as those of a rollup are. Cut-invariant.

use weir_sdk::aggregate::Aggregate;
use weir_sdk::{Columns, Complaint, Description, Event, NoConfig, State};

const N_MAX: i64 = 20;
const WINDOW_NS: i64 = 1_000_000_000;

#[derive(Event)]
pub struct Number {
    n: i64,
}

/// Of even and of odd numbers: how many, and the sum of their factorials.
#[derive(State)]
pub struct Accumulators {
    even: u64,
    even_sum: f64,
    odd: u64,
    odd_sum: f64,
}

#[derive(Columns)]
pub struct Sums {
    even: u64,
    even_sum: f64,
    odd: u64,
    odd_sum: f64,
}

pub struct BlackBox;

impl Aggregate for BlackBox {
    type Config = NoConfig;
    type Event = Number;
    type State = Accumulators;
    type Output = Sums;

    fn describe() -> Description {
        let summary = "Counts and sums the factorials of even and of odd numbers, by sender and second";
        Description::new("aggregate", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
    }

    fn open(_config: NoConfig) -> Result<Self, Complaint> {
        Ok(Self)
    }

    fn keys(&self) -> Vec<String> {
        vec!["sender".to_owned()]
    }

    fn window_ns(&self) -> i64 {
        WINDOW_NS
    }

    fn fold(&self, state: &mut Accumulators, event: &Number) {
        if !(0..=N_MAX).contains(&event.n) {
            return;
        }
        let factorial = (1..=event.n.unsigned_abs()).product::<u64>() as f64;
        let (count, sum) = if event.n % 2 == 0 {
            (&mut state.even, &mut state.even_sum)
        } else {
            (&mut state.odd, &mut state.odd_sum)
        };
        *count += 1;
        *sum += factorial;
    }

    fn finish(&self, state: &Accumulators) -> Sums {
        Sums { even: state.even, even_sum: state.even_sum, odd: state.odd, odd_sum: state.odd_sum }
    }
}

weir_sdk::export_aggregate!(BlackBox);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_and_those_without_a_factorial_are_left_out() {
        let mut state = Accumulators { even: 0, even_sum: 0.0, odd: 0, odd_sum: 0.0 };
        for n in [-1, 0, 1, 2, 3, 20, 21] {
            BlackBox.fold(&mut state, &Number { n });
        }
        let Sums { even, even_sum, odd, odd_sum } = BlackBox.finish(&state);
        assert_eq!((even, even_sum, odd, odd_sum), (3, 2_432_902_008_176_640_000.0, 2, 7.0));
    }
}
