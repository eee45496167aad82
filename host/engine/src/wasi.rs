//! A closed WASI 0.2 for languages whose runtime cannot start without one: it answers, and grants nothing.
//!
//! In: the `wasi:` imports of one component. The environment, arguments and preopened folders are empty, standard input is at its end,
//! standard output and error go to the capped log, the clocks show the record's time, random numbers follow from the seed and the
//! record's position. Leaving, sleeping and every other function of the five known packages trap when called (kind contract), and any other
//! package (sockets, http) is refused at load. All of it is linked by name with dynamic values, whatever 0.2.x the component asks for.

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{LinkerInstance, ResourceAny, ResourceDynamic, ResourceType, Val};
use wasmtime::{AsContextMut, Engine, StoreContextMut};

use crate::guest::HostState;
use crate::lines::Standard;
use crate::link::closed;

const PACKAGES: [&str; 5] = ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/"];

/// Most bytes of one answer to get-random-bytes.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// What check-write says: more comes in another piece.
const WRITE_BYTES_MAX: u64 = 4096;

/// The number that stands for each stream inside a handle.
const INPUT: u32 = 0;
const OUTPUT: u32 = 1;
const ERROR: u32 = 2;

type Context<'a> = StoreContextMut<'a, HostState>;

/// True where the interface is of a package that is closed rather than refused.
pub(crate) fn knows(interface: &str) -> bool {
    PACKAGES.iter().any(|package| interface.starts_with(package)) && interface.contains("@0.2.")
}

/// Links every item of one imported interface.
pub(crate) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    items: &ComponentInstance,
    engine: &Engine,
) -> wasmtime::Result<()> {
    let short = interface.split('@').next().unwrap_or(interface).trim_start_matches("wasi:").to_owned();
    for (name, item) in items.exports(engine) {
        match item.ty {
            ComponentItem::Resource(_) => {
                linker.resource(name, ResourceType::host_dynamic(kind(name)), |_, _| Ok(()))?;
            }
            ComponentItem::ComponentFunc(_) => {
                let path = format!("{short}.{name}");
                linker.func_new(name, move |store, _, arguments, results| {
                    let answer = answer(store, &path, arguments)?;
                    if let (Some(slot), Some(answer)) = (results.first_mut(), answer) {
                        *slot = answer;
                    }
                    Ok(())
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A number for each resource type; equal names are one type in all of WASI 0.2.
fn kind(name: &str) -> u32 {
    const NAMES: [&str; 8] = [
        "input-stream",
        "output-stream",
        "pollable",
        "error",
        "descriptor",
        "directory-entry-stream",
        "terminal-input",
        "terminal-output",
    ];
    NAMES.iter().position(|&known| known == name).unwrap_or(NAMES.len()) as u32
}

fn answer(mut store: Context<'_>, path: &str, arguments: &[Val]) -> wasmtime::Result<Option<Val>> {
    Ok(Some(match path {
        "cli/environment.get-environment"
        | "cli/environment.get-arguments"
        | "filesystem/preopens.get-directories" => Val::List(Vec::new()),
        "cli/environment.initial-cwd"
        | "cli/terminal-stdin.get-terminal-stdin"
        | "cli/terminal-stdout.get-terminal-stdout"
        | "cli/terminal-stderr.get-terminal-stderr"
        | "filesystem/types.filesystem-error-code" => Val::Option(None),
        "cli/stdin.get-stdin" => stream(store, INPUT, "input-stream")?,
        "cli/stdout.get-stdout" => stream(store, OUTPUT, "output-stream")?,
        "cli/stderr.get-stderr" => stream(store, ERROR, "output-stream")?,
        "io/streams.[method]input-stream.read"
        | "io/streams.[method]input-stream.blocking-read"
        | "io/streams.[method]input-stream.skip"
        | "io/streams.[method]input-stream.blocking-skip" => {
            let at_end = Val::Variant("closed".to_owned(), None);
            Val::Result(Err(Some(Box::new(at_end))))
        }
        "io/streams.[method]output-stream.check-write" => {
            Val::Result(Ok(Some(Box::new(Val::U64(WRITE_BYTES_MAX)))))
        }
        "io/streams.[method]output-stream.write"
        | "io/streams.[method]output-stream.blocking-write-and-flush" => {
            write(store, arguments)?;
            Val::Result(Ok(None))
        }
        "io/streams.[method]output-stream.flush" | "io/streams.[method]output-stream.blocking-flush" => {
            Val::Result(Ok(None))
        }
        "clocks/monotonic-clock.now" => Val::U64(now_ns(&store)),
        "clocks/monotonic-clock.resolution" => Val::U64(1024),
        "clocks/wall-clock.now" => date(now_ns(&store)),
        "clocks/wall-clock.resolution" => date(1024),
        "random/random.get-random-u64" | "random/insecure.get-insecure-random-u64" => {
            Val::U64(random(&mut store))
        }
        "random/random.get-random-bytes" | "random/insecure.get-insecure-random-bytes" => {
            random_bytes(&mut store, arguments)?
        }
        "random/insecure-seed.insecure-seed" => {
            Val::Tuple(vec![Val::U64(random(&mut store)), Val::U64(random(&mut store))])
        }
        "cli/exit.exit" | "cli/exit.exit-with-code" => return Err(closed("left by wasi:cli/exit")),
        _ => return Err(closed(format!("called wasi:{path}, which is closed"))),
    }))
}

fn stream(mut store: Context<'_>, stream: u32, name: &str) -> wasmtime::Result<Val> {
    let handle = ResourceDynamic::new_own(stream, kind(name));
    let any: ResourceAny = handle.try_into_resource_any(store.as_context_mut())?;
    Ok(Val::Resource(any))
}

fn write(mut store: Context<'_>, arguments: &[Val]) -> wasmtime::Result<()> {
    let (Some(Val::Resource(stream)), Some(Val::List(bytes))) = (arguments.first(), arguments.get(1)) else {
        return Err(closed("wrote to a stream with arguments of other types than WASI's"));
    };
    let stream = ResourceDynamic::try_from_resource_any(*stream, store.as_context_mut())?;
    let standard = if stream.rep() == ERROR { Standard::Error } else { Standard::Output };
    let bytes: Vec<u8> =
        bytes.iter().filter_map(|value| if let Val::U8(byte) = value { Some(*byte) } else { None }).collect();
    store.data_mut().standard(standard, &bytes);
    Ok(())
}

fn now_ns(store: &Context<'_>) -> u64 {
    u64::try_from(store.data().moment.now_unix_ns).unwrap_or(0)
}

fn date(ns: u64) -> Val {
    Val::Record(vec![
        ("seconds".to_owned(), Val::U64(ns / 1_000_000_000)),
        ("nanoseconds".to_owned(), Val::U32((ns % 1_000_000_000) as u32)),
    ])
}

/// SplitMix64: small, and the same for ever, which a replay needs more than strength.
fn random(store: &mut Context<'_>) -> u64 {
    let state = &mut store.data_mut().random;
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn random_bytes(store: &mut Context<'_>, arguments: &[Val]) -> wasmtime::Result<Val> {
    match arguments.first() {
        Some(Val::U64(length)) if *length <= RANDOM_BYTES_MAX => {
            let byte = |_| Val::U8((random(store) >> 56) as u8);
            Ok(Val::List((0..*length).map(byte).collect()))
        }
        Some(Val::U64(length)) => {
            Err(closed(format!("asked for {length} random bytes, at most {RANDOM_BYTES_MAX} are given")))
        }
        _ => Err(closed("asked for random bytes with an argument of another type than WASI's")),
    }
}
