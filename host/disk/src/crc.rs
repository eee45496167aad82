//! CRC-32C (Castagnoli), the checksum of every format on disk.
//!
//! In: bytes. Out: the usual value (of `123456789` it is e3069283). With the instruction of SSE 4.2 where the processor has it, else with a table; both
//! give the same. Written here, because the crates that do it change features with which the engine's build tools are compiled.

/// Reversed Castagnoli polynomial.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_on(0, bytes)
}

/// Of what `before` is the checksum of, followed by `bytes`.
pub fn crc32c_on(before: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instruction, as was just asked.
        return unsafe { by_instruction(before, bytes) };
    }
    by_table(before, bytes)
}

fn by_table(before: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let entry = TABLE.get(((crc ^ u32::from(*byte)) & 0xff) as usize).copied().unwrap_or_default();
        entry ^ (crc >> 8)
    };
    !bytes.iter().fold(!before, step)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn by_instruction(before: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};
    let (words, rest) = bytes.as_chunks::<8>();
    let crc =
        words.iter().fold(u64::from(!before), |crc, word| _mm_crc32_u64(crc, u64::from_le_bytes(*word)));
    !rest.iter().fold(crc as u32, |crc, byte| _mm_crc32_u8(crc, *byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_met() {
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn table_and_instruction_agree_and_pieces_are_the_whole() {
        let bytes: Vec<u8> = (0..1_000u32).map(|n| (n * 31 % 251) as u8).collect();
        for cut in [0, 1, 7, 8, 9, 500, 999, 1_000] {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(crc32c(left), by_table(0, left));
            assert_eq!(crc32c_on(crc32c(left), right), crc32c(&bytes));
        }
    }
}
