//! Does what each fault says, in `process` and `tick`.
//!
//! In: the fault, the batch and its poison rows. Out: outputs or a failure, most of which the contract does not allow; or nothing at all, because the call
//! traps or never comes back. What is none of that forwards all rows.

use crate::config::{FIXED_TABLE, PACKED_TABLE};
use crate::faults::Fault;
use crate::poison::indexes;
use crate::wit::{
    Batch, Categories, Column, Emit, Extra, Failure, Forward, Output, Packed, Reject, Rows, Triplet, Values,
    Verdict, log, state, timers,
};

/// `poison`: rows of the batch that make it misbehave, at least one.
pub fn process(fault: Fault, batch: &Batch, poison: &[u32]) -> Result<Vec<Output>, Failure> {
    let rows = batch.rows;
    match fault {
        Fault::Spin => spin(),
        Fault::Trap => trap(),
        Fault::TrapEachThousandth => trap_each_thousandth(),
        Fault::Panic => panic_on_purpose(),
        Fault::Recursion => drop(std::hint::black_box(recurse(0, std::hint::black_box(u64::MAX)))),
        Fault::MemoryGrowth => grow(),
        Fault::Sleep => std::thread::sleep(std::time::Duration::from_secs(10)),
        Fault::LogFlood | Fault::LogHuge => write_log(fault),
        Fault::StateFlood => return Err(flood_state()),
        Fault::StateTooLarge => return Err(write_too_large()),
        Fault::BadTable | Fault::BadHandle | Fault::BadValueLength | Fault::BadTimer => misuse_imports(fault),
        Fault::FailureRetry => return Err(failure(Verdict::Retry, "later", Vec::new())),
        Fault::FailureFail => return Err(failure(Verdict::Fail, "never", Vec::new())),
        Fault::FailureBadIndexes => return Err(failure(Verdict::Drop, "bad-row", indexes(&[rows]))),
        Fault::FailureDropRows if poison.len() < rows as usize => {
            return Err(failure(Verdict::Drop, "bad-row", indexes(poison)));
        }
        Fault::RejectRows => return Ok(reject_rows(rows, poison)),
        Fault::TooManyOutputs => return Ok((0..300).map(|_| forward(Rows::Indexes(Vec::new()))).collect()),
        _ => {}
    }
    Ok(vec![lie(fault, rows)])
}

pub fn tick(fault: Fault) -> Vec<Output> {
    match fault {
        Fault::SpinInTick => spin(),
        Fault::TrapInTick => trap(),
        Fault::ForwardInTick => return vec![forward(Rows::All)],
        _ => {}
    }
    Vec::new()
}

/// One output that is wrong in the way of the fault, or right.
fn lie(fault: Fault, rows: u32) -> Output {
    let n = rows as usize;
    match fault {
        Fault::WrongMaskLength => forward(Rows::Mask(vec![1; n.saturating_sub(1)])),
        Fault::MaskValue => forward(Rows::Mask(vec![2; n])),
        Fault::RowOutOfRange => forward(Rows::Indexes(indexes(&[rows]))),
        Fault::RowsNotRising => forward(Rows::Indexes(indexes(&[0, 0]))),
        Fault::RaggedIndexes => forward(Rows::Indexes(vec![0; 3])),
        Fault::UnknownPort => {
            Output::Forward(Forward { port: 9, rows: Rows::All, set: Vec::new(), omit: Vec::new() })
        }
        Fault::OmitTime => {
            let omit = vec!["time".to_owned()];
            Output::Forward(Forward { port: 0, rows: Rows::All, set: Vec::new(), omit })
        }
        Fault::BadOffsets
        | Fault::InvalidUtf8
        | Fault::BadDictionaryCode
        | Fault::ColumnTooShort
        | Fault::ValidTooShort
        | Fault::DuplicateColumn => {
            Output::Forward(Forward { port: 0, rows: Rows::All, set: columns(fault, n), omit: Vec::new() })
        }
        Fault::EmitTimeTooShort
        | Fault::EmitWrongKeys
        | Fault::BadTriplet
        | Fault::TooManyRows
        | Fault::HugeOutput => emit(fault),
        Fault::HugeMessage => {
            let message = "x".repeat(1 << 20);
            Output::Reject(Reject { indexes: indexes(&[0]), code: "long".to_owned(), message })
        }
        _ => forward(Rows::All),
    }
}

fn forward(rows: Rows) -> Output {
    Output::Forward(Forward { port: 0, rows, set: Vec::new(), omit: Vec::new() })
}

fn column(values: Values) -> Column {
    Column { name: "lie".to_owned(), values, valid: None }
}

/// Offsets and data of `n` empty texts but one of one byte.
fn texts(n: usize, byte: u8) -> Packed {
    let mut offsets = vec![0; 4];
    (0..n).for_each(|_| offsets.extend(1u32.to_le_bytes()));
    Packed { offsets, data: vec![byte] }
}

fn columns(fault: Fault, n: usize) -> Vec<Column> {
    match fault {
        Fault::BadOffsets => {
            let mut texts = texts(n, b'x');
            // The first text would end beyond the data, the next begins before it.
            texts.offsets.splice(4..8, 9u32.to_le_bytes());
            vec![column(Values::Texts(texts))]
        }
        Fault::InvalidUtf8 => vec![column(Values::Texts(texts(n, 0xff)))],
        Fault::BadDictionaryCode => {
            let codes = indexes(&vec![7; n]);
            let names = Packed { offsets: vec![0, 0, 0, 0, 1, 0, 0, 0], data: b"a".to_vec() };
            vec![column(Values::Categories(Categories { codes, dictionary: 0, base: 0, names }))]
        }
        Fault::ColumnTooShort => vec![column(Values::F64s(vec![0; 8 * n.saturating_sub(1)]))],
        Fault::ValidTooShort => {
            let valid = Some(vec![1; n.saturating_sub(1)]);
            vec![Column { valid, ..column(Values::F64s(vec![0; 8 * n])) }]
        }
        _ => vec![column(Values::Bools(vec![0; n])), column(Values::Bools(vec![0; n]))],
    }
}

fn emit(fault: Fault) -> Output {
    let mut batch = Batch {
        triplet: Triplet {
            application: String::new(),
            environment: String::new(),
            event_type: String::new(),
        },
        rows: 1,
        time: 0i64.to_le_bytes().to_vec(),
        keys: Vec::new(),
        columns: Vec::new(),
        extras: Vec::new(),
    };
    match fault {
        Fault::EmitTimeTooShort => batch.rows = 2,
        Fault::EmitWrongKeys => batch.keys = indexes(&[4_000_000]),
        Fault::BadTriplet => batch.triplet.application = "a/b".to_owned(),
        Fault::TooManyRows => {
            // One more than a batch may have, so that the call ends long before its deadline.
            batch.rows = 65_537;
            batch.time = vec![0; 8 * 65_537];
        }
        _ => {
            let data = vec![b'x'; 70 << 20];
            let mut offsets = vec![0; 4];
            offsets.extend((data.len() as u32).to_le_bytes());
            batch.columns.push(column(Values::Blobs(Packed { offsets, data })));
        }
    }
    Output::Emit(Emit { port: 0, batch })
}

fn reject_rows(rows: u32, poison: &[u32]) -> Vec<Output> {
    let mask = (0..rows).map(|row| u8::from(!poison.contains(&row))).collect();
    let reject = Reject {
        indexes: indexes(poison),
        code: "poison".to_owned(),
        message: "this row is poison".to_owned(),
    };
    let extra = Extra { name: "faults.poison".to_owned(), value: poison.len().to_string() };
    vec![forward(Rows::Mask(mask)), Output::Reject(reject), Output::Extra(extra)]
}

pub fn failure(verdict: Verdict, code: &str, indexes: Vec<u8>) -> Failure {
    let message = "this unit was configured to fail".to_owned();
    Failure { verdict, code: code.to_owned(), message, indexes, after: 0 }
}

pub fn spin() {
    let mut turns = 0u64;
    while std::hint::black_box(turns) < u64::MAX {
        turns += 1;
    }
}

/// Counts the calls of this instance.
fn trap_each_thousandth() {
    thread_local! {
        static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }
    CALLS.set(CALLS.get() + 1);
    if CALLS.get() == 1_000 {
        trap();
    }
}

pub fn trap() {
    #[cfg(target_arch = "wasm32")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

#[expect(clippy::panic, reason = "a panic is what is wanted")]
fn panic_on_purpose() {
    panic!("this unit was configured to panic");
}

/// Deeper until the stack is out. The sum keeps the compiler from making a loop of it, and no local lives in linear memory, whose stack would be out first
/// and be another trap.
fn recurse(depth: u64, limit: u64) -> u64 {
    if depth == limit { 1 } else { recurse(depth + 1, limit).rotate_left(7).wrapping_mul(3) ^ depth }
}

fn grow() {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        // Not written to: growing alone must do it, before the deadline.
        kept.push(std::hint::black_box(Vec::with_capacity(1 << 20)));
    }
}

fn write_log(fault: Fault) {
    if fault == Fault::LogHuge {
        log::write(log::Level::Info, &"x".repeat(1 << 20));
        return;
    }
    for line in 0..10_000 {
        log::write(log::Level::Info, if line % 2 == 0 { "even" } else { "odd" });
    }
}

fn flood_state() -> Failure {
    const PIECE: i64 = 65_536;
    let handles = vec![0; 4 * PIECE as usize];
    let values = vec![1; 8 * PIECE as usize];
    for piece in 0.. {
        let slots: Vec<u8> = (piece * PIECE..(piece + 1) * PIECE).flat_map(i64::to_le_bytes).collect();
        if let Err(refusal) = state::write(FIXED_TABLE, &handles, &slots, &values) {
            return failure(Verdict::Fail, &refusal.code, Vec::new());
        }
    }
    failure(Verdict::Fail, "never-refused", Vec::new())
}

fn write_too_large() -> Failure {
    let data = vec![1; 2 << 20];
    let mut offsets = vec![0; 4];
    offsets.extend((data.len() as u32).to_le_bytes());
    match state::write_packed(PACKED_TABLE, &[0; 4], &[], &Packed { offsets, data }) {
        Err(refusal) => failure(Verdict::Fail, &refusal.code, Vec::new()),
        Ok(()) => failure(Verdict::Fail, "never-refused", Vec::new()),
    }
}

/// Each of these traps.
fn misuse_imports(fault: Fault) {
    match fault {
        Fault::BadTable => drop(state::read(99, &[0; 4], &[])),
        Fault::BadHandle => drop(state::read(FIXED_TABLE, &1_000_000u32.to_le_bytes(), &[])),
        Fault::BadValueLength => drop(state::write(FIXED_TABLE, &[0; 4], &[], &[0; 7])),
        _ => timers::wake(&[0; 8], &[], &[0; 8]),
    }
}
