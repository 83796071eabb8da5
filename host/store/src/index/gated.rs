//! What waits at gates.

use std::collections::{BTreeSet, HashMap};

use hookbox_core::gate::{GateId, Order};
use hookbox_core::id::RunId;
use hookbox_core::run::WorkKind;
use hookbox_core::time::Timestamp;

use super::{Due, Queue, Waits};

/// The gates at which runs wait or are executed.
#[derive(Debug, Default)]
pub(super) struct Gates {
    pub(super) gated: HashMap<GateId, Gated>,
    /// An event and a job that could begin at one gate, each by the other: only one of them may.
    rivals: HashMap<RunId, RunId>,
}

/// The pending runs with one key, by kind, and how many with it are executed: one at most, unless their policy changed.
///
/// The kinds wait apart, so that a handler that changed the kind it takes is not held up by runs that it cannot take.
/// Whichever is executed keeps both of them waiting.
#[derive(Debug, Default)]
pub(super) struct Gated {
    events: Lane,
    jobs: Lane,
    pub(super) leased: usize,
}

/// Those of one kind.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) in_order: BTreeSet<InOrder>,
    pub(super) by_due: BTreeSet<(Timestamp, RunId)>,
    /// The handler's queue for this kind, once one was put here.
    queue: usize,
    /// The one that is in that queue.
    open: Option<(Timestamp, RunId)>,
}

/// The first two fields are its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InOrder {
    pub(super) place: Timestamp,
    sequence: u64,
    pub(super) run: RunId,
    pub(super) due: Timestamp,
}

/// A run that waits at a gate, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtGate {
    pub(super) kind: WorkKind,
    pub(super) order: Order,
    pub(super) sequence: u64,
    pub(super) waits: Waits,
    pub(super) run: RunId,
}

impl Gates {
    /// Changes what waits at a gate, and puts the runs that may now begin into their queues in place of those that were
    /// there. True where another may begin than before.
    pub(super) fn change(&mut self, id: GateId, queues: &mut [Queue], change: impl FnOnce(&mut Gated)) -> bool {
        let gated = self.gated.entry(id).or_default();
        let before = gated.rivals();
        change(gated);
        let mut opened = gated.reopen(queues);
        let after = gated.rivals();
        if before != after {
            for run in before.into_iter().flatten() {
                self.rivals.remove(&run);
            }
            if let Some([one, other]) = after {
                self.rivals.extend([(one, other), (other, one)]);
            }
            // One that was passed over for the other's sake may begin without it.
            opened |= gated.lanes().iter().any(|lane| lane.open.is_some());
        }
        if gated.is_empty() {
            self.gated.remove(&id);
        }
        opened
    }

    /// The run of the other kind that could begin in place of this one.
    pub(super) fn rival_of(&self, run: RunId) -> Option<RunId> {
        self.rivals.get(&run).copied()
    }

    pub(super) fn pending(&self, gate: GateId, kind: WorkKind) -> impl Iterator<Item = RunId> {
        self.gated.get(&gate).into_iter().flat_map(move |gated| gated.lane(kind).pending())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.gated.is_empty() && self.rivals.is_empty()
    }
}

impl Gated {
    pub(super) fn put(&mut self, at: AtGate, queue: usize) {
        let AtGate { order, sequence, waits: Waits { due, place }, run, .. } = at;
        let lane = self.lane_mut(at.kind);
        lane.queue = queue;
        match order {
            Order::Accepted => _ = lane.in_order.insert(InOrder { place, sequence, run, due }),
            Order::Due => _ = lane.by_due.insert((due, run)),
        }
    }

    pub(super) fn take(&mut self, at: AtGate) {
        let AtGate { order, sequence, waits: Waits { due, place }, run, .. } = at;
        let lane = self.lane_mut(at.kind);
        match order {
            Order::Accepted => _ = lane.in_order.remove(&InOrder { place, sequence, run, due }),
            Order::Due => _ = lane.by_due.remove(&(due, run)),
        }
    }

    /// True where another may begin than before.
    fn reopen(&mut self, queues: &mut [Queue]) -> bool {
        let is_free = self.leased == 0;
        let mut opened = false;
        for lane in [&mut self.events, &mut self.jobs] {
            let after = lane.first().filter(|_| is_free);
            let before = std::mem::replace(&mut lane.open, after);
            if before == after {
                continue;
            }
            let open = &mut queues[lane.queue].open;
            if let Some((due, run)) = before {
                open.remove(&Due::new(due, run));
            }
            open.extend(after.map(|(due, run)| Due::new(due, run)));
            opened |= after.is_some();
        }
        opened
    }

    fn rivals(&self) -> Option<[RunId; 2]> {
        let (Some((_, event)), Some((_, job))) = (self.events.open, self.jobs.open) else { return None };
        Some([event, job])
    }

    pub(super) fn lanes(&self) -> [&Lane; 2] {
        [&self.events, &self.jobs]
    }

    fn lane(&self, kind: WorkKind) -> &Lane {
        match kind {
            WorkKind::Event => &self.events,
            WorkKind::Job => &self.jobs,
        }
    }

    fn lane_mut(&mut self, kind: WorkKind) -> &mut Lane {
        match kind {
            WorkKind::Event => &mut self.events,
            WorkKind::Job => &mut self.jobs,
        }
    }

    fn is_empty(&self) -> bool {
        self.leased == 0 && self.lanes().iter().all(|lane| lane.in_order.is_empty() && lane.by_due.is_empty())
    }
}

impl Lane {
    fn pending(&self) -> impl Iterator<Item = RunId> {
        self.in_order.iter().map(|waits| waits.run).chain(self.by_due.iter().map(|(_, run)| *run))
    }

    /// The run that may begin next, once it is due. Runs of both orders are here only while a changed policy takes
    /// effect.
    fn first(&self) -> Option<(Timestamp, RunId)> {
        let in_order = self.in_order.first().map(|waits| (waits.due, waits.run));
        [in_order, self.by_due.first().copied()].into_iter().flatten().min()
    }
}
