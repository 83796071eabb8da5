//! Plugins that take long beside plugins that do not.

use hookbox_core::effects::{Effects, KvRead};
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;
use hookbox_engine::dispatcher::IN_FLIGHT_MAX;

use crate::host::Host;
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
