//! The spans of a run's attempts. They are below one for the run, which is below the webhook's.

use std::sync::atomic::{AtomicBool, Ordering};

use hookbox_core::attempt::{Executed, Input, Outcome};
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::run::{Run, RunStatus};
use hookbox_core::trace::{Began, CallTrace, Kind, SpanId, TraceContext, Tracing, Unended};

use super::Dispatcher;
use super::mark::Held;
use crate::spans;

impl Dispatcher {
    /// What is logged of it from here on says which trace it is in.
    pub(super) fn trace(&self, run: &Run, held: &Held, input: &Input) {
        if let Some(trace) = AttemptTrace::begin(&self.parts.tracing, run, held.lease.attempt, input) {
            tracing::Span::current().record("trace.id", tracing::field::display(trace.own.context.trace));
            let _ = held.trace.set(trace);
        }
    }
}

/// The trace of one attempt.
#[derive(Debug)]
pub(super) struct AttemptTrace {
    id: RunId,
    target: HandlerRef,
    number: u32,
    run: TraceContext,
    above: Option<SpanId>,
    own: CallTrace,
    began: Began,
    /// Its requests may have named it to others by now, and it has not been sent.
    owed: AtomicBool,
}

impl AttemptTrace {
    /// Begins now. Nothing where nobody traces.
    fn begin(tracing: &Tracing, run: &Run, number: u32, input: &Input) -> Option<AttemptTrace> {
        let (of_run, above) = tracing.of_run(run.id, input)?;
        let own = CallTrace { context: tracing.below(of_run)?, tracing: tracing.clone() };
        let (id, target) = (run.id, run.target.clone());
        let (began, owed) = (tracing.began()?, AtomicBool::new(false));
        Some(AttemptTrace { id, target, number, run: of_run, above, own, began, owed })
    }

    /// For what is about to be executed.
    pub(super) fn own(&self) -> CallTrace {
        self.owed.store(true, Ordering::SeqCst);
        self.own.clone()
    }

    /// It was not executed after all.
    pub(super) fn forget(&self) {
        self.owed.store(false, Ordering::SeqCst);
    }

    /// The attempt has ended, and its run is `status` by now.
    pub(super) fn end(&self, run: &Run, executed: &Executed, status: RunStatus) {
        self.send(&executed.outcome);
        // Of one that is cancelled, or cut short otherwise, the span is sent where that is seen.
        if matches!(status, RunStatus::Succeeded | RunStatus::Dead) {
            let mut whole = spans::whole(run, self.run, self.above, status);
            whole.failure = failure(&executed.outcome).filter(|_| status == RunStatus::Dead);
            self.own.tracing.ended_since(run.created, whole);
        }
    }

    /// Nobody ends it any more: what its requests have sent must not be below nothing.
    pub(super) fn lose(&self) {
        if self.owed.load(Ordering::SeqCst) {
            self.send(&Outcome::Lost);
        }
    }

    fn send(&self, outcome: &Outcome) {
        self.owed.store(false, Ordering::SeqCst);
        let name = format!("attempt {}", self.target);
        let mut attempt = Unended::new(self.own.context, Some(self.run.span), name, Kind::Consumer)
            .with("hookbox.run.id", self.id.to_string())
            .with("hookbox.handler", self.target.to_string())
            .with("hookbox.attempt", u64::from(self.number))
            .with("hookbox.outcome", outcome.code());
        attempt.failure = failure(outcome);
        self.own.tracing.ended(self.began, attempt);
    }
}

fn failure(outcome: &Outcome) -> Option<String> {
    (!outcome.is_success()).then(|| outcome.message().unwrap_or_else(|| outcome.code().to_owned()))
}
