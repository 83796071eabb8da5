//! What is kept of a schedule: its definition, how far it came, and what becomes of both.

use super::{BUFFER_MAX, BadWhen, Lateness, Passed, Pause, Progress, Schedule, SlotCounts, SlotRecord, Slots, Verdict};
use crate::cron::Zones;
use crate::id::RunId;
use crate::time::{Millis, Timestamp};

/// Verdicts that are kept with a schedule.
pub const RECENT_MAX: usize = 10;
/// Runs that are known to be alive; of more, which only runs beside one another can be, these are the latest.
pub const OPEN_MAX: usize = BUFFER_MAX as usize + 1;
/// Slots that are counted at once where another rule takes the place of theirs: some milliseconds of work.
const CLOSED_MAX: usize = 5_000;

/// What a schedule is and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// The declaration that counts.
    pub schedule: Schedule,
    /// Declarations of the same name that do not count, by rank.
    pub shadowed: Vec<Schedule>,
    /// Phase of an interval; the first registration.
    pub anchor: Timestamp,
    /// Every slot up to here has its verdict.
    pub decided: Timestamp,
    pub next: Option<Timestamp>,
    pub last_fired: Option<Timestamp>,
    pub last_run: Option<RunId>,
    pub pause: Option<Pause>,
    /// Slots up to here came while it was paused.
    pub paused_until: Option<Timestamp>,
    /// Runs in a row that failed for good.
    pub failures: u32,
    /// Runs that slots have made and that may be alive, the latest [`OPEN_MAX`].
    pub open: Vec<RunId>,
    pub counts: SlotCounts,
    /// Slots that made a run since it was declared as it is: by its rule, for its handler, by whoever declares it.
    pub counted: u64,
    pub lateness: Lateness,
    /// The latest verdicts, oldest first.
    pub recent: Vec<SlotRecord>,
}

/// A decision holds only for what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    pub schedule: Schedule,
    pub anchor: Timestamp,
    pub paused_until: Option<Timestamp>,
}

impl ScheduleRow {
    /// Nothing before `now` is due for a schedule that is new.
    pub fn new(schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, BadWhen> {
        let mut row = ScheduleRow {
            schedule,
            shadowed: Vec::new(),
            anchor: now,
            decided: now,
            next: None,
            last_fired: None,
            last_run: None,
            pause: None,
            paused_until: None,
            failures: 0,
            open: Vec::new(),
            counts: SlotCounts::default(),
            counted: 0,
            lateness: Lateness::default(),
            recent: Vec::new(),
        };
        row.next = row.slots()?.next_after(now);
        Ok(row)
    }

    pub fn slots(&self) -> Result<Slots, BadWhen> {
        self.slots_in(&Zones::default())
    }

    /// As [`ScheduleRow::slots`], with zones of the caller's.
    pub fn slots_in(&self, zones: &Zones) -> Result<Slots, BadWhen> {
        let times = self.schedule.when.times(self.anchor, zones)?;
        Ok(Slots::new(times, &self.schedule.rules, &self.schedule.name))
    }

    pub fn progress(&self) -> Progress {
        Progress { decided: self.decided, paused_until: self.paused_until, left: self.left() }
    }

    /// What a decision on its slots follows from, besides how far it came.
    pub fn basis(&self) -> Basis {
        Basis { schedule: self.schedule.clone(), anchor: self.anchor, paused_until: self.paused_until }
    }

    /// Slots that may still make a run.
    pub fn left(&self) -> Option<u64> {
        self.schedule.rules.count.map(|count| count.saturating_sub(self.counted))
    }

    /// When its next slot is to be decided; nothing where it is paused or has ended.
    pub fn due(&self) -> Option<Timestamp> {
        let next = self.next.filter(|_| self.pause.is_none())?;
        Some(next.plus(self.schedule.put_off()))
    }

    /// Takes over a changed definition, and tells the verdicts on slots that end with the old one. Another rule begins
    /// anew at `now`; the same rule keeps its mark, and other bounds make up for nothing that has passed.
    pub fn redefined(mut self, schedule: Schedule, now: Timestamp) -> Result<(ScheduleRow, Vec<SlotRecord>), BadWhen> {
        let other = schedule.when != self.schedule.when;
        // One that had ended begins anew, too: what passed since is not made up for.
        let ended = self.next.is_none();
        let ends = self.ends_with(&schedule);
        let closed = if ends { self.close(now) } else { Vec::new() };
        let passed = if ends { self.passed(now) } else { self.decided };
        if !schedule.counts_on(&self.schedule) {
            self.counted = 0;
        }
        self.schedule = schedule;
        if other {
            self.anchor = now;
        }
        self.begin(if other || ended { now } else { passed });
        self.next = self.slots()?.next_after(self.decided).filter(|_| self.left() != Some(0));
        Ok((self, closed))
    }

    /// Takes a definition over after nobody declared it for a while, in which there were no slots. What it was begun with
    /// goes on: its mark, the phase of the same rule, counters and pause.
    pub fn revived(self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, BadWhen> {
        let (mut row, _) = ScheduleRow { next: None, ..self }.redefined(schedule, now)?;
        row.begin(now);
        row.next = row.slots()?.next_after(row.decided).filter(|_| row.left() != Some(0));
        Ok(row)
    }

    /// What is kept of one that was taken away by whoever made it: no slot fires twice, and no run is overlapped.
    #[must_use]
    pub fn forgotten(self) -> ScheduleRow {
        ScheduleRow {
            last_fired: None,
            last_run: None,
            pause: None,
            paused_until: None,
            failures: 0,
            counts: SlotCounts::default(),
            counted: 0,
            lateness: Lateness::default(),
            recent: Vec::new(),
            ..self
        }
    }

    /// Never behind what is decided: a slot has one verdict, whatever the clock says.
    fn begin(&mut self, now: Timestamp) {
        self.decided = now.max(self.decided);
    }

    /// Up to here, `now` at the latest, no slot is undecided.
    fn passed(&self, now: Timestamp) -> Timestamp {
        let next = self.slots().ok().and_then(|slots| slots.next_after(self.decided));
        next.map_or(now, |next| now.min(next.minus(Millis(1))))
    }

    /// Whether its slots end with this definition.
    pub fn ends_with(&self, schedule: &Schedule) -> bool {
        let bounds = |schedule: &Schedule| (schedule.rules.start, schedule.rules.end);
        schedule.when != self.schedule.when || bounds(schedule) != bounds(&self.schedule)
    }

    /// Whether more slots may have come and be undecided than [`ScheduleRow::close`] takes: they are a second apart at least.
    pub fn is_far_behind(&self, now: Timestamp) -> bool {
        self.next.is_some_and(|next| now.since(next).0 >= CLOSED_MAX as u64 * Millis::SECOND.0)
    }

    /// Where more slots have come and are undecided than [`ScheduleRow::close`] takes, it does so for the first of them;
    /// else it does nothing.
    pub fn close_some(&mut self, now: Timestamp) -> Option<Vec<SlotRecord>> {
        let mut part = self.clone();
        let closed = part.close(now);
        let slots = |record: &SlotRecord| match record.verdict {
            Verdict::Paused { slots } | Verdict::Changed { slots } => slots,
            _ => 0,
        };
        if closed.iter().map(slots).sum::<u64>() < CLOSED_MAX as u64 {
            return None;
        }
        part.next = part.slots().ok()?.next_after(part.decided);
        *self = part;
        Some(closed)
    }

    /// Gives the slots that have come and are undecided their verdict, as their rule ends at `now`. Of very many, see
    /// [`ScheduleRow::close_some`], the first ones.
    pub fn close(&mut self, now: Timestamp) -> Vec<SlotRecord> {
        // A rule that this release cannot read has no slots, nor has one that has ended.
        let Some(slots) = self.slots().ok().filter(|_| self.next.is_some()) else { return Vec::new() };
        let until = now.minus(slots.put_off());
        let come = std::iter::successors(slots.next_after(self.decided), |slot| slots.next_after(*slot));
        let (mut paused, mut changed) = (Passed::default(), Passed::default());
        for slot in come.take_while(|slot| *slot <= until).take(CLOSED_MAX) {
            let in_pause = self.pause.is_some() || self.paused_until.is_some_and(|until| slot <= until);
            let passed = if in_pause { &mut paused } else { &mut changed };
            passed.count(slot);
            self.decided = slot;
        }
        let verdicts = [
            (paused.last, Verdict::Paused { slots: paused.slots }),
            (changed.last, Verdict::Changed { slots: changed.slots }),
        ];
        let record =
            |(last, verdict): (Option<Timestamp>, Verdict)| Some(SlotRecord { slot: last?, decided_at: now, verdict });
        let records: Vec<SlotRecord> = verdicts.into_iter().filter_map(record).collect();
        records.iter().for_each(|record| self.note(record.clone()));
        records
    }

    /// Stops deciding slots, or goes on. False where it is so already.
    pub fn set_pause(&mut self, pause: Option<Pause>, now: Timestamp) -> bool {
        if self.pause.is_some() == pause.is_some() {
            return false;
        }
        if pause.is_none() {
            // Of slots that are put off, those that are not yet due go on.
            self.paused_until = Some(now.minus(self.schedule.put_off()));
            self.failures = 0;
        }
        self.pause = pause;
        true
    }

    /// Begins anew at `now`, be that before what is decided: for a clock that was wrong. Tells the verdicts on slots that
    /// end with that.
    pub fn reset(&mut self, now: Timestamp) -> Result<Vec<SlotRecord>, BadWhen> {
        let closed = self.close(now);
        (self.anchor, self.decided) = (now, now);
        self.paused_until = None;
        self.next = self.slots()?.next_after(now).filter(|_| self.left() != Some(0));
        Ok(closed)
    }

    /// The run of one of its slots has ended. True where that changes the row.
    pub fn run_ended(&mut self, failed: bool, now: Timestamp) -> bool {
        let Some(most) = self.schedule.rules.pause_after else { return false };
        let before = self.failures;
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        if self.failures >= most && self.pause.is_none() {
            self.pause = Some(Pause { since: now, note: None, failures: Some(self.failures) });
        }
        self.failures != before
    }

    pub fn note(&mut self, record: SlotRecord) {
        self.counts.add(&record.verdict);
        if let Some(run) = record.verdict.run() {
            self.made(run, &record);
        }
        self.recent.push(record);
        let surplus = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..surplus);
    }

    fn made(&mut self, run: RunId, record: &SlotRecord) {
        self.last_fired = Some(record.slot);
        self.last_run = Some(run);
        self.counted += 1;
        self.open.push(run);
        let surplus = self.open.len().saturating_sub(OPEN_MAX);
        self.open.drain(..surplus);
        self.lateness.last = record.decided_at.since(record.slot.plus(self.schedule.put_off()));
        self.lateness.longest = self.lateness.longest.max(self.lateness.last);
    }
}

#[cfg(test)]
mod tests;
