//! How far an attempt is, for whoever finds that its lease is gone.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use hookbox_core::run::Lease;
use tokio::sync::Notify;

use super::trace::AttemptTrace;
use crate::execute::Interrupt;

/// The lease of an attempt, and how far the attempt is.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) mark: Mark,
    /// Known once its payload is.
    pub(super) trace: OnceLock<AttemptTrace>,
}

#[derive(Debug, Default)]
pub(super) struct Mark {
    stage: AtomicU8,
    /// Ends an attempt that no guest has a part in yet.
    pub(super) dropped: Notify,
    /// Ends one that a guest is at work on: what it has logged is kept.
    pub(super) interrupt: Interrupt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// For its payload, its turn, or a slot.
    Waiting = 0,
    Executing = 1,
    /// Its end is recorded: the lease is gone as soon as it is, and who waits for the answer has something to tell.
    Ended = 2,
}

impl Mark {
    pub(super) fn is_at(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::SeqCst);
    }

    /// Stops the attempt, unless it has ended.
    pub(super) fn stop(&self) {
        match self.stage.load(Ordering::SeqCst) {
            stage if stage == Stage::Waiting as u8 => self.dropped.notify_one(),
            stage if stage == Stage::Executing as u8 => self.interrupt.tell(),
            _ => {}
        }
    }
}
