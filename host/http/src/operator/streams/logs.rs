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
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{GATHER, LAST_EVENT_ID, LOOK_EVERY, Watching, answered, event, until_changed};
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
    let mut log = Log {
        operator,
        run: id,
        seen,
        told,
        recorded: 0,
        next_attempt: 1,
        execution: None,
        waiting: VecDeque::new(),
        ended: false,
        _place: place,
    };
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
    /// Events of attempts that have ended.
    recorded: usize,
    /// The attempt that is under way, if one is.
    next_attempt: u32,
    /// The one whose lines were told before its end.
    execution: Option<u64>,
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

    /// Lines of the attempt that is under way. They keep their numbers when it is recorded; where it begins again, so do they.
    fn take_live(&mut self) {
        let told = self.told.saturating_sub(self.recorded);
        let Some(mut so_far) = self.operator.live_logs.of(self.run, told) else { return };
        if so_far.attempt != self.next_attempt {
            return;
        }
        if self.execution.is_some_and(|execution| execution != so_far.execution) {
            self.told = self.recorded;
            let Some(whole) = self.operator.live_logs.of(self.run, 0) else { return };
            so_far = whole;
        }
        self.execution = Some(so_far.execution);
        self.told = self.told.max(self.recorded);
        for line in &so_far.lines {
            self.told += 1;
            self.waiting.extend(event("log", &self.told.to_string(), &LogEventView::of(so_far.attempt, line)));
        }
    }

    /// What the reader has not seen yet.
    fn take(&mut self, run: &Run) {
        let next = run.attempts.iter().find(|attempt| attempt.number == self.next_attempt);
        // It began again with less to say: its lines are told anew.
        if self.execution.is_some() && next.is_some_and(|next| self.told > self.recorded + next.log.lines.len()) {
            self.told = self.recorded;
        }
        let mut number = 0;
        for attempt in &run.attempts {
            for line in &attempt.log.lines {
                number += 1;
                self.put(number, "log", &LogEventView::of(attempt.number, line));
            }
            number += 1;
            self.put(number, "attempt", &AttemptEndView::of(attempt));
        }
        if number != self.recorded {
            (self.recorded, self.execution) = (number, None);
        }
        self.next_attempt = run.attempts.last().map_or(1, |attempt| attempt.number + 1);
        if run.status().is_terminal() {
            number += 1;
            self.put(number, "end", &RunEndView::of(run));
            self.ended = true;
        }
        self.told = self.told.max(number);
    }

    fn put(&mut self, number: usize, kind: &str, view: &impl Serialize) {
        if number > self.told {
            self.waiting.extend(event(kind, &number.to_string(), view));
        }
    }
}
