//! What streams say of runs.

use hookbox_core::attempt::{Attempt, LogLine};
use hookbox_core::run::Run;
use schemars::JsonSchema;
use serde::Serialize;

use super::run::LogLineView;

/// A line of a stream of logs.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct LogEventView {
    attempt: u32,
    #[serde(flatten)]
    line: LogLineView,
}

impl LogEventView {
    pub(crate) fn of(attempt: u32, line: &LogLine) -> LogEventView {
        LogEventView { attempt, line: LogLineView::of(line) }
    }
}

/// How an attempt ended, in a stream of logs.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AttemptEndView {
    attempt: u32,
    outcome: &'static str,
    message: Option<String>,
    finished: String,
}

impl AttemptEndView {
    pub(crate) fn of(attempt: &Attempt) -> AttemptEndView {
        AttemptEndView {
            attempt: attempt.number,
            outcome: attempt.outcome.code(),
            message: attempt.outcome.message(),
            finished: attempt.finished.to_string(),
        }
    }
}

/// The end of a stream of logs.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RunEndView {
    state: &'static str,
}

impl RunEndView {
    pub(crate) fn of(run: &Run) -> RunEndView {
        RunEndView { state: run.status().code() }
    }
}
