use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use hookbox_core::effects::QUEUE_DATA_BYTES_MAX;
use hookbox_core::encoding;
use hookbox_core::event::{Event, Job, Source};
use hookbox_core::id::RunId;
use hookbox_core::route::filter::Subject;
use hookbox_core::run::{CancelCause, Run, Work};
use hookbox_store::StoreError;
use hookbox_store::types::{Cancellable, Edited, Replay};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::payload::{self, Payload, Written};
use super::query::{Named, Query};
use super::sort::{self, Among, Cursor, Sort, Sorted};
use super::waits::{self, Waiting};
use super::{Api, Operator, asked_in, audited, created, filter, nothing_in, totals};
use crate::json;
use crate::problem::Problem;
use crate::view::Page;
use crate::view::run::{JobView, ReplayView, RunDetailView, RunView, result_of};

/// A result is what a plugin says: a browser must not run it.
const RESULT_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<RunsView>, Problem> {
    let query = Query::read(&uri, &[&["cursor", "limit", "sort"], &filter::NAMES[..]].concat())?;
    let filter = filter::read(|name| query.texts(name))?;
    let sort = query.parsed::<Sort>("sort")?.unwrap_or_default();
    let Sorted { runs, next, among } = sort::runs(&operator, query.page::<Cursor>()?, filter.clone(), sort).await?;
    let total = totals::runs(&operator, &filter).await?;
    let page = Page::new(runs.iter().map(RunView::of), next, total);
    Ok(Json(RunsView { page, sorted: among.map(SortedView::of) }))
}

/// A page of runs.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct RunsView {
    #[serde(flatten)]
    page: Page<RunView>,
    /// Where they are in another order than by `created`: of what.
    sorted: Option<SortedView>,
}

/// The newest runs that fit, which were put in order.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct SortedView {
    runs: u64,
    /// Where older ones may fit that were not looked at: those that were made before this time.
    since: Option<String>,
}

impl SortedView {
    fn of(among: Among) -> SortedView {
        SortedView { runs: among.runs, since: among.oldest.map(|oldest| oldest.time().to_string()) }
    }
}

pub(super) async fn show(
    State(operator): Api,
    Named(id): Named<RunId>,
    uri: Uri,
) -> Result<Json<RunDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let run = operator.store.run(id).await?;
    let job = match work_of(&operator, &run).await? {
        Some(Old::Job(job)) => Some(JobView::of(&job)),
        Some(Old::Event(_)) | None => None,
    };
    Ok(Json(RunDetailView::of(&run, job)))
}

/// The bytes that the handler returned, under its own content type; with `wait`, once it has.
pub(super) async fn result(
    State((operator, waits)): State<Waiting>,
    Named(id): Named<RunId>,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::read(&uri, &["wait"])?;
    let run = waits::run(&operator, &waits, id, query.parsed("wait")?).await?;
    let none = || Problem::not_found().because(format!("run {id} has no result: it is {}", run.status().code()));
    let output = result_of(&run).ok_or_else(none)?;
    let content_type = HeaderValue::from_str(&output.content_type);
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let shown = json::is_declared(&output.content_type) || json::is_essence(&output.content_type, "text/plain");
    let mut response = ([(CONTENT_TYPE, content_type)], output.data.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, RESULT_POLICY);
    if !shown {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    Ok(response)
}

/// Takes a run off the queue; one that is executed is stopped, and nothing that it wrote is kept.
pub(super) async fn cancel(
    State(operator): Api,
    Named(id): Named<RunId>,
    uri: Uri,
    body: Body,
) -> Result<Json<RunView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    Ok(Json(audited("cancel", id, stop(&operator, id).await)?))
}

async fn stop(operator: &Operator, id: RunId) -> Result<RunView, Problem> {
    let now = operator.clock.now();
    let done = operator.store.cancel(vec![id], Cancellable::Alive, CancelCause::Operator, now).await?;
    let run = operator.store.run(id).await?;
    match done.is_empty() {
        true => Err(Problem::conflict().because(format!("run {id} has ended: it is {}", run.status().code()))),
        false => Ok(RunView::of(&run)),
    }
}

/// Another payload in place of the one that the run has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReplayRequest")]
pub(super) struct Asked {
    #[serde(default, deserialize_with = "payload::present")]
    data: Option<Box<RawValue>>,
    text: Option<String>,
    base64: Option<String>,
    content_type: Option<String>,
}

pub(super) async fn replay(
    State(operator): Api,
    Named(parent): Named<RunId>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let id = audited("replay", parent, start(&operator, parent, body).await)?;
    Ok(created(&format!("/api/v1/runs/{id}"), ReplayView { id: id.to_string(), parent: parent.to_string() }))
}

async fn start(operator: &Operator, parent: RunId, body: Body) -> Result<RunId, Problem> {
    let run = operator.store.run(parent).await?;
    let old = work_of(operator, &run).await?;
    let (usual, bytes_max) = match &old {
        Some(Old::Event(event)) => (Some(event.content_type.clone()), body_bytes_max(operator, event)),
        Some(Old::Job(job)) => (Some(job.content_type.clone()), QUEUE_DATA_BYTES_MAX),
        None => (None, QUEUE_DATA_BYTES_MAX),
    };
    let Asked { data, text, base64, content_type } = asked_in(body, payload::request_bytes_max(bytes_max)).await?;
    let payload = Written { data, text, base64, content_type }.read(usual.as_deref(), bytes_max)?;
    // Where the work has been pruned, the store says so.
    let edited = payload.map(|payload| edit(operator, &run, old, payload));
    operator.has_room_for(1)?;
    let now = operator.clock.now();
    Ok(operator.store.replay(Replay { run: parent, new: operator.mint.run(now), edited }, now).await?)
}

/// What a run works on.
pub(super) enum Old {
    Event(Event),
    Job(Job),
}

/// Nothing where it has been pruned.
pub(super) async fn work_of(operator: &Operator, run: &Run) -> Result<Option<Old>, StoreError> {
    let work = match run.work {
        Work::Event(event) => operator.store.event_input(event).await.map(Old::Event),
        Work::Job(job) => operator.store.job(job).await.map(Old::Job),
    };
    match work {
        Ok(work) => Ok(Some(work)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As where it came in.
fn body_bytes_max(operator: &Operator, event: &Event) -> usize {
    match &event.source {
        Source::Plugin(_) => QUEUE_DATA_BYTES_MAX,
        Source::Provider(name) => {
            let providers = operator.providers.load();
            let own = providers.find(name.as_str()).and_then(|(_, live)| live.body_bytes_max);
            own.unwrap_or(operator.body_bytes_max)
        }
    }
}

/// The run waits for those that have the key of the new payload, where its handler looks for one there.
fn edit(operator: &Operator, run: &Run, old: Option<Old>, (content_type, data): Payload) -> Edited {
    let catalogue = operator.store.catalogue();
    let policy = catalogue.handler(&run.target).map(|handler| &handler.policy);
    let looks = policy.is_some_and(|policy| policy.order_per.is_some() || policy.concurrency_per.is_some());
    let (data, found) = match old {
        Some(Old::Event(event)) => {
            let mut edited = Event { data, content_type: content_type.clone(), ..event };
            edited.attributes.retain(|(name, _)| name != encoding::ATTRIBUTE);
            let gate = catalogue.terms(&run.target, &Subject::new(&edited)).gate;
            (edited.data, gate)
        }
        Some(Old::Job(job)) => {
            let edited = Job { data, content_type: content_type.clone(), ..job };
            let gate = catalogue.terms(&run.target, &Subject::of_job(&edited)).gate;
            (edited.data, gate)
        }
        None => (data, None),
    };
    Edited { content_type, data, gate: if looks { found } else { run.gate.clone() } }
}
