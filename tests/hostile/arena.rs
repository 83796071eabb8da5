//! The sandbox in which the guests are let loose, beside an honest plugin and one with something to hide.

use std::fs;
use std::sync::Arc;

use hookbox_core::attempt::{Call, Executed, Input, Outcome};
use hookbox_core::clock::ManualClock;
use hookbox_core::effects::{Effects, KvWrite};
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName};
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_sandbox::{MemoryKv, Sandbox, SandboxError, SandboxOptions, SystemResolver};

use crate::guest::{Guest, Verdict};

pub(crate) const NOON: Timestamp = Timestamp(1_780_000_000_000);
/// Attempts at once.
pub(crate) const SLOTS: usize = 2;
/// The plugin whose keys, values and secrets are nobody else's.
pub(crate) const KEEPER: &str = "keeper";
/// What no guest may get to see.
pub(crate) const HIDDEN: &str = "hunter2-of-keeper";

pub(crate) struct Arena {
    pub(crate) sandbox: Sandbox,
    kv: Arc<MemoryKv>,
    _folder: tempfile::TempDir,
}

impl Arena {
    pub(crate) async fn open() -> Arena {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(SandboxOptions {
            cache: folder.path().join("cache"),
            slots: SLOTS,
            stack_bytes: STACK_BYTES,
            clock: Arc::new(ManualClock::at(NOON)),
            resolver: Arc::new(SystemResolver::default()),
        });
        let arena = Arena { sandbox: sandbox.unwrap(), kv: Arc::default(), _folder: folder };
        let welcome = hookbox_tests::sample("welcome").into();
        arena.activate("welcome", welcome, PluginSettings::default()).await;
        let mut settings = PluginSettings::default();
        settings.config.insert("hidden".into(), HIDDEN.into());
        settings.secrets.insert("hidden".into(), Arc::new(Secret::new(HIDDEN).unwrap()));
        arena.activate(KEEPER, crate::guest::guest(KEEPER).bytes().into(), settings).await;
        let hidden = KvWrite::Set { key: "hidden".into(), value: HIDDEN.into(), ttl: None };
        arena.kv.apply(&plugin(KEEPER), &Effects { writes: vec![hidden], ..Effects::default() }).unwrap();
        arena
    }

    async fn activate(&self, name: &str, bytes: Arc<[u8]>, settings: PluginSettings) {
        let version = self.sandbox.prepare(&plugin(name), bytes, settings).await.unwrap();
        self.sandbox.activate(&version);
    }

    /// Lets the guest loose; `Err` tells how it ended where that is not its verdict.
    pub(crate) async fn face(&self, guest: &Guest) -> Result<(), String> {
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
        if format!("{executed:?}").contains(HIDDEN) {
            return Err("has got hold of what is another's".to_owned());
        }
        if !is(guest.verdict, &executed.outcome) {
            return Err(format!("ends with {:?}, log {:?}", executed.outcome, executed.log.lines.first()));
        }
        (guest.check)(&executed);
        Ok(())
    }

    /// The handler `job` of an active plugin.
    pub(crate) async fn run(&self, name: &PluginName, timeout: Millis) -> Result<Executed, SandboxError> {
        self.sandbox.execute(call(name, timeout), self.kv.clone()).await
    }

    /// The honest plugin does its work as ever.
    pub(crate) async fn assert_serves(&self, after: &str) {
        let executed = self.sandbox.execute(welcome(), self.kv.clone()).await.unwrap();
        match &executed.outcome {
            Outcome::Completed { output: Some(output) } => {
                assert!(String::from_utf8_lossy(&output.data).contains("Welcome, Ada!"), "after {after}: {executed:?}");
            }
            _ => panic!("after {after}: {executed:?}"),
        }
        assert_eq!(executed.effects.writes.len(), 1, "after {after}");
    }
}

fn is(verdict: Verdict, outcome: &Outcome) -> bool {
    match (verdict, outcome) {
        (Verdict::Trapped(words), Outcome::Trapped { message })
        | (Verdict::Permanent(words), Outcome::Permanent { message })
        | (Verdict::Retryable(words), Outcome::Retryable { message, .. }) => message.contains(words),
        (Verdict::CpuExhausted, Outcome::CpuExhausted { .. })
        | (Verdict::TimedOut, Outcome::TimedOut { .. })
        | (Verdict::OutOfMemory, Outcome::OutOfMemory { .. })
        | (Verdict::Completes, Outcome::Completed { .. }) => true,
        (Verdict::Says(words), Outcome::Completed { output: Some(output) }) => {
            String::from_utf8_lossy(&output.data).contains(words)
        }
        _ => false,
    }
}

/// What this process holds of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) resident_kib: u64,
    pub(crate) files: usize,
    pub(crate) threads: usize,
}

impl Held {
    pub(crate) fn now() -> Held {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident_kib = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let count = |folder: &str| fs::read_dir(folder).unwrap().count();
        Held { resident_kib, files: count("/proc/self/fd"), threads: count("/proc/self/task") }
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
    }
}

fn welcome() -> Call {
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
    Call { target, input: Input::Event(Arc::new(event)), ..call(&plugin("welcome"), Millis(20_000)) }
}
