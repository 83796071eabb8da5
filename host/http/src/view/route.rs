use std::collections::BTreeMap;

use hookbox_core::body_schema::{Fault, Otherwise};
use hookbox_core::event::Event;
use hookbox_store::catalogue::{Catalogue, PluginRow, Route, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// A handler that takes events.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RouteView {
    plugin: String,
    handler: String,
    patterns: Vec<String>,
    filter: Option<String>,
    /// Events that its filter passed over, since the host started.
    passed_over: u64,
    /// Events that its filter had no answer for, which it passed over too.
    faults: u64,
}

impl RouteView {
    pub(crate) fn of(route: &Route) -> RouteView {
        let (passed_over, faults) = route.tally();
        RouteView {
            plugin: route.target.plugin.to_string(),
            handler: route.target.handler.to_string(),
            patterns: route.patterns.iter().map(ToString::to_string).collect(),
            filter: route.filter.as_ref().map(ToString::to_string),
            passed_over,
            faults,
        }
    }
}

/// What would become of a delivery.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RoutesTestView {
    topic: String,
    /// What is wrong with its body, where the provider has a schema.
    schema_fault: Option<SchemaFaultView>,
    reached: usize,
    handlers: Vec<VerdictView>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct SchemaFaultView {
    pointer: String,
    message: String,
    /// `refused` with 422, or taken in and its runs `dead`.
    outcome: &'static str,
}

#[derive(Debug, JsonSchema, Serialize)]
struct VerdictView {
    plugin: String,
    /// Missing where the plugin has no version that serves, and so no handlers.
    handler: Option<String>,
    reached: bool,
    /// `reached`, `no-pattern`, `filter-false`, `filter-fault`, `plugin-retired` or `plugin-refused`.
    why: &'static str,
    detail: String,
}

impl RoutesTestView {
    pub(crate) fn of(catalogue: &Catalogue, event: &Event, fault: Option<(Fault, Otherwise)>) -> RoutesTestView {
        let judged = catalogue.judge(event);
        let reached = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Reached).count();
        let judged = judged.into_iter().map(|(route, verdict)| {
            let missing = catalogue.plugin(&route.target.plugin).is_some_and(|row| row.missing_since.is_some());
            VerdictView::of(route, &verdict, missing)
        });
        let silent = catalogue.plugins().filter(|row| row.active.is_none()).map(VerdictView::of_silent);
        let schema_fault = fault.map(|(Fault { pointer, message }, otherwise)| SchemaFaultView {
            pointer,
            message,
            outcome: if otherwise == Otherwise::Refuse { "refused" } else { "dead" },
        });
        RoutesTestView { topic: event.topic(), schema_fault, reached, handlers: judged.chain(silent).collect() }
    }
}

impl VerdictView {
    fn of(route: &Route, verdict: &Verdict, missing: bool) -> VerdictView {
        let patterns = || route.patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let filter = || route.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        let (why, detail) = match verdict {
            Verdict::Reached if missing => {
                ("reached", format!("the file of {} is gone: the run waits for it for a while", route.target.plugin))
            }
            Verdict::Reached if route.filter.is_some() => ("reached", format!("{} is true", filter())),
            Verdict::Reached => ("reached", format!("by {}", patterns())),
            Verdict::NoPattern => ("no-pattern", format!("it takes {}", patterns())),
            Verdict::FilteredOut => ("filter-false", format!("{} is false", filter())),
            Verdict::Fault(fault) => ("filter-fault", format!("{}: {fault}", filter())),
        };
        VerdictView {
            plugin: route.target.plugin.to_string(),
            handler: Some(route.target.handler.to_string()),
            reached: *verdict == Verdict::Reached,
            why,
            detail,
        }
    }

    fn of_silent(row: &PluginRow) -> VerdictView {
        let (why, detail) = match (row.missing_since, &row.refused) {
            (_, Some(refused)) => ("plugin-refused", refused.reason.clone()),
            (Some(since), None) => ("plugin-retired", format!("its file is gone since {since}")),
            (None, None) => ("plugin-retired", "no version of it serves".to_owned()),
        };
        VerdictView { plugin: row.name.to_string(), handler: None, reached: false, why, detail }
    }
}

/// An event that got its runs.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RoutedView {
    pub(crate) event: String,
    pub(crate) runs: Vec<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RoutedAllView {
    /// Nothing was done: the numbers are what would be done.
    pub(crate) dry_run: bool,
    /// Events that got runs.
    pub(crate) routed: u64,
    /// Events that no handler takes.
    pub(crate) unmatched: u64,
    /// Runs, by `plugin/handler`.
    pub(crate) handlers: BTreeMap<String, u64>,
    /// There may be more: ask again with this as `after`.
    pub(crate) next: Option<String>,
}
