//! When a handler runs by itself: the definition of a schedule, its state, and
//! the verdict on each of its slots.
//!
//! A schedule's row holds the last decided slot (`decided`). Deciding is pure;
//! the store commits a decision only if `decided` is still what the decision
//! was made from, so any number of nodes may tick and each slot has exactly one
//! verdict.

mod attention;
mod decide;
mod row;
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
pub use attention::{Attention, CLOCK_BEHIND, Reason, State, UNDECIDED_FOR};
pub use decide::{FIRES_PER_DECISION_MAX, Passed, Progress, SLOTS_PER_DECISION_MAX, SlotDecision, decide};
pub use row::{Basis, OPEN_MAX, RECENT_MAX, ScheduleRow};
pub use rules::{BUFFER_MAX, CATCH_UP_MAX, FAILURES_MAX, MISSED_WITHIN, Missed, ON_TIME, Overlap, Rules};
pub use slots::Slots;
pub use when::{BadWhen, When};

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

    /// The idempotency key of a slot's run; those made by hand and by a backfill have others.
    pub fn slot_key(&self, slot: Timestamp) -> String {
        format!("{}@{slot}", self.name)
    }

    /// Whether this is the key of a slot's run.
    pub fn is_slot_key(name: &ScheduleName, key: &str) -> bool {
        let slot = key.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('@'));
        slot.is_some_and(|slot| slot.parse::<Timestamp>().is_ok())
    }

    /// Whether it still is the schedule that `count` counts for: the same slots for the same handler, from the same hand.
    fn counts_on(&self, other: &Schedule) -> bool {
        self.when == other.when && self.target == other.target && self.origin == other.origin
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
    /// So many slots had come and were undecided when the schedule was changed, removed or begun anew: missed, too.
    Changed {
        slots: u64,
    },
}

impl SlotCounts {
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Fired { .. } => self.fired += 1,
            Verdict::Buffered { .. } => self.buffered += 1,
            Verdict::Missed { slots } | Verdict::Changed { slots } => self.missed += slots,
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
            Verdict::Missed { .. } | Verdict::Paused { .. } | Verdict::Changed { .. } => None,
            Verdict::OverlapSkipped | Verdict::Dropped => None,
        }
    }
}
