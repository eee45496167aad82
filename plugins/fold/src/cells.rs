//! One cell for each key, without windows: found for each row, read from the host's state where it is not cached, and written through.
//!
//! In: key numbers of a batch. Out: the base of each row's cell; then, when the caller has folded, which rows the host had no room for. Words lie in
//! table 0 of the plan, sketches in table 1 where the layout has any; the slot is 0. Limits: those of [`crate::cache`]. Errors: a failure of the call where
//! the state is not what was written, or no room is left for keys that were there.

use weir_sdk::{Context, Failure};

use crate::cache::{ANOTHER, Cache, NEVER};
use crate::host::{Addresses, Host, Refusal};
use crate::layout::Layout;
use crate::sketches;

/// The only window of a key.
const START: i64 = 0;

pub struct Cells {
    pub layout: Layout,
    pub cache: Cache,
    /// Cells of this batch that the state did not know.
    new: Vec<u32>,
}

impl Cells {
    pub fn new(layout: Layout) -> Self {
        Self { cache: Cache::new(&layout, 1), layout, new: Vec::new() }
    }

    /// The base of each row's cell; all of them are loaded. `keys`: n x u32, or empty: all rows have key 0.
    pub fn find(
        &mut self,
        context: &Context,
        keys: &[u8],
        rows: usize,
        host: &mut impl Host,
    ) -> Result<Vec<u32>, Failure> {
        self.cache.begin_call(&context.forgotten);
        let keys = keys.as_chunks::<4>().0;
        let (mut fresh, pane) = (Vec::new(), self.cache.number(START).unwrap_or(NEVER));
        let bases = (0..rows)
            .map(|row| {
                let key = keys.get(row).map_or(0, |key| u32::from_le_bytes(*key));
                let mut base = self.cache.first(key, pane);
                if base == ANOTHER {
                    let touched = self.cache.touch(key, START);
                    if touched.fresh {
                        fresh.push(touched.base);
                    }
                    base = touched.base;
                }
                self.cache.note_touched(base);
                base
            })
            .collect();
        self.new = self.cache.load(&self.layout, &fresh, host)?;
        Ok(bases)
    }

    /// Writes all cells of this batch. Where the host has no room for new ones they are dropped and returned, sorted, with the reason.
    pub fn store(&mut self, host: &mut impl Host) -> Result<Option<(Vec<u32>, Refusal)>, Failure> {
        let touched = std::mem::take(&mut self.cache.touched);
        let mut refused = None;
        if let Err(refusal) = self.cache.write(&self.layout, &touched, host) {
            if self.new.is_empty() {
                return Err(refusal.into());
            }
            let new = std::mem::take(&mut self.new);
            refused = Some((self.cache.write_known(&self.layout, &touched, new, host)?, refusal));
        }
        self.cache.touched = touched;
        Ok(refused)
    }

    /// The key's cell is gone.
    pub fn remove(&mut self, key: u32, host: &mut impl Host) {
        let mut addresses = Addresses::default();
        addresses.push(key, START);
        host.remove(&addresses.keys, &addresses.starts);
        if !self.layout.sketches.is_empty() {
            host.remove_bytes(&addresses.keys, &addresses.starts);
        }
        self.cache.remove(key, START);
    }

    /// Words and sketches of cells, one after the other, as [`Layout::read_out`] wants them.
    pub fn collect(&mut self, bases: &[u32]) -> (Vec<u64>, Vec<Vec<sketches::Sketch>>) {
        let (mut words, mut cells) = (Vec::new(), Vec::new());
        for base in bases {
            words.extend_from_slice(self.cache.words_at(*base).map_or(&[][..], |words| words));
            cells.push(self.cache.sketches_at(*base).cloned().unwrap_or_default());
        }
        (words, cells)
    }
}
