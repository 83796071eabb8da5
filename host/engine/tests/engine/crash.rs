//! Hosts that go down at once, attempts that are lost, and leases.

use std::sync::Arc;

use hookbox_core::attempt::Outcome;
use hookbox_core::plugin::{PolicyPatch, Trigger};
use hookbox_core::retry::DeadCause;
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;
use hookbox_engine::dispatcher::{LEASE, RENEW_EVERY};
use hookbox_store::Store;
use tokio::sync::Notify;

use crate::host::{Host, NOON, cause};
use crate::log::Logged;
use crate::script::done;

#[tokio::test(start_paused = true)]
async fn runs_of_a_crashed_host_are_put_back_at_the_next_start_and_the_attempt_counts() {
    let mut host = Host::started().await;
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.crash();
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.start().await;
    // No lease has to run out: the clock has not moved.
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts[0].outcome.clone(), run.attempts[1].number), (Outcome::Lost, 2));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_crashes_its_host_every_time_is_a_dead_letter() {
    let mut host = Host::started().await;
    let twice = PolicyPatch { attempts: Some(2), ..PolicyPatch::default() };
    host.plugin("shop", &[("sync", Trigger::Manual, twice)]).await;
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    for crash in 1..=2 {
        host.called(crash).await;
        host.crash();
        host.start().await;
    }
    let run = host.run(id).await;
    assert_eq!((cause(&run), run.attempts.len()), (Some(DeadCause::AttemptsExhausted), 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_crashed_attempt_is_committed() {
    let mut host = Host::started().await;
    let go = host.script.hold("shop/sync");
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.crash();
    go.notify_waiters();
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.status(), RunStatus::Leased);
}

#[tokio::test(start_paused = true)]
async fn a_long_attempt_keeps_its_lease() {
    let host = Host::started().await;
    let go = host.script.hold("shop/sync");
    let id = host.job("shop/sync").await;
    host.called(1).await;
    for _ in 0..20 {
        host.clock.advance(RENEW_EVERY);
        host.idle_for(RENEW_EVERY).await;
    }
    go.notify_one();
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), host.script.call_count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_wall_clock_costs_no_lease() {
    let host = Host::started().await;
    let go = host.script.hold("shop/sync");
    let id = host.job("shop/sync").await;
    host.called(1).await;
    for wall in [NOON.plus(Millis::DAY), NOON.minus(Millis::DAY)] {
        host.clock.set_wall(wall);
        host.idle_for(Millis::MINUTE).await;
        assert_eq!(host.run(id).await.status(), RunStatus::Leased);
    }
    go.notify_one();
    assert_eq!(host.until_status(id, RunStatus::Succeeded).await.attempts.len(), 1);
}

/// The host was suspended: the lease is over, but the attempt goes on.
#[tokio::test(start_paused = true)]
async fn a_late_result_is_refused() {
    let (logged, _guard) = Logged::here();
    let host = Host::started().await;
    let (first, second) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let gates = [first.clone(), second.clone()];
    host.script.on("shop/sync", move |call| {
        let gate = gates[call.attempt as usize - 1].clone();
        async move {
            gate.notified().await;
            Ok(done())
        }
    });
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.clock.advance(LEASE);
    host.called(2).await;
    first.notify_one();
    host.idle_for(Millis::SECOND).await;
    assert_eq!(logged.count("a late result"), 1);
    // The end of the first attempt does not take the lease of the second.
    for _ in 0..6 {
        host.clock.advance(RENEW_EVERY);
        host.idle_for(RENEW_EVERY).await;
    }
    second.notify_one();
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), run.attempts[0].outcome.clone()), (2, Outcome::Lost));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_is_lost_and_holds_nothing() {
    let mut host = Host::started().await;
    host.script.on("shop/sync", |call| async move {
        assert!(call.attempt > 1, "the executor has a bug");
        Ok(done())
    });
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.status(), RunStatus::Leased);
    host.clock.advance(LEASE);
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!(run.attempts[0].outcome, Outcome::Lost);
    // Nothing is left on the list that a drain would wait for.
    host.drain(Millis(0)).await;
    assert_eq!(host.store.counts().leased, 0);
}
