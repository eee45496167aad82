//! The closed WASI: a guest that imports it starts, is told nothing and can do nothing.

use weir_engine::*;

use crate::guest::{Guest, engine, process};

const IMPORTS: &str = r#"
    (import "weir:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
    (import "weir:plugin/state@0.1.0" "read" (func $read (param i32 i32 i32 i32 i32 i32)))
    (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/environment@0.2.3" "initial-cwd" (func $cwd (param i32)))
    (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
    (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
    (import "wasi:io/streams@0.2.3" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
    (import "wasi:clocks/wall-clock@0.2.3" "now" (func $now (param i32)))
    (import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))"#;

fn guest(process: &'static str) -> Guest {
    Guest { imports: IMPORTS, process, around: include_str!("wasi.wat").to_owned(), ..Guest::default() }
}

#[test]
fn environment_is_empty_and_the_clock_shows_the_record() {
    // The context's time is 5 s, rounded down to a multiple of 1,024 ns.
    let (mut unit, _) = guest(
        "(call $environment (i32.const 512)) (if (i32.load (i32.const 516)) (then unreachable))
         (call $cwd (i32.const 512)) (if (i32.load8_u (i32.const 512)) (then unreachable))
         (call $now (i32.const 512))
         (if (i64.ne (i64.load (i32.const 512)) (i64.const 4)) (then unreachable))
         (if (i32.ne (i32.load (i32.const 520)) (i32.const 999999488)) (then unreachable))
         (i32.const 1024)",
    )
    .opened();
    process(&mut unit).unwrap().unwrap();
}

#[test]
fn standard_error_goes_to_the_log() {
    let (mut unit, seen) = guest(
        "(i32.store8 (i32.const 46) (i32.const 10))
         (call $write (call $stderr) (i32.const 32) (i32.const 15) (i32.const 512))
         (if (i32.load8_u (i32.const 512)) (then unreachable))
         (i32.const 1024)",
    )
    .opened();
    process(&mut unit).unwrap().unwrap();
    assert_eq!(seen.lines(), ["Error the last words"]);
}

#[test]
fn random_numbers_follow_from_seed_and_position() {
    let draw = || {
        let text = "(i32.store (i32.const 512) (i32.wrap_i64 (call $random)))
            (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1032) (i32.const 2))
            (i32.store (i32.const 1044) (i32.const 16)) (i32.store (i32.const 1048) (i32.const 0))
            (i64.store (i32.const 1064) (i64.and (call $random) (i64.const 0xffffffff)))
            (i32.const 1024)";
        let (mut unit, _) = Guest { process: text, ..guest("") }.opened();
        process(&mut unit).unwrap().unwrap_err().after_ns
    };
    assert_eq!(draw(), draw());
}

#[test]
fn leaving_is_a_fault() {
    let (mut unit, _) = guest("(call $exit (i32.const 0)) (i32.const 1024)").opened();
    let fault = process(&mut unit).unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Contract, "left by wasi:cli/exit"));
}

#[test]
fn inspect_names_wasi_as_closed() {
    let seen = guest("(i32.const 1024)").component().inspect();
    let closed = |name: &str| seen.imports.iter().any(|import| import.closed && import.name == name);
    assert!(closed("wasi:cli/exit@0.2.3") && closed("wasi:io/streams@0.2.3"), "{:?}", seen.imports);
}

#[test]
fn sockets_are_refused() {
    let around = guest("").around.replace("wasi:random/random@0.2.3", "wasi:sockets/random@0.2.3");
    let imports: &'static str = Box::leak(IMPORTS.replace("wasi:random", "wasi:sockets").into_boxed_str());
    let guest = Guest { imports, around, ..guest("(i32.const 1024)") };
    let error = Component::load(&engine(), &guest.wasm()).err().unwrap().to_string();
    assert!(error.contains("imports wasi:sockets/random@0.2.3, which world `unit` does not have"), "{error}");
}
