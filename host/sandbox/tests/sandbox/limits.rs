//! Guests that run, wait, grow, recurse or crash: each is stopped, told apart,
//! and leaves the sandbox as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hookbox_core::attempt::Outcome;
use hookbox_core::effects::KvEntry;
use hookbox_core::limits::{LOG_BYTES, PluginSettings, STACK_BYTES_MAX, STACK_BYTES_MIN};
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_sandbox::{KvUnavailable, PluginKv};

use crate::world::{SLOTS, World, call, output};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn a_loop_ends_with_its_cpu_budget() {
    let world = World::with(PluginSettings { cpu: Millis(50), ..PluginSettings::default() }).await;
    let executed = world.run("loops", "").await;
    assert_eq!(executed.outcome, Outcome::CpuExhausted { limit: Millis(50) });
    assert!(executed.cost.cpu_us >= 50_000, "{:?}", executed.cost);
    world.assert_serves().await;
}

#[tokio::test]
async fn a_loop_ends_with_its_wall_time() {
    let world = World::with(PluginSettings::default()).await;
    let mut call = call("loops", "");
    call.timeout = Millis(50);
    assert_eq!(world.execute(call).await.outcome, Outcome::TimedOut { limit: Millis(50) });
    world.assert_serves().await;
}

#[tokio::test]
async fn a_sleep_ends_with_its_wall_time_and_costs_no_cpu_time() {
    let world = World::with(PluginSettings { cpu: Millis(40), ..PluginSettings::default() }).await;
    let mut call = call("sleeps", "");
    call.timeout = Millis(200);
    assert_eq!(world.execute(call).await.outcome, Outcome::TimedOut { limit: Millis(200) });
    world.assert_serves().await;
}

#[tokio::test]
async fn a_loop_that_is_interrupted_ends_as_cancelled_with_what_is_known_of_it() {
    let world = World::with(PluginSettings { cpu: Millis(60_000), ..PluginSettings::default() }).await;
    // Ready when it is asked for the second time: the guest is in its loop by then.
    let interrupted = tokio::task::yield_now();
    let executed = world.sandbox.execute_until(call("loops", ""), world.kv.clone(), interrupted).await.unwrap();
    assert_eq!(executed.outcome, Outcome::Cancelled);
    assert!(executed.version.is_some() && executed.effects == Default::default());
    world.assert_serves().await;
}

#[tokio::test]
async fn growing_without_end_is_out_of_memory() {
    let world = World::with(PluginSettings { memory_bytes: 16 * MIB, ..PluginSettings::default() }).await;
    let executed = world.run("grows", "").await;
    assert_eq!(executed.outcome, Outcome::OutOfMemory { limit: 16 * MIB });
    assert!(executed.cost.memory_peak_bytes <= 16 * MIB);
    world.assert_serves().await;
}

#[tokio::test]
async fn a_guest_that_copes_with_refused_memory_succeeds() {
    let world = World::with(PluginSettings { memory_bytes: 16 * MIB, ..PluginSettings::default() }).await;
    let executed = world.run("hoards", "").await;
    assert!((8..=16).contains(&output(&executed).parse::<u64>().unwrap()));
}

#[tokio::test]
async fn a_guest_that_did_without_more_memory_broke_by_something_else() {
    let world = World::with(PluginSettings { memory_bytes: 16 << 20, ..PluginSettings::default() }).await;
    for goes_on_to in ["", "reads", "sends"] {
        let outcome = world.run("copes", goes_on_to).await.outcome;
        let Outcome::Trapped { message } = &outcome else { panic!("{goes_on_to}: {outcome:?}") };
        assert!(message.ends_with("not for want of memory"), "{message}");
    }
}

#[tokio::test]
async fn a_panic_is_told_in_its_own_words() {
    let world = World::with(PluginSettings::default()).await;
    let Outcome::Trapped { message } = world.run("panics", "").await.outcome else { panic!() };
    assert!(message.starts_with("panicked at ") && message.ends_with("as it was told"), "{message}");
    world.assert_serves().await;
}

#[tokio::test]
async fn an_exit_is_told_with_its_status() {
    let world = World::with(PluginSettings::default()).await;
    let Outcome::Trapped { message } = world.run("exits", "").await.outcome else { panic!() };
    assert!(message.contains("exit status"), "{message}");
    world.assert_serves().await;
}

#[tokio::test]
async fn endless_recursion_ends_with_the_stack() {
    let world = World::with(PluginSettings::default()).await;
    let Outcome::Trapped { message } = world.run("recurses", "").await.outcome else { panic!() };
    assert!(message.contains("call stack exhausted"), "{message}");
    world.assert_serves().await;
}

#[tokio::test]
async fn the_stack_is_the_hosts_and_the_same_for_all() {
    let deep = "50000";
    let small = World::with_stack(STACK_BYTES_MIN).await;
    let Outcome::Trapped { message } = small.run("recurses", deep).await.outcome else { panic!() };
    assert!(message.contains("call stack exhausted"), "{message}");
    assert!(small.run("recurses", "100").await.outcome.is_success());
    let large = World::with_stack(STACK_BYTES_MAX).await;
    assert!(large.run("recurses", deep).await.outcome.is_success());
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_are_dropped_and_counted() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("prints", "").await;
    assert_eq!(output(&executed), "printed");
    let kept: usize = executed.log.lines.iter().map(|line| line.message.len()).sum();
    assert!(kept <= LOG_BYTES && executed.log.bytes_dropped > 99_000_000);
    world.assert_serves().await;
}

#[tokio::test]
async fn an_attempt_that_is_given_up_leaves_its_slot() {
    let world = World::with(PluginSettings::default()).await;
    for _ in 0..=SLOTS {
        let running = world.run("sleeps", "");
        tokio::select! {
            biased;
            _ = running => panic!("it sleeps for an hour"),
            () = tokio::task::yield_now() => {}
        }
    }
    world.assert_serves().await;
}

/// Counts who is inside at once; everybody waits until all slots are taken.
#[derive(Default)]
struct Turnstile {
    inside: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl PluginKv for Turnstile {
    async fn get(&self, _: &PluginName, _: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        while self.most.load(Ordering::SeqCst) < SLOTS {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(None)
    }

    async fn list(&self, _: &PluginName, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, KvUnavailable> {
        Err(KvUnavailable("closed".into()))
    }

    async fn used_bytes(&self, _: &PluginName) -> Result<u64, KvUnavailable> {
        Err(KvUnavailable("closed".into()))
    }
}

#[tokio::test]
async fn attempts_over_the_slots_wait_and_then_run() {
    let world = Arc::new(World::with(PluginSettings::default()).await);
    let turnstile = Arc::new(Turnstile::default());
    let attempts: Vec<_> = (0..3 * SLOTS)
        .map(|_| {
            let (world, kv) = (Arc::clone(&world), Arc::clone(&turnstile));
            tokio::spawn(async move { world.sandbox.execute(call("waits", ""), kv).await.unwrap() })
        })
        .collect();
    for attempt in attempts {
        assert_eq!(output(&attempt.await.unwrap()), "None");
    }
    assert_eq!(turnstile.most.load(Ordering::SeqCst), SLOTS);
}

#[tokio::test]
async fn spinning_guests_give_way_to_others_on_one_thread() {
    const SPINNING: usize = 6;
    let settings = PluginSettings { cpu: Millis(60_000), ..PluginSettings::default() };
    let world = Arc::new(World::with_slots(SPINNING + 1, settings).await);
    let spinning: Vec<_> = (0..SPINNING)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.run("loops", "").await })
        })
        .collect();
    world.assert_serves().await;
    for task in spinning {
        assert!(!task.is_finished());
        task.abort();
    }
    world.assert_serves().await;
}
