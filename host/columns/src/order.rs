//! Numbers put in order without a branch for each of them.
//!
//! Which type a column has decides how a value is written, and a processor foretells that only where the columns come in the same order row after
//! row. So what comes in an order of its own is put in order first: the values of a row by the table's columns, the keys of an event by their fields. Rows of more
//! than [`ITEMS_MAX`] values, and places from [`PLACES_MAX`] on, stay as they came.

use crate::schema::NONE;
use crate::stage::Cell;
use crate::table::Table;

const PLACES_MAX: usize = 256;
const ITEMS_MAX: usize = 256;

/// Numbers of items by place.
#[derive(Debug)]
pub(crate) struct InOrder {
    /// One bit for each place that has an item.
    places: [u64; PLACES_MAX / 64],
    items: [u8; PLACES_MAX],
}

impl InOrder {
    /// Words of places.
    pub const WORDS: usize = PLACES_MAX / 64;

    pub fn new() -> Self {
        Self { places: [0; PLACES_MAX / 64], items: [0; PLACES_MAX] }
    }

    #[inline(always)]
    pub fn clear(&mut self) {
        self.places = [0; PLACES_MAX / 64];
    }

    /// Whether the item could be put there: the place is none too many, and no other item has it.
    #[inline(always)]
    pub fn put(&mut self, place: usize, item: usize) -> bool {
        let kept = place % PLACES_MAX;
        let mut fits = place < PLACES_MAX && item < ITEMS_MAX;
        if let (Some(slot), Some(word)) = (self.items.get_mut(kept), self.places.get_mut(kept / 64)) {
            fits &= *word & 1 << (kept % 64) == 0;
            *slot = item as u8;
            *word |= 1 << (kept % 64);
        }
        fits
    }

    /// The bits of 64 places that have an item.
    #[inline(always)]
    pub fn word(&self, number: usize) -> u64 {
        self.places.get(number).copied().unwrap_or_default()
    }

    /// The item at the lowest of the bits of a word, which is taken away.
    #[inline(always)]
    pub fn next(&self, number: usize, word: &mut u64) -> u8 {
        let place = number * 64 + word.trailing_zeros() as usize;
        *word &= word.wrapping_sub(1);
        self.items.get(place).copied().unwrap_or_default()
    }

    /// Whether the cells of a row could be put in the order of the table's columns.
    #[inline(always)]
    pub fn take(&mut self, cells: &[Cell], table: &Table) -> bool {
        if cells.len() > ITEMS_MAX || table.columns.len() > PLACES_MAX {
            return false;
        }
        let mut all = true;
        for (number, cell) in cells.iter().enumerate() {
            let column = table.column_of(cell.field);
            all &= column != NONE;
            self.put(column as usize, number);
        }
        all
    }

    /// Calls with each place and the number of its item.
    #[inline(always)]
    pub fn each(&self, mut call: impl FnMut(usize, usize)) {
        for number in 0..Self::WORDS {
            let mut word = self.word(number);
            while word != 0 {
                let place = number * 64 + word.trailing_zeros() as usize;
                call(place, usize::from(self.next(number, &mut word)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Kind;

    fn cells(fields: &[u32]) -> Vec<Cell> {
        fields.iter().map(|field| Cell { field: *field, kind: Kind::Int, length: 0, bits: 0 }).collect()
    }

    #[test]
    fn cells_come_in_the_order_of_their_columns() {
        let mut table = Table::new(0, "t".into());
        for field in 0..200 {
            table.add_column(199 - field, "c".into());
        }
        let mut order = InOrder::new();
        assert!(order.take(&cells(&[3, 199, 0, 70, 140]), &table));
        let mut found = Vec::new();
        order.each(|_, cell| found.push(cell));
        assert_eq!(found, [1, 4, 3, 0, 2]);
        assert!(!InOrder::new().take(&cells(&[3, 200]), &table));
        assert!(!InOrder::new().take(&cells(&[3; 257]), &table));
    }

    #[test]
    fn a_place_takes_one_item_and_there_are_so_many() {
        let mut order = InOrder::new();
        assert!(order.put(3, 7) && order.put(255, 255) && !order.put(3, 8));
        assert!(!order.put(256, 1) && !order.put(4, 256));
        order.clear();
        assert!(order.put(3, 9));
        let mut word = order.word(0);
        assert_eq!((order.next(0, &mut word), word), (9, 0));
    }
}
