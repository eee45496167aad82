//! A jiter that can jump over bytes that are known to be next.
//!
//! Senders repeat their keys byte by byte; one comparison with the expected bytes replaces the parsing of a key. What is jumped over must
//! be whole JSON tokens. Indexes are bytes from the start of the event.

use jiter::Jiter;

pub(super) struct Reader<'j> {
    piece: &'j [u8],
    /// Where the jiter's data starts in `piece`.
    base: usize,
    pub jiter: Jiter<'j>,
}

impl<'j> Reader<'j> {
    pub fn new(piece: &'j [u8], tape: Vec<u8>) -> Self {
        Self { piece, base: 0, jiter: Jiter::with_tape(piece, tape) }
    }

    pub fn index(&self) -> usize {
        self.base + self.jiter.current_index()
    }

    /// Where the jiter's own indexes start.
    pub fn base(&self) -> usize {
        self.base
    }

    pub fn into_tape(self) -> Vec<u8> {
        self.jiter.into_tape()
    }

    /// Passes over `first` and `rest` if they come next, without white space.
    #[inline]
    pub fn pass(&mut self, first: u8, rest: &[u8]) -> bool {
        match self.piece.get(self.index()..) {
            Some([byte, after @ ..]) if *byte == first && after.starts_with(rest) => {
                self.jump(1 + rest.len());
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn jump(&mut self, bytes: usize) {
        self.base = self.index() + bytes;
        let rest = self.piece.get(self.base..).unwrap_or_default();
        let old = std::mem::replace(&mut self.jiter, Jiter::new(rest));
        self.jiter = Jiter::with_tape(rest, old.into_tape());
    }
}
