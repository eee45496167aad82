//! Bytes of bodies: their bounds, and how they are expanded.
//!
//! In: a body as it came. Out: the expanded bytes. A [`Charge`] stands for the memory that a request holds; all charges together stay within
//! [`BODIES_BYTES_MAX`], else the request is refused (429), so that many large bodies at once do not fill the memory. A body that expands
//! too far (a bomb) is refused (413) as soon as it does; what is no gzip or zstd is refused with 400.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::refusal::Refusal;

/// Longest body as it comes.
pub const COMPRESSED_BYTES_MAX: usize = 5 << 20;

/// Longest body after it was expanded.
pub const EXPANDED_BYTES_MAX: usize = 20 << 20;

/// Real events seldom shrink to less than a twentieth...
pub const RATIO_MAX: usize = 50;

/// ...but short ones that repeat may, and harm nobody.
pub const RATIO_FREE_BYTES: usize = 1 << 20;

/// How far a zstd frame may look back: what RFC 9659 asks of who expands for HTTP.
pub const ZSTD_WINDOW_BYTES_MAX: usize = 8 << 20;

/// All bodies at once: a few of the largest.
pub const BODIES_BYTES_MAX: usize = 64 << 20;

/// Step in which a body expands, and in which it is charged.
const STEP_BYTES: usize = 64 << 10;

/// Bytes that all requests hold.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    used: Arc<AtomicUsize>,
}

impl Budget {
    pub fn charge(&self) -> Charge {
        Charge { used: self.used.clone(), bytes: 0 }
    }
}

/// What one request holds of it; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Charge {
    pub fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > BODIES_BYTES_MAX {
            self.shrink(bytes);
            return Err(Refusal::TooMuchAtOnce);
        }
        Ok(())
    }

    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952; several members too.
    Gzip,
    /// RFC 8878; several frames too.
    Zstd,
}

impl Packing {
    pub fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Expands within the bounds.
pub fn expand(packing: Packing, compressed: &[u8], charge: &mut Charge) -> Result<Vec<u8>, Refusal> {
    let mut expanded = Vec::new();
    let mut room = Room { compressed_bytes: compressed.len(), charge };
    match packing {
        Packing::Gzip => room.fill(packing, &mut MultiGzDecoder::new(compressed), &mut expanded)?,
        Packing::Zstd => expand_frames(compressed, &mut room, &mut expanded)?,
    }
    Ok(expanded)
}

/// A frame ends by itself; what follows is the next one.
fn expand_frames(mut rest: &[u8], room: &mut Room<'_>, expanded: &mut Vec<u8>) -> Result<(), Refusal> {
    let broken = |why: String| Refusal::Packing { packing: Packing::Zstd, why };
    if rest.is_empty() {
        return Err(broken("there is no frame".to_owned()));
    }
    while !rest.is_empty() {
        // What the frame may look back to is held too.
        room.charge.grow(ZSTD_WINDOW_BYTES_MAX)?;
        let frame = StreamingDecoder::new_with_max_window_size(&mut rest, ZSTD_WINDOW_BYTES_MAX as u64);
        let mut frame = frame.map_err(|error| broken(error.to_string()))?;
        room.fill(Packing::Zstd, &mut frame, expanded)?;
        let frame = frame.into_frame_decoder();
        if let Some(said) = frame.get_checksum_from_data()
            && frame.get_calculated_checksum() != Some(said)
        {
            return Err(broken("its checksum does not fit".to_owned()));
        }
        room.charge.shrink(ZSTD_WINDOW_BYTES_MAX);
    }
    Ok(())
}

/// What a body may become.
struct Room<'a> {
    compressed_bytes: usize,
    charge: &'a mut Charge,
}

impl Room<'_> {
    /// To the end of the source, step by step, so that a bomb is noticed early.
    fn fill(
        &mut self,
        packing: Packing,
        source: &mut impl Read,
        expanded: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        loop {
            self.charge.grow(STEP_BYTES)?;
            let step = Read::by_ref(source).take(STEP_BYTES as u64).read_to_end(expanded);
            let bytes = step.map_err(|error| Refusal::Packing { packing, why: error.to_string() })?;
            if expanded.len() > EXPANDED_BYTES_MAX {
                return Err(Refusal::ExpandsTooLong);
            }
            if expanded.len() > RATIO_FREE_BYTES && expanded.len() / RATIO_MAX > self.compressed_bytes {
                return Err(Refusal::ExpandsTooMuch);
            }
            if bytes == 0 {
                self.charge.shrink(STEP_BYTES);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[cfg(test)]
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(compressed: &[u8]) -> Result<Vec<u8>, Refusal> {
        expand(Packing::Gzip, compressed, &mut Budget::default().charge())
    }

    #[test]
    fn gzip_of_several_members_expands() {
        let both = [gzip(b"{\"a\":1}\n"), gzip(b"{\"a\":2}\n")].concat();
        assert_eq!(check(&both).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn a_bomb_is_refused_and_a_short_repetition_is_not() {
        assert!(check(&gzip(&vec![b' '; RATIO_FREE_BYTES])).is_ok());
        assert!(matches!(check(&gzip(&vec![b' '; 2 << 20])), Err(Refusal::ExpandsTooMuch)));
    }

    #[test]
    fn a_body_over_the_bound_is_refused() {
        // Poor randomness keeps the ratio low.
        let mut seed = 1_u64;
        let bytes = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + (seed >> 60) as u8
        });
        let bytes: Vec<u8> = bytes.take(EXPANDED_BYTES_MAX + 1).collect();
        assert!(matches!(check(&gzip(&bytes)), Err(Refusal::ExpandsTooLong)));
    }

    #[test]
    fn what_is_cut_or_no_gzip_is_refused() {
        let whole = gzip(b"{\"a\":1}");
        assert!(matches!(check(whole.get(..whole.len() - 3).unwrap()), Err(Refusal::Packing { .. })));
        assert!(matches!(check(b"{\"a\":1}"), Err(Refusal::Packing { .. })));
    }

    fn check_zstd(compressed: &[u8]) -> Result<Vec<u8>, Refusal> {
        expand(Packing::Zstd, compressed, &mut Budget::default().charge())
    }

    #[test]
    fn zstd_of_several_frames_expands_and_gives_its_charge_back() {
        let both = [zstd(b"{\"a\":1}\n"), zstd(b"{\"a\":2}\n")].concat();
        let budget = Budget::default();
        let mut charge = budget.charge();
        assert_eq!(expand(Packing::Zstd, &both, &mut charge).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
        assert!(charge.bytes <= 2 * STEP_BYTES, "{}", charge.bytes);
    }

    #[test]
    fn zstd_bombs_wide_windows_and_cut_frames_are_refused() {
        assert!(matches!(check_zstd(&zstd(&vec![b' '; 4 << 20])), Err(Refusal::ExpandsTooMuch)));
        // A frame that may look 16 MiB back (RFC 8878, 3.1.1.1.2: exponent 14) and then one raw, last, empty block.
        let wide = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 14 << 3, 0x01, 0x00, 0x00];
        let refused = check_zstd(&wide).unwrap_err().to_string();
        assert!(refused.contains("zstd"), "{refused}");
        let narrow = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 13 << 3, 0x01, 0x00, 0x00];
        assert_eq!(check_zstd(&narrow).unwrap(), b"");
        let whole = zstd(b"{\"a\":1}");
        for wrong in [whole.get(..whole.len() - 3).unwrap(), b"{\"a\":1}", b""] {
            assert!(matches!(check_zstd(wrong), Err(Refusal::Packing { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn all_bodies_share_one_budget_and_give_it_back() {
        let budget = Budget::default();
        let mut first = budget.charge();
        first.grow(BODIES_BYTES_MAX).unwrap();
        assert!(matches!(budget.charge().grow(1), Err(Refusal::TooMuchAtOnce)));
        drop(first);
        assert!(budget.charge().grow(BODIES_BYTES_MAX).is_ok());
    }
}
