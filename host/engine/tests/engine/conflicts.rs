//! Attempts that read what others change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use hookbox_core::attempt::{Attempt, Call, Cost, Log};
use hookbox_core::clock::Monotonic;
use hookbox_core::effects::{Effects, KvRead, KvWrite};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::RunId;
use hookbox_core::name::PluginName;
use hookbox_core::policy::Terms;
use hookbox_core::queue::Room;
use hookbox_core::run::{BootId, RunEvent, RunStatus};
use hookbox_engine::Parts;
use hookbox_store::Store;
use hookbox_store::types::{Changes, Claim, Claimable, NewJob, NewRun, Record};

use crate::host::{Host, NOON};
use crate::script::{Answer, done, done_with, handler};
use crate::wire::Wire;

fn shop() -> PluginName {
    "shop".parse().unwrap()
}

/// Reads a number, lets others run, and writes the next one.
async fn count_up(store: &Wire) -> Answer {
    let seen = store.kv_get(&shop(), "n", NOON).await.unwrap();
    tokio::task::yield_now().await;
    let number: u64 = seen.as_ref().map_or(0, |entry| String::from_utf8_lossy(&entry.value).parse().unwrap());
    let value = (number + 1).to_string().into_bytes();
    Ok(done_with(Effects {
        reads: vec![KvRead { key: "n".into(), version: seen.map(|entry| entry.version) }],
        writes: vec![KvWrite::Set { key: "n".into(), value, ttl: None }],
        ..Effects::default()
    }))
}

async fn number(host: &Host) -> String {
    let entry = host.store.kv_get(&shop(), "n", NOON).await.unwrap().unwrap();
    String::from_utf8(entry.value).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_reads_were_changed_runs_again_and_is_counted_once() {
    let host = Host::started().await;
    let (store, parts, executions) = (host.store.clone(), host.parts.clone(), Arc::new(AtomicU32::new(0)));
    let counted = executions.clone();
    host.script.on("shop/count", move |_| {
        let (store, parts) = (store.clone(), parts.clone());
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let answer = count_up(&store).await;
            if first {
                interfere(&parts).await;
            }
            answer
        }
    });
    let id = host.job("shop/count").await;
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((executions.load(Ordering::SeqCst), run.attempts.len(), run.attempts_begun), (2, 1, 1));
    assert_eq!(number(&host).await, "101");
}

/// Another handler of the plugin sets the number to 100, by hand.
async fn interfere(host: &Parts) {
    let (target, mint, store) = (handler("shop/other"), &host.mint, &host.store);
    let job = Job {
        id: mint.job(NOON),
        origin: JobOrigin::Operator,
        scheduled_at: NOON,
        content_type: "text/plain".into(),
        data: vec![],
        hops: 0,
        trace: None,
    };
    let run = NewRun { id: mint.run(NOON), target: target.clone(), dead: None, made_by: None, terms: Terms::default() };
    store.enqueue(NewJob { job, run, due: NOON }).await.unwrap();
    let until = Monotonic(u64::MAX);
    let claim = Claim {
        handlers: [Claimable::new(target)].into(),
        limit: 1,
        per_plugin_max: usize::MAX,
        boot: BootId(1),
        now: NOON,
        until,
    };
    let run = store.claim(claim).await.unwrap().remove(0);
    let attempt = Attempt {
        number: 1,
        started: NOON,
        finished: NOON,
        outcome: done().outcome,
        log: Log::default(),
        cost: Cost::default(),
        requests: Default::default(),
        denied: Vec::new(),
        version: None,
    };
    let changes = Changes {
        plugin: shop(),
        reads: vec![],
        scans: vec![],
        writes: vec![KvWrite::Set { key: "n".into(), value: b"100".to_vec(), ttl: None }],
        kv_bytes_max: 1000,
        room: Room(1_000_000),
        jobs: vec![],
        events: vec![],
    };
    let (lease, event) = (run.lease().unwrap(), RunEvent::Succeeded { attempt });
    store.record(Record { run: run.id, lease, event, changes: Some(changes), now: NOON }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sixty_four_runs_that_change_one_key_all_count_and_losers_take_the_turn_alone() {
    let host = Host::started().await;
    let executions: Arc<Mutex<HashMap<RunId, u32>>> = Arc::default();
    let beside_alone: Arc<Mutex<Vec<usize>>> = Arc::default();
    let (store, script, seen, beside) =
        (host.store.clone(), host.script.clone(), executions.clone(), beside_alone.clone());
    host.script.on("shop/count", move |call: Call| {
        let (store, script, beside) = (store.clone(), script.clone(), beside.clone());
        let times = *seen.lock().unwrap().entry(call.run).and_modify(|n| *n += 1).or_insert(1);
        async move {
            let answer = count_up(&store).await;
            if times > 3 {
                tokio::task::yield_now().await;
                beside.lock().unwrap().push(script.running(&call.target.plugin));
            }
            answer
        }
    });
    let mut ids = Vec::new();
    for _ in 0..64 {
        ids.push(host.job("shop/count").await);
    }
    for id in ids {
        let run = host.until_status(id, RunStatus::Succeeded).await;
        assert_eq!((run.attempts.len(), run.attempts_begun), (1, 1));
    }
    assert_eq!(number(&host).await, "64");
    let alone = beside_alone.lock().unwrap();
    assert!(!alone.is_empty() && alone.iter().all(|running| *running == 1), "{alone:?}");
    assert!(executions.lock().unwrap().values().all(|times| *times <= 4));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_takes_its_turn_alone_holds_no_other_plugin_back() {
    let host = Host::started().await;
    let store = host.store.clone();
    host.script.on("shop/count", move |_| {
        let store = store.clone();
        async move { count_up(&store).await }
    });
    host.script.on("bank/pay", |_| async { Ok(done()) });
    let go = host.script.hold("shop/slow");
    let slow = host.job("shop/slow").await;
    host.called(1).await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(host.job("shop/count").await);
    }
    host.until(slow, |_| host.store.counts().succeeded >= 3).await;
    let other = host.job("bank/pay").await;
    host.until_status(other, RunStatus::Succeeded).await;
    go.notify_one();
    for id in ids {
        host.until_status(id, RunStatus::Succeeded).await;
    }
    assert_eq!(number(&host).await, "8");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_can_never_hold_is_a_failed_attempt() {
    let host = Host::started().await;
    host.script.on("shop/count", |_| async {
        let reads = vec![KvRead { key: "n".into(), version: Some(77) }];
        Ok(done_with(Effects { reads, ..Effects::default() }))
    });
    let id = host.job("shop/count").await;
    let run = host.until(id, |run| run.attempts.len() == 1).await;
    assert_eq!(run.status(), RunStatus::Pending);
    assert!(run.attempts[0].outcome.message().unwrap().contains("had changed"));
}
