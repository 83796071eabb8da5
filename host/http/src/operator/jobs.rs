use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hookbox_core::effects::QUEUE_DATA_BYTES_MAX;
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::policy::WAIT_MAX;
use hookbox_core::time::{Millis, NotADuration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::idempotency::Kept;
use super::payload::{self, Written};
use super::query::Query;
use super::waits::{self, Wait, Waiting};
use super::{Operator, asked_in, audited, created};
use crate::problem::Problem;
use crate::view::run::{JobMadeView, WaitedView};

/// Of a key that a plugin gives, too.
const UNIQUE_KEY_BYTES_MAX: usize = 128;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JobRequest")]
pub(super) struct Asked {
    #[serde(default, deserialize_with = "payload::present")]
    data: Option<Box<RawValue>>,
    text: Option<String>,
    base64: Option<String>,
    content_type: Option<String>,
    /// Such as 5m; else as the handler's policy has it.
    delay: Option<String>,
    /// In place of the one that the handler's policy finds in the payload.
    unique_key: Option<String>,
}

/// Makes a job for a handler with a schedule, or with none: 201, or 200 where the run that is told has its key and is
/// alive. With `wait` it answers once that run has ended, or the wait is over.
pub(super) async fn run(
    State((operator, waits)): State<Waiting>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let wait = Query::read(&uri, &["wait"])?.parsed::<Wait>("wait")?;
    let unreadable = |_| Problem::not_found().because("the name in the path is no text");
    let Path((plugin, handler)) = path.map_err(unreadable)?;
    let target: HandlerRef = format!("{plugin}/{handler}")
        .parse()
        .map_err(|error| Problem::not_found().because(format!("in the path: {error}")))?;
    // Who cannot wait is told so before anything is made.
    let place = match wait {
        Some(wait) => Some((waits.place()?, wait)),
        None => None,
    };
    let (run, new) = audited("run", &target, start(&operator, target.clone(), body).await)?;
    let made = || JobMadeView { run: run.to_string(), new, waited: None };
    let Some((place, wait)) = place else { return Ok(told(made())) };
    // It is made, whatever keeps it from being looked at.
    let ended = waits::ended(&operator, place, run, wait).await.ok();
    let mut response = told(JobMadeView { waited: ended.as_ref().map(WaitedView::of), ..made() });
    // How the run is at a later time is looked up then.
    if let Ok(body) = serde_json::to_vec(&made()) {
        response.extensions_mut().insert(Kept(body.into()));
    }
    Ok(response)
}

fn told(view: JobMadeView) -> Response {
    match view.new {
        true => created(&format!("/api/v1/runs/{}", view.run), view),
        false => (StatusCode::OK, axum::Json(view)).into_response(),
    }
}

async fn start(operator: &Operator, target: HandlerRef, body: Body) -> Result<(RunId, bool), Problem> {
    let catalogue = operator.store.catalogue();
    match catalogue.handler(&target).map(|handler| &handler.trigger) {
        Some(Trigger::Schedule(_) | Trigger::Manual) => {}
        Some(Trigger::Events(_)) => {
            let cure = format!("{target} takes events: send one with hookbox send, or replay one of its runs");
            return Err(Problem::conflict().because(cure));
        }
        None => {
            let cure = format!("there is no handler {target}: hookbox plugins show {} lists them", target.plugin);
            return Err(Problem::not_found().because(cure));
        }
    }
    let asked: Asked = asked_in(body, payload::request_bytes_max(QUEUE_DATA_BYTES_MAX)).await?;
    let delay = asked.delay.as_deref().map(delay).transpose()?;
    let unique = asked.unique_key.map(unique_key).transpose()?;
    let written =
        Written { data: asked.data, text: asked.text, base64: asked.base64, content_type: asked.content_type };
    // Without a payload as where a schedule fires.
    let payload = written.read(None, QUEUE_DATA_BYTES_MAX)?;
    let (content_type, data) = payload.unwrap_or_else(|| ("application/json".to_owned(), Vec::new()));
    let now = operator.clock.now();
    let id = operator.mint.job(now);
    let job = Job { id, origin: JobOrigin::Operator, scheduled_at: now, content_type, data, hops: 0, trace: None };
    let mut new = catalogue.new_job(job, operator.mint.run(now), target, now);
    new.due = delay.map_or(new.due, |delay| now.plus(delay));
    new.run.terms.unique = unique.or(new.run.terms.unique);
    operator.has_room_for(1)?;
    let wanted = new.run.id;
    let run = operator.store.enqueue(new).await?;
    Ok((run, run == wanted))
}

fn delay(text: &str) -> Result<Millis, Problem> {
    let wrong = |why: String| Problem::bad_parameter().because(format!("delay: {why}"));
    let delay: Millis = text.parse().map_err(|error: NotADuration| wrong(error.to_string()))?;
    if delay <= WAIT_MAX { Ok(delay) } else { Err(wrong(format!("must be at most {WAIT_MAX}"))) }
}

fn unique_key(key: String) -> Result<String, Problem> {
    if (1..=UNIQUE_KEY_BYTES_MAX).contains(&key.len()) && !key.chars().any(char::is_control) {
        return Ok(key);
    }
    Err(Problem::bad_parameter().because("unique_key: must be 1 to 128 bytes without control characters"))
}
