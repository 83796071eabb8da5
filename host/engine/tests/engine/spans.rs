//! The spans of runs and their attempts: none is below one that nobody sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookbox_core::id::RunId;
use hookbox_core::plugin::Trigger;
use hookbox_core::policy::PolicyPatch;
use hookbox_core::run::{BootId, CancelCause, RunStatus};
use hookbox_core::time::Millis;
use hookbox_core::trace::{Collect, Rules, Span, SpanId, Tracing, Value};
use hookbox_engine::reaper::{Reaper, VANISHED_GRACE};
use hookbox_store::Store;
use hookbox_store::types::Cancellable;
use tokio::sync::watch;

use crate::host::Host;
use crate::revoked::{once_and_then, revoked};
use crate::script::{busy, done};

struct Kept(watch::Sender<Vec<Span>>);

impl Collect for Kept {
    fn take(&self, span: Span) {
        self.0.send_modify(|spans| spans.push(span));
    }
}

impl Kept {
    fn named(&self, name: &str) -> Vec<Span> {
        self.0.borrow().iter().filter(|span| span.name == name).cloned().collect()
    }

    /// Those of that name, once there are so many.
    async fn until(&self, name: &str, number: usize) -> Vec<Span> {
        let mut spans = self.0.subscribe();
        let there = |spans: &Vec<Span>| spans.iter().filter(|span| span.name == name).count() >= number;
        let waited = tokio::time::timeout(Duration::from_secs(3600), spans.wait_for(there)).await;
        assert!(waited.is_ok(), "{number} of {name} do not come");
        drop(waited);
        self.named(name)
    }
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    match span.attributes.iter().find(|(told, _)| *told == name) {
        Some((_, Value::Text(text))) => text,
        other => panic!("{name}: {other:?}"),
    }
}

fn outcomes(attempts: &[Span]) -> Vec<&str> {
    attempts.iter().map(|span| attribute(span, "hookbox.outcome")).collect()
}

/// A host that traces, with a handler that has these options.
async fn host_with(options: &[(&str, &str)]) -> (Host, Arc<Kept>) {
    let mut host = Host::new();
    let kept = Arc::new(Kept(watch::Sender::default()));
    let rules = Rules { sample_percent: 100, continued: Default::default() };
    host.parts.tracing = Tracing::to(kept.clone(), host.clock.clone(), host.parts.mint.clone(), rules);
    host.start().await;
    let mut patch = PolicyPatch::default();
    options.iter().for_each(|(option, text)| patch.set(option, text).unwrap());
    host.plugin("shop", &[("sync", Trigger::Manual, patch)]).await;
    (host, kept)
}

async fn failed_once(host: &Host) -> RunId {
    host.script.on("shop/sync", |_| async { Ok(busy(None)) });
    let id = host.job("shop/sync").await;
    host.until(id, |run| (run.attempts.len(), run.status()) == (1, RunStatus::Pending)).await;
    id
}

async fn cancel(host: &Host, id: RunId) {
    let now = host.parts.clock.now();
    let done = host.store.cancel(vec![id], Cancellable::Alive, CancelCause::Operator, now).await.unwrap();
    assert_eq!(done, [id]);
}

/// The attempts of a run are below its span, which is there once.
async fn is_whole(kept: &Kept, id: RunId, state: &str, attempts: usize) {
    let whole = kept.until("run shop/sync", 1).await;
    assert_eq!((whole.len(), attribute(&whole[0], "hookbox.state")), (1, state));
    assert_eq!(whole[0].context.span, SpanId::of_run(id));
    assert_eq!(whole[0].failure.is_some(), state == "dead");
    let below = kept.until("attempt shop/sync", attempts).await;
    assert_eq!(below.len(), attempts);
    assert!(below.iter().all(|span| span.parent == Some(SpanId::of_run(id))), "{below:?}");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_attempt_has_its_span_beside_the_one_that_took_its_place() {
    let (host, kept) = host_with(&[]).await;
    once_and_then(&host, "shop/sync", revoked(), done());
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.drains == 1).await;
    let first = kept.until("attempt shop/sync", 1).await;
    assert_eq!(outcomes(&first), ["revoked"]);
    assert_eq!(first[0].failure.as_deref(), Some("its version is not trusted"));
    assert_eq!(first[0].context.span, host.script.calls.borrow()[0].trace.as_ref().unwrap().context.span);
    host.advance_to(&run);
    host.until_status(id, RunStatus::Succeeded).await;
    is_whole(&kept, id, "succeeded", 2).await;
    assert_eq!(outcomes(&kept.named("attempt shop/sync")), ["revoked", "completed"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_end_nobody_records_has_its_span() {
    let (mut host, kept) = host_with(&[]).await;
    host.script.is_deaf.store(true, Ordering::SeqCst);
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    host.drain(Millis(0)).await;
    assert_eq!(host.run(id).await.status(), RunStatus::Pending);
    assert_eq!(outcomes(&kept.named("attempt shop/sync")), ["lost"]);
}

#[tokio::test(start_paused = true)]
async fn one_whose_run_was_taken_away_has_it_beside_the_next() {
    let (host, kept) = host_with(&[]).await;
    let first = AtomicBool::new(true);
    host.script.on("shop/sync", move |_| {
        let hangs = first.swap(false, Ordering::SeqCst);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(done())
        }
    });
    let id = host.job("shop/sync").await;
    host.called(1).await;
    Reaper::new(&host.parts, BootId(99)).rescue().await.unwrap();
    host.until_status(id, RunStatus::Succeeded).await;
    is_whole(&kept, id, "succeeded", 2).await;
    let attempts = kept.named("attempt shop/sync");
    let mut outcomes = outcomes(&attempts);
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["completed", "lost"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_not_executed_has_none() {
    let (mut host, kept) = host_with(&[]).await;
    host.script.list_only("shop/sync");
    let id = host.job("shop/sync").await;
    host.until(id, |run| run.drains == 1).await;
    host.drain(Millis(0)).await;
    assert_eq!(kept.0.borrow().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_between_two_attempts_has_its_span() {
    let (host, kept) = host_with(&[]).await;
    // One that never began has none.
    let never = host.job("shop/other").await;
    cancel(&host, never).await;
    let id = failed_once(&host).await;
    cancel(&host, id).await;
    is_whole(&kept, id, "cancelled", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_while_it_is_executed_has_one() {
    let (mut host, kept) = host_with(&[]).await;
    host.script.on("shop/sync", |_| std::future::pending());
    let id = host.job("shop/sync").await;
    host.called(1).await;
    cancel(&host, id).await;
    host.ended.recv().await.unwrap();
    is_whole(&kept, id, "cancelled", 1).await;
    assert_eq!(outcomes(&kept.named("attempt shop/sync")), ["cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_time_is_over_before_its_next_attempt_has_its_span() {
    let (host, kept) = host_with(&[("expires", "10s")]).await;
    let id = failed_once(&host).await;
    host.clock.advance(Millis(10_000));
    host.until_status(id, RunStatus::Cancelled).await;
    is_whole(&kept, id, "cancelled", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_buried_without_its_handler_has_its_span() {
    let (host, kept) = host_with(&[]).await;
    let id = failed_once(&host).await;
    host.script.remove("shop/sync");
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(VANISHED_GRACE);
    host.until_status(id, RunStatus::Dead).await;
    is_whole(&kept, id, "dead", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_last_attempt_a_crash_cut_off_has_its_span() {
    let (mut host, kept) = host_with(&[("attempts", "2")]).await;
    let id = failed_once(&host).await;
    host.script.on("shop/sync", |_| std::future::pending());
    host.advance_to(&host.run(id).await);
    host.called(2).await;
    host.crash();
    host.start().await;
    host.until_status(id, RunStatus::Dead).await;
    is_whole(&kept, id, "dead", 1).await;
}
