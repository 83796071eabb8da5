//! How runs end, and when failed ones are tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hookbox_core::attempt::Outcome;
use hookbox_core::plugin::{PolicyPatch, Trigger};
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{RunState, RunStatus};
use hookbox_core::time::Millis;
use hookbox_engine::{ExecuteError, Settings};
use hookbox_store::Store;

use crate::host::{Host, NOON, cause, manual, on};
use crate::script::{VERSION, busy, done, handler, hopeless};

#[tokio::test(start_paused = true)]
async fn a_success_is_recorded_with_its_result_cost_and_version() {
    let mut host = Host::started().await;
    host.plugin("shop", &[on("on-user", "shop/user.*")]).await;
    host.script.on("shop/on-user", |_| async { Ok(done()) });
    let ids = host.webhook("shop", "user.created").await;
    let run = host.until_status(ids[0], RunStatus::Succeeded).await;
    let attempt = &run.attempts[0];
    let Outcome::Completed { output: Some(output) } = &attempt.outcome else { panic!("{attempt:?}") };
    assert_eq!(output.data, b"ok");
    assert_eq!((attempt.number, attempt.cost.wall_us, attempt.version), (1, 1500, Some(VERSION)));
    let told = host.ended.recv().await.unwrap();
    assert_eq!((told.run, told.attempt, told.status), (run.id, 1, RunStatus::Succeeded));
    let spent = host.parts.spending.all();
    assert_eq!(spent[0].0.as_ref(), Some(&run.target));
    assert_eq!((spent.len(), spent[0].1.attempts, spent[0].1.wall_us), (1, 1, 1500));
    let calls = host.script.calls.borrow().clone();
    assert_eq!((calls[0].started, calls[0].attempts_max, &calls[0].idempotency_key), (NOON, 5, &run.idempotency_key));
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_tried_again_after_a_doubling_wait() {
    let host = Host::started().await;
    host.script.on("shop/sync", |call| async move { Ok(if call.attempt < 4 { busy(None) } else { done() }) });
    let id = host.job("shop/sync").await;
    for (attempt, wait) in [(1, 2000), (2, 4000), (3, 8000)] {
        let run = host.until(id, |run| run.attempts.len() == attempt && run.status() == RunStatus::Pending).await;
        let waited = host.advance_to(&run);
        assert!((wait * 9 / 10..=wait * 11 / 10).contains(&waited.0), "attempt {attempt}: {waited}");
    }
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert!(run.attempts.iter().map(|attempt| attempt.number).eq(1..=4));
}

#[tokio::test(start_paused = true)]
async fn a_run_is_not_tried_again_before_it_is_due() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(busy(Some(Millis(5000)))) });
    let id = host.job("shop/sync").await;
    host.until(id, |run| run.attempts.len() == 1).await;
    host.clock.advance(Millis(4999));
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.script.call_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_a_dead_letter_at_once() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(hopeless()) });
    let id = host.job("shop/sync").await;
    let run = host.until_status(id, RunStatus::Dead).await;
    assert_eq!((cause(&run), run.attempts.len()), (Some(DeadCause::Permanent), 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_attempts_are_exhausted_is_a_dead_letter() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(busy(Some(Millis(0)))) });
    let id = host.job("shop/sync").await;
    let run = host.until_status(id, RunStatus::Dead).await;
    assert_eq!((cause(&run), run.attempts.len()), (Some(DeadCause::AttemptsExhausted), 5));
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_say_when_it_is_to_be_tried_again() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(busy(Some(Millis(7000)))) });
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.attempts.len() == 1).await;
    assert_eq!(run.state, RunState::Pending { due: NOON.plus(Millis(7000)) });
}

#[tokio::test(start_paused = true)]
async fn hooks_yaml_on_a_handler_is_before_hooks_yaml_on_the_plugin_is_before_the_plugin() {
    let attempts = |attempts| PolicyPatch { attempts: Some(attempts), ..PolicyPatch::default() };
    let host = Host::new();
    host.plugin("shop", &[("a", Trigger::Manual, attempts(2)), ("b", Trigger::Manual, attempts(2)), manual("c")]).await;
    host.plugin("bank", &[("a", Trigger::Manual, attempts(2)), manual("b")]).await;
    let settings = Settings {
        plugins: [("shop".parse().unwrap(), attempts(3))].into(),
        handlers: [(handler("shop/a"), attempts(4))].into(),
        ..Settings::default()
    };
    let catalogue = host.store.catalogue();
    let expected = [("shop/a", 4), ("shop/b", 3), ("shop/c", 3), ("bank/a", 2), ("bank/b", 5), ("gone/a", 5)];
    for (target, attempts) in expected {
        assert_eq!(settings.policy(&catalogue, &handler(target)).attempts, attempts, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_hooks_yaml_decides_over_an_attempt() {
    let host = Host::started().await;
    let once = PolicyPatch { attempts: Some(1), timeout: Some(Millis(5)), ..PolicyPatch::default() };
    host.set(Settings { handlers: [(handler("shop/sync"), once)].into(), ..Settings::default() });
    host.script.on("shop/sync", |_| async { Ok(busy(None)) });
    let id = host.job("shop/sync").await;
    host.until_status(id, RunStatus::Dead).await;
    assert_eq!(host.script.calls.borrow()[0].timeout, Millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_host_counts_as_an_attempt() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Err(ExecuteError::Broken("no memory to map".into())) });
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.attempts.len() == 1).await;
    assert_eq!(run.status(), RunStatus::Pending);
    assert!(run.attempts[0].outcome.message().unwrap().contains("no memory to map"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_costs_no_attempt() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.store.failing_records.store(2, Ordering::SeqCst);
    let id = host.job("shop/sync").await;
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), host.script.call_count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_while_the_disk_fails_is_recorded_once_it_works_again() {
    let host = Host::started().await;
    let store = host.store.clone();
    host.script.on("shop/sync", move |_| {
        store.disk_fails.store(true, Ordering::SeqCst);
        async { Ok(done()) }
    });
    let id = host.job("shop/sync").await;
    host.until(id, |_| host.script.call_count() == 1).await;
    // Long enough for a lease that nobody renews.
    host.idle_for(Millis(5 * 60_000)).await;
    assert_eq!(host.store.run(id).await.unwrap().status(), RunStatus::Leased);
    host.store.disk_fails.store(false, Ordering::SeqCst);
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), run.attempts_begun, host.script.call_count()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_while_the_disk_does_is_not_counted() {
    let host = Host::started().await;
    let (store, script) = (host.store.clone(), host.script.clone());
    host.script.on("shop/sync", move |_| {
        let first = script.call_count() == 1;
        store.disk_fails.store(first, Ordering::SeqCst);
        async move { Ok(if first { busy(None) } else { done() }) }
    });
    let id = host.job("shop/sync").await;
    host.until(id, |_| host.script.call_count() == 1).await;
    host.idle_for(Millis::SECOND).await;
    host.store.disk_fails.store(false, Ordering::SeqCst);
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), run.attempts_begun, host.script.call_count()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn more_runs_than_there_are_places_all_run() {
    let host = Host::started().await;
    let peak = Arc::new(AtomicU32::new(0));
    let script = host.script.clone();
    let seen = peak.clone();
    host.script.on("shop/sync", move |call| {
        let (script, seen) = (script.clone(), seen.clone());
        async move {
            tokio::task::yield_now().await;
            seen.fetch_max(script.running(&call.target.plugin) as u32, Ordering::SeqCst);
            Ok(done())
        }
    });
    for _ in 0..600 {
        host.job("shop/sync").await;
    }
    let last = host.job("shop/sync").await;
    host.until_status(last, RunStatus::Succeeded).await;
    host.until(last, |_| host.store.counts().succeeded == 601).await;
    let peak = peak.load(Ordering::SeqCst) as usize;
    assert!((2..=hookbox_engine::dispatcher::IN_FLIGHT_MAX).contains(&peak), "{peak}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_dispatcher_asks_for_no_runs() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(busy(Some(Millis::HOUR))) });
    let id = host.job("shop/sync").await;
    host.until(id, |run| run.attempts.len() == 1).await;
    let claims = host.store.claims.load(Ordering::SeqCst);
    host.idle_for(Millis::HOUR).await;
    assert_eq!(host.store.claims.load(Ordering::SeqCst), claims);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_that_a_version_has_ended_itself_is_judged_once() {
    let host = Host::started().await;
    host.script.on("shop/sync", |call| async move {
        match call.attempt {
            1 => Ok(busy(Some(Millis(0)))),
            2 => Err(ExecuteError::Broken("no memory to map".into())),
            _ => Ok(done()),
        }
    });
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.attempts.len() == 2).await;
    host.advance_to(&run);
    host.until_status(id, RunStatus::Succeeded).await;
    let judged = host.script.judged.lock().unwrap().clone();
    let told = judged.iter().map(|(plugin, version, outcome)| (plugin.as_str(), *version, outcome.code()));
    assert_eq!(told.collect::<Vec<_>>(), [("shop", VERSION, "retryable"), ("shop", VERSION, "completed")]);
}
