//! What waits at one gate.

use std::collections::BTreeSet;

use hookbox_core::gate::Order;
use hookbox_core::id::RunId;
use hookbox_core::time::Timestamp;

/// The pending runs with one key, and how many of them are executed: one at most, unless their policy changed.
#[derive(Debug, Default)]
pub(super) struct Gated {
    /// By their place in the order of acceptance.
    pub(super) in_order: BTreeSet<(u64, RunId, Timestamp)>,
    pub(super) by_due: BTreeSet<(Timestamp, RunId)>,
    pub(super) leased: usize,
    /// The one that is in its handler's queue.
    pub(super) open: Option<(Timestamp, RunId)>,
}

impl Gated {
    pub(super) fn put(&mut self, order: Order, sequence: u64, due: Timestamp, run: RunId) {
        match order {
            Order::Accepted => _ = self.in_order.insert((sequence, run, due)),
            Order::Due => _ = self.by_due.insert((due, run)),
        }
    }

    pub(super) fn take(&mut self, order: Order, sequence: u64, due: Timestamp, run: RunId) {
        match order {
            Order::Accepted => _ = self.in_order.remove(&(sequence, run, due)),
            Order::Due => _ = self.by_due.remove(&(due, run)),
        }
    }

    /// The run that may begin, once it is due. Runs of both kinds are here only while a changed policy takes effect.
    pub(super) fn first(&self) -> Option<(Timestamp, RunId)> {
        if self.leased > 0 {
            return None;
        }
        let in_order = self.in_order.first().map(|(_, run, due)| (*due, *run));
        [in_order, self.by_due.first().copied()].into_iter().flatten().min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leased == 0 && self.in_order.is_empty() && self.by_due.is_empty()
    }
}
