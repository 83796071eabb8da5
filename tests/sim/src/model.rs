//! What the store must hold, as it follows from what it answered.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_core::clock::Monotonic;
use hookbox_core::event::JobOrigin;
use hookbox_core::gate::Gate;
use hookbox_core::hold::Held;
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerRef, PluginName, ScheduleName};
use hookbox_core::run::{Lease, RunStatus};
use hookbox_core::schedule::SlotCounts;
use hookbox_core::time::Timestamp;
use hookbox_store::types::{NewJob, NewRun};

use crate::schedules::{ScheduleSeen, Schedules};
use crate::serial::Serial;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) runs: BTreeMap<RunId, RunSeen>,
    pub(crate) events: BTreeMap<EventId, Vec<RunId>>,
    /// Dedupe keys: of which event, and until when.
    pub(crate) marks: BTreeMap<[u8; 32], (EventId, Timestamp)>,
    /// Runs with a unique key.
    pub(crate) unique: BTreeMap<(HandlerRef, String), RunId>,
    pub(crate) keys: Serial,
    pub(crate) schedules: Schedules,
    /// Schedules that nobody declares, since when.
    pub(crate) removed: BTreeMap<ScheduleName, (Timestamp, ScheduleSeen)>,
    /// The verdicts on slots of all schedules.
    pub(crate) slots: SlotCounts,
    pub(crate) holds: BTreeSet<Held>,
    /// The runs of jobs.
    pub(crate) jobs: BTreeMap<JobId, RunId>,
    /// What the last commit changed: it is compared with the store.
    pub(crate) touched: Touched,
    pub(crate) tally: Tally,
    /// Runs that are gone and that no pass has told of: a later one of the same commit does.
    pub(crate) untold: u64,
    /// Runs that were made so far.
    made: u64,
}

#[derive(Default)]
pub(crate) struct Touched {
    pub(crate) runs: BTreeSet<RunId>,
    pub(crate) schedules: BTreeSet<ScheduleName>,
    pub(crate) keys: BTreeSet<(PluginName, String, Timestamp)>,
}

macro_rules! tally {
    ($($what:ident),+) => {
        /// How often what was seen: a simulation in which nothing happens proves nothing.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Tally {
            $(pub $what: u64,)+
        }

        impl Tally {
            #[must_use]
            pub fn plus(self, other: Tally) -> Tally {
                Tally { $($what: self.$what + other.$what,)+ }
            }

            /// What was not seen at all.
            pub fn never(&self) -> Vec<&'static str> {
                let all = [$((stringify!($what), self.$what)),+];
                all.into_iter().filter(|(_, times)| *times == 0).map(|(what, _)| what).collect()
            }
        }
    };
}

tally! {
    // Runs.
    accepted, duplicates, left_out, claimed, succeeded, failed, put_back, conflicts, refused, stale, rescued, buried,
    cancelled, noted, expired, pruned,
    // Slots, and what becomes of schedules.
    fired, missed, changed, changed_in_pause, overlapped, could_not_wait, buffered, dropped, paused, taken_over, once, put_off, across_changes, ended, redefined,
    removed, revived, reset, paused_by_failures,
    // What operators do.
    replayed, replayed_in_bulk, not_replayed_again, edited, filtered, cancelled_in_bulk, run_by_hand, backfilled,
    backfilled_before, held,
    // Commits of several changes.
    grouped, groups_failed
}

pub(crate) struct RunSeen {
    pub(crate) target: HandlerRef,
    pub(crate) gate: Option<Gate>,
    /// The schedule that it is of, by a slot or otherwise.
    pub(crate) schedule: Option<ScheduleName>,
    /// One of its slots has made it.
    pub(crate) of_slot: bool,
    /// When it was due for the first time.
    pub(crate) first_due: Timestamp,
    /// Its place in the order of acceptance.
    pub(crate) sequence: u64,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) state: Seen,
    /// Leases that it has had.
    pub(crate) leases: u64,
    /// Attempts that ended, of whatever outcome.
    pub(crate) ended: u64,
    pub(crate) successes: u64,
    pub(crate) replayed: bool,
    pub(crate) pruned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Pending { due: Timestamp },
    Leased { lease: Lease, node: usize, until: Monotonic },
    Ended(RunStatus),
}

impl Seen {
    pub(crate) fn status(&self) -> RunStatus {
        match self {
            Seen::Pending { .. } => RunStatus::Pending,
            Seen::Leased { .. } => RunStatus::Leased,
            Seen::Ended(status) => *status,
        }
    }
}

impl Model {
    /// A run that is new: an error where it is not.
    pub(crate) fn insert(&mut self, new: &NewRun, due: Timestamp) -> Result<(), String> {
        let state = new.dead.map_or(Seen::Pending { due }, |_| Seen::Ended(RunStatus::Dead));
        if let Some(key) = &new.terms.unique {
            self.unique.insert((new.target.clone(), key.clone()), new.id);
        }
        self.made += 1;
        self.touched.runs.insert(new.id);
        let run = RunSeen {
            target: new.target.clone(),
            gate: new.terms.gate.clone(),
            schedule: None,
            of_slot: false,
            first_due: due,
            sequence: self.made,
            expires: new.terms.expires.map(|span| due.plus(span)),
            state,
            leases: 0,
            ended: 0,
            successes: 0,
            replayed: false,
            pruned: false,
        };
        match self.runs.insert(new.id, run) {
            None => Ok(()),
            Some(_) => Err(format!("{} was made twice", new.id)),
        }
    }

    /// Returns the run that stands for the job.
    pub(crate) fn enqueue(&mut self, new: &NewJob) -> Result<RunId, String> {
        if let Some(holder) = self.holder(&new.run) {
            return Ok(holder);
        }
        self.jobs.insert(new.job.id, new.run.id);
        self.insert(&new.run, new.due)?;
        if let (JobOrigin::Schedule(name), Some(run)) = (&new.job.origin, self.runs.get_mut(&new.run.id)) {
            run.schedule = Some(name.clone());
        }
        Ok(new.run.id)
    }

    /// A run goes from one state to another.
    pub(crate) fn moves(&mut self, id: RunId, state: Seen) -> Result<(), String> {
        let run = self.runs.get_mut(&id).ok_or_else(|| format!("nobody made {id}"))?;
        if let Seen::Ended(status) = run.state {
            return Err(format!("{id} has ended as {status:?}, and becomes {state:?}"));
        }
        run.state = state;
        let schedule = run.schedule.clone().filter(|_| run.of_slot);
        self.touched.runs.insert(id);
        if let (Seen::Ended(status), Some(name)) = (state, schedule) {
            self.schedule_run_ended(&name, status);
        }
        Ok(())
    }

    /// The runs of an event. One that another with its key keeps out is cancelled from the start.
    pub(crate) fn insert_all(&mut self, runs: &[NewRun], now: Timestamp) -> Result<(), String> {
        for new in runs {
            let (holder, due) = (self.holder(new), now.plus(new.terms.delay));
            if holder.is_none() {
                self.insert(new, due)?;
                continue;
            }
            let mut kept_out = new.clone();
            kept_out.terms.unique = None;
            self.insert(&kept_out, due)?;
            self.tally.left_out += 1;
            if let Some(run) = self.runs.get_mut(&new.id) {
                run.state = Seen::Ended(RunStatus::Cancelled);
            }
        }
        Ok(())
    }

    /// Whether a job is kept with its run.
    pub(crate) fn is_kept(&self, job: JobId) -> bool {
        let run = self.jobs.get(&job).and_then(|run| self.runs.get(run));
        run.is_some_and(|run| !run.pruned)
    }

    /// The run that is alive with the same unique key.
    pub(crate) fn holder(&self, new: &NewRun) -> Option<RunId> {
        let key = (new.target.clone(), new.terms.unique.clone()?);
        self.unique.get(&key).copied().filter(|holder| self.is_alive(*holder))
    }

    pub(crate) fn is_alive(&self, id: RunId) -> bool {
        self.runs.get(&id).is_some_and(|run| !run.state.status().is_terminal())
    }

    pub(crate) fn with_status(&self, status: RunStatus) -> Vec<RunId> {
        let fits = |(_, run): &(&RunId, &RunSeen)| run.state.status() == status;
        self.runs.iter().filter(fits).map(|(id, _)| *id).collect()
    }

    pub(crate) fn count(&self, status: RunStatus) -> usize {
        self.runs.values().filter(|run| run.state.status() == status && !run.pruned).count()
    }
}
