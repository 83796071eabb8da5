//! The changes that the store knows: each checks its conditions against the
//! tree and the open group, and then writes.
//!
//! Only the commit thread runs them, one after the other, so a condition that
//! was checked holds until the group is on disk.

mod accept;
mod execute;
mod kv;
mod plugins;
mod prune;
mod schedules;
mod suppress;

use std::sync::Arc;

use hookbox_core::id::RunId;
use hookbox_core::run::{Run, RunState, RunStatus};

use crate::catalogue::Catalogue;
use crate::codec::{self, StoredRun};
use crate::counts::Counts;
use crate::error::StoreError;
use crate::index::{Delta, Index, Place};
use crate::keys;
use crate::overlay::{Changed, Overlay, Read};
use crate::values;
use hookbox_core::clock::Monotonic;

pub(crate) use prune::PruneCursor;

pub(crate) struct Ledger<'a> {
    tree: Overlay<'a>,
    index: &'a mut Index,
    counts: Counts,
    counts_on_disk: Counts,
    deltas: Vec<Delta>,
    catalogue: Arc<Catalogue>,
    catalogue_changed: bool,
    schedules_changed: bool,
    undo: Undo,
}

/// What a refused change must leave as it was, besides the tree.
struct Undo {
    counts: Counts,
    deltas: usize,
    catalogue: Arc<Catalogue>,
    catalogue_changed: bool,
    schedules_changed: bool,
}

/// What a group changes once it is on disk.
pub(crate) struct Closed {
    pub(crate) changed: Changed,
    pub(crate) deltas: Vec<Delta>,
    pub(crate) counts: Counts,
    pub(crate) catalogue: Option<Arc<Catalogue>>,
    pub(crate) schedules_changed: bool,
}

impl<'a> Ledger<'a> {
    pub(crate) fn open(tree: &'a dyn Read, index: &'a mut Index, counts: Counts, catalogue: Arc<Catalogue>) -> Self {
        let undo = Undo {
            counts,
            deltas: 0,
            catalogue: catalogue.clone(),
            catalogue_changed: false,
            schedules_changed: false,
        };
        Ledger {
            tree: Overlay::new(tree),
            index,
            counts,
            counts_on_disk: counts,
            deltas: Vec::new(),
            catalogue,
            catalogue_changed: false,
            schedules_changed: false,
            undo,
        }
    }

    /// Runs one change; a refused one leaves no trace.
    pub(crate) fn run<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.tree.savepoint();
        self.undo = Undo {
            counts: self.counts,
            deltas: self.deltas.len(),
            catalogue: self.catalogue.clone(),
            catalogue_changed: self.catalogue_changed,
            schedules_changed: self.schedules_changed,
        };
        let result = change(self);
        if result.is_err() {
            self.roll_back();
        }
        result
    }

    fn roll_back(&mut self) {
        self.tree.roll_back();
        self.counts = self.undo.counts;
        self.deltas.truncate(self.undo.deltas);
        self.catalogue = self.undo.catalogue.clone();
        self.catalogue_changed = self.undo.catalogue_changed;
        self.schedules_changed = self.undo.schedules_changed;
    }

    /// Roughly what the group will write, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.tree.bytes()
    }

    pub(crate) fn close(mut self) -> Result<Closed, StoreError> {
        if self.counts != self.counts_on_disk {
            values::insert(&mut self.tree, keys::COUNTS.to_vec(), &codec::encode(&self.counts)?)?;
        }
        Ok(Closed {
            changed: self.tree.into_changed(),
            deltas: self.deltas,
            counts: self.counts,
            catalogue: self.catalogue_changed.then_some(self.catalogue),
            schedules_changed: self.schedules_changed,
        })
    }
}

/// What several changes share.
impl Ledger<'_> {
    fn live_run(&self, id: RunId) -> Result<Option<StoredRun>, StoreError> {
        match values::get(&self.tree, &keys::live_run(id))? {
            Some(row) => codec::decode_run(id, &row).map(Some),
            None => Ok(None),
        }
    }

    fn is_alive(&self, id: RunId) -> Result<bool, StoreError> {
        Ok(self.tree.get(&keys::live_run(id))?.is_some())
    }

    /// Writes a run that is new, in whatever state it begins.
    fn insert_run(&mut self, run: Run) -> Result<(), StoreError> {
        let mut stored = StoredRun::new(run);
        let (row, _) = stored.encode()?;
        let run = stored.run;
        self.count_end(run.status(), 1);
        match run.state {
            RunState::Pending { due } => {
                values::insert(&mut self.tree, keys::live_run(run.id), &row)?;
                self.deltas.push(Delta::Moved { run: run.id, target: run.target, place: Place::Pending { due } });
            }
            _ => values::insert(&mut self.tree, keys::ended_run(run.id), &row)?,
        }
        Ok(())
    }

    /// Writes a run that was alive, where its state belongs.
    fn update_run(&mut self, mut stored: StoredRun, until: Monotonic) -> Result<(), StoreError> {
        let (row, details) = stored.encode()?;
        let run = stored.run;
        for (number, detail) in details {
            values::insert(&mut self.tree, keys::attempt_detail(run.id, number), &detail)?;
        }
        let place = match run.state {
            RunState::Pending { due } => Place::Pending { due },
            RunState::Leased { lease } => Place::Leased { lease, until },
            RunState::Succeeded { .. } | RunState::Dead { .. } | RunState::Cancelled { .. } => {
                self.count_end(run.status(), 1);
                values::remove(&mut self.tree, keys::live_run(run.id))?;
                values::insert(&mut self.tree, keys::ended_run(run.id), &row)?;
                self.deltas.push(Delta::Ended { run: run.id });
                return Ok(());
            }
        };
        values::replace(&mut self.tree, keys::live_run(run.id), &row)?;
        self.deltas.push(Delta::Moved { run: run.id, target: run.target, place });
        Ok(())
    }

    fn count_end(&mut self, status: RunStatus, runs: u64) {
        match status {
            RunStatus::Succeeded => self.counts.succeeded += runs,
            RunStatus::Dead => self.counts.dead += runs,
            RunStatus::Cancelled => self.counts.cancelled += runs,
            RunStatus::Pending | RunStatus::Leased => {}
        }
    }
}

fn illegal(error: hookbox_core::run::IllegalTransition) -> StoreError {
    StoreError::Conflict(error.to_string())
}
