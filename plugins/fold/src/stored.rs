//! Between the cells in guest memory and the host's state: which of them it knows, and writing them through.
//!
//! In: bases of a [`Cache`]. Out: bases of the cells that the state did not know; what the host refused. Words lie in table 0 of the plan, sketches in table 1 where the layout has any.

use crate::cache::Cache;
use crate::host::{Addresses, Host, Refusal};
use crate::layout::Layout;
use crate::sketches;

impl Cache {
    pub fn addresses(&self, bases: &[u32]) -> Addresses {
        let mut addresses = Addresses::default();
        for entry in bases.iter().filter_map(|base| self.entry(*base)) {
            addresses.push(entry.key, entry.start);
        }
        addresses
    }

    /// Reads cells that were not cached; rows that they have counted already are added to. Gives those that the state does not hold: the new ones.
    pub fn load(
        &mut self,
        layout: &Layout,
        fresh: &[u32],
        host: &mut impl Host,
    ) -> Result<Vec<u32>, Refusal> {
        let (mut new, mut known) = (Vec::new(), Vec::new());
        if fresh.is_empty() {
            return Ok(new);
        }
        let addresses = self.addresses(fresh);
        let stored = host.read(&addresses.keys, &addresses.starts);
        for (base, stored) in fresh.iter().zip(stored.chunks_exact(layout.bytes())) {
            let Some(words) = self.words_at(*base) else { continue };
            let rows = words.first().copied().unwrap_or(0);
            for (word, bytes) in words.iter_mut().zip(stored.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            let Some(count) = words.first_mut() else { continue };
            let is_new = *count == 0;
            *count += rows;
            if is_new {
                layout.begin(words);
                new.push(*base);
            } else {
                known.push(*base);
            }
        }
        if !layout.sketches.is_empty() && !known.is_empty() {
            let addresses = self.addresses(&known);
            let stored = host.read_bytes(&addresses.keys, &addresses.starts);
            for (base, bytes) in known.into_iter().zip(stored) {
                let read = sketches::read(layout, &bytes).map_err(|_| Refusal::damaged())?;
                if let Some(cell) = self.sketches_at(base) {
                    *cell = read;
                }
            }
        }
        Ok(new)
    }

    /// Writes cells through. The words first: they say whether there is room for more.
    pub fn write(&mut self, layout: &Layout, bases: &[u32], host: &mut impl Host) -> Result<(), Refusal> {
        if bases.is_empty() {
            return Ok(());
        }
        let addresses = self.addresses(bases);
        let mut values = Vec::with_capacity(bases.len() * layout.bytes());
        for base in bases {
            for word in self.words_of(*base) {
                values.extend_from_slice(&word.to_le_bytes());
            }
        }
        host.write(&addresses.keys, &addresses.starts, &values)?;
        if layout.sketches.is_empty() {
            return Ok(());
        }
        let mut bytes = vec![Vec::new(); bases.len()];
        for (base, out) in bases.iter().zip(&mut bytes) {
            sketches::put(self.sketches_at(*base).map_or(&[][..], |cell| cell), out);
            self.note_sketches(*base, out.len());
        }
        host.write_bytes(&addresses.keys, &addresses.starts, &bytes)
    }

    /// Writes those of the cells that are not new, and drops the new ones, sorted: there was no room for them.
    pub fn write_known(
        &mut self,
        layout: &Layout,
        touched: &[u32],
        mut new: Vec<u32>,
        host: &mut impl Host,
    ) -> Result<Vec<u32>, Refusal> {
        new.sort_unstable();
        let known = |base: &u32| new.binary_search(base).is_err();
        // Their words may have been written before their sketches were refused.
        let gone = self.addresses(&new);
        host.remove(&gone.keys, &gone.starts);
        let old: Vec<u32> = touched.iter().copied().filter(known).collect();
        self.write(layout, &old, host)?;
        for entry in new.iter().filter_map(|base| self.entry(*base)).collect::<Vec<_>>() {
            self.remove(entry.key, entry.start);
        }
        Ok(new)
    }
}
