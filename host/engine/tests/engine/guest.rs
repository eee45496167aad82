//! Hand-written guests: a core module in WAT of which a test replaces single functions, made into a component with the contract embedded.
//!
//! Memory: results lie at 1024 (zeros: `ok` with an empty list), texts below it. The guest's functions are named as in the contract.

use std::sync::{Arc, Mutex};

use weir_engine::*;

/// One guest; each field is WAT.
pub struct Guest {
    pub imports: &'static str,
    /// Top-level items beside the functions.
    pub items: &'static str,
    pub describe: &'static str,
    pub open: &'static str,
    pub process: &'static str,
    /// The component around it.
    pub around: String,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            imports: IMPORTS,
            items: "",
            describe: "(i32.store (i32.const 1024) (i32.const 16)) (i32.store (i32.const 1028) (i32.const 2)) (i32.const 1024)",
            open: "(i32.const 1024)",
            process: "(i32.const 1024)",
            around: include_str!("unit.wat").to_owned(),
        }
    }
}

pub const IMPORTS: &str = r#"
    (import "weir:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
    (import "weir:plugin/state@0.1.0" "read" (func $read (param i32 i32 i32 i32 i32 i32)))"#;

const MODULE: &str = r#"(core module $main
    @imports@
    (memory (export "memory") 1)
    (data (i32.const 16) "{}")
    (data (i32.const 32) "the last words")
    (global $next (mut i32) (i32.const 8192))
    @items@
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (block $fits (loop $more
            (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
            (drop (memory.grow (i32.const 1)))
            (br $more)))
        (local.get $at))
    (func $describe (export "weir:plugin/manifest@0.1.0#describe") (result i32) @describe@)
    (func $plan (export "weir:plugin/manifest@0.1.0#plan") (param i32 i32) (result i32)
        (i32.store (i32.const 1028) (i32.const 16)) (i32.store (i32.const 1032) (i32.const 2)) (i32.const 1024))
    (func $open (export "weir:plugin/lifecycle@0.1.0#open")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) @open@)
    (func $migrate (export "weir:plugin/lifecycle@0.1.0#migrate")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func $close (export "weir:plugin/lifecycle@0.1.0#close"))
    (func $process (export "weir:plugin/processing@0.1.0#process") (param $input i32) (result i32)
        (global.set $next (i32.const 8192))
        @process@)
    (func $tick (export "weir:plugin/processing@0.1.0#tick")
        (param i64 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 1024))
)"#;

impl Guest {
    /// The core module, as text inside of a component.
    fn module(&self) -> String {
        MODULE
            .replace("@imports@", self.imports)
            .replace("@items@", self.items)
            .replace("@describe@", self.describe)
            .replace("@open@", self.open)
            .replace("@process@", self.process)
    }

    pub fn core(&self) -> Vec<u8> {
        wat::parse_str(self.module().replace("(core module $main", "(module")).unwrap()
    }

    pub fn wasm(&self) -> Vec<u8> {
        wat::parse_str(self.around.replace("@core@", &self.module())).unwrap()
    }

    pub fn component(&self) -> Component {
        Component::load(&engine(), &self.wasm()).unwrap()
    }

    pub fn opened(&self) -> (UnitInstance, Seen) {
        self.opened_with(Limits::default())
    }

    pub fn opened_with(&self, limits: Limits) -> (UnitInstance, Seen) {
        let seen = Seen::default();
        let mut unit = UnitInstance::new(&self.component(), Box::new(Host(seen.clone())), limits).unwrap();
        unit.open(&opening(), 0).unwrap().unwrap();
        (unit, seen)
    }
}

pub fn engine() -> Engine {
    Engine::start(Settings::default()).unwrap()
}

pub fn opening() -> given::Opening<'static> {
    given::Opening { config: "{}", pipeline: "p", name: "n", lane: 0, lanes: 1, seed: &[7; 16], extras: &[] }
}

/// Three rows.
pub fn batch() -> given::Batch<'static> {
    given::Batch {
        triplet: given::Triplet { application: "a", environment: "e", event_type: "t" },
        rows: 3,
        time: &[0; 24],
        keys: &[],
        columns: &[],
        extras: &[],
    }
}

pub fn known() -> check::Known<'static> {
    check::Known { ports: 1, keys: 0, dictionaries: &[] }
}

pub fn process(unit: &mut UnitInstance) -> Answer<Vec<check::Output>> {
    let context = Context { position: 9, now_unix_ns: 5_000_000_000, ..Context::default() };
    unit.process(&context, batch(), &known())
}

/// Log lines and the handles that were read.
#[derive(Clone, Default)]
pub struct Seen(pub Arc<Mutex<Vec<String>>>);

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Host(Seen);

impl Imports for Host {
    fn read(&mut self, table: u32, handles: &[u8], _slots: &[u8]) -> Result<Vec<u8>, Misuse> {
        assert_ne!(table, 13, "table 13");
        if table > 0 {
            return Err(Misuse(format!("table {table} is not in the plan")));
        }
        self.0.0.lock().unwrap().push(format!("read {handles:?}"));
        Ok(handles.to_vec())
    }
    fn write(&mut self, _: u32, _: &[u8], _: &[u8], _: &[u8]) -> Result<Result<(), Refusal>, Misuse> {
        Ok(Err(Refusal { code: "quota".into(), message: "full".into() }))
    }
    fn read_packed(&mut self, _: u32, _: &[u8], _: &[u8]) -> Result<Packed, Misuse> {
        Ok(Packed::default())
    }
    fn write_packed(
        &mut self,
        _: u32,
        _: &[u8],
        _: &[u8],
        _: PackedSlice<'_>,
    ) -> Result<Result<(), Refusal>, Misuse> {
        Ok(Ok(()))
    }
    fn present(&mut self, _: u32, handles: &[u8], _: &[u8]) -> Result<Vec<u8>, Misuse> {
        Ok(vec![0; handles.len() / 4])
    }
    fn remove(&mut self, _: u32, _: &[u8], _: &[u8]) -> Result<(), Misuse> {
        Ok(())
    }
    fn expire(&mut self, _: u32, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Misuse> {
        Ok(())
    }
    fn scan(&mut self, _: u32, _: &[u8], _: &[u8], _: u32) -> Result<Page, Misuse> {
        Ok(Page::default())
    }
    fn define(&mut self, _: u32, names: PackedSlice<'_>) -> Result<Result<Vec<u8>, Refusal>, Misuse> {
        Ok(Ok(vec![0; names.len() * 4]))
    }
    fn wake(&mut self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Misuse> {
        Ok(())
    }
    fn wake_by_clock(&mut self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Misuse> {
        Ok(())
    }
    fn log(&mut self, level: LogLevel, line: &str) {
        self.0.0.lock().unwrap().push(format!("{level:?} {line}"));
    }
}

pub fn imports() -> Box<dyn Imports> {
    Box::new(Host(Seen::default()))
}
