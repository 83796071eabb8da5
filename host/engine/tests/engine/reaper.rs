//! Plugins that are gone for good, and rows that are too old.

use std::sync::atomic::Ordering;

use hookbox_core::plugin::{DeclaredSchedule, Trigger};
use hookbox_core::policy::PolicyPatch;
use hookbox_core::run::{BootId, RunStatus};
use hookbox_core::schedule::{Rules, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_engine::Settings;
use hookbox_engine::pruner::Pruner;
use hookbox_engine::reaper::{Reaper, VANISHED_GRACE};
use hookbox_store::types::Retention;
use hookbox_store::{PluginRow, Store};

use crate::host::{Host, NOON, on};
use crate::log::Logged;
use crate::scheduler::every;
use crate::script::{done, hopeless};

fn nightly() -> (&'static str, Trigger, PolicyPatch) {
    let name = "shop.nightly".parse().unwrap();
    let when = When::every(Millis::HOUR).unwrap();
    let declared = DeclaredSchedule { name, when, rules: Rules::default() };
    ("nightly", Trigger::Schedule(declared), PolicyPatch::default())
}

async fn missing_since(host: &Host, since: Timestamp) {
    let row = host.store.catalogue().plugin(&"shop".parse().unwrap()).unwrap().clone();
    host.store.put_plugin(PluginRow { missing_since: Some(since), ..row }).await.unwrap();
}

async fn names(host: &Host) -> Vec<String> {
    host.store.schedules(None, 99).await.unwrap().iter().map(|row| row.schedule.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_is_gone_for_good_loses_its_routes_and_schedules() {
    let host = Host::new();
    host.plugin("shop", &[on("on-user", "shop/user.*"), nightly()]).await;
    // One of hooks.yaml is no plugin's to take along.
    host.set(Settings { schedules: vec![every(Millis::HOUR)], ..Settings::default() });
    host.parts.schedules.declare().await.unwrap();
    missing_since(&host, NOON).await;
    let mut reaper = Reaper::new(&host.parts, BootId(1));
    host.clock.advance(Millis(VANISHED_GRACE.0 - 1));
    reaper.tick().await;
    assert_eq!(host.store.catalogue().route("shop", "user.created").len(), 1);
    assert_eq!(names(&host).await, ["digest", "shop.nightly"]);
    host.clock.advance(Millis(1));
    reaper.tick().await;
    assert_eq!(host.store.catalogue().route("shop", "user.created").len(), 0);
    assert_eq!(names(&host).await, ["digest"]);
    let row = host.store.catalogue().plugin(&"shop".parse().unwrap()).unwrap().clone();
    assert_eq!((row.history.len(), row.missing_since), (1, Some(NOON)));
}

#[tokio::test(start_paused = true)]
async fn schedules_of_a_plugin_that_is_gone_are_taken_down_though_the_store_fails_meanwhile() {
    let host = Host::new();
    host.plugin("shop", &[nightly()]).await;
    host.parts.schedules.declare().await.unwrap();
    assert_eq!(host.store.schedules(None, 9).await.unwrap().len(), 1);
    missing_since(&host, NOON).await;
    host.clock.advance(VANISHED_GRACE);
    host.store.failing_declarations.store(1, Ordering::SeqCst);
    let mut reaper = Reaper::new(&host.parts, BootId(1));
    reaper.tick().await;
    assert_eq!(host.store.schedules(None, 9).await.unwrap().len(), 1);
    reaper.tick().await;
    assert!(host.store.schedules(None, 9).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_is_there_keeps_its_routes() {
    let host = Host::new();
    host.plugin("shop", &[on("on-user", "shop/user.*")]).await;
    host.clock.advance(Millis::DAY);
    Reaper::new(&host.parts, BootId(1)).tick().await;
    assert_eq!(host.store.catalogue().route("shop", "user.created").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_runs_than_one_commit_takes_are_buried_and_rescued() {
    let mut host = Host::started().await;
    host.script.on("shop/sync", |_| std::future::pending());
    let places = hookbox_engine::dispatcher::IN_FLIGHT_MAX;
    for _ in 0..places + 300 {
        host.job("shop/sync").await;
    }
    host.called(places / 2).await;
    host.crash();
    host.script.remove("shop/sync");
    host.start().await;
    assert_eq!((host.store.counts().leased, host.store.counts().pending), (0, places as u64 + 300));
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(VANISHED_GRACE);
    let any = host.all_runs().await.remove(0).id;
    host.until(any, |_| host.store.counts().dead == places as u64 + 300).await;
}

#[tokio::test(start_paused = true)]
async fn old_runs_and_events_are_removed_in_steps_and_a_dropped_dead_letter_is_told() {
    let (logged, _guard) = Logged::here();
    let mut host = Host::started().await;
    host.plugin("shop", &[on("on-user", "shop/user.*")]).await;
    host.script.on("shop/on-user", |_| async { Ok(done()) });
    host.script.on("shop/sync", |_| async { Ok(hopeless()) });
    let mut last = host.job("shop/sync").await;
    host.until_status(last, RunStatus::Dead).await;
    for _ in 0..600 {
        last = host.webhook("shop", "user.created").await[0];
    }
    host.until(last, |_| host.store.counts().succeeded == 600).await;
    host.drain(Millis(0)).await;
    let mut pruner = Pruner::new(&host.parts);
    assert!(pruner.tick().await >= Millis::MINUTE);
    assert_eq!(host.store.counts().succeeded, 600);
    host.clock.advance(Millis(7 * Millis::DAY.0 + 1));
    let mut steps = 0;
    while pruner.tick().await < Millis::SECOND {
        steps += 1;
    }
    pruner.tick().await;
    assert!(steps > 1, "{steps}");
    assert_eq!((host.store.counts().succeeded, host.store.counts().dead), (0, 1));
    let page = hookbox_store::types::PageRequest { before: None, limit: 10 };
    assert_eq!(host.store.events(page).await.unwrap().events.len(), 0);
    host.set(Settings { retention: Retention { dead_max: 0, ..Retention::default() }, ..Settings::default() });
    assert_eq!(logged.count("dead letters were dropped"), 0);
    pruner.tick().await;
    assert_eq!((host.store.counts().dead, logged.count("dead letters were dropped")), (0, 1));
}
