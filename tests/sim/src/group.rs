//! Commits of several changes: their answers come together, and are seen in the
//! order of the changes before anything else is done.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Group {
    inner: Mutex<Inner>,
    moved: Notify,
}

#[derive(Default)]
struct Inner {
    next: u64,
    /// Changes whose answer nobody has seen.
    unseen: BTreeSet<u64>,
    committed: bool,
    /// Changes wait for a commit.
    gathers: bool,
}

/// The place of a change in its group, given up when its answer was seen or nobody waits for it.
pub(crate) struct Place<'a>(&'a Group, u64);

impl Group {
    pub(crate) fn join(&self) -> Place<'_> {
        let mut inner = self.inner();
        inner.next += 1;
        let place = inner.next;
        inner.unseen.insert(place);
        Place(self, place)
    }

    /// From here on changes wait.
    pub(crate) fn begin(&self) {
        self.inner().gathers = true;
    }

    pub(crate) fn gathers(&self) -> bool {
        self.inner().gathers
    }

    pub(crate) fn len(&self) -> usize {
        self.inner().unseen.len()
    }

    /// The answers are there.
    pub(crate) fn committed(&self) {
        let mut inner = self.inner();
        inner.gathers = false;
        inner.committed = !inner.unseen.is_empty();
        self.moved.notify_waiters();
    }

    /// Waits while there are answers that have come and were not seen.
    pub(crate) async fn seen(&self) {
        self.until(|inner| !inner.committed).await;
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        loop {
            let moved = self.moved.notified();
            if holds(&self.inner()) {
                return;
            }
            moved.await;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits until the answers of all earlier changes were seen.
    pub(crate) async fn turn(&self) {
        self.0.until(|inner| inner.committed && inner.unseen.first() == Some(&self.1)).await;
    }

    /// Nobody else has an answer to see.
    pub(crate) fn is_last(&self) -> bool {
        self.0.len() == 1
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.unseen.remove(&self.1);
        inner.committed &= !inner.unseen.is_empty();
        self.0.moved.notify_waiters();
    }
}
