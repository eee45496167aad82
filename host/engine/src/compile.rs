//! Compiles a component in a process of its own with bounds, since wasmtime does not count a blow-up at compile time as a vulnerability.
//!
//! In: a component's bytes. Out: wasmtime's serialized machine code, which is only ever taken from this helper or from our own cache. The
//! helper reads the component on standard input and writes the code to standard output ([`compile_helper_main`]); it has 60 s of CPU
//! time, 4 GiB of address space, no environment and a low priority. What it says on standard error is the reason of a failure.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::component::WASM_BYTES_MAX;
use crate::engine::config;

const CPU_SECONDS: u64 = 60;
const ADDRESS_SPACE_BYTES: u64 = 4 << 30;
/// Most machine code that is taken; a Python runtime needs about 60 MiB.
const CODE_BYTES_MAX: u64 = 512 << 20;
const REASON_BYTES_MAX: u64 = 4096;

/// The program that compiles: `weir` with its hidden subcommand.
#[derive(Clone, Debug)]
pub struct CompileHelper {
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

impl CompileHelper {
    pub(crate) fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: between fork and exec only setrlimit and nice are called, which are async-signal-safe and touch no memory of ours.
        unsafe { command.pre_exec(bound) };
        let mut child = command.spawn().map_err(|error| format!("start the compile helper: {error}"))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (code, reason) = std::thread::scope(|scope| {
            // Three pipes, so three hands: any one alone could fill up while another is waited for.
            let feed = scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(wasm)));
            let reason = scope.spawn(move || read(stderr, REASON_BYTES_MAX));
            let code = read(stdout, CODE_BYTES_MAX);
            // A helper that stopped reading has said why on standard error.
            drop(feed.join());
            (code, reason.join().unwrap_or_default())
        });
        let status = child.wait().map_err(|error| format!("wait for the compile helper: {error}"))?;
        if status.success() && !code.is_empty() {
            return Ok(code);
        }
        let reason = String::from_utf8_lossy(&reason);
        Err(match reason.trim() {
            "" => format!("the compile helper ended with {status} (at most {CPU_SECONDS} s and 4 GiB)"),
            reason => reason.to_owned(),
        })
    }
}

/// The helper's whole life. The error's text is for standard error.
pub fn compile_helper_main(input: impl Read, mut output: impl Write) -> Result<(), String> {
    let mut wasm = Vec::new();
    let limit = WASM_BYTES_MAX as u64 + 1;
    input.take(limit).read_to_end(&mut wasm).map_err(|error| format!("read the component: {error}"))?;
    let engine = wasmtime::Engine::new(&config()).map_err(|error| format!("{error:#}"))?;
    let code = compile_here(&engine, &wasm)?;
    output.write_all(&code).and_then(|()| output.flush()).map_err(|error| format!("write the code: {error}"))
}

pub(crate) fn compile_here(engine: &wasmtime::Engine, wasm: &[u8]) -> Result<Vec<u8>, String> {
    engine.precompile_component(wasm).map_err(|error| format!("{error:#}"))
}

fn read(pipe: Option<impl Read>, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error ends up in a failed compilation, whose reason the helper gives.
        drop(pipe.take(bytes_max).read_to_end(&mut bytes));
    }
    bytes
}

fn bound() -> std::io::Result<()> {
    let set = |resource, value: u64| {
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: `limit` lives through the call.
        if unsafe { libc::setrlimit(resource, &raw const limit) } == 0 {
            return Ok(());
        }
        Err(std::io::Error::last_os_error())
    };
    set(libc::RLIMIT_CPU, CPU_SECONDS)?;
    set(libc::RLIMIT_AS, ADDRESS_SPACE_BYTES)?;
    set(libc::RLIMIT_CORE, 0)?;
    // SAFETY: no arguments that could be wrong; a refusal only means a normal priority.
    unsafe { libc::nice(10) };
    Ok(())
}
