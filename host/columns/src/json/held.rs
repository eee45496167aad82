//! The piece of an event that waits for its rest.
//!
//! Trying to decode it again for each packet that adds a byte would cost the square of its length. So the added bytes are only scanned for
//! the end of the object; it is tried when the brackets close, or when it has grown by an eighth, since it may have become bad JSON.

/// Growth at which a long piece is tried again, bytes.
const GROWTH_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Held {
    /// Bytes scanned; 0: nothing is held.
    scanned: usize,
    /// Length at the last try.
    tried: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The brackets closed somewhere.
    closed: bool,
}

impl Held {
    pub fn clear(&mut self) {
        if self.scanned > 0 {
            *self = Self::default();
        }
    }

    /// Notes a piece that was tried and found to be cut.
    pub fn keep(&mut self, piece: &[u8]) {
        self.scan(piece);
        self.tried = piece.len();
        self.closed = false;
    }

    /// Whether `piece`, which starts with what was kept, should be tried.
    pub fn worth_trying(&mut self, piece: &[u8], limit: usize) -> bool {
        if self.scanned == 0 {
            return true;
        }
        let growth = piece.len().saturating_sub(self.tried);
        if growth >= (self.tried / 8).clamp(1, GROWTH_MAX) || piece.len() > limit {
            return true;
        }
        self.scan(piece);
        self.closed
    }

    fn scan(&mut self, piece: &[u8]) {
        for byte in piece.get(self.scanned..).unwrap_or_default() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
                }
                _ => {}
            }
        }
        self.scanned = piece.len();
    }
}
