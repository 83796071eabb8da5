//! What is kept in memory beside the tree, and how a group of changes goes through it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hookbox_core::access::AccessRows;
use hookbox_core::clock::Monotonic;
use hookbox_core::hold::Holds;
use hookbox_core::id::RunId;
use hookbox_core::run::{Lease, RunEvent};
use tokio::sync::watch;

use super::Change;
use crate::Signals;
use crate::audit;
use crate::catalogue::Catalogue;
use crate::codec;
use crate::commits::Meter;
use crate::counts::Counts;
use crate::due::{DueSchedules, Standing};
use crate::error::StoreError;
use crate::index::{Delta, Index, Loading};
use crate::keys;
use crate::ledger::{Closed, Ledger, PruneCursor, Shown};
use crate::overlay::{Changed, Order, Overlay, Read};
use crate::query;
use crate::snapshot::Notes;
use crate::values;

/// What is kept in memory beside the tree.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) index: Mutex<Index>,
    pub(super) counts: Mutex<Counts>,
    pub(super) catalogue: ArcSwap<Catalogue>,
    pub(super) holds: ArcSwap<Holds>,
    pub(super) access: ArcSwap<AccessRows>,
    pub(super) schedules: Mutex<DueSchedules>,
    /// Held by whoever declares schedules.
    pub(super) declaring: tokio::sync::Mutex<()>,
    pub(super) prune: Mutex<PruneCursor>,
    pub(super) signals: Signals,
    /// Why it takes no changes at this moment.
    failure: Mutex<Option<String>>,
    groups: watch::Sender<Groups>,
    /// Versions that writes of plugins' keys have had, be they on disk or not.
    kv_writes: AtomicU64,
    pub(crate) commits: Meter,
    pub(crate) notes: Arc<Notes>,
}

/// A group that is being written shows in the tree before it is on disk.
#[derive(Debug, Default, Clone, Copy)]
struct Groups {
    begun: u64,
    ended: u64,
    /// Of those that ended.
    failed: u64,
}

/// How a group went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grouped {
    /// It had nothing to write.
    Unchanged,
    Written,
    Failed,
}

/// Groups that had failed before a reader looked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight(u64);

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is alive in a tree; ended runs and events are not looked at.
struct Loaded {
    index: Index,
    leased: Vec<(RunId, Lease)>,
    counts: Counts,
    catalogue: Catalogue,
    holds: Holds,
    access: AccessRows,
    schedules: DueSchedules,
}

impl Loaded {
    fn from(tree: &dyn Read) -> Result<Loaded, StoreError> {
        let (mut index, mut leased) = (Loading::default(), Vec::new());
        let mut damage = None;
        tree.scan(&[keys::LIVE_RUN], &keys::end_of(&[keys::LIVE_RUN]), Order::Ascending, &mut |key, stored| {
            let id = keys::id_of(key).map(RunId::from_bytes);
            let waiting = id.zip(values::whole(stored).and_then(codec::waiting));
            if waiting.is_some_and(|(id, waiting)| index.put_waiting(id, waiting)) {
                return Ok(std::ops::ControlFlow::Continue(()));
            }
            let row = values::current(tree, key, stored)?;
            match id.zip(row).map(|(id, row)| codec::decode_run(id, &row)) {
                Some(Ok(stored)) => {
                    leased.extend(stored.run.lease().map(|lease| (stored.run.id, lease)));
                    index.put(&stored.run);
                }
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
        let dead_replayed = match counts.dead_replayed {
            Some(counted) => counted,
            None => query::dead_replayed(tree)?,
        };
        let counts = Counts { dead_replayed: Some(dead_replayed), ..counts };
        let catalogue = Catalogue::new(query::plugins(tree)?).commanded(query::plugin_commands(tree)?);
        let (holds, access) = (query::holds(tree)?, audit::access(tree)?);
        let index = index.done();
        Ok(Loaded { index, leased, counts, catalogue, holds, access, schedules: due_schedules(tree)? })
    }
}

impl State {
    pub(crate) fn load(tree: &dyn Read) -> Result<State, StoreError> {
        let loaded = Loaded::from(tree)?;
        Ok(State {
            index: Mutex::new(loaded.index),
            counts: Mutex::new(loaded.counts),
            catalogue: ArcSwap::from_pointee(loaded.catalogue),
            holds: ArcSwap::from_pointee(loaded.holds),
            access: ArcSwap::from_pointee(loaded.access),
            schedules: Mutex::new(loaded.schedules),
            declaring: tokio::sync::Mutex::default(),
            prune: Mutex::default(),
            signals: Signals::default(),
            failure: Mutex::default(),
            groups: watch::Sender::default(),
            kv_writes: AtomicU64::new(loaded.counts.kv_writes),
            commits: Meter::default(),
            notes: Arc::default(),
        })
    }

    /// Takes over what a tree holds that was opened anew after a failed group. Attempts that run keep their leases. A
    /// lease that nobody was told of, because the claim failed, is taken back and is no attempt.
    pub(crate) fn reload(
        &self,
        tree: &dyn Read,
        write: impl FnOnce(Changed) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut loaded = Loaded::from(tree)?;
        let mut index = locked(&self.index);
        let (mut overlay, mut back) = (Overlay::new(tree), Vec::new());
        for (run, lease) in loaded.leased {
            match index.leased_until(run, lease) {
                Some(until) => {
                    loaded.index.renew(run, lease, until);
                }
                None => back.extend(put_back(&mut overlay, run)?),
            }
        }
        if !back.is_empty() {
            write(overlay.into_changed())?;
        }
        back.into_iter().for_each(|delta| _ = loaded.index.apply(delta));
        *index = loaded.index;
        drop(index);
        // An attempt may have read what a failed group wrote: its versions are not given again.
        loaded.counts.kv_writes = loaded.counts.kv_writes.max(self.kv_writes.load(Ordering::Relaxed));
        *locked(&self.counts) = loaded.counts;
        let shown = self.catalogue.load();
        if !shown.plugins().eq(loaded.catalogue.plugins()) || shown.commands() != loaded.catalogue.commands() {
            self.catalogue.store(Arc::new(loaded.catalogue));
        }
        self.holds.store(Arc::new(loaded.holds));
        self.access.store(Arc::new(loaded.access));
        *locked(&self.schedules) = loaded.schedules;
        *locked(&self.prune) = PruneCursor::default();
        Ok(())
    }

    /// Runs a group of changes on the ledger, has them written by `write`, and gives all answers.
    /// `changes` gives the next change, until it has none or the group is large enough.
    pub(crate) fn run_group(
        &self,
        tree: &dyn Read,
        mut changes: impl FnMut(usize) -> Option<Change>,
        write: impl FnOnce(Changed) -> Result<(), StoreError>,
    ) -> Grouped {
        if self.failure().is_some() {
            // A change needs a ledger to give its answer; dropping it tells the caller that there is none.
            while changes(0).is_some() {}
            return Grouped::Failed;
        }
        let mut answers = Vec::new();
        let closed = {
            let mut index = locked(&self.index);
            let counts = *locked(&self.counts);
            let shown = Shown::unchanged(self.catalogue.load_full(), self.holds.load_full(), self.access.load_full());
            let mut ledger = Ledger::open(tree, &mut index, counts, shown);
            while let Some(change) = changes(ledger.bytes()) {
                answers.push(change(&mut ledger));
            }
            ledger.close()
        };
        let written = closed.and_then(|mut closed| {
            let changed = std::mem::take(&mut closed.changed);
            let grouped = if changed.is_empty() { Grouped::Unchanged } else { Grouped::Written };
            if grouped == Grouped::Written {
                self.kv_writes.fetch_max(closed.counts.kv_writes, Ordering::Relaxed);
                self.groups.send_modify(|groups| groups.begun += 1);
                let noted = self.notes.copy_of(&changed);
                write(changed)?;
                noted.into_iter().for_each(|rows| self.notes.note(rows));
                self.groups.send_modify(|groups| groups.ended = groups.begun);
            }
            self.publish(closed);
            Ok(grouped)
        });
        if let Err(error) = &written {
            self.fail(error);
        }
        let told = written.clone().map(|_| ());
        for answer in answers {
            answer(told.clone());
        }
        written.unwrap_or(Grouped::Failed)
    }

    fn publish(&self, closed: Closed) {
        let shown = closed.shown;
        let mut wakes = shown.catalogue_changed || shown.holds_changed || shown.claim_again;
        {
            let mut index = locked(&self.index);
            for delta in closed.deltas {
                wakes |= index.apply(delta);
            }
        }
        {
            let mut schedules = locked(&self.schedules);
            for (name, standing) in closed.schedules {
                schedules.put(name, standing);
            }
        }
        *locked(&self.counts) = closed.counts;
        if !closed.touched.is_empty() {
            self.signals.changed.tell(closed.touched);
        }
        if !closed.cut_short.is_empty() {
            self.signals.cut_short.tell(closed.cut_short);
        }
        if shown.catalogue_changed {
            self.catalogue.store(shown.catalogue);
            self.signals.catalogue.notify_waiters();
        }
        if shown.holds_changed {
            self.holds.store(shown.holds);
        }
        if !Arc::ptr_eq(&shown.access, &self.access.load()) {
            self.access.store(shown.access);
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

    /// After a failed write nobody knows what the tree holds and what the disk: it takes nothing until it is opened anew.
    pub(crate) fn fail(&self, error: &StoreError) {
        tracing::error!(%error, "the store takes nothing until its folder is opened anew: {error}");
        *locked(&self.failure) = Some(told(error));
        self.notes.fail(error);
        self.groups.send_modify(|groups| {
            groups.ended = groups.begun;
            groups.failed += 1;
        });
    }

    /// It did not open.
    pub(crate) fn still_failing(&self, error: &StoreError) {
        let why = told(error);
        let before = locked(&self.failure).replace(why.clone());
        if before.as_ref() != Some(&why) {
            tracing::error!(%error, "the store cannot be opened anew for now: {error}");
        }
    }

    pub(crate) fn recovered(&self) {
        *locked(&self.failure) = None;
        tracing::warn!("the store is open again");
        // Whoever was refused tries again.
        self.groups.send_modify(|_| {});
        self.signals.runs.notify_one();
        self.signals.schedules.notify_one();
        self.signals.catalogue.notify_waiters();
    }

    /// It will not come back.
    pub(crate) fn give_up(&self, error: &StoreError) {
        tracing::error!(%error, "the store cannot be opened anew: {error}");
        *locked(&self.failure) = Some(told(error));
        self.signals.failed.notify_waiters();
        self.signals.failed.notify_one();
    }

    /// To be taken before a reader looks.
    pub(crate) fn sight(&self) -> Sight {
        Sight(self.groups.borrow().failed)
    }

    /// Returns once everything that a reader can have seen is on disk. Fails where a group did since `sight`: it may
    /// have been seen.
    pub(crate) async fn settled(&self, sight: Sight) -> Result<(), StoreError> {
        let mut groups = self.groups.subscribe();
        let seen = groups.borrow().begun;
        // The sender is this store's own: it is not gone.
        let _ = groups.wait_for(|groups| groups.ended >= seen).await;
        self.available()?;
        let failed = groups.borrow().failed;
        if failed == sight.0 { Ok(()) } else { Err(self.unavailable()) }
    }

    pub(crate) fn failure(&self) -> Option<String> {
        locked(&self.failure).clone()
    }

    pub(crate) fn available(&self) -> Result<(), StoreError> {
        locked(&self.failure).as_ref().map_or(Ok(()), |why| Err(StoreError::Unavailable(why.clone())))
    }

    /// What a caller is told whose change or query came to nothing.
    pub(crate) fn unavailable(&self) -> StoreError {
        let why = self.failure().unwrap_or_else(|| "it was opened anew, or is being closed".to_owned());
        StoreError::Unavailable(why)
    }

    #[cfg(test)]
    pub(crate) async fn until_available(&self) {
        let mut groups = self.groups.subscribe();
        let _ = groups.wait_for(|_| self.failure().is_none()).await;
    }
}

/// The reason alone: whoever is told it is told that the store is unavailable.
fn told(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(why) => why.clone(),
        other => other.to_string(),
    }
}

/// Takes a lease back that was given to nobody.
fn put_back(tree: &mut Overlay<'_>, run: RunId) -> Result<Option<Delta>, StoreError> {
    let Some(row) = values::get(tree, &keys::live_run(run))? else { return Ok(None) };
    let mut stored = codec::decode_run(run, &row)?;
    let Some(lease) = stored.run.lease() else { return Ok(None) };
    let back = stored.run.apply(RunEvent::Drained { at: lease.at });
    stored.run = back.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let (row, details) = stored.encode()?;
    for (number, detail) in details {
        values::insert(tree, keys::attempt_detail(run, number), &detail)?;
    }
    values::replace(tree, keys::live_run(run), &row)?;
    Ok(Some(Delta::of(&stored.run, None, Monotonic(0))))
}

fn due_schedules(tree: &dyn Read) -> Result<DueSchedules, StoreError> {
    let mut schedules = DueSchedules::default();
    tree.scan(&[keys::SCHEDULE], &keys::end_of(&[keys::SCHEDULE]), Order::Ascending, &mut |key, stored| {
        if let Some(row) = values::current(tree, key, stored)? {
            let row = codec::decode_schedule(&row)?;
            let standing = Standing::of(&row);
            schedules.put(row.schedule.name, Some(standing));
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(schedules)
}
