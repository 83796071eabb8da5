//! Server-sent events: runs as they change, and the log of one run as it grows.
//!
//! A stream tells what is on disk. It tells some things twice rather than any never: who comes back with the last id that
//! it has seen goes on behind it, and who was away for too long is told so.

mod logs;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use hookbox_core::run::Run;
use hookbox_core::time::Timestamp;
use hookbox_store::StoreError;
use hookbox_store::types::RunFilter;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::query::Query;
use super::{Operator, filter};
use crate::lifecycle::Phase;
use crate::problem::Problem;
use crate::view::run::RunView;

pub(super) use logs::logs;

/// Streams at one time, of all kinds.
const STREAMS_MAX: usize = 64;
/// Comments between events, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two looks whether the host is going down.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Changes are gathered for so long: a run that does three things in it is told once.
const GATHER: Duration = Duration::from_millis(100);
/// Runs that are read for one look; of more, the latest.
const RUNS_MAX: usize = 250;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a stream of runs can be narrowed to: whatever the run itself tells.
pub(super) const NAMES: [&str; 15] = [
    "state",
    "plugin",
    "handler",
    "event",
    "schedule",
    "made_by",
    "since",
    "until",
    "error",
    "version",
    "not_state",
    "not_plugin",
    "not_handler",
    "not_version",
    "not_error",
];

/// Who watches.
#[derive(Debug)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    /// Of this start of the host: numbers of another one mean nothing here.
    boot: Timestamp,
}

pub(super) type Watching = (Arc<Operator>, Arc<Streams>);

impl Streams {
    pub(super) fn new(boot: Timestamp) -> Streams {
        Streams { places: Arc::new(Semaphore::new(STREAMS_MAX)), boot }
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full = |_| Problem::for_now().because(format!("{STREAMS_MAX} streams are open: close one, or come again"));
        Arc::clone(&self.places).try_acquire_owned().map_err(full)
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot.0)
    }

    /// The number in an id of this start.
    fn number(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.split_once('-')?;
        (boot == self.boot.0.to_string()).then(|| number.parse().ok())?
    }
}

/// Every run whose state or record changes, once it is on disk. `missed` says that some are left out: list them.
pub(super) async fn runs(
    State((operator, streams)): State<Watching>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::read(&uri, &NAMES)?;
    let filter = filter::read(|name| query.texts(name))?;
    let feed = &operator.store.signals().changed;
    let given = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    let seen = given.map_or_else(|| Some(feed.last()), |id| streams.number(id));
    let mut waiting = VecDeque::new();
    if seen.is_none() {
        waiting.push_back(missed());
    }
    let seen = seen.unwrap_or_else(|| feed.last());
    // From here on nothing is missed, though nothing may come for long.
    waiting.extend(event("ready", &streams.id(seen), &Nothing {}));
    let place = streams.place()?;
    let watch = Watch { operator, streams, filter, seen, waiting, _place: place };
    Ok(answered(stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    })))
}

#[derive(Serialize)]
struct Nothing {}

struct Watch {
    operator: Arc<Operator>,
    streams: Arc<Streams>,
    filter: RunFilter,
    /// The number of the last change that was looked at.
    seen: u64,
    waiting: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// Nothing once the host goes down: a stream must not keep it from stopping.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            until_changed(&self.operator, self.seen).await?;
            tokio::time::sleep(GATHER).await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let since = self.operator.store.signals().changed.since(self.seen);
        let surplus = since.runs.len().saturating_sub(RUNS_MAX);
        if since.missed || surplus > 0 {
            self.waiting.push_back(missed());
        }
        let mut told = Vec::new();
        for id in &since.runs[surplus..] {
            match self.operator.store.run(*id).await {
                Ok(run) if fits(&run, &self.filter) => told.push(RunView::of(&run)),
                // Of another kind, or pruned by now.
                Ok(_) | Err(StoreError::NotFound(_)) => {}
                Err(_) => {
                    self.waiting.push_back(missed());
                    break;
                }
            }
        }
        // Who goes away within these sees all of them again.
        let (before, last) = (self.streams.id(self.seen), self.streams.id(since.last));
        let events = told.len();
        for (at, view) in told.iter().enumerate() {
            let id = if at + 1 == events { &last } else { &before };
            self.waiting.extend(event("run", id, view));
        }
        self.seen = since.last;
    }
}

fn fits(run: &Run, filter: &RunFilter) -> bool {
    let of_schedule = |name| filter.schedule.contains(name);
    filter.fits_run(run) && (filter.schedule.is_empty() || run.schedule.as_ref().is_some_and(of_schedule))
}

/// Returns once something has changed after `seen`; nothing where the host goes down.
pub(super) async fn until_changed(operator: &Operator, seen: u64) -> Option<()> {
    loop {
        tokio::select! {
            () = operator.store.signals().changed.beyond(seen) => return Some(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if operator.lifecycle.phase() == Phase::Draining {
            return None;
        }
    }
}

/// Nothing where it cannot be written.
fn event(kind: &str, id: &str, view: &impl Serialize) -> Option<Event> {
    Event::default().event(kind).id(id).json_data(view).ok()
}

/// Not an event of its own that is gone behind: it has no id.
fn missed() -> Event {
    Event::default().event("missed").data("{}")
}

fn answered(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    // Some proxies keep what they pass on.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))];
    (unbuffered, Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))).into_response()
}
