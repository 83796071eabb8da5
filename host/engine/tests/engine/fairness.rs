//! Plugins that take long beside plugins that do not.

use hookbox_core::effects::{Effects, KvRead};
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;
use hookbox_engine::dispatcher::IN_FLIGHT_MAX;

use crate::host::{Host, manual};
use crate::script::{done, done_with};

async fn jobs(host: &Host, target: &str, count: usize) {
    for _ in 0..count {
        host.job(target).await;
    }
}

async fn started_with_slots(slots: usize) -> Host {
    let mut host = Host::new();
    host.parts.slots = slots;
    host.start().await;
    host
}

#[tokio::test(start_paused = true)]
async fn a_plugin_whose_attempts_never_end_leaves_slots_for_others() {
    let host = started_with_slots(16).await;
    host.script.on("bad/loop", |_| std::future::pending());
    host.script.on("good/work", |_| async { Ok(done()) });
    jobs(&host, "bad/loop", 40).await;
    host.called(12).await;
    host.idle_for(Millis::SECOND).await;
    assert_eq!(host.script.call_count(), 12);
    let good = host.job("good/work").await;
    host.until_status(good, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn several_plugins_whose_attempts_never_end_leave_slots_for_others() {
    for slow in [2, 5] {
        let mut host = Host::new();
        host.parts.slots = 16;
        for n in 0..slow {
            host.script.on(&format!("bad{n}/loop"), |_| std::future::pending());
            jobs(&host, &format!("bad{n}/loop"), 40).await;
        }
        host.script.on("good/work", |_| async { Ok(done()) });
        host.start().await;
        host.idle_for(Millis::SECOND).await;
        let called = host.script.call_count();
        assert!((12..16).contains(&called), "{slow} plugins hold {called} slots");
        for _ in 0..10 {
            let good = host.job("good/work").await;
            host.until_status(good, RunStatus::Succeeded).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn beside_more_slow_plugins_than_slots_a_good_one_waits_for_one_turn_of_each() {
    const PLUGINS: usize = 20;
    let host = started_with_slots(16).await;
    let mut go = Vec::new();
    for n in 0..PLUGINS {
        go.push(host.script.hold(&format!("slow{n}/work")));
        jobs(&host, &format!("slow{n}/work"), 10).await;
    }
    host.script.on("good/work", |_| async { Ok(done()) });
    host.idle_for(Millis::SECOND).await;
    assert_eq!(host.script.call_count(), 16);
    let good = host.job("good/work").await;
    host.until_status(good, RunStatus::Leased).await;
    for (ended, go) in go.iter().cycle().enumerate() {
        host.idle_for(Millis::SECOND).await;
        if host.run(good).await.status() == RunStatus::Succeeded {
            break;
        }
        assert!(ended <= PLUGINS, "{ended} attempts of others have ended, and it waits");
        go.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_attempts_never_end_leaves_slots_for_others_of_its_plugin() {
    let host = started_with_slots(16).await;
    host.plugin("plugin", &[manual("loop"), manual("work")]).await;
    host.script.on("plugin/loop", |_| std::future::pending());
    host.script.on("plugin/work", |_| async { Ok(done()) });
    jobs(&host, "plugin/loop", 2 * IN_FLIGHT_MAX).await;
    host.idle_for(Millis::SECOND).await;
    assert!((9..12).contains(&host.script.call_count()), "{}", host.script.call_count());
    let work = host.job("plugin/work").await;
    host.until_status(work, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_whose_attempts_never_end_leaves_places_for_others() {
    let host = Host::started().await;
    host.script.on("bad/loop", |_| std::future::pending());
    host.script.on("worse/loop", |_| std::future::pending());
    host.script.on("good/work", |_| async { Ok(done()) });
    jobs(&host, "bad/loop", 2 * IN_FLIGHT_MAX).await;
    jobs(&host, "worse/loop", 2 * IN_FLIGHT_MAX).await;
    host.idle_for(Millis::SECOND).await;
    assert!(host.script.running(&"bad".parse().unwrap()) >= IN_FLIGHT_MAX / 4);
    assert!(host.script.call_count() < IN_FLIGHT_MAX, "{}", host.script.call_count());
    let good = host.job("good/work").await;
    host.until_status(good, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_holds_its_share_goes_on_when_one_of_its_runs_ends() {
    let host = Host::started().await;
    let go = host.script.hold("slow/work");
    jobs(&host, "slow/work", 2 * IN_FLIGHT_MAX).await;
    host.idle_for(Millis::SECOND).await;
    let held = host.script.call_count();
    assert!((IN_FLIGHT_MAX / 2..IN_FLIGHT_MAX).contains(&held), "{held}");
    while host.script.call_count() < 2 * IN_FLIGHT_MAX {
        let called = host.script.call_count();
        go.notify_waiters();
        host.called(called + 1).await;
        host.idle_for(Millis::SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_again_for_the_same_plugin_when_its_attempt_ends() {
    let host = started_with_slots(1).await;
    let go = host.script.hold("slow/work");
    jobs(&host, "slow/work", 3).await;
    for called in 1..=3 {
        host.called(called).await;
        host.idle_for(Millis::SECOND).await;
        assert_eq!(host.script.call_count(), called);
        go.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_wait_for_a_turn_alone_do_not_stop_other_plugins() {
    let host = Host::started().await;
    host.script.on("bad/loop", |_| std::future::pending());
    host.script.on("bad/count", |_| async {
        let reads = vec![KvRead { key: "n".into(), version: Some(77) }];
        Ok(done_with(Effects { reads, ..Effects::default() }))
    });
    host.script.on("good/work", |_| async { Ok(done()) });
    host.job("bad/loop").await;
    host.called(1).await;
    jobs(&host, "bad/count", 2 * IN_FLIGHT_MAX).await;
    host.idle_for(Millis::SECOND).await;
    assert_eq!(host.script.running(&"bad".parse().unwrap()), 1);
    let good = host.job("good/work").await;
    host.until_status(good, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn runs_that_wait_for_a_slot_of_their_plugin_are_put_back_at_the_drain() {
    let mut host = started_with_slots(1).await;
    let go = host.script.hold("slow/work");
    let first = host.job("slow/work").await;
    host.called(1).await;
    let second = host.job("slow/work").await;
    host.until_status(second, RunStatus::Leased).await;
    let draining = tokio::spawn(host.take_engine().drain(Millis(25_000)));
    host.until_status(second, RunStatus::Pending).await;
    go.notify_one();
    draining.await.unwrap();
    assert_eq!(host.run(first).await.status(), RunStatus::Succeeded);
    assert_eq!((host.run(second).await.drains, host.script.call_count()), (1, 1));
}
