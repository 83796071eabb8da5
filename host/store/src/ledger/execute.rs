//! Leasing runs and ending their attempts.

use std::collections::HashSet;

use hookbox_core::clock::Monotonic;
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::retry::{ATTEMPTS, DeadCause};
use hookbox_core::run::{Run, RunEvent, RunStatus};
use hookbox_core::time::Timestamp;

use super::{Ledger, illegal};
use crate::codec::StoredRun;
use crate::error::StoreError;
use crate::index::Delta;
use crate::types::{Changes, Claim, Record, Recorded, Rescue};

impl Ledger<'_> {
    /// The index knows only what is on disk, so a run that was accepted in this very group is left for the next.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Vec<Run>, StoreError> {
        let mut claimed = Vec::new();
        let moved: HashSet<RunId> = self.deltas.iter().map(Delta::run).collect();
        for id in self.index.due(claim, &moved) {
            let Some(stored) = self.live_run(id)?.filter(|stored| stored.run.status() == RunStatus::Pending) else {
                continue;
            };
            let event = RunEvent::Claimed { boot: claim.boot, at: claim.now };
            let stored = self.transition(stored, event)?;
            claimed.push(stored.run.clone());
            self.update_run(stored, claim.until)?;
        }
        Ok(claimed)
    }

    pub(crate) fn record(&mut self, record: Record) -> Result<Recorded, StoreError> {
        let Some(stored) = self.live_run(record.run)?.filter(|stored| stored.run.lease() == Some(record.lease)) else {
            return Ok(Recorded::Stale);
        };
        // The run ends first: a unique key that it holds is free for the jobs it asks for.
        let stored = self.transition(stored, record.event)?;
        self.update_run(stored, Monotonic(0))?;
        if let Some(changes) = record.changes {
            match self.commit_changes(changes, record.now)? {
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

    fn transition(&mut self, mut stored: StoredRun, event: RunEvent) -> Result<StoredRun, StoreError> {
        let before = stored.run.attempts.len();
        stored.run = stored.run.apply(event).map_err(illegal)?;
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
            let attempts_max = rescue.attempts_max.get(&stored.run.target).copied().unwrap_or(ATTEMPTS);
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

    pub(crate) fn abandon(&mut self, handler: &HandlerRef, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut buried = 0;
        for id in self.index.pending_of(handler, limit) {
            let Some(stored) = self.live_run(id)?.filter(|stored| stored.run.status() == RunStatus::Pending) else {
                continue;
            };
            let event = RunEvent::Abandoned { at: now, cause: DeadCause::HandlerVanished };
            let stored = self.transition(stored, event)?;
            self.update_run(stored, Monotonic(0))?;
            buried += 1;
        }
        Ok(buried)
    }
}
