use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use hookbox_core::id::RunId;
use hookbox_core::run::{RunStatus, Work};
use hookbox_store::StoreError;
use hookbox_store::types::{Replay, RunFilter};

use super::query::{Named, Query};
use super::{Api, Operator, audited, created, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::run::{JobView, ReplayView, RunDetailView, RunView};

const FILTERS: [&str; 7] = ["cursor", "limit", "state", "plugin", "handler", "event", "schedule"];

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<RunView>>, Problem> {
    let query = Query::read(&uri, &FILTERS)?;
    let filter = RunFilter {
        status: query.text("state")?.map(status).transpose()?,
        plugin: query.parsed("plugin")?,
        handler: query.parsed("handler")?,
        event: query.parsed("event")?,
        schedule: query.parsed("schedule")?,
        ..RunFilter::default()
    };
    let page = operator.store.runs(query.page::<RunId>()?, filter).await?;
    Ok(Json(Page::new(page.runs.iter().map(RunView::of), page.next)))
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    RunStatus::ALL.into_iter().find(|status| status.code() == text).ok_or_else(|| {
        let known = RunStatus::ALL.map(RunStatus::code).join(", ");
        Problem::bad_parameter().because(format!("state: must be one of {known}"))
    })
}

pub(super) async fn show(
    State(operator): Api,
    Named(id): Named<RunId>,
    uri: Uri,
) -> Result<Json<RunDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let run = operator.store.run(id).await?;
    let job = match run.work {
        Work::Event(_) => None,
        Work::Job(job) => match operator.store.job(job).await {
            Ok(job) => Some(JobView::of(&job)),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Json(RunDetailView::of(&run, job)))
}

pub(super) async fn replay(
    State(operator): Api,
    Named(parent): Named<RunId>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let id = audited("replay", parent, start(&operator, parent).await)?;
    Ok(created(&format!("/api/v1/runs/{id}"), ReplayView { id: id.to_string(), parent: parent.to_string() }))
}

async fn start(operator: &Operator, parent: RunId) -> Result<RunId, Problem> {
    let now = operator.clock.now();
    Ok(operator.store.replay(Replay::new(parent, operator.mint.run(now)), now).await?)
}
