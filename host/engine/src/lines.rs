//! The guest's log lines, bounded: 8 KiB a line, 100 lines a second for each instance; more are counted, not kept.
//!
//! In: whole lines (the `log` import) and pieces of standard output and error (closed WASI), which are joined into lines. Out: the
//! lines that may be kept. Seconds are those of the record's time, so that a replay keeps the same lines.

use crate::imports::LogLevel;

pub(crate) const LINE_BYTES_MAX: usize = 8 << 10;
const LINES_PER_SECOND_MAX: u32 = 100;
const SECOND_NS: i64 = 1_000_000_000;

#[derive(Default)]
pub(crate) struct Lines {
    window_start_ns: i64,
    in_window: u32,
    dropped: u64,
    output: Vec<u8>,
    error: Vec<u8>,
    /// The last words of the guest at level error: the reason of a trap, mostly.
    last_error: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standard {
    Output,
    Error,
}

impl Lines {
    /// Lines over the rate since the instance was made.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes the last line at level error, a beginning of one included.
    pub(crate) fn take_last_error(&mut self) -> String {
        if !self.error.is_empty() {
            self.last_error = String::from_utf8_lossy(&std::mem::take(&mut self.error)).into_owned();
        }
        std::mem::take(&mut self.last_error)
    }

    /// The part of the line that is kept, or none where the rate is exceeded.
    pub(crate) fn admit<'a>(&mut self, level: LogLevel, line: &'a str, now_unix_ns: i64) -> Option<&'a str> {
        let line = line.get(..line.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(line);
        if level == LogLevel::Error {
            line.clone_into(&mut self.last_error);
        }
        if now_unix_ns.saturating_sub(self.window_start_ns) >= SECOND_NS || now_unix_ns < self.window_start_ns
        {
            self.window_start_ns = now_unix_ns;
            self.in_window = 0;
        }
        if self.in_window >= LINES_PER_SECOND_MAX {
            self.dropped += 1;
            return None;
        }
        self.in_window += 1;
        Some(line)
    }

    /// Takes a piece of standard output or error; gives the lines that it ends.
    pub(crate) fn join(&mut self, stream: Standard, piece: &[u8]) -> Vec<String> {
        let open = if stream == Standard::Output { &mut self.output } else { &mut self.error };
        let mut ended = Vec::new();
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE_BYTES_MAX.saturating_sub(open.len());
            open.extend_from_slice(text.get(..room).unwrap_or(text));
            if part.ends_with(b"\n") {
                ended.push(String::from_utf8_lossy(&std::mem::take(open)).into_owned());
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_over_the_rate_are_counted_not_kept() {
        let mut lines = Lines::default();
        let kept = (0..250).filter(|_| lines.admit(LogLevel::Info, "x", 5).is_some()).count();
        assert_eq!((kept, lines.dropped()), (100, 150));
        assert!(lines.admit(LogLevel::Info, "x", SECOND_NS + 5).is_some());
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let text = "ä".repeat(5000);
        let mut lines = Lines::default();
        assert_eq!(lines.admit(LogLevel::Info, &text, 0).map(str::len), Some(8192));
        assert_eq!(lines.admit(LogLevel::Info, &format!("x{text}"), 0).map(str::len), Some(8191));
    }

    #[test]
    fn pieces_are_joined_to_lines_and_the_rest_is_the_last_word() {
        let mut lines = Lines::default();
        assert!(lines.join(Standard::Error, b"thread panicked").is_empty());
        assert_eq!(lines.join(Standard::Error, b" at 1\nnote\n"), ["thread panicked at 1", "note"]);
        assert!(lines.join(Standard::Error, b"and then").is_empty());
        assert_eq!(lines.take_last_error(), "and then");
        assert_eq!(lines.join(Standard::Output, &[b'x'; 100_000]).len(), 0);
        assert_eq!(lines.join(Standard::Output, b"\n").first().map(String::len), Some(8192));
    }
}
