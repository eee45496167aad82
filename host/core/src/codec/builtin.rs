//! The built-in codecs: bytes of a connection to rows of a [`Gather`].
//!
//! One adapter for the decoders of `weir-columns`. What each takes, what it refuses and how it reads: [`weir_columns::json`],
//! [`weir_columns::msgpack`], [`weir_columns::logfmt`]. The parts of the triplet and the time are read and become no columns. Codes of rejected
//! rows beside those: `no_triplet`, `bad_triplet`, `not_allowed`, `too_many_streams`.

use weir_columns::{Decoder, Input, json, logfmt, msgpack};

use super::{Decode, Defaults, Gather, Rejected};

/// Decoder of one connection.
#[derive(Debug, Default)]
pub struct BuiltIn<D> {
    decoder: D,
}

pub type JsonDecoder = BuiltIn<json::Scanner>;
pub type MsgpackDecoder = BuiltIn<msgpack::Decoder>;
pub type LogfmtDecoder = BuiltIn<logfmt::Decoder>;

impl<D: Default> BuiltIn<D> {
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: Decoder> Decode for BuiltIn<D> {
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
        self.decoder.decode(input, &mut gather.tables, rejected)
    }
}
