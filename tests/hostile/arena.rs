//! The sandbox in which the guests are let loose, beside an honest plugin and one with something to hide.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::attempt::{Call, Executed, Input, Outcome, RequestEnd};
use hookbox_core::clock::ManualClock;
use hookbox_core::effects::{Effects, KvWrite};
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName};
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_sandbox::{MemoryKv, Sandbox, SandboxError, SandboxOptions};
use tokio::time::{Instant, sleep, timeout};

use crate::attacks::CARRIED;
use crate::guest::{Guest, Verdict};
use crate::names::Names;
use crate::server::{self, VAULT};

pub(crate) const NOON: Timestamp = Timestamp(1_780_000_000_000);
/// Attempts at once.
pub(crate) const SLOTS: usize = 2;
/// The plugin whose keys, values and secrets are nobody else's.
pub(crate) const KEEPER: &str = "keeper";
/// What no guest may get to see.
pub(crate) const HIDDEN: &str = "hunter2-of-keeper";

/// Runs of the honest plugin by whose median its usual time is measured, and that after each guest.
const RUNS: usize = 21;
const RUNS_AFTER: usize = 5;
/// It may take so many times as long as usual, and so much longer.
const TIMES_MAX: u64 = 10;
const MORE_US: u64 = 20_000;
/// The best of so many looks counts: other work on the machine comes and goes, what a guest leaves behind stays.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);
/// The limit of wall time of an honest run: whether it was in time is judged by the median.
const PATIENT: Millis = Millis(20_000);
/// The longest that a slot may be waited for: attempts of guests are over before.
const HANG: Duration = Duration::from_secs(60);
/// Connections are gone by then: sooner than a server that takes nothing is given up for that.
const GONE: Duration = Duration::from_secs(25);

pub(crate) struct Arena {
    pub(crate) sandbox: Sandbox,
    names: Arc<Names>,
    /// The longest that the median of honest runs may take after a guest.
    in_time_us: u64,
    kv: Arc<MemoryKv>,
    _folder: tempfile::TempDir,
}

impl Arena {
    pub(crate) async fn open() -> Arena {
        let folder = tempfile::tempdir().unwrap();
        let names = Arc::<Names>::default();
        let sandbox = Sandbox::new(SandboxOptions {
            cache: folder.path().join("cache"),
            slots: SLOTS,
            stack_bytes: STACK_BYTES,
            clock: Arc::new(ManualClock::at(NOON)),
            resolver: names.clone(),
        });
        let (sandbox, kv) = (sandbox.unwrap(), Arc::default());
        let mut arena = Arena { sandbox, names, in_time_us: 0, kv, _folder: folder };
        let welcome = hookbox_tests::sample("welcome").into();
        arena.activate("welcome", welcome, PluginSettings::default()).await;
        let mut settings = PluginSettings::default();
        settings.config.insert("hidden".into(), HIDDEN.into());
        settings.secrets.insert("hidden".into(), Arc::new(Secret::new(HIDDEN).unwrap()));
        arena.activate(KEEPER, crate::guest::guest(KEEPER).bytes().into(), settings).await;
        let hidden = KvWrite::Set { key: "hidden".into(), value: HIDDEN.into(), ttl: None };
        arena.kv.apply(&plugin(KEEPER), &Effects { writes: vec![hidden], ..Effects::default() }).unwrap();
        let usual_us = arena.median_us(RUNS, "nobody").await;
        arena.in_time_us = usual_us * TIMES_MAX + MORE_US;
        eprintln!("an honest run takes {usual_us} us; after each guest it has {} us", arena.in_time_us);
        arena
    }

    /// What honest runs take, one after the other.
    async fn median_us(&self, runs: usize, after: &str) -> u64 {
        let mut took = Vec::new();
        for _ in 0..runs {
            let began = Instant::now();
            self.serve(after).await;
            took.push(u64::try_from(began.elapsed().as_micros()).unwrap());
        }
        took.sort_unstable();
        took[runs / 2]
    }

    async fn activate(&self, name: &str, bytes: Arc<[u8]>, settings: PluginSettings) {
        let version = self.sandbox.prepare(&plugin(name), bytes, settings).await.unwrap();
        self.sandbox.activate(&version);
    }

    /// Lets the guest loose; `Err` tells how it ended where that is not its verdict.
    pub(crate) async fn face(&self, guest: &Guest) -> Result<(), String> {
        self.names.begin_anew();
        drop(server::heard());
        let name = plugin(guest.name.split('/').next_back().unwrap());
        let prepared = self.sandbox.prepare(&name, guest.bytes().into(), guest.settings.clone()).await;
        let version = match (prepared, guest.verdict) {
            (Ok(version), Verdict::Refused(..)) => return Err(format!("is taken: {version:?}")),
            (Ok(version), _) => version,
            (Err(refused), Verdict::Refused(code, words)) => {
                let told = refused.to_string();
                let kept = told.len() < 64 << 10 && !told.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
                return match refused.code() == code && told.contains(words) && kept {
                    true => Ok(()),
                    false => Err(format!("is refused as {}: {told}", refused.code())),
                };
            }
            (Err(refused), _) => return Err(format!("is refused as {}: {refused}", refused.code())),
        };
        let stored = guest.stored.iter().map(|(key, bytes)| KvWrite::Set {
            key: (*key).into(),
            value: vec![b'x'; *bytes],
            ttl: None,
        });
        self.kv.apply(&name, &Effects { writes: stored.collect(), ..Effects::default() }).unwrap();
        self.sandbox.activate(&version);
        drop(version);
        let executed = self.run(&name, guest.timeout).await;
        drop(self.sandbox.deactivate(&name));
        let executed = executed.map_err(|error| format!("is the host's fault: {error}"))?;
        if !executed.outcome.is_success() && executed.effects != Effects::default() {
            return Err(format!("fails and leaves {:?}", executed.effects));
        }
        let told = format!("{executed:?}");
        if told.contains(HIDDEN) || told.contains(CARRIED) {
            return Err("has got hold of what it must not see".to_owned());
        }
        if !is(guest.verdict, &executed.outcome) {
            return Err(format!("ends with {:?}, log {:?}", executed.outcome, executed.log.lines.first()));
        }
        is_told(guest, &executed)?;
        holds("check", || (guest.check)(&executed))?;
        timeout(GONE, server::settle()).await.map_err(|_| "has left a connection open".to_owned())?;
        let heard = server::heard();
        if heard.iter().any(|heard| heard.by == VAULT) {
            return Err(format!("has reached what nobody granted: {heard:?}"));
        }
        holds("heard", || (guest.heard)(&heard))
    }

    /// The handler `job` of an active plugin.
    pub(crate) async fn run(&self, name: &PluginName, timeout: Millis) -> Result<Executed, SandboxError> {
        self.sandbox.execute(call(name, timeout), self.kv.clone()).await
    }

    /// The honest plugin does its work as ever, in all slots at once and in its usual time, that for a slot included.
    pub(crate) async fn assert_serves(&self, after: &str) {
        let served: [_; SLOTS] = std::array::from_fn(|_| self.serve(after));
        let [one, other] = served;
        tokio::join!(one, other);
        let mut best_us = u64::MAX;
        for _ in 0..LOOKS {
            best_us = best_us.min(self.median_us(RUNS_AFTER, after).await);
            if best_us <= self.in_time_us {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("after {after}: an honest run takes {best_us} us, at most {} us", self.in_time_us);
    }

    async fn serve(&self, after: &str) -> Executed {
        let running = self.sandbox.execute(welcome(PATIENT), self.kv.clone());
        let executed = timeout(HANG, running).await.unwrap_or_else(|_| panic!("after {after}: no slot is free"));
        let executed = executed.unwrap();
        match &executed.outcome {
            Outcome::Completed { output: Some(output) } => {
                assert!(String::from_utf8_lossy(&output.data).contains("Welcome, Ada!"), "after {after}: {executed:?}");
            }
            _ => panic!("after {after}: {executed:?}"),
        }
        assert_eq!(executed.effects.writes.len(), 1, "after {after}");
        executed
    }
}

/// What a guest is to leave besides; all of them are tried before the test fails.
fn holds(what: &str, assert: impl FnOnce()) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(assert)).map_err(|_| format!("fails its `{what}`, see above"))
}

/// Whether the operator is told of its requests what must be told.
fn is_told(guest: &Guest, executed: &Executed) -> Result<(), String> {
    let kept = &executed.requests.kept;
    let tells = |end: &RequestEnd| match end {
        RequestEnd::Denied(reason) | RequestEnd::Failed(reason) => reason.contains(guest.told),
        RequestEnd::Unfinished | RequestEnd::Answered(_) => false,
    };
    if !guest.told.is_empty() && !kept.iter().any(|request| tells(&request.end)) {
        return Err(format!("is not told of with {:?}: {kept:?}", guest.told));
    }
    let denied = kept.iter().any(|request| matches!(request.end, RequestEnd::Denied(_)));
    if denied && executed.denied.is_empty() {
        return Err(format!("is denied and not listed: {kept:?}"));
    }
    Ok(())
}

fn is(verdict: Verdict, outcome: &Outcome) -> bool {
    let names = |key| outcome.message().is_some_and(|message| message.contains(key));
    match (verdict, outcome) {
        (Verdict::Trapped(words), Outcome::Trapped { message })
        | (Verdict::Permanent(words), Outcome::Permanent { message })
        | (Verdict::Retryable(words), Outcome::Retryable { message, .. }) => message.contains(words),
        (Verdict::CpuExhausted, Outcome::CpuExhausted { .. }) => names("limits.cpu"),
        (Verdict::TimedOut, Outcome::TimedOut { .. }) => names("timeout"),
        (Verdict::OutOfMemory, Outcome::OutOfMemory { .. }) => names("limits.memory"),
        (Verdict::Completes, Outcome::Completed { .. }) => true,
        (Verdict::Says(words), Outcome::Completed { output: Some(output) }) => {
            String::from_utf8_lossy(&output.data).contains(words)
        }
        _ => false,
    }
}

pub(crate) fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

fn call(name: &PluginName, timeout: Millis) -> Call {
    let job = Job {
        id: JobId::new(NOON, 2),
        origin: JobOrigin::Operator,
        scheduled_at: NOON,
        content_type: "text/plain".into(),
        data: b"data".to_vec(),
        hops: 0,
    };
    Call {
        target: HandlerRef { plugin: name.clone(), handler: HandlerName::parse("job").unwrap() },
        run: RunId::new(NOON, 1),
        attempt: 1,
        attempts_max: 5,
        timeout,
        started: NOON,
        idempotency_key: "key".into(),
        hops: 0,
        input: Input::Job(Arc::new(job)),
        version: None,
    }
}

fn welcome(timeout: Millis) -> Call {
    let event = Event {
        id: EventId::new(NOON, 3),
        source: Source::Provider(ProviderName::parse("shop").unwrap()),
        namespace: "shop".into(),
        event_type: "user.created".into(),
        subject: None,
        time: NOON,
        content_type: "application/json".into(),
        data: br#"{"event_id":"e1","data":{"name":"Ada"}}"#.to_vec(),
        attributes: vec![("provider".into(), "shop".into())],
        hops: 0,
    };
    let target = HandlerRef { plugin: plugin("welcome"), handler: HandlerName::parse("welcome").unwrap() };
    Call { target, input: Input::Event(Arc::new(event)), ..call(&plugin("welcome"), timeout) }
}
