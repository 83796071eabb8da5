use hookbox_core::cron::DayRule;
use hookbox_core::schedule::{Origin, ScheduleRow, SlotRecord, Verdict, When};
use hookbox_core::time::Timestamp;
use serde::Serialize;

use super::payload::PayloadView;

/// Firings that are shown ahead.
const UPCOMING_MAX: usize = 10;

#[derive(Debug, Serialize)]
pub(crate) struct ScheduleView {
    name: String,
    plugin: String,
    handler: String,
    when: WhenView,
    /// `plugin` or `config`: who declares it.
    origin: &'static str,
    /// The next slot; null where none will come.
    next: Option<String>,
    /// The slot that fired last, and its run.
    last_fired: Option<String>,
    last_run: Option<String>,
    counts: SlotCountsView,
}

/// The rule, in words and in parts.
#[derive(Debug, Serialize)]
struct WhenView {
    text: String,
    #[serde(flatten)]
    rule: RuleView,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum RuleView {
    Cron { expression: String, timezone: String, day_rule: &'static str },
    Every { period_ms: u64, phase_ms: Option<u64> },
    Once { at: String },
}

#[derive(Debug, Serialize)]
struct SlotCountsView {
    fired: u64,
    missed: u64,
    overlap_skipped: u64,
}

impl ScheduleView {
    pub(crate) fn of(row: &ScheduleRow) -> ScheduleView {
        let schedule = &row.schedule;
        ScheduleView {
            name: schedule.name.to_string(),
            plugin: schedule.target.plugin.to_string(),
            handler: schedule.target.handler.to_string(),
            when: WhenView::of(&schedule.when),
            origin: match schedule.origin {
                Origin::Plugin => "plugin",
                Origin::Config => "config",
                Origin::Operator => "operator",
            },
            next: row.next.map(|at| at.to_string()),
            last_fired: row.last_fired.map(|at| at.to_string()),
            last_run: row.last_run.map(|run| run.to_string()),
            counts: SlotCountsView {
                fired: row.counts.fired,
                missed: row.counts.missed,
                overlap_skipped: row.counts.overlap_skipped,
            },
        }
    }
}

impl WhenView {
    fn of(when: &When) -> WhenView {
        let rule = match when {
            When::Cron { expression, timezone, day_rule } => RuleView::Cron {
                expression: expression.clone(),
                timezone: timezone.clone(),
                day_rule: match day_rule {
                    DayRule::Or => "or",
                    DayRule::And => "and",
                },
            },
            When::Every { period, phase } => {
                RuleView::Every { period_ms: period.0, phase_ms: phase.map(|phase| phase.0) }
            }
            When::Once { at } => RuleView::Once { at: at.to_string() },
        };
        WhenView { text: when.to_string(), rule }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ScheduleDetailView {
    #[serde(flatten)]
    schedule: ScheduleView,
    /// Every slot up to here has its verdict.
    decided: String,
    /// The next slots.
    upcoming: Vec<String>,
    /// The latest verdicts, newest first.
    recent: Vec<SlotView>,
    /// What its jobs carry.
    payload: Option<PayloadView>,
}

#[derive(Debug, Serialize)]
struct SlotView {
    /// For several missed ones the last of them.
    slot: String,
    decided_at: String,
    /// `fired`, `missed` or `overlap-skipped`.
    verdict: &'static str,
    run: Option<String>,
    slots: u64,
}

impl ScheduleDetailView {
    pub(crate) fn of(row: &ScheduleRow) -> ScheduleDetailView {
        let payload = row.schedule.payload.as_ref();
        ScheduleDetailView {
            schedule: ScheduleView::of(row),
            decided: row.decided.to_string(),
            upcoming: upcoming(row).iter().map(ToString::to_string).collect(),
            recent: row.recent.iter().rev().map(SlotView::of).collect(),
            payload: payload.map(|payload| PayloadView::exact(&payload.content_type, &payload.data)),
        }
    }
}

fn upcoming(row: &ScheduleRow) -> Vec<Timestamp> {
    // A rule that this release cannot read has no slots.
    let Ok(slots) = row.slots() else { return Vec::new() };
    let left = row.left().map_or(UPCOMING_MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
    std::iter::successors(row.next, |slot| slots.next_after(*slot)).take(UPCOMING_MAX.min(left)).collect()
}

impl SlotView {
    fn of(record: &SlotRecord) -> SlotView {
        let (verdict, run, slots) = match &record.verdict {
            Verdict::Fired { run } => ("fired", Some(run.to_string()), 1),
            Verdict::Buffered { run } => ("buffered", Some(run.to_string()), 1),
            Verdict::Missed { slots } => ("missed", None, *slots),
            Verdict::Paused { slots } => ("paused", None, *slots),
            Verdict::OverlapSkipped => ("overlap-skipped", None, 1),
            Verdict::Dropped => ("dropped", None, 1),
        };
        SlotView { slot: record.slot.to_string(), decided_at: record.decided_at.to_string(), verdict, run, slots }
    }
}

/// The run of a schedule that an operator started.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduleRunView {
    pub(crate) run: String,
}
