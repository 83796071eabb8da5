//! What operators are told: replays, lists, holds and backfills, each compared
//! with what the model says of it.

use hookbox_core::hold::{Held, Hold};
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::policy::Terms;
use hookbox_core::time::Timestamp;
use hookbox_store::types::*;
use hookbox_store::{Store, StoreError};

use crate::model::{Model, RunSeen, Seen};
use crate::watch::Watch;

impl Watch {
    pub(crate) fn replayed(&self, replay: &Replay, now: Timestamp, answer: &Result<RunId, StoreError>) {
        self.trace.note(format_args!("replay {}: {answer:?}", replay.run));
        let mut model = self.model();
        let checked = match answer {
            Err(StoreError::Unavailable(_)) => return,
            Err(_) if !model.can_be_replayed(replay.run) => Ok(()),
            Ok(new) if *new == replay.new && model.can_be_replayed(replay.run) => {
                model.tally.replayed += 1;
                model.tally.edited += u64::from(replay.edited.is_some());
                model.replay(replay, now)
            }
            answer => Err(format!("{} can be replayed: {}, {answer:?}", replay.run, model.can_be_replayed(replay.run))),
        };
        self.check("replay", checked);
    }

    pub(crate) fn replayed_all(
        &self,
        runs: &[(RunId, RunId)],
        again: Again,
        now: Timestamp,
        answer: &Result<Replayed, StoreError>,
    ) {
        self.trace.note(format_args!("replay {} runs: {answer:?}", runs.len()));
        let Ok(replayed) = answer else { return };
        let mut model = self.model();
        let mut made = Vec::new();
        for (old, new) in runs.iter().copied() {
            let before = model.runs.get(&old).is_some_and(|run| run.replayed) && again == Again::No;
            model.tally.not_replayed_again += u64::from(before);
            if model.can_be_replayed(old) && !before {
                made.push(new);
                let checked = model.replay(&Replay::new(old, new), now);
                self.check("replay all", checked);
            }
        }
        model.tally.replayed_in_bulk += made.len() as u64;
        let expected = Replayed { left_out: runs.len() - made.len(), made };
        if expected != *replayed {
            self.trace.broken(format!("replay all: {replayed:?}, it should be {expected:?}"));
        }
    }

    /// Jobs of a backfill: one for each slot, as long as it is kept.
    pub(crate) fn enqueued_all(&self, jobs: &[NewJob], answer: &Result<Vec<RunId>, StoreError>) {
        self.trace.note(format_args!("enqueue {} jobs: {answer:?}", jobs.len()));
        let Ok(told) = answer else { return };
        let mut model = self.model();
        let mut made = Vec::new();
        for job in jobs {
            if model.is_kept(job.job.id) {
                model.tally.backfilled_before += 1;
                continue;
            }
            match model.enqueue(job) {
                Ok(run) if run == job.run.id => made.push(run),
                checked => self.check("enqueue all", checked.map(|_| ())),
            }
        }
        model.tally.backfilled += made.len() as u64;
        if made != *told {
            self.trace.broken(format!("enqueue all: {told:?} were made, it should be {made:?}"));
        }
    }

    /// A page of runs: all that fit, newest first, down to where it says that there may be more.
    pub(crate) fn listed(&self, page: PageRequest<RunId>, filter: &RunFilter, answer: &Result<RunPage, StoreError>) {
        let Ok(told) = answer else { return };
        let mut model = self.model();
        let in_page = |id: &RunId| page.before.is_none_or(|before| *id < before) && told.next.is_none_or(|n| *id >= n);
        let fits = model.runs.iter().rev().filter(|(id, run)| in_page(id) && run.fits(filter));
        let fits: Vec<RunId> = fits.map(|(id, _)| *id).collect();
        let listed: Vec<RunId> = told.runs.iter().map(|run| run.id).collect();
        if listed != fits || listed.len() > page.limit {
            self.trace.broken(format!("{filter:?} finds {listed:?}, it should be {fits:?}"));
        }
        model.tally.filtered += listed.len() as u64;
    }

    pub(crate) fn held(&self, held: &Held, hold: Option<&Hold>, answer: &Result<bool, StoreError>) {
        self.trace.note(format_args!("hold {held}: {}: {answer:?}", hold.is_some()));
        let Ok(told) = answer else { return };
        let mut model = self.model();
        let changed = match hold {
            Some(_) => model.holds.insert(held.clone()),
            None => model.holds.remove(held),
        };
        model.tally.held += u64::from(changed && hold.is_some());
        if changed != *told {
            self.trace.broken(format!("hold {held}: it is told that this changes something: {told}"));
        }
    }

    /// An engine is about to claim.
    pub(crate) fn wants(&self, handlers: &[Claimable]) {
        if let Some(held) = handlers.iter().find(|claimable| self.is_held(&claimable.handler)) {
            self.trace.broken(format!("{} is held, and its runs are claimed", held.handler));
        }
    }

    /// By the model and the store: of a commit of several changes one of them knows before the other.
    pub(crate) fn is_held(&self, handler: &HandlerRef) -> bool {
        let by_model = self.model().holds.iter().any(|held| held.covers(handler));
        by_model && self.store().holds().hold(handler)
    }
}

impl RunSeen {
    fn fits(&self, filter: &RunFilter) -> bool {
        let status = self.state.status();
        !self.pruned
            && (filter.status.is_empty() || filter.status.contains(&status))
            && !(filter.alive && status.is_terminal())
            && (filter.plugin.is_empty() || filter.plugin.contains(&self.target.plugin))
            && (filter.handler.is_empty() || filter.handler.contains(&self.target.handler))
            && (filter.schedule.is_empty() || self.schedule.as_ref().is_some_and(|name| filter.schedule.contains(name)))
    }
}

impl Model {
    fn can_be_replayed(&self, id: RunId) -> bool {
        self.runs.get(&id).is_some_and(|run| !run.pruned && matches!(run.state, Seen::Ended(_)))
    }

    /// A new run of the same work: it waits as the old one did, unless its payload is another.
    fn replay(&mut self, replay: &Replay, now: Timestamp) -> Result<(), String> {
        let old = self.runs.get_mut(&replay.run).ok_or("it is not there")?;
        old.replayed = true;
        let gate = replay.edited.as_ref().map_or_else(|| old.gate.clone(), |edited| edited.gate.clone());
        let (target, schedule) = (old.target.clone(), old.schedule.clone());
        let terms = Terms { gate, ..Terms::default() };
        self.insert(&NewRun { id: replay.new, target, dead: None, made_by: None, terms }, now)?;
        if let Some(new) = self.runs.get_mut(&replay.new) {
            new.schedule = schedule;
        }
        Ok(())
    }
}
