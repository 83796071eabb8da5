//! A handler that makes more runs than may wait.

use std::sync::Arc;

use hookbox_core::effects::{Effects, JobRequest, KvWrite};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::{Mint, RunId};
use hookbox_core::name::HandlerRef;
use hookbox_core::queue::Room;
use hookbox_core::run::{CancelCause, DRAINS_MAX, RunStatus};
use hookbox_core::time::Millis;
use hookbox_store::Store;
use hookbox_store::types::{Cancellable, NewJob};

use crate::host::{Host, NOON, manual};
use crate::log::Logged;
use crate::script::{done, done_with, handler};

/// What waits where one run may, and 512 that attempts make.
const FULL: usize = 513;

/// Makes so many jobs, and says so by a key.
fn making(host: &Host, target: &str, jobs: usize) {
    let mint = Arc::new(Mint::new([2; 32]));
    host.script.on(target, move |call| {
        let job = |_| JobRequest {
            id: mint.job(NOON),
            run: mint.run(NOON),
            target: HandlerRef { handler: "work".parse().unwrap(), ..call.target.clone() },
            content_type: "application/json".into(),
            data: b"{}".to_vec(),
            run_at: Some(NOON.plus(Millis::DAY)),
            unique_key: None,
        };
        let made = KvWrite::Set { key: "made".into(), value: b"yes".to_vec(), ttl: None };
        let effects = Effects { jobs: (0..jobs).map(job).collect(), writes: vec![made], ..Effects::default() };
        async move { Ok(done_with(effects)) }
    });
}

/// A host on which as many runs wait as may, for tomorrow.
async fn full() -> (Host, Vec<RunId>) {
    let mut host = Host::new();
    host.parts.room = Room(1);
    // Its handler is there.
    host.plugin("other", &[manual("work")]).await;
    host.script.on("other/work", |_| async { Ok(done()) });
    let mint = &host.parts.mint;
    let job = |_| {
        let job = Job {
            id: mint.job(NOON),
            origin: JobOrigin::Operator,
            scheduled_at: NOON,
            content_type: "application/json".into(),
            data: b"{}".to_vec(),
            hops: 0,
            trace: None,
        };
        let new = host.store.catalogue().new_job(job, mint.run(NOON), handler("other/work"), NOON);
        NewJob { due: NOON.plus(Millis::DAY), ..new }
    };
    let jobs: Vec<NewJob> = (0..FULL).map(job).collect();
    let waiting = host.store.enqueue_all(jobs, NOON).await.unwrap();
    host.start().await;
    (host, waiting)
}

async fn has_made(host: &Host) -> bool {
    host.store.kv_get(&"shop".parse().unwrap(), "made", NOON).await.unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_makes_more_than_may_wait_is_made_again_when_there_is_room() {
    let (logged, _guard) = Logged::here();
    let (host, waiting) = full().await;
    making(&host, "shop/fan-out", 2);
    let id = host.job("shop/fan-out").await;
    let run = host.until(id, |run| run.drains == 1 && run.status() == RunStatus::Pending).await;
    assert_eq!((run.attempts_begun, run.attempts.len()), (0, 0), "no fault of the handler's");
    let kept = &run.revoked[0];
    assert_eq!((kept.outcome.code(), kept.cost, kept.version), ("revoked", done().cost, done().version));
    assert_eq!((host.store.counts().pending, has_made(&host).await), (FULL as u64 + 1, false));
    assert_eq!(logged.count("server.limits.queue"), 1);

    host.store.cancel(waiting, Cancellable::Alive, CancelCause::Operator, NOON).await.unwrap();
    host.advance_to(&run);
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts_begun, host.store.counts().pending, has_made(&host).await), (1, 2, true));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_makes_one_run_finds_room_in_a_full_queue() {
    let (host, _) = full().await;
    making(&host, "shop/next", 1);
    let id = host.job("shop/next").await;
    host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((host.store.counts().pending, has_made(&host).await), (FULL as u64 + 1, true));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_finds_no_room_for_long_counts_and_says_why() {
    let (host, _) = full().await;
    making(&host, "shop/fan-out", 2);
    let id = host.job("shop/fan-out").await;
    let mut wait = Millis(0);
    for drains in 1..=DRAINS_MAX {
        let run = host.until(id, |run| run.drains == drains && run.status() == RunStatus::Pending).await;
        wait = host.advance_to(&run);
        assert!(Millis(0) < wait && wait <= Millis::MINUTE, "{wait:?}");
    }
    assert_eq!(wait, Millis::MINUTE, "it waits longer each time");
    let run = host.until(id, |run| run.attempts.len() == 1).await;
    let message = run.attempts[0].outcome.message().unwrap();
    assert!(message.contains("server.limits.queue"), "{message}");
    assert_eq!(run.status(), RunStatus::Pending);
}
