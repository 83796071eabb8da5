//! The changes that the store knows: each checks its conditions against the
//! tree and the open group, and then writes.
//!
//! Only the commit thread runs them, one after the other, so a condition that
//! was checked holds until the group is on disk.

mod accept;
mod access;
mod execute;
mod holds;
mod kv;
mod plugins;
mod prune;
mod requests;
mod room;
mod schedules;
mod searches;
mod suppress;

use std::sync::Arc;

use hookbox_core::access::AccessRows;
use hookbox_core::clock::Monotonic;
use hookbox_core::hold::Holds;
use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::{Run, RunState, RunStatus};

use crate::catalogue::Catalogue;
use crate::codec::{self, StoredRun};
use crate::counts::Counts;
use crate::due::Standing;
use crate::error::StoreError;
use crate::index::{Delta, Index};
use crate::keys;
use crate::overlay::{Changed, Overlay, Read};
use crate::values;

pub(crate) use prune::PruneCursor;
pub(crate) use schedules::{Ending, is_declared_by, preview_schedule};

pub(crate) struct Ledger<'a> {
    tree: Overlay<'a>,
    index: &'a mut Index,
    counts: Counts,
    counts_on_disk: Counts,
    deltas: Vec<Delta>,
    /// Runs that were written.
    touched: Vec<RunId>,
    /// Runs that had begun and that no attempt has ended.
    cut_short: Vec<RunId>,
    /// Where schedules that were changed stand; nothing for those that are gone.
    schedules: Vec<(ScheduleName, Option<Standing>)>,
    shown: Shown,
    undo: Undo,
}

/// What is shown to everybody once the group is on disk, and who is to be told of it.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) catalogue_changed: bool,
    pub(crate) holds: Arc<Holds>,
    pub(crate) holds_changed: bool,
    pub(crate) access: Arc<AccessRows>,
    pub(crate) schedules_changed: bool,
    /// Runs that are executed were cancelled.
    pub(crate) leases_lost: bool,
    /// A claim met runs that it could not hand out: there may be others.
    pub(crate) claim_again: bool,
}

impl Shown {
    pub(crate) fn unchanged(catalogue: Arc<Catalogue>, holds: Arc<Holds>, access: Arc<AccessRows>) -> Shown {
        Shown {
            catalogue,
            catalogue_changed: false,
            holds,
            holds_changed: false,
            access,
            schedules_changed: false,
            leases_lost: false,
            claim_again: false,
        }
    }
}

/// What a refused change must leave as it was, besides the tree.
struct Undo {
    counts: Counts,
    deltas: usize,
    touched: usize,
    cut_short: usize,
    schedules: usize,
    shown: Shown,
}

/// What a group changes once it is on disk.
pub(crate) struct Closed {
    pub(crate) changed: Changed,
    pub(crate) deltas: Vec<Delta>,
    pub(crate) touched: Vec<RunId>,
    pub(crate) cut_short: Vec<RunId>,
    pub(crate) schedules: Vec<(ScheduleName, Option<Standing>)>,
    pub(crate) counts: Counts,
    pub(crate) shown: Shown,
}

impl<'a> Ledger<'a> {
    pub(crate) fn open(tree: &'a dyn Read, index: &'a mut Index, counts: Counts, shown: Shown) -> Self {
        Ledger {
            tree: Overlay::new(tree),
            index,
            counts,
            counts_on_disk: counts,
            deltas: Vec::new(),
            touched: Vec::new(),
            cut_short: Vec::new(),
            schedules: Vec::new(),
            undo: Undo { counts, deltas: 0, touched: 0, cut_short: 0, schedules: 0, shown: shown.clone() },
            shown,
        }
    }

    /// Runs one change; a refused one leaves no trace.
    pub(crate) fn run<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.tree.savepoint();
        self.undo = Undo {
            counts: self.counts,
            deltas: self.deltas.len(),
            touched: self.touched.len(),
            cut_short: self.cut_short.len(),
            schedules: self.schedules.len(),
            shown: self.shown.clone(),
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
        self.touched.truncate(self.undo.touched);
        self.cut_short.truncate(self.undo.cut_short);
        self.schedules.truncate(self.undo.schedules);
        self.shown = self.undo.shown.clone();
    }

    /// Roughly what the group will write, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.tree.bytes()
    }

    pub(crate) fn close(mut self) -> Result<Closed, StoreError> {
        if self.counts != self.counts_on_disk {
            values::insert(&mut self.tree, keys::COUNTS.to_vec(), &codec::encode_counts(&self.counts)?)?;
        }
        Ok(Closed {
            changed: self.tree.into_changed(),
            deltas: self.deltas,
            touched: self.touched,
            cut_short: self.cut_short,
            schedules: self.schedules,
            counts: self.counts,
            shown: self.shown,
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
    fn insert_run(&mut self, mut run: Run) -> Result<(), StoreError> {
        self.counts.runs += 1;
        run.sequence = self.counts.runs;
        let mut stored = StoredRun::new(run);
        let (row, _) = stored.encode()?;
        let run = stored.run;
        self.lay_aside(&run)?;
        if let Some(maker) = run.made_by {
            self.tree.put(keys::made_by(maker, run.id), vec![0]);
        }
        self.count_end(run.status(), 1);
        self.touched.push(run.id);
        match run.state {
            RunState::Pending { .. } => {
                values::insert(&mut self.tree, keys::live_run(run.id), &row)?;
                self.deltas.push(Delta::of(&run, None, Monotonic(0)));
            }
            _ => values::insert(&mut self.tree, keys::ended_run(run.id), &row)?,
        }
        Ok(())
    }

    /// Writes a run that was alive when it was read in this change, where its state belongs.
    fn update_run(&mut self, mut stored: StoredRun, until: Monotonic) -> Result<(), StoreError> {
        let (row, details) = stored.encode()?;
        let StoredRun { run, row_bytes, waited, .. } = stored;
        for (number, detail) in details {
            values::insert(&mut self.tree, keys::attempt_detail(run.id, number), &detail)?;
        }
        self.touched.push(run.id);
        self.deltas.push(Delta::of(&run, waited, until));
        if let Some(at) = run.finished() {
            self.schedule_run_ended(&run, at)?;
            self.lay_aside(&run)?;
            self.count_end(run.status(), 1);
            values::erase(&mut self.tree, keys::live_run(run.id), row_bytes);
            values::insert(&mut self.tree, keys::ended_run(run.id), &row)?;
        } else {
            values::overwrite(&mut self.tree, keys::live_run(run.id), row_bytes, &row)?;
        }
        Ok(())
    }

    /// Marks a run that has ended and did not succeed.
    fn lay_aside(&mut self, run: &Run) -> Result<(), StoreError> {
        match run.status() {
            RunStatus::Dead | RunStatus::Cancelled => values::insert(&mut self.tree, keys::aside(run.id), &[]),
            RunStatus::Pending | RunStatus::Leased | RunStatus::Succeeded => Ok(()),
        }
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
