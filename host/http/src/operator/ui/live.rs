//! `GET /live`: says that something has changed, at most once a second, as server-sent events. It says no more than
//! that: a page asks for itself anew.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use hookbox_store::Counts;

use crate::lifecycle::Phase;
use crate::operator::Api;

/// Between two looks. The counts are in memory.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn stream(State(operator): Api) -> Response {
    let told = told(operator);
    // Some proxies keep what they pass on.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    (unbuffered, Sse::new(told).keep_alive(KeepAlive::default())).into_response()
}

/// Ends when the host does: a stream must not keep it from stopping.
fn told(operator: std::sync::Arc<super::Operator>) -> impl Stream<Item = Result<Event, Infallible>> {
    let (first, beginning) = (operator.store.counts(), operator.store.catalogue());
    stream::unfold((first, beginning), move |(mut counts, mut catalogue)| {
        let operator = operator.clone();
        async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if operator.lifecycle.phase() == Phase::Draining {
                    return None;
                }
                let now: (Counts, _) = (operator.store.counts(), operator.store.catalogue());
                let same = now.0 == counts && std::sync::Arc::ptr_eq(&now.1, &catalogue);
                (counts, catalogue) = now;
                if !same {
                    // A browser passes over an event without data.
                    return Some((Ok(Event::default().event("changed").data("counts")), (counts, catalogue)));
                }
            }
        }
    })
}
