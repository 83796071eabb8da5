//! Hosts that stop in good order.

use std::sync::atomic::Ordering;

use hookbox_core::effects::{Effects, KvRead};
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;
use hookbox_store::Store;

use crate::host::{Host, NOON};
use crate::script::{done, done_with};

const GRACE: Millis = Millis(25_000);

#[tokio::test(start_paused = true)]
async fn running_attempts_end_during_the_drain() {
    let mut host = Host::started().await;
    let go = host.script.hold("shop/sync");
    let id = host.job("shop/sync").await;
    host.called(1).await;
    let engine = host.take_engine();
    let draining = tokio::spawn(engine.drain(GRACE));
    host.idle_for(Millis::SECOND).await;
    go.notify_one();
    draining.await.unwrap();
    assert_eq!(host.run(id).await.status(), RunStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn what_runs_longer_than_the_grace_is_put_back_uncounted() {
    let mut host = Host::started().await;
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.drain(GRACE).await;
    let run = host.run(id).await;
    assert_eq!((run.status(), run.attempts_begun, run.drains), (RunStatus::Pending, 0, 1));
    assert_eq!(host.script.running(&run.target.plugin), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_once_the_drain_began() {
    let mut host = Host::started().await;
    host.script.on("shop/slow", |_| std::future::pending());
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.job("shop/slow").await;
    host.called(1).await;
    let claims = host.store.claims.load(Ordering::SeqCst);
    let draining = tokio::spawn(host.take_engine().drain(GRACE));
    tokio::task::yield_now().await;
    let late = host.job("shop/sync").await;
    draining.await.unwrap();
    let run = host.run(late).await;
    assert_eq!((run.status(), run.drains), (RunStatus::Pending, 0));
    assert_eq!(host.store.claims.load(Ordering::SeqCst), claims);
}

/// All places that the plugin may have are taken when the drain begins: one that becomes free is not for a new run.
#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_waits_for_a_place_claims_nothing_at_the_drain() {
    let mut host = Host::started().await;
    let go = host.script.hold("shop/sync");
    let places = hookbox_engine::dispatcher::IN_FLIGHT_MAX;
    let mut ids = Vec::new();
    for _ in 0..places + 10 {
        ids.push(host.job("shop/sync").await);
    }
    host.called(places / 2).await;
    host.idle_for(Millis::SECOND).await;
    let held = host.script.call_count();
    let draining = tokio::spawn(host.take_engine().drain(GRACE));
    host.idle_for(Millis::SECOND).await;
    go.notify_waiters();
    draining.await.unwrap();
    let mut left = 0;
    for id in ids {
        let run = host.run(id).await;
        assert_eq!(run.drains, 0);
        left += usize::from(run.status() == RunStatus::Pending);
    }
    assert_eq!((left, host.store.counts().leased), (places + 10 - held, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_turn_is_put_back_at_the_drain() {
    let mut host = Host::started().await;
    host.script.on("shop/slow", |_| std::future::pending());
    host.script.on("shop/count", |_| async {
        let reads = vec![KvRead { key: "n".into(), version: Some(77) }];
        Ok(done_with(Effects { reads, ..Effects::default() }))
    });
    host.job("shop/slow").await;
    host.called(1).await;
    // Three conflicts, then it waits for the slow one.
    let waits = host.job("shop/count").await;
    host.called(4).await;
    let behind = host.job("shop/slow").await;
    host.until_status(behind, RunStatus::Leased).await;
    host.drain(GRACE).await;
    for id in [waits, behind] {
        let run = host.run(id).await;
        assert_eq!((run.status(), run.attempts_begun, run.drains), (RunStatus::Pending, 0, 1));
    }
    assert_eq!(host.script.call_count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_put_back_runs_at_the_next_start() {
    let mut host = Host::started().await;
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.drain(Millis(0)).await;
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.start().await;
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), run.attempts[0].number), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_schedule_fires_once_the_drain_began() {
    let mut host = Host::started().await;
    host.script.on("shop/slow", |_| std::future::pending());
    host.job("shop/slow").await;
    host.called(1).await;
    let minutely = crate::scheduler::every(Millis::MINUTE);
    host.store.declare_schedules(vec![minutely], NOON).await.unwrap();
    let draining = tokio::spawn(host.take_engine().drain(GRACE));
    tokio::task::yield_now().await;
    host.clock.advance(Millis::MINUTE);
    draining.await.unwrap();
    assert_eq!(host.store.schedules(None, 99).await.unwrap()[0].counts.fired, 0);
}

#[tokio::test(start_paused = true)]
async fn leases_are_kept_while_the_drain_waits() {
    let mut host = Host::started().await;
    let go = host.script.hold("shop/sync");
    let id = host.job("shop/sync").await;
    host.called(1).await;
    let draining = tokio::spawn(host.take_engine().drain(Millis::HOUR));
    for _ in 0..6 {
        host.clock.advance(Millis(10_000));
        host.idle_for(Millis(10_000)).await;
    }
    go.notify_one();
    draining.await.unwrap();
    assert_eq!(host.run(id).await.attempts.len(), 1);
}
