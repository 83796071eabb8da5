use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;

use super::query::{Named, Query};
use super::{Api, Operator, audited, created, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::schedule::{ScheduleDetailView, ScheduleRunView, ScheduleView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<ScheduleView>>, Problem> {
    let query = Query::read(&uri, &["cursor", "limit"])?;
    let page = query.page::<ScheduleName>()?;
    let rows = operator.store.schedules(page.before.as_ref(), page.limit).await?;
    let next = rows.last().filter(|_| rows.len() == page.limit).map(|last| last.schedule.name.clone());
    Ok(Json(Page::new(rows.iter().map(ScheduleView::of), next)))
}

pub(super) async fn show(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
) -> Result<Json<ScheduleDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let row = operator.store.schedule(&name).await?;
    Ok(Json(ScheduleDetailView::of(&row)))
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
    let new = operator.store.catalogue().new_firing(&schedule, now, (job, run), key, now);
    Ok(operator.store.enqueue(new).await?)
}
