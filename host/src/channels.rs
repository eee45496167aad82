//! Channels: what brings alerts to people and other systems.
//!
//! In: the channels of the configuration and [`Notice`]s (what happened to an alert, ready to be told). Out: requests over HTTP, counters, log lines. Each channel has a queue of
//! [`QUEUE_MAX`] notices of its own and one task that sends them in order; beyond that the oldest are dropped, counted: the newest say how things stand. What
//! cannot be delivered is tried again with growing pauses until the channel's `give_up_after`, then dropped, counted. A channel that is gone from the configuration has
//! [`CLOSING`] to send what waits. Delivery is at least once: an answer that is lost is a notice that is sent again, with the same episode and position. Not here: which
//! notices there are (the alert state machine), grouping over time, silences, routes.

pub mod queue;
pub mod webhook;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_core::config::{AlertSpec, ChannelSpec};
use weir_core::unit::Level;

use queue::Queue;

/// Notices that wait for one channel.
pub const QUEUE_MAX: usize = 1_000;
/// How long a channel may still send when it is gone or the program ends.
pub const CLOSING: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

/// Something that happened to an alert, as it is told.
#[derive(Debug, Clone)]
pub struct Notice {
    pub rule: Arc<str>,
    /// What the configuration adds.
    pub spec: Arc<AlertSpec>,
    pub transition: weir_core::alerts::Transition,
}

impl Notice {
    pub fn is_over(&self) -> bool {
        matches!(self.transition.what, weir_core::alerts::What::Ended(_))
    }

    /// The level that decides who is told: of one that is over that of its episode's worst, so that who was told of it hears of its end.
    fn level(&self) -> Level {
        self.transition.episode.as_ref().map_or(self.transition.alert.level, |episode| episode.worst.level)
    }
}

/// Of one channel. All only grow.
#[derive(Debug, Default)]
pub struct Counters {
    pub sent_total: AtomicU64,
    pub attempts_failed_total: AtomicU64,
    /// Answered with a status that trying again does not mend.
    pub refused_total: AtomicU64,
    /// Given up, or pushed out of the queue by newer ones.
    pub dropped_total: AtomicU64,
}

/// One channel at work.
struct Channel {
    spec: ChannelSpec,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
}

/// How a channel stands.
pub struct ChannelState {
    pub name: Arc<str>,
    pub url: String,
    pub queued: usize,
    pub counters: Arc<Counters>,
}

#[derive(Default)]
pub struct Channels {
    running: Mutex<Vec<Channel>>,
    /// Started with the first channel; one thread is enough for requests that mostly wait.
    tasks: Mutex<Option<tokio::runtime::Runtime>>,
}

impl Channels {
    /// From now on these channels. One that did not change goes on with its queue. `address` is where this program is, for links.
    pub fn set(&self, specs: &[ChannelSpec], address: &str) -> io::Result<()> {
        let mut running = self.running.lock();
        let mut kept: Vec<Channel> = Vec::new();
        for channel in running.drain(..) {
            if specs.contains(&channel.spec) {
                kept.push(channel);
            } else {
                channel.queue.close(Instant::now() + CLOSING);
            }
        }
        for spec in specs {
            if kept.iter().any(|channel| channel.spec == *spec) {
                continue;
            }
            let queue = Arc::<Queue>::default();
            let counters = Arc::<Counters>::default();
            let sender = webhook::Sender::new(
                spec.clone(),
                Arc::clone(&queue),
                Arc::clone(&counters),
                address.to_owned(),
            );
            self.spawn(sender.run())?;
            kept.push(Channel { spec: spec.clone(), queue, counters });
        }
        *running = kept;
        Ok(())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let mut tasks = self.tasks.lock();
        let runtime = match tasks.take() {
            Some(runtime) => runtime,
            None => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("channels")
                .enable_all()
                .build()?,
        };
        runtime.spawn(task);
        *tasks = Some(runtime);
        Ok(())
    }

    /// Puts a notice into the queues of the channels that want it. Never waits.
    pub fn send(&self, notice: &Arc<Notice>) {
        for channel in self.running.lock().iter() {
            let named = notice.spec.channels.as_ref().is_none_or(|names| names.contains(&channel.spec.name));
            let wanted = notice.level() >= channel.spec.level && (channel.spec.resolved || !notice.is_over());
            if named && wanted {
                let dropped = channel.queue.push(Arc::clone(notice));
                channel.counters.dropped_total.fetch_add(dropped, Ordering::Relaxed);
            }
        }
    }

    pub fn states(&self) -> Vec<ChannelState> {
        let state = |channel: &Channel| {
            let weir_core::config::ChannelKind::Webhook { url } = &channel.spec.kind;
            ChannelState {
                name: Arc::clone(&channel.spec.name),
                url: format!("http://{}{}", url.authority, url.path),
                queued: channel.queue.count(),
                counters: Arc::clone(&channel.counters),
            }
        };
        self.running.lock().iter().map(state).collect()
    }

    /// Sends what waits, for at most [`CLOSING`]; what is left is counted as dropped and told.
    pub fn end(&self) {
        let until = Instant::now() + CLOSING;
        let channels: Vec<Channel> = std::mem::take(&mut *self.running.lock());
        channels.iter().for_each(|channel| channel.queue.close(until));
        while Instant::now() < until && channels.iter().any(|channel| !channel.queue.is_done()) {
            std::thread::sleep(LOOK);
        }
        for channel in channels.iter().filter(|channel| channel.queue.count() > 0) {
            tracing::error!(channel = %channel.spec.name, notices = channel.queue.count(), "notices were not delivered before the end");
        }
        if let Some(tasks) = self.tasks.lock().take() {
            tasks.shutdown_background();
        }
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.lock().take() {
            // A runtime that is dropped within another one would panic.
            tasks.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
