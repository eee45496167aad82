//! Packed byte strings: offsets and data, checked.
//!
//! In: (n + 1) x u32 offsets, starting with 0, never falling, and the bytes that they cut. Empty offsets mean n = 0.

/// Checks offsets without keeping them; gives the count of strings.
pub(crate) fn check_offsets(offsets: &[u8], data_bytes: usize) -> Result<usize, String> {
    if offsets.is_empty() {
        return Ok(0);
    }
    let (chunks, rest) = offsets.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(format!("offsets are {} bytes, expected a multiple of 4", offsets.len()));
    }
    let mut last = 0_u32;
    for (index, chunk) in chunks.iter().enumerate() {
        let offset = u32::from_le_bytes(*chunk);
        if index == 0 && offset != 0 {
            return Err(format!("offsets must start with 0, but start with {offset}"));
        }
        if offset < last {
            return Err(format!("offsets must never fall, but number {index} is {offset} after {last}"));
        }
        last = offset;
    }
    if last as usize > data_bytes {
        return Err(format!("offsets end at {last}, but there are {data_bytes} bytes of data"));
    }
    Ok(chunks.len() - 1)
}

/// Offsets as Arrow has them, n + 1 of them; the data is cut where they end.
pub(crate) fn take(offsets: &[u8], data: &mut Vec<u8>) -> Result<Vec<i32>, String> {
    check_offsets(offsets, data.len())?;
    if offsets.is_empty() {
        data.clear();
        return Ok(vec![0]);
    }
    let mut numbers = Vec::with_capacity(offsets.len() / 4);
    for chunk in offsets.as_chunks::<4>().0 {
        let offset = i32::from_le_bytes(*chunk);
        if offset < 0 {
            return Err(format!("offset {} is over 2^31", offset.cast_unsigned()));
        }
        numbers.push(offset);
    }
    data.truncate(numbers.last().copied().unwrap_or_default() as usize);
    Ok(numbers)
}
