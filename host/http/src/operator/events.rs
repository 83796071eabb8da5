use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::EventId;
use hookbox_store::StoreError;
use hookbox_store::types::Listed;

use super::Api;
use super::query::{Named, Query};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::event::{EventDetailView, EventRunView, EventView};

/// Runs that are shown with an event: those of its handlers, then replays.
pub(super) const RUNS_MAX: usize = 100;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<EventView>>, Problem> {
    let query = Query::read(&uri, &["cursor", "limit", "unrouted"])?;
    let page = query.page::<EventId>()?;
    let (page, listed) = match query.parsed::<bool>("unrouted")? {
        Some(true) => (operator.store.unrouted(page).await?, Listed::Unrouted),
        Some(false) | None => (operator.store.events(page).await?, Listed::Events),
    };
    let total = operator.store.total(listed).await?;
    Ok(Json(Page::new(page.events.iter().map(EventView::of), page.next, total)))
}

pub(super) async fn show(
    State(operator): Api,
    Named(id): Named<EventId>,
    uri: Uri,
) -> Result<Json<EventDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let record = operator.store.event(id).await?;
    let mut runs = Vec::new();
    for id in record.runs.iter().take(RUNS_MAX) {
        match operator.store.run(*id).await {
            Ok(run) => runs.push(EventRunView::of(&run)),
            // Pruned before its event.
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(EventDetailView::of(&record, runs)))
}
