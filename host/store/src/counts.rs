//! Counters that are kept with the data they count, so that nothing has to be
//! scanned for them.

use hookbox_core::schedule::SlotCounts;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
}
