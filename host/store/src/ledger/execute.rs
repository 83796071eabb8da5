//! Leasing runs and ending their attempts.

use std::collections::{HashMap, HashSet};

use hookbox_core::attempt::{Attempt, Outcome};
use hookbox_core::clock::Monotonic;
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::retry::{ATTEMPTS, DeadCause};
use hookbox_core::run::{CancelCause, Run, RunEvent, RunStatus, WorkKind};
use hookbox_core::time::Timestamp;

use super::{Ledger, illegal};
use crate::codec::{self, StoredRun};
use crate::error::StoreError;
use crate::index::Delta;
use crate::keys;
use crate::types::{Cancellable, Changes, Claim, Record, Recorded, Rescue, StoppedAttempt};
use crate::values;

impl Ledger<'_> {
    /// The index knows only what is on disk, so a run that was accepted in this very group is left for the next.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Vec<Run>, StoreError> {
        let mut claimed = Vec::new();
        let moved: HashSet<RunId> = self.deltas.iter().map(Delta::run).collect();
        let mut leased = HashMap::new();
        for handler in self.deltas.iter().filter_map(Delta::leases) {
            *leased.entry(handler).or_default() += 1;
        }
        for id in self.index.due(claim, &moved, &leased) {
            let Some(stored) = self.live_run(id)?.filter(|stored| stored.run.status() == RunStatus::Pending) else {
                continue;
            };
            let late = stored.run.expires.is_some_and(|expires| expires <= claim.now);
            let event = match late {
                true => RunEvent::Cancelled { at: claim.now, cause: CancelCause::Expired },
                false => RunEvent::Claimed { boot: claim.boot, at: claim.now },
            };
            let stored = self.transition(stored, event)?;
            match late {
                true => self.shown.claim_again = true,
                false => claimed.push(stored.run.clone()),
            }
            self.update_run(stored, claim.until)?;
        }
        Ok(claimed)
    }

    /// Takes runs off the queue. Of those that have ended nothing is told.
    pub(crate) fn cancel(
        &mut self,
        runs: &[RunId],
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        self.cancel_those(runs, Cancellable::Alive, cause, now)
    }

    pub(crate) fn cancel_those(
        &mut self,
        runs: &[RunId],
        which: Cancellable,
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        let mut cancelled = Vec::new();
        for id in runs {
            let Some(stored) = self.live_run(*id)? else { continue };
            let leased = stored.run.lease().is_some();
            match which {
                Cancellable::Pending if leased => continue,
                Cancellable::Leased if !leased => continue,
                Cancellable::Pending | Cancellable::Leased | Cancellable::Alive => {}
            }
            let stored = self.transition(stored, RunEvent::Cancelled { at: now, cause })?;
            self.update_run(stored, Monotonic(0))?;
            self.shown.leases_lost |= leased;
            cancelled.push(*id);
        }
        Ok(cancelled)
    }

    /// Cancels pending runs whose time to begin is over.
    pub(crate) fn expire(&mut self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut expired = 0;
        for id in self.index.expired(now, limit) {
            let pending = |stored: &StoredRun| stored.run.status() == RunStatus::Pending;
            let Some(stored) = self.live_run(id)?.filter(pending) else { continue };
            let event = RunEvent::Cancelled { at: now, cause: CancelCause::Expired };
            let stored = self.transition(stored, event)?;
            self.update_run(stored, Monotonic(0))?;
            expired += 1;
        }
        Ok(expired)
    }

    pub(crate) fn record(&mut self, record: Record) -> Result<Recorded, StoreError> {
        let Some(stored) = self.live_run(record.run)?.filter(|stored| stored.run.lease() == Some(record.lease)) else {
            return Ok(Recorded::Stale);
        };
        let denied = record.event.attempt().map(|attempt| attempt.denied.clone()).unwrap_or_default();
        let plugin = stored.run.target.plugin.clone();
        // The run ends first: a unique key that it holds is free for the jobs it asks for.
        let stored = self.transition(stored, record.event)?;
        self.update_run(stored, Monotonic(0))?;
        self.note_denied(&plugin, record.run, &denied, record.now)?;
        if let Some(changes) = record.changes {
            let (room, before) = (changes.room, self.deltas.len());
            match self.commit_changes(changes, record.now)? {
                Recorded::Done if self.overfill(room, before) => {
                    self.roll_back();
                    return Ok(Recorded::QueueFull);
                }
                Recorded::Done => {}
                refused => {
                    // The change ends well, so nobody else takes back what it wrote.
                    self.roll_back();
                    return Ok(refused);
                }
            }
        }
        Ok(Recorded::Done)
    }

    pub(crate) fn note_cancelled(&mut self, stopped: StoppedAttempt) -> Result<bool, StoreError> {
        let StoppedAttempt { run: id, lease, log, cost, requests, denied, version } = stopped;
        let Some(row) = values::get(&self.tree, &keys::ended_run(id))? else { return Ok(false) };
        let mut stored = codec::decode_run(id, &row)?;
        let is_it = |attempt: &&mut Attempt| {
            (attempt.number, attempt.started, &attempt.outcome) == (lease.attempt, lease.at, &Outcome::Cancelled)
        };
        let Some(attempt) = stored.run.attempts.iter_mut().find(is_it).filter(|attempt| attempt.version.is_none())
        else {
            return Ok(false);
        };
        (attempt.log, attempt.cost, attempt.version) = (log, cost, version);
        (attempt.requests, attempt.denied) = (requests, denied.clone());
        let at = attempt.finished;
        let plugin = stored.run.target.plugin.clone();
        self.note_denied(&plugin, id, &denied, at)?;
        let (row, details) = stored.encode()?;
        for (number, detail) in details {
            values::insert(&mut self.tree, keys::attempt_detail(id, number), &detail)?;
        }
        values::replace(&mut self.tree, keys::ended_run(id), &row)?;
        Ok(true)
    }

    fn transition(&mut self, mut stored: StoredRun, event: RunEvent) -> Result<StoredRun, StoreError> {
        let (before, has_begun) = (stored.run.attempts.len(), stored.run.has_begun());
        let of_attempt = event.attempt().is_some();
        stored.run = stored.run.apply(event).map_err(illegal)?;
        if has_begun && !of_attempt && stored.run.status().is_terminal() {
            self.cut_short.push(stored.run.id);
        }
        self.counts.attempts += (stored.run.attempts.len() - before) as u64;
        Ok(stored)
    }

    fn commit_changes(&mut self, changes: Changes, now: Timestamp) -> Result<Recorded, StoreError> {
        match self.write_kv(&changes, now)? {
            Recorded::Done => {}
            refused => return Ok(refused),
        }
        for job in changes.jobs {
            self.enqueue(job, now)?;
        }
        for event in changes.events {
            self.accept(event)?;
        }
        Ok(Recorded::Done)
    }

    pub(crate) fn rescue(&mut self, rescue: Rescue) -> Result<Vec<Run>, StoreError> {
        let mut rescued = Vec::new();
        for id in self.index.lost(rescue.boot, rescue.monotonic, rescue.limit) {
            let Some(stored) = self.live_run(id)?.filter(|stored| stored.run.status() == RunStatus::Leased) else {
                continue;
            };
            let of_handler = rescue.attempts_max.get(&stored.run.target).copied();
            let attempts_max = stored.run.own.attempts.or(of_handler).unwrap_or(ATTEMPTS);
            let event = match stored.run.attempts_begun >= attempts_max {
                true => RunEvent::LeaseLostForGood { at: rescue.now },
                false => RunEvent::LeaseLost { at: rescue.now, due: rescue.now },
            };
            let stored = self.transition(stored, event)?;
            rescued.push(stored.run.clone());
            self.update_run(stored, Monotonic(0))?;
        }
        Ok(rescued)
    }

    pub(crate) fn abandon(
        &mut self,
        handler: &HandlerRef,
        kind: Option<WorkKind>,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let (cause, mut buried) = (DeadCause::of_missing(kind), 0);
        for open in self.index.open_of(handler, kind, limit) {
            let Some(stored) = self.live_run(open)? else { continue };
            // Behind one that waits at a gate there may be others.
            let runs = match &stored.run.gate {
                Some(gate) => self.index.pending_at(gate.id(handler), stored.run.work.kind(), limit - buried),
                None => vec![open],
            };
            for run in runs {
                buried += usize::from(self.bury(run, cause, now)?);
            }
            if buried == limit {
                break;
            }
        }
        Ok(buried)
    }

    /// False where it does not wait any more.
    fn bury(&mut self, run: RunId, cause: DeadCause, now: Timestamp) -> Result<bool, StoreError> {
        let Some(stored) = self.live_run(run)?.filter(|stored| stored.run.status() == RunStatus::Pending) else {
            return Ok(false);
        };
        let event = RunEvent::Abandoned { at: now, cause };
        let stored = self.transition(stored, event)?;
        self.update_run(stored, Monotonic(0))?;
        Ok(true)
    }
}
