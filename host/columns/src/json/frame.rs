//! The frame of a flat event, found before any of its values is read.
//!
//! In: where an event begins whose keys come in an order of their own; out: for each key that was seen before its leaf and where its value stands,
//! in the order of the leaves. What kind of value comes next can then be foretold by the processor row after row, which it cannot where values
//! are read as they come: that was most of what shuffled keys cost.
//!
//! Idea: that of simdjson ("Parsing Gigabytes of JSON per Second", section 3.1), for one event. 64 bytes at a time become bits ([`Marks`](crate::lanes::Marks)); bits of
//! quotes, each xor all before it, say what is inside a text; what is left of the others is `{` key `:` value `,` key `:` … `}`.
//!
//! The bits are only a guess: an escaped quote turns them round, brackets inside are not looked at. What makes it certain is that each value is read
//! from its colon on and must end where the guess says, at the comma in front of the next key. Events of more than [`BYTES_MAX`] bytes or [`KEYS_MAX`] keys, and those in
//! which anything is not as guessed, are read key by key instead, so that there is one place that says what is refused.

use super::keys::{Keys, Words};
use super::learned::Leaf;
use super::rows::{Rows, take_key};
use super::stop::Stop;
use crate::lanes::{BLOCK_BYTES, Lanes, Portable};
use crate::order::InOrder;
use crate::schema::{NONE, Object};

const BYTES_MAX: usize = 4_096;
const KEYS_MAX: usize = 64;

/// `{`, a `:` and a `,` or `}` for each key.
const MARKS_MAX: usize = 1 + 2 * KEYS_MAX;

/// Events in turn that have no frame, after which one in [`TRIED_EVERY`] is looked at.
const FAILING_MAX: u32 = 8;
const TRIED_EVERY: u32 = 16;

/// A value, as places from the start of the event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Behind the quote of its key.
    pub key: u16,
    /// Behind the colon.
    pub value: u16,
    /// The comma or the bracket behind it.
    pub end: u16,
}

/// Memory for one frame.
#[derive(Debug)]
pub(super) struct Frame {
    /// Brackets, colons and commas outside of texts, with room for those of one more block.
    marks: [u16; MARKS_MAX + BLOCK_BYTES],
    /// Values whose keys were seen before, and their leaves.
    known: Vec<(Place, Leaf)>,
    /// Those by their leaves.
    pub order: InOrder,
    /// Values of other keys.
    pub others: Vec<Place>,
    failing: u32,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            marks: [0; MARKS_MAX + BLOCK_BYTES],
            known: Vec::new(),
            order: InOrder::new(),
            others: Vec::new(),
            failing: 0,
        }
    }
}

impl Frame {
    /// Whether an event is worth a look.
    #[inline(always)]
    pub fn pays(&self) -> bool {
        self.failing < FAILING_MAX || self.failing.is_multiple_of(TRIED_EVERY)
    }

    /// Notes whether the event was taken.
    #[inline(always)]
    pub fn came(&mut self, taken: bool) {
        self.failing = if taken { 0 } else { self.failing.saturating_add(1) };
    }

    #[inline(always)]
    pub fn known(&self, number: u8) -> Option<(Place, Leaf)> {
        self.known.get(usize::from(number)).copied()
    }

    /// Finds the values of the event whose `{` is at `start`, and its end; none: it has no frame.
    #[inline(always)]
    pub fn find<L: Lanes>(&mut self, chunk: &[u8], start: usize, keys: &Keys) -> Option<usize> {
        let count = self.mark::<L>(chunk, start)?;
        self.order.clear();
        self.known.clear();
        self.others.clear();
        let mut before = 0;
        let mut right = true;
        for pair in self.marks.get(1..count)?.chunks_exact(2) {
            let &[colon, end] = pair else { return None };
            // One quote behind what was before, one in front of the colon.
            let place = Place { key: before + 2, value: colon + 1, end };
            let key_bytes = usize::from(colon.wrapping_sub(before + 3));
            let words = Words::at(chunk, start + usize::from(place.key), key_bytes, NONE, Object::ROOT.0);
            match words.and_then(|words| keys.find(&words)) {
                Some(leaf) => {
                    right &= self.order.put(leaf.field as usize, self.known.len());
                    self.known.push((place, leaf));
                }
                None => self.others.push(place),
            }
            before = end;
        }
        let end = start + usize::from(before);
        (right && chunk.get(end) == Some(&b'}')).then_some(end + 1)
    }

    /// Finds `{`, each `:` and `,`, and `}`, and that they come in this order, with a quote behind each but the colons and the last, and one in front
    /// of each colon; how many there are.
    #[inline(always)]
    fn mark<L: Lanes>(&mut self, chunk: &[u8], start: usize) -> Option<usize> {
        let mut count = 0;
        // All ones or none: the block begins inside a text; the next mark is no colon. One bit: a quote must come first; one was last.
        let (mut inside, mut even, mut opens, mut quoted) = (0, 0, 0, 0);
        for at in (0..BYTES_MAX).step_by(BLOCK_BYTES) {
            let block = L::marks(chunk.get(start + at..)?.first_chunk()?)?;
            // From each opening quote on up to its closing one.
            let texts = xor_of_all_before(block.quotes) ^ inside;
            let closing = block.closing & !texts;
            let event = (closing ^ closing.wrapping_sub(1)) & !texts;
            let (colons, commas) = (block.colons & event, block.commas & event | u64::from(at == 0));
            let closing = closing & event;
            let marks = colons | commas | closing;
            let odd = xor_of_all_before(marks) ^ even;
            let wrong = odd & colons
                | !odd & (commas | closing)
                | (commas << 1 | opens) & !block.quotes
                | colons & !(block.quotes << 1 | quoted);
            if wrong != 0 || count > MARKS_MAX {
                return None;
            }
            (inside, even) = (all_as_last(texts), all_as_last(odd));
            (opens, quoted) = (commas >> 63, block.quotes >> 63);
            let (few, many) =
                self.marks.get_mut(count..count + BLOCK_BYTES)?.split_at_mut_checked(BLOCK_BYTES / 8)?;
            count += marks.count_ones() as usize;
            // As many as a block has most often are written without asking whether they are there.
            let mut bits = marks;
            for slot in few {
                *slot = (at as u32 + bits.trailing_zeros()) as u16;
                bits &= bits.wrapping_sub(1);
            }
            if bits != 0 {
                for slot in many {
                    *slot = (at as u32 + bits.trailing_zeros()) as u16;
                    bits &= bits.wrapping_sub(1);
                }
            }
            if closing != 0 {
                return (3..=MARKS_MAX).contains(&count).then_some(count);
            }
        }
        None
    }
}

impl Rows<'_> {
    /// Takes a row of a sender whose shapes fail, as one who shuffles its keys, in the order of its fields; none: it has no frame,
    /// or anything else is out of the usual, and nothing of it was taken.
    #[inline(always)]
    pub(super) fn by_frame<L: Lanes>(&mut self, chunk: &[u8]) -> Result<Option<usize>, Stop> {
        let mut frame = self.learned.frame.take().unwrap_or_default();
        let mut found = None;
        if frame.pays() {
            found = frame.find::<L>(chunk, self.row_start, &self.learned.keys);
            if found.is_some() && !self.framed::<L>(chunk, &frame) {
                found = None;
                self.tables.stage.begin();
            }
        }
        frame.came(found.is_some());
        self.learned.frame = Some(frame);
        match found {
            Some(end) => self.end_row(chunk, end).map(|()| Some(end)),
            None => Ok(None),
        }
    }

    /// Stages the values of a frame; false: one is not as it must be.
    #[inline(always)]
    fn framed<L: Lanes>(&mut self, chunk: &[u8], frame: &Frame) -> bool {
        for number in 0..InOrder::WORDS {
            let mut word = frame.order.word(number);
            while word != 0 {
                let Some((place, leaf)) = frame.known(frame.order.next(number, &mut word)) else {
                    return false;
                };
                let [at, end] = [place.value, place.end].map(|place| self.row_start + usize::from(place));
                let taken = take_key(self.tables, leaf.canonical).is_ok()
                    && self.leaf::<L>(chunk, at, leaf).is_ok_and(|found| found == end);
                if !taken {
                    return false;
                }
            }
        }
        frame.others.iter().all(|place| self.framed_other(*place))
            && self.tables.stage.keys <= self.tables.settings.limits.keys_max
            // New columns are made in the order in which their keys came.
            && self.tables.has_all_columns()
    }

    /// Stages a value of a frame whose key is not known by its bytes, or passes over it where there is no room for a new one.
    #[inline(never)]
    fn framed_other(&mut self, place: Place) -> bool {
        let [key, at, end] =
            [place.key, place.value, place.end].map(|place| self.row_start + usize::from(place));
        let name = self.chunk.get(key..at.saturating_sub(2)).unwrap_or_default();
        if Portable::plain_end(name, 0) != name.len() {
            return false;
        }
        if let Some(field) = self.tables.fields.find(Object::ROOT.0, NONE, name) {
            let Some(entry) = self.tables.fields.get(field) else { return false };
            let leaf = Leaf { node: NONE, field, canonical: entry.canonical, role: entry.role };
            return take_key(self.tables, leaf.canonical).is_ok()
                && self.leaf::<Portable>(self.chunk, at, leaf).is_ok_and(|found| found == end);
        }
        if !self.tables.has_no_room() || self.tables.settings.is_special(name) {
            return false;
        }
        let stage = &mut self.tables.stage;
        stage.guessed |= stage.table.is_none();
        stage.keys += 1;
        stage.dropped += u64::from(self.chunk.get(at) != Some(&b'n'));
        if end - at > self.tables.settings.limits.string_bytes_max {
            return false;
        }
        match self.chunk.get(at..end) {
            Some([b'"', text @ .., b'"']) if Portable::plain_end(text, 0) == text.len() => true,
            _ => self.skip(at, 0).is_ok_and(|found| found == end),
        }
    }
}

/// All bits as the highest.
#[inline(always)]
fn all_as_last(bits: u64) -> u64 {
    ((bits as i64) >> 63) as u64
}

/// Each bit xor all below it.
#[inline(always)]
fn xor_of_all_before(bits: u64) -> u64 {
    let mut bits = bits;
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
