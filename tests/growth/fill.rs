//! Fills the store of a host that is down, through the trait `Store`.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hookbox_core::attempt::{Attempt, Cost, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::clock::Monotonic;
use hookbox_core::event::{Event, Source};
use hookbox_core::hold::{Held, Hold};
use hookbox_core::id::Mint;
use hookbox_core::name::{HandlerRef, ProviderName};
use hookbox_core::plugin::Digest;
use hookbox_core::policy::Terms;
use hookbox_core::run::{BootId, Run, RunEvent};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use hookbox_store::types::{Claim, Claimable, DedupeMark, NewEvent, NewRun, Record};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Events of one commit.
const BATCH: u64 = 512;
/// Batches that are under way, so that the commit thread never waits.
const WORKERS: u64 = 4;

pub(crate) struct Filler {
    pub(crate) store: Arc<SledStore>,
    pub(crate) runtime: Runtime,
    mint: Arc<Mint>,
}

/// What a handler takes.
#[derive(Clone)]
struct Taken {
    target: HandlerRef,
    event_type: String,
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

impl Filler {
    pub(crate) fn open(data: &Path) -> Filler {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let store = Arc::new(SledStore::open(data).unwrap());
        // Other ids than those of an earlier filling.
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&now().0.to_be_bytes());
        Filler { store, runtime, mint: Arc::new(Mint::new(seed)) }
    }

    /// So many events that `welcome` has greeted.
    pub(crate) fn stored(&self, events: u64) {
        let taken = Taken { target: "welcome/welcome".parse().unwrap(), event_type: "user.created".to_owned() };
        let boot = self.runtime.block_on(self.store.begin_boot()).unwrap();
        self.at_once(events, move |filler, number| filler.end(taken.clone(), boot, number));
    }

    /// So many events that wait for a handler which is held.
    pub(crate) fn pending(&self, events: u64) {
        let taken = Taken { target: "steps/count".parse().unwrap(), event_type: "count".to_owned() };
        let held = Held::Handler(taken.target.clone());
        self.runtime.block_on(self.store.hold(held, Some(Hold::new(now(), None)))).unwrap();
        self.at_once(events, move |filler, number| filler.accept(taken.clone(), number));
    }

    fn at_once<F>(&self, events: u64, work: impl Fn(Worker, u64) -> F + Clone + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        self.runtime.block_on(async {
            let mut workers = JoinSet::new();
            for worker in 0..WORKERS {
                let (work, store, mint) = (work.clone(), self.store.clone(), self.mint.clone());
                let own = events / WORKERS + u64::from(worker < events % WORKERS);
                workers.spawn(async move {
                    let mut left = own;
                    while left > 0 {
                        let batch = left.min(BATCH);
                        work(Worker { store: store.clone(), mint: mint.clone() }, batch).await;
                        left -= batch;
                    }
                });
            }
            while let Some(ended) = workers.join_next().await {
                ended.unwrap();
            }
        });
    }
}

struct Worker {
    store: Arc<SledStore>,
    mint: Arc<Mint>,
}

impl Worker {
    async fn accept(self, taken: Taken, events: u64) {
        self.accept_some(&taken, events).await;
    }

    async fn accept_some(&self, taken: &Taken, events: u64) {
        let events = (0..events).map(|_| self.event(taken)).collect();
        self.store.accept_all(events).await.unwrap();
    }

    /// Takes them in, and ends as many runs, its own or another worker's.
    async fn end(self, taken: Taken, boot: BootId, events: u64) {
        self.accept_some(&taken, events).await;
        let claim = Claim {
            handlers: [Claimable::new(taken.target)].into(),
            limit: usize::try_from(events).unwrap(),
            per_plugin_max: usize::MAX,
            boot,
            now: now(),
            until: Monotonic(u64::MAX),
        };
        let mut records = JoinSet::new();
        for run in self.store.claim(claim).await.unwrap() {
            let store = self.store.clone();
            records.spawn(async move { store.record(success(&run)).await.unwrap() });
        }
        while let Some(recorded) = records.join_next().await {
            recorded.unwrap();
        }
    }

    /// As a sender of `hookbox bench` gives it.
    fn event(&self, taken: &Taken) -> NewEvent {
        let (now, random) = (now(), self.mint.random());
        let (id, delivery) = (self.mint.event(now), format!("growth-{random}"));
        let event_type = &taken.event_type;
        let head = format!(r#"{{"event_id":"{delivery}","type":"{event_type}","data":{{"n":1,"pad":""#);
        let body = format!(r#"{head}{}"}}}}"#, "x".repeat(1024 - head.len() - 3));
        let event = Event {
            id,
            source: Source::Provider(ProviderName::parse("shop").unwrap()),
            namespace: "shop".to_owned(),
            event_type: event_type.clone(),
            subject: None,
            time: now,
            content_type: "application/json".to_owned(),
            data: body.into_bytes(),
            attributes: vec![
                ("provider".to_owned(), "shop".to_owned()),
                ("delivery-id".to_owned(), delivery),
                ("integrity".to_owned(), "full".to_owned()),
            ],
            hops: 0,
        };
        let mut hash = [0; 32];
        // Anywhere among the others, as a hash is.
        for (place, byte) in hash.iter_mut().zip(random.to_le_bytes().into_iter().cycle()) {
            *place = byte;
        }
        let run = NewRun {
            id: self.mint.run(now),
            target: taken.target.clone(),
            dead: None,
            made_by: None,
            terms: Terms::default(),
        };
        let until = now.plus(Millis(7 * Millis::DAY.0));
        NewEvent { event, dedupe: vec![DedupeMark { hash, until }], fingerprint: [7; 16], runs: vec![run] }
    }
}

/// What `welcome` makes of it.
fn success(run: &Run) -> Record {
    let lease = run.lease().unwrap();
    let data = br#"{"event_id":"growth-1234567890","greeting":"Welcome, stranger!"}"#.to_vec();
    let line = LogLine {
        at: lease.at,
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "greeted a user for growth-1234567890".to_owned(),
        fields: Vec::new(),
    };
    let attempt = Attempt {
        number: lease.attempt,
        started: lease.at,
        finished: now(),
        outcome: Outcome::Completed { output: Some(Output { content_type: "application/json".to_owned(), data }) },
        log: Log { lines: vec![line], bytes_dropped: 0 },
        cost: Cost { wall_us: 300, cpu_us: 0, memory_peak_bytes: 1 << 20, ..Cost::default() },
        requests: Default::default(),
        denied: Vec::new(),
        version: Some(Digest([7; 32])),
    };
    Record { run: run.id, lease, event: RunEvent::Succeeded { attempt }, changes: None, now: now() }
}
