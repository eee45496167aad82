//! The built-in JSON codec: bytes of a connection to rows of a [`Gather`].
//!
//! What is taken, what is refused and how it is read: [`weir_columns::json`]. The parts of the triplet and the time are read and become no
//! columns. Codes of rejected rows beside those: `no_triplet`, `bad_triplet`, `not_allowed`, `too_many_streams`.

use weir_columns::Input;
use weir_columns::json::Scanner;

use super::{Decode, Defaults, Gather, Rejected};

/// Decoder of one connection.
#[derive(Debug, Default)]
pub struct JsonDecoder {
    scanner: Scanner,
}

impl JsonDecoder {
    pub fn new() -> Self {
        Self::default()
    }
}

impl Decode for JsonDecoder {
    fn decode(
        &mut self,
        chunk: &[u8],
        end: bool,
        arrived_unix_ns: i64,
        defaults: &Defaults,
        gather: &mut Gather,
        rejected: &mut Vec<Rejected>,
    ) -> usize {
        gather.prepare(defaults);
        let router = defaults.router();
        let input = Input { chunk, end, arrived_unix_ns, router: &router };
        self.scanner.scan(input, &mut gather.tables, rejected)
    }
}
