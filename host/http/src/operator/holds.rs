//! Holding back the runs of the host, of a plugin or of a handler.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::hold::{Held, Hold};
use hookbox_store::types::Waiting;
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::{Named, Query};
use super::{Api, BODY_BYTES_MAX, Operator, asked_in, audited, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::hold::HoldView;

/// Things that are held at one time.
const HOLDS_MAX: usize = 1000;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<HoldView>>, Problem> {
    Query::read(&uri, &[])?;
    let waiting = operator.store.waiting().await?;
    let holds = operator.store.holds();
    Ok(Json(Page::whole(holds.0.iter().map(|(held, hold)| view(&operator, held, hold, &waiting)))))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HoldRequest")]
pub(super) struct Asked {
    note: Option<String>,
}

pub(super) async fn show(State(operator): Api, Named(held): Named<Held>, uri: Uri) -> Result<Json<HoldView>, Problem> {
    Query::read(&uri, &[])?;
    let (holds, waiting) = (operator.store.holds(), operator.store.waiting().await?);
    let hold = holds.0.get(&held).ok_or_else(|| Problem::not_found().because(format!("{held} is not held")))?;
    Ok(Json(view(&operator, &held, hold, &waiting)))
}

/// What is held already keeps its time and its note.
pub(super) async fn hold(
    State(operator): Api,
    Named(held): Named<Held>,
    uri: Uri,
    body: Body,
) -> Result<Json<HoldView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    let done = begin(&operator, &held, asked.note.as_deref()).await;
    Ok(Json(audited("hold", held, done)?))
}

async fn begin(operator: &Operator, held: &Held, note: Option<&str>) -> Result<HoldView, Problem> {
    let holds = operator.store.holds();
    if holds.0.len() >= HOLDS_MAX && !holds.0.contains_key(held) {
        return Err(Problem::conflict().because(format!("{HOLDS_MAX} are held: release some, or hold a whole plugin")));
    }
    let hold = Hold::new(operator.clock.now(), note);
    operator.store.hold(held.clone(), Some(hold.clone())).await?;
    let waiting = operator.store.waiting().await?;
    let kept = operator.store.holds().0.get(held).cloned();
    Ok(view(operator, held, &kept.unwrap_or(hold), &waiting))
}

/// Tells what was held, and how many runs have waited.
pub(super) async fn release(
    State(operator): Api,
    Named(held): Named<Held>,
    uri: Uri,
    body: Body,
) -> Result<Json<HoldView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let done = end(&operator, &held).await;
    Ok(Json(audited("release", held, done)?))
}

async fn end(operator: &Operator, held: &Held) -> Result<HoldView, Problem> {
    let (holds, waiting) = (operator.store.holds(), operator.store.waiting().await?);
    let released = operator.store.hold(held.clone(), None).await?;
    let hold = holds.0.get(held).filter(|_| released);
    let hold = hold.ok_or_else(|| Problem::not_found().because(format!("{held} is not held")))?;
    Ok(view(operator, held, hold, &waiting))
}

fn view(operator: &Operator, held: &Held, hold: &Hold, waiting: &[Waiting]) -> HoldView {
    let catalogue = operator.store.catalogue();
    let known = match held {
        Held::Host => true,
        Held::Plugin(plugin) => catalogue.plugin(plugin).is_some(),
        Held::Handler(handler) => catalogue.handler(handler).is_some(),
    };
    let of_it = waiting.iter().filter(|waiting| held.covers(&waiting.handler));
    HoldView::of(held, hold, known, of_it.map(|waiting| waiting.runs).sum())
}
