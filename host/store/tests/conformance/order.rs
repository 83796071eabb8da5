//! Runs that keep an order, and were put off; which of them a cancel takes, and what it leaves.

use hookbox_core::attempt::{Cost, Log, LogLevel, LogLine, LogStream, Outcome};
use hookbox_core::gate::{Gate, Order};
use hookbox_core::id::RunId;
use hookbox_core::plugin::Digest;
use hookbox_core::run::{CancelCause, Run, RunEvent, RunStatus};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Cancellable, Claimable, Recorded, Retention, StoppedAttempt};

use crate::world::{World, ended, event, failed, handler, job, later, success};

conformance! {
    a_run_that_is_put_off_keeps_nobody_waiting_before_its_time,
    a_run_that_was_put_off_has_its_turn_by_its_time_and_waits_for_the_one_that_has_begun,
    a_drained_run_stays_before_those_that_were_due_earlier,
    only_what_is_meant_is_cancelled,
    what_a_cancelled_attempt_had_logged_is_kept_once,
    a_claim_that_finds_only_what_has_expired_says_that_there_may_be_more,
}

/// In the order of `k`, due after so long.
async fn put_off(world: &World, delay: u64) -> RunId {
    let mut new = event(&["a/work"]);
    new.runs[0].terms.gate = Some(Gate::new("k", Order::Accepted));
    new.runs[0].terms.delay = Millis(delay);
    let id = new.runs[0].id;
    world.accept_new(new).await;
    id
}

async fn claim_at(world: &World, now: Timestamp) -> Vec<Run> {
    world.claim_some(&["a/work"], 100, now).await
}

async fn only(world: &World, now: Timestamp) -> Run {
    let mut runs = claim_at(world, now).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0)
}

async fn end(world: &World, run: &Run, event: RunEvent) {
    assert_eq!(world.record(ended(run, event, None)).await.unwrap(), Recorded::Done);
}

async fn succeed(world: &World, run: &Run) {
    assert_eq!(world.record(success(run, None)).await.unwrap(), Recorded::Done);
}

async fn a_run_that_is_put_off_keeps_nobody_waiting_before_its_time(world: &mut World) {
    let tomorrow = put_off(world, Millis::DAY.0).await;
    let today = [put_off(world, 0).await, put_off(world, 0).await];
    for id in today {
        world.pause();
        let run = only(world, later(10)).await;
        assert_eq!(run.id, id);
        succeed(world, &run).await;
    }
    world.pause();
    let next = world.next_due(&[Claimable::new(handler("a/work"))]).await.unwrap();
    assert_eq!(next, Some(later(Millis::DAY.0)));
    assert_eq!(only(world, later(Millis::DAY.0)).await.id, tomorrow);
}

async fn a_run_that_was_put_off_has_its_turn_by_its_time_and_waits_for_the_one_that_has_begun(world: &mut World) {
    let second = put_off(world, 100).await;
    let first = put_off(world, 0).await;
    let third = put_off(world, 200).await;
    let run = only(world, later(10)).await;
    assert_eq!(run.id, first);
    end(world, &run, RunEvent::FailedForNow { attempt: failed(&run), due: later(5000) }).await;
    world.pause();
    assert_eq!(claim_at(world, later(4999)).await, [], "all of them wait while the first backs off");
    let again = only(world, later(5000)).await;
    assert_eq!(again.id, first);
    succeed(world, &again).await;
    world.pause();
    for id in [second, third] {
        let run = only(world, later(5000)).await;
        assert_eq!(run.id, id);
        succeed(world, &run).await;
    }
}

async fn a_drained_run_stays_before_those_that_were_due_earlier(world: &mut World) {
    let first = put_off(world, 0).await;
    let second = put_off(world, 0).await;
    let run = only(world, later(10)).await;
    end(world, &run, RunEvent::Drained { at: later(5000) }).await;
    world.pause();
    assert_eq!(claim_at(world, later(4999)).await, []);
    let run = only(world, later(5000)).await;
    assert_eq!(run.id, first);
    succeed(world, &run).await;
    assert_eq!(only(world, later(5000)).await.id, second);
}

async fn only_what_is_meant_is_cancelled(world: &mut World) {
    let leased = world.leased("a/work").await.id;
    let waiting = world.enqueue(job("a/work")).await.unwrap();
    let both = vec![leased, waiting];
    let cancel = async |which| world.cancel(both.clone(), which, CancelCause::Operator, later(9)).await.unwrap();
    assert_eq!(cancel(Cancellable::Pending).await, [waiting]);
    assert_eq!(cancel(Cancellable::Pending).await, []);
    assert_eq!(world.run(leased).await.unwrap().status(), RunStatus::Leased);
    assert_eq!(cancel(Cancellable::Leased).await, [leased]);
    let next = world.enqueue(job("a/work")).await.unwrap();
    let cancel_next = async |which| world.cancel(vec![next], which, CancelCause::Operator, later(9)).await.unwrap();
    assert_eq!(cancel_next(Cancellable::Leased).await, []);
    assert_eq!(cancel_next(Cancellable::Alive).await, [next]);
}

fn stopped(run: &Run, lines: usize) -> StoppedAttempt {
    let line = LogLine {
        at: later(1),
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "half done".to_owned(),
        fields: Vec::new(),
    };
    StoppedAttempt {
        run: run.id,
        lease: run.lease().unwrap(),
        log: Log { lines: vec![line; lines], bytes_dropped: 0 },
        cost: Cost { wall_us: 7, ..Cost::default() },
        requests: Default::default(),
        denied: Vec::new(),
        version: Some(Digest([3; 32])),
    }
}

async fn what_a_cancelled_attempt_had_logged_is_kept_once(world: &mut World) {
    // Beside the run's row, and apart from it.
    for lines in [1, 1000] {
        let run = world.leased("a/work").await;
        assert!(!world.note_cancelled(stopped(&run, lines)).await.unwrap(), "it is executed still");
        let done = world.cancel(vec![run.id], Cancellable::Alive, CancelCause::Operator, later(9)).await.unwrap();
        assert_eq!(done, [run.id]);
        world.pause();
        let mut other = stopped(&run, lines);
        other.lease.attempt += 1;
        assert!(!world.note_cancelled(other).await.unwrap(), "of another attempt");
        assert!(world.note_cancelled(stopped(&run, lines)).await.unwrap());
        assert!(!world.note_cancelled(stopped(&run, 2)).await.unwrap(), "it is kept already");
        world.pause();
        let kept = world.run(run.id).await.unwrap();
        assert_eq!((kept.status(), kept.attempts.len()), (RunStatus::Cancelled, 1));
        let attempt = &kept.attempts[0];
        assert_eq!((&attempt.outcome, attempt.log.lines.len()), (&Outcome::Cancelled, lines));
        assert_eq!((attempt.cost.wall_us, attempt.version), (7, Some(Digest([3; 32]))));
    }
    let run = world.leased("a/work").await;
    succeed(world, &run).await;
    assert!(!world.note_cancelled(stopped(&run, 1)).await.unwrap());
    let all = Retention { cancelled_for: Millis(0), ..Retention::default() };
    while world.prune(later(Millis::DAY.0), all).await.unwrap().more {}
    assert_eq!(world.counts().cancelled, 0);
}

async fn a_claim_that_finds_only_what_has_expired_says_that_there_may_be_more(world: &mut World) {
    let mut late = event(&["a/work"]);
    late.runs[0].terms.expires = Some(Millis(100));
    world.accept_new(late).await;
    let good = world.enqueue(job("a/work")).await.unwrap();
    world.pause();
    // What woke before this is heard.
    while std::pin::pin!(world.signals().runs.notified()).as_mut().enable() {}
    assert_eq!(world.claim_some(&["a/work"], 1, later(100)).await, []);
    world.signals().runs.notified().await;
    assert_eq!(world.claim_some(&["a/work"], 1, later(100)).await[0].id, good);
}
