//! One attempt, from the lease to the record.

use std::sync::Arc;

use hookbox_core::attempt::{Attempt, Call, Executed, Input, Log, Outcome};
use hookbox_core::effects::Effects;
use hookbox_core::name::PluginName;
use hookbox_core::retry::{self, Decision, Jitter, Policy};
use hookbox_core::run::{DRAINS_MAX, Lease, Run, RunEvent, RunStatus, Work};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::{Changes, Record, Recorded};

use super::{Dispatcher, RunEnded};
use crate::changes;
use crate::execute::ExecuteError;
use crate::pace::Phase;
use crate::slots::Siblings;

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

/// The attempt did not take place, because the host is going down or the handler is gone: not counted.
struct PutBack {
    due: Timestamp,
}

impl Dispatcher {
    pub(super) async fn bring_to_end(&self, run: Run, lease: Lease) {
        let id = run.id;
        if let Err(error) = self.attempt(run, lease).await {
            // The lease runs out and the run is put back.
            tracing::error!(run.id = %id, run.attempt = lease.attempt, %error, "the end of run {id} was not recorded");
        }
    }

    async fn attempt(&self, run: Run, lease: Lease) -> Result<(), StoreError> {
        let input = match self.patiently(|| self.input(&run)).await {
            Ok(input) => input,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                let outcome = Outcome::Permanent { message: format!("its payload is gone: {error}") };
                return self.conclude(&run, lease, bare(outcome), None, lease.at).await.map(|_| ());
            }
        };
        let mut conflicts = 0;
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
                    return self.put_back(&run, lease, self.parts.clock.now()).await;
                }
            };
            let call = self.call(&run, lease, input.clone());
            let started = call.started;
            let mut executed = match self.execute(&run, call.clone()).await {
                Ok(executed) => executed,
                Err(PutBack { due }) => return self.put_back(&run, lease, due).await,
            };
            drop(slot);
            // Without its keys a handler cannot do its work: that is no fault of its own.
            if !executed.outcome.is_success() && self.parts.store.failure().is_some() {
                return self.put_back(&run, lease, self.parts.clock.now()).await;
            }
            let effects = std::mem::take(&mut executed.effects);
            let changes = executed.outcome.is_success().then(|| self.changes(effects, &call));
            match self.conclude(&run, lease, executed, changes, started).await? {
                Recorded::Conflict if conflicts == CONFLICTS_ALONE_MAX => {
                    let message = format!("what it read had changed each of the {} times it ran", conflicts + 1);
                    let outcome = Outcome::Retryable { message, retry_after: None };
                    return self.conclude(&run, lease, bare(outcome), None, started).await.map(|_| ());
                }
                Recorded::Conflict => conflicts += 1,
                Recorded::Done | Recorded::Stale | Recorded::Refused(_) => return Ok(()),
            }
        }
    }

    async fn input(&self, run: &Run) -> Result<Input, StoreError> {
        match run.work {
            Work::Event(id) => self.parts.store.event_input(id).await.map(|event| Input::Event(Arc::new(event))),
            Work::Job(id) => self.parts.store.job(id).await.map(|job| Input::Job(Arc::new(job))),
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

    fn call(&self, run: &Run, lease: Lease, input: Input) -> Call {
        let policy = self.policy(run);
        Call {
            target: run.target.clone(),
            run: run.id,
            attempt: lease.attempt,
            attempts_max: policy.attempts,
            timeout: policy.timeout,
            started: self.parts.clock.now(),
            idempotency_key: run.idempotency_key.clone(),
            hops: run.hops,
            input,
        }
    }

    async fn execute(&self, run: &Run, call: Call) -> Result<Executed, PutBack> {
        if self.stop.phase() != Phase::Running {
            return Err(PutBack { due: self.parts.clock.now() });
        }
        let executed = tokio::select! {
            // An attempt that has ended is recorded, however late.
            biased;
            executed = self.parts.execute.execute(call) => executed,
            () = self.stop.reached(Phase::Abandoning) => return Err(PutBack { due: self.parts.clock.now() }),
        };
        match executed {
            Ok(executed) => Ok(executed),
            // Due later, else it is claimed again at once for as long as the handler is listed.
            Err(ExecuteError::NoSuchHandler) if run.drains < DRAINS_MAX => {
                Err(PutBack { due: self.parts.clock.now().plus(HANDLER_GONE_WAIT) })
            }
            Err(error) => {
                let (id, attempt) = (run.id, run.attempts_begun);
                tracing::error!(run.id = %id, run.attempt = attempt, %error, "run {id} was not executed: {error}");
                Ok(bare(Outcome::Trapped { message: error.to_string() }))
            }
        }
    }

    fn changes(&self, effects: Effects, call: &Call) -> Changes {
        let catalogue = self.parts.store.catalogue();
        let context = changes::Context {
            catalogue: &catalogue,
            mint: &self.parts.mint,
            kv_bytes_max: self.parts.settings.load().kv_bytes_max(&call.target.plugin),
            now: self.parts.clock.now(),
        };
        changes::of(effects, call, &context)
    }

    /// Records the end of the attempt. Effects that can never be committed make the attempt a failure for good.
    async fn conclude(
        &self,
        run: &Run,
        lease: Lease,
        executed: Executed,
        changes: Option<Changes>,
        started: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let (event, status) = self.decide(run, lease, &executed, started);
        let looped = changes.as_ref().map_or(0, changes::dead);
        let recorded = self.record(run, lease, event, changes).await?;
        match &recorded {
            Recorded::Refused(why) => {
                let refused = Executed { outcome: Outcome::Permanent { message: why.clone() }, ..executed };
                let (event, status) = self.decide(run, lease, &refused, started);
                if self.record(run, lease, event, None).await? == Recorded::Done {
                    self.tell(run, lease, refused, status);
                }
            }
            Recorded::Done => {
                if looped > 0 {
                    let (id, handler) = (run.id, &run.target);
                    tracing::error!(run.id = %id, %handler, runs = looped, "run {id} of {handler} is one of a loop: {looped} runs that it made are dead letters");
                }
                self.tell(run, lease, executed, status);
            }
            Recorded::Conflict => {
                tracing::debug!(run.id = %run.id, "run {} met a conflict: it runs again", run.id);
            }
            Recorded::Stale => {
                tracing::warn!(run.id = %run.id, run.attempt = lease.attempt, "a late result of run {} was refused", run.id);
            }
        }
        Ok(recorded)
    }

    async fn record(
        &self,
        run: &Run,
        lease: Lease,
        event: RunEvent,
        changes: Option<Changes>,
    ) -> Result<Recorded, StoreError> {
        let record = Record { run: run.id, lease, event, changes, now: self.parts.clock.now() };
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

    fn decide(&self, run: &Run, lease: Lease, executed: &Executed, started: Timestamp) -> (RunEvent, RunStatus) {
        let now = self.parts.clock.now();
        let attempt = Attempt {
            number: lease.attempt,
            started,
            finished: now,
            outcome: executed.outcome.clone(),
            log: executed.log.clone(),
            cost: executed.cost,
            version: executed.version,
        };
        #[expect(clippy::cast_possible_truncation, reason = "any 64 of the random bits will do")]
        let jitter = Jitter::new(self.parts.mint.random() as u64);
        match retry::decide(&self.policy(run), lease.attempt, &executed.outcome, now, jitter) {
            Decision::Succeed => (RunEvent::Succeeded { attempt }, RunStatus::Succeeded),
            Decision::RetryAt(due) => (RunEvent::FailedForNow { attempt, due }, RunStatus::Pending),
            Decision::Bury(cause) => (RunEvent::FailedForGood { attempt, cause }, RunStatus::Dead),
        }
    }

    async fn put_back(&self, run: &Run, lease: Lease, due: Timestamp) -> Result<(), StoreError> {
        let event = RunEvent::Drained { at: due };
        self.record(run, lease, event, None).await.map(|_| ())
    }

    fn tell(&self, run: &Run, lease: Lease, executed: Executed, status: RunStatus) {
        let (id, attempt, handler) = (run.id, lease.attempt, &run.target);
        let (duration_us, outcome) = (executed.cost.wall_us, executed.outcome.code());
        match status {
            RunStatus::Succeeded => {
                // What went well is in the store; a line for each would cost more than the run.
                tracing::debug!(run.id = %id, run.attempt = attempt, %handler, duration_us, outcome, "run {id} of {handler} succeeded");
            }
            RunStatus::Dead => {
                tracing::error!(run.id = %id, run.attempt = attempt, %handler, duration_us, outcome, "run {id} of {handler} is a dead letter");
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

/// An end that no guest had a part in.
fn bare(outcome: Outcome) -> Executed {
    Executed { outcome, effects: Default::default(), log: Log::default(), cost: Default::default(), version: None }
}
