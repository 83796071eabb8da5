//! Runs that have ended, taken in and recorded through the trait `Store`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hookbox_core::attempt::{Attempt, Cost, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::clock::Monotonic;
use hookbox_core::event::{Event, Source};
use hookbox_core::id::Mint;
use hookbox_core::name::{HandlerRef, ProviderName};
use hookbox_core::plugin::Digest;
use hookbox_core::policy::Terms;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent};
use hookbox_core::time::Timestamp;
use hookbox_store::Store;
use hookbox_store::types::{Claim, Claimable, NewEvent, NewRun, Record};
use tokio::task::JoinSet;

pub(crate) const BATCH: u64 = 512;
/// The first runs are dead: they are the farthest away.
const DEAD: u64 = 1000;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

pub(crate) async fn fill(store: &Arc<dyn Store>, runs: u64) {
    let boot = store.begin_boot().await.unwrap();
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&now().0.to_be_bytes());
    let mint = Mint::new(seed);
    let target: HandlerRef = "welcome/welcome".parse().unwrap();
    let (mut left, mut dead) = (runs, DEAD);
    while left > 0 {
        let batch = left.min(BATCH);
        store.accept_all((0..batch).map(|_| event(&mint, &target)).collect()).await.unwrap();
        let claim = Claim {
            handlers: [Claimable::new(target.clone())].into(),
            limit: usize::try_from(batch).unwrap(),
            per_plugin_max: usize::MAX,
            boot,
            now: now(),
            until: Monotonic(u64::MAX),
        };
        let mut records = JoinSet::new();
        for run in store.claim(claim).await.unwrap() {
            let (store, record) = (store.clone(), ended(&run, dead > 0));
            dead = dead.saturating_sub(1);
            records.spawn(async move { store.record(record).await.unwrap() });
        }
        while let Some(recorded) = records.join_next().await {
            recorded.unwrap();
        }
        left -= batch;
    }
}

pub(crate) fn event(mint: &Mint, target: &HandlerRef) -> NewEvent {
    let (now, random) = (now(), mint.random());
    let head = format!(r#"{{"event_id":"{random}","type":"user.created","data":{{"n":1,"pad":""#);
    let event = Event {
        id: mint.event(now),
        source: Source::Provider(ProviderName::parse("shop").unwrap()),
        namespace: "shop".to_owned(),
        event_type: "user.created".to_owned(),
        subject: None,
        time: now,
        content_type: "application/json".to_owned(),
        data: format!(r#"{head}{}"}}}}"#, "x".repeat(1024 - head.len() - 3)).into_bytes(),
        attributes: vec![("provider".to_owned(), "shop".to_owned())],
        hops: 0,
    };
    let run = NewRun { id: mint.run(now), target: target.clone(), dead: None, made_by: None, terms: Terms::default() };
    NewEvent { event, dedupe: Vec::new(), fingerprint: [7; 16], runs: vec![run] }
}

fn ended(run: &Run, dead: bool) -> Record {
    let lease = run.lease().unwrap();
    let output =
        Output { content_type: "application/json".to_owned(), data: br#"{"greeting":"Welcome, stranger!"}"#.to_vec() };
    let line = LogLine {
        at: lease.at,
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "greeted a user".to_owned(),
        fields: Vec::new(),
    };
    let outcome = match dead {
        true => Outcome::Permanent { message: "the needle".to_owned() },
        false => Outcome::Completed { output: Some(output) },
    };
    let attempt = Attempt {
        number: lease.attempt,
        started: lease.at,
        finished: now(),
        outcome,
        log: Log { lines: vec![line], bytes_dropped: 0 },
        cost: Cost { wall_us: 300, cpu_us: 100, memory_peak_bytes: 1 << 20, ..Cost::default() },
        requests: Default::default(),
        denied: Vec::new(),
        version: Some(Digest([7; 32])),
    };
    let event = match dead {
        true => RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent },
        false => RunEvent::Succeeded { attempt },
    };
    Record { run: run.id, lease, event, changes: None, now: now() }
}
