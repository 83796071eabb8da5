//! What waits at one gate.

use std::collections::BTreeSet;

use hookbox_core::gate::Order;
use hookbox_core::id::RunId;
use hookbox_core::time::Timestamp;

use super::Waits;

/// The pending runs with one key, and how many of them are executed: one at most, unless their policy changed.
#[derive(Debug, Default)]
pub(super) struct Gated {
    pub(super) in_order: BTreeSet<InOrder>,
    pub(super) by_due: BTreeSet<(Timestamp, RunId)>,
    pub(super) leased: usize,
    /// The one that is in its handler's queue.
    pub(super) open: Option<(Timestamp, RunId)>,
}

/// The first two fields are its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InOrder {
    pub(super) place: Timestamp,
    sequence: u64,
    pub(super) run: RunId,
    pub(super) due: Timestamp,
}

impl Gated {
    pub(super) fn put(&mut self, order: Order, sequence: u64, Waits { due, place }: Waits, run: RunId) {
        match order {
            Order::Accepted => _ = self.in_order.insert(InOrder { place, sequence, run, due }),
            Order::Due => _ = self.by_due.insert((due, run)),
        }
    }

    pub(super) fn take(&mut self, order: Order, sequence: u64, Waits { due, place }: Waits, run: RunId) {
        match order {
            Order::Accepted => _ = self.in_order.remove(&InOrder { place, sequence, run, due }),
            Order::Due => _ = self.by_due.remove(&(due, run)),
        }
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = RunId> {
        self.in_order.iter().map(|waits| waits.run).chain(self.by_due.iter().map(|(_, run)| *run))
    }

    /// The run that may begin, once it is due. Runs of both kinds are here only while a changed policy takes effect.
    pub(super) fn first(&self) -> Option<(Timestamp, RunId)> {
        if self.leased > 0 {
            return None;
        }
        let in_order = self.in_order.first().map(|waits| (waits.due, waits.run));
        [in_order, self.by_due.first().copied()].into_iter().flatten().min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leased == 0 && self.in_order.is_empty() && self.by_due.is_empty()
    }
}
