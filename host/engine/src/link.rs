//! Links the imports of the worlds (state, timers, log) to [`Imports`].
//!
//! Arguments are read where they lie in guest memory, without a copy; their lengths are checked here, and a wrong one traps as a fault of
//! kind contract. Results are lowered into the guest by wasmtime.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList, WasmStr};

use crate::fault::{FaultKind, Stop};
use crate::guest::{HostState, misuse};
use crate::imports::{Imports, LogLevel, Misuse, Packed, PackedSlice, Page, Refusal};
use crate::lines::LINE_BYTES_MAX;

type Context<'a> = StoreContextMut<'a, HostState>;

#[derive(ComponentType, Lift)]
#[component(record)]
struct PackedArgument {
    offsets: WasmList<u8>,
    data: WasmList<u8>,
}

/// Most handles of one call, and most entries of one page: the deadline does not interrupt the host.
const HANDLES_MAX: usize = 1 << 20;
const PAGE_ENTRIES_MAX: u32 = 65_536;

/// Handles and slots as a guest gave them, lengths checked.
struct Addresses<'a> {
    handles: &'a [u8],
    slots: &'a [u8],
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    link_values(linker)?;
    link_tables(linker)?;
    link_timers(linker)?;
    let mut log = linker.instance("weir:plugin/log@0.1.0")?;
    log.func_wrap("write", |mut store: Context<'_>, (level, message): (LogLevel, WasmStr)| {
        let text = message.to_str(&store)?;
        // Copied out only as far as a line may be long.
        let line = text.get(..text.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or_default().to_owned();
        store.data_mut().log(level, &line)
    })
}

fn link_values(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    type Lists = (u32, WasmList<u8>, WasmList<u8>);
    let mut state = linker.instance("weir:plugin/state@0.1.0")?;
    state.func_wrap("read", |store: Context<'_>, (table, handles, slots): Lists| {
        serve(store, "state.read", |imports, store| {
            let at = addresses(store, &handles, &slots)?;
            imports.read(table, at.handles, at.slots).map(|values| (values,))
        })
    })?;
    state.func_wrap(
        "write",
        |store: Context<'_>,
         (table, handles, slots, values): (u32, WasmList<u8>, WasmList<u8>, WasmList<u8>)| {
            serve(store, "state.write", |imports, store| {
                let at = addresses(store, &handles, &slots)?;
                imports.write(table, at.handles, at.slots, values.as_le_slice(store)).map(|done| (done,))
            })
        },
    )?;
    state.func_wrap("read-packed", |store: Context<'_>, (table, handles, slots): Lists| {
        serve(store, "state.read-packed", |imports, store| {
            let at = addresses(store, &handles, &slots)?;
            imports.read_packed(table, at.handles, at.slots).map(|values: Packed| (values,))
        })
    })?;
    state.func_wrap(
        "write-packed",
        |store: Context<'_>,
         (table, handles, slots, values): (u32, WasmList<u8>, WasmList<u8>, PackedArgument)| {
            serve(store, "state.write-packed", |imports, store| {
                let at = addresses(store, &handles, &slots)?;
                let values = packed(store, &values)?;
                expect("values", values.len(), at.handles.len() / 4)?;
                imports.write_packed(table, at.handles, at.slots, values).map(|done| (done,))
            })
        },
    )?;
    state.func_wrap("present", |store: Context<'_>, (table, handles, slots): Lists| {
        serve(store, "state.present", |imports, store| {
            let at = addresses(store, &handles, &slots)?;
            imports.present(table, at.handles, at.slots).map(|present| (present,))
        })
    })?;
    state.func_wrap("remove", |store: Context<'_>, (table, handles, slots): Lists| {
        serve(store, "state.remove", |imports, store| {
            let at = addresses(store, &handles, &slots)?;
            imports.remove(table, at.handles, at.slots)
        })
    })
}

fn link_tables(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut state = linker.instance("weir:plugin/state@0.1.0")?;
    state.func_wrap(
        "expire",
        |store: Context<'_>,
         (table, handles, slots, times): (u32, WasmList<u8>, WasmList<u8>, WasmList<u8>)| {
            serve(store, "state.expire", |imports, store| {
                let at = addresses(store, &handles, &slots)?;
                let times = times.as_le_slice(store);
                expect("bytes of times", times.len(), at.handles.len() * 2)?;
                imports.expire(table, at.handles, at.slots, times)
            })
        },
    )?;
    state.func_wrap(
        "scan",
        |store: Context<'_>, (table, prefix, cursor, limit): (u32, WasmList<u8>, WasmList<u8>, u32)| {
            serve(store, "state.scan", |imports, store| {
                let (prefix, cursor) = (prefix.as_le_slice(store), cursor.as_le_slice(store));
                let page = imports.scan(table, prefix, cursor, limit.clamp(1, PAGE_ENTRIES_MAX))?;
                Ok::<(Page,), Misuse>((page,))
            })
        },
    )?;
    state.func_wrap("define", |store: Context<'_>, (table, names): (u32, PackedArgument)| {
        serve(store, "state.define", |imports, store| {
            let names = packed(store, &names)?;
            if names.len() > HANDLES_MAX {
                let count = names.len();
                return Err(Misuse(format!("{count} names, at most {HANDLES_MAX} are taken in one call")));
            }
            let handles: Result<Vec<u8>, Refusal> = imports.define(table, names)?;
            Ok((handles,))
        })
    })
}

fn link_timers(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    type Lists = (WasmList<u8>, WasmList<u8>, WasmList<u8>);
    let mut timers = linker.instance("weir:plugin/timers@0.1.0")?;
    timers.func_wrap("wake", |store: Context<'_>, (keys, slots, times): Lists| {
        serve(store, "timers.wake", |imports, store| {
            let at = addresses(store, &keys, &slots)?;
            let times = times.as_le_slice(store);
            expect("bytes of times", times.len(), at.handles.len() * 2)?;
            imports.wake(at.handles, at.slots, times)
        })
    })?;
    timers.func_wrap("wake-by-clock", |store: Context<'_>, (keys, slots, times): Lists| {
        serve(store, "timers.wake-by-clock", |imports, store| {
            let at = addresses(store, &keys, &slots)?;
            let times = times.as_le_slice(store);
            expect("bytes of times", times.len(), at.handles.len() * 2)?;
            imports.wake_by_clock(at.handles, at.slots, times)
        })
    })
}

fn serve<R>(
    mut store: Context<'_>,
    function: &'static str,
    run: impl FnOnce(&mut dyn Imports, &Context<'_>) -> Result<R, Misuse>,
) -> wasmtime::Result<R> {
    let mut imports = store.data_mut().take_imports(function)?;
    let result = run(imports.as_mut(), &store);
    store.data_mut().give_back(imports);
    result.map_err(|text| misuse(function, text))
}

fn addresses<'a>(
    store: &'a Context<'_>,
    handles: &WasmList<u8>,
    slots: &WasmList<u8>,
) -> Result<Addresses<'a>, Misuse> {
    let (handles, slots) = (handles.as_le_slice(store), slots.as_le_slice(store));
    if !handles.len().is_multiple_of(4) {
        return Err(Misuse(format!("handles are {} bytes, not a multiple of 4", handles.len())));
    }
    if handles.len() / 4 > HANDLES_MAX {
        return Err(Misuse(format!(
            "{} handles, at most {HANDLES_MAX} are taken in one call",
            handles.len() / 4
        )));
    }
    if !slots.is_empty() {
        expect("bytes of slots", slots.len(), handles.len() * 2)?;
    }
    Ok(Addresses { handles, slots })
}

fn packed<'a>(store: &'a Context<'_>, argument: &PackedArgument) -> Result<PackedSlice<'a>, Misuse> {
    let slice =
        PackedSlice { offsets: argument.offsets.as_le_slice(store), data: argument.data.as_le_slice(store) };
    crate::check::packed::check_offsets(slice.offsets, slice.data.len()).map_err(Misuse)?;
    Ok(slice)
}

fn expect(what: &str, got: usize, expected: usize) -> Result<(), Misuse> {
    if got == expected {
        return Ok(());
    }
    Err(Misuse(format!("{got} {what}, expected are {expected}")))
}

/// Keeps the kinds of [`Stop`] in one place for the closed WASI.
pub(crate) fn closed(text: impl Into<String>) -> wasmtime::Error {
    Stop::error(FaultKind::Contract, text)
}
