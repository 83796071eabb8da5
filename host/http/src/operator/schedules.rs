mod backfill;
mod put;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{Pause, ScheduleRow};
use hookbox_store::StoreError;
use hookbox_store::types::{ScheduleChange, Total};
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::{Named, Query};
use super::{Api, BODY_BYTES_MAX, Operator, asked_in, audited, created, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::schedule::{RemovedView, ScheduleDetailView, ScheduleRunView, ScheduleView};
pub(super) use backfill::{Asked as BackfillAsked, backfill};
pub(super) use put::{preview, previewed, put};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<ScheduleView>>, Problem> {
    let query = Query::read(&uri, &["cursor", "limit"])?;
    let page = query.page::<ScheduleName>()?;
    // One more tells whether there is another page.
    let mut rows = operator.store.schedules(page.before.as_ref(), page.limit + 1).await?;
    let further = rows.len() > page.limit;
    rows.truncate(page.limit);
    let next = rows.last().filter(|_| further).map(|last| last.schedule.name.clone());
    let now = operator.clock.now();
    let total = Total { count: operator.store.schedule_counts(now).all(), exact: true };
    Ok(Json(Page::new(rows.iter().map(|row| ScheduleView::of(row, now)), next, total)))
}

pub(super) async fn show(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
) -> Result<Json<ScheduleDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let row = operator.store.schedule(&name).await?;
    Ok(Json(detail(&operator, &row).await?))
}

pub(super) async fn detail(operator: &Operator, row: &ScheduleRow) -> Result<ScheduleDetailView, StoreError> {
    let mut open = Vec::new();
    for id in &row.open {
        match operator.store.run(*id).await {
            Ok(run) if matches!(run.status(), RunStatus::Pending | RunStatus::Leased) => open.push(*id),
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ScheduleDetailView::of(row, &open, operator.clock.now()))
}

/// What others declare under the name counts again.
pub(super) async fn remove(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Json<RemovedView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let removed = operator.store.remove_schedule(&name, operator.clock.now()).await.map_err(Problem::from);
    audited("remove schedule", &name, removed)?;
    let left = match operator.store.schedule(&name).await {
        Ok(row) => Some(row.schedule.origin),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(RemovedView::of(&name, left)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PauseRequest")]
pub(super) struct Asked {
    note: Option<String>,
}

/// One that is paused already keeps its time and its note.
pub(super) async fn pause(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Json<ScheduleDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    let pause = Pause::new(operator.clock.now(), asked.note.as_deref());
    change(&operator, "pause schedule", &name, ScheduleChange::Pause(pause)).await
}

/// Slots that came meanwhile are not made up for.
pub(super) async fn resume(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Json<ScheduleDetailView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    change(&operator, "resume schedule", &name, ScheduleChange::Resume).await
}

/// Begins anew at this moment, be that before its last slot: for a clock that was wrong.
pub(super) async fn reset(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Json<ScheduleDetailView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    change(&operator, "reset schedule", &name, ScheduleChange::Reset).await
}

async fn change(
    operator: &Operator,
    what: &'static str,
    name: &ScheduleName,
    change: ScheduleChange,
) -> Result<Json<ScheduleDetailView>, Problem> {
    let changed = operator.store.change_schedule(name, change, operator.clock.now()).await.map_err(Problem::from);
    let row = audited(what, name, changed)?;
    Ok(Json(detail(operator, &row).await?))
}

/// Runs it once more: its slots and their verdicts stay what they are.
pub(super) async fn run(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let run = audited("run schedule", &name, start(&operator, &name).await)?;
    Ok(created(&format!("/api/v1/runs/{run}"), ScheduleRunView { run: run.to_string() }))
}

async fn start(operator: &Operator, name: &ScheduleName) -> Result<RunId, Problem> {
    let schedule = operator.store.schedule(name).await?.schedule;
    let (now, mint) = (operator.clock.now(), &operator.mint);
    let (job, run) = (mint.job(now), mint.run(now));
    // Not the key of a slot: its slots and their verdicts stay what they are.
    let key = format!("{name}@{run}");
    operator.has_room_for(1)?;
    let new = operator.store.catalogue().new_extra(&schedule, now, (job, run), key, now);
    Ok(operator.store.enqueue(new).await?)
}
