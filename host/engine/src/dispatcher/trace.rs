//! The spans of a run: one for each attempt, below one for the run, which is below the webhook's.

use hookbox_core::attempt::{Executed, Input};
use hookbox_core::id::RunId;
use hookbox_core::run::{Run, RunStatus};
use hookbox_core::trace::{Began, CallTrace, Kind, SpanId, TraceContext, Tracing, Unended};

use super::Dispatcher;
use super::mark::Held;

impl Dispatcher {
    /// What is logged of it from here on says which trace it is in.
    pub(super) fn trace(&self, run: &Run, held: &Held, input: &Input) {
        if let Some(trace) = AttemptTrace::begin(&self.parts.tracing, run.id, input) {
            tracing::Span::current().record("trace.id", tracing::field::display(trace.own().context.trace));
            let _ = held.trace.set(trace);
        }
    }
}

/// The trace of one attempt.
#[derive(Debug, Clone)]
pub(super) struct AttemptTrace {
    run: TraceContext,
    above: Option<SpanId>,
    own: CallTrace,
    began: Began,
}

impl AttemptTrace {
    /// Begins now. Nothing where nobody traces.
    pub(super) fn begin(tracing: &Tracing, run: RunId, input: &Input) -> Option<AttemptTrace> {
        let (of_run, above) = tracing.of_run(run, input)?;
        let own = CallTrace { context: tracing.below(of_run)?, tracing: tracing.clone() };
        Some(AttemptTrace { run: of_run, above, own, began: tracing.began()? })
    }

    pub(super) fn own(&self) -> CallTrace {
        self.own.clone()
    }

    /// The attempt has ended, and its run is `status` by now.
    pub(super) fn end(&self, run: &Run, number: u32, executed: &Executed, status: RunStatus) {
        let tracing = &self.own.tracing;
        let failure = |is_failed: bool| {
            let message = executed.outcome.message();
            is_failed.then(|| message.unwrap_or_else(|| executed.outcome.code().to_owned()))
        };
        let name = format!("attempt {}", run.target);
        let mut attempt = Unended::new(self.own.context, Some(self.run.span), name, Kind::Consumer)
            .with("hookbox.run.id", run.id.to_string())
            .with("hookbox.handler", run.target.to_string())
            .with("hookbox.attempt", u64::from(number))
            .with("hookbox.outcome", executed.outcome.code());
        attempt.failure = failure(!executed.outcome.is_success());
        tracing.ended(self.began, attempt);
        if status.is_terminal() {
            let mut whole = Unended::new(self.run, self.above, format!("run {}", run.target), Kind::Internal)
                .with("hookbox.run.id", run.id.to_string())
                .with("hookbox.handler", run.target.to_string())
                .with("hookbox.state", status.code());
            whole.failure = failure(status == RunStatus::Dead);
            tracing.ended_since(run.created, whole);
        }
    }
}
