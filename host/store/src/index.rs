//! Which runs are alive, in memory: a hint that is made from the tree at start
//! and kept by each commit. The rows in the tree are the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use hookbox_core::clock::Monotonic;
use hookbox_core::id::RunId;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::run::{BootId, Lease};
use hookbox_core::time::Timestamp;

use crate::types::{Claim, Waiting};

#[derive(Debug, Default)]
pub(crate) struct Index {
    runs: HashMap<RunId, (Arc<HandlerRef>, Place)>,
    /// In order, so that whatever is told of them can be repeated exactly.
    pending: BTreeMap<Arc<HandlerRef>, BTreeSet<(Timestamp, RunId)>>,
    leased: BTreeSet<RunId>,
    /// Where the next claim begins, so that no handler waits for another.
    turn: usize,
}

/// Where an alive run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Pending { due: Timestamp },
    Leased { lease: Lease, until: Monotonic },
}

/// What a commit changes.
#[derive(Debug, Clone)]
pub(crate) enum Delta {
    Moved { run: RunId, target: HandlerRef, place: Place },
    Ended { run: RunId },
}

impl Delta {
    pub(crate) fn run(&self) -> RunId {
        match self {
            Delta::Moved { run, .. } | Delta::Ended { run } => *run,
        }
    }

    /// A run may be claimed that could not be before.
    pub(crate) fn wakes(&self) -> bool {
        matches!(self, Delta::Moved { place: Place::Pending { .. }, .. })
    }
}

impl Index {
    pub(crate) fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Ended { run } => self.remove(run),
            Delta::Moved { run, target, place } => {
                self.remove(run);
                let target = match self.pending.get_key_value(&target) {
                    Some((known, _)) => known.clone(),
                    None => Arc::new(target),
                };
                match place {
                    Place::Pending { due } => {
                        self.pending.entry(target.clone()).or_default().insert((due, run));
                    }
                    Place::Leased { .. } => {
                        self.leased.insert(run);
                    }
                }
                self.runs.insert(run, (target, place));
            }
        }
    }

    fn remove(&mut self, run: RunId) {
        match self.runs.remove(&run) {
            Some((target, Place::Pending { due })) => {
                if let Some(queue) = self.pending.get_mut(&target) {
                    queue.remove(&(due, run));
                }
            }
            Some((_, Place::Leased { .. })) => {
                self.leased.remove(&run);
            }
            None => {}
        }
    }

    /// Runs that are due, the oldest of each handler in turn, without those in `moved`.
    pub(crate) fn due(&mut self, claim: &Claim, moved: &HashSet<RunId>) -> Vec<RunId> {
        let due = |(due, _): &&(Timestamp, RunId)| *due <= claim.now;
        let mut queues: Vec<_> = claim
            .handlers
            .iter()
            .filter_map(|handler| Some((&handler.plugin, self.pending.get(handler)?)))
            .map(|(plugin, queue)| (plugin, queue.iter().take_while(due).filter(|(_, run)| !moved.contains(run))))
            .collect();
        if queues.is_empty() {
            return Vec::new();
        }
        self.turn = (self.turn + 1) % queues.len();
        queues.rotate_left(self.turn);
        let mut found = Vec::new();
        let mut found_of: HashMap<&PluginName, usize> = HashMap::new();
        while found.len() < claim.limit && !queues.is_empty() {
            queues.retain_mut(|(plugin, queue)| {
                let of_plugin = found_of.entry(*plugin).or_default();
                if found.len() >= claim.limit || *of_plugin >= claim.per_plugin_max {
                    return false;
                }
                let Some((_, run)) = queue.next() else { return false };
                found.push(*run);
                *of_plugin += 1;
                true
            });
        }
        found
    }

    pub(crate) fn next_due(&self, handlers: &[HandlerRef]) -> Option<Timestamp> {
        handlers.iter().filter_map(|handler| self.pending.get(handler)?.first()).map(|(due, _)| *due).min()
    }

    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let queues = self.pending.iter().filter_map(|(handler, queue)| {
            let (due, _) = queue.first()?;
            Some(Waiting { handler: HandlerRef::clone(handler), runs: queue.len(), due: *due })
        });
        queues.collect()
    }

    /// Pending runs of one handler.
    pub(crate) fn pending_of(&self, handler: &HandlerRef, limit: usize) -> Vec<RunId> {
        self.pending.get(handler).into_iter().flatten().take(limit).map(|(_, run)| *run).collect()
    }

    pub(crate) fn renew(&mut self, run: RunId, lease: Lease, until: Monotonic) -> bool {
        match self.runs.get_mut(&run) {
            Some((_, Place::Leased { lease: held_by, until: held })) if *held_by == lease => {
                *held = until;
                true
            }
            _ => false,
        }
    }

    /// Runs whose lease is of another boot or was not renewed.
    pub(crate) fn lost(&self, boot: BootId, now: Monotonic, limit: usize) -> Vec<RunId> {
        let lost = |run: &&RunId| match self.runs.get(run) {
            Some((_, Place::Leased { lease, until })) => lease.boot != boot || *until <= now,
            _ => false,
        };
        self.leased.iter().filter(lost).take(limit).copied().collect()
    }

    pub(crate) fn pending_count(&self) -> u64 {
        (self.runs.len() - self.leased.len()) as u64
    }

    pub(crate) fn leased_count(&self) -> u64 {
        self.leased.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_core::name::HandlerName;

    fn handler(name: &str) -> HandlerRef {
        HandlerRef { plugin: PluginName::parse("p").unwrap(), handler: HandlerName::parse(name).unwrap() }
    }

    fn run(n: u128) -> RunId {
        RunId::new(Timestamp(1), n)
    }

    fn pending(n: u128, target: &str, due: u64) -> Delta {
        Delta::Moved { run: run(n), target: handler(target), place: Place::Pending { due: Timestamp(due) } }
    }

    fn claim(handlers: &[HandlerRef], now: u64, limit: usize) -> Claim {
        let (now, until) = (Timestamp(now), Monotonic(1));
        Claim { handlers: handlers.into(), limit, per_plugin_max: usize::MAX, boot: BootId(1), now, until }
    }

    #[test]
    fn handlers_take_turns() {
        let mut index = Index::default();
        for n in 0..10 {
            index.apply(pending(n, "busy", 1));
        }
        index.apply(pending(10, "calm", 1));
        let found = index.due(&claim(&[handler("busy"), handler("calm")], 5, 4), &HashSet::new());
        assert_eq!(found.len(), 4);
        assert!(found.contains(&run(10)));
    }

    #[test]
    fn only_what_is_due_and_can_run_is_found() {
        let mut index = Index::default();
        index.apply(pending(1, "a", 10));
        index.apply(pending(2, "gone", 1));
        assert_eq!(index.due(&claim(&[handler("a")], 9, 10), &HashSet::new()), []);
        assert_eq!(index.next_due(&[handler("a")]), Some(Timestamp(10)));
        assert_eq!(index.due(&claim(&[handler("a")], 10, 10), &HashSet::new()), [run(1)]);
    }

    #[test]
    fn a_lease_is_lost_by_another_boot_or_by_time() {
        let mut index = Index::default();
        let lease = |boot| Lease { boot: BootId(boot), attempt: 1, at: Timestamp(1) };
        let leased = |n, boot, until| Delta::Moved {
            run: run(n),
            target: handler("a"),
            place: Place::Leased { lease: lease(boot), until: Monotonic(until) },
        };
        index.apply(leased(1, 1, 100));
        index.apply(leased(2, 2, 100));
        index.apply(leased(3, 2, 10));
        assert_eq!(index.lost(BootId(2), Monotonic(50), 10), [run(1), run(3)]);
        assert!(!index.renew(run(3), Lease { attempt: 2, ..lease(2) }, Monotonic(90)));
        assert!(index.renew(run(3), lease(2), Monotonic(90)));
        assert_eq!(index.lost(BootId(2), Monotonic(50), 10), [run(1)]);
        index.apply(Delta::Ended { run: run(1) });
        assert_eq!((index.leased_count(), index.pending_count()), (2, 0));
    }
}
