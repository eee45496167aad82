//! What makes an alert the same alert: rule id, triplet and labels; and a short name for that.
//!
//! The name is FNV-1a with 128 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>) over the parts, each ended by a byte that no text has, written as 32 hexadecimal
//! digits. It is the same in every run and on every machine. Alerts themselves are told apart by their parts, so that two with one name would both work.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::triplet::Triplet;

/// The key's columns, in the order of the rule's keys.
pub type Labels = Arc<[(Arc<str>, String)]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(u128);

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
/// In no UTF-8.
const END: u8 = 0xff;

impl AlertId {
    pub fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub fn new(rule: &str, triplet: &Triplet, labels: &[(Arc<str>, String)]) -> Self {
        let pairs = labels.iter().flat_map(|(name, value)| [&**name, value.as_str()]);
        let parts = [rule, triplet.as_str()].into_iter().chain(pairs);
        let bytes = parts.flat_map(|part| part.bytes().chain([END]));
        Self(bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
    }
}

impl serde::Serialize for AlertId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for AlertId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::exact::shown::deserialize(from)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Not 32 hexadecimal digits.
#[derive(Debug, PartialEq, Eq)]
pub struct NoId;

impl FromStr for AlertId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !fits {
            return Err(NoId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NoId)
    }
}
