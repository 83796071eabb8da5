//! When a handler runs by itself: the definition of a schedule, its state, and
//! the verdict on each of its slots.
//!
//! A schedule's row holds the last decided slot (`decided`). Deciding is pure;
//! the store commits a decision only if `decided` is still what the decision
//! was made from, so any number of nodes may tick and each slot has exactly one
//! verdict.

mod decide;
mod rules;
mod slots;
#[cfg(test)]
mod tests;
mod when;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::attempt::Output;
use crate::cron::{TooRare, Zones, latest_first};
use crate::gate::{Gate, Order};
use crate::hold::noted;
use crate::id::{JobId, RunId};
use crate::name::{HandlerRef, ScheduleName};
use crate::time::{Millis, Timestamp};

pub use crate::cron::Zone as ZoneName;
pub use decide::{FIRES_PER_DECISION_MAX, Passed, Progress, SLOTS_PER_DECISION_MAX, SlotDecision, decide};
pub use rules::{BUFFER_MAX, CATCH_UP_MAX, FAILURES_MAX, MISSED_WITHIN, Missed, ON_TIME, Overlap, Rules};
pub use slots::Slots;
pub use when::{BadWhen, When};

/// Verdicts that are kept with a schedule.
pub const RECENT_MAX: usize = 10;

/// Who declares a schedule. Where several name the same one, the first of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Plugin,
    Config,
    /// An operator, while the host runs.
    Operator,
}

impl Origin {
    /// hooks.yaml comes first, then operators, then plugins.
    pub const BY_RANK: [Origin; 3] = [Origin::Config, Origin::Operator, Origin::Plugin];

    pub fn code(self) -> &'static str {
        match self {
            Origin::Plugin => "plugin",
            Origin::Config => "hooks.yaml",
            Origin::Operator => "operator",
        }
    }
}

/// What a schedule is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub name: ScheduleName,
    pub target: HandlerRef,
    pub when: When,
    pub payload: Option<Output>,
    pub origin: Origin,
    pub rules: Rules,
}

impl Schedule {
    /// From a slot to when it is due.
    pub fn put_off(&self) -> Millis {
        slots::put_off(&self.name, self.rules.jitter)
    }

    /// There is always a slot to come.
    pub fn is_endless(&self) -> bool {
        let bounded = self.rules.end.is_some() || self.rules.count.is_some();
        !bounded && !matches!(self.when, When::Once { .. })
    }

    /// The idempotency key of a slot's run; those made by hand and by a backfill have others.
    pub fn slot_key(&self, slot: Timestamp) -> String {
        format!("{}@{slot}", self.name)
    }

    /// The idempotency key of the run that a backfill makes for a slot, and the id of its job: the same for every
    /// backfill, so that of several that have a slot in common one makes a run.
    pub fn backfill_key(&self, slot: Timestamp) -> (String, JobId) {
        let key = format!("{}@{slot}/backfill", self.name);
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let random = u128::from_be_bytes(*hash.first_chunk::<16>().unwrap_or(&[0; 16]));
        (key, JobId::new(slot, random))
    }

    /// The first slot of a schedule that is made at `now`. Asked once, as [`When::first_after`] is: also for slots that
    /// its bounds leave out.
    pub fn first_after(&self, now: Timestamp, zones: &Zones) -> Result<Timestamp, BadWhen> {
        self.when.first_after(now, zones)?;
        let slots = Slots::new(self.when.times(now, zones)?, &self.rules, &self.name);
        let first = slots.next_after(now).ok_or(BadWhen::OutOfBounds)?;
        match latest_first(now) {
            Some(latest) if first <= latest => Ok(first),
            _ => Err(BadWhen::TooRare(self.when.clone(), TooRare { first: Some(first) })),
        }
    }

    /// Runs of the schedule wait at it for one another, unless they may overlap.
    pub fn gate(&self) -> Option<Gate> {
        match self.rules.overlap {
            Overlap::Skip | Overlap::BufferOne | Overlap::BufferAll(_) => {
                Some(Gate::new(&format!("schedule {}", self.name), Order::Accepted))
            }
            Overlap::Allow | Overlap::CancelRunning => None,
        }
    }

    /// Runs of a backfill wait for one another where those of slots would, and keep no slot waiting.
    pub fn backfill_gate(&self) -> Option<Gate> {
        self.gate().map(|gate| Gate::new(&format!("{} backfill", gate.key), gate.order))
    }
}

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
    /// Runs that slots have made and that may be alive.
    pub open: Vec<RunId>,
    pub counts: SlotCounts,
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

/// A schedule that is paused decides no slot; when it goes on, those that came meanwhile are not made up for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub since: Timestamp,
    pub note: Option<String>,
    /// Nobody asked for it: so many runs in a row had failed for good.
    pub failures: Option<u32>,
}

impl Pause {
    pub fn new(since: Timestamp, note: Option<&str>) -> Pause {
        Pause { since, note: note.and_then(noted), failures: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlotCounts {
    pub fired: u64,
    pub missed: u64,
    pub overlap_skipped: u64,
    /// Slots whose run waits, or waited, for an earlier one.
    pub buffered: u64,
    /// Slots for which there was no room to wait.
    pub dropped: u64,
    /// Slots that came while the schedule was paused.
    pub paused: u64,
}

/// From when a slot is due to when its run is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lateness {
    pub last: Millis,
    pub longest: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The slot; for several at once the last of them.
    pub slot: Timestamp,
    pub decided_at: Timestamp,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Fired {
        run: RunId,
    },
    /// So many slots passed while nobody could fire them.
    Missed {
        slots: u64,
    },
    /// The run of an earlier slot was not finished.
    OverlapSkipped,
    /// This run waits for an earlier one.
    Buffered {
        run: RunId,
    },
    /// As many wait already as may.
    Dropped,
    /// So many slots passed while the schedule was paused.
    Paused {
        slots: u64,
    },
}

impl SlotCounts {
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Fired { .. } => self.fired += 1,
            Verdict::Buffered { .. } => self.buffered += 1,
            Verdict::Missed { slots } => self.missed += slots,
            Verdict::Paused { slots } => self.paused += slots,
            Verdict::OverlapSkipped => self.overlap_skipped += 1,
            Verdict::Dropped => self.dropped += 1,
        }
    }
}

impl Verdict {
    /// The run that was made.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Verdict::Fired { run } | Verdict::Buffered { run } => Some(*run),
            Verdict::Missed { .. } | Verdict::Paused { .. } | Verdict::OverlapSkipped | Verdict::Dropped => None,
        }
    }
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
        self.schedule.rules.count.map(|count| count.saturating_sub(self.counts.fired + self.counts.buffered))
    }

    /// When its next slot is to be decided; nothing where it is paused or has ended.
    pub fn due(&self) -> Option<Timestamp> {
        let next = self.next.filter(|_| self.pause.is_none())?;
        Some(next.plus(self.schedule.put_off()))
    }

    /// Takes over a changed definition. Another rule begins anew at `now`; the same rule keeps its mark, and what has
    /// passed without a slot stays without one: other bounds make up for nothing.
    pub fn redefined(mut self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, BadWhen> {
        let other = schedule.when != self.schedule.when;
        // One that had ended has no next slot.
        let without_slots = self.next.map_or(now, |next| now.min(next.minus(Millis(1))));
        self.schedule = schedule;
        if other {
            self.anchor = now;
        }
        // Never behind what is decided: a slot has one verdict, whatever the clock says.
        self.decided = self.decided.max(if other { now } else { without_slots });
        self.next = self.slots()?.next_after(self.decided).filter(|_| self.left() != Some(0));
        Ok(self)
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

    /// Begins anew at `now`, be that before what is decided: for a clock that was wrong.
    pub fn reset(&mut self, now: Timestamp) -> Result<(), BadWhen> {
        (self.anchor, self.decided) = (now, now);
        self.paused_until = None;
        self.next = self.slots()?.next_after(now).filter(|_| self.left() != Some(0));
        Ok(())
    }

    /// A run of it has ended. True where that changes the row.
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
        self.open.push(run);
        self.lateness.last = record.decided_at.since(record.slot.plus(self.schedule.put_off()));
        self.lateness.longest = self.lateness.longest.max(self.lateness.last);
    }
}
