//! A component whose `describe` never comes back. Expected: refused after its deadline.

faults_describe::describes!(spin());

fn spin() -> String {
    let mut turns = 0u64;
    while std::hint::black_box(turns) < u64::MAX {
        turns += 1;
    }
    String::new()
}
