//! A host on a store in memory, with a clock that stands still. Time in tokio is paused: the doers' waits pass as soon
//! as nothing else is to be done.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hookbox_core::clock::ManualClock;
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{Mint, RunId};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::policy::Terms;
use hookbox_core::queue::Room;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunState, RunStatus};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_engine::{Declarer, Engine, Parts, RunEnded, Settings};
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::{NewEvent, NewRun, PageRequest, RunFilter};
use hookbox_store::{PluginRow, Store};
use tokio::sync::mpsc;

use crate::script::{Script, handler};
use crate::wire::Wire;

pub(crate) const NOON: Timestamp = Timestamp(1_780_000_000_000);
/// Of paused time: what has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(3600);

pub(crate) struct Host {
    memory: Arc<MemoryStore>,
    pub(crate) store: Arc<Wire>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) script: Arc<Script>,
    pub(crate) parts: Parts,
    pub(crate) ended: mpsc::Receiver<RunEnded>,
    engine: Option<Engine>,
}

impl Host {
    /// Without doers: a test ticks them itself, or starts the engine.
    pub(crate) fn new() -> Host {
        let memory = Arc::new(MemoryStore::new().unwrap());
        let (clock, script) = (Arc::new(ManualClock::at(NOON)), Arc::new(Script::default()));
        let store = Wire::to(memory.clone());
        let (observer, ended) = mpsc::channel(1000);
        let settings = Arc::new(ArcSwap::from_pointee(Settings::default()));
        let parts = Parts {
            schedules: Arc::new(Declarer::new(store.clone(), settings.clone(), clock.clone())),
            store: store.clone(),
            execute: script.clone(),
            clock: clock.clone(),
            mint: Arc::new(Mint::new([1; 32])),
            settings,
            guests: tokio::runtime::Handle::current(),
            slots: 1000,
            room: Room(1_000_000),
            spending: Arc::default(),
            meters: Arc::default(),
            tracing: Default::default(),
            observer: Some(observer),
        };
        Host { memory, store, clock, script, parts, ended, engine: None }
    }

    pub(crate) async fn started() -> Host {
        let mut host = Host::new();
        host.start().await;
        host
    }

    pub(crate) async fn start(&mut self) {
        self.engine = Some(Engine::start(self.parts.clone()).await.unwrap());
    }

    pub(crate) fn take_engine(&mut self) -> Engine {
        self.engine.take().unwrap()
    }

    pub(crate) async fn drain(&mut self, grace: Millis) {
        self.take_engine().drain(grace).await;
    }

    /// The power goes: nothing that was under way reaches the store. The next start is another boot on what it holds.
    pub(crate) fn crash(&mut self) {
        self.store.cut();
        drop(self.engine.take());
        self.store = Wire::to(self.memory.clone());
        self.parts.store = self.store.clone();
    }

    pub(crate) fn set(&self, settings: Settings) {
        self.parts.settings.store(Arc::new(settings));
    }

    /// A plugin with these handlers.
    pub(crate) async fn plugin(&self, name: &str, handlers: &[(&str, Trigger, PolicyPatch)]) {
        let handlers = handlers.iter().map(|(name, trigger, policy)| Handler {
            filter: None,
            name: name.parse().unwrap(),
            trigger: trigger.clone(),
            description: None,
            policy: policy.clone(),
        });
        let info = PluginInfo {
            name: name.parse().unwrap(),
            version: "1".into(),
            description: None,
            handlers: handlers.collect(),
        };
        let mut row = PluginRow::new(info.name.clone());
        row.activated(Digest([1; 32]), info, NOON);
        self.store.put_plugin(row).await.unwrap();
    }

    pub(crate) async fn job(&self, target: &str) -> RunId {
        let (mint, now) = (&self.parts.mint, self.parts.clock.now());
        let job = Job {
            id: mint.job(now),
            origin: JobOrigin::Operator,
            scheduled_at: now,
            content_type: "application/json".into(),
            data: b"{}".to_vec(),
            hops: 0,
            trace: None,
        };
        let new = self.store.catalogue().new_job(job, mint.run(now), handler(target), now);
        self.store.enqueue(new).await.unwrap()
    }

    /// A webhook for whatever handlers its topic reaches.
    pub(crate) async fn webhook(&self, provider: &str, event_type: &str) -> Vec<RunId> {
        let (mint, now) = (&self.parts.mint, self.parts.clock.now());
        let targets = self.store.catalogue().route(provider, event_type);
        let runs: Vec<_> = targets
            .into_iter()
            .map(|target| NewRun { id: mint.run(now), target, dead: None, made_by: None, terms: Terms::default() })
            .collect();
        let ids = runs.iter().map(|run| run.id).collect();
        let event = Event {
            id: mint.event(now),
            source: Source::Provider(provider.parse().unwrap()),
            namespace: provider.into(),
            event_type: event_type.into(),
            subject: None,
            time: now,
            content_type: "application/json".into(),
            data: b"{}".to_vec(),
            attributes: vec![],
            hops: 0,
        };
        self.store.accept(NewEvent { event, dedupe: vec![], fingerprint: [0; 16], runs }).await.unwrap();
        ids
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        self.store.run(id).await.unwrap()
    }

    pub(crate) async fn all_runs(&self) -> Vec<Run> {
        let page = PageRequest { before: None, limit: 1000 };
        self.store.runs(page, RunFilter::default()).await.unwrap().runs
    }

    /// Waits until a run is as wanted.
    pub(crate) async fn until(&self, id: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        let mut changed = self.store.changed.subscribe();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let run = self.run(id).await;
                if wanted(&run) {
                    return run;
                }
                changed.changed().await.unwrap();
            }
        });
        match waited.await {
            Ok(run) => run,
            Err(_) => panic!("it stays as it is: {:?}", self.run(id).await),
        }
    }

    pub(crate) async fn until_status(&self, id: RunId, status: RunStatus) -> Run {
        self.until(id, |run| run.status() == status).await
    }

    /// Waits until so many calls have begun.
    pub(crate) async fn called(&self, times: usize) {
        let mut calls = self.script.calls.subscribe();
        let waited = tokio::time::timeout(PATIENCE, calls.wait_for(|calls| calls.len() >= times));
        assert!(waited.await.is_ok(), "called {} times, not {times}", self.script.call_count());
    }

    /// Lets the doers look around for a while, in which nothing is expected to happen.
    pub(crate) async fn idle_for(&self, span: Millis) {
        let _ = tokio::time::timeout(span.as_duration(), std::future::pending::<()>()).await;
    }

    /// Goes on to the moment when a run is due.
    pub(crate) fn advance_to(&self, run: &Run) -> Millis {
        let RunState::Pending { due } = run.state else { panic!("{run:?}") };
        let wait = due.since(self.parts.clock.now());
        self.clock.advance(wait);
        wait
    }
}

pub(crate) fn manual(name: &str) -> (&str, Trigger, PolicyPatch) {
    (name, Trigger::Manual, PolicyPatch::default())
}

pub(crate) fn on<'a>(name: &'a str, pattern: &str) -> (&'a str, Trigger, PolicyPatch) {
    (name, Trigger::Events(vec![pattern.parse().unwrap()]), PolicyPatch::default())
}

pub(crate) fn cause(run: &Run) -> Option<DeadCause> {
    match run.state {
        RunState::Dead { cause, .. } => Some(cause),
        _ => None,
    }
}
