//! One frame of the format (README.md): bytes to numbers and back. No allocation but for the result; nothing is trusted.

/// Of every frame.
pub const SYNC: [u8; 2] = [0xEB, 0x90];
pub const CHANNELS_MAX: usize = 16;

const VERSION: u8 = 1;
const LAST: u8 = 0x10;
const HEAD_BYTES: usize = 11;
const CRC_BYTES: usize = 2;
const DAY_MS: u32 = 86_400_000;
/// Days from 1958-01-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 4_383;
const DAY_NS: i64 = 86_400_000_000_000;
const MS_NS: i64 = 1_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub last: bool,
    pub sender: u16,
    pub time_unix_ns: i64,
    /// 12 bits each.
    pub channels: Vec<i16>,
}

/// What is at the beginning of some bytes that begin with a sync word.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A frame and its length.
    Frame(Frame, usize),
    /// It may become one when more comes.
    Cut,
    /// The checksum, the version or the time of day is wrong: these are no frame.
    Bad,
}

pub fn read(bytes: &[u8]) -> Found {
    let Some(&[_, _, flags, sender1, sender2, day1, day2, ms1, ms2, ms3, ms4]) =
        bytes.first_chunk::<HEAD_BYTES>()
    else {
        return Found::Cut;
    };
    let count = usize::from(flags & 0x0F) + 1;
    let end = HEAD_BYTES + packed_bytes(count);
    let Some((body, crc)) = bytes.get(..end + CRC_BYTES).and_then(|frame| frame.split_at_checked(end)) else {
        return Found::Cut;
    };
    let ms = u32::from_be_bytes([ms1, ms2, ms3, ms4]);
    if crc != checksum(body).to_be_bytes() || flags >> 5 != VERSION || ms >= DAY_MS {
        return Found::Bad;
    }
    let days = i64::from(u16::from_be_bytes([day1, day2])) - EPOCH_DAYS;
    let packed = body.get(HEAD_BYTES..).unwrap_or_default();
    let frame = Frame {
        last: flags & LAST != 0,
        sender: u16::from_be_bytes([sender1, sender2]),
        time_unix_ns: days * DAY_NS + i64::from(ms) * MS_NS,
        channels: (0..count).map(|index| channel(packed, index)).collect(),
    };
    Found::Frame(frame, end + CRC_BYTES)
}

/// None where the time or the number of channels does not fit.
pub fn write(frame: &Frame, out: &mut Vec<u8>) -> Option<()> {
    let ms = frame.time_unix_ns.div_euclid(MS_NS);
    let days = u16::try_from(ms.div_euclid(i64::from(DAY_MS)) + EPOCH_DAYS).ok()?;
    let ms = u32::try_from(ms.rem_euclid(i64::from(DAY_MS))).ok()?;
    let count = u8::try_from(frame.channels.len()).ok().filter(|count| (1..=16).contains(count))?;
    let start = out.len();
    out.extend(SYNC);
    out.push((VERSION << 5) | (if frame.last { LAST } else { 0 }) | (count - 1));
    out.extend(frame.sender.to_be_bytes());
    out.extend(days.to_be_bytes());
    out.extend(ms.to_be_bytes());
    for pair in frame.channels.chunks(2) {
        let bits = |index: usize| pair.get(index).map_or(0, |value| (*value as u16) & 0x0FFF);
        let (first, second) = (bits(0), bits(1));
        out.extend([(first >> 4) as u8, ((first << 4) | (second >> 8)) as u8]);
        if pair.len() == 2 {
            out.push(second as u8);
        }
    }
    let crc = checksum(out.get(start..)?);
    out.extend(crc.to_be_bytes());
    Some(())
}

/// Where the next sync word begins; none: there is none, or only its first byte at the end.
pub fn next_sync(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(SYNC.len()).position(|window| window == SYNC).map(|at| from + at)
}

fn packed_bytes(channels: usize) -> usize {
    (channels * 12).div_ceil(8)
}

fn channel(packed: &[u8], index: usize) -> i16 {
    let at = index / 2 * 3;
    let byte = |offset: usize| u16::from(packed.get(at + offset).copied().unwrap_or(0));
    let bits = if index.is_multiple_of(2) {
        (byte(0) << 4) | (byte(1) >> 4)
    } else {
        ((byte(1) & 0x0F) << 8) | byte(2)
    };
    // The sign is bit 11.
    ((bits << 4) as i16) >> 4
}

/// CRC-16/IBM-3740, also called CCITT-FALSE.
pub fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        let mut crc = crc ^ (u16::from(*byte) << 8);
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
        crc
    })
}
