//! The fixed cost of a call, printed; the test only fails where it is absurd, since the machine is shared.

use std::time::Instant;

use crate::guest::{Guest, imports, process};

const CALLS: u32 = 1000;
/// The best of these is printed: the others were disturbed by neighbours.
const ROUNDS: u32 = 100;

#[test]
fn a_call_costs_about_a_microsecond() {
    let forward_all = "
        (i32.store (i32.const 1032) (i32.const 1100)) (i32.store (i32.const 1036) (i32.const 1))
        (i32.const 1024)";
    for (name, body) in [("nothing", "(i32.const 1024)"), ("forward", forward_all)] {
        let (mut unit, _) = Guest { process: body, ..Guest::default() }.opened();
        let ns = best_ns(CALLS, || drop(process(&mut unit).unwrap().unwrap()));
        println!("process that returns {name}: {ns} ns a call");
        assert!(ns < 50_000, "{ns}");
    }
    let component = Guest::default().component();
    let ns = best_ns(10, || {
        weir_engine::UnitInstance::new(&component, imports(), weir_engine::Limits::default()).unwrap();
    });
    println!("instantiation: {ns} ns");
}

fn best_ns(calls: u32, mut call: impl FnMut()) -> u128 {
    let round = |_| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_nanos() / u128::from(calls)
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}
