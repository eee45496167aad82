//! Failures in one line: `Failure::fail("bad-config", "...")`.
//!
//! A failure undoes the call and replaces the instance; rows that are merely bad are rejected (see [`crate::output::reject`]).

use crate::column::bytes_of;
use crate::{Complaint, Failure, Verdict};

pub trait FailureExt {
    /// A person or a policy must decide.
    fn fail(code: &str, message: impl Into<String>) -> Failure;
    /// Call again with the same input, after some ns (0: the host decides).
    fn retry(code: &str, message: impl Into<String>, after_ns: i64) -> Failure;
    /// These rows to the dead letters, the rest again; none: the whole input.
    fn drop_rows(code: &str, message: impl Into<String>, rows: &[u32]) -> Failure;
}

impl FailureExt for Failure {
    fn fail(code: &str, message: impl Into<String>) -> Failure {
        made(Verdict::Fail, code, message.into(), &[], 0)
    }

    fn retry(code: &str, message: impl Into<String>, after_ns: i64) -> Failure {
        made(Verdict::Retry, code, message.into(), &[], after_ns)
    }

    fn drop_rows(code: &str, message: impl Into<String>, rows: &[u32]) -> Failure {
        made(Verdict::Drop, code, message.into(), rows, 0)
    }
}

/// For `open`, where the configuration was already refused by `plan` and this cannot happen.
pub fn bad_config(complaints: Vec<Complaint>) -> Failure {
    let lines: Vec<String> =
        complaints.into_iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
    Failure::fail("bad-config", lines.join("; "))
}

fn made(verdict: Verdict, code: &str, message: String, rows: &[u32], after: i64) -> Failure {
    Failure { verdict, code: code.to_owned(), message, indexes: bytes_of(rows), after }
}
