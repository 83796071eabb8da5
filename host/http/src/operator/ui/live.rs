//! `GET /live`: says that something has changed, at most once a second and at least every ten, as server-sent events. It says
//! no more than that: a page asks for itself anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use hookbox_core::access::AccessRows;
use hookbox_core::hold::Holds;
use hookbox_core::name::ProviderName;
use hookbox_store::{Catalogue, Counts};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::alerts::Shown;
use crate::health::Standing;
use crate::lifecycle::Phase;
use crate::operator::{Api, Operator};
use crate::problem::Problem;

/// Between two looks. The counts are in memory.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A page is told at least so often: what somebody else has set, a disk that fills, and what waits show up by then.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

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

/// What pages show, in short: where it is another, so are they. Nothing here is read from the disk.
struct Look {
    counts: Counts,
    refusals: u64,
    standing: Standing,
    catalogue: Arc<Catalogue>,
    holds: Arc<Holds>,
    alerts: Arc<Shown>,
    pairing: Option<(ProviderName, bool)>,
    access: Arc<AccessRows>,
}

impl Look {
    fn at(operator: &Operator) -> Look {
        Look {
            counts: operator.store.counts(),
            refusals: operator.tally.refusals(),
            standing: operator.standing(),
            catalogue: operator.store.catalogue(),
            holds: operator.store.holds(),
            alerts: operator.alerts.shown(),
            pairing: operator.pairing.stands(operator.clock.monotonic()),
            access: operator.store.access(),
        }
    }
}

impl PartialEq for Look {
    fn eq(&self, other: &Look) -> bool {
        self.counts == other.counts
            && self.refusals == other.refusals
            && self.standing == other.standing
            && self.pairing == other.pairing
            && Arc::ptr_eq(&self.catalogue, &other.catalogue)
            && Arc::ptr_eq(&self.holds, &other.holds)
            && Arc::ptr_eq(&self.alerts, &other.alerts)
            && Arc::ptr_eq(&self.access, &other.access)
    }
}

/// Ends when the host does: a stream must not keep it from stopping.
fn told(operator: Arc<Operator>) -> impl Stream<Item = Result<Event, Infallible>> {
    let first = (Look::at(&operator), Instant::now());
    stream::unfold(first, move |(mut look, told)| {
        let operator = operator.clone();
        async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if operator.lifecycle.phase() == Phase::Draining {
                    return None;
                }
                let before = std::mem::replace(&mut look, Look::at(&operator));
                let why = match look == before {
                    false => "counts",
                    true if told.elapsed() >= TOLD_WITHIN => "time",
                    true => continue,
                };
                // A browser passes over an event without data.
                return Some((Ok(Event::default().event("changed").data(why)), (look, Instant::now())));
            }
        }
    })
}
