//! Takes the parts of a chunk off its front, one after the other.

use weir_sdk::column::Number;

use crate::Broken;

pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Broken)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn number<T: Number>(&mut self) -> Result<T, Broken> {
        self.bytes(T::BYTES).map(T::from_le)
    }

    pub fn byte(&mut self) -> Result<u8, Broken> {
        self.number()
    }

    pub fn short(&mut self) -> Result<usize, Broken> {
        let bytes = self.bytes(2)?;
        Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// A length and as many bytes.
    pub fn text(&mut self) -> Result<&'a [u8], Broken> {
        let length: u32 = self.number()?;
        self.bytes(length as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
