//! Attempts that do not count: what they did is kept all the same, since what they sent cannot be taken back.

use hookbox_core::attempt::{Cost, Executed, Outcome, Requests};
use hookbox_core::denial::{DENIED_PER_ATTEMPT_MAX, Denied};
use hookbox_core::plugin::Digest;
use hookbox_core::run::{DRAINS_MAX, Run, RunEvent, RunStatus};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::Recorded;

use super::{Dispatcher, HANDLER_GONE_WAIT, Held, PutBack, Stage};
use crate::execute::ExecuteError;
use crate::pace::Phase;

/// Why an attempt was revoked that ran when the host gave up waiting for it.
pub(super) const HOST_STOPPED: &str = "the host stopped before it ended";
/// Why an attempt was revoked that met a conflict.
const CONFLICT: &str = "what it had read was changed meanwhile, and it could not be made again at once";
/// What a sandbox has to tell what a stopped attempt did.
const TELLING: Millis = Millis::SECOND;

impl Dispatcher {
    /// Puts the run of an attempt back that had begun, with what the attempt did. After so many times the attempt has
    /// failed, as any other: it counts, and may be the last.
    pub(super) async fn revoke(
        &self,
        run: &Run,
        held: &Held,
        executed: Executed,
        started: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        held.mark.is_at(Stage::Ended);
        if run.drains >= DRAINS_MAX {
            return self.fail(run, held, executed, started).await.map(|_| ());
        }
        let attempt = self.ended(held, &executed, started);
        match self.record(run, held, RunEvent::Revoked { attempt, due }, None).await? {
            Recorded::Done => {
                if let Some(trace) = held.trace.get() {
                    trace.end(run, &executed, RunStatus::Pending);
                }
                let (id, handler, number) = (run.id, &run.target, held.lease.attempt);
                let why = executed.outcome.message().unwrap_or_default();
                tracing::warn!(run.id = %id, run.attempt = number, %handler, "run {id} of {handler} is put back: {why}");
                Ok(())
            }
            Recorded::Stale => self.note_late(run, held, executed).await,
            _ => Ok(()),
        }
    }

    /// Puts a run back whose attempt did not begin, or met a conflict and was not made again.
    pub(super) async fn put_back_after(
        &self,
        before: Option<Before>,
        run: &Run,
        held: &Held,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        if before.is_none() {
            return self.put_back(run, held, due).await;
        }
        let executed = Before::and(before, Executed::bare(Outcome::Revoked { why: CONFLICT.to_owned() }));
        self.revoke(run, held, executed, held.lease.at, due).await
    }

    /// Of an attempt that was to be executed and was not. What it did before a conflict is still owed a span.
    pub(super) fn not_begun(held: &Held, before: Option<&Before>, due: Timestamp) -> PutBack {
        if let Some(trace) = held.trace.get().filter(|_| before.is_none()) {
            trace.forget();
        }
        PutBack { due }
    }

    /// When a run is due whose attempt the sandbox revoked, or the stop of the host: in the first case later, else it is
    /// claimed again at once for as long as its handler is listed.
    pub(super) fn due_again(&self) -> Timestamp {
        let now = self.parts.clock.now();
        if self.stop.phase() == Phase::Running { now.plus(HANDLER_GONE_WAIT) } else { now }
    }

    /// Stops an attempt because the host stops. Nothing: it does not tell what it did.
    pub(super) async fn abandon(
        &self,
        held: &Held,
        executing: impl Future<Output = Result<Executed, ExecuteError>>,
    ) -> Option<Result<Executed, ExecuteError>> {
        held.mark.interrupt.tell();
        let ended = tokio::time::timeout(TELLING.as_duration(), executing).await.ok()?;
        Some(ended.map(|executed| match executed.outcome {
            Outcome::Cancelled => revoked(executed, HOST_STOPPED.to_owned()),
            _ => executed,
        }))
    }
}

/// An attempt that ended otherwise, and is to be made again.
pub(super) fn revoked(executed: Executed, why: String) -> Executed {
    Executed { outcome: Outcome::Revoked { why }, ..executed }
}

/// What an attempt did before it met a conflict and was made again, in the same lease: it stays in its record.
pub(super) struct Before {
    requests: Requests,
    denied: Vec<Denied>,
    cost: Cost,
    version: Option<Digest>,
}

impl Before {
    pub(super) fn of(executed: &Executed) -> Before {
        let Executed { requests, denied, cost, version, .. } = executed;
        Before { requests: requests.clone(), denied: denied.clone(), cost: *cost, version: *version }
    }

    pub(super) fn version(&self) -> Option<Digest> {
        self.version
    }

    /// With what was done this time.
    pub(super) fn and(before: Option<Before>, mut executed: Executed) -> Executed {
        let Some(Before { mut requests, mut denied, cost, version }) = before else { return executed };
        requests.append(executed.requests);
        denied.retain(|earlier| !executed.denied.contains(earlier));
        denied.append(&mut executed.denied);
        denied.drain(..denied.len().saturating_sub(DENIED_PER_ATTEMPT_MAX));
        let Cost { wall_us, cpu_us, memory_peak_bytes, calls } = &mut executed.cost;
        *wall_us += cost.wall_us;
        *cpu_us += cost.cpu_us;
        *memory_peak_bytes = cost.memory_peak_bytes.max(*memory_peak_bytes);
        calls.add_all(&cost.calls);
        Executed { requests, denied, version: executed.version.or(version), ..executed }
    }
}
