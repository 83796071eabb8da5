//! What is kept in memory beside the tree, and how a group of changes goes through it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hookbox_core::clock::Monotonic;
use hookbox_core::hold::Holds;
use hookbox_core::id::RunId;
use tokio::sync::watch;

use super::Change;
use crate::Signals;
use crate::catalogue::Catalogue;
use crate::codec;
use crate::counts::Counts;
use crate::due::DueSchedules;
use crate::error::StoreError;
use crate::index::{Delta, Index};
use crate::keys;
use crate::ledger::{Closed, Ledger, PruneCursor, Shown};
use crate::overlay::{Changed, Order, Read};
use crate::query;
use crate::values;

/// What is kept in memory beside the tree.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) index: Mutex<Index>,
    pub(super) counts: Mutex<Counts>,
    pub(super) catalogue: ArcSwap<Catalogue>,
    pub(super) holds: ArcSwap<Holds>,
    pub(super) schedules: Mutex<DueSchedules>,
    pub(super) prune: Mutex<PruneCursor>,
    pub(super) signals: Signals,
    failure: Mutex<Option<String>>,
    groups: watch::Sender<Groups>,
}

/// A group that is being written shows in the tree before it is on disk.
#[derive(Debug, Default, Clone, Copy)]
struct Groups {
    begun: u64,
    ended: u64,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Reads what is alive; ended runs and events are not looked at.
    pub(crate) fn load(tree: &dyn Read) -> Result<State, StoreError> {
        let mut index = Index::default();
        let mut damage = None;
        tree.scan(&[keys::LIVE_RUN], &keys::end_of(&[keys::LIVE_RUN]), Order::Ascending, &mut |key, stored| {
            let id = keys::id_of(key).map(RunId::from_bytes);
            let row = values::current(tree, key, stored)?;
            match id.zip(row).map(|(id, row)| codec::decode_run(id, &row)) {
                Some(Ok(stored)) => _ = index.apply(Delta::of(&stored.run, Monotonic(0))),
                Some(Err(error)) => damage = Some(error),
                None => damage = Some(StoreError::Corrupt("the row of a run does not read".to_owned())),
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        if let Some(damage) = damage {
            return Err(damage);
        }
        let counts = match values::get(tree, keys::COUNTS)? {
            Some(row) => codec::decode_counts(&row)?,
            None => Counts::default(),
        };
        Ok(State {
            index: Mutex::new(index),
            counts: Mutex::new(counts),
            catalogue: ArcSwap::from_pointee(Catalogue::new(query::plugins(tree)?)),
            holds: ArcSwap::from_pointee(query::holds(tree)?),
            schedules: Mutex::new(due_schedules(tree)?),
            prune: Mutex::default(),
            signals: Signals::default(),
            failure: Mutex::default(),
            groups: watch::Sender::default(),
        })
    }

    /// Runs a group of changes on the ledger, has them written by `write`, and gives all answers.
    /// `changes` gives the next change, until it has none or the group is large enough.
    pub(crate) fn run_group(
        &self,
        tree: &dyn Read,
        mut changes: impl FnMut(usize) -> Option<Change>,
        write: impl FnOnce(Changed) -> Result<(), StoreError>,
    ) {
        if let Some(failure) = self.failure() {
            while let Some(change) = changes(0) {
                refuse(change, &failure);
            }
            return;
        }
        let mut answers = Vec::new();
        let closed = {
            let mut index = locked(&self.index);
            let counts = *locked(&self.counts);
            let shown = Shown::unchanged(self.catalogue.load_full(), self.holds.load_full());
            let mut ledger = Ledger::open(tree, &mut index, counts, shown);
            while let Some(change) = changes(ledger.bytes()) {
                answers.push(change(&mut ledger));
            }
            ledger.close()
        };
        let written = closed.and_then(|mut closed| {
            let changed = std::mem::take(&mut closed.changed);
            if !changed.is_empty() {
                self.groups.send_modify(|groups| groups.begun += 1);
                write(changed)?;
                self.groups.send_modify(|groups| groups.ended = groups.begun);
            }
            self.publish(closed);
            Ok(())
        });
        if let Err(error) = &written {
            self.fail(error);
        }
        for answer in answers {
            answer(written.clone());
        }
    }

    fn publish(&self, closed: Closed) {
        let shown = closed.shown;
        let mut wakes = shown.catalogue_changed || shown.holds_changed;
        {
            let mut index = locked(&self.index);
            for delta in closed.deltas {
                wakes |= index.apply(delta);
            }
        }
        {
            let mut schedules = locked(&self.schedules);
            for (name, due) in closed.schedules {
                schedules.put(name, due);
            }
        }
        *locked(&self.counts) = closed.counts;
        if shown.catalogue_changed {
            self.catalogue.store(shown.catalogue);
        }
        if shown.holds_changed {
            self.holds.store(shown.holds);
        }
        if wakes {
            self.signals.runs.notify_one();
        }
        if shown.leases_lost {
            self.signals.leases.notify_one();
        }
        if shown.schedules_changed {
            self.signals.schedules.notify_one();
        }
    }

    /// After a failed write nobody knows what the tree holds and what the disk: it is opened anew or not at all.
    pub(crate) fn fail(&self, error: &StoreError) {
        tracing::error!(%error, "the store takes no more changes until it is opened again");
        *locked(&self.failure) = Some(error.to_string());
        self.groups.send_modify(|groups| groups.ended = groups.begun);
        self.signals.failed.notify_waiters();
        self.signals.failed.notify_one();
    }

    /// Returns once everything that a reader can have seen is on disk.
    pub(super) async fn settled(&self) -> Result<(), StoreError> {
        let mut groups = self.groups.subscribe();
        let seen = groups.borrow().begun;
        // The sender is this store's own: it is not gone.
        let _ = groups.wait_for(|groups| groups.ended >= seen).await;
        self.failure().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }

    pub(crate) fn failure(&self) -> Option<String> {
        locked(&self.failure).clone()
    }
}

fn refuse(change: Change, failure: &str) {
    // A change needs a ledger to give its answer; dropping it tells the caller that the store is gone.
    drop(change);
    tracing::debug!(failure, "a change was refused");
}

fn due_schedules(tree: &dyn Read) -> Result<DueSchedules, StoreError> {
    let mut schedules = DueSchedules::default();
    tree.scan(&[keys::SCHEDULE], &keys::end_of(&[keys::SCHEDULE]), Order::Ascending, &mut |key, stored| {
        if let Some(row) = values::current(tree, key, stored)? {
            let row = codec::decode_schedule(&row)?;
            let due = row.due();
            schedules.put(row.schedule.name, due);
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(schedules)
}
