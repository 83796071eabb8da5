//! Schedules: what they are, how far they came, and what will be next.

mod change;
mod rules;
mod slots;
mod when;

use hookbox_core::id::RunId;
use hookbox_core::schedule::{Attention, Lateness, Origin, Pause, Schedule, ScheduleRow, SlotCounts};
use hookbox_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::payload::PayloadView;
pub(crate) use change::{BackfillView, MistakeView, PreviewView, PutView, RemovedView, ScheduleRunView};
use rules::RulesView;
use slots::{SlotView, UpcomingView};
use when::WhenView;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ScheduleView {
    pub(crate) name: String,
    pub(crate) plugin: String,
    pub(crate) handler: String,
    pub(crate) when: WhenView,
    /// Who declares it: `plugin`, `config` (hooks.yaml) or `operator`.
    pub(crate) origin: &'static str,
    /// Who else declares one of this name, which does not count.
    pub(crate) shadows: Vec<&'static str>,
    /// The next slot; null where none will come.
    pub(crate) next: Option<String>,
    /// When that slot is decided: later than it by the jitter, and null while it is paused.
    pub(crate) due: Option<String>,
    pub(crate) paused: Option<PauseView>,
    /// What somebody should look at; null where all is well.
    pub(crate) attention: Option<AttentionView>,
    /// Its last slot is later than the clock, whatever else it needs: it waits, or has ended too early.
    pub(crate) clock_behind: bool,
    /// The slot that fired last, and its run.
    pub(crate) last_fired: Option<String>,
    pub(crate) last_run: Option<String>,
    pub(crate) counts: SlotCountsView,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PauseView {
    pub(crate) since: String,
    pub(crate) note: Option<String>,
    /// So many runs in a row had failed for good: nobody asked for the pause.
    pub(crate) failures: Option<u32>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AttentionView {
    /// `failing`, `no-next-slot`, `undecided` or `clock-behind`.
    pub(crate) reason: &'static str,
    /// Null where nobody knows.
    pub(crate) since: Option<String>,
    /// What it is, and what to do.
    pub(crate) cure: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct SlotCountsView {
    pub(crate) fired: u64,
    pub(crate) missed: u64,
    pub(crate) overlap_skipped: u64,
    pub(crate) buffered: u64,
    pub(crate) dropped: u64,
    pub(crate) paused: u64,
}

pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Plugin => "plugin",
        Origin::Config => "config",
        Origin::Operator => "operator",
    }
}

impl ScheduleView {
    pub(crate) fn of(row: &ScheduleRow, now: Timestamp) -> ScheduleView {
        let schedule = &row.schedule;
        ScheduleView {
            name: schedule.name.to_string(),
            plugin: schedule.target.plugin.to_string(),
            handler: schedule.target.handler.to_string(),
            when: WhenView::of(&schedule.when),
            origin: origin(schedule.origin),
            shadows: row.shadowed.iter().map(|other| origin(other.origin)).collect(),
            next: row.next.map(|at| at.to_string()),
            due: row.due().map(|at| at.to_string()),
            paused: row.pause.as_ref().map(PauseView::of),
            attention: row.attention(now).map(|attention| AttentionView::of(attention, row)),
            clock_behind: row.is_ahead_of_the_clock(now),
            last_fired: row.last_fired.map(|at| at.to_string()),
            last_run: row.last_run.map(|run| run.to_string()),
            counts: SlotCountsView::of(&row.counts),
        }
    }
}

impl PauseView {
    fn of(pause: &Pause) -> PauseView {
        PauseView { since: pause.since.to_string(), note: pause.note.clone(), failures: pause.failures }
    }
}

impl AttentionView {
    fn of(attention: Attention, row: &ScheduleRow) -> AttentionView {
        let since = attention.since.map(|at| at.to_string());
        AttentionView { reason: attention.reason.code(), since, cure: row.cure(attention.reason) }
    }
}

impl SlotCountsView {
    fn of(counts: &SlotCounts) -> SlotCountsView {
        SlotCountsView {
            fired: counts.fired,
            missed: counts.missed,
            overlap_skipped: counts.overlap_skipped,
            buffered: counts.buffered,
            dropped: counts.dropped,
            paused: counts.paused,
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ScheduleDetailView {
    #[serde(flatten)]
    pub(crate) schedule: ScheduleView,
    pub(crate) rules: RulesView,
    /// Slots that may still make a run, where `count` is set.
    pub(crate) left: Option<u64>,
    /// Runs in a row that failed for good, where `pause_after` is set.
    pub(crate) failures: u32,
    pub(crate) lateness: LatenessView,
    /// Every slot up to here has its verdict.
    pub(crate) decided: String,
    /// The next slots.
    pub(crate) upcoming: Vec<UpcomingView>,
    /// The latest verdicts, newest first.
    pub(crate) recent: Vec<SlotView>,
    /// Runs of slots that are alive; the latest 101 of them.
    pub(crate) open: Vec<String>,
    /// What its jobs carry.
    pub(crate) payload: Option<PayloadView>,
    /// Declarations of the same name that do not count, by rank.
    pub(crate) shadowed: Vec<DeclarationView>,
}

/// From when a slot is due to when its run is on disk.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct LatenessView {
    pub(crate) last_ms: u64,
    pub(crate) longest_ms: u64,
}

/// A declaration that does not count.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct DeclarationView {
    pub(crate) origin: &'static str,
    pub(crate) plugin: String,
    pub(crate) handler: String,
    pub(crate) when: WhenView,
    /// Why it does not count.
    pub(crate) why: String,
}

impl ScheduleDetailView {
    /// `open` are those of the row's that are alive.
    pub(crate) fn of(row: &ScheduleRow, open: &[RunId], now: Timestamp) -> ScheduleDetailView {
        let payload = row.schedule.payload.as_ref();
        let Lateness { last, longest } = row.lateness;
        ScheduleDetailView {
            schedule: ScheduleView::of(row, now),
            rules: RulesView::of(&row.schedule),
            left: row.left(),
            failures: row.failures,
            lateness: LatenessView { last_ms: last.0, longest_ms: longest.0 },
            decided: row.decided.to_string(),
            upcoming: slots::upcoming(row),
            recent: row.recent.iter().rev().map(|record| SlotView::of(record, &row.schedule)).collect(),
            open: open.iter().map(ToString::to_string).collect(),
            payload: payload.map(|payload| PayloadView::exact(&payload.content_type, &payload.data)),
            shadowed: row.shadowed.iter().map(|other| DeclarationView::of(other, &row.schedule)).collect(),
        }
    }
}

impl DeclarationView {
    fn of(schedule: &Schedule, counts: &Schedule) -> DeclarationView {
        let order = Origin::BY_RANK.map(Origin::code).join(", then ");
        DeclarationView {
            origin: origin(schedule.origin),
            plugin: schedule.target.plugin.to_string(),
            handler: schedule.target.handler.to_string(),
            when: WhenView::of(&schedule.when),
            why: format!("{} has one of this name, too, and comes first: {order}", counts.origin.code()),
        }
    }
}
