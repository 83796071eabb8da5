use std::collections::BTreeMap;

use hookbox_core::denial::Denial;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::{Handler, Trigger};
use hookbox_core::spending::Spending;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::{By, Ended, Ending, PastVersion, RejectedVersion, Standing, Trusted};
use schemars::JsonSchema;
use serde::Serialize;

use super::grants::GrantsView;
use super::policy::PolicyView;
use super::reach::DenialView;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PluginView {
    pub(crate) name: String,
    /// `active`; `refused`: no version was ever good; `missing`: its file is gone; `untrusted`: none serves, and hooks.yaml
    /// asks for a signature or a file that the latest is not. `refused` then tells the cure.
    pub(crate) state: &'static str,
    /// As its author counts.
    pub(crate) version: Option<String>,
    /// Of the version that serves.
    pub(crate) digest: Option<String>,
    pub(crate) since: Option<String>,
    /// Why the version that serves may run; null where none does.
    pub(crate) trust: Option<TrustView>,
    /// Its first attempts are counted: should too many fail, an earlier version serves again.
    pub(crate) on_trial: bool,
    /// Too many of them failed, and there was no earlier version that could serve.
    pub(crate) trial_failed: bool,
    pub(crate) description: Option<String>,
    pub(crate) handlers: Vec<HandlerView>,
    /// Interfaces that the version imports.
    pub(crate) imports: Vec<String>,
    /// The latest version that was refused; an older one may serve.
    pub(crate) refused: Option<RefusedView>,
    pub(crate) missing_since: Option<String>,
    /// Times of service, newest first; the first one is that of the version that serves.
    pub(crate) history: Vec<PastVersionView>,
    /// Versions that were rolled back from, newest first: they serve again only where an operator says so.
    pub(crate) rejected: Vec<RejectedView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct TrustView {
    /// It is the file that hooks.yaml names.
    pub(crate) pinned: bool,
    /// The key that has signed it.
    pub(crate) key: Option<String>,
    /// What was signed with it: minisign's trusted comment.
    pub(crate) comment: Option<String>,
}

impl TrustView {
    fn of(trusted: &Trusted) -> TrustView {
        let signed = trusted.signed.as_ref();
        TrustView {
            pinned: trusted.pinned,
            key: signed.map(|signed| signed.key.clone()),
            comment: signed.map(|signed| signed.comment.clone()),
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HandlerView {
    pub(crate) name: String,
    pub(crate) trigger: TriggerView,
    pub(crate) description: Option<String>,
    /// Which of the events that its patterns match it takes, in CEL.
    pub(crate) filter: Option<String>,
    pub(crate) policy: PolicyView,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum TriggerView {
    Events { patterns: Vec<String> },
    Schedule { schedule: String, when: String },
    Manual,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RefusedView {
    pub(crate) digest: Option<String>,
    pub(crate) at: String,
    pub(crate) code: String,
    pub(crate) reason: String,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PastVersionView {
    pub(crate) digest: String,
    /// As its author counts.
    pub(crate) version: Option<String>,
    pub(crate) since: String,
    /// Null as long as it serves.
    pub(crate) ended: Option<String>,
    /// `replaced`, `rolled-back`, `auto-rolled-back`, `gone` or `taken-down`.
    pub(crate) how: Option<&'static str>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RejectedView {
    pub(crate) digest: String,
    pub(crate) at: String,
    /// `operator`, or `host`: by the rule of hooks.yaml.
    pub(crate) by: &'static str,
    pub(crate) reason: String,
}

/// One plugin, with what it may do and what it tried.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PluginDetailView {
    #[serde(flatten)]
    pub(crate) plugin: PluginView,
    pub(crate) grants: GrantsView,
    /// What it tried and was denied, the latest first.
    pub(crate) denied: Vec<DenialView>,
    /// Of its handlers, since the start of the host.
    pub(crate) cost: Vec<HandlerCostView>,
}

/// What the attempts of a handler have cost.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HandlerCostView {
    pub(crate) handler: String,
    pub(crate) attempts: u64,
    /// All together.
    pub(crate) wall_us: u64,
    pub(crate) cpu_us: u64,
    /// Of the one that took most.
    pub(crate) memory_peak_bytes: u64,
    pub(crate) log_bytes: u64,
    /// How often each was made.
    pub(crate) host_calls: BTreeMap<&'static str, u64>,
}

impl HandlerCostView {
    pub(crate) fn all(spending: &Spending, plugin: &PluginName) -> Vec<HandlerCostView> {
        let all = spending.all().into_iter().filter_map(|(handler, spent)| Some((handler?, spent)));
        let own = all.filter(|(handler, _)| handler.plugin == *plugin);
        own.map(|(handler, spent)| HandlerCostView {
            handler: handler.handler.to_string(),
            attempts: spent.attempts,
            wall_us: spent.wall_us,
            cpu_us: spent.cpu_us,
            memory_peak_bytes: spent.memory_peak_bytes,
            log_bytes: spent.log_bytes,
            host_calls: spent.calls.made().map(|(kind, calls)| (kind.code(), calls.number)).collect(),
        })
        .collect()
    }
}

impl PluginDetailView {
    pub(crate) fn of(
        row: &PluginRow,
        grants: GrantsView,
        denied: &[Denial],
        cost: Vec<HandlerCostView>,
    ) -> PluginDetailView {
        let denied = denied.iter().map(DenialView::of).collect();
        PluginDetailView { plugin: PluginView::of(row), grants, denied, cost }
    }
}

impl PluginView {
    pub(crate) fn of(row: &PluginRow) -> PluginView {
        let active = row.active.as_ref();
        let info = active.map(|active| &active.info);
        PluginView {
            name: row.name.to_string(),
            state: match (row.missing_since, active) {
                (Some(_), _) if row.is_distrusted() => "untrusted",
                (Some(_), _) => "missing",
                (None, Some(_)) => "active",
                (None, None) if row.is_untrusted() => "untrusted",
                (None, None) => "refused",
            },
            version: info.map(|info| info.version.clone()),
            digest: active.map(|active| active.digest.to_string()),
            since: active.map(|active| active.since.to_string()),
            trust: row.trusted.as_ref().filter(|_| row.missing_since.is_none()).map(TrustView::of),
            on_trial: active.is_some_and(|active| active.standing == Standing::OnTrial),
            trial_failed: active.is_some_and(|active| active.standing == Standing::Failed),
            description: info.and_then(|info| info.description.clone()),
            handlers: info.into_iter().flat_map(|info| &info.handlers).map(HandlerView::of).collect(),
            imports: active.map(|active| active.imports.clone()).unwrap_or_default(),
            refused: row.refused.as_ref().map(|refused| RefusedView {
                digest: refused.digest.map(|digest| digest.to_string()),
                at: refused.at.to_string(),
                code: refused.code.clone(),
                reason: refused.reason.clone(),
            }),
            missing_since: row.missing_since.map(|at| at.to_string()),
            history: row.history.iter().rev().map(PastVersionView::of).collect(),
            rejected: row.rejected.iter().rev().map(RejectedView::of).collect(),
        }
    }
}

impl PastVersionView {
    fn of(past: &PastVersion) -> PastVersionView {
        PastVersionView {
            digest: past.digest.to_string(),
            version: past.version.clone(),
            since: past.since.to_string(),
            ended: past.ended.map(|ended| ended.at.to_string()),
            how: past.ended.map(how),
        }
    }
}

fn how(ended: Ended) -> &'static str {
    match ended.how {
        Ending::Replaced => "replaced",
        Ending::RolledBack(By::Operator) => "rolled-back",
        Ending::RolledBack(By::Host) => "auto-rolled-back",
        Ending::Gone => "gone",
        Ending::TakenDown => "taken-down",
    }
}

impl RejectedView {
    fn of(rejected: &RejectedVersion) -> RejectedView {
        RejectedView {
            digest: rejected.digest.to_string(),
            at: rejected.at.to_string(),
            by: match rejected.by {
                By::Operator => "operator",
                By::Host => "host",
            },
            reason: rejected.reason.clone(),
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
