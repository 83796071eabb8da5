//! Handlers that go away and come back.

use hookbox_core::attempt::Input;
use hookbox_core::id::RunId;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{DRAINS_MAX, RunStatus};
use hookbox_core::time::Millis;
use hookbox_engine::ExecuteError;
use hookbox_engine::reaper::VANISHED_GRACE;

use crate::host::{Host, cause, manual, on};
use crate::script::{done, handler};

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_its_handler_and_runs_when_it_returns() {
    let host = Host::started().await;
    let id = host.job("shop/sync").await;
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(Millis(VANISHED_GRACE.0 - 1));
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.status(), RunStatus::Pending);
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.until_status(id, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_handler_stays_away_is_a_dead_letter() {
    let host = Host::started().await;
    let id = host.job("shop/sync").await;
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(VANISHED_GRACE);
    let run = host.until_status(id, RunStatus::Dead).await;
    assert_eq!((cause(&run), run.attempts.len()), (Some(DeadCause::HandlerVanished), 0));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_comes_back_has_the_whole_time_again() {
    let host = Host::started().await;
    let id = host.job("shop/sync").await;
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(Millis(VANISHED_GRACE.0 - 1));
    host.script.on("shop/sync", |_| async { Ok(crate::script::busy(Some(Millis::DAY))) });
    host.until(id, |run| run.attempts.len() == 1).await;
    host.idle_for(Millis::MINUTE).await;
    host.script.remove("shop/sync");
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(Millis(VANISHED_GRACE.0 - 1));
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.status(), RunStatus::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_handler_went_away_after_the_claim_is_put_back() {
    let host = Host::started().await;
    host.script.list_only("shop/sync");
    let id = host.job("shop/sync").await;
    let run = host.until(id, |run| run.drains == 1).await;
    assert_eq!((run.status(), run.attempts_begun), (RunStatus::Pending, 0));
    // The clock stands still: it is not claimed again and again.
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(id).await.drains, 1);
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.clock.advance(Millis::SECOND);
    host.until_status(id, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_listed_but_never_there_ends_as_a_dead_letter() {
    let host = Host::started().await;
    host.script.list_only("shop/sync");
    let id = host.job("shop/sync").await;
    let mut before = 0;
    let run = loop {
        let run = host.until(id, |run| run.drains > before || !run.attempts.is_empty()).await;
        if run.status() == RunStatus::Dead {
            break run;
        }
        before = run.drains.min(DRAINS_MAX);
        host.clock.advance(Millis::MINUTE);
        host.idle_for(Millis::SECOND).await;
    };
    assert_eq!((run.drains, run.attempts.len(), cause(&run)), (DRAINS_MAX, 5, Some(DeadCause::AttemptsExhausted)));
}

/// Its events wait, and from now on it takes jobs.
async fn taking_jobs_instead() -> (Host, RunId) {
    let host = Host::started().await;
    host.plugin("shop", &[on("sync", "shop/*")]).await;
    let event = host.webhook("shop", "made").await.remove(0);
    host.plugin("shop", &[manual("sync")]).await;
    // As the sandbox does.
    host.script.on("shop/sync", |call| async move {
        match call.input {
            Input::Job(_) => Ok(done()),
            Input::Event(_) => Err(ExecuteError::NoSuchHandler),
        }
    });
    (host, event)
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_a_handler_that_takes_jobs_by_now() {
    let (host, event) = taking_jobs_instead().await;
    let job = host.job("shop/sync").await;
    host.until_status(job, RunStatus::Succeeded).await;
    for _ in 0..30 {
        host.clock.advance(Millis::SECOND);
        host.idle_for(Millis::MINUTE).await;
    }
    let run = host.run(event).await;
    assert_eq!((run.status(), run.attempts_begun, run.drains), (RunStatus::Pending, 0, 0));
    // A version that takes events again, such as one that was rolled back to.
    host.plugin("shop", &[on("sync", "shop/*")]).await;
    host.script.on("shop/sync", |_| async { Ok(done()) });
    host.until_status(event, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_handler_takes_jobs_for_too_long_is_a_dead_letter_that_says_so() {
    let (host, event) = taking_jobs_instead().await;
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(Millis(VANISHED_GRACE.0 - 1));
    host.idle_for(Millis::MINUTE).await;
    assert_eq!(host.run(event).await.status(), RunStatus::Pending);
    let job = host.job("shop/sync").await;
    host.clock.advance(Millis::SECOND);
    let run = host.until_status(event, RunStatus::Dead).await;
    assert_eq!((cause(&run), run.attempts.len(), run.drains), (Some(DeadCause::HandlerTakesJobs), 0, 0));
    for part in ["takes jobs", "this is an event", "roll back", "replay"] {
        assert!(DeadCause::HandlerTakesJobs.told().contains(part), "{part}");
    }
    host.until_status(job, RunStatus::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_for_a_handler_that_takes_events_by_now() {
    let host = Host::started().await;
    host.plugin("shop", &[manual("sync")]).await;
    let job = host.job("shop/sync").await;
    host.plugin("shop", &[on("sync", "shop/*")]).await;
    host.script.on("shop/sync", |call| async move {
        match call.input {
            Input::Event(_) => Ok(done()),
            Input::Job(_) => Err(ExecuteError::NoSuchHandler),
        }
    });
    let event = host.webhook("shop", "made").await.remove(0);
    host.until_status(event, RunStatus::Succeeded).await;
    host.idle_for(Millis::MINUTE).await;
    host.clock.advance(VANISHED_GRACE);
    let run = host.until_status(job, RunStatus::Dead).await;
    assert_eq!((cause(&run), run.attempts.len()), (Some(DeadCause::HandlerTakesEvents), 0));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_away_holds_no_other_back() {
    let host = Host::started().await;
    host.script.on("shop/sync", |_| async { Ok(done()) });
    let waits = host.job("gone/sync").await;
    let runs = host.job("shop/sync").await;
    host.until_status(runs, RunStatus::Succeeded).await;
    let run = host.run(waits).await;
    assert_eq!((run.status(), run.target), (RunStatus::Pending, handler("gone/sync")));
}
