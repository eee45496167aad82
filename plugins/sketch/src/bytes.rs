//! Numbers in few bytes: unsigned LEB128, zigzag for signed ones, doubles as they are.
//!
//! Each summary writes its format's number first. [`Reader`] takes from the front and never panics; what does not fit is [`Damaged`].

/// The bytes are not what was written: cut, changed, or of a format that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes of a summary are damaged or of an unknown version")
    }
}

impl std::error::Error for Damaged {}

pub fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Length and bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn u8(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.rest.split_first().ok_or(Damaged)?;
        self.rest = rest;
        Ok(*first)
    }

    pub fn u64(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(Damaged);
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    pub fn i64(&mut self) -> Result<i64, Damaged> {
        let value = self.u64()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    pub fn f64(&mut self) -> Result<f64, Damaged> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(Damaged)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = usize::try_from(self.u64()?).map_err(|_| Damaged)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Damaged)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All of it was read.
    pub fn finish(self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut out = Vec::new();
        let signed = [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN];
        let unsigned = [0, 127, 128, u64::MAX];
        signed.iter().for_each(|value| put_i64(&mut out, *value));
        unsigned.iter().for_each(|value| put_u64(&mut out, *value));
        put_bytes(&mut out, b"abc");
        let mut reader = Reader::new(&out);
        signed.iter().for_each(|value| assert_eq!(reader.i64(), Ok(*value)));
        unsigned.iter().for_each(|value| assert_eq!(reader.u64(), Ok(*value)));
        assert_eq!(reader.bytes(), Ok(&b"abc"[..]));
        assert_eq!(reader.u8(), Err(Damaged));
        assert_eq!(Reader::new(&[0xff; 10]).u64(), Err(Damaged));
        assert_eq!(Reader::new(&[9, 1]).bytes(), Err(Damaged));
    }
}
