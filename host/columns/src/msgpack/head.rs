//! The first bytes of a MessagePack value: its type, and its value or its length (MessagePack specification, "Formats").
//!
//! In: bytes and a place. Out: a [`Head`] and the place behind it. [`Stop::Cut`]: more bytes are needed. [`Stop::Reserved`]: 0xc1, the one byte that no value begins with.

use crate::reject::Refusal;

/// What a value is; of texts, bytes, arrays, maps and extensions only how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Head {
    Nil,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    UInt(u64),
    Float(f64),
    /// Bytes of UTF-8.
    Str(usize),
    Bin(usize),
    /// Values.
    Array(u32),
    /// Pairs.
    Map(u32),
    /// An extension of that type, with as many bytes.
    Ext(i8, usize),
}

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Cut,
    Reserved,
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    #[inline(always)]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(Stop::Cut)?;
        self.at += N;
        Ok(*bytes)
    }

    #[inline(always)]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        // A length is at most 2^32, so that the sum does not overflow.
        let bytes = self.bytes.get(self.at..self.at + length).ok_or(Stop::Cut)?;
        self.at += length;
        Ok(bytes)
    }

    #[inline(always)]
    pub fn head(&mut self) -> Result<Head, Stop> {
        let [byte] = self.fixed()?;
        Ok(match byte {
            0x00..=0x7f => Head::Int(i64::from(byte)),
            0x80..=0x8f => Head::Map(u32::from(byte & 0x0f)),
            0x90..=0x9f => Head::Array(u32::from(byte & 0x0f)),
            0xa0..=0xbf => Head::Str(usize::from(byte & 0x1f)),
            0xcb => Head::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Head::Int(i64::from(u8::from_be_bytes(self.fixed()?))),
            0xcd => Head::Int(i64::from(u16::from_be_bytes(self.fixed()?))),
            0xce => Head::Int(i64::from(u32::from_be_bytes(self.fixed()?))),
            0xe0..=0xff => Head::Int(i64::from(byte as i8)),
            _ => return self.rarer(byte),
        })
    }

    fn rarer(&mut self, byte: u8) -> Result<Head, Stop> {
        Ok(match byte {
            0xc0 => Head::Nil,
            0xc2 | 0xc3 => Head::Bool(byte == 0xc3),
            0xc4 => Head::Bin(self.length8()?),
            0xc5 => Head::Bin(self.length16()?),
            0xc6 => Head::Bin(self.length32()? as usize),
            0xc7 => self.ext_of(Self::length8)?,
            0xc8 => self.ext_of(Self::length16)?,
            0xc9 => self.ext_of(|reader| Ok(reader.length32()? as usize))?,
            0xca => Head::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcf => {
                let value = u64::from_be_bytes(self.fixed()?);
                i64::try_from(value).map_or(Head::UInt(value), Head::Int)
            }
            0xd0 => Head::Int(i64::from(i8::from_be_bytes(self.fixed()?))),
            0xd1 => Head::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Head::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Head::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4..=0xd8 => self.ext_of(|_| Ok(1 << (byte - 0xd4)))?,
            0xd9 => Head::Str(self.length8()?),
            0xda => Head::Str(self.length16()?),
            0xdb => Head::Str(self.length32()? as usize),
            0xdc => Head::Array(self.length16()? as u32),
            0xdd => Head::Array(self.length32()?),
            0xde => Head::Map(self.length16()? as u32),
            0xdf => Head::Map(self.length32()?),
            _ => return Err(Stop::Reserved),
        })
    }

    fn length8(&mut self) -> Result<usize, Stop> {
        Ok(usize::from(u8::from_be_bytes(self.fixed()?)))
    }

    fn length16(&mut self) -> Result<usize, Stop> {
        Ok(usize::from(u16::from_be_bytes(self.fixed()?)))
    }

    fn length32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_be_bytes(self.fixed()?))
    }

    fn ext_of(&mut self, length: impl FnOnce(&mut Self) -> Result<usize, Stop>) -> Result<Head, Stop> {
        let length = length(self)?;
        let [kind] = self.fixed()?;
        Ok(Head::Ext(kind as i8, length))
    }
}
