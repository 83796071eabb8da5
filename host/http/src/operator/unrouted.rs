use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::body_schema;
use hookbox_core::event::{Event, HOPS_MAX};
use hookbox_core::id::EventId;
use hookbox_core::name::HandlerRef;
use hookbox_core::retry::DeadCause;
use hookbox_core::route::filter::Subject;
use hookbox_store::StoreError;
use hookbox_store::catalogue::Verdict;
use hookbox_store::types::NewRun;
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::{Named, Query};
use super::{Api, BODY_BYTES_MAX, Operator, asked_in, audited, counted, nothing_in};
use crate::problem::Problem;
use crate::view::route::{RoutedAllView, RoutedView};

/// Events that one request looks at: each is read whole.
const EVENTS_MAX: usize = 100;

/// Gives one unrouted event the runs that it would have if it came in anew.
pub(super) async fn route(
    State(operator): Api,
    Named(id): Named<EventId>,
    uri: Uri,
    body: Body,
) -> Result<Json<RoutedView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let event = operator.store.event_input(id).await?;
    let targets = wanted_by(&operator, &event);
    let made = match operator.has_room_for(targets.len()) {
        Ok(()) => make_runs(&operator, &event, targets).await.map_err(Problem::from),
        Err(full) => Err(full),
    };
    let runs = audited("route", id, made)?;
    Ok(Json(RoutedView { event: id.to_string(), runs: runs.iter().map(|run| run.id.to_string()).collect() }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RouteAllRequest")]
pub(super) struct Asked {
    /// Of this provider alone, or of what this plugin emits.
    provider: Option<String>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Where the request before ended.
    #[schemars(with = "Option<String>")]
    after: Option<EventId>,
}

/// Does the same for unrouted events, oldest first, a bounded number of them: `next` says where to go on.
pub(super) async fn route_all(State(operator): Api, uri: Uri, body: Body) -> Result<Json<RoutedAllView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    let done = route_some(&operator, &asked).await;
    let view = if asked.dry_run { counted(done) } else { audited("route unrouted events", shown(&asked), done) }?;
    Ok(Json(view))
}

fn shown(asked: &Asked) -> String {
    let provider = asked.provider.as_deref().unwrap_or("of every provider");
    provider.chars().filter(|c| !c.is_control()).take(63).collect()
}

async fn route_some(operator: &Operator, asked: &Asked) -> Result<RoutedAllView, Problem> {
    let ids = operator.store.oldest_unrouted(asked.after, EVENTS_MAX).await?;
    let next = ids.last().filter(|_| ids.len() == EVENTS_MAX).map(ToString::to_string);
    let mut view = RoutedAllView { dry_run: asked.dry_run, routed: 0, unmatched: 0, handlers: BTreeMap::new(), next };
    for id in ids {
        let event = match operator.store.event_input(id).await {
            Ok(event) => event,
            // Pruned meanwhile.
            Err(StoreError::NotFound(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        if asked.provider.as_ref().is_some_and(|provider| *provider != event.namespace) {
            continue;
        }
        let targets = wanted_by(operator, &event);
        if targets.is_empty() {
            view.unmatched += 1;
            continue;
        }
        if !asked.dry_run {
            operator.has_room_for(targets.len())?;
            match make_runs(operator, &event, targets.clone()).await {
                Ok(_) => {}
                // Somebody else routed it meanwhile.
                Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        view.routed += 1;
        for target in targets {
            *view.handlers.entry(target.to_string()).or_default() += 1;
        }
    }
    Ok(view)
}

fn wanted_by(operator: &Operator, event: &Event) -> Vec<HandlerRef> {
    let catalogue = operator.store.catalogue();
    let judged = catalogue.judge(event).into_iter();
    judged.filter(|(_, verdict)| *verdict == Verdict::Reached).map(|(route, _)| route.target.clone()).collect()
}

async fn make_runs(operator: &Operator, event: &Event, targets: Vec<HandlerRef>) -> Result<Vec<NewRun>, StoreError> {
    let runs = runs_of(operator, event, targets);
    operator.store.route(event.id, runs.clone(), operator.clock.now()).await?;
    Ok(runs)
}

/// The runs that an event has if it comes now.
pub(super) fn runs_for(operator: &Operator, event: &Event) -> Vec<NewRun> {
    runs_of(operator, event, wanted_by(operator, event))
}

fn runs_of(operator: &Operator, event: &Event, targets: Vec<HandlerRef>) -> Vec<NewRun> {
    let is_invalid = event.attributes.iter().any(|(name, _)| name == body_schema::ATTRIBUTE);
    let dead = match event.hops > HOPS_MAX {
        true => Some(DeadCause::Loop),
        false => is_invalid.then_some(DeadCause::InvalidBody),
    };
    let now = operator.clock.now();
    let (catalogue, subject) = (operator.store.catalogue(), Subject::new(event));
    let run = |target| {
        let terms = catalogue.terms(&target, &subject);
        NewRun { id: operator.mint.run(now), target, dead, made_by: None, terms }
    };
    targets.into_iter().map(run).collect()
}
