use hookbox_core::denial::Denial;
use hookbox_core::plugin::{Handler, Trigger};
use hookbox_store::PluginRow;
use serde::Serialize;

use super::grants::GrantsView;
use super::policy::PolicyView;
use super::reach::DenialView;

#[derive(Debug, Serialize)]
pub(crate) struct PluginView {
    name: String,
    /// `active`; `refused`: no version was ever good; `missing`: its file is gone.
    state: &'static str,
    /// As its author counts.
    version: Option<String>,
    /// Of the version that serves.
    digest: Option<String>,
    since: Option<String>,
    description: Option<String>,
    handlers: Vec<HandlerView>,
    /// The latest version that was refused; an older one may serve.
    refused: Option<RefusedView>,
    missing_since: Option<String>,
    /// Versions that served, newest first.
    history: Vec<PastVersionView>,
}

#[derive(Debug, Serialize)]
struct HandlerView {
    name: String,
    trigger: TriggerView,
    description: Option<String>,
    /// Which of the events that its patterns match it takes, in CEL.
    filter: Option<String>,
    policy: PolicyView,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum TriggerView {
    Events { patterns: Vec<String> },
    Schedule { schedule: String, when: String },
    Manual,
}

#[derive(Debug, Serialize)]
struct RefusedView {
    digest: Option<String>,
    at: String,
    code: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct PastVersionView {
    digest: String,
    since: String,
}

/// One plugin, with what it may do and what it tried.
#[derive(Debug, Serialize)]
pub(crate) struct PluginDetailView {
    #[serde(flatten)]
    plugin: PluginView,
    grants: GrantsView,
    /// What it tried and was denied, the latest first.
    denied: Vec<DenialView>,
}

impl PluginDetailView {
    pub(crate) fn of(row: &PluginRow, grants: GrantsView, denied: &[Denial]) -> PluginDetailView {
        PluginDetailView { plugin: PluginView::of(row), grants, denied: denied.iter().map(DenialView::of).collect() }
    }
}

impl PluginView {
    pub(crate) fn of(row: &PluginRow) -> PluginView {
        let active = row.active.as_ref();
        let info = active.map(|active| &active.info);
        PluginView {
            name: row.name.to_string(),
            state: match (row.missing_since, active) {
                (Some(_), _) => "missing",
                (None, Some(_)) => "active",
                (None, None) => "refused",
            },
            version: info.map(|info| info.version.clone()),
            digest: active.map(|active| active.digest.to_string()),
            since: active.map(|active| active.since.to_string()),
            description: info.and_then(|info| info.description.clone()),
            handlers: info.into_iter().flat_map(|info| &info.handlers).map(HandlerView::of).collect(),
            refused: row.refused.as_ref().map(|refused| RefusedView {
                digest: refused.digest.map(|digest| digest.to_string()),
                at: refused.at.to_string(),
                code: refused.code.clone(),
                reason: refused.reason.clone(),
            }),
            missing_since: row.missing_since.map(|at| at.to_string()),
            history: row
                .history
                .iter()
                .rev()
                .map(|past| PastVersionView { digest: past.digest.to_string(), since: past.since.to_string() })
                .collect(),
        }
    }
}

impl HandlerView {
    fn of(handler: &Handler) -> HandlerView {
        let policy = handler.policy.clone().policy();
        HandlerView {
            name: handler.name.to_string(),
            trigger: match &handler.trigger {
                Trigger::Events(patterns) => {
                    TriggerView::Events { patterns: patterns.iter().map(ToString::to_string).collect() }
                }
                Trigger::Schedule(schedule) => {
                    TriggerView::Schedule { schedule: schedule.name.to_string(), when: schedule.when.to_string() }
                }
                Trigger::Manual => TriggerView::Manual,
            },
            description: handler.description.clone(),
            filter: handler.filter.as_ref().map(ToString::to_string),
            policy: PolicyView::of(&policy),
        }
    }
}
