//! What is loaded and what is refused, compiled code in the cache, the helper process.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use weir_engine::*;

use crate::guest::{Guest, engine};

fn refusal(wasm: &[u8]) -> String {
    match Component::load(&engine(), wasm) {
        Ok(_) => panic!("was loaded"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_not_a_component_is_refused() {
    assert_eq!(refusal(b"hello"), "not a component: it does not begin like a Wasm file");
    assert!(refusal(&Guest::default().core()).starts_with("not a component: it is a core module; wrap it"));
    assert!(refusal(&vec![0; WASM_BYTES_MAX + 1]).contains("has 33554433 bytes, at most 33554432"));
    let mut cut = Guest::default().wasm();
    cut.truncate(cut.len() / 2);
    assert!(refusal(&cut).starts_with("compile: "));
}

#[test]
fn a_component_of_no_world_is_refused_in_words_of_wit() {
    let text = refusal(&wat::parse_str("(component)").unwrap());
    assert!(text.contains("exports none of weir:plugin/processing, evaluation"), "{text}");
    let only_processing =
        wat::parse_str(r#"(component (instance $i) (export "weir:plugin/processing@0.1.0" (instance $i)))"#);
    let text = refusal(&only_processing.unwrap());
    assert!(text.contains("does not export weir:plugin/manifest@0.1.0, which world `unit` has"), "{text}");
    assert!(text.contains("exports weir:plugin/processing@0.1.0 without its function `process`"), "{text}");
}

#[test]
fn an_import_that_no_world_has_is_refused_by_name() {
    let mut around = Guest::default().around.trim_end().trim_end_matches(')').to_owned();
    around.push_str(
        r#"(type $acme (instance (export "connect" (func))))
           (import "acme:net/sockets@1.0.0" (instance (type $acme))))"#,
    );
    let guest = Guest { around, ..Guest::default() };
    assert_eq!(
        refusal(&guest.wasm()),
        "does not fit this host: imports acme:net/sockets@1.0.0, which world `unit` does not have and nobody may grant"
    );
}

#[test]
fn a_start_function_under_a_deadline() {
    let guest = Guest { items: "(func $spin (loop $more (br $more))) (start $spin)", ..Guest::default() };
    assert_eq!(
        refusal(&guest.wasm()),
        "does not start: deadline in instantiate: ran into its deadline of 1000 ms"
    );
}

#[test]
fn inspect_says_what_a_component_is() {
    let seen = Guest::default().component().inspect();
    assert_eq!(seen.world, World::Unit);
    assert!(seen.digest.starts_with("sha256:") && seen.digest.len() == 71);
    let imports: Vec<_> = seen.imports.iter().map(|import| import.name.as_str()).collect();
    assert!(imports.contains(&"weir:plugin/log@0.1.0"), "{imports:?}");
    assert!(seen.exports.contains(&"weir:plugin/processing@0.1.0".to_owned()));
    assert_eq!(seen.resources.unwrap().memory_bytes, Some(65536));
}

#[test]
fn compiled_code_is_kept_privately_and_a_changed_file_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let with =
        |compile_helper| Engine::start(Settings { cache_dir: Some(cache.clone()), compile_helper }).unwrap();
    let start = || with(None);
    // A helper that always fails shows that nothing was compiled.
    let never = || with(Some(CompileHelper { program: "/bin/false".into(), arguments: Vec::new() }));
    let wasm = Guest::default().wasm();
    Component::load(&start(), &wasm).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&cache), mode(&cache.join("key"))), (0o700, 0o600));
    Component::load(&never(), &wasm).unwrap();

    let file =
        fs::read_dir(&cache).unwrap().map(|it| it.unwrap().path()).find(|it| !it.ends_with("key")).unwrap();
    let mut code = fs::read(&file).unwrap();
    *code.last_mut().unwrap() ^= 1;
    fs::write(&file, &code).unwrap();
    let engine = never();
    assert!(matches!(Component::load(&engine, &wasm), Err(LoadError::Compile(_))));
    assert_eq!(engine.cache_tampered(), 1);
    Component::load(&start(), &wasm).unwrap();

    fs::write(&file, b"short").unwrap();
    let engine = start();
    Component::load(&engine, &wasm).unwrap();
    assert_eq!(engine.cache_tampered(), 1);
    fs::set_permissions(cache.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let engine = start();
    Component::load(&engine, &wasm).unwrap();
    assert_eq!(engine.cache_tampered(), 1, "a key that others could read is replaced");
}

#[test]
fn the_helper_compiles_and_its_reasons_are_told() {
    let wasm = Guest::default().wasm();
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    let mut bytes = Vec::new();
    compile_helper_main(wasm.as_slice(), &mut bytes).unwrap();
    fs::write(&code, &bytes).unwrap();
    let load = |script: &str| {
        let arguments = vec!["-c".to_owned(), script.to_owned(), "sh".to_owned(), code.display().to_string()];
        let helper = CompileHelper { program: "/bin/sh".into(), arguments };
        let engine = Engine::start(Settings { compile_helper: Some(helper), ..Settings::default() });
        Component::load(&engine.unwrap(), &wasm)
    };
    load("/bin/cat >/dev/null; /bin/cat \"$1\"").unwrap();
    let error = load("echo no such luck >&2; exit 1").err().unwrap();
    assert_eq!(error.to_string(), "compile: no such luck");
    let error = load("kill -9 $$").err().unwrap();
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert!(load("ulimit -t >&2; exit 1").err().unwrap().to_string().contains("60"));
    assert!(compile_helper_main(&b"hello"[..], Vec::new()).is_err());
}
