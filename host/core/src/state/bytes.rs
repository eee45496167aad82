//! The bytes of the state calls: handles, slots and times as little-endian numbers, and packed byte strings.
//!
//! A length or an offset that does not fit is a [`Bug`] of the unit.

use super::layer::Address;
use super::{Bug, Packed};

/// Pairs of handle and slot; no slots means slot 0 everywhere.
pub(super) fn addresses<'a>(
    handles: &'a [u8],
    slots: &'a [u8],
) -> Result<impl ExactSizeIterator<Item = Address> + Clone + 'a, Bug> {
    let n = handles.len() / 4;
    if !handles.len().is_multiple_of(4) || !(slots.is_empty() || slots.len() == n * 8) {
        let (handles, slots) = (handles.len(), slots.len());
        return Err(Bug(format!(
            "state: {handles} bytes of handles (n x 4) do not fit {slots} bytes of slots (n x 8)"
        )));
    }
    let mut slots = slots.chunks_exact(8);
    let handles = handles.chunks_exact(4);
    Ok(handles.map(move |handle| {
        let slot = slots.next().map_or(0, |bytes| i64::from_le_bytes(fixed(bytes)));
        (u32::from_le_bytes(fixed(handle)), slot)
    }))
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    if bytes.len() == N {
        out.copy_from_slice(bytes);
    }
    out
}

pub(super) fn longs(bytes: &[u8], what: &str) -> Result<Vec<i64>, Bug> {
    if !bytes.len().is_multiple_of(8) {
        return Err(Bug(format!("{what}: {} bytes are no multiple of 8", bytes.len())));
    }
    Ok(bytes.chunks_exact(8).map(|bytes| i64::from_le_bytes(fixed(bytes))).collect())
}

pub(super) fn cursor_address(cursor: &[u8]) -> Result<Address, Bug> {
    if cursor.len() != 12 {
        return Err(Bug("state.scan: this cursor was not given by a scan".into()));
    }
    let (handle, slot) = cursor.split_at(4);
    Ok((u32::from_le_bytes(fixed(handle)), i64::from_le_bytes(fixed(slot))))
}

/// The byte strings of a `packed`.
pub fn unpack<'a>(offsets: &[u8], data: &'a [u8]) -> Result<Vec<&'a [u8]>, Bug> {
    if offsets.is_empty() {
        return Ok(Vec::new());
    }
    let bug = || {
        Bug("packed: offsets are not (n + 1) x u32 that start at 0, never fall and end at the data's length"
            .into())
    };
    if !offsets.len().is_multiple_of(4) {
        return Err(bug());
    }
    let offsets: Vec<usize> =
        offsets.chunks_exact(4).map(|bytes| u32::from_le_bytes(fixed(bytes)) as usize).collect();
    if offsets.first() != Some(&0) || offsets.last() != Some(&data.len()) {
        return Err(bug());
    }
    offsets.array_windows().map(|[start, end]| data.get(*start..*end).ok_or_else(bug)).collect()
}

#[derive(Default)]
pub(super) struct PackedBuilder {
    packed: Packed,
    n: usize,
}

impl PackedBuilder {
    pub(super) fn push(&mut self, value: &[u8]) {
        if self.n == 0 {
            self.packed.offsets.extend(0u32.to_le_bytes());
        }
        self.packed.data.extend_from_slice(value);
        self.packed.offsets.extend((self.packed.data.len() as u32).to_le_bytes());
        self.n += 1;
    }

    pub(super) fn finish(mut self) -> Packed {
        if self.n == 0 {
            self.packed.offsets.extend(0u32.to_le_bytes());
        }
        self.packed
    }
}
