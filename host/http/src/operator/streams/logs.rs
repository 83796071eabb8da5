//! What the attempts of one run have logged, in order, until it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use hookbox_core::id::RunId;
use hookbox_core::run::Run;
use hookbox_store::StoreError;
use tokio::sync::OwnedSemaphorePermit;

use super::{LAST_EVENT_ID, Watching, answered, event, until_changed};
use crate::operator::Operator;
use crate::operator::query::{Named, Query};
use crate::problem::Problem;
use crate::view::stream::{AttemptEndView, LogEventView, RunEndView};

/// `log` for each line, `attempt` where one has ended, `end` with the run. They are numbered from 1 on, and keep their
/// numbers: `Last-Event-ID` goes on behind one. 204 where all of an ended run is behind it.
pub(in crate::operator) async fn logs(
    State((operator, streams)): State<Watching>,
    Named(id): Named<RunId>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let given = headers.get(LAST_EVENT_ID).map(|id| id.to_str().ok().and_then(|id| id.parse::<usize>().ok()));
    let wrong = || Problem::bad_parameter().because("Last-Event-ID: must be the id of an event of this stream");
    let told = given.map_or(Ok(0), |id| id.ok_or_else(wrong))?;
    let seen = operator.store.signals().changed.last();
    let run = operator.store.run(id).await?;
    if told > 0 && run.status().is_terminal() && told >= lines(&run) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = streams.place()?;
    let mut log = Log { operator, run: id, seen, told, waiting: VecDeque::new(), ended: false, _place: place };
    log.take(&run);
    Ok(answered(stream::unfold(log, |mut log| async move {
        let event = log.next().await?;
        Some((Ok(event), log))
    })))
}

/// Events of a run as it is.
fn lines(run: &Run) -> usize {
    let of_attempts: usize = run.attempts.iter().map(|attempt| attempt.log.lines.len() + 1).sum();
    of_attempts + usize::from(run.status().is_terminal())
}

struct Log {
    operator: Arc<Operator>,
    run: RunId,
    /// The number of the last change that was looked at.
    seen: u64,
    /// Events that are behind the reader.
    told: usize,
    waiting: VecDeque<Event>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Log {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            until_changed(&self.operator, self.seen).await?;
            let since = self.operator.store.signals().changed.since(self.seen);
            self.seen = since.last;
            if !since.missed && !since.runs.contains(&self.run) {
                continue;
            }
            match self.operator.store.run(self.run).await {
                Ok(run) => self.take(&run),
                // The client comes again, and goes on behind what it has.
                Err(StoreError::Unavailable(_)) => return None,
                Err(_) => self.ended = true,
            }
        }
    }

    /// What the reader has not seen yet.
    fn take(&mut self, run: &Run) {
        let (mut number, told) = (0, self.told);
        let mut put = |waiting: &mut VecDeque<Event>, make: &dyn Fn(&str) -> Option<Event>| {
            number += 1;
            if number > told {
                waiting.extend(make(&number.to_string()));
            }
        };
        for attempt in &run.attempts {
            for line in &attempt.log.lines {
                put(&mut self.waiting, &|id| event("log", id, &LogEventView::of(attempt.number, line)));
            }
            put(&mut self.waiting, &|id| event("attempt", id, &AttemptEndView::of(attempt)));
        }
        if run.status().is_terminal() {
            put(&mut self.waiting, &|id| event("end", id, &RunEndView::of(run)));
            self.ended = true;
        }
        self.told = told.max(number);
    }
}
