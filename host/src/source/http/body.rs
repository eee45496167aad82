//! Bytes of request bodies: their bounds, and gzip.
//!
//! In: a body as it came. Out: the expanded bytes. A [`Charge`] stands for the memory that a request holds; all charges together stay within
//! [`BODIES_BYTES_MAX`], else the request is refused (429), so that many large bodies at once do not fill the memory. A body that expands
//! too far (a bomb) is refused (413) as soon as it does; what is no gzip is refused with 400.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::read::MultiGzDecoder;

use super::refusal::Refusal;

/// Longest body as it comes.
pub const COMPRESSED_BYTES_MAX: usize = 5 << 20;

/// Longest body after gzip.
pub const EXPANDED_BYTES_MAX: usize = 20 << 20;

/// Real events seldom shrink to less than a twentieth...
pub const RATIO_MAX: usize = 50;

/// ...but short ones that repeat may, and harm nobody.
pub const RATIO_FREE_BYTES: usize = 1 << 20;

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

/// Expands gzip (RFC 1952, several members too) within the bounds.
pub fn expand(compressed: &[u8], charge: &mut Charge) -> Result<Vec<u8>, Refusal> {
    let mut decoder = MultiGzDecoder::new(compressed);
    let mut expanded = Vec::new();
    loop {
        let before = expanded.len();
        charge.grow(STEP_BYTES)?;
        let step = Read::by_ref(&mut decoder).take(STEP_BYTES as u64).read_to_end(&mut expanded);
        let bytes = step.map_err(|error| Refusal::Gzip(error.to_string()))?;
        if expanded.len() > EXPANDED_BYTES_MAX {
            return Err(Refusal::ExpandsTooLong);
        }
        if expanded.len() > RATIO_FREE_BYTES && expanded.len() / RATIO_MAX > compressed.len() {
            return Err(Refusal::ExpandsTooMuch);
        }
        if bytes == 0 {
            charge.shrink(STEP_BYTES);
            debug_assert_eq!(before, expanded.len(), "nothing was added");
            return Ok(expanded);
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
mod tests {
    use super::*;

    fn check(compressed: &[u8]) -> Result<Vec<u8>, Refusal> {
        expand(compressed, &mut Budget::default().charge())
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
        assert!(matches!(check(whole.get(..whole.len() - 3).unwrap()), Err(Refusal::Gzip(_))));
        assert!(matches!(check(b"{\"a\":1}"), Err(Refusal::Gzip(_))));
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
