//! What runs wait for, as their handlers' policies say, and what operators do with them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use hookbox_core::effects::{Effects, JobRequest, KvWrite};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::hold::{Held, Hold};
use hookbox_core::id::RunId;
use hookbox_core::plugin::Trigger;
use hookbox_core::policy::PolicyPatch;
use hookbox_core::run::{BootId, CancelCause, RunState, RunStatus};
use hookbox_core::time::Millis;
use hookbox_engine::reaper::Reaper;
use hookbox_store::Store;
use hookbox_store::types::Cancellable;

use crate::host::{Host, NOON, manual};
use crate::script::{Answer, busy, done, done_with, handler, hopeless};

/// A plugin `shop` whose handlers have these options.
async fn shop(host: &Host, handlers: &[(&str, &[(&str, &str)])]) {
    let handlers: Vec<_> = handlers.iter().map(|(name, options)| (*name, Trigger::Manual, patch(options))).collect();
    host.plugin("shop", &handlers).await;
}

fn patch(options: &[(&str, &str)]) -> PolicyPatch {
    let mut patch = PolicyPatch::default();
    options.iter().for_each(|(option, text)| patch.set(option, text).unwrap());
    patch
}

/// A job of a customer.
async fn order(host: &Host, target: &str, customer: &str) -> RunId {
    let (mint, now) = (&host.parts.mint, host.parts.clock.now());
    let job = Job {
        id: mint.job(now),
        origin: JobOrigin::Operator,
        scheduled_at: now,
        content_type: "application/json".into(),
        data: format!(r#"{{"customer":"{customer}"}}"#).into_bytes(),
        hops: 0,
        trace: None,
    };
    let new = host.store.catalogue().new_job(job, mint.run(now), handler(target), now);
    host.store.enqueue(new).await.unwrap()
}

fn called(host: &Host) -> Vec<RunId> {
    host.script.calls.borrow().iter().map(|call| call.run).collect()
}

async fn cancel(host: &Host, id: RunId) -> Vec<RunId> {
    host.store.cancel(vec![id], Cancellable::Alive, CancelCause::Operator, host.parts.clock.now()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_key_go_in_order_while_the_first_waits_for_its_next_attempt() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("order_per", "customer")])]).await;
    host.script.on("shop/ship", |call| async move { Ok(if call.attempt < 3 { busy(None) } else { done() }) });
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(order(&host, "shop/ship", "ada").await);
    }
    let other = order(&host, "shop/ship", "bob").await;
    for id in &ids {
        for attempt in 1..3 {
            let run = host.until(*id, |run| run.attempts.len() == attempt && run.status() == RunStatus::Pending).await;
            host.advance_to(&run);
        }
        host.until_status(*id, RunStatus::Succeeded).await;
    }
    host.until_status(other, RunStatus::Succeeded).await;
    let of_ada: Vec<_> = called(&host).into_iter().filter(|run| *run != other).collect();
    assert_eq!(of_ada, ids.iter().flat_map(|id| [*id; 3]).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_lets_the_next_of_its_key_go_on() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("order_per", "customer")])]).await;
    let first = Arc::new(AtomicBool::new(true));
    host.script.on("shop/ship", move |_| {
        let dies = first.swap(false, Ordering::SeqCst);
        async move { Ok(if dies { hopeless() } else { done() }) }
    });
    let (dead, next) = (order(&host, "shop/ship", "ada").await, order(&host, "shop/ship", "ada").await);
    host.until_status(next, RunStatus::Succeeded).await;
    assert_eq!(host.run(dead).await.status(), RunStatus::Dead);
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_key_are_executed_one_at_a_time_and_others_beside_them() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("concurrency_per", "customer")])]).await;
    let go = host.script.hold("shop/ship");
    for customer in ["ada", "ada", "bob", "ada", "bob", ""] {
        order(&host, "shop/ship", customer).await;
    }
    host.job("shop/ship").await;
    host.job("shop/ship").await;
    // Of each key one, and both jobs without the member.
    host.called(5).await;
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.script.call_count(), 5);
    go.notify_waiters();
    host.called(7).await;
    go.notify_waiters();
    host.called(8).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_of_a_handler_run_than_its_concurrency() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("concurrency", "3")]), ("bill", &[])]).await;
    let go = host.script.hold("shop/ship");
    host.script.on("shop/bill", |_| async { Ok(done()) });
    for _ in 0..10 {
        host.job("shop/ship").await;
    }
    host.called(3).await;
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.script.call_count(), 3);
    let beside = host.job("shop/bill").await;
    host.until_status(beside, RunStatus::Succeeded).await;
    go.notify_one();
    host.called(5).await;
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.script.call_count(), 5);
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_of_a_handler_begin_than_its_rate() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("rate", "1/m")])]).await;
    host.script.on("shop/ship", |_| async { Ok(done()) });
    for _ in 0..4 {
        host.job("shop/ship").await;
    }
    host.called(1).await;
    host.idle_for(Millis::HOUR).await;
    assert_eq!(host.script.call_count(), 1, "the clock of the bucket stands still");
    for calls in 2..=4 {
        host.clock.advance(Millis(59_999));
        host.idle_for(Millis::MINUTE).await;
        assert_eq!(host.script.call_count(), calls - 1);
        host.clock.advance(Millis(1));
        host.called(calls).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_higher_priority_has_more_turns_and_the_lowest_has_some() {
    let mut host = Host::new();
    host.parts.slots = 1;
    shop(&host, &[("urgent", &[("priority", "highest")]), ("slow", &[("priority", "lowest")])]).await;
    for target in ["shop/urgent", "shop/slow"] {
        host.script.on(target, |_| async { Ok(done()) });
    }
    for _ in 0..200 {
        host.job("shop/urgent").await;
        host.job("shop/slow").await;
    }
    host.start().await;
    host.called(100).await;
    let calls = host.script.calls.borrow().clone();
    let urgent = calls[..100].iter().filter(|call| call.target == handler("shop/urgent")).count();
    assert!((80..100).contains(&urgent), "{urgent}");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_waits_until_it_is_released() {
    let host = Host::started().await;
    host.plugin("shop", &[manual("ship"), manual("bill")]).await;
    for target in ["shop/ship", "shop/bill", "other/work"] {
        host.script.on(target, |_| async { Ok(done()) });
    }
    for held in ["shop/ship", "shop", "*"] {
        let held: Held = held.parse().unwrap();
        host.store.hold(held.clone(), Some(Hold::new(NOON, None))).await.unwrap();
        let mut waiting = Vec::new();
        for target in ["shop/ship", "shop/bill", "other/work"] {
            let id = host.job(target).await;
            match held.covers(&handler(target)) {
                true => waiting.push(id),
                false => _ = host.until_status(id, RunStatus::Succeeded).await,
            }
        }
        host.idle_for(Millis::MINUTE).await;
        for id in &waiting {
            assert_eq!(host.run(*id).await.status(), RunStatus::Pending, "{held}");
        }
        host.store.hold(held, None).await.unwrap();
        for id in waiting {
            host.until_status(id, RunStatus::Succeeded).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_runs_already_goes_on_when_it_is_held() {
    let host = Host::started().await;
    let go = host.script.hold("shop/ship");
    let id = host.job("shop/ship").await;
    host.called(1).await;
    host.store.hold(Held::Host, Some(Hold::new(NOON, None))).await.unwrap();
    go.notify_one();
    host.until_status(id, RunStatus::Succeeded).await;
}

/// Tells when it is dropped before it has ended.
struct Stopped(Arc<AtomicBool>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_while_it_is_executed_is_stopped_and_leaves_nothing() {
    let host = Host::started().await;
    host.plugin("shop", &[manual("ship")]).await;
    let stopped = Arc::new(AtomicBool::new(false));
    let told = stopped.clone();
    host.script.on("shop/ship", move |_| {
        let guard = Stopped(told.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(done())
        }
    });
    let id = host.job("shop/ship").await;
    host.called(1).await;
    assert_eq!(cancel(&host, id).await, [id]);
    host.idle_for(Millis(1)).await;
    assert!(stopped.load(Ordering::SeqCst), "it is stopped at once, not at the next renewal");
    let run = host.run(id).await;
    assert_eq!(run.state, RunState::Cancelled { at: NOON, cause: CancelCause::Operator });
    assert_eq!(host.script.running(&"shop".parse().unwrap()), 0);
    assert_eq!((host.store.counts().leased, host.store.counts().pending), (0, 0));
    assert_eq!(cancel(&host, id).await, []);
}

#[tokio::test(start_paused = true)]
async fn the_late_result_of_a_cancelled_run_is_refused_with_its_effects() {
    let host = Host::started().await;
    host.plugin("shop", &[manual("ship"), manual("bill")]).await;
    host.script.on("shop/bill", |_| async { Ok(done()) });
    let (store, clock, mint) = (host.store.clone(), host.parts.clock.clone(), host.parts.mint.clone());
    host.script.on("shop/ship", move |call| {
        let (store, clock, mint) = (store.clone(), clock.clone(), mint.clone());
        async move {
            // Cancelled in the last moment: the dispatcher hears of it when the attempt has ended.
            store.cancel(vec![call.run], Cancellable::Alive, CancelCause::Operator, clock.now()).await.unwrap();
            let job = JobRequest {
                id: mint.job(clock.now()),
                run: mint.run(clock.now()),
                target: "shop/bill".parse().unwrap(),
                content_type: "application/json".into(),
                data: b"{}".to_vec(),
                run_at: None,
                unique_key: None,
            };
            let writes = vec![KvWrite::Add { key: "shipped".into(), delta: 1 }];
            let effects = Effects { writes, jobs: vec![job], ..Effects::default() };
            Answer::Ok(done_with(effects))
        }
    });
    let id = host.job("shop/ship").await;
    host.until_status(id, RunStatus::Cancelled).await;
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.status(), RunStatus::Cancelled);
    assert_eq!(host.all_runs().await.len(), 1);
    assert_eq!(host.store.kv_get(&"shop".parse().unwrap(), "shipped", NOON).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_gives_its_slot_and_its_key_to_the_next() {
    let mut host = Host::new();
    host.parts.slots = 1;
    host.start().await;
    shop(&host, &[("ship", &[("order_per", "customer")])]).await;
    let first = Arc::new(AtomicBool::new(true));
    host.script.on("shop/ship", move |_| {
        let hangs = first.swap(false, Ordering::SeqCst);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(done())
        }
    });
    let (hangs, next) = (order(&host, "shop/ship", "ada").await, order(&host, "shop/ship", "ada").await);
    host.called(1).await;
    cancel(&host, hangs).await;
    host.until_status(next, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_begun_in_time_is_cancelled_and_not_executed() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("expires", "10s"), ("concurrency", "1")])]).await;
    let go = host.script.hold("shop/ship");
    let (begun, late) = (host.job("shop/ship").await, host.job("shop/ship").await);
    host.called(1).await;
    host.clock.advance(Millis(10_000));
    // Whoever comes first: a claim, or the reaper.
    Reaper::new(&host.parts, BootId(1)).tick().await;
    let run = host.until_status(late, RunStatus::Cancelled).await;
    assert_eq!(run.state, RunState::Cancelled { at: NOON.plus(Millis(10_000)), cause: CancelCause::Expired });
    go.notify_one();
    host.until_status(begun, RunStatus::Succeeded).await;
    assert_eq!(host.script.call_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_put_its_runs_off() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("delay", "10m")])]).await;
    host.script.on("shop/ship", |_| async { Ok(done()) });
    let id = host.job("shop/ship").await;
    host.clock.advance(Millis(10 * 60_000 - 1));
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.script.call_count(), 0);
    host.clock.advance(Millis(1));
    host.until_status(id, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_run_with_its_key_is_alive_a_job_is_left_out() {
    let host = Host::started().await;
    shop(&host, &[("ship", &[("unique_per", "customer")])]).await;
    let go = host.script.hold("shop/ship");
    let first = order(&host, "shop/ship", "ada").await;
    host.called(1).await;
    assert_eq!(order(&host, "shop/ship", "ada").await, first);
    assert_ne!(order(&host, "shop/ship", "bob").await, first);
    go.notify_waiters();
    host.until_status(first, RunStatus::Succeeded).await;
    assert_ne!(order(&host, "shop/ship", "ada").await, first);
}

/// Ten customers, runs that fail at random, several at a time: nobody's runs overlap or overtake.
#[tokio::test(start_paused = true)]
async fn the_order_of_each_key_holds_under_load_with_failures() {
    const RUNS: usize = 300;
    let host = Host::started().await;
    shop(&host, &[("ship", &[("order_per", "customer"), ("backoff", "1ms"), ("attempts", "100")])]).await;
    let running = Arc::new(Mutex::new(BTreeSet::new()));
    let (under_way, tries) = (running.clone(), Arc::new(AtomicU32::new(7)));
    host.script.on("shop/ship", move |call| {
        let customer = customer_of(&call);
        assert!(under_way.lock().unwrap().insert(customer.clone()), "two runs of {customer} at one time");
        let (under_way, fails) = (under_way.clone(), tries.fetch_add(13, Ordering::SeqCst) % 5 < 2);
        async move {
            tokio::task::yield_now().await;
            under_way.lock().unwrap().remove(&customer);
            Ok(if fails { busy(Some(Millis(0))) } else { done() })
        }
    });
    let mut ids = Vec::new();
    for n in 0..RUNS {
        ids.push(order(&host, "shop/ship", &format!("c{}", n % 10)).await);
    }
    host.until(*ids.last().unwrap(), |_| host.store.counts().succeeded == RUNS as u64).await;
    let mut ended = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        let last = called(&host).iter().rposition(|run| run == id).unwrap();
        let first = called(&host).iter().position(|run| run == id).unwrap();
        ended.push((n % 10, first, last));
    }
    for customer in 0..10 {
        let spans: Vec<_> = ended.iter().filter(|(of, ..)| *of == customer).collect();
        assert!(spans.windows(2).all(|pair| pair[0].2 < pair[1].1), "{customer}: {spans:?}");
    }
}

fn customer_of(call: &hookbox_core::attempt::Call) -> String {
    let hookbox_core::attempt::Input::Job(job) = &call.input else { panic!("{call:?}") };
    String::from_utf8(job.data.clone()).unwrap()
}
