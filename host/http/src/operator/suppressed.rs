//! Deliveries that were duplicates, and releasing one that was none.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::EventId;
use hookbox_store::types::Listed;

use super::query::{Named, Query};
use super::unrouted::runs_for;
use super::{Api, Operator, audited, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::route::RoutedView;
use crate::view::suppressed::{SuppressedDetailView, SuppressedView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<SuppressedView>>, Problem> {
    let page = Query::read(&uri, &["cursor", "limit"])?.page::<EventId>()?;
    let page = operator.store.suppressed(page).await?;
    let total = operator.store.total(Listed::Suppressed).await?;
    Ok(Json(Page::new(page.items.iter().map(SuppressedView::of), page.next, total)))
}

pub(super) async fn show(
    State(operator): Api,
    Named(id): Named<EventId>,
    uri: Uri,
) -> Result<Json<SuppressedDetailView>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(SuppressedDetailView::of(&operator.store.suppressed_one(id).await?)))
}

/// Takes it in after all, with the runs that it would have if it came anew.
pub(super) async fn release(
    State(operator): Api,
    Named(id): Named<EventId>,
    uri: Uri,
    body: Body,
) -> Result<Json<RoutedView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let released = make_event(&operator, id).await;
    Ok(Json(audited("release", id, released)?))
}

async fn make_event(operator: &Operator, id: EventId) -> Result<RoutedView, Problem> {
    let event = operator.store.suppressed_one(id).await?.event;
    let runs = runs_for(operator, &event);
    let shown = runs.iter().map(|run| run.id.to_string()).collect();
    operator.has_room_for(runs.len())?;
    operator.store.release(id, runs, operator.clock.now()).await?;
    Ok(RoutedView { event: id.to_string(), runs: shown })
}
