//! Source `udp`: each datagram is one message.
//!
//! In: datagrams on one socket, taken up to [`receive::DATAGRAMS`] at a time. Out: batches. A datagram holds one or several whole events (with
//! the codec json: an object, an array, or lines); what is cut off at its end is rejected, since nothing of it is in the next. Nothing is
//! answered, and no order is promised between datagrams.
//!
//! Limits: the receive buffer is set as configured, and what the kernel granted is logged and shown (`net.core.rmem_max` bounds it). While a flow lags
//! nothing is read, so that the buffer fills and the kernel drops; what it dropped is counted by its own counter (`SO_RXQ_OVFL`) as
//! `kernel_drops_total`. At the stop signal what lies in the buffer is still taken, for [`DRAIN_MAX`] at most.

use std::io;
use std::net::UdpSocket;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::StartError;
use super::decoder::{Decoder, Feed, Input};
use super::outlet::Outlet;
use crate::intake::SourceCounters;

mod receive;

use receive::Receiver;

/// How long the thread sleeps while nothing comes: how late it sees the stop signal.
const WAIT_MAX: Duration = Duration::from_millis(50);

const DRAIN_MAX: Duration = Duration::from_millis(200);

/// A network that is gone (ENETDOWN) fails every receive; asking on would spin.
const FAILED_PAUSE: Duration = Duration::from_millis(100);

pub(super) fn start(
    socket: UdpSocket,
    receive_buffer_bytes: u64,
    feed: &Feed,
    outlet: &Outlet,
) -> Result<JoinHandle<()>, StartError> {
    let failed = |error| StartError::Socket { name: outlet.name.clone(), error };
    let receiver = Receiver::new(socket, receive_buffer_bytes).map_err(failed)?;
    let granted_bytes = receiver.buffer_bytes();
    outlet.counters.receive_buffer_bytes.store(granted_bytes, std::sync::atomic::Ordering::Relaxed);
    if granted_bytes < receive_buffer_bytes {
        tracing::warn!(
            source = %outlet.name, asked_bytes = receive_buffer_bytes, granted_bytes,
            "the kernel granted a smaller receive buffer; raise net.core.rmem_max, or set receive_buffer"
        );
    }
    let (own, feed) = (outlet.clone(), feed.clone());
    super::spawn_blocking(outlet, "", move || {
        let decoder = Decoder::new(own.clone(), &feed);
        let input = decoder.input();
        Datagrams { receiver, outlet: own, decoder, input }.run();
    })
}

struct Datagrams {
    receiver: Receiver,
    outlet: Outlet,
    decoder: Decoder,
    /// All datagrams are of one input: who sent one is not asked.
    input: Input,
}

impl Datagrams {
    fn run(&mut self) {
        while self.outlet.wait_room_blocking() {
            let wait = self.decoder.flush_due().unwrap_or(WAIT_MAX).min(WAIT_MAX);
            if let Err(error) = self.receiver.wait(wait).and_then(|()| self.take()) {
                tracing::warn!(source = %self.outlet.name, %error, "receiving failed; trying again");
                std::thread::sleep(FAILED_PAUSE);
            }
            self.note_drops();
            if self.outlet.is_stopped() {
                break;
            }
        }
        let until = Instant::now() + DRAIN_MAX;
        while Instant::now() < until && self.outlet.room().is_ok() {
            match self.take() {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
        self.note_drops();
        self.decoder.flush_all();
    }

    /// Takes what lies in the buffer, one call of the kernel. 0: nothing.
    fn take(&mut self) -> io::Result<usize> {
        let count = self.receiver.receive()?;
        for datagram in self.receiver.datagrams() {
            self.decoder.message(&mut self.input, datagram, 0);
        }
        Ok(count)
    }

    fn note_drops(&mut self) {
        let drops = self.receiver.take_drops();
        if drops > 0 {
            SourceCounters::add(&self.outlet.counters.kernel_drops_total, drops);
            tracing::debug!(source = %self.outlet.name, drops, "the kernel dropped datagrams");
        }
    }
}
