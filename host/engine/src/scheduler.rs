//! Gives each slot of each schedule its one verdict.
//!
//! Deciding is pure (`core::schedule::decide`); committing is a compare-and-set
//! on the schedule's mark, with the jobs of the slots that fire in the same
//! commit. So a tick may be repeated, and any number of hosts may tick.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures::future::join_all;
use hookbox_core::clock::Clock;
use hookbox_core::cron::Zones;
use hookbox_core::distribution::Meters;
use hookbox_core::id::Mint;
use hookbox_core::name::ScheduleName;
use hookbox_core::queue::Room;
use hookbox_core::schedule::{self, CLOCK_BEHIND, Progress, Reason, ScheduleRow, SlotRecord, Slots, State, Verdict};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Fired, Firing, NewJob};
use hookbox_store::{Store, StoreError};

use crate::Parts;

/// The longest wait between two looks: the wall clock may be set forward while we sleep.
const LOOK_EVERY: Millis = Millis::SECOND;
/// The least wait while there are schedules that do not read.
const UNREADABLE_WAIT: Millis = Millis(50);
/// Schedules that are decided together: their commits share a sync.
const BATCH: usize = 512;
/// A decision on so many slots is some work: others have their turn after it.
const SLOTS_AT_ONCE: u64 = 500;
/// Decisions on one schedule before the others have their turn: of a year of missed seconds there are thousands.
const DECISIONS_IN_A_ROW: usize = 8;

pub struct Scheduler {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    room: Room,
    meters: Arc<Meters>,
    zones: Zones,
    /// The clock as it was read last; nothing before the first look.
    looked: Option<Timestamp>,
    /// Schedules whose rule does not read; each is told once.
    unreadable: HashSet<ScheduleName>,
}

impl Scheduler {
    pub fn new(parts: &Parts) -> Scheduler {
        Scheduler::in_zones(parts, Zones::default())
    }

    /// As [`Scheduler::new`], with other time zones than those built in.
    pub fn in_zones(parts: &Parts, zones: Zones) -> Scheduler {
        // From here on it is waited for.
        parts.meters.scheduler.beat(parts.clock.monotonic());
        Scheduler {
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            mint: parts.mint.clone(),
            room: parts.room,
            meters: parts.meters.clone(),
            zones,
            looked: None,
            unreadable: HashSet::new(),
        }
    }

    /// Decides every slot that is due; returns how long to wait.
    pub async fn tick(&mut self) -> Millis {
        match self.decide_all().await {
            Ok(next) => {
                self.beat();
                let wait = next.map_or(LOOK_EVERY, |next| next.since(self.clock.now()).min(LOOK_EVERY));
                // One that does not read stays due.
                if self.unreadable.is_empty() { wait } else { wait.max(UNREADABLE_WAIT) }
            }
            Err(error) => {
                tracing::error!(%error, "schedules were not looked at");
                LOOK_EVERY
            }
        }
    }

    /// Returns when the next slot is due.
    async fn decide_all(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock.now();
        match self.looked {
            Some(looked) if looked.since(now) <= CLOCK_BEHIND => {}
            // At the start, and after the clock was set back.
            _ => self.look_over(now).await?,
        }
        self.looked = Some(now);
        loop {
            let now = self.clock.now();
            let due = self.store.due_schedules(now, BATCH + self.unreadable.len()).await?;
            let readable = due.into_iter().filter_map(|row| Some((self.slots(&row)?, row)));
            let readable: Vec<(Slots, ScheduleRow)> = readable.collect();
            if readable.is_empty() {
                return self.store.next_slot().await;
            }
            let decided = readable.iter().map(|(slots, row)| self.decide(slots, row));
            let mut gone_on = false;
            for (decided, (_, row)) in join_all(decided).await.into_iter().zip(&readable) {
                match decided {
                    Ok(went_on) => gone_on |= went_on,
                    Err(error) => {
                        let name = &row.schedule.name;
                        tracing::error!(schedule = %name, %error, "schedule {name} was not decided");
                    }
                }
            }
            if !gone_on {
                return Ok(None);
            }
            // After a long stop there are many rounds: it goes on all the same.
            self.beat();
        }
    }

    fn beat(&self) {
        self.meters.scheduler.beat(self.clock.monotonic());
    }

    /// Decides slots of one schedule; false where the store did not go on.
    async fn decide(&self, slots: &Slots, row: &ScheduleRow) -> Result<bool, StoreError> {
        let (name, now) = (&row.schedule.name, self.clock.now());
        let mut progress = row.progress();
        for round in 0..DECISIONS_IN_A_ROW {
            let Some(decision) = schedule::decide(slots, &row.schedule.rules, progress, now) else {
                // Another release, or other zones: its next slot is elsewhere.
                return if round == 0 { self.move_next(slots, row, now).await } else { Ok(true) };
            };
            if decision.paused.slots + decision.missed.slots >= SLOTS_AT_ONCE {
                give_way().await;
            }
            let (to, next) = (decision.to, decision.next);
            let jobs = decision.fire.iter().map(|slot| self.new_job(row, *slot, now)).collect();
            let (schedule, room) = (name.clone(), self.room);
            let firing = Firing { schedule, basis: row.basis(), decision, jobs, room, now };
            match self.store.fire(firing).await? {
                Fired::Stale => {
                    tracing::debug!(schedule = %name, "somebody else decided the slots of {name}");
                    return Ok(true);
                }
                Fired::Decided(records) => {
                    let made = records.iter().filter(|record| record.verdict.run().is_some()).count() as u64;
                    records.iter().for_each(|record| self.tell(row, record, now));
                    let left = progress.left.map(|left| left.saturating_sub(made));
                    progress = Progress { decided: to, left, ..progress };
                    if next.is_none() && left != Some(0) {
                        log_if_dry(row, to);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Looks at every schedule: what a release with other time zones sees elsewhere is moved there, and a clock that is
    /// behind is told.
    async fn look_over(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (mut after, mut behind) = (None, 0);
        loop {
            let rows = self.store.schedules(after.as_ref(), BATCH).await?;
            for row in &rows {
                let Some(slots) = self.slots(row) else { continue };
                if row.next != next_of(&slots, row) {
                    self.move_next(&slots, row, now).await?;
                    self.beat();
                }
                behind += u64::from(row.is_ahead_of_the_clock(now));
            }
            self.beat();
            after = match rows.last() {
                Some(last) if rows.len() == BATCH => Some(last.schedule.name.clone()),
                _ => break,
            };
        }
        if behind > 0 {
            tracing::warn!(
                schedules = behind,
                "the clock is behind the last slot of {behind} schedules: set the clock right, or begin them anew with `hookbox schedules reset --all`"
            );
        }
        Ok(())
    }

    /// Writes down where the next slot is, and decides none.
    async fn move_next(&self, slots: &Slots, row: &ScheduleRow, now: Timestamp) -> Result<bool, StoreError> {
        let next = next_of(slots, row);
        if next == row.next {
            return Ok(false);
        }
        let name = row.schedule.name.clone();
        tracing::info!(schedule = %name, "the next slot of {name} is another: its time zone has changed");
        let decision = schedule::SlotDecision {
            from: row.decided,
            to: row.decided,
            paused: Default::default(),
            missed: Default::default(),
            fire: Vec::new(),
            next,
        };
        let (basis, room) = (row.basis(), self.room);
        self.store.fire(Firing { schedule: name, basis, decision, jobs: Vec::new(), room, now }).await?;
        if next.is_none() && row.left() != Some(0) {
            log_if_dry(row, row.decided);
        }
        Ok(true)
    }

    fn slots(&mut self, row: &ScheduleRow) -> Option<Slots> {
        let name = &row.schedule.name;
        match row.slots_in(&self.zones) {
            Ok(slots) => {
                self.unreadable.remove(name);
                Some(slots)
            }
            Err(error) => {
                if self.unreadable.insert(name.clone()) {
                    tracing::error!(schedule = %name, %error, "schedule {name} cannot fire");
                }
                None
            }
        }
    }

    /// What became of a slot, told to the log and to the meters.
    fn tell(&self, row: &ScheduleRow, record: &SlotRecord, now: Timestamp) {
        let late = now.since(record.slot.plus(row.schedule.put_off()));
        if record.verdict.run().is_some() {
            self.meters.late(late);
        }
        log_verdict(row, record, late.0);
    }

    /// The job of one firing.
    fn new_job(&self, row: &ScheduleRow, slot: Timestamp, now: Timestamp) -> NewJob {
        let (ids, key) = ((self.mint.job(now), self.mint.run(now)), row.schedule.slot_key(slot));
        self.store.catalogue().new_firing(&row.schedule, slot, ids, key, now)
    }
}

/// Not tokio's: by that, all that are decided together would come first.
async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

fn next_of(slots: &Slots, row: &ScheduleRow) -> Option<Timestamp> {
    slots.next_after(row.decided).filter(|_| row.left() != Some(0))
}

/// A rule that gives no time later than `decided`, and none to look for, is left there; its row says so to whoever asks.
fn log_if_dry(row: &ScheduleRow, decided: Timestamp) {
    let row = ScheduleRow { decided, next: None, pause: None, ..row.clone() };
    if row.state() == State::Dry {
        let (name, cure) = (&row.schedule.name, row.cure(Reason::NoNextSlot));
        tracing::error!(schedule = %name, "schedule {name} has no next slot, and should have one: {cure}");
    }
}

fn log_verdict(row: &ScheduleRow, record: &SlotRecord, late_ms: u64) {
    let name = &row.schedule.name;
    match &record.verdict {
        Verdict::Fired { run } => {
            tracing::info!(schedule = %name, run.id = %run, late_ms, "schedule {name} fired as {run}");
        }
        Verdict::Buffered { run } => {
            tracing::info!(schedule = %name, run.id = %run, late_ms, "schedule {name} fired as {run}, which waits for an earlier run");
        }
        Verdict::Missed { slots } => tracing::warn!(schedule = %name, slots, "schedule {name} missed {slots} slots"),
        Verdict::Paused { slots } => {
            tracing::info!(schedule = %name, slots, "{slots} slots of {name} came while it was paused");
        }
        // None of the scheduler's: whoever changes it tells.
        Verdict::Changed { .. } => {}
        Verdict::OverlapSkipped => {
            tracing::warn!(schedule = %name, "schedule {name} skipped a slot: an earlier run is not finished");
        }
        Verdict::Dropped => {
            tracing::warn!(schedule = %name, "schedule {name} dropped a slot: as many runs wait as may");
        }
    }
}
