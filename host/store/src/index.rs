//! Which runs are alive, in memory: a hint that is made from the tree at start
//! and kept by each commit. The rows in the tree are the truth.
//!
//! A handler's queue holds the runs that could begin. Of the runs of one kind
//! that wait at one gate that is at most one, and none while another at that
//! gate is executed, of whichever kind: so a claim never looks through runs
//! that it cannot hand out.

mod gated;
mod lanes;
mod loading;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use hookbox_core::clock::Monotonic;
use hookbox_core::gate::{GateId, Order};
use hookbox_core::id::RunId;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::run::{BootId, Lease, Run, RunState, WorkKind};
use hookbox_core::time::Timestamp;

use crate::types::{Claim, Claimable, Waiting};
use gated::{AtGate, Gates};
use lanes::{Lanes, Turn, oldest_first};
pub(crate) use loading::{Loading, Waiting as WaitingForTime};

/// A million runs may wait, so of one that waits for its time only nothing is kept but that time.
#[derive(Debug, Default)]
pub(crate) struct Index {
    queues: Vec<Queue>,
    queues_of: HashMap<Arc<HandlerRef>, Lanes>,
    pending: usize,
    leased: BTreeMap<RunId, Leased>,
    gates: Gates,
    expiring: BTreeSet<Due>,
    /// Where the next claim begins, so that no handler waits for another.
    turn: usize,
}

/// The runs of one handler that work on one kind.
#[derive(Debug)]
struct Queue {
    target: Arc<HandlerRef>,
    kind: WorkKind,
    /// Those that could begin.
    open: BTreeSet<Due>,
    pending: usize,
    leased: usize,
    /// Some were left waiting because so many are executed.
    full: bool,
}

/// When a run is due, and the bytes of its id: as a number it would be followed by as much padding as the time has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Timestamp,
    run: [u8; 16],
}

impl Due {
    fn new(at: Timestamp, run: RunId) -> Due {
        Due { at, run: run.to_bytes() }
    }

    fn run(&self) -> RunId {
        RunId::from_bytes(self.run)
    }
}

#[derive(Debug)]
struct Leased {
    queue: usize,
    lease: Lease,
    until: Monotonic,
    gate: Option<GateId>,
}

/// How a pending run waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    due: Timestamp,
    /// Its place in an order, before its sequence: when it was due for the first time, and before all others once it has
    /// begun, since it was the first.
    place: Timestamp,
}

impl Waits {
    /// Nothing where the run does not wait.
    pub(crate) fn of(run: &Run) -> Option<Waits> {
        let RunState::Pending { due } = run.state else { return None };
        Some(Waits { due, place: if run.has_begun() { Timestamp(0) } else { due } })
    }
}

/// What a run that waits depends on, besides its time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Terms {
    gate: Option<(GateId, Order)>,
    sequence: u64,
    expires: Option<Timestamp>,
}

/// Where an alive run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Pending(Waits),
    Leased { lease: Lease, until: Monotonic },
}

/// What a commit changes.
#[derive(Debug, Clone)]
pub(crate) struct Delta {
    run: RunId,
    target: HandlerRef,
    kind: WorkKind,
    terms: Terms,
    /// How it waited before, where it was pending.
    waited: Option<Waits>,
    /// Nothing where the run has ended.
    place: Option<Place>,
}

impl Delta {
    /// Where a run is after the commit that `waited` until then, or did not; `until` counts for a lease.
    pub(crate) fn of(run: &Run, waited: Option<Waits>, until: Monotonic) -> Delta {
        let leased = run.lease().map(|lease| Place::Leased { lease, until });
        let place = Waits::of(run).map(Place::Pending).or(leased);
        Delta { run: run.id, target: run.target.clone(), kind: run.work.kind(), terms: Terms::of(run), waited, place }
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    pub(crate) fn target(&self) -> &HandlerRef {
        &self.target
    }

    /// Runs that wait after it and did not before: one, none, or one less.
    pub(crate) fn adds(&self) -> i64 {
        i64::from(matches!(self.place, Some(Place::Pending(_)))) - i64::from(self.waited.is_some())
    }

    /// The handler of a run that is leased by it.
    pub(crate) fn leases(&self) -> Option<&HandlerRef> {
        matches!(self.place, Some(Place::Leased { .. })).then_some(&self.target)
    }
}

impl Terms {
    fn of(run: &Run) -> Terms {
        let gate = run.gate.as_ref().map(|gate| (gate.id(&run.target), gate.order));
        Terms { gate, sequence: run.sequence, expires: run.expires }
    }
}

impl Index {
    /// True where a run may be claimed that could not be before.
    pub(crate) fn apply(&mut self, delta: Delta) -> bool {
        let Delta { run, target, kind, terms, waited, place } = delta;
        let queue = self.queue(&target, kind);
        let opened = match waited {
            Some(waited) => self.remove_pending(run, queue, waited, &terms),
            None => self.remove_leased(run),
        };
        match place {
            None => opened,
            Some(Place::Pending(waits)) => self.put_pending(run, queue, waits, &terms) || opened,
            Some(Place::Leased { lease, until }) => {
                let gate = terms.gate.map(|(gate, _)| gate);
                if let Some(gate) = gate {
                    self.gates.change(gate, &mut self.queues, |gated| gated.leased += 1);
                }
                self.queues[queue].leased += 1;
                self.leased.insert(run, Leased { queue, lease, until, gate });
                opened
            }
        }
    }

    fn queue(&mut self, target: &HandlerRef, kind: WorkKind) -> usize {
        if let Some(queue) = self.lanes(target).of(kind) {
            return queue;
        }
        let (target, queue) = (Arc::new(target.clone()), self.queues.len());
        let open = BTreeSet::new();
        self.queues.push(Queue { target: target.clone(), kind, open, pending: 0, leased: 0, full: false });
        self.queues_of.entry(target).or_default().put(kind, queue);
        queue
    }

    fn lanes(&self, target: &HandlerRef) -> Lanes {
        self.queues_of.get(target).copied().unwrap_or_default()
    }

    fn put_pending(&mut self, run: RunId, queue: usize, waits: Waits, terms: &Terms) -> bool {
        self.pending += 1;
        self.queues[queue].pending += 1;
        self.expiring.extend(terms.expires.map(|expires| Due::new(expires, run)));
        match terms.gate {
            None => self.queues[queue].open.insert(Due::new(waits.due, run)),
            Some((gate, order)) => {
                let at = AtGate { kind: self.queues[queue].kind, order, sequence: terms.sequence, waits, run };
                self.gates.change(gate, &mut self.queues, |gated| gated.put(at, queue))
            }
        }
    }

    fn remove_pending(&mut self, run: RunId, queue: usize, waited: Waits, terms: &Terms) -> bool {
        self.pending = self.pending.saturating_sub(1);
        self.queues[queue].pending = self.queues[queue].pending.saturating_sub(1);
        if let Some(expires) = terms.expires {
            self.expiring.remove(&Due::new(expires, run));
        }
        match terms.gate {
            None => {
                self.queues[queue].open.remove(&Due::new(waited.due, run));
                false
            }
            Some((gate, order)) => {
                let at = AtGate { kind: self.queues[queue].kind, order, sequence: terms.sequence, waits: waited, run };
                self.gates.change(gate, &mut self.queues, |gated| gated.take(at))
            }
        }
    }

    fn remove_leased(&mut self, run: RunId) -> bool {
        let Some(Leased { queue, gate, .. }) = self.leased.remove(&run) else { return false };
        self.queues[queue].leased -= 1;
        let was_full = std::mem::take(&mut self.queues[queue].full);
        let opened = gate.is_some_and(|gate| self.gates.change(gate, &mut self.queues, |gated| gated.leased -= 1));
        was_full || opened
    }

    /// Runs that are due, the oldest of each handler in turn, without those in `moved`, and of two that may begin at one
    /// gate one only. `leased` has been leased since the index was brought up to date.
    pub(crate) fn due(
        &mut self,
        claim: &Claim,
        moved: &HashSet<RunId>,
        leased: &HashMap<&HandlerRef, usize>,
    ) -> Vec<RunId> {
        let mut turns: Vec<Turn<'_>> = Vec::new();
        for claimable in claim.handlers.iter() {
            let lanes = self.lanes(&claimable.handler);
            let leased = leased.get(&claimable.handler).copied().unwrap_or(0);
            let room = self.room(lanes, claimable).saturating_sub(leased);
            let left = room.min(claimable.at_most);
            if room == 0 {
                self.fill(lanes);
            }
            if left > 0 && lanes.taken_by(claimable).any(|queue| !self.queues[queue].open.is_empty()) {
                turns.push(Turn { claimable, lanes, left });
            }
        }
        if turns.is_empty() {
            return Vec::new();
        }
        self.turn = (self.turn + 1) % turns.len();
        turns.rotate_left(self.turn);
        let gates = &self.gates;
        let mut queues: Vec<_> = turns
            .into_iter()
            .map(|turn| {
                let open = turn.lanes.taken_by(turn.claimable).map(|queue| self.queues[queue].open.iter().peekable());
                let runs = oldest_first(open.collect()).take_while(|due| due.at <= claim.now);
                let stays = |run: &RunId| {
                    !moved.contains(run) && gates.rival_of(*run).is_none_or(|rival| !moved.contains(&rival))
                };
                (turn, runs.map(Due::run).filter(stays))
            })
            .collect();
        let (mut found, mut found_of) = (Vec::new(), HashMap::<&PluginName, usize>::new());
        while found.len() < claim.limit && !queues.is_empty() {
            queues.retain_mut(|(turn, runs)| {
                let of_plugin = found_of.entry(&turn.claimable.handler.plugin).or_default();
                for _ in 0..turn.claimable.weight.max(1) {
                    if found.len() >= claim.limit || *of_plugin >= claim.per_plugin_max || turn.left == 0 {
                        return false;
                    }
                    let Some(run) = runs.next() else { return false };
                    if gates.rival_of(run).is_some_and(|rival| found.contains(&rival)) {
                        continue;
                    }
                    found.push(run);
                    *of_plugin += 1;
                    turn.left -= 1;
                }
                true
            });
        }
        found
    }

    /// When the next run of one of these can be claimed, as far as time alone decides it.
    pub(crate) fn next_due(&mut self, handlers: &[Claimable]) -> Option<Timestamp> {
        let mut next = None;
        for claimable in handlers {
            let lanes = self.lanes(&claimable.handler);
            if self.room(lanes, claimable) == 0 {
                self.fill(lanes);
            } else if claimable.at_most > 0 {
                let due = lanes.taken_by(claimable).filter_map(|queue| self.queues[queue].open.first());
                next = due.map(|due| due.at).chain(next).min();
            }
        }
        next
    }

    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let queues = self.queues.iter().filter(|queue| queue.pending > 0);
        let waiting = queues.map(|queue| Waiting {
            handler: HandlerRef::clone(&queue.target),
            kind: queue.kind,
            runs: queue.pending,
            due: queue.open.first().map(|due| due.at),
        });
        waiting.collect()
    }

    /// Pending runs of one handler, or those on one kind of work, that could begin: of those of one kind that wait at one
    /// gate at most one.
    pub(crate) fn open_of(&self, handler: &HandlerRef, kind: Option<WorkKind>, limit: usize) -> Vec<RunId> {
        let queues = self.lanes(handler).all().filter(|queue| kind.is_none_or(|kind| self.queues[*queue].kind == kind));
        queues.flat_map(|queue| &self.queues[queue].open).take(limit).map(Due::run).collect()
    }

    /// Pending runs of a kind at a gate, those in order first.
    pub(crate) fn pending_at(&self, gate: GateId, kind: WorkKind, limit: usize) -> Vec<RunId> {
        self.gates.pending(gate, kind).take(limit).collect()
    }

    /// Pending runs whose time to begin is over.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<RunId> {
        let over = self.expiring.iter().take_while(|expires| expires.at <= now);
        over.take(limit).map(Due::run).collect()
    }

    /// When this lease is lost; nothing where it is not the run's.
    pub(crate) fn leased_until(&self, run: RunId, lease: Lease) -> Option<Monotonic> {
        self.leased.get(&run).filter(|leased| leased.lease == lease).map(|leased| leased.until)
    }

    pub(crate) fn renew(&mut self, run: RunId, lease: Lease, until: Monotonic) -> bool {
        match self.leased.get_mut(&run) {
            Some(leased) if leased.lease == lease => {
                leased.until = until;
                true
            }
            _ => false,
        }
    }

    /// Runs whose lease is of another boot or was not renewed.
    pub(crate) fn lost(&self, boot: BootId, now: Monotonic, limit: usize) -> Vec<RunId> {
        let lost = |(_, leased): &(&RunId, &Leased)| leased.lease.boot != boot || leased.until <= now;
        self.leased.iter().filter(lost).take(limit).map(|(run, _)| *run).collect()
    }

    pub(crate) fn pending_count(&self) -> u64 {
        self.pending as u64
    }

    pub(crate) fn pending_of(&self, handler: &HandlerRef) -> u64 {
        self.lanes(handler).all().map(|queue| self.queues[queue].pending as u64).sum()
    }

    pub(crate) fn leased_count(&self) -> u64 {
        self.leased.len() as u64
    }

    /// How many more runs of a handler may be executed.
    fn room(&self, lanes: Lanes, claimable: &Claimable) -> usize {
        let leased: usize = lanes.all().map(|queue| self.queues[queue].leased).sum();
        claimable.concurrency.map_or(usize::MAX, |most| (most as usize).saturating_sub(leased))
    }

    /// Some of its runs are left waiting.
    fn fill(&mut self, lanes: Lanes) {
        lanes.all().for_each(|queue| self.queues[queue].full = true);
    }
}

#[cfg(test)]
mod tests;
