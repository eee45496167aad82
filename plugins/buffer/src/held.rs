//! The buffers of one call: what they hold, what goes, what is written back.
//!
//! A buffer is named by its [`Place`], (key number, start of its window or 0). Its header says how many rows it holds and in how many chunks; chunk i
//! lies at the slot start + i of the table `rows`. Nothing of the state is cached between calls.

use weir_rows::{Gather, encode, rows_per_chunk};
use weir_sdk::column::{Number, PackedExt, S64s, U32s, bytes_of, pack};
use weir_sdk::state::{self, Refusal, refused};
use weir_sdk::{Batch, Due, Failure, FailureExt, Output};

const BUFFERS: u32 = 0;
const ROWS: u32 = 1;
/// A chunk stays well below the contract's 1 MiB for a value, also where some rows are larger than the others.
const CHUNK_BYTES_MAX: usize = 128 << 10;
/// What one tick lets go; the rest is for the next one.
const RELEASE_ROWS_MAX: usize = 20_000;
const RELEASE_BYTES_MAX: usize = 8 << 20;

/// Key number and start of the window.
pub type Place = (u32, i64);

/// Timers that are asked for again: key numbers, slots, times.
pub type Left = (Vec<u32>, Vec<i64>, Vec<i64>);

#[derive(Clone, Copy, Default)]
struct Header {
    rows: u32,
    chunks: u32,
}

/// A chunk that is to be written, and the rows of the input that are in it.
struct Chunk {
    place: usize,
    bytes: Vec<u8>,
    rows: Vec<u32>,
}

pub struct Held {
    places: Vec<Place>,
    before: Vec<Header>,
    after: Vec<Header>,
    new: Vec<Chunk>,
    gone: Vec<Place>,
    gather: Gather,
}

impl Held {
    pub fn read(places: Vec<Place>) -> Self {
        let (keys, starts): (Vec<u32>, Vec<i64>) = places.iter().copied().unzip();
        let bytes = state::read(BUFFERS, &bytes_of(&keys), &bytes_of(&starts));
        let numbers = U32s::new(&bytes);
        let header =
            |index: usize| Header { rows: numbers.get(2 * index), chunks: numbers.get(2 * index + 1) };
        let before: Vec<Header> = (0..places.len()).map(header).collect();
        let after = before.clone();
        Self { places, before, after, new: Vec::new(), gone: Vec::new(), gather: Gather::default() }
    }

    /// Rows of the input into a buffer, in their order; each time it is full it goes.
    pub fn take(&mut self, index: usize, input: &Batch, rows: &[u32], capacity: u32) -> Result<(), Failure> {
        let mut rest = rows;
        loop {
            let Header { rows: held, .. } = self.after.get(index).copied().unwrap_or_default();
            let room = capacity.saturating_sub(held) as usize;
            let Some((now, later)) = rest.split_at_checked(room) else { break };
            self.let_go(index)?;
            let key = self.places.get(index).map_or(0, |place| place.0);
            self.gather.push(&encode(input, now), key).map_err(broken)?;
            rest = later;
        }
        for rows in rest.chunks(rows_per_chunk(input, CHUNK_BYTES_MAX)) {
            let Some(header) = self.after.get_mut(index) else { continue };
            header.rows += rows.len() as u32;
            self.new.push(Chunk { place: index, bytes: encode(input, rows), rows: rows.to_vec() });
        }
        Ok(())
    }

    /// What is held goes, and the buffer is empty.
    fn let_go(&mut self, index: usize) -> Result<(), Failure> {
        let (Some(place), Some(header)) = (self.places.get(index).copied(), self.after.get_mut(index)) else {
            return Ok(());
        };
        let chunks = slots(place, header.chunks);
        *header = Header::default();
        if chunks.is_empty() {
            return Ok(());
        }
        let (keys, starts): (Vec<u32>, Vec<i64>) = chunks.iter().copied().unzip();
        let packed = state::read_packed(ROWS, &bytes_of(&keys), &bytes_of(&starts));
        for chunk in 0..chunks.len() {
            self.gather.push(packed.bytes_at(chunk), place.0).map_err(broken)?;
        }
        self.gone.extend(chunks);
        Ok(())
    }

    /// To the state. Where it has no room for new rows these are given back with the reason; everything else is written all the same.
    pub fn write(&mut self) -> Result<Option<(Vec<u32>, Refusal)>, Failure> {
        let (keys, starts): (Vec<u32>, Vec<i64>) = self.gone.iter().copied().unzip();
        if !keys.is_empty() {
            state::remove(ROWS, &bytes_of(&keys), &bytes_of(&starts));
        }
        let refused_rows = self.write_chunks();
        let (mut kept, mut empty) = (Vec::new(), Vec::new());
        for ((place, before), after) in self.places.iter().zip(&self.before).zip(&self.after) {
            match (before.rows, after.rows) {
                (0, 0) => {}
                (_, 0) => empty.push(*place),
                _ => kept.push((*place, *after)),
            }
        }
        let (keys, starts): (Vec<u32>, Vec<i64>) = empty.into_iter().unzip();
        if !keys.is_empty() {
            state::remove(BUFFERS, &bytes_of(&keys), &bytes_of(&starts));
        }
        let mut values = Vec::with_capacity(kept.len() * 8);
        for (_, header) in &kept {
            header.rows.put_le(&mut values);
            header.chunks.put_le(&mut values);
        }
        let (keys, starts): (Vec<u32>, Vec<i64>) = kept.into_iter().map(|(place, _)| place).unzip();
        if !keys.is_empty() {
            state::write(BUFFERS, &bytes_of(&keys), &bytes_of(&starts), &values).map_err(refused)?;
        }
        Ok(refused_rows)
    }

    fn write_chunks(&mut self) -> Option<(Vec<u32>, Refusal)> {
        let (mut keys, mut starts) = (Vec::new(), Vec::new());
        for chunk in &self.new {
            let (Some(place), Some(header)) = (self.places.get(chunk.place), self.after.get_mut(chunk.place))
            else {
                continue;
            };
            keys.push(place.0);
            starts.push(place.1.saturating_add(i64::from(header.chunks)));
            header.chunks += 1;
        }
        let values = pack(self.new.iter().map(|chunk| &chunk.bytes));
        let refusal = if keys.is_empty() {
            None
        } else {
            state::write_packed(ROWS, &bytes_of(&keys), &bytes_of(&starts), &values).err()
        }?;
        for chunk in &self.new {
            if let Some(header) = self.after.get_mut(chunk.place) {
                header.rows = header.rows.saturating_sub(chunk.rows.len() as u32);
                header.chunks = header.chunks.saturating_sub(1);
            }
        }
        let mut rows: Vec<u32> = self.new.iter().flat_map(|chunk| chunk.rows.iter().copied()).collect();
        rows.sort_unstable();
        Some((rows, refusal))
    }

    /// Buffers that held nothing before this call and do now.
    pub fn begun(&self) -> (Vec<u32>, Vec<i64>) {
        let places = self.places.iter().zip(&self.before).zip(&self.after);
        places
            .filter(|((_, before), after)| before.rows == 0 && after.rows > 0)
            .map(|((place, _), _)| *place)
            .unzip()
    }

    /// What is due goes, as far as one call can; the rest is to be asked for again.
    pub fn release(due: &Due) -> Result<(Self, Left), Failure> {
        let (keys, starts) = (U32s::new(&due.keys), S64s::new(&due.slots));
        let times = S64s::new(&due.times);
        let mut held = Self::read(keys.iter().zip(starts.iter()).collect());
        let mut left = Left::default();
        for index in 0..held.places.len() {
            if held.gather.rows >= RELEASE_ROWS_MAX || held.gather.bytes >= RELEASE_BYTES_MAX {
                left.0.push(keys.get(index));
                left.1.push(starts.get(index));
                left.2.push(times.get(index));
                continue;
            }
            held.let_go(index)?;
        }
        held.write()?;
        Ok((held, left))
    }

    pub fn into_outputs(self, port: u32, keyed: bool) -> Vec<Output> {
        self.gather.into_outputs(port, keyed)
    }
}

fn slots(place: Place, chunks: u32) -> Vec<Place> {
    (0..chunks).map(|chunk| (place.0, place.1.saturating_add(i64::from(chunk)))).collect()
}

fn broken(_: weir_rows::Broken) -> Failure {
    Failure::fail("broken-state", "rows in the state are not readable")
}
