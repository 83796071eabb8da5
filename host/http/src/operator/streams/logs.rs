//! What the attempts of one run have logged, in order, until it ends.

mod place;

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use hookbox_core::id::RunId;
use hookbox_core::live_logs::SoFar;
use hookbox_core::run::Run;
use hookbox_store::StoreError;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{GATHER, LAST_EVENT_ID, LOOK_EVERY, Watching, answered, event, until_changed};
use crate::operator::Operator;
use crate::operator::query::{Named, Query};
use crate::problem::Problem;
use crate::view::stream::{AttemptEndView, LogEventView, RunEndView};
use place::{Id, Place};

/// `log` for each line, `attempt` where one has ended, `end` with the run: `Last-Event-ID` goes on behind one, and an id
/// that is none begins anew. 204 where the end is behind the reader.
pub(in crate::operator) async fn logs(
    State((operator, streams)): State<Watching>,
    Named(id): Named<RunId>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let given = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse::<Id>().ok());
    let seen = operator.store.signals().changed.last();
    let run = operator.store.run(id).await?;
    if given == Some(Id::End) && run.status().is_terminal() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let permit = streams.place()?;
    let mut log = Log {
        operator,
        run: id,
        seen,
        place: Place::behind(given, &run),
        waiting: VecDeque::new(),
        ended: false,
        _permit: permit,
    };
    log.take(&run);
    Ok(answered(stream::unfold(log, |mut log| async move {
        let event = log.next().await?;
        Some((Ok(event), log))
    })))
}

struct Log {
    operator: Arc<Operator>,
    run: RunId,
    /// The number of the last change that was looked at.
    seen: u64,
    /// What is behind the reader.
    place: Place,
    waiting: VecDeque<Event>,
    ended: bool,
    _permit: OwnedSemaphorePermit,
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
            tokio::select! {
                changed = until_changed(&self.operator, self.seen) => {
                    changed?;
                    tokio::time::sleep(GATHER).await;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let since = self.operator.store.signals().changed.since(self.seen);
            self.seen = since.last;
            if !since.missed && !since.runs.contains(&self.run) {
                self.take_live();
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

    /// Lines of the attempt that is under way; where it begins again, they are told again.
    fn take_live(&mut self) {
        let Some(so_far) = self.so_far().filter(|so_far| so_far.attempt == self.place.attempt) else { return };
        let mut told = if self.place.is_in(&so_far) { self.place.lines() } else { 0 };
        let (attempt, began) = (so_far.attempt, so_far.began);
        for line in &so_far.lines {
            told += 1;
            self.put("log", Id::Line { attempt, began, line: told }, &LogEventView::of(attempt, line));
        }
        self.place = Place::within(&so_far, told);
    }

    /// What the reader has not seen of it: all of it where it has begun again.
    fn so_far(&self) -> Option<SoFar> {
        let rest = self.operator.live_logs.of(self.run, self.place.lines())?;
        if self.place.is_in(&rest) { Some(rest) } else { self.operator.live_logs.of(self.run, 0) }
    }

    /// What the reader has not seen yet of what is on disk.
    fn take(&mut self, run: &Run) {
        for ended in &run.attempts {
            if ended.number < self.place.attempt {
                continue;
            }
            let (attempt, began) = (ended.number, ended.started);
            let told = self.place.lines_of(ended);
            for (before, line) in ended.log.lines.iter().enumerate().skip(told) {
                self.put("log", Id::Line { attempt, began, line: before + 1 }, &LogEventView::of(attempt, line));
            }
            self.put("attempt", Id::Attempt { attempt, began }, &AttemptEndView::of(ended));
            self.place = Place::before(attempt.saturating_add(1));
        }
        if run.status().is_terminal() {
            self.put("end", Id::End, &RunEndView::of(run));
            self.ended = true;
        }
    }

    fn put(&mut self, kind: &str, id: Id, view: &impl Serialize) {
        self.waiting.extend(event(kind, &id.to_string(), view));
    }
}
