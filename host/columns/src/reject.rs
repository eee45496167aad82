//! Events that were not taken: where, and why, for programs and for people.

/// Most reasons in one list of rejected rows: a body of a million bad lines must not become a million texts.
pub const REJECTED_KEPT_MAX: usize = 1_000;

/// Longest piece of the input in a message, characters.
const SHOWN_CHARS_MAX: usize = 100;

/// One event that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where the event starts in the chunk, bytes.
    pub offset: usize,
    /// As far as the event goes in the chunk, bytes.
    pub length: usize,
    /// Line on which the event starts, from 1, over all chunks of the connection.
    pub line: u64,
    /// For programs: `syntax`, `duplicate_key`, `bad_time`, ...; each decoder lists its own.
    pub code: &'static str,
    /// For people: what and where, short.
    pub message: String,
}

/// Why an event is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn event_too_long(limit_bytes: usize) -> Self {
        Self::new("event_too_long", format!("the event has more than {limit_bytes} bytes"))
    }

    pub fn too_deep(limit: usize) -> Self {
        Self::new("too_deep", format!("the event has more than {limit} objects and arrays inside each other"))
    }

    pub fn number_out_of_range() -> Self {
        Self::new("number_out_of_range", "a number is too large for a 64-bit float")
    }
}

/// As much of a text as a message shows.
pub fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
