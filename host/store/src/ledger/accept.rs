//! Taking in events and jobs, and replaying what has ended.

use hookbox_core::event::Event;
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::run::{Run, RunState, Work};
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec::{self, DedupeV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::Read;
use crate::query;
use crate::types::{Accepted, NewEvent, NewJob, NewRun};
use crate::values;

impl Ledger<'_> {
    pub(crate) fn accept(&mut self, new: NewEvent) -> Result<Accepted, StoreError> {
        if let Some(first) = self.earlier(&new)? {
            let same_body = first.fingerprint == new.fingerprint;
            self.counts.duplicates += 1;
            self.counts.duplicates_differ += u64::from(!same_body);
            self.suppress(&first, new)?;
            return Ok(Accepted::Duplicate { first: EventId::from_bytes(first.event), same_body });
        }
        let (id, now) = (new.event.id, new.event.time);
        let mark = |until: Timestamp| DedupeV1 { event: id.to_bytes(), until: until.0, fingerprint: new.fingerprint };
        for dedupe in &new.dedupe {
            // An expired mark of the same key is written over.
            values::replace(&mut self.tree, keys::dedupe(&dedupe.hash), &codec::encode(&mark(dedupe.until))?)?;
        }
        self.counts.events += 1;
        if new.runs.is_empty() {
            self.counts.unrouted += 1;
            self.tree.put(keys::unrouted(id), vec![0]);
        }
        let runs: Vec<RunId> = new.runs.iter().map(|run| run.id).collect();
        for run in new.runs {
            self.insert_run(run_of_event(&new.event, run, now))?;
        }
        self.insert_event(new.event, &runs, new.dedupe.iter().map(|mark| mark.hash).collect())?;
        Ok(Accepted::New(id))
    }

    /// Gives an unrouted event its runs. Of two who ask for it, the second finds it routed.
    pub(crate) fn route(&mut self, id: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        let event = query::event_input(&self.tree, id)?;
        if self.tree.get(&keys::unrouted(id))?.is_none() {
            return Err(StoreError::Conflict(format!("{id} is routed already: replay its runs")));
        }
        if runs.is_empty() {
            return Err(StoreError::Conflict(format!("no handler takes {id}: it stays unrouted")));
        }
        let row = values::get(&self.tree, &keys::event(id))?.unwrap_or_default();
        let dedupe = codec::decode_event(id, &row)?.dedupe;
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        for run in runs {
            self.insert_run(run_of_event(&event, run, now))?;
        }
        // A body that is apart stays where it is.
        values::replace(&mut self.tree, keys::event(id), &codec::encode_event(event, &ids, dedupe)?)?;
        self.remove_unrouted_mark(id)
    }

    pub(crate) fn remove_unrouted_mark(&mut self, id: EventId) -> Result<(), StoreError> {
        if self.tree.get(&keys::unrouted(id))?.is_some() {
            self.tree.delete(keys::unrouted(id));
            self.counts.unrouted = self.counts.unrouted.saturating_sub(1);
        }
        Ok(())
    }

    fn earlier(&self, new: &NewEvent) -> Result<Option<DedupeV1>, StoreError> {
        for dedupe in &new.dedupe {
            if let Some(row) = values::get(&self.tree, &keys::dedupe(&dedupe.hash))? {
                let mark: DedupeV1 = codec::decode(&row)?;
                if mark.until > new.event.time.0 {
                    return Ok(Some(mark));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn insert_event(
        &mut self,
        event: Event,
        runs: &[RunId],
        dedupe: Vec<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let id = event.id;
        if codec::body_is_apart(&event.data) {
            values::insert(&mut self.tree, keys::event_body(id), &event.data)?;
        }
        let row = codec::encode_event(event, runs, dedupe)?;
        values::insert(&mut self.tree, keys::event(id), &row)?;
        Ok(())
    }

    /// Returns the run that holds the unique key where the job was left out.
    pub(crate) fn enqueue(&mut self, new: NewJob, now: Timestamp) -> Result<RunId, StoreError> {
        let unique = new.unique_key.as_deref().map(keys::unique_hash);
        if let Some(hash) = &unique {
            let key = keys::unique(&new.run.target, hash);
            if let Some(holder) = values::get(&self.tree, &key)?.and_then(|row| row.try_into().ok()) {
                let holder = RunId::from_bytes(holder);
                if self.is_alive(holder)? {
                    return Ok(holder);
                }
            }
            values::replace(&mut self.tree, key, &new.run.id.to_bytes())?;
        }
        let id = new.run.id;
        let run = Run {
            id,
            target: new.run.target,
            work: Work::Job(new.job.id),
            parent: None,
            idempotency_key: id.to_string(),
            created: now,
            hops: new.job.hops,
            state: match new.run.dead {
                Some(cause) => RunState::Dead { at: now, cause },
                None => RunState::Pending { due: new.due },
            },
            attempts_begun: 0,
            drains: 0,
            attempts: Vec::new(),
        };
        values::insert(&mut self.tree, keys::job(new.job.id), &codec::encode_job(new.job, unique)?)?;
        self.insert_run(run)?;
        Ok(id)
    }

    pub(crate) fn replay(&mut self, run: RunId, new: RunId, now: Timestamp) -> Result<RunId, StoreError> {
        if self.is_alive(run)? {
            return Err(StoreError::Conflict(format!("{run} is not finished: only a run that has ended is replayed")));
        }
        let row = values::get(&self.tree, &keys::ended_run(run))?
            .ok_or_else(|| StoreError::NotFound(format!("run {run}")))?;
        let old = codec::decode_run(run, &row)?.run;
        let pruned = || StoreError::Conflict(format!("the payload of {run} has been pruned: it cannot be replayed"));
        let work = match old.work {
            Work::Event(event) => {
                self.tree.get(&keys::event(event))?.ok_or_else(pruned)?;
                self.tree.put(keys::replay(event, new), vec![0]);
                Work::Event(event)
            }
            // Every run has a job row of its own, so that each can be pruned by itself.
            Work::Job(job) => {
                let row = values::get(&self.tree, &keys::job(job))?.ok_or_else(pruned)?;
                let copy = JobId::from_bytes(new.to_bytes());
                values::insert(&mut self.tree, keys::job(copy), &row)?;
                Work::Job(copy)
            }
        };
        self.insert_run(Run {
            id: new,
            work,
            parent: Some(run),
            created: now,
            // A loop that was broken once may be run on by an operator, who sees it.
            hops: 0,
            state: RunState::Pending { due: now },
            attempts_begun: 0,
            drains: 0,
            attempts: Vec::new(),
            ..old
        })?;
        Ok(new)
    }
}

pub(super) fn run_of_event(event: &Event, new: NewRun, now: Timestamp) -> Run {
    Run {
        idempotency_key: new.id.to_string(),
        id: new.id,
        target: new.target,
        work: Work::Event(event.id),
        parent: None,
        created: now,
        hops: event.hops,
        state: match new.dead {
            Some(cause) => RunState::Dead { at: now, cause },
            None => RunState::Pending { due: now },
        },
        attempts_begun: 0,
        drains: 0,
        attempts: Vec::new(),
    }
}
