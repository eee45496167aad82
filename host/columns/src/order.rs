//! The values of a row whose keys came in an order of their own, in the order of the table's columns.
//!
//! Which type a column has decides how a value is written, and a processor foretells that only where the columns come in the same order row after
//! row. So they are put in order first, without a branch for each value. Rows of more than [`CELLS_MAX`] values, or of a table with more than
//! [`COLUMNS_MAX`] columns, stay as they came, and so do those that bring a new column.

use crate::schema::NONE;
use crate::stage::Cell;
use crate::table::Table;

const COLUMNS_MAX: usize = 256;
const CELLS_MAX: usize = 256;

/// Numbers of cells by column.
pub(crate) struct InOrder {
    /// One bit for each column that has a cell.
    columns: [u64; COLUMNS_MAX / 64],
    cells: [u8; COLUMNS_MAX],
}

impl InOrder {
    pub fn new() -> Self {
        Self { columns: [0; COLUMNS_MAX / 64], cells: [0; COLUMNS_MAX] }
    }

    /// Whether they were put in order.
    #[inline(always)]
    pub fn take(&mut self, cells: &[Cell], table: &Table) -> bool {
        if cells.len() > CELLS_MAX || table.columns.len() > COLUMNS_MAX {
            return false;
        }
        let mut all = true;
        for (number, cell) in cells.iter().enumerate() {
            let column = table.column_of(cell.field);
            all &= column != NONE;
            let place = column as usize % COLUMNS_MAX;
            if let (Some(slot), Some(word)) = (self.cells.get_mut(place), self.columns.get_mut(place / 64)) {
                *slot = number as u8;
                *word |= 1 << (place % 64);
            }
        }
        all
    }

    /// Calls with each column and the number of its cell.
    #[inline(always)]
    pub fn each(&self, mut call: impl FnMut(usize, usize)) {
        for (first, word) in (0..COLUMNS_MAX).step_by(64).zip(self.columns) {
            let mut word = word;
            while word != 0 {
                let column = first + word.trailing_zeros() as usize;
                word &= word - 1;
                if let Some(cell) = self.cells.get(column) {
                    call(column, usize::from(*cell));
                }
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
}
