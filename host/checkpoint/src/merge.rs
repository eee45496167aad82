//! Deltas as one: the newest value of each key, in the order of keys.
//!
//! In: the blocks of each delta, oldest delta first. Out: entries, each key once, by and by as the base is read beside them ([`Newer::up_to`]).

use crate::block::{Cursor, Malformed};

/// Called with key and value.
pub type Take<'a> = &'a mut dyn FnMut(&[u8], &[u8]);

struct Layer<'a> {
    blocks: std::slice::Iter<'a, Vec<u8>>,
    cursor: Cursor<'a>,
    is_there: bool,
}

impl Layer<'_> {
    fn advance(&mut self) -> Result<(), Malformed> {
        while !self.cursor.next()? {
            let Some(block) = self.blocks.next() else {
                self.is_there = false;
                return Ok(());
            };
            self.cursor = Cursor::new(block);
        }
        Ok(())
    }
}

pub struct Newer<'a> {
    layers: Vec<Layer<'a>>,
}

impl<'a> Newer<'a> {
    pub fn new(deltas: &'a [Vec<Vec<u8>>]) -> Result<Self, Malformed> {
        let layer = |blocks: &'a Vec<Vec<u8>>| {
            let mut layer = Layer { blocks: blocks.iter(), cursor: Cursor::default(), is_there: true };
            layer.advance()?;
            Ok(layer)
        };
        Ok(Self { layers: deltas.iter().map(layer).collect::<Result<_, _>>()? })
    }

    /// Gives what is left up to and with `bound` (none: all of it); whether the bound itself was there, with a value or without.
    pub fn up_to(&mut self, bound: Option<&[u8]>, take: Take) -> Result<bool, Malformed> {
        let mut met = false;
        while let Some(newest) = self.least(bound) {
            let (older, rest) = self.layers.split_at_mut(newest);
            let Some(layer) = rest.first_mut() else { break };
            met |= bound == Some(&*layer.cursor.key);
            if let Some(value) = layer.cursor.value {
                take(&layer.cursor.key, value);
            }
            for same in older.iter_mut().filter(|old| old.is_there && old.cursor.key == layer.cursor.key) {
                same.advance()?;
            }
            layer.advance()?;
        }
        Ok(met)
    }

    /// The newest of the layers that are at the least key, if that is not beyond the bound.
    fn least(&self, bound: Option<&[u8]>) -> Option<usize> {
        let there = self.layers.iter().enumerate().filter(|(_, layer)| layer.is_there);
        let (newest, layer) =
            there.reduce(|best, other| if other.1.cursor.key <= best.1.cursor.key { other } else { best })?;
        bound.is_none_or(|bound| layer.cursor.key.as_slice() <= bound).then_some(newest)
    }
}
