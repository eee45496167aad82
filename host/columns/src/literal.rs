//! The bytes between two values, as they were once and are guessed to be again.
//!
//! Up to [`LITERAL_BYTES_MAX`] bytes, padded, so that vectors compare them at once; how that is done: [`lanes`](crate::lanes).

/// Longest literal, bytes; longer ones are read anew each time.
pub(crate) const LITERAL_BYTES_MAX: usize = 64;

/// The bytes between two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    bytes: [u8; LITERAL_BYTES_MAX],
    /// One bit for each byte.
    mask: u64,
}

impl Literal {
    pub const EMPTY: Self = Self { bytes: [0; LITERAL_BYTES_MAX], mask: 0 };

    /// None: the text is too long.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut literal = Self::EMPTY;
        literal.bytes.get_mut(..text.len())?.copy_from_slice(text);
        literal.mask = u64::MAX.checked_shr(64 - text.len() as u32).unwrap_or(0);
        Some(literal)
    }

    #[inline(always)]
    pub fn mask(&self) -> u64 {
        self.mask
    }

    /// The text and zeros behind it.
    #[inline(always)]
    pub fn padded(&self) -> &[u8; LITERAL_BYTES_MAX] {
        &self.bytes
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length()).unwrap_or_default()
    }

    #[inline(always)]
    pub fn length(&self) -> usize {
        (u64::BITS - self.mask.leading_zeros()) as usize
    }
}
