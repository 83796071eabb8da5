//! Readers beside writers: a scan is no snapshot, and yet nothing is missed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookbox_core::id::{EventId, RunId};
use hookbox_store::Store;
use hookbox_store::types::{Claimable, KvPage, PageRequest, Recorded, RunFilter};

use crate::world::{NOW, World, bytes, event, plugin_name, set, success, writes};

conformance! {
    a_run_that_ends_is_never_missed,
    an_event_is_never_missed,
    a_key_is_never_missed_or_mixed_up,
    a_run_is_readable_at_every_moment,
}

async fn all_runs(store: &dyn Store, limit: usize) -> BTreeSet<RunId> {
    let (mut seen, mut before) = (BTreeSet::new(), None);
    loop {
        let page = store.runs(PageRequest { before, limit }, RunFilter::default()).await.unwrap();
        seen.extend(page.runs.iter().map(|run| run.id));
        match page.next {
            Some(next) => before = Some(next),
            None => return seen,
        }
    }
}

async fn all_events(store: &dyn Store, limit: usize) -> BTreeSet<EventId> {
    let (mut seen, mut before) = (BTreeSet::new(), None);
    loop {
        let page = store.events(PageRequest { before, limit }).await.unwrap();
        seen.extend(page.events.iter().map(|record| record.event.id));
        match page.next {
            Some(next) => before = Some(next),
            None => return seen,
        }
    }
}

/// Runs `read` over and over while `write` works, and once more.
async fn beside<R: Future<Output = ()> + Send + 'static>(
    write: impl Future<Output = ()> + Send + 'static,
    read: impl Fn() -> R + Send + 'static,
) {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    let reader = tokio::spawn(async move {
        while !seen.load(Ordering::SeqCst) {
            read().await;
        }
        read().await;
    });
    tokio::spawn(write).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    reader.await.unwrap();
}

/// Accepts events and ends their runs, several at a time.
async fn work_through(store: Arc<dyn Store>, events: usize) {
    let handlers: Arc<[_]> = [Claimable::new(crate::world::handler("a/on-event"))].into();
    for _ in 0..events / 10 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let store = store.clone();
            tasks.spawn(async move { store.accept(event(&["a/on-event"])).await.unwrap() });
        }
        tasks.join_all().await;
        let claim = hookbox_store::types::Claim {
            handlers: handlers.clone(),
            limit: 15,
            per_plugin_max: usize::MAX,
            boot: crate::world::BOOT,
            now: NOW,
            until: crate::world::LEASE_UNTIL,
        };
        let mut tasks = tokio::task::JoinSet::new();
        for run in store.claim(claim).await.unwrap() {
            let store = store.clone();
            tasks.spawn(async move { store.record(success(&run, None)).await.unwrap() });
        }
        assert!(tasks.join_all().await.iter().all(|one| *one == Recorded::Done));
    }
}

async fn a_run_that_ends_is_never_missed(world: &mut World) {
    let mut made = BTreeSet::new();
    for _ in 0..100 {
        let new = event(&["a/on-event"]);
        made.insert(new.runs[0].id);
        world.accept_new(new).await;
    }
    let (store, made) = (world.store.clone(), Arc::new(made));
    beside(work_through(world.store.clone(), 300), move || {
        let (store, made) = (store.clone(), made.clone());
        async move {
            for limit in [13, 500] {
                assert!(all_runs(&*store, limit).await.is_superset(&made));
            }
        }
    })
    .await;
    assert_eq!(all_runs(&*world.store, 500).await.len(), 400);
}

async fn an_event_is_never_missed(world: &mut World) {
    let mut made = BTreeSet::new();
    for _ in 0..100 {
        made.insert(world.accept_new(event(&["a/on-event"])).await);
    }
    let (store, made) = (world.store.clone(), Arc::new(made));
    beside(work_through(world.store.clone(), 300), move || {
        let (store, made) = (store.clone(), made.clone());
        async move { assert!(all_events(&*store, 13).await.is_superset(&made)) }
    })
    .await;
}

/// Keys whose values, in parts, are written over and over: a reader sees each of them whole.
async fn a_key_is_never_missed_or_mixed_up(world: &mut World) {
    let keys: Vec<String> = (0..30).map(|n| format!("k{n:02}")).collect();
    let write =
        move |seed: u8| -> Vec<_> { (0..30).map(|n| set(&format!("k{n:02}"), bytes(9000 + n, seed))).collect() };
    assert_eq!(world.commit("w/on-event", writes("a", write(0))).await, Recorded::Done);
    let writer = world.store.clone();
    let reader = world.store.clone();
    beside(
        async move {
            for seed in 1..60 {
                let new = event(&["w/on-event"]);
                writer.accept(new).await.unwrap();
                let claim = hookbox_store::types::Claim {
                    handlers: [Claimable::new(crate::world::handler("w/on-event"))].into(),
                    limit: 1,
                    per_plugin_max: usize::MAX,
                    boot: crate::world::BOOT,
                    now: NOW,
                    until: crate::world::LEASE_UNTIL,
                };
                let run = writer.claim(claim).await.unwrap().remove(0);
                let recorded = writer.record(success(&run, Some(writes("a", write(seed))))).await.unwrap();
                assert_eq!(recorded, Recorded::Done);
            }
        },
        move || {
            let (store, keys) = (reader.clone(), keys.clone());
            async move {
                let plugin = plugin_name("a");
                let page = KvPage { prefix: "k".to_owned(), after: None, limit: 99 };
                assert_eq!(store.kv_list(&plugin, page, NOW).await.unwrap(), keys);
                for (n, key) in keys.iter().enumerate() {
                    let value = store.kv_get(&plugin, key, NOW).await.unwrap().unwrap().value;
                    assert_eq!(value, bytes(9000 + n, value[0]));
                }
            }
        },
    )
    .await;
}

async fn a_run_is_readable_at_every_moment(world: &mut World) {
    let mut made = Vec::new();
    for _ in 0..30 {
        let new = event(&["a/on-event"]);
        made.push(new.runs[0].id);
        world.accept_new(new).await;
    }
    let (store, made) = (world.store.clone(), Arc::new(made));
    beside(work_through(world.store.clone(), 60), move || {
        let (store, made) = (store.clone(), made.clone());
        async move {
            for run in made.iter() {
                assert_eq!(store.run(*run).await.unwrap().id, *run);
            }
        }
    })
    .await;
}
