//! The end of an attempt, told to the log and to whoever watches.

use hookbox_core::attempt::Executed;
use hookbox_core::run::{Run, RunStatus};

use super::{Dispatcher, Held, RunEnded};

impl Dispatcher {
    pub(super) fn tell(&self, run: &Run, held: &Held, executed: Executed, status: RunStatus) {
        let (id, attempt, handler) = (run.id, held.lease.attempt, &run.target);
        let (duration_us, outcome) = (executed.cost.wall_us, executed.outcome.code());
        self.parts.spending.finished(handler, status);
        if let Some(trace) = held.trace.get() {
            trace.end(run, &executed, status);
        }
        match status {
            RunStatus::Succeeded => {
                // What went well is in the store; a line for each would cost more than the run.
                tracing::debug!(run.id = %id, run.attempt = attempt, %handler, duration_us, outcome, "run {id} of {handler} succeeded");
            }
            RunStatus::Dead => {
                tracing::error!(run.id = %id, run.attempt = attempt, %handler, duration_us, outcome, "run {id} of {handler} is a dead letter");
            }
            RunStatus::Cancelled => {
                tracing::info!(run.id = %id, run.attempt = attempt, %handler, duration_us, outcome, "run {id} of {handler} was cancelled while it was executed");
            }
            _ => {
                tracing::warn!(run.id = %id, run.attempt = attempt, %handler, duration_us, outcome, "attempt {attempt} of run {id} of {handler} failed");
            }
        }
        if let Some(observer) = &self.parts.observer {
            // A slow watcher misses some; the store has them all.
            let _ = observer.try_send(RunEnded {
                run: id,
                target: handler.clone(),
                attempt,
                status,
                outcome: executed.outcome,
                log: executed.log,
                wall_us: duration_us,
            });
        }
    }
}
