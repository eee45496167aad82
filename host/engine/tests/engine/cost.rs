//! The fixed cost of a call, printed; the test only fails where it is absurd, since the machine is shared.

use std::time::Instant;

use crate::guest::{Guest, imports, process};

const CALLS: u32 = 100_000;

#[test]
fn a_call_costs_about_a_microsecond() {
    let forward_all = "
        (i32.store (i32.const 1032) (i32.const 1100)) (i32.store (i32.const 1036) (i32.const 1))
        (i32.const 1024)";
    for (name, body) in [("nothing", "(i32.const 1024)"), ("forward", forward_all)] {
        let (mut unit, _) = Guest { process: body, ..Guest::default() }.opened();
        let start = Instant::now();
        for _ in 0..CALLS {
            process(&mut unit).unwrap().unwrap();
        }
        let ns = start.elapsed().as_nanos() / u128::from(CALLS);
        println!("process that returns {name}: {ns} ns a call");
        assert!(ns < 50_000, "{ns}");
    }
    let component = Guest::default().component();
    let start = Instant::now();
    for _ in 0..1000 {
        weir_engine::UnitInstance::new(&component, imports(), weir_engine::Limits::default()).unwrap();
    }
    println!("instantiation: {} ns", start.elapsed().as_nanos() / 1000);
}
