//! One attempt, from the lease to the record.

mod revoke;
mod tell;

use hookbox_core::attempt::{Attempt, Call, Executed, Input, Outcome};
use hookbox_core::effects::Effects;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::retry::{self, Decision, Jitter, Policy};
use hookbox_core::run::{DRAINS_MAX, Run, RunEvent, RunStatus};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::{Changes, Record, Recorded, StoppedAttempt};

use super::mark::{Held, Stage};
use super::trace::AttemptTrace;
use super::{Dispatcher, LEASE, RunEnded};
use crate::changes;
use crate::execute::ExecuteError;
use crate::pace::Phase;
use crate::slots::Siblings;
use crate::spans;
use revoke::{Before, revoked};

/// Conflicts after which a run takes its plugin's keys alone.
const CONFLICTS_MAX: u32 = 3;
/// Conflicts after which the attempt has failed: alone it should meet none.
const CONFLICTS_ALONE_MAX: u32 = 10;
/// Tries to ask the store: the handler should not run again because the store was away for a moment.
const STORE_TRIES: u32 = 3;
/// Between two tries.
const STORE_WAIT: Millis = Millis::SECOND;
/// A run whose handler went away before the call is looked at again after this.
const HANDLER_GONE_WAIT: Millis = Millis::SECOND;
/// The longest wait of a run that found the queue full.
const QUEUE_FULL_WAIT_MAX: Millis = Millis::MINUTE;
/// Why what an attempt wanted was not committed.
const QUEUE_FULL: &str =
    "the queue is full (server.limits.queue), or the share of one handler is, and it makes several runs";

/// The attempt did not begin, because the host is going down, or the handler or the version is gone: not counted.
struct PutBack {
    due: Timestamp,
}

impl Dispatcher {
    pub(super) async fn bring_to_end(&self, run: Run, held: &Held) {
        let id = run.id;
        // It may have been cancelled before it was on the list of those that are told.
        if self.has_lost(&run, held).await {
            return;
        }
        if let Err(error) = self.attempt(run, held).await {
            // The lease runs out and the run is put back.
            tracing::error!(run.id = %id, run.attempt = held.lease.attempt, %error, "the end of run {id} was not recorded");
        }
    }

    /// Whether the lease is gone. Where it is not, it is renewed.
    async fn has_lost(&self, run: &Run, held: &Held) -> bool {
        let until = self.parts.clock.monotonic().plus(LEASE);
        self.parts.store.renew(&[(run.id, held.lease)], until).await.is_ok_and(|held| held.is_empty())
    }

    async fn attempt(&self, run: Run, held: &Held) -> Result<(), StoreError> {
        let input = match self.patiently(|| spans::input(&*self.parts.store, run.work)).await {
            Ok(input) => input,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                let outcome = Outcome::Permanent { message: format!("its payload is gone: {error}") };
                held.mark.is_at(Stage::Ended);
                return self.conclude(&run, held, Executed::bare(outcome), None, held.lease.at).await.map(|_| ());
            }
        };
        self.trace(&run, held, &input);
        let (mut conflicts, mut before) = (0, None);
        loop {
            let plugin = &run.target.plugin;
            let _turn = match conflicts {
                0..CONFLICTS_MAX => self.turns.shared(plugin).await,
                _ => self.turns.alone(plugin).await,
            };
            let slot = tokio::select! {
                biased;
                slot = self.slots.take(&run.target, self.siblings(plugin)) => slot,
                () = self.stop.reached(Phase::Draining) => {
                    return self.put_back_after(before, &run, held, self.parts.clock.now()).await;
                }
            };
            // It has waited for its slot: what was held or is late by now does not begin.
            let (holds, now) = (self.parts.store.holds(), self.parts.clock.now());
            if holds.hold(&run.target) || run.expires.is_some_and(|expires| expires <= now) {
                return self.put_back_after(before, &run, held, now).await;
            }
            // What is made again is the same attempt, and ends on the version that it began with.
            let version = before.as_ref().and_then(Before::version);
            let call = Call { version, ..self.call(&run, held, input.clone()) };
            let started = call.started;
            let mut executed = match self.execute(&run, held, before.as_ref(), call.clone()).await {
                Ok(executed) => Before::and(before, executed),
                Err(PutBack { due }) => return self.put_back_after(before, &run, held, due).await,
            };
            drop(slot);
            match &executed.outcome {
                Outcome::Cancelled => return self.note(&run, held, executed).await,
                Outcome::Revoked { .. } => {
                    return self.revoke(&run, held, executed, started, self.due_again()).await;
                }
                // Without its keys a handler cannot do its work: that is no fault of its own.
                outcome if !outcome.is_success() && self.parts.store.failure().is_some() => {
                    let why = format!("the store failed meanwhile; {}", outcome.message().unwrap_or_default());
                    let (executed, now) = (revoked(executed, why), self.parts.clock.now());
                    return self.revoke(&run, held, executed, started, now).await;
                }
                _ => {}
            }
            before = Some(Before::of(&executed));
            let effects = std::mem::take(&mut executed.effects);
            let changes = executed.outcome.is_success().then(|| self.changes(effects, &call));
            match self.conclude(&run, held, executed, changes, started).await? {
                Recorded::Conflict if conflicts == CONFLICTS_ALONE_MAX => {
                    let message = format!("what it read had changed each of the {} times it ran", conflicts + 1);
                    let outcome = Outcome::Retryable { message, retry_after: None };
                    // No version is to blame for it.
                    let failed = Executed { version: None, ..Before::and(before, Executed::bare(outcome)) };
                    return self.conclude(&run, held, failed, None, started).await.map(|_| ());
                }
                Recorded::Conflict => {
                    conflicts += 1;
                    held.mark.is_at(Stage::Waiting);
                    // It may have been cancelled while its end was recorded, when nobody could stop it.
                    if self.has_lost(&run, held).await {
                        let executed = Before::and(before, Executed::bare(Outcome::Cancelled));
                        return self.note(&run, held, executed).await;
                    }
                }
                Recorded::Done | Recorded::Stale | Recorded::Refused(_) | Recorded::QueueFull => return Ok(()),
            }
        }
    }

    fn siblings(&self, plugin: &PluginName) -> Siblings {
        let catalogue = self.parts.store.catalogue();
        let active = catalogue.plugin(plugin).and_then(|row| row.active.as_ref());
        match active.is_some_and(|active| active.info.handlers.len() > 1) {
            true => Siblings::Some,
            false => Siblings::None,
        }
    }

    fn policy(&self, run: &Run) -> Policy {
        run.own.over(self.parts.settings.load().policy(&self.parts.store.catalogue(), &run.target))
    }

    fn call(&self, run: &Run, held: &Held, input: Input) -> Call {
        let policy = self.policy(run);
        Call {
            target: run.target.clone(),
            run: run.id,
            attempt: held.lease.attempt,
            attempts_max: policy.attempts,
            timeout: policy.timeout,
            started: self.parts.clock.now(),
            idempotency_key: run.idempotency_key.clone(),
            hops: run.hops,
            input,
            version: None,
            trace: held.trace.get().map(AttemptTrace::own),
        }
    }

    async fn execute(&self, run: &Run, held: &Held, before: Option<&Before>, call: Call) -> Result<Executed, PutBack> {
        if self.stop.phase() != Phase::Running {
            return Err(Self::not_begun(held, before, self.parts.clock.now()));
        }
        held.mark.is_at(Stage::Executing);
        let mut executing = self.parts.execute.execute_until(call, held.mark.interrupt.clone());
        let executed = tokio::select! {
            // An attempt that has ended is recorded, however late.
            biased;
            executed = &mut executing => executed,
            () = self.stop.reached(Phase::Abandoning) => {
                let told = self.abandon(held, executing).await;
                told.ok_or_else(|| PutBack { due: self.parts.clock.now() })?
            }
        };
        held.mark.is_at(Stage::Ended);
        match executed {
            Ok(executed) => {
                // Whatever becomes of it, it was paid for.
                self.parts.spending.add(&run.target, &executed);
                Ok(executed)
            }
            // Due later, else it is claimed again at once for as long as the handler is listed.
            Err(ExecuteError::NoSuchHandler) if run.drains < DRAINS_MAX => {
                Err(Self::not_begun(held, before, self.parts.clock.now().plus(HANDLER_GONE_WAIT)))
            }
            Err(ExecuteError::Replaced) => Err(Self::not_begun(held, before, self.parts.clock.now())),
            Err(error) => {
                let (id, attempt) = (run.id, run.attempts_begun);
                tracing::error!(run.id = %id, run.attempt = attempt, %error, "run {id} was not executed: {error}");
                Ok(Executed::bare(Outcome::Trapped { message: error.to_string() }))
            }
        }
    }

    fn changes(&self, effects: Effects, call: &Call) -> Changes {
        let catalogue = self.parts.store.catalogue();
        let context = changes::Context {
            catalogue: &catalogue,
            mint: &self.parts.mint,
            kv_bytes_max: self.parts.settings.load().kv_bytes_max(&call.target.plugin),
            room: self.parts.room,
            now: self.parts.clock.now(),
        };
        changes::of(effects, call, &context)
    }

    /// Records the end of the attempt. Effects that can never be committed make the attempt a failure for good; those that
    /// find no room on the queue have it made again.
    async fn conclude(
        &self,
        run: &Run,
        held: &Held,
        executed: Executed,
        changes: Option<Changes>,
        started: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let (event, status) = self.decide(run, held, &executed, started);
        let looped = changes.as_ref().map_or(0, changes::dead);
        let recorded = self.record(run, held, event, changes).await?;
        match &recorded {
            Recorded::Refused(why) => {
                let outcome = Outcome::Permanent { message: why.clone() };
                let failed = Executed { outcome, ..executed };
                let (version, outcome) = (failed.version, failed.outcome.clone());
                if self.fail(run, held, failed, started).await? == Recorded::Done {
                    self.judge(run, version, &outcome);
                }
            }
            // No fault of the handler's, for a while.
            Recorded::QueueFull if run.drains < DRAINS_MAX => {
                let wait = self.policy(run).backoff.after(u32::from(run.drains) + 1, self.jitter());
                let (executed, now) = (revoked(executed, QUEUE_FULL.to_owned()), self.parts.clock.now());
                self.revoke(run, held, executed, started, now.plus(wait.min(QUEUE_FULL_WAIT_MAX))).await?;
            }
            Recorded::QueueFull => {
                let outcome = Outcome::Retryable { message: QUEUE_FULL.to_owned(), retry_after: None };
                self.fail(run, held, Executed { outcome, ..executed }, started).await?;
            }
            Recorded::Done => {
                if looped > 0 {
                    let (id, handler) = (run.id, &run.target);
                    tracing::error!(run.id = %id, %handler, runs = looped, "run {id} of {handler} is one of a loop: {looped} runs that it made are dead letters");
                }
                self.judge(run, executed.version, &executed.outcome);
                self.tell(run, held, executed, status);
            }
            Recorded::Conflict => {
                tracing::debug!(run.id = %run.id, "run {} met a conflict: it runs again", run.id);
            }
            Recorded::Stale => self.note_late(run, held, executed).await?,
        }
        Ok(recorded)
    }

    /// Records an attempt whose effects were not committed.
    async fn fail(&self, run: &Run, held: &Held, failed: Executed, started: Timestamp) -> Result<Recorded, StoreError> {
        let (event, status) = self.decide(run, held, &failed, started);
        let recorded = self.record(run, held, event, None).await?;
        match recorded {
            Recorded::Done => self.tell(run, held, failed, status),
            Recorded::Stale => self.note_late(run, held, failed).await?,
            _ => {}
        }
        Ok(recorded)
    }

    /// What no version had a part in says nothing about one.
    fn judge(&self, run: &Run, version: Option<Digest>, outcome: &Outcome) {
        if let Some(version) = version {
            self.parts.execute.recorded(&run.target.plugin, version, outcome);
        }
    }

    /// Keeps what an attempt has logged that was stopped.
    async fn note(&self, run: &Run, held: &Held, executed: Executed) -> Result<(), StoreError> {
        if !self.is_noted(run, held, executed).await? {
            super::taken_away(run.id);
        }
        Ok(())
    }

    /// The same for one that had ended by itself when its run was cancelled, before its end was recorded.
    async fn note_late(&self, run: &Run, held: &Held, executed: Executed) -> Result<(), StoreError> {
        let stopped = Executed { outcome: Outcome::Cancelled, ..executed };
        if !self.is_noted(run, held, stopped).await? {
            tracing::warn!(run.id = %run.id, run.attempt = held.lease.attempt, "a late result of run {} was refused", run.id);
        }
        Ok(())
    }

    /// False where its run was not cancelled, or its record is complete.
    async fn is_noted(&self, run: &Run, held: &Held, executed: Executed) -> Result<bool, StoreError> {
        let Executed { log, cost, requests, denied, version, .. } = executed.clone();
        let stopped = StoppedAttempt { run: run.id, lease: held.lease, log, cost, requests, denied, version };
        let noted = self.patiently(|| self.parts.store.note_cancelled(stopped.clone())).await?;
        if noted {
            self.tell(run, held, executed, RunStatus::Cancelled);
        }
        Ok(noted)
    }

    async fn record(
        &self,
        run: &Run,
        held: &Held,
        event: RunEvent,
        changes: Option<Changes>,
    ) -> Result<Recorded, StoreError> {
        let record = Record { run: run.id, lease: held.lease, event, changes, now: self.parts.clock.now() };
        // Where a try was written after all, the lease keeps the next one out.
        self.patiently(|| self.parts.store.record(record.clone())).await
    }

    /// Asks the store again where it is away for a moment; as long as its disk fails, until the host gives up. The
    /// lease is renewed meanwhile.
    async fn patiently<T, A>(&self, mut ask: impl FnMut() -> A) -> Result<T, StoreError>
    where
        A: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = 1;
        loop {
            let answer = ask().await;
            let disk_fails = self.parts.store.failure().is_some();
            match answer {
                Err(StoreError::Unavailable(_)) if disk_fails && self.stop.phase() < Phase::Abandoning => {}
                Err(StoreError::Unavailable(_)) if !disk_fails && tries < STORE_TRIES => tries += 1,
                ended => return ended,
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(STORE_WAIT.as_duration()) => {}
                () = self.stop.reached(Phase::Abandoning) => {}
            }
        }
    }

    fn ended(&self, held: &Held, executed: &Executed, started: Timestamp) -> Attempt {
        Attempt {
            number: held.lease.attempt,
            started,
            finished: self.parts.clock.now(),
            outcome: executed.outcome.clone(),
            log: executed.log.clone(),
            cost: executed.cost,
            requests: executed.requests.clone(),
            denied: executed.denied.clone(),
            version: executed.version,
        }
    }

    fn decide(&self, run: &Run, held: &Held, executed: &Executed, started: Timestamp) -> (RunEvent, RunStatus) {
        let attempt = self.ended(held, executed, started);
        match retry::decide(&self.policy(run), attempt.number, &attempt.outcome, attempt.finished, self.jitter()) {
            Decision::Succeed => (RunEvent::Succeeded { attempt }, RunStatus::Succeeded),
            Decision::RetryAt(due) => (RunEvent::FailedForNow { attempt, due }, RunStatus::Pending),
            Decision::Bury(cause) => (RunEvent::FailedForGood { attempt, cause }, RunStatus::Dead),
        }
    }

    fn jitter(&self) -> Jitter {
        #[expect(clippy::cast_possible_truncation, reason = "any 64 of the random bits will do")]
        Jitter::new(self.parts.mint.random() as u64)
    }

    async fn put_back(&self, run: &Run, held: &Held, due: Timestamp) -> Result<(), StoreError> {
        held.mark.is_at(Stage::Ended);
        let event = RunEvent::Drained { at: due };
        self.record(run, held, event, None).await.map(|_| ())
    }
}
