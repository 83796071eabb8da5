//! Claims, and what takes runs off the queue: one lease for a run, no more than
//! a handler and a gate may have, and in order, by first due time and acceptance, where that is asked for.

use hookbox_core::gate::{GateId, Order};
use hookbox_core::id::RunId;
use hookbox_core::run::{CancelCause, Run, RunState, RunStatus};
use hookbox_core::time::Timestamp;
use hookbox_store::StoreError;
use hookbox_store::types::{Cancellable, Claim, Claimable, StoppedAttempt};

use crate::model::{Model, RunSeen, Seen};
use crate::watch::Watch;

impl RunSeen {
    pub(crate) fn gate_of(&self) -> Option<GateId> {
        self.gate_id().map(|(gate, _)| gate)
    }

    fn gate_id(&self) -> Option<(GateId, Order)> {
        self.gate.as_ref().map(|gate| (gate.id(&self.target), gate.order))
    }

    /// Among the runs of a gate that keeps an order.
    fn place(&self) -> (bool, Timestamp, u64) {
        let has_begun = self.leases > 0;
        (!has_begun, if has_begun { Timestamp(0) } else { self.first_due }, self.sequence)
    }
}

impl Watch {
    pub(crate) fn claimed(&self, node: usize, claim: &Claim, answer: &Result<Vec<Run>, StoreError>) {
        let Ok(runs) = answer else { return };
        let mut model = self.model();
        model.tally.claimed += runs.len() as u64;
        for run in runs {
            self.trace.note(format_args!("{node} claims {} of {}, attempt {}", run.id, run.target, run.attempts_begun));
            let checked = claim_one(&mut model, node, claim, run);
            self.check("claim", checked);
        }
        self.check("claim", within_limits(&model, claim, runs));
        // What is found too late is cancelled by the way.
        let late = self.expired_in(&mut model, claim.now);
        self.check("claim", late.map(|_| ()));
    }

    pub(crate) fn expired(&self, now: Timestamp, answer: &Result<usize, StoreError>) {
        let Ok(count) = answer else { return };
        let checked = match self.expired_in(&mut self.model(), now) {
            Ok(expired) if expired != *count => Err(format!("{expired} are cancelled, {count} were told")),
            checked => checked.map(|_| ()),
        };
        self.check("expire", checked);
    }

    /// Takes over which of the runs whose time is over were cancelled for it now.
    fn expired_in(&self, model: &mut Model, now: Timestamp) -> Result<usize, String> {
        let mut expired = 0;
        let cancelled = RunState::Cancelled { at: now, cause: CancelCause::Expired };
        for id in model.with_status(RunStatus::Pending) {
            let over = model.runs.get(&id).and_then(|run| run.expires).is_some_and(|expires| expires <= now);
            if over && self.stored(id).is_some_and(|run| run.state == cancelled) {
                self.trace.note(format_args!("{id} was not begun in time"));
                expired += 1;
                model.tally.expired += 1;
                model.moves(id, Seen::Ended(RunStatus::Cancelled))?;
            }
        }
        Ok(expired)
    }

    pub(crate) fn cancelled(&self, asked: &[RunId], which: Cancellable, answer: &Result<Vec<RunId>, StoreError>) {
        self.trace.note(format_args!("cancel {which:?} of {asked:?}: {answer:?}"));
        let Ok(cancelled) = answer else { return };
        let mut model = self.model();
        let mut alive: Vec<RunId> = Vec::new();
        let meant = |id: &RunId| match (which, model.runs.get(id).map(|run| run.state.status())) {
            (Cancellable::Alive | Cancellable::Pending, Some(RunStatus::Pending)) => true,
            (Cancellable::Alive | Cancellable::Leased, Some(RunStatus::Leased)) => true,
            (_, _) => false,
        };
        for id in asked.iter().filter(|id| meant(id)) {
            if !alive.contains(id) {
                alive.push(*id);
            }
        }
        if alive != *cancelled {
            self.trace.broken(format!("cancel: {alive:?} were {which:?}, and {cancelled:?} were cancelled"));
        }
        model.tally.cancelled += cancelled.len() as u64;
        for id in cancelled {
            let checked = model.moves(*id, Seen::Ended(RunStatus::Cancelled));
            self.check("cancel", checked);
        }
    }
}

impl Watch {
    /// What a cancelled attempt has logged belongs to a run that is cancelled.
    pub(crate) fn noted(&self, stopped: &StoppedAttempt, answer: &Result<bool, StoreError>) {
        self.trace.note(format_args!("note of {}: {answer:?}", stopped.run));
        let mut model = self.model();
        let state = model.runs.get(&stopped.run).map(|run| run.state);
        let is_kept = matches!(answer, Ok(true));
        model.tally.noted += u64::from(is_kept);
        if is_kept && state != Some(Seen::Ended(RunStatus::Cancelled)) {
            self.trace.broken(format!("the end of an attempt was noted of {}, which is {state:?}", stopped.run));
        }
    }
}

fn claim_one(model: &mut Model, node: usize, claim: &Claim, run: &Run) -> Result<(), String> {
    let Some(lease) = run.lease() else { return Err(format!("{} has no lease", run.id)) };
    let Some(seen) = model.runs.get(&run.id) else { return Err(format!("nobody made {}", run.id)) };
    if !matches!(seen.state, Seen::Pending { due } if due <= claim.now) {
        return Err(format!("{} was claimed while it was {:?}", run.id, seen.state));
    }
    if seen.expires.is_some_and(|expires| expires <= claim.now) {
        return Err(format!("{} was claimed at {:?}, it had until {:?}", run.id, claim.now, seen.expires));
    }
    if let Some((gate, order)) = seen.gate_id() {
        let beside = |(id, other): &(&RunId, &RunSeen)| {
            let earlier = order == Order::Accepted && other.place() < seen.place();
            **id != run.id
                && other.gate_id().is_some_and(|(theirs, _)| theirs == gate)
                && match other.state {
                    Seen::Leased { .. } => true,
                    Seen::Pending { .. } => earlier && other.gate_id() == Some((gate, order)),
                    Seen::Ended(_) => false,
                }
        };
        if let Some((id, other)) = model.runs.iter().find(beside) {
            return Err(format!("{} passes {id} at their gate, which is {:?}", run.id, other.state));
        }
    }
    if let Some(seen) = model.runs.get_mut(&run.id) {
        seen.leases += 1;
    }
    model.moves(run.id, Seen::Leased { lease, node, until: claim.until })
}

fn within_limits(model: &Model, claim: &Claim, runs: &[Run]) -> Result<(), String> {
    if runs.len() > claim.limit {
        return Err(format!("{} runs, with at most {}", runs.len(), claim.limit));
    }
    for run in runs {
        let asked = claim.handlers.iter().find(|claimable| claimable.handler == run.target);
        let Some(Claimable { at_most, concurrency, .. }) = asked else {
            return Err(format!("nobody asked for {} of {}", run.id, run.target));
        };
        let of_handler = runs.iter().filter(|other| other.target == run.target).count();
        let of_plugin = runs.iter().filter(|other| other.target.plugin == run.target.plugin).count();
        let is_leased = |other: &&RunSeen| other.target == run.target && other.state.status() == RunStatus::Leased;
        let leased = model.runs.values().filter(is_leased).count();
        if of_handler > *at_most || of_plugin > claim.per_plugin_max {
            return Err(format!("{of_handler} runs of {} and {of_plugin} of its plugin", run.target));
        }
        if concurrency.is_some_and(|most| leased > most as usize) {
            return Err(format!("{leased} runs of {} at a time, with at most {concurrency:?}", run.target));
        }
    }
    Ok(())
}
