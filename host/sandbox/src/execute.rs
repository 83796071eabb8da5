//! One attempt: a fresh store on the active version, three limits around it,
//! and an outcome whatever the guest does.

use std::sync::Arc;
use std::time::Duration;

use hookbox_core::attempt::{Call, Cost, Executed, Input, Outcome};
use hookbox_core::effects::Effects;
use hookbox_core::host_call::CallKind;
use hookbox_core::plugin::Trigger;
use tokio::time::{Instant, timeout};
use wasmtime::Store;

use crate::bindings::hookbox::plugin::types;
use crate::capability::Capabilities;
use crate::cpu::Budgeted;
use crate::denied::DeniedBook;
use crate::egress::Sender;
use crate::guest::{Access, Guest};
use crate::logbook::LogBook;
use crate::meter::Meter;
use crate::outcome::{self, Fault};
use crate::plugin_kv::PluginKv;
use crate::sandbox::{Sandbox, SandboxError};
use crate::version::Version;

/// Why an attempt ended whose version was revoked meanwhile.
const REVOKED: &str = "its version is not trusted any more (trust, and pinned, in hooks.yaml)";

impl Sandbox {
    /// Runs one handler. Waits for a slot, then takes the version that is active at that moment and keeps it to the
    /// end. Dropping the future stops the guest.
    pub async fn execute(&self, call: Call, kv: Arc<dyn PluginKv>) -> Result<Executed, SandboxError> {
        self.execute_until(call, kv, std::future::pending()).await
    }

    /// The same, stopped when `interrupted` is ready: the outcome is [`Outcome::Cancelled`], and the log what it had
    /// logged until then. Where its version is revoked it is stopped as [`Outcome::Revoked`], with the same.
    pub async fn execute_until(
        &self,
        call: Call,
        kv: Arc<dyn PluginKv>,
        interrupted: impl Future<Output = ()> + Send,
    ) -> Result<Executed, SandboxError> {
        let broken = |_| SandboxError::Broken("the sandbox is closed".to_owned());
        let mut interrupted = std::pin::pin!(interrupted);
        // Before the store, so that it is given back after it.
        let _slot = tokio::select! {
            biased;
            slot = self.slots.acquire() => slot.map_err(broken)?,
            () = &mut interrupted => return Ok(never_begun()),
        };
        let version = self.version_for(&call)?;
        // The time that it waited for a slot is not the guest's: its deadline counts from here.
        let call = Call { started: self.clock.now(), ..call };
        let settings = version.settings();
        let log = LogBook::new(Arc::clone(&self.clock), settings.limits.log_bytes);
        let shown = log.clone();
        let _shown = self.live_logs.show(call.run, call.attempt, call.started, move |from| shown.lines_from(from));
        let meter = Meter::new(settings.memory_bytes, settings.cpu, settings.limits.clone());
        let denied = DeniedBook::default();
        let capabilities =
            Capabilities::new(Arc::clone(&version), Arc::clone(&self.active), &call, kv, log.clone(), denied.clone());
        let access = Access::Granted(Box::new(capabilities));
        let egress = Arc::clone(&settings.egress);
        let sender = Sender::new(egress, version.client(), log.clone(), denied.clone(), &call.idempotency_key);
        let sender = sender.traced(call.trace.clone());
        let requests = sender.records();
        let mut store = Guest::store(&self.engine, meter, log.clone(), access, sender);
        let (over, cpu) = (requests.until_over(), store.data().meter.budget());

        // The monotonic clock of the runtime that also keeps the limit: this measures, it decides nothing.
        let began = Instant::now();
        let ended = tokio::select! {
            biased;
            () = version.revoked() => Err(Outcome::Revoked { why: REVOKED.to_owned() }),
            ended = timeout(call.timeout.as_duration(), Budgeted::new(run(&mut store, &version, &call), cpu)) => Ok(ended),
            () = &mut interrupted => Err(Outcome::Cancelled),
        };
        drop(over);
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let wall_us = micros(began.elapsed());

        let Guest { meter, passage, .. } = store.data();
        let (cpu_us, memory_peak_bytes, mut calls) = (micros(meter.cpu()), meter.memory_peak(), passage.calls);
        calls.add(CallKind::Request, requests.calls());
        let cost = Cost { wall_us, cpu_us, memory_peak_bytes, calls };
        let outcome = match ended {
            Ok(Ok(Some(Ok(answer)))) => outcome::of_answer(answer, meter.limits()),
            Ok(Ok(Some(Err(fault)))) => outcome::of_fault(fault, meter, &log.stderr_tail())?,
            Ok(Ok(None)) => Outcome::CpuExhausted { limit: settings.cpu },
            Ok(Err(_)) => Outcome::TimedOut { limit: call.timeout },
            Err(stopped) => stopped,
        };
        let capabilities = store.into_data().into_capabilities().filter(|_| outcome.is_success());
        let effects = capabilities.map_or_else(Effects::default, Capabilities::into_effects);
        let (requests, denied) = (requests.take(), denied.take());
        Ok(Executed { outcome, effects, log: log.finish(), cost, requests, denied, version: Some(version.digest) })
    }

    fn version_for(&self, call: &Call) -> Result<Arc<Version>, SandboxError> {
        let refuse = |reason| SandboxError::NoSuchHandler { target: call.target.clone(), reason };
        let version = self.active(&call.target.plugin).ok_or_else(|| refuse("belongs to no active plugin"))?;
        if call.version.is_some_and(|only| only != version.digest) {
            return Err(SandboxError::Replaced);
        }
        if version.is_revoked() {
            return Err(refuse("is of a version that was revoked"));
        }
        let handler = version.info.handler(&call.target.handler);
        match (&handler.ok_or_else(|| refuse("is not a handler of the active version"))?.trigger, &call.input) {
            (Trigger::Events(_), Input::Event(_)) => Ok(version),
            (Trigger::Schedule(_) | Trigger::Manual, Input::Job(_)) => Ok(version),
            (Trigger::Events(_), Input::Job(_)) => Err(refuse("takes events, not jobs")),
            (Trigger::Schedule(_) | Trigger::Manual, Input::Event(_)) => Err(refuse("takes jobs, not events")),
        }
    }
}

/// Interrupted before a guest was there.
fn never_begun() -> Executed {
    Executed::bare(Outcome::Cancelled)
}

pub(crate) type Answer = Result<types::Outcome, types::HandlerError>;

pub(crate) async fn run(store: &mut Store<Guest>, version: &Version, call: &Call) -> Result<Answer, Fault> {
    let plugin = version.pre().instantiate_async(&mut *store).await.map_err(Fault::Starting)?;
    let invocation = types::Invocation {
        handler: call.target.handler.to_string(),
        run_id: call.run.to_string(),
        attempt: call.attempt,
        max_attempts: call.attempts_max,
        deadline: call.started.plus(call.timeout).0,
        idempotency_key: call.idempotency_key.clone(),
    };
    let guest = plugin.hookbox_plugin_guest();
    let answer = match &call.input {
        Input::Event(event) => guest.call_handle_event(store, &invocation, &outcome::event(event)).await,
        Input::Job(job) => guest.call_run_job(store, &invocation, &outcome::job(job)).await,
    };
    answer.map_err(Fault::Running)
}
