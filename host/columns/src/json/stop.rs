//! Why a row was not written.
//!
//! One word, so that the results of the scanner's steps stay in registers.

use crate::reject::Refusal;

/// Boxed [`Cause`].
#[derive(Debug)]
pub(crate) struct Stop(Box<Cause>);

/// Places are bytes from the start of the chunk.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The chunk ends inside the event.
    Cut(usize),
    /// No JSON: what was expected, and where.
    Syntax(&'static str, usize),
    Utf8(usize),
    Refused(Refusal),
}

impl Stop {
    #[cold]
    pub fn cut(at: usize) -> Self {
        Self(Box::new(Cause::Cut(at)))
    }

    #[cold]
    pub fn syntax(expected: &'static str, at: usize) -> Self {
        Self(Box::new(Cause::Syntax(expected, at)))
    }

    #[cold]
    pub fn utf8(at: usize) -> Self {
        Self(Box::new(Cause::Utf8(at)))
    }

    pub fn cause(self) -> Cause {
        *self.0
    }

    pub fn is_cut(&self) -> bool {
        matches!(*self.0, Cause::Cut(_))
    }

    pub fn is_refusal(&self) -> bool {
        matches!(*self.0, Cause::Refused(_))
    }
}

impl Cause {
    /// `start`: where the event begins.
    pub fn into_refusal(self, start: usize) -> Refusal {
        match self {
            Self::Cut(at) => {
                let bytes = at.saturating_sub(start);
                Refusal::new("cut_off", format!("the input ends inside the event, after {bytes} bytes"))
            }
            Self::Syntax(what, at) => {
                Refusal::new("syntax", format!("{what} at byte {} of the event", at.saturating_sub(start)))
            }
            Self::Utf8(at) => {
                let message = format!("invalid UTF-8 at byte {} of the event", at.saturating_sub(start));
                Refusal::new("invalid_utf8", message)
            }
            Self::Refused(refusal) => refusal,
        }
    }
}

impl From<Refusal> for Stop {
    #[cold]
    fn from(refusal: Refusal) -> Self {
        Self(Box::new(Cause::Refused(refusal)))
    }
}
