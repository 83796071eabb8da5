//! Attempts that do not count leave what they did with their run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hookbox_core::attempt::{Executed, Outcome, REQUESTS_KEPT_MAX, Request, RequestEnd, Requests};
use hookbox_core::denial::{DENIED_PER_ATTEMPT_MAX, Denied, DeniedKind};
use hookbox_core::effects::{Effects, KvRead};
use hookbox_core::plugin::Digest;
use hookbox_core::run::{CancelCause, DRAINS_MAX, Run, RunStatus};
use hookbox_core::time::Millis;
use hookbox_engine::ExecuteError;
use hookbox_store::Store;
use hookbox_store::types::Cancellable;
use tokio::sync::Semaphore;

use crate::host::Host;
use crate::script::{VERSION, busy, done, done_with, hopeless, interrupted};

fn sent(path: &str) -> Requests {
    let request = Request {
        method: "POST".into(),
        url: format!("https://shop.example/{path}"),
        ms: 3,
        sent_bytes: 2,
        received_bytes: 1,
        end: RequestEnd::Answered(200),
    };
    Requests { kept: vec![request], dropped: 0 }
}

pub(crate) fn revoked() -> Executed {
    let outcome = Outcome::Revoked { why: "its version is not trusted".into() };
    Executed { outcome, requests: sent("first"), ..interrupted() }
}

/// What is kept of the attempts that did not count.
fn kept(run: &Run) -> Vec<(&'static str, u32)> {
    run.revoked.iter().map(|attempt| (attempt.outcome.code(), attempt.number)).collect()
}

/// Does one thing the first time, and another one each time after that.
pub(crate) fn once_and_then(host: &Host, target: &str, first: Executed, then: Executed) {
    let times = Arc::new(AtomicU32::new(0));
    host.script.on(target, move |_| {
        let executed = if times.fetch_add(1, Ordering::SeqCst) == 0 { first.clone() } else { then.clone() };
        async { Ok(executed) }
    });
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_sandbox_revoked_is_kept_beside_the_one_that_took_its_place() {
    let host = Host::started().await;
    once_and_then(&host, "shop/sync", revoked(), done());
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.drains == 1).await;
    assert_eq!((run.status(), run.attempts_begun), (RunStatus::Pending, 0));
    // The clock stands still: it is not claimed again and again.
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.drains, 1);
    host.advance_to(&run);
    let run = host.until_status(id, RunStatus::Succeeded).await;
    assert_eq!((run.attempts.len(), run.attempts[0].number, kept(&run)), (1, 1, vec![("revoked", 1)]));
    let record = &run.revoked[0];
    assert_eq!((&record.requests, &record.log, record.cost), (&sent("first"), &interrupted().log, revoked().cost));
    assert!(run.attempts[0].requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_revoked_for_ever_counts_in_the_end() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(revoked()) });
    let id = host.job("shop/sync").await;
    for drains in 1..=DRAINS_MAX {
        let run = host.until(id, |run| run.drains == drains && run.status() == RunStatus::Pending).await;
        host.advance_to(&run);
    }
    let run = host.until(id, |run| run.attempts.len() == 1).await;
    assert_eq!((run.attempts[0].outcome.code(), &run.attempts[0].requests), ("revoked", &sent("first")));
    assert_eq!(run.revoked.len(), usize::from(DRAINS_MAX));
}

/// Each time the disk fails while it runs.
#[tokio::test(start_paused = true)]
async fn one_that_a_failing_disk_revokes_for_ever_is_a_dead_letter_in_the_end() {
    let host = Host::started().await;
    let wire = host.store.clone();
    host.script.on("shop/sync", move |_| {
        wire.disk_fails.store(true, Ordering::SeqCst);
        let failed = Executed { requests: sent("first"), ..busy(None) };
        async { Ok(failed) }
    });
    let id = host.job("shop/sync").await;
    let attempts = hookbox_core::retry::ATTEMPTS;
    for number in 1..=u32::from(DRAINS_MAX) + attempts {
        host.called(number as usize).await;
        host.store.disk_fails.store(false, Ordering::SeqCst);
        let ended = |run: &Run| run.revoked.len() + run.attempts.len() == number as usize;
        let run = host.until(id, ended).await;
        if run.status() == RunStatus::Pending {
            host.advance_to(&run);
        }
    }
    let run = host.run(id).await;
    assert_eq!((run.status(), run.attempts.len()), (RunStatus::Dead, attempts as usize));
    assert_eq!(run.revoked.len(), usize::from(DRAINS_MAX));
    for attempt in &run.attempts {
        let why = "the store failed meanwhile; busy".to_owned();
        assert_eq!((attempt.outcome.message(), &attempt.requests), (Some(why), &sent("first")));
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_outlives_the_grace_of_a_stop_is_kept() {
    let mut host = Host::started().await;
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.drain(Millis(25_000)).await;
    let run = host.run(id).await;
    assert_eq!((run.status(), run.attempts_begun, kept(&run)), (RunStatus::Pending, 0, vec![("revoked", 1)]));
    assert_eq!(run.revoked[0].log, interrupted().log);
    assert!(run.revoked[0].outcome.message().unwrap().contains("the host stopped"));
}

/// Its run is cancelled while the record of its end is on the way to the store.
async fn cancelled_before_its_record(mut host: Host) -> Run {
    let permits = Arc::new(Semaphore::new(0));
    *host.store.late_records.lock().unwrap() = Some(permits.clone());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    // Its end is on the way; one that never ends is stopped with the host.
    let draining = tokio::spawn(host.take_engine().drain(Millis::SECOND));
    host.idle_for(Millis(2000)).await;
    let now = host.parts.clock.now();
    host.store.cancel(vec![id], Cancellable::Alive, CancelCause::Operator, now).await.unwrap();
    permits.add_permits(100);
    draining.await.unwrap();
    let ended = host.ended.recv().await.unwrap();
    assert_eq!((ended.run, ended.status, ended.outcome), (id, RunStatus::Cancelled, Outcome::Cancelled));
    host.run(id).await
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_attempt_sent_is_kept_though_its_run_is_cancelled_at_that_moment() {
    let ends =
        [revoked(), Executed { requests: sent("first"), ..done() }, Executed { requests: sent("first"), ..hopeless() }];
    for end in ends {
        let host = Host::started().await;
        let told = end.clone();
        host.script.on("shop/sync", move |_| std::future::ready(Ok(told.clone())));
        let run = cancelled_before_its_record(host).await;
        let record = &run.attempts[0];
        assert_eq!((run.attempts.len(), &record.outcome, kept(&run)), (1, &Outcome::Cancelled, vec![]));
        assert_eq!((&record.requests, &record.log, record.version), (&sent("first"), &end.log, end.version));
    }
    let host = Host::started().await;
    host.script.on("shop/sync", |_| std::future::pending());
    let run = cancelled_before_its_record(host).await;
    assert_eq!((&run.attempts[0].log, kept(&run)), (&interrupted().log, vec![]));
}

fn met_a_conflict(path: &str) -> Executed {
    let reads = vec![KvRead { key: "n".into(), version: Some(77) }];
    Executed { requests: sent(path), ..done_with(Effects { reads, ..Effects::default() }) }
}

#[tokio::test(start_paused = true)]
async fn what_an_attempt_sent_before_it_met_a_conflict_stays_in_its_record() {
    let host = Host::started().await;
    let again = Executed { requests: sent("second"), ..done() };
    once_and_then(&host, "shop/sync", met_a_conflict("first"), again);
    let id = host.job("shop/sync").await;
    let run = host.until_status(id, RunStatus::Succeeded).await;
    let record = &run.attempts[0];
    assert_eq!(record.requests.kept, [sent("first").kept, sent("second").kept].concat());
    assert_eq!((record.cost.wall_us, run.attempts.len()), (2 * done().cost.wall_us, 1));
    assert_eq!(kept(&run), []);
}

/// Between its two tries another version comes.
#[tokio::test(start_paused = true)]
async fn what_ran_on_two_versions_has_two_records() {
    let host = Host::started().await;
    let newer = Digest([8; 32]);
    let calls = Arc::new(AtomicU32::new(0));
    host.script.on("shop/sync", move |call| {
        let answer = match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(met_a_conflict("first")),
            _ if call.version.is_some_and(|only| only != newer) => Err(ExecuteError::Replaced),
            _ => Ok(Executed { requests: sent("second"), version: Some(newer), ..done() }),
        };
        async { answer }
    });
    let id = host.job("shop/sync").await;
    let run = host.until_status(id, RunStatus::Succeeded).await;
    let calls: Vec<_> = host.script.calls.borrow().iter().map(|call| call.version).collect();
    assert_eq!(calls, [None, Some(VERSION), None]);
    let (before, after) = (&run.revoked[0], &run.attempts[0]);
    assert_eq!((before.version, &before.requests), (Some(VERSION), &sent("first")));
    assert_eq!((after.version, &after.requests), (Some(newer), &sent("second")));
    assert_eq!((run.revoked.len(), run.attempts.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_try_sent_that_counts_is_kept_before_what_earlier_ones_did() {
    let host = Host::started().await;
    let many = |n: usize, end: RequestEnd| {
        let one = Request { end, ..sent("first").kept.remove(0) };
        Requests { kept: vec![one; n], dropped: 0 }
    };
    let denied = |n: usize| Denied { kind: DeniedKind::Request, what: n.to_string(), reason: String::new() };
    let mut first = met_a_conflict("first");
    first.requests = many(10, RequestEnd::Denied("no".to_owned()));
    first.requests.append(many(REQUESTS_KEPT_MAX - 10, RequestEnd::Answered(200)));
    first.denied = (0..DENIED_PER_ATTEMPT_MAX).map(denied).collect();
    let again = Executed { requests: sent("second"), denied: vec![denied(99)], ..done() };
    once_and_then(&host, "shop/sync", first, again);
    let id = host.job("shop/sync").await;
    let run = host.until_status(id, RunStatus::Succeeded).await;
    let record = &run.attempts[0];
    let refused = record.requests.kept.iter().filter(|request| request.is_denied()).count();
    assert_eq!((record.requests.kept.len(), refused, record.requests.dropped), (REQUESTS_KEPT_MAX, 9, 1));
    assert_eq!(record.requests.kept.last(), sent("second").kept.last());
    assert_eq!((record.denied.len(), record.denied.last()), (DENIED_PER_ATTEMPT_MAX, Some(&denied(99))));
}

#[tokio::test(start_paused = true)]
async fn what_never_can_be_committed_is_kept_with_every_try() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(met_a_conflict("again")) });
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.attempts.len() == 1).await;
    assert_eq!(run.attempts[0].requests.kept.len(), host.script.call_count());
}

/// It has met three conflicts, and waits for its turn alone when the host stops.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_put_back_after_a_conflict_keeps_what_was_sent() {
    let mut host = Host::started().await;
    host.script.on("shop/slow", |_| std::future::pending());
    host.script.on("shop/sync", |_| async { Ok(met_a_conflict("again")) });
    host.job("shop/slow").await;
    host.called(1).await;
    let id = host.job("shop/sync").await;
    host.called(4).await;
    host.drain(Millis(0)).await;
    let run = host.run(id).await;
    assert_eq!((kept(&run), run.revoked[0].requests.kept.len()), (vec![("revoked", 1)], 3));
}
