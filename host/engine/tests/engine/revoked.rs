//! Attempts that do not count leave what they did with their run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hookbox_core::attempt::{Executed, Outcome, REQUESTS_KEPT_MAX, Request, RequestEnd, Requests};
use hookbox_core::denial::{DENIED_PER_ATTEMPT_MAX, Denied, DeniedKind};
use hookbox_core::effects::{Effects, KvRead};
use hookbox_core::run::{DRAINS_MAX, Run, RunStatus};
use hookbox_core::time::Millis;

use crate::host::Host;
use crate::script::{done, done_with, interrupted};

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

fn revoked() -> Executed {
    let outcome = Outcome::Revoked { why: "its version is not trusted".into() };
    Executed { outcome, requests: sent("first"), ..interrupted() }
}

/// What is kept of the attempts that did not count.
fn kept(run: &Run) -> Vec<(&'static str, u32)> {
    run.revoked.iter().map(|attempt| (attempt.outcome.code(), attempt.number)).collect()
}

/// Does one thing the first time, and another one each time after that.
fn once_and_then(host: &Host, target: &str, first: Executed, then: Executed) {
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
