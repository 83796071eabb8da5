//! Gives each slot of each schedule its one verdict.
//!
//! Deciding is pure (`core::schedule::decide`); committing is a compare-and-set
//! on the schedule's mark, with the job of the slot that fires in the same
//! commit. So a tick may be repeated, and any number of hosts may tick.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hookbox_core::clock::Clock;
use hookbox_core::cron::Calendar;
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::Mint;
use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{self, ScheduleRow, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Fired, Firing, NewJob};
use hookbox_store::{Store, StoreError};

use crate::Parts;

/// The longest wait between two looks: the wall clock may be set forward while we sleep.
const LOOK_EVERY: Millis = Millis::SECOND;
/// A clock this far behind a schedule's mark is worth a warning.
const CLOCK_BEHIND: Millis = Millis(5000);

pub struct Scheduler {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    /// Parsed rules; a changed rule is parsed anew.
    calendars: HashMap<ScheduleName, (When, Timestamp, Arc<Calendar>)>,
    /// Schedules whose rule does not read, and those that the clock is behind of: each is told once.
    unreadable: HashSet<ScheduleName>,
    behind: HashSet<ScheduleName>,
}

impl Scheduler {
    pub fn new(parts: &Parts) -> Scheduler {
        Scheduler {
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            mint: parts.mint.clone(),
            calendars: HashMap::new(),
            unreadable: HashSet::new(),
            behind: HashSet::new(),
        }
    }

    /// Decides every slot that has come; returns how long to wait.
    pub async fn tick(&mut self) -> Millis {
        match self.decide_all().await {
            Ok(next) => next.map_or(LOOK_EVERY, |next| next.since(self.clock.now()).min(LOOK_EVERY)),
            Err(error) => {
                tracing::error!(%error, "schedules were not looked at");
                LOOK_EVERY
            }
        }
    }

    async fn decide_all(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.store.schedules().await?;
        let names: HashSet<&ScheduleName> = rows.iter().map(|row| &row.schedule.name).collect();
        self.calendars.retain(|name, _| names.contains(name));
        self.unreadable.retain(|name| names.contains(name));
        self.behind.retain(|name| names.contains(name));
        let mut next = None;
        for row in rows {
            let name = row.schedule.name.clone();
            match self.decide(row).await {
                Ok(due) => next = [next, due].into_iter().flatten().min(),
                Err(error) => tracing::error!(schedule = %name, %error, "schedule {name} was not decided"),
            }
        }
        Ok(next)
    }

    /// Returns when the next slot comes.
    async fn decide(&mut self, row: ScheduleRow) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock.now();
        let name = row.schedule.name.clone();
        self.warn_of_clock(&row, now);
        let Some(calendar) = self.calendar(&row) else { return Ok(None) };
        let mut mark = row.decided;
        loop {
            // Not the row's word: a release with other zones may see it elsewhere.
            let next = calendar.next_after(mark);
            if next.is_none_or(|slot| slot > now) {
                return Ok(next);
            }
            let Some(decision) = schedule::decide(&calendar, mark, now) else { return Ok(None) };
            let job = decision.fire.map(|slot| self.new_job(&row, slot, now));
            let fired = self.store.fire(Firing { schedule: name.clone(), decision, job, now }).await?;
            log_verdict(&name, &fired, decision.missed, decision.fire, now);
            if fired == Fired::Stale {
                return Ok(Some(now));
            }
            mark = decision.to;
        }
    }

    /// The job of one firing.
    fn new_job(&self, row: &ScheduleRow, slot: Timestamp, now: Timestamp) -> NewJob {
        let (content_type, data) = match row.schedule.payload.clone() {
            Some(payload) => (payload.content_type, payload.data),
            None => ("application/json".to_owned(), Vec::new()),
        };
        let job = Job {
            id: self.mint.job(now),
            origin: JobOrigin::Schedule(row.schedule.name.clone()),
            scheduled_at: slot,
            content_type,
            data,
            hops: 0,
        };
        self.store.catalogue().new_job(job, self.mint.run(now), row.schedule.target.clone(), now)
    }

    fn calendar(&mut self, row: &ScheduleRow) -> Option<Arc<Calendar>> {
        let (name, when) = (&row.schedule.name, &row.schedule.when);
        let known = self.calendars.get(name).is_some_and(|(w, anchor, _)| w == when && *anchor == row.anchor);
        if !known {
            match when.calendar(row.anchor) {
                Ok(calendar) => {
                    self.unreadable.remove(name);
                    self.calendars.insert(name.clone(), (when.clone(), row.anchor, Arc::new(calendar)));
                }
                Err(error) => {
                    if self.unreadable.insert(name.clone()) {
                        tracing::error!(schedule = %name, %error, "schedule {name} cannot fire");
                    }
                    return None;
                }
            }
        }
        self.calendars.get(name).map(|(_, _, calendar)| calendar.clone())
    }

    fn warn_of_clock(&mut self, row: &ScheduleRow, now: Timestamp) {
        let name = &row.schedule.name;
        let behind = row.decided.since(now);
        if behind <= CLOCK_BEHIND {
            self.behind.remove(name);
        } else if self.behind.insert(name.clone()) {
            tracing::warn!(schedule = %name, behind_ms = behind.0, "the clock is {behind} behind the last slot of {name}: it waits");
        }
    }
}

fn log_verdict(name: &ScheduleName, fired: &Fired, missed: u64, slot: Option<Timestamp>, now: Timestamp) {
    if missed > 0 && *fired != Fired::Stale {
        tracing::warn!(schedule = %name, slots = missed, "schedule {name} missed {missed} slots");
    }
    let late_ms = slot.map_or(0, |slot| now.since(slot).0);
    match fired {
        Fired::Run(run) => tracing::info!(schedule = %name, run.id = %run, late_ms, "schedule {name} fired as {run}"),
        Fired::OverlapSkipped(run) => {
            tracing::warn!(schedule = %name, run.id = %run, "schedule {name} skipped a slot: {run} is not finished");
        }
        Fired::Missed => {}
        Fired::Stale => tracing::debug!(schedule = %name, "somebody else decided the slots of {name}"),
    }
}
