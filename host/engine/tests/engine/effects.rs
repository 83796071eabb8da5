//! What a handler wants to change: committed with its success, or not at all.

use hookbox_core::effects::{Effects, EventRequest, JobRequest, KvWrite};
use hookbox_core::event::{HOPS_MAX, Source};
use hookbox_core::id::Mint;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{RunStatus, Work};
use hookbox_core::time::Millis;
use hookbox_engine::Settings;
use hookbox_store::Store;
use std::sync::Arc;

use crate::host::{Host, NOON, cause, manual, on};
use crate::log::Logged;
use crate::script::{busy, done, done_with, hopeless};

fn set(key: &str, value: &str) -> KvWrite {
    KvWrite::Set { key: key.into(), value: value.as_bytes().to_vec(), ttl: None }
}

fn job(mint: &Mint, handler: &str) -> JobRequest {
    JobRequest {
        id: mint.job(NOON),
        run: mint.run(NOON),
        target: format!("shop/{handler}").parse().unwrap(),
        content_type: "application/json".into(),
        data: b"{}".to_vec(),
        run_at: None,
        unique_key: None,
    }
}

fn event(mint: &Mint, event_type: &str) -> EventRequest {
    EventRequest {
        id: mint.event(NOON),
        namespace: "shop".into(),
        event_type: event_type.into(),
        subject: None,
        content_type: "application/json".into(),
        data: b"{}".to_vec(),
    }
}

/// A key, a job and an event.
fn one_of_each(mint: &Mint) -> Effects {
    Effects {
        writes: vec![set("greeted", "yes")],
        jobs: vec![job(mint, "mail")],
        events: vec![event(mint, "greeted")],
        ..Effects::default()
    }
}

async fn host_with_effects(fails: bool) -> Host {
    let host = Host::started().await;
    host.plugin("shop", &[manual("greet"), manual("mail"), on("on-greeted", "shop/greeted")]).await;
    let mint = Arc::new(Mint::new([2; 32]));
    host.script.on("shop/greet", move |_| {
        let effects = one_of_each(&mint);
        let outcome = if fails { hopeless().outcome } else { done().outcome };
        async move { Ok(hookbox_core::attempt::Executed { outcome, ..done_with(effects) }) }
    });
    host.script.on("shop/mail", |_| async { Ok(done()) });
    host.script.on("shop/on-greeted", |_| async { Ok(done()) });
    host
}

#[tokio::test(start_paused = true)]
async fn effects_are_committed_with_the_success_of_their_run() {
    let host = host_with_effects(false).await;
    let id = host.job("shop/greet").await;
    host.until_status(id, RunStatus::Succeeded).await;
    // In the very commit that ended the run.
    let shop = "shop".parse().unwrap();
    assert_eq!(host.store.kv_get(&shop, "greeted", NOON).await.unwrap().unwrap().value, b"yes");
    let runs = host.all_runs().await;
    assert_eq!(runs.len(), 3);
    for run in runs.into_iter().filter(|run| run.id != id) {
        assert_eq!(run.hops, 1);
        host.until_status(run.id, RunStatus::Succeeded).await;
    }
}

#[tokio::test(start_paused = true)]
async fn effects_of_a_failure_are_dropped() {
    let host = host_with_effects(true).await;
    let id = host.job("shop/greet").await;
    host.until_status(id, RunStatus::Dead).await;
    assert!(host.store.kv_get(&"shop".parse().unwrap(), "greeted", NOON).await.unwrap().is_none());
    assert_eq!(host.all_runs().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn effects_that_cannot_be_committed_are_dropped_together_and_the_run_is_a_dead_letter() {
    let mut host = host_with_effects(false).await;
    host.set(Settings { kv_bytes: [("shop".parse().unwrap(), 3)].into(), ..Settings::default() });
    let id = host.job("shop/greet").await;
    let run = host.until_status(id, RunStatus::Dead).await;
    assert_eq!(cause(&run), Some(DeadCause::Permanent));
    assert!(run.attempts[0].outcome.message().unwrap().contains("plugins.shop.grants.kv"));
    assert_eq!(host.all_runs().await.len(), 1);
    assert_eq!(host.store.kv_used(&"shop".parse().unwrap()).await.unwrap(), 0);
    assert_eq!(host.ended.recv().await.unwrap().status, RunStatus::Dead);
}

#[tokio::test(start_paused = true)]
async fn an_emitted_event_says_who_emitted_it_and_has_one_more_hop() {
    let host = host_with_effects(false).await;
    let id = host.job("shop/greet").await;
    host.until_status(id, RunStatus::Succeeded).await;
    let reached = host.all_runs().await.into_iter().find(|run| run.target.handler.as_str() == "on-greeted").unwrap();
    let Work::Event(event) = reached.work else { panic!("{reached:?}") };
    let event = host.store.event_input(event).await.unwrap();
    assert_eq!((event.hops, event.source.clone()), (1, Source::Plugin("shop".parse().unwrap())));
    assert!(event.attributes.contains(&("emitted-by".to_owned(), "shop/greet".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_job_may_be_put_off() {
    let host = Host::started().await;
    let mint = Arc::new(Mint::new([2; 32]));
    host.script.on("shop/greet", move |_| {
        let later = JobRequest { run_at: Some(NOON.plus(Millis::HOUR)), ..job(&mint, "mail") };
        async move { Ok(done_with(Effects { jobs: vec![later], ..Effects::default() })) }
    });
    host.script.on("shop/mail", |_| async { Ok(done()) });
    host.job("shop/greet").await;
    host.called(1).await;
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.script.call_count(), 1);
    host.clock.advance(Millis::HOUR);
    host.called(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_events_ends_as_a_dead_letter() {
    let (logged, _guard) = Logged::here();
    let host = Host::started().await;
    host.plugin("shop", &[on("echo", "shop/echo")]).await;
    let mint = Arc::new(Mint::new([2; 32]));
    host.script.on("shop/echo", move |_| {
        let effects = Effects { events: vec![event(&mint, "echo")], ..Effects::default() };
        async move { Ok(done_with(effects)) }
    });
    let first = host.webhook("shop", "echo").await[0];
    host.until(first, |_| host.store.counts().dead == 1).await;
    host.idle_for(Millis::MINUTE).await;
    let runs = host.all_runs().await;
    let dead: Vec<_> = runs.iter().filter(|run| run.status() == RunStatus::Dead).collect();
    assert_eq!((runs.len(), host.script.call_count()), (usize::from(HOPS_MAX) + 2, usize::from(HOPS_MAX) + 1));
    assert_eq!((dead.len(), cause(dead[0]), dead[0].hops), (1, Some(DeadCause::Loop), HOPS_MAX + 1));
    assert_eq!(logged.count("is one of a loop"), 1);
}

#[tokio::test(start_paused = true)]
async fn effects_of_the_attempt_that_succeeds_count_once() {
    let host = Host::started().await;
    host.script.on("shop/count", |call| async move {
        let add = KvWrite::Add { key: "n".into(), delta: 1 };
        let effects = Effects { writes: vec![add], ..Effects::default() };
        Ok(if call.attempt < 3 { busy(Some(Millis(0))) } else { done_with(effects) })
    });
    let id = host.job("shop/count").await;
    host.until_status(id, RunStatus::Succeeded).await;
    let entry = host.store.kv_get(&"shop".parse().unwrap(), "n", NOON).await.unwrap().unwrap();
    assert_eq!(entry.value, b"1");
}
