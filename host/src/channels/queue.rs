//! The notices that wait for one channel: first in, first out, bounded; beyond the bound the oldest go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Notice, QUEUE_MAX};

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Arc<Notice>>,
    /// Taken by the sender and not done yet.
    taken: usize,
    /// No more come; what is left is worth trying until then.
    closing: Option<Instant>,
    done: bool,
}

#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
}

impl Queue {
    /// How many old ones had to go.
    pub fn push(&self, notice: Arc<Notice>) -> u64 {
        let mut waiting = self.waiting.lock();
        waiting.notices.push_back(notice);
        let more = waiting.notices.len().saturating_sub(QUEUE_MAX);
        waiting.notices.drain(..more);
        drop(waiting);
        self.news.notify_one();
        more as u64
    }

    /// Those of the oldest one's rule that stand together at the front, at most `max`; none when the queue is closed and empty.
    pub async fn take(&self, max: usize) -> Option<Vec<Arc<Notice>>> {
        loop {
            {
                let mut waiting = self.waiting.lock();
                waiting.taken = 0;
                if let Some(rule) = waiting.notices.front().map(|first| Arc::clone(&first.rule)) {
                    let same =
                        waiting.notices.iter().take(max).take_while(|notice| notice.rule == rule).count();
                    waiting.taken = same;
                    return Some(waiting.notices.drain(..same).collect());
                }
                if waiting.closing.is_some() {
                    waiting.done = true;
                    return None;
                }
            }
            self.news.notified().await;
        }
    }

    pub fn close(&self, until: Instant) {
        self.waiting.lock().closing = Some(until);
        self.news.notify_one();
    }

    /// Until when it is worth trying; none: not closed.
    pub fn closing(&self) -> Option<Instant> {
        self.waiting.lock().closing
    }

    /// Ends when the queue is closed.
    pub async fn closed(&self) {
        while self.closing().is_none() {
            self.news.notified().await;
        }
    }

    /// Waiting or being sent.
    pub fn count(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.notices.len() + waiting.taken
    }

    pub fn is_done(&self) -> bool {
        self.waiting.lock().done
    }
}
