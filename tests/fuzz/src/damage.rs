//! Damage to an input: bytes changed, added, taken away, doubled and moved.

use crate::random::Random;

/// One to three changes; half of the new bytes are among those that mean something in the format.
pub fn damage(random: &mut Random, bytes: &mut Vec<u8>, meaning: &[u8]) {
    for _ in 0..1 + random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        let byte = match random.chance(50) {
            true => random.pick(meaning).copied().unwrap_or_default(),
            false => random.byte(),
        };
        match random.below(6) {
            0 | 1 => {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
            }
            2 => bytes.insert(at, byte),
            3 => {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + 1 + random.below(30)).min(bytes.len());
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at),
        }
    }
}
