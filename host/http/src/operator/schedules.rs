use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;

use super::query::{Named, Query};
use super::{Api, Operator, audited, created, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::schedule::{ScheduleDetailView, ScheduleRunView, ScheduleView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<ScheduleView>>, Problem> {
    Query::read(&uri, &[])?;
    let schedules = operator.store.schedules().await?;
    Ok(Json(Page::whole(schedules.iter().map(ScheduleView::of))))
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
    let now = operator.clock.now();
    // As where it fires by itself.
    let payload = schedule.payload.map(|payload| (payload.content_type, payload.data));
    let (content_type, data) = payload.unwrap_or_else(|| ("application/json".to_owned(), Vec::new()));
    let job = Job {
        id: operator.mint.job(now),
        origin: JobOrigin::Schedule(schedule.name),
        scheduled_at: now,
        content_type,
        data,
        hops: 0,
    };
    let catalogue = operator.store.catalogue();
    let new = catalogue.new_job(job, operator.mint.run(now), schedule.target, now);
    Ok(operator.store.enqueue(new).await?)
}
