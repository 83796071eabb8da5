//! Which runs are alive, in memory: a hint that is made from the tree at start
//! and kept by each commit. The rows in the tree are the truth.
//!
//! A handler's queue holds the runs that could begin. Of the runs that wait at
//! one gate that is at most one, and none while another of them is executed: so
//! a claim never looks through runs that it cannot hand out.

mod gated;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use hookbox_core::clock::Monotonic;
use hookbox_core::gate::{GateId, Order};
use hookbox_core::id::RunId;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::run::{BootId, Lease, Run, RunState};
use hookbox_core::time::Timestamp;

use crate::types::{Claim, Claimable, Waiting};
use gated::Gated;

#[derive(Debug, Default)]
pub(crate) struct Index {
    queues: Vec<Queue>,
    queue_of: HashMap<Arc<HandlerRef>, usize>,
    pending: HashMap<RunId, Pending>,
    leased: BTreeMap<RunId, Leased>,
    gates: HashMap<GateId, Gated>,
    expiring: BTreeSet<(Timestamp, RunId)>,
    /// Where the next claim begins, so that no handler waits for another.
    turn: usize,
}

/// The runs of one handler.
#[derive(Debug)]
struct Queue {
    target: Arc<HandlerRef>,
    /// Those that could begin.
    open: BTreeSet<(Timestamp, RunId)>,
    pending: usize,
    leased: usize,
    /// Some were left waiting because so many are executed.
    full: bool,
}

#[derive(Debug)]
struct Pending {
    queue: usize,
    due: Timestamp,
    /// Most runs have none.
    terms: Option<Box<Terms>>,
}

#[derive(Debug)]
struct Leased {
    queue: usize,
    lease: Lease,
    until: Monotonic,
    gate: Option<GateId>,
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
    Pending { due: Timestamp },
    Leased { lease: Lease, until: Monotonic },
}

/// What a commit changes.
#[derive(Debug, Clone)]
pub(crate) struct Delta {
    run: RunId,
    /// Nothing where the run has ended.
    alive: Option<(HandlerRef, Place, Terms)>,
}

impl Delta {
    /// Where the run is after the commit; `until` counts for a lease.
    pub(crate) fn of(run: &Run, until: Monotonic) -> Delta {
        let place = match run.state {
            RunState::Pending { due } => Place::Pending { due },
            RunState::Leased { lease } => Place::Leased { lease, until },
            RunState::Succeeded { .. } | RunState::Dead { .. } | RunState::Cancelled { .. } => {
                return Delta { run: run.id, alive: None };
            }
        };
        let gate = run.gate.as_ref().map(|gate| (gate.id(&run.target), gate.order));
        let terms = Terms { gate, sequence: run.sequence, expires: run.expires };
        Delta { run: run.id, alive: Some((run.target.clone(), place, terms)) }
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// The handler of a run that is leased by it.
    pub(crate) fn leases(&self) -> Option<&HandlerRef> {
        match &self.alive {
            Some((target, Place::Leased { .. }, _)) => Some(target),
            _ => None,
        }
    }
}

impl Index {
    /// True where a run may be claimed that could not be before.
    pub(crate) fn apply(&mut self, delta: Delta) -> bool {
        let opened = self.remove(delta.run);
        match delta.alive {
            None => opened,
            Some((target, Place::Pending { due }, terms)) => self.put_pending(delta.run, target, due, terms) || opened,
            Some((target, Place::Leased { lease, until }, terms)) => {
                let queue = self.queue(target);
                let gate = terms.gate.map(|(gate, _)| gate);
                if let Some(gate) = gate {
                    self.at_gate(gate, queue, |gated| gated.leased += 1);
                }
                self.queues[queue].leased += 1;
                self.leased.insert(delta.run, Leased { queue, lease, until, gate });
                opened
            }
        }
    }

    fn queue(&mut self, target: HandlerRef) -> usize {
        if let Some(queue) = self.queue_of.get(&target) {
            return *queue;
        }
        let (target, queue) = (Arc::new(target), self.queues.len());
        self.queues.push(Queue { target: target.clone(), open: BTreeSet::new(), pending: 0, leased: 0, full: false });
        self.queue_of.insert(target, queue);
        queue
    }

    fn put_pending(&mut self, run: RunId, target: HandlerRef, due: Timestamp, terms: Terms) -> bool {
        let queue = self.queue(target);
        self.queues[queue].pending += 1;
        self.expiring.extend(terms.expires.map(|expires| (expires, run)));
        let (gate, sequence) = (terms.gate, terms.sequence);
        let terms = (terms.gate.is_some() || terms.expires.is_some()).then(|| Box::new(terms));
        self.pending.insert(run, Pending { queue, due, terms });
        match gate {
            None => self.queues[queue].open.insert((due, run)),
            Some((gate, order)) => self.at_gate(gate, queue, |gated| gated.put(order, sequence, due, run)),
        }
    }

    fn remove(&mut self, run: RunId) -> bool {
        if let Some(Pending { queue, due, terms }) = self.pending.remove(&run) {
            self.queues[queue].pending -= 1;
            let Some(terms) = terms else {
                self.queues[queue].open.remove(&(due, run));
                return false;
            };
            if let Some(expires) = terms.expires {
                self.expiring.remove(&(expires, run));
            }
            match terms.gate {
                None => {
                    self.queues[queue].open.remove(&(due, run));
                    return false;
                }
                Some((gate, order)) => {
                    return self.at_gate(gate, queue, |gated| gated.take(order, terms.sequence, due, run));
                }
            }
        }
        let Some(Leased { queue, gate, .. }) = self.leased.remove(&run) else { return false };
        self.queues[queue].leased -= 1;
        let was_full = std::mem::take(&mut self.queues[queue].full);
        let opened = gate.is_some_and(|gate| self.at_gate(gate, queue, |gated| gated.leased -= 1));
        was_full || opened
    }

    /// Changes what waits at a gate, and puts the run that may now begin into the queue in place of the one that was
    /// there. True where another may begin than before.
    fn at_gate(&mut self, id: GateId, queue: usize, change: impl FnOnce(&mut Gated)) -> bool {
        let gated = self.gates.entry(id).or_default();
        let before = gated.open;
        change(gated);
        let after = gated.first();
        gated.open = after;
        if gated.is_empty() {
            self.gates.remove(&id);
        }
        if before == after {
            return false;
        }
        let open = &mut self.queues[queue].open;
        if let Some(before) = before {
            open.remove(&before);
        }
        open.extend(after);
        after.is_some()
    }

    /// Runs that are due, the oldest of each handler in turn, without those in `moved`. `leased` has been leased since
    /// the index was brought up to date.
    pub(crate) fn due(
        &mut self,
        claim: &Claim,
        moved: &HashSet<RunId>,
        leased: &HashMap<&HandlerRef, usize>,
    ) -> Vec<RunId> {
        let mut turns: Vec<Turn<'_>> = Vec::new();
        for claimable in claim.handlers.iter() {
            let Some(queue) = self.queue_of.get(&claimable.handler) else { continue };
            let queue = &mut self.queues[*queue];
            let room = queue.room(claimable).saturating_sub(leased.get(&claimable.handler).copied().unwrap_or(0));
            let left = room.min(claimable.at_most);
            queue.full |= room == 0;
            if left > 0 && !queue.open.is_empty() {
                turns.push(Turn { claimable, left });
            }
        }
        if turns.is_empty() {
            return Vec::new();
        }
        self.turn = (self.turn + 1) % turns.len();
        turns.rotate_left(self.turn);
        let mut queues: Vec<_> = turns
            .into_iter()
            .filter_map(|turn| {
                let open = &self.queues[*self.queue_of.get(&turn.claimable.handler)?].open;
                let runs = open.iter().take_while(|(due, _)| *due <= claim.now);
                Some((turn, runs.map(|(_, run)| *run).filter(|run| !moved.contains(run))))
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
            let Some(queue) = self.queue_of.get(&claimable.handler) else { continue };
            let queue = &mut self.queues[*queue];
            if queue.room(claimable) == 0 {
                queue.full = true;
            } else if claimable.at_most > 0 {
                let due = queue.open.first().map(|(due, _)| *due);
                next = [next, due].into_iter().flatten().min();
            }
        }
        next
    }

    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let queues = self.queues.iter().filter(|queue| queue.pending > 0);
        let waiting = queues.map(|queue| Waiting {
            handler: HandlerRef::clone(&queue.target),
            runs: queue.pending,
            due: queue.open.first().map(|(due, _)| *due),
        });
        waiting.collect()
    }

    /// Pending runs of one handler; of those that wait at one gate at most one.
    pub(crate) fn pending_of(&self, handler: &HandlerRef, limit: usize) -> Vec<RunId> {
        let queue = self.queue_of.get(handler).and_then(|queue| self.queues.get(*queue));
        queue.into_iter().flat_map(|queue| &queue.open).take(limit).map(|(_, run)| *run).collect()
    }

    /// Pending runs whose time to begin is over.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<RunId> {
        let over = self.expiring.iter().take_while(|(expires, _)| *expires <= now);
        over.take(limit).map(|(_, run)| *run).collect()
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
        self.pending.len() as u64
    }

    pub(crate) fn leased_count(&self) -> u64 {
        self.leased.len() as u64
    }
}

/// A handler while runs are handed out.
struct Turn<'c> {
    claimable: &'c Claimable,
    left: usize,
}

impl Queue {
    /// How many more of its runs may be executed.
    fn room(&self, claimable: &Claimable) -> usize {
        claimable.concurrency.map_or(usize::MAX, |most| (most as usize).saturating_sub(self.leased))
    }
}

#[cfg(test)]
mod tests;
