//! What an operator has done to a schedule, or would do.

use hookbox_core::config::Mistake;
use hookbox_core::schedule::{Origin, ScheduleRow};
use hookbox_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::rules::RulesView;
use super::slots::{self, UpcomingView};
use super::when::WhenView;
use super::{ScheduleDetailView, origin};

/// The run of a schedule that an operator started.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ScheduleRunView {
    pub(crate) run: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PutView {
    #[serde(flatten)]
    pub(crate) schedule: ScheduleDetailView,
    /// What may not be meant.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RemovedView {
    pub(crate) name: String,
    /// Who else declares one of this name: it counts again. Null where there is none left.
    pub(crate) origin: Option<&'static str>,
}

impl RemovedView {
    pub(crate) fn of(name: &impl ToString, left: Option<Origin>) -> RemovedView {
        RemovedView { name: name.to_string(), origin: left.map(origin) }
    }
}

/// What is wrong with a schedule that was written.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub(crate) struct MistakeView {
    /// The key, as in hooks.yaml; empty where it is the whole.
    pub(crate) path: String,
    pub(crate) message: String,
}

impl From<Mistake> for MistakeView {
    fn from(mistake: Mistake) -> MistakeView {
        MistakeView { path: mistake.path, message: mistake.message }
    }
}

/// What a schedule would be.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PreviewView {
    pub(crate) good: bool,
    pub(crate) mistakes: Vec<MistakeView>,
    pub(crate) warnings: Vec<String>,
    pub(crate) when: Option<WhenView>,
    pub(crate) rules: Option<RulesView>,
    pub(crate) upcoming: Vec<UpcomingView>,
}

impl PreviewView {
    pub(crate) fn of(row: &ScheduleRow, mistakes: Vec<MistakeView>, warnings: Vec<String>) -> PreviewView {
        PreviewView {
            good: mistakes.is_empty(),
            mistakes,
            warnings,
            when: Some(WhenView::of(&row.schedule.when)),
            rules: Some(RulesView::of(&row.schedule)),
            upcoming: slots::upcoming(row),
        }
    }

    /// Of what does not read.
    pub(crate) fn bad(mistakes: Vec<MistakeView>) -> PreviewView {
        PreviewView { good: false, mistakes, warnings: Vec::new(), when: None, rules: None, upcoming: Vec::new() }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct BackfillView {
    pub(crate) dry_run: bool,
    /// Slots of the range.
    pub(crate) slots: usize,
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
    /// Runs that were made.
    pub(crate) made: usize,
    /// Slots whose run of a backfill is kept, or that another run with the handler's unique key keeps out.
    pub(crate) left_out: usize,
}

impl BackfillView {
    pub(crate) fn of(slots: &[Timestamp], made: Option<usize>) -> BackfillView {
        BackfillView {
            dry_run: made.is_none(),
            slots: slots.len(),
            first: slots.first().map(ToString::to_string),
            last: slots.last().map(ToString::to_string),
            made: made.unwrap_or(0),
            left_out: made.map_or(0, |made| slots.len().saturating_sub(made)),
        }
    }
}
