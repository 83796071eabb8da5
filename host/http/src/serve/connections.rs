//! The connections that are open, and which of them make room for a new one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookbox_core::time::Millis;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Milliseconds after `opened` since when there is nothing to answer; [`Activity::BUSY`] while there is.
    silent_since: AtomicU64,
}

#[derive(Debug)]
struct Open {
    activity: Arc<Activity>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// In the order in which they were opened, but for those that were passed over; some may have ended.
    open: VecDeque<Open>,
}

impl Activity {
    const BUSY: u64 = u64::MAX;

    pub(super) fn new() -> Arc<Activity> {
        Arc::new(Activity { opened: Instant::now(), silent_since: AtomicU64::new(0) })
    }

    pub(super) fn begin(&self) {
        self.silent_since.store(Activity::BUSY, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.silent_since.store(self.age(), Ordering::Relaxed);
    }

    /// A part of an answer is on its way; whoever does not take it within `long` is silent.
    pub(super) fn sends_within(&self, long: Millis) {
        self.silent_since.store(self.age().saturating_add(long.0).min(Activity::BUSY - 1), Ordering::Relaxed);
    }

    fn age(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(Activity::BUSY - 1)
    }

    /// Long enough for an answer to be on its way.
    pub(super) fn is_silent_for(&self, long: Millis) -> bool {
        let since = self.silent_since.load(Ordering::Relaxed);
        since != Activity::BUSY && self.age().saturating_sub(since) >= long.0
    }
}

impl Connections {
    pub(super) fn spawn(&mut self, activity: Arc<Activity>, connection: impl Future<Output = ()> + Send + 'static) {
        // Those that have ended are half of the list at most.
        if self.open.len() > 2 * self.tasks.len() + 64 {
            self.open.retain(|open| !open.task.is_finished());
        }
        let task = self.tasks.spawn(connection);
        self.open.push_back(Open { activity, task });
    }

    /// Waits until one ends; for ever where there is none.
    pub(super) async fn one_ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending().await
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Closes the first that has had nothing to be answered for so long. A sender that still writes its head is silent,
    /// too: whoever only holds a place loses it to whoever comes.
    pub(super) fn close_a_silent_one(&mut self, silent_for: Millis) -> bool {
        for _ in 0..self.open.len() {
            let Some(open) = self.open.pop_front() else { break };
            if open.task.is_finished() {
                continue;
            }
            if open.activity.is_silent_for(silent_for) {
                open.task.abort();
                return true;
            }
            self.open.push_back(open);
        }
        false
    }

    pub(super) async fn close_all(&mut self) {
        self.tasks.shutdown().await;
    }
}
