//! A host in memory for tests on other targets than Wasm: state, timers and log, one for each thread.
//!
//! [`Bench`] runs a unit like the host does: plan, open, process, and `tick` with what is due. Not here: quotas (see [`refuse_writes`]),
//! expiry, layers, and undoing a record that failed. Not for production: bad lengths read as 0.

pub mod charts;
pub mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::unit::weir::plugin::state::{Page, Refusal};
use crate::column::{BatchExt, PackedExt, S64s, U32s, bytes_of, pack};
use crate::log::Level;
use crate::manifest::parse_config;
use crate::{
    Batch, Column, Complaint, Context, Due, Failure, FailureExt, Opening, Output, Packed, Plan, Triplet, Unit,
};

/// Most timers in one call of `tick`, as in the host.
const DUE_MAX: usize = 4096;

/// By (table, handle, slot).
type Entries = BTreeMap<(u32, u32, i64), Vec<u8>>;

#[derive(Default)]
pub struct Host {
    pub entries: Entries,
    /// Bytes of the values of each table; 0: any.
    pub sizes: Vec<u32>,
    /// By (clock, key, slot): the time.
    pub timers: BTreeMap<(bool, u32, i64), i64>,
    pub log: Vec<(Level, String)>,
    names: BTreeMap<(u32, Vec<u8>), u32>,
    refuse: bool,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

/// The host of this thread.
pub fn host<R>(call: impl FnOnce(&mut Host) -> R) -> R {
    HOST.with_borrow_mut(call)
}

/// From now on every write is refused with "quota", or no longer.
pub fn refuse_writes(refuse: bool) {
    host(|host| host.refuse = refuse);
}

fn places(handles: &[u8], slots: &[u8]) -> Vec<(u32, i64)> {
    let slots = S64s::new(slots);
    U32s::new(handles).iter().enumerate().map(|(row, handle)| (handle, slots.get(row))).collect()
}

impl Host {
    fn refusal(&self) -> Result<(), Refusal> {
        match self.refuse {
            true => Err(Refusal { code: "quota".into(), message: "the table is full".into() }),
            false => Ok(()),
        }
    }

    fn size(&self, table: u32) -> usize {
        self.sizes.get(table as usize).copied().unwrap_or(0) as usize
    }

    pub fn read(&self, table: u32, handles: &[u8], slots: &[u8]) -> Vec<u8> {
        let size = self.size(table);
        let zeros = vec![0; size];
        let values =
            places(handles, slots).into_iter().map(|(handle, slot)| self.entries.get(&(table, handle, slot)));
        values
            .flat_map(|value| value.unwrap_or(&zeros).iter().copied().take(size).collect::<Vec<u8>>())
            .collect()
    }

    pub fn write(&mut self, table: u32, handles: &[u8], slots: &[u8], values: &[u8]) -> Result<(), Refusal> {
        self.refusal()?;
        let size = self.size(table).max(1);
        for ((handle, slot), value) in places(handles, slots).into_iter().zip(values.chunks_exact(size)) {
            self.entries.insert((table, handle, slot), value.to_vec());
        }
        Ok(())
    }

    pub fn read_packed(&self, table: u32, handles: &[u8], slots: &[u8]) -> Packed {
        let empty = Vec::new();
        let places = places(handles, slots).into_iter();
        pack(places.map(|(handle, slot)| self.entries.get(&(table, handle, slot)).unwrap_or(&empty)))
    }

    pub fn write_packed(
        &mut self,
        table: u32,
        handles: &[u8],
        slots: &[u8],
        values: &Packed,
    ) -> Result<(), Refusal> {
        self.refusal()?;
        for (row, (handle, slot)) in places(handles, slots).into_iter().enumerate() {
            self.entries.insert((table, handle, slot), values.bytes_at(row).to_vec());
        }
        Ok(())
    }

    pub fn present(&self, table: u32, handles: &[u8], slots: &[u8]) -> Vec<u8> {
        let places = places(handles, slots).into_iter();
        places.map(|(handle, slot)| u8::from(self.entries.contains_key(&(table, handle, slot)))).collect()
    }

    pub fn remove(&mut self, table: u32, handles: &[u8], slots: &[u8]) {
        for (handle, slot) in places(handles, slots) {
            self.entries.remove(&(table, handle, slot));
        }
    }

    /// Nothing expires here.
    pub fn expire(&mut self, _table: u32, _handles: &[u8], _slots: &[u8], _times: &[u8]) {}

    /// Keyed tables only; the cursor is the count of entries that were given.
    pub fn scan(&self, table: u32, _prefix: &[u8], cursor: &[u8], limit: u32) -> Page {
        let from = U32s::new(cursor).get(0) as usize;
        let all: Vec<(u32, i64)> =
            self.entries.keys().filter(|key| key.0 == table).map(|key| (key.1, key.2)).collect();
        let page: Vec<(u32, i64)> = all.iter().copied().skip(from).take(limit as usize).collect();
        let next = from + page.len();
        Page {
            handles: bytes_of(&page.iter().map(|place| place.0).collect::<Vec<u32>>()),
            slots: bytes_of(&page.iter().map(|place| place.1).collect::<Vec<i64>>()),
            names: pack::<&[u8]>([]),
            cursor: if next < all.len() { bytes_of(&[next as u32]) } else { Vec::new() },
        }
    }

    pub fn define(&mut self, table: u32, names: &Packed) -> Result<Vec<u8>, Refusal> {
        self.refusal()?;
        let handles: Vec<u32> = (0..names.count())
            .map(|index| {
                let next = self.names.len() as u32;
                *self.names.entry((table, names.bytes_at(index).to_vec())).or_insert(next)
            })
            .collect();
        Ok(bytes_of(&handles))
    }

    pub fn wake(&mut self, by_clock: bool, keys: &[u8], slots: &[u8], times: &[u8]) {
        let times = S64s::new(times);
        for (row, (key, slot)) in places(keys, slots).into_iter().enumerate() {
            match times.get(row) {
                i64::MAX => self.timers.remove(&(by_clock, key, slot)),
                time => self.timers.insert((by_clock, key, slot), time),
            };
        }
    }

    /// Takes what is due, in the order of (time, key, slot), at most 4,096.
    pub fn take_due(&mut self, now: i64, watermark: i64) -> Due {
        let is_due = |by_clock: bool, time: i64| time <= if by_clock { now } else { watermark };
        let mut due: Vec<(i64, u32, i64, bool)> = self
            .timers
            .iter()
            .filter(|((by_clock, ..), time)| is_due(*by_clock, **time))
            .map(|((by_clock, key, slot), time)| (*time, *key, *slot, *by_clock))
            .collect();
        due.sort_unstable();
        due.truncate(DUE_MAX);
        for (_, key, slot, by_clock) in &due {
            self.timers.remove(&(*by_clock, *key, *slot));
        }
        Due {
            keys: bytes_of(&due.iter().map(|timer| timer.1).collect::<Vec<u32>>()),
            slots: bytes_of(&due.iter().map(|timer| timer.2).collect::<Vec<i64>>()),
            times: bytes_of(&due.iter().map(|timer| timer.0).collect::<Vec<i64>>()),
        }
    }
}

/// One open unit over a fresh host.
pub struct Bench<U: Unit> {
    pub unit: U,
    pub plan: Plan,
    /// Of the next call; the position grows by itself.
    pub context: Context,
}

impl<U: Unit> Bench<U> {
    /// Plans and opens with a configuration in JSON; complaints become the failure "bad-config".
    pub fn open(config: &str) -> Result<Self, Failure> {
        let plan = plan::<U>(config).map_err(|list| {
            let lines: Vec<String> = list
                .into_iter()
                .map(|complaint| format!("{}: {}", complaint.path, complaint.message))
                .collect();
            Failure::fail("bad-config", lines.join("; "))
        })?;
        host(|host| {
            *host = Host {
                sizes: plan.tables.iter().map(|table| table.size.unwrap_or(0)).collect(),
                ..Host::default()
            };
        });
        Ok(Self { unit: opened(config)?, plan, context: context(0, 0) })
    }

    /// A new instance over the same state, as after a trap.
    pub fn reopen(&mut self, config: &str) -> Result<(), Failure> {
        self.unit = opened(config)?;
        Ok(())
    }

    pub fn process(&mut self, input: Batch) -> Result<Vec<Output>, Failure> {
        self.context.position += 1;
        self.unit.process(&self.context, input)
    }

    /// Moves the watermark (and the clock, if it is behind) and calls `tick` until nothing is due.
    pub fn advance(&mut self, watermark: i64) -> Result<Vec<Output>, Failure> {
        self.context.watermark = self.context.watermark.max(watermark);
        self.context.now = self.context.now.max(watermark);
        let mut outputs = Vec::new();
        loop {
            let due = host(|host| host.take_due(self.context.now, self.context.watermark));
            if due.keys.is_empty() {
                return Ok(outputs);
            }
            outputs.extend(self.unit.tick(&self.context, due)?);
        }
    }
}

pub fn plan<U: Unit>(config: &str) -> Result<Plan, Vec<Complaint>> {
    U::plan(parse_config(config).map_err(|complaint| vec![complaint])?)
}

fn opened<U: Unit>(config: &str) -> Result<U, Failure> {
    let parsed = parse_config(config).map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
    let opening = Opening {
        config: config.to_owned(),
        pipeline: "test".into(),
        name: "unit".into(),
        lane: 0,
        lanes: 1,
        seed: vec![7; 16],
        extras: Vec::new(),
    };
    U::open(parsed, &opening)
}

pub fn context(now: i64, watermark: i64) -> Context {
    Context { position: 0, part: 0, first_row: 0, now, watermark, forgotten: Vec::new() }
}

/// A batch of the stream test/test/test.
pub fn batch(times: &[i64], keys: &[u32], columns: Vec<Column>) -> Batch {
    let triplet =
        Triplet { application: "test".into(), environment: "test".into(), event_type: "test".into() };
    let rows = times.len() as u32;
    Batch { triplet, rows, time: bytes_of(times), keys: bytes_of(keys), columns, extras: Vec::new() }
}

/// The rows of a batch that a forward to the port keeps; none where there is no forward to it.
pub fn kept(outputs: &[Output], port: u32, rows: usize) -> Option<Vec<u32>> {
    outputs.iter().find_map(|output| match output {
        Output::Forward(forward) if forward.port == port => Some(match &forward.rows {
            crate::Rows::All => (0..rows as u32).collect(),
            crate::Rows::Mask(mask) => {
                (0..rows as u32).filter(|row| mask.get(*row as usize) == Some(&1)).collect()
            }
            crate::Rows::Indexes(bytes) => U32s::new(bytes).to_vec(),
        }),
        _ => None,
    })
}

/// The values of a column of numbers, as f64; of one that is not there NaN.
pub fn f64s(batch: &Batch, name: &str) -> Vec<f64> {
    let cast = crate::expr::cast(name, crate::expr::Kind::F64).eval(&batch.expr_columns());
    let crate::expr::Values::F64s(values) = cast.values else { return vec![f64::NAN; batch.rows as usize] };
    let there = |row: usize| cast.valid.as_ref().is_none_or(|valid| valid.get(row) == Some(&1));
    values.iter().enumerate().map(|(row, value)| if there(row) { *value } else { f64::NAN }).collect()
}
