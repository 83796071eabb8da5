//! Attempts that are stopped, and ends that are told though the lease is gone.

use std::sync::Arc;
use std::time::Duration;

use hookbox_core::attempt::Outcome;
use hookbox_core::effects::{Effects, KvRead};
use hookbox_core::id::RunId;
use hookbox_core::run::{CancelCause, RunStatus};
use hookbox_core::time::Millis;
use hookbox_engine::RunEnded;
use hookbox_engine::dispatcher::RENEW_EVERY;
use hookbox_store::Store;
use hookbox_store::types::Cancellable;
use tokio::sync::Semaphore;

use crate::host::{Host, manual};
use crate::log::Logged;
use crate::script::{VERSION, done, done_with, hopeless, interrupted};

async fn cancel(host: &Host, id: RunId) {
    let now = host.parts.clock.now();
    let done = host.store.cancel(vec![id], Cancellable::Alive, CancelCause::Operator, now).await.unwrap();
    assert_eq!(done, [id]);
}

/// What the watcher is told next; of paused time, an hour is enough.
async fn told(host: &mut Host) -> RunEnded {
    tokio::time::timeout(Duration::from_secs(3600), host.ended.recv()).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_keeps_its_log_and_the_watcher_is_told() {
    let mut host = Host::started().await;
    host.script.hold("shop/ship");
    let id = host.job("shop/ship").await;
    host.called(1).await;
    cancel(&host, id).await;
    let ended = told(&mut host).await;
    assert_eq!((ended.run, ended.attempt, ended.status), (id, 1, RunStatus::Cancelled));
    assert_eq!((ended.outcome, ended.log), (Outcome::Cancelled, interrupted().log));
    let run = host.run(id).await;
    assert_eq!((run.status(), run.attempts.len()), (RunStatus::Cancelled, 1));
    let attempt = &run.attempts[0];
    assert_eq!((&attempt.outcome, &attempt.log), (&Outcome::Cancelled, &interrupted().log));
    assert_eq!((attempt.cost, attempt.version), (interrupted().cost, Some(VERSION)));
    assert_eq!(host.script.running(&"shop".parse().unwrap()), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_its_slot_is_stopped_and_has_no_log() {
    let mut host = Host::new();
    host.parts.slots = 1;
    host.start().await;
    host.plugin("shop", &[manual("ship")]).await;
    let go = host.script.hold("shop/ship");
    let (first, second) = (host.job("shop/ship").await, host.job("shop/ship").await);
    host.called(1).await;
    host.until_status(second, RunStatus::Leased).await;
    cancel(&host, second).await;
    // It hears of it while it waits.
    host.idle_for(Millis(1)).await;
    go.notify_one();
    assert_eq!((told(&mut host).await.run, host.script.call_count()), (first, 1));
    let run = host.run(second).await;
    assert_eq!((run.status(), run.attempts[0].log.lines.len()), (RunStatus::Cancelled, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_told_though_leases_are_renewed_while_its_record_is_answered() {
    let (logged, _guard) = Logged::here();
    let mut host = Host::started().await;
    host.script.on("shop/ship", |_| async { Ok(hopeless()) });
    let permits = Arc::new(Semaphore::new(0));
    *host.store.late_answers.lock().unwrap() = Some(permits.clone());
    let id = host.job("shop/ship").await;
    host.until_status(id, RunStatus::Dead).await;
    // The lease is gone for those who renew it, and the attempt has yet to hear that its end is on disk.
    host.idle_for(Millis(3 * RENEW_EVERY.0)).await;
    permits.add_permits(1);
    let ended = told(&mut host).await;
    assert_eq!((ended.run, ended.status), (id, RunStatus::Dead));
    assert_eq!((logged.count("is a dead letter"), logged.count("was taken away")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_while_its_conflict_is_told_does_not_run_again() {
    let (logged, _guard) = Logged::here();
    let mut host = Host::started().await;
    host.script.on("shop/count", |_| async {
        let reads = vec![KvRead { key: "n".into(), version: Some(77) }];
        Ok(done_with(Effects { reads, ..Effects::default() }))
    });
    let permits = Arc::new(Semaphore::new(0));
    *host.store.late_answers.lock().unwrap() = Some(permits.clone());
    let id = host.job("shop/count").await;
    host.called(1).await;
    // The conflict is known to the store, and the attempt has yet to hear of it.
    host.idle_for(Millis(1)).await;
    cancel(&host, id).await;
    host.idle_for(Millis(1)).await;
    assert_eq!(logged.count("was taken away"), 0, "nobody could stop it");
    permits.add_permits(100);
    host.drain(Millis::MINUTE).await;
    assert_eq!((host.script.call_count(), logged.count("was cancelled while it was executed")), (1, 1));
    let run = host.run(id).await;
    assert_eq!((run.status(), run.attempts[0].cost), (RunStatus::Cancelled, done().cost), "what it did is kept");
}
