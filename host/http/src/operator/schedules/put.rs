//! Schedules that operators make and change.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hookbox_core::config::{PAYLOAD_BYTES_MAX, SCHEDULE_KINDS, schedule_of_operator};
use hookbox_core::cron::Zones;
use hookbox_core::name::ScheduleName;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{Origin, Schedule, ScheduleRow};
use hookbox_store::StoreError;
use serde_json::{Map, Value};

use super::detail;
use crate::operator::payload::request_bytes_max;
use crate::operator::query::{Named, Query};
use crate::operator::{Api, Operator, asked_in, audited, created};
use crate::problem::Problem;
use crate::view::schedule::{MistakeView, PreviewView, PutView};

/// The name that a preview has in the place of one.
const PREVIEW: &str = "preview";

type Members = Map<String, Value>;

/// Makes an operator's schedule or changes it: 201 where it is new.
pub(in crate::operator) async fn put(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let asked: Members = asked_in(body, request_bytes_max(PAYLOAD_BYTES_MAX)).await?;
    let (new, view) = audited("put schedule", &name, take(&operator, &name, asked).await)?;
    match new {
        true => Ok(created(&format!("/api/v1/schedules/{name}"), view)),
        false => Ok((StatusCode::OK, Json(view)).into_response()),
    }
}

async fn take(operator: &Operator, name: &ScheduleName, asked: Members) -> Result<(bool, PutView), Problem> {
    let before = known(operator, name).await?;
    if before.as_ref().is_some_and(|row| row.schedule.origin == Origin::Config) {
        let cure = format!("{name} is in hooks.yaml, which comes first: change it there, or take it out there");
        return Err(Problem::conflict().because(cure));
    }
    let (schedule, mistakes) = read(operator, name, before.as_ref(), asked).map_err(refused)?;
    if !mistakes.is_empty() {
        return Err(refused(mistakes));
    }
    let new = own(before.as_ref()).is_none();
    let row = operator.store.put_schedule(schedule, operator.clock.now()).await?;
    let warnings = warnings(operator, &row);
    Ok((new, PutView { schedule: detail(operator, &row).await?, warnings }))
}

/// Says what a schedule would be, and changes nothing. Its name decides how far jitter puts it off.
pub(in crate::operator) async fn preview(
    State(operator): Api,
    Named(place): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Json<PreviewView>, Problem> {
    if place.as_str() != PREVIEW {
        let cure = format!("PUT makes or changes {place}; POST /api/v1/schedules/preview only says what it would be");
        return Err(Problem::wrong_method().because(cure).with_header("allow", "GET,HEAD,PUT,DELETE"));
    }
    let name = Query::read(&uri, &["name"])?.parsed::<ScheduleName>("name")?;
    let asked: Members = asked_in(body, request_bytes_max(PAYLOAD_BYTES_MAX)).await?;
    previewed(&operator, name, asked).await.map(Json)
}

/// What the schedule of a name, or of none yet, would be.
pub(in crate::operator) async fn previewed(
    operator: &Operator,
    name: Option<ScheduleName>,
    asked: Members,
) -> Result<PreviewView, Problem> {
    let name = match name {
        Some(name) => name,
        None => ScheduleName::parse(PREVIEW).map_err(|error| Problem::bad_parameter().because(error.to_string()))?,
    };
    let before = known(operator, &name).await?;
    let (schedule, mut mistakes) = match read(operator, &name, before.as_ref(), asked) {
        Ok(read) => read,
        Err(mistakes) => return Ok(PreviewView::bad(mistakes)),
    };
    let whole = |message: String| MistakeView { path: String::new(), message };
    let now = operator.clock.now();
    let row = if before.is_some_and(|row| row.schedule.origin == Origin::Config) {
        mistakes.push(whole(format!("{name} is in hooks.yaml, which comes first: change it there")));
        ScheduleRow::new(schedule, now).map_err(|error| StoreError::Conflict(error.to_string()))
    } else {
        operator.store.preview_schedule(schedule, now).await
    };
    Ok(match row {
        Ok(row) => PreviewView::of(&row, mistakes, warnings(operator, &row)),
        Err(StoreError::Conflict(message)) => PreviewView::bad(vec![whole(message)]),
        Err(error) => return Err(error.into()),
    })
}

async fn known(operator: &Operator, name: &ScheduleName) -> Result<Option<ScheduleRow>, StoreError> {
    match operator.store.schedule(name).await {
        Ok(row) => Ok(Some(row)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an operator has declared under the name before.
fn own(before: Option<&ScheduleRow>) -> Option<&Schedule> {
    let mut all = before.into_iter().flat_map(|row| row.shadowed.iter().chain([&row.schedule]));
    all.find(|schedule| schedule.origin == Origin::Operator)
}

/// What was asked for, and what is wrong with it though it reads. Fails with what does not read.
fn read(
    operator: &Operator,
    name: &ScheduleName,
    before: Option<&ScheduleRow>,
    asked: Members,
) -> Result<(Schedule, Vec<MistakeView>), Vec<MistakeView>> {
    let kind = SCHEDULE_KINDS.into_iter().find(|kind| asked.contains_key(*kind)).unwrap_or_default();
    let schedule = schedule_of_operator(name.clone(), Value::Object(asked))
        .map_err(|mistakes| mistakes.0.into_iter().map(MistakeView::from).collect::<Vec<_>>())?;
    let mut mistakes = Vec::new();
    let times = |schedule: &Schedule| (schedule.when.clone(), schedule.rules.start, schedule.rules.end);
    // One that stays what it is may be at its end.
    if own(before).is_none_or(|own| times(own) != times(&schedule))
        && let Err(error) = schedule.first_after(operator.clock.now(), &Zones::default())
    {
        mistakes.push(MistakeView { path: kind.to_owned(), message: error.to_string() });
    }
    let target = &schedule.target;
    let catalogue = operator.store.catalogue();
    if let Some(Trigger::Events(_)) = catalogue.handler(target).map(|handler| &handler.trigger) {
        let message = format!("{target} takes events; a schedule needs a handler with #[cron], #[every] or #[job]");
        mistakes.push(MistakeView { path: "handler".to_owned(), message });
    }
    Ok((schedule, mistakes))
}

fn refused(mistakes: Vec<MistakeView>) -> Problem {
    let told = |mistake: &MistakeView| match mistake.path.as_str() {
        "" => mistake.message.clone(),
        path => format!("{path}: {}", mistake.message),
    };
    let detail = mistakes.iter().map(told).collect::<Vec<_>>().join("; ");
    let errors = mistakes.into_iter().map(|mistake| (mistake.path, mistake.message));
    Problem::bad_schedule().because(detail).with_errors(errors)
}

fn warnings(operator: &Operator, row: &ScheduleRow) -> Vec<String> {
    let (schedule, catalogue) = (&row.schedule, operator.store.catalogue());
    let target = &schedule.target;
    let mut warnings = Vec::new();
    if catalogue.plugin(&target.plugin).is_none_or(|plugin| plugin.active.is_none()) {
        warnings.push(format!("there is no plugin {} yet: its runs will wait for it", target.plugin));
    } else if catalogue.handler(target).is_none() {
        warnings.push(format!("plugin {} has no handler {}: its runs will wait for it", target.plugin, target.handler));
    }
    if row.left() == Some(0) {
        warnings
            .push("its count is used up, so it fires no more: raise count, or remove it and make it anew".to_owned());
    }
    for other in &row.shadowed {
        let (origin, name) = (other.origin.code(), &schedule.name);
        warnings.push(format!("the schedule {name} of a {origin} does not count while this one is here"));
    }
    warnings
}
