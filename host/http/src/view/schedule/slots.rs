//! Slots that have their verdict, and slots to come.

use hookbox_core::cron::Zone;
use hookbox_core::schedule::{Schedule, ScheduleRow, SlotRecord, Verdict, When};
use hookbox_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// Slots that are shown ahead.
const UPCOMING_MAX: usize = 10;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct UpcomingView {
    pub(crate) slot: String,
    /// When it is decided: later by the schedule's jitter.
    pub(crate) due: String,
    /// What a clock in the schedule's zone shows at the slot, with its offset.
    pub(crate) local: String,
}

pub(crate) fn upcoming(row: &ScheduleRow) -> Vec<UpcomingView> {
    // A rule that this release cannot read has no slots.
    let Ok(slots) = row.slots() else { return Vec::new() };
    let zone = match &row.schedule.when {
        When::Cron { timezone, .. } => Zone::parse(timezone).unwrap_or_default(),
        When::Every { .. } | When::Once { .. } => Zone::default(),
    };
    let left = row.left().map_or(UPCOMING_MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
    let slots = std::iter::successors(row.next, |slot| slots.next_after(*slot)).take(UPCOMING_MAX.min(left));
    let view = |slot: Timestamp| UpcomingView {
        slot: slot.to_string(),
        due: slot.plus(row.schedule.put_off()).to_string(),
        local: zone.show(slot),
    };
    slots.map(view).collect()
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct SlotView {
    /// For several at once the last of them.
    pub(crate) slot: String,
    pub(crate) decided_at: String,
    /// How much later than it was due.
    pub(crate) late_ms: u64,
    /// `fired`, `buffered`, `missed`, `paused`, `overlap-skipped` or `dropped`.
    pub(crate) verdict: &'static str,
    /// `changed`: they had come and were undecided when the schedule was changed, removed or begun anew.
    pub(crate) why: Option<&'static str>,
    pub(crate) run: Option<String>,
    pub(crate) slots: u64,
}

impl SlotView {
    pub(crate) fn of(record: &SlotRecord, schedule: &Schedule) -> SlotView {
        let (verdict, run, slots) = match &record.verdict {
            Verdict::Fired { run } => ("fired", Some(run.to_string()), 1),
            Verdict::Buffered { run } => ("buffered", Some(run.to_string()), 1),
            Verdict::Missed { slots } | Verdict::Changed { slots } => ("missed", None, *slots),
            Verdict::Paused { slots } => ("paused", None, *slots),
            Verdict::OverlapSkipped => ("overlap-skipped", None, 1),
            Verdict::Dropped => ("dropped", None, 1),
        };
        SlotView {
            slot: record.slot.to_string(),
            decided_at: record.decided_at.to_string(),
            late_ms: record.decided_at.since(record.slot.plus(schedule.put_off())).0,
            verdict,
            why: matches!(record.verdict, Verdict::Changed { .. }).then_some("changed"),
            run,
            slots,
        }
    }
}
