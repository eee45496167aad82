//! One layer of a table: entries by (handle, slot), some of them tombstones that hide an entry below.
//!
//! Values of a fixed size lie side by side in one vector; others are boxed. Freed cells are used again.

use super::paged::Paged;

/// Address of an entry: key number (or the handle of a free table's name) and slot.
pub type Address = (u32, i64);

/// Index value of an entry that hides one below.
const TOMBSTONE: u32 = u32::MAX;
/// Index value where this layer has nothing. Quotas end far below.
const NOTHING: u32 = u32::MAX - 1;

#[derive(Debug, Clone)]
pub struct Layer {
    index: Paged<u32>,
    cells: Cells,
    free: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Cells {
    Fixed { size: usize, bytes: Vec<u8> },
    Packed(Vec<Box<[u8]>>),
}

/// What one layer knows of an address.
pub enum Found<'a> {
    Value(&'a [u8]),
    /// Removed here, whatever lies below.
    Gone,
    /// Not here: look below.
    Unknown,
}

impl Layer {
    pub fn new(size: Option<u32>) -> Self {
        let cells = match size {
            Some(size) => Cells::Fixed { size: size as usize, bytes: Vec::new() },
            None => Cells::Packed(Vec::new()),
        };
        Self { index: Paged::new(NOTHING), cells, free: Vec::new() }
    }

    pub fn get(&self, address: Address) -> Found<'_> {
        match self.index.get(address) {
            None => Found::Unknown,
            Some(TOMBSTONE) => Found::Gone,
            Some(cell) => self.cells.get(cell).map_or(Found::Unknown, Found::Value),
        }
    }

    /// Puts a value; of a fixed-size layer it has that size (the table checks it).
    pub fn put(&mut self, address: Address, value: &[u8]) {
        match self.index.get(address).filter(|cell| *cell != TOMBSTONE) {
            Some(cell) => self.cells.set(cell, value),
            None => drop(self.index.insert(address, self.cells.take(&mut self.free, value))),
        }
    }

    /// Where the value of an address lies, if this layer has one; until it is taken out.
    pub fn cell(&self, address: Address) -> Option<u32> {
        self.index.get(address).filter(|cell| *cell != TOMBSTONE)
    }

    /// The value in a cell.
    pub fn value(&self, cell: u32) -> &[u8] {
        self.cells.get(cell).unwrap_or_default()
    }

    /// Puts another value into a cell; of a fixed-size layer it has that size.
    pub fn overwrite(&mut self, cell: u32, value: &[u8]) {
        self.cells.set(cell, value);
    }

    /// Takes the entry out of this layer; what lies below shows again. Whether there was a value.
    pub fn forget(&mut self, address: Address) -> bool {
        match self.index.remove(address) {
            None | Some(TOMBSTONE) => false,
            Some(cell) => {
                self.cells.clear(cell);
                self.free.push(cell);
                true
            }
        }
    }

    /// Hides the entry, here and below.
    pub fn bury(&mut self, address: Address) {
        self.forget(address);
        self.index.insert(address, TOMBSTONE);
    }

    /// Entries in no order; none for a tombstone.
    pub fn iter(&self) -> impl Iterator<Item = (Address, Option<&[u8]>)> {
        self.index.iter().map(|(address, cell)| {
            (address, if cell == TOMBSTONE { None } else { Some(self.cells.get(cell).unwrap_or_default()) })
        })
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

impl Cells {
    fn get(&self, cell: u32) -> Option<&[u8]> {
        let cell = cell as usize;
        match self {
            Self::Fixed { size, bytes } => bytes.get(cell * size..(cell + 1) * size),
            Self::Packed(values) => values.get(cell).map(|value| &**value),
        }
    }

    fn set(&mut self, cell: u32, value: &[u8]) {
        let cell = cell as usize;
        match self {
            Self::Fixed { size, bytes } => {
                if let Some(place) = bytes.get_mut(cell * *size..(cell + 1) * *size)
                    && place.len() == value.len()
                {
                    place.copy_from_slice(value);
                }
            }
            Self::Packed(values) => {
                if let Some(place) = values.get_mut(cell) {
                    *place = value.into();
                }
            }
        }
    }

    fn take(&mut self, free: &mut Vec<u32>, value: &[u8]) -> u32 {
        if let Some(cell) = free.pop() {
            self.set(cell, value);
            return cell;
        }
        match self {
            Self::Fixed { size, bytes } => {
                let cell = bytes.len().checked_div(*size).unwrap_or(0);
                bytes.extend_from_slice(value);
                cell as u32
            }
            Self::Packed(values) => {
                values.push(value.into());
                values.len() as u32 - 1
            }
        }
    }

    /// Gives boxed memory back; fixed cells stay.
    fn clear(&mut self, cell: u32) {
        if let Self::Packed(values) = self
            && let Some(value) = values.get_mut(cell as usize)
        {
            *value = Box::default();
        }
    }
}
