//! Counters that are kept with the data they count, so that nothing has to be
//! scanned for them.

use hookbox_core::schedule::SlotCounts;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events taken in.
    pub events: u64,
    /// Events that are kept and wait for a handler.
    pub unrouted: u64,
    /// Deliveries that were duplicates.
    pub duplicates: u64,
    /// Of those: with another body than the first.
    pub duplicates_differ: u64,
    /// Runs that are kept, by state.
    pub succeeded: u64,
    pub dead: u64,
    pub cancelled: u64,
    /// Runs that are alive.
    pub pending: u64,
    pub leased: u64,
    /// Attempts repeated because of a conflict are not among them.
    pub attempts: u64,
    /// Runs that were pruned.
    pub runs_pruned: u64,
    /// Writes of plugins' keys; the version of the next one.
    pub kv_writes: u64,
    /// Runs that were made; the place of the next one in the order of acceptance.
    pub runs: u64,
    /// Slots of all schedules, also of those that are gone, by their verdicts.
    pub slots: SlotCounts,
    /// How late those of them were, together, that made a run; in milliseconds.
    pub slots_late_ms: u64,
    /// Of the dead: those that were replayed. Nothing only in what an earlier release wrote, until a store is opened that
    /// has it: then they are counted.
    pub dead_replayed: Option<u64>,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            events: 0,
            unrouted: 0,
            duplicates: 0,
            duplicates_differ: 0,
            succeeded: 0,
            dead: 0,
            cancelled: 0,
            pending: 0,
            leased: 0,
            attempts: 0,
            runs_pruned: 0,
            kv_writes: 0,
            runs: 0,
            slots: SlotCounts::default(),
            slots_late_ms: 0,
            dead_replayed: Some(0),
        }
    }
}

impl Counts {
    /// Dead letters that nobody has replayed.
    pub fn dead_left(&self) -> u64 {
        self.dead.saturating_sub(self.dead_replayed.unwrap_or(0))
    }

    pub(crate) fn dead_replayed(&mut self, change: impl FnOnce(u64) -> u64) {
        self.dead_replayed = self.dead_replayed.map(change);
    }
}
