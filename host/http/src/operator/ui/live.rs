//! `GET /live`: says that something has changed, at most once a second, as server-sent events. It says no more than
//! that: a page asks for itself anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use hookbox_store::Counts;
use tokio::sync::Semaphore;

use crate::lifecycle::Phase;
use crate::operator::Api;
use crate::problem::Problem;

/// Between two looks. The counts are in memory.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Open pages at one time. They are no streams of the API: neither kind takes the places of the other.
const PAGES_MAX: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(PAGES_MAX)))
    }
}

/// One page too many reads as any other, and is brought up to date by whoever looks at it.
pub(super) async fn stream(State(operator): Api, Extension(Places(places)): Extension<Places>) -> Response {
    let Ok(place) = places.try_acquire_owned() else {
        let cure = format!("{PAGES_MAX} pages are kept up to date: close one, or reload this one by hand");
        return Problem::for_now().because(cure).into_response();
    };
    let told = told(operator).map(move |event| {
        let _held = &place;
        event
    });
    // Some proxies keep what they pass on.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    (unbuffered, Sse::new(told).keep_alive(KeepAlive::default())).into_response()
}

/// Ends when the host does: a stream must not keep it from stopping.
fn told(operator: Arc<super::Operator>) -> impl Stream<Item = Result<Event, Infallible>> {
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
                let same = now.0 == counts && Arc::ptr_eq(&now.1, &catalogue);
                (counts, catalogue) = now;
                if !same {
                    // A browser passes over an event without data.
                    return Some((Ok(Event::default().event("changed").data("counts")), (counts, catalogue)));
                }
            }
        }
    })
}
