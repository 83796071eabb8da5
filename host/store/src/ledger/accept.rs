//! Taking in events and jobs, and replaying what has ended.

use hookbox_core::body_schema;
use hookbox_core::encoding;
use hookbox_core::event::{Event, JobOrigin};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::run::{CancelCause, Run, RunState, RunStatus, Work};
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec::{self, DedupeV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::Read;
use crate::query;
use crate::types::{Accepted, Again, Edited, NewEvent, NewJob, NewRun, Replay, Replayed};
use crate::values;

/// The attribute of an event that was made by replaying another with a changed payload.
const EDITED_FROM: &str = "edited-from";
/// How much of the payload a signature covers, and what that is of a payload that an operator wrote.
const INTEGRITY: (&str, &str) = ("integrity", "none");

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
            // An expired mark of the same key is written over; none has chunks.
            values::insert(&mut self.tree, keys::dedupe(&dedupe.hash), &codec::encode(&mark(dedupe.until))?)?;
        }
        self.counts.events += 1;
        if new.runs.is_empty() {
            self.counts.unrouted += 1;
            self.tree.put(keys::unrouted(id), vec![0]);
        }
        let runs: Vec<RunId> = new.runs.iter().map(|run| run.id).collect();
        for run in new.runs {
            self.insert_run_of(&new.event, run, now)?;
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
            self.insert_run_of(&event, run, now)?;
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
        if let Some(holder) = self.holder(&new.run)? {
            return Ok(holder);
        }
        let (id, due) = (new.run.id, new.due);
        let mut run = new_run(new.run, Work::Job(new.job.id), now, due, new.job.hops);
        if let JobOrigin::Schedule(name) = &new.job.origin {
            run.schedule = Some(name.clone());
        }
        values::insert(&mut self.tree, keys::job(new.job.id), &codec::encode_job(new.job)?)?;
        self.insert_unique_run(run)?;
        Ok(id)
    }

    /// Leaves out those whose id is that of a job that is kept.
    pub(crate) fn enqueue_all(&mut self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let mut made = Vec::new();
        for job in jobs {
            let wanted = job.run.id;
            if self.tree.get(&keys::job(job.job.id))?.is_none() && self.enqueue(job, now)? == wanted {
                made.push(wanted);
            }
        }
        Ok(made)
    }

    /// A run that must wait for none, or is the only one with its key.
    fn insert_unique_run(&mut self, run: Run) -> Result<(), StoreError> {
        if let Some(hash) = &run.unique {
            values::insert(&mut self.tree, keys::unique(&run.target, hash), &run.id.to_bytes())?;
        }
        self.insert_run(run)
    }

    /// The run of an event. One that is not the only one with its key is kept, and never executed.
    pub(super) fn insert_run_of(&mut self, event: &Event, new: NewRun, now: Timestamp) -> Result<(), StoreError> {
        let holder = self.holder(&new)?;
        let due = now.plus(new.terms.delay);
        let mut run = new_run(new, Work::Event(event.id), now, due, event.hops);
        match holder {
            Some(holder) => {
                run.unique = None;
                run.state = RunState::Cancelled { at: now, cause: CancelCause::Unique(holder) };
                self.insert_run(run)
            }
            None => self.insert_unique_run(run),
        }
    }

    /// The run that is alive with the same unique key.
    fn holder(&self, new: &NewRun) -> Result<Option<RunId>, StoreError> {
        let Some(key) = &new.terms.unique else { return Ok(None) };
        let row = values::get(&self.tree, &keys::unique(&new.target, &keys::unique_hash(key)))?;
        match row.and_then(|row| row.try_into().ok()).map(RunId::from_bytes) {
            Some(holder) if self.is_alive(holder)? => Ok(Some(holder)),
            _ => Ok(None),
        }
    }

    pub(crate) fn replay(&mut self, replay: Replay, now: Timestamp) -> Result<RunId, StoreError> {
        let run = replay.run;
        if self.is_alive(run)? {
            return Err(StoreError::Conflict(format!("{run} is not finished: only a run that has ended is replayed")));
        }
        let row = values::get(&self.tree, &keys::ended_run(run))?
            .ok_or_else(|| StoreError::NotFound(format!("run {run}")))?;
        let mut stored = codec::decode_run(run, &row)?;
        let new = replay.new;
        let gate = replay.edited.as_ref().map_or(stored.run.gate.clone(), |edited| edited.gate.clone());
        let key = replay.edited.as_ref().map(|_| new.to_string());
        let work = self.work_again(stored.run.work, new, replay.edited, now)?.ok_or_else(|| {
            StoreError::Conflict(format!("the payload of {run} has been pruned: it cannot be replayed"))
        })?;
        if stored.run.status() == RunStatus::Dead && stored.run.replayed.is_none() {
            self.counts.dead_replayed(|runs| runs + 1);
        }
        stored.run.replayed = Some(new);
        let (row, _) = stored.encode()?;
        values::replace(&mut self.tree, keys::ended_run(run), &row)?;
        let old = stored.run;
        self.insert_run(Run {
            id: new,
            work,
            parent: Some(run),
            idempotency_key: key.unwrap_or(old.idempotency_key),
            created: now,
            // A loop that was broken once may be run on by an operator, who sees it.
            hops: 0,
            gate,
            expires: None,
            unique: None,
            replayed: None,
            made_by: None,
            state: RunState::Pending { due: now },
            attempts_begun: 0,
            drains: 0,
            attempts: Vec::new(),
            revoked: Vec::new(),
            ..old
        })?;
        Ok(new)
    }

    /// The work of a run that is made anew; nothing where its payload has been pruned.
    fn work_again(
        &mut self,
        work: Work,
        new: RunId,
        edited: Option<Edited>,
        now: Timestamp,
    ) -> Result<Option<Work>, StoreError> {
        match work {
            Work::Event(event) => {
                if self.tree.get(&keys::event(event))?.is_none() {
                    return Ok(None);
                }
                let Some(edited) = edited else {
                    self.tree.put(keys::replay(event, new), vec![0]);
                    return Ok(Some(work));
                };
                let mut copy = query::event_input(&self.tree, event)?;
                copy.id = EventId::from_bytes(new.to_bytes());
                copy.time = now;
                copy.hops = 0;
                let of_old = [encoding::ATTRIBUTE, body_schema::ATTRIBUTE, EDITED_FROM, INTEGRITY.0];
                copy.attributes.retain(|(name, _)| !of_old.contains(&name.as_str()));
                copy.attributes.push((INTEGRITY.0.to_owned(), INTEGRITY.1.to_owned()));
                copy.attributes.push((EDITED_FROM.to_owned(), event.to_string()));
                (copy.content_type, copy.data) = (edited.content_type, edited.data);
                let id = copy.id;
                self.counts.events += 1;
                self.insert_event(copy, &[new], Vec::new())?;
                Ok(Some(Work::Event(id)))
            }
            // Every run has a job row of its own, so that each can be pruned by itself.
            Work::Job(job) => {
                let Some(row) = values::get(&self.tree, &keys::job(job))? else { return Ok(None) };
                let mut copy = codec::decode_job(job, &row)?;
                copy.id = JobId::from_bytes(new.to_bytes());
                if let Some(edited) = edited {
                    (copy.content_type, copy.data) = (edited.content_type, edited.data);
                }
                let id = copy.id;
                values::insert(&mut self.tree, keys::job(id), &codec::encode_job(copy)?)?;
                Ok(Some(Work::Job(id)))
            }
        }
    }

    /// Replays those that can be, and that were not before unless `again`.
    pub(crate) fn replay_all(
        &mut self,
        runs: Vec<(RunId, RunId)>,
        again: Again,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let mut replayed = Replayed::default();
        for (run, new) in runs {
            let old = values::get(&self.tree, &keys::ended_run(run))?.map(|row| codec::decode_run(run, &row));
            let first = old.transpose()?.is_some_and(|old| again == Again::Yes || old.run.replayed.is_none());
            match first.then(|| self.replay(Replay { run, new, edited: None }, now)) {
                Some(Ok(made)) => replayed.made.push(made),
                // Nothing was written for it.
                None | Some(Err(StoreError::Conflict(_) | StoreError::NotFound(_))) => replayed.left_out += 1,
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(replayed)
    }
}

fn new_run(new: NewRun, work: Work, now: Timestamp, due: Timestamp, hops: u8) -> Run {
    let terms = new.terms;
    Run {
        idempotency_key: terms.idempotency_key.unwrap_or_else(|| new.id.to_string()),
        id: new.id,
        target: new.target,
        work,
        parent: None,
        created: now,
        hops,
        gate: terms.gate,
        sequence: 0,
        expires: terms.expires.map(|span| due.plus(span)),
        unique: terms.unique.as_deref().map(keys::unique_hash),
        own: terms.own,
        replayed: None,
        schedule: None,
        made_by: new.made_by,
        state: match new.dead {
            Some(cause) => RunState::Dead { at: now, cause },
            None => RunState::Pending { due },
        },
        attempts_begun: 0,
        drains: 0,
        attempts: Vec::new(),
        revoked: Vec::new(),
    }
}
