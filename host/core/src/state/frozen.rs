//! What changed up to a moment, readable as it was then while it goes on changing.
//!
//! In: the places that changed; every change after the moment, told before it is made ([`Frozen::before`]). Out: values of that moment, for places in rising order
//! ([`Frozen::take`]). Kept are only values that were overwritten before they were read; a change of a place that was read, or that is not among these, costs one look-up.

use std::sync::Arc;

use super::layer::{Found, Layer};
use super::marks::{Marks, Place};

#[derive(Debug)]
pub struct Frozen {
    /// Shared with the reader, who sorts them.
    changed: Arc<Marks>,
    /// Read up to and with this one.
    read: Option<Place>,
    /// By table; an entry that hides one below stands for none.
    overwritten: Vec<Layer>,
}

impl Frozen {
    /// `sizes`: of each table's values, where they are all of one size.
    pub fn new(changed: &Arc<Marks>, sizes: impl IntoIterator<Item = Option<u32>>) -> Self {
        let overwritten = sizes.into_iter().map(Layer::new).collect();
        Self { changed: Arc::clone(changed), read: None, overwritten }
    }

    /// The value of this place is about to change; `now` gives the one that it still has.
    pub fn before<V: AsRef<[u8]>>(&mut self, place: Place, now: impl FnOnce() -> Option<V>) {
        if self.read.is_some_and(|read| place <= read) || !self.changed.contains(place) {
            return;
        }
        let (table, address) = place;
        if let Some(layer) = self.overwritten.get_mut(usize::from(table))
            && matches!(layer.get(address), Found::Unknown)
        {
            match now() {
                Some(value) => layer.put(address, value.as_ref()),
                None => layer.bury(address),
            }
        }
    }

    /// The value of the moment, where it changed since; else the one that there is now. Places rise from call to call.
    pub fn take<V: Into<Vec<u8>>>(
        &mut self,
        place: Place,
        now: impl FnOnce() -> Option<V>,
    ) -> Option<Vec<u8>> {
        self.read = Some(place);
        let (table, address) = place;
        let Some(layer) = self.overwritten.get_mut(usize::from(table)) else { return now().map(V::into) };
        let value = match layer.get(address) {
            Found::Value(value) => Some(value.to_vec()),
            Found::Gone => None,
            Found::Unknown => return now().map(V::into),
        };
        layer.forget(address);
        value
    }
}
