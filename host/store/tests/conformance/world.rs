//! A store under test, and short ways to say what goes into it.

use std::future::Future;
use std::ops::Deref;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookbox_core::attempt::{Attempt, Outcome};
use hookbox_core::clock::Monotonic;
use hookbox_core::effects::{KvRead, KvWrite};
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName};
use hookbox_core::policy::Terms;
use hookbox_core::queue::Room;
use hookbox_core::run::{BootId, Run, RunEvent};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::embedded::SledStore;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::{
    Accepted, Changes, Claim, Claimable, DedupeMark, NewEvent, NewJob, NewRun, Record, Recorded,
};
use hookbox_store::{Store, doctor};
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp(1_750_000_000_000);
pub(crate) const BOOT: BootId = BootId(1);
/// When the leases that [`World::claim`] gives are lost.
pub(crate) const LEASE_UNTIL: Monotonic = Monotonic(30_000);

pub(crate) fn later(ms: u64) -> Timestamp {
    NOW.plus(Millis(ms))
}

/// Grows, so that ids made later sort later.
pub(crate) fn fresh() -> u128 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    u128::from(LAST.fetch_add(1, Ordering::SeqCst))
}

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    folder: Option<TempDir>,
    pauses: Pauses,
}

#[derive(PartialEq)]
enum Pauses {
    DoNothing,
    Reopen,
}

impl Deref for World {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

type Test<'w> = Pin<Box<dyn Future<Output = ()> + 'w>>;

pub(crate) fn on_memory(test: impl FnOnce(&mut World) -> Test<'_>) {
    let store = Arc::new(MemoryStore::new().unwrap());
    run(World { store, folder: None, pauses: Pauses::DoNothing }, test);
}

pub(crate) fn on_embedded(test: impl FnOnce(&mut World) -> Test<'_>) {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    run(World { store, folder: Some(folder), pauses: Pauses::DoNothing }, test);
}

pub(crate) fn on_reopened(test: impl FnOnce(&mut World) -> Test<'_>) {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    run(World { store, folder: Some(folder), pauses: Pauses::Reopen }, test);
}

fn run(mut world: World, test: impl FnOnce(&mut World) -> Test<'_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(test(&mut world));
    drop(runtime);
    let World { store, folder, .. } = world;
    drop(store);
    if let Some(folder) = folder {
        check(folder.path());
    }
}

/// The data of a closed store is in order, and nothing of it is in a blob file.
pub(crate) fn check(folder: &Path) {
    let report = doctor::check(&doctor::open(folder).unwrap()).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(blobs(folder), 0);
}

pub(crate) fn blobs(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("blobs")).map_or(0, |entries| entries.count())
}

impl World {
    /// Where what was done must survive a restart.
    pub(crate) fn pause(&mut self) {
        if self.pauses == Pauses::Reopen
            && let Some(folder) = &self.folder
        {
            self.store = Arc::new(MemoryStore::new().unwrap());
            self.store = Arc::new(SledStore::open(folder.path()).unwrap());
        }
    }

    pub(crate) async fn accept_new(&self, event: NewEvent) -> EventId {
        match self.accept(event).await.unwrap() {
            Accepted::New(id) => id,
            other => panic!("not new: {other:?}"),
        }
    }

    pub(crate) async fn claim_some(&self, handlers: &[&str], limit: usize, now: Timestamp) -> Vec<Run> {
        let handlers = handlers.iter().copied().map(handler).map(Claimable::new).collect();
        self.claim(Claim { handlers, limit, per_plugin_max: usize::MAX, boot: BOOT, now, until: LEASE_UNTIL })
            .await
            .unwrap()
    }

    /// Accepts an event for the handler and claims its run.
    pub(crate) async fn leased(&self, target: &str) -> Run {
        let new = event(&[target]);
        let id = new.runs[0].id;
        self.accept_new(new).await;
        let mut runs = self.claim_some(&[target], 1, NOW).await;
        assert_eq!(runs.len(), 1);
        let run = runs.remove(0);
        assert_eq!(run.id, id);
        run
    }

    /// Makes a new attempt of the handler, which ends well with these changes.
    pub(crate) async fn commit(&self, target: &str, changes: Changes) -> Recorded {
        let run = self.leased(target).await;
        self.record(success(&run, Some(changes))).await.unwrap()
    }

    pub(crate) async fn value(&self, plugin: &str, key: &str) -> Option<Vec<u8>> {
        self.kv_get(&plugin_name(plugin), key, NOW).await.unwrap().map(|entry| entry.value)
    }
}

pub(crate) fn plugin_name(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

/// `plugin/handler`
pub(crate) fn handler(text: &str) -> HandlerRef {
    let (plugin, handler) = text.split_once('/').unwrap();
    HandlerRef { plugin: plugin_name(plugin), handler: HandlerName::parse(handler).unwrap() }
}

/// A job that is the only one with its key.
pub(crate) fn unique_job(target: &str, key: impl Into<String>) -> NewJob {
    let mut job = job(target);
    job.run.terms.unique = Some(key.into());
    job
}

pub(crate) fn new_run(target: &str) -> NewRun {
    NewRun { id: RunId::new(NOW, fresh()), target: handler(target), dead: None, made_by: None, terms: Terms::default() }
}

/// An event that reaches these handlers; it has no dedupe key.
pub(crate) fn event(targets: &[&str]) -> NewEvent {
    event_at(NOW, targets)
}

pub(crate) fn event_at(time: Timestamp, targets: &[&str]) -> NewEvent {
    let runs = targets.iter().map(|target| NewRun { id: RunId::new(time, fresh()), ..new_run(target) });
    NewEvent {
        event: Event {
            id: EventId::new(time, fresh()),
            source: Source::Provider(ProviderName::parse("shop").unwrap()),
            namespace: "shop".to_owned(),
            event_type: "user.created".to_owned(),
            subject: None,
            time,
            content_type: "application/json".to_owned(),
            data: b"{}".to_vec(),
            attributes: vec![("provider".to_owned(), "shop".to_owned())],
            hops: 0,
        },
        dedupe: Vec::new(),
        fingerprint: [0; 16],
        runs: runs.collect(),
    }
}

/// An event with these dedupe keys, good for a minute.
pub(crate) fn delivery(keys: &[u8], fingerprint: u8) -> NewEvent {
    delivery_at(NOW, keys, fingerprint)
}

pub(crate) fn delivery_at(time: Timestamp, keys: &[u8], fingerprint: u8) -> NewEvent {
    let until = time.plus(Millis::MINUTE);
    NewEvent {
        dedupe: keys.iter().map(|key| DedupeMark { hash: [*key; 32], until }).collect(),
        fingerprint: [fingerprint; 16],
        ..event_at(time, &["a/on-event"])
    }
}

pub(crate) fn job(target: &str) -> NewJob {
    NewJob {
        job: Job {
            id: JobId::new(NOW, fresh()),
            origin: JobOrigin::Operator,
            scheduled_at: NOW,
            content_type: "text/plain".to_owned(),
            data: b"work".to_vec(),
            hops: 0,
            trace: None,
        },
        run: new_run(target),
        due: NOW,
    }
}

pub(crate) fn attempt(run: &Run) -> Attempt {
    Attempt {
        number: run.lease().unwrap().attempt,
        started: NOW,
        finished: later(5),
        outcome: Outcome::Completed { output: None },
        log: Default::default(),
        cost: Default::default(),
        requests: Default::default(),
        denied: Vec::new(),
        version: None,
    }
}

pub(crate) fn ended(run: &Run, event: RunEvent, changes: Option<Changes>) -> Record {
    Record { run: run.id, lease: run.lease().unwrap(), event, changes, now: later(5) }
}

pub(crate) fn success(run: &Run, changes: Option<Changes>) -> Record {
    ended(run, RunEvent::Succeeded { attempt: attempt(run) }, changes)
}

pub(crate) fn failed(run: &Run) -> Attempt {
    Attempt { outcome: Outcome::Trapped { message: "unreachable".to_owned() }, ..attempt(run) }
}

pub(crate) fn changes(plugin: &str) -> Changes {
    Changes {
        plugin: plugin_name(plugin),
        reads: Vec::new(),
        scans: Vec::new(),
        writes: Vec::new(),
        kv_bytes_max: 16 << 20,
        room: Room(1_000_000),
        jobs: Vec::new(),
        events: Vec::new(),
    }
}

pub(crate) fn writes(plugin: &str, writes: impl Into<Vec<KvWrite>>) -> Changes {
    Changes { writes: writes.into(), ..changes(plugin) }
}

pub(crate) fn set(key: &str, value: impl Into<Vec<u8>>) -> KvWrite {
    KvWrite::Set { key: key.to_owned(), value: value.into(), ttl: None }
}

pub(crate) fn add(key: &str, delta: i64) -> KvWrite {
    KvWrite::Add { key: key.to_owned(), delta }
}

pub(crate) fn delete(key: &str) -> KvWrite {
    KvWrite::Delete { key: key.to_owned() }
}

pub(crate) fn read(key: &str, version: Option<u64>) -> KvRead {
    KvRead { key: key.to_owned(), version }
}

/// `length` bytes that differ from place to place.
pub(crate) fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|n| (n / 7 + n) as u8 ^ seed).collect()
}
