//! Source `stdin`: the standard input of the program, one byte stream to its end.
//!
//! In: a pipe, a terminal or a file. Out: batches in the order of the bytes. At the end of the input what is left is its last event; the source
//! then ends and, where `at_end` is "stop", asks the program to drain and end. While a flow lags nothing is read, so that a pipe fills and its
//! writer waits. At the stop signal what lies in the pipe is still taken, for [`DRAIN_MAX`] at most.
//!
//! The thread waits for readiness with a bound and only then reads, since a read that waits could not be told to stop; the
//! input is not made non-blocking, because a terminal shares that with the shell.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_core::config::AtEnd;

use super::StartError;
use super::decoder::{Decoder, Feed};
use super::outlet::Outlet;

/// How late the stop signal is seen.
const WAIT_MAX: Duration = Duration::from_millis(50);

const DRAIN_MAX: Duration = Duration::from_millis(200);

pub(super) fn start(
    input: OwnedFd,
    at_end: AtEnd,
    feed: &Feed,
    outlet: &Outlet,
) -> Result<JoinHandle<()>, StartError> {
    let (own, feed) = (outlet.clone(), feed.clone());
    super::spawn_blocking(outlet, "", move || {
        let ended = read_all(File::from(input), own.clone(), Decoder::new(own.clone(), &feed));
        tracing::info!(source = %own.name, %ended, "standard input ended");
        if matches!(ended, End::Closed) && at_end == AtEnd::Stop {
            own.ask_stop();
        }
    })
}

#[derive(Debug, thiserror::Error)]
enum End {
    #[error("all of it was read")]
    Closed,
    #[error("the codec cannot go on")]
    OutOfStep,
    #[error("{0}")]
    Failed(io::Error),
    #[error("the source ended")]
    Stopped,
}

fn read_all(mut file: File, outlet: Outlet, mut decoder: Decoder) -> End {
    let mut input = decoder.input();
    let mut drain_until = None;
    let end = loop {
        if drain_until.is_none() {
            if !outlet.wait_room_blocking() || outlet.is_stopped() {
                drain_until = Some(Instant::now() + DRAIN_MAX);
                continue;
            }
        } else if outlet.room().is_err() || drain_until.is_some_and(|until| Instant::now() >= until) {
            break End::Stopped;
        }
        let wait = match drain_until {
            Some(_) => Duration::ZERO,
            None => decoder.flush_due().unwrap_or(WAIT_MAX).min(WAIT_MAX),
        };
        match super::wait_readable(file.as_raw_fd(), wait) {
            Ok(true) => {}
            Ok(false) if drain_until.is_some() => break End::Stopped,
            Ok(false) => continue,
            Err(error) => break End::Failed(error),
        }
        match decoder.read(&mut input, |buffer| file.read(buffer)) {
            Ok(brought) if brought.out_of_step => break End::OutOfStep,
            Ok(brought) if brought.bytes == 0 => break End::Closed,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break End::Failed(error),
        }
    };
    decoder.finish(&mut input);
    decoder.flush_all();
    end
}
