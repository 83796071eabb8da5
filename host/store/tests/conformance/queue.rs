//! What runs wait for besides their time: one another, a place; and how they are taken off the queue.

use std::collections::HashMap;

use hookbox_core::attempt::Outcome;
use hookbox_core::clock::Monotonic;
use hookbox_core::gate::{Gate, Order};
use hookbox_core::id::RunId;
use hookbox_core::policy::Curve;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, CancelCause, Run, RunEvent, RunPolicy, RunState, RunStatus};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Cancellable, Claimable, NewEvent, Recorded, Rescue, Retention};

use crate::world::{
    LEASE_UNTIL, NOW, World, ended, event, failed, handler, job, later, set, success, unique_job, writes,
};

conformance! {
    a_pending_run_is_cancelled,
    a_leased_run_is_cancelled_and_its_late_result_is_stale,
    what_has_ended_or_is_unknown_is_not_cancelled,
    a_cancelled_run_lets_those_behind_it_go_on,
    a_run_expires_unless_it_has_begun,
    a_claim_hands_out_no_run_that_has_expired,
    of_one_key_one_run_is_executed_at_a_time,
    runs_in_order_wait_for_the_next_attempt_of_the_first,
    runs_that_are_not_in_order_do_not_wait_for_a_next_attempt,
    a_dead_letter_lets_those_behind_it_go_on,
    a_run_that_was_lost_stays_the_first,
    a_drained_run_stays_the_first,
    runs_of_other_keys_and_handlers_do_not_wait,
    the_order_is_that_of_acceptance_whatever_the_ids,
    all_runs_with_one_key_are_abandoned,
    what_a_run_brings_along_is_kept,
    the_own_attempts_of_a_run_count_where_it_was_lost,
    the_run_of_an_event_whose_key_is_taken_is_cancelled,
    a_dead_letter_does_not_hold_its_key,
    a_cancelled_run_frees_its_unique_key,
}

fn gated(target: &str, key: &str, order: Order) -> NewEvent {
    let mut new = event(&[target]);
    new.runs[0].terms.gate = Some(Gate::new(key, order));
    new
}

/// Accepts so many events for `a/work` with the key.
async fn in_order(world: &World, key: &str, order: Order, runs: usize) -> Vec<RunId> {
    let mut ids = Vec::new();
    for _ in 0..runs {
        let new = gated("a/work", key, order);
        ids.push(new.runs[0].id);
        world.accept_new(new).await;
    }
    ids
}

async fn claim_at(world: &World, now: Timestamp) -> Vec<Run> {
    world.claim_some(&["a/work"], 100, now).await
}

async fn claim(world: &World) -> Vec<RunId> {
    claim_at(world, later(10)).await.iter().map(|run| run.id).collect()
}

async fn only(world: &World) -> Run {
    let mut runs = claim_at(world, later(10)).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0)
}

async fn end_with(world: &World, run: &Run, event: RunEvent) {
    assert_eq!(world.record(ended(run, event, None)).await.unwrap(), Recorded::Done);
}

async fn retry_at(world: &World, run: &Run, due: Timestamp) {
    end_with(world, run, RunEvent::FailedForNow { attempt: failed(run), due }).await;
}

async fn bury(world: &World, run: &Run) {
    end_with(world, run, RunEvent::FailedForGood { attempt: failed(run), cause: DeadCause::Permanent }).await;
}

async fn succeed(world: &World, run: &Run) {
    assert_eq!(world.record(success(run, None)).await.unwrap(), Recorded::Done);
}

async fn cancel(world: &World, runs: &[RunId]) -> Vec<RunId> {
    world.cancel(runs.to_vec(), Cancellable::Alive, CancelCause::Operator, later(50)).await.unwrap()
}

async fn status(world: &World, id: RunId) -> RunStatus {
    world.run(id).await.unwrap().status()
}

fn cancelled(at: Timestamp, cause: CancelCause) -> RunState {
    RunState::Cancelled { at, cause }
}

async fn a_pending_run_is_cancelled(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 2).await;
    let id = world.enqueue(job("a/work")).await.unwrap();
    assert_eq!(cancel(world, &[ids[1], id]).await, [ids[1], id]);
    world.pause();
    for id in [ids[1], id] {
        let run = world.run(id).await.unwrap();
        assert_eq!((run.state, run.attempts.len()), (cancelled(later(50), CancelCause::Operator), 0));
    }
    let counts = world.counts();
    assert_eq!((counts.pending, counts.cancelled, counts.attempts), (1, 2, 0));
    assert_eq!(claim(world).await, [ids[0]]);
}

async fn a_leased_run_is_cancelled_and_its_late_result_is_stale(world: &mut World) {
    let run = world.leased("a/work").await;
    let told = world.signals().leases.notified();
    assert_eq!(cancel(world, &[run.id]).await, [run.id]);
    told.await;
    assert_eq!(world.renew(&[(run.id, run.lease().unwrap())], LEASE_UNTIL).await.unwrap(), []);
    let late = success(&run, Some(writes("a", [set("k", "late")])));
    assert_eq!(world.record(late).await.unwrap(), Recorded::Stale);
    world.pause();
    let kept = world.run(run.id).await.unwrap();
    assert_eq!(kept.state, cancelled(later(50), CancelCause::Operator));
    assert_eq!(kept.attempts.iter().map(|attempt| attempt.outcome.clone()).collect::<Vec<_>>(), [Outcome::Cancelled]);
    assert_eq!(world.value("a", "k").await, None);
    let counts = world.counts();
    assert_eq!((counts.leased, counts.cancelled, counts.attempts), (0, 1, 1));
}

async fn what_has_ended_or_is_unknown_is_not_cancelled(world: &mut World) {
    let run = world.leased("a/work").await;
    succeed(world, &run).await;
    let waiting = world.enqueue(job("a/work")).await.unwrap();
    let unknown = crate::world::new_run("a/work").id;
    assert_eq!(cancel(world, &[run.id, unknown, waiting, waiting]).await, [waiting]);
    assert_eq!(cancel(world, &[waiting]).await, []);
    world.pause();
    assert_eq!(status(world, run.id).await, RunStatus::Succeeded);
    assert_eq!((world.counts().succeeded, world.counts().cancelled), (1, 1));
}

async fn a_cancelled_run_lets_those_behind_it_go_on(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 3).await;
    assert_eq!(only(world).await.id, ids[0]);
    cancel(world, &[ids[0]]).await;
    world.pause();
    let second = only(world).await;
    assert_eq!(second.id, ids[1]);
    retry_at(world, &second, later(9000)).await;
    assert_eq!(claim(world).await, []);
    cancel(world, &[ids[1]]).await;
    assert_eq!(claim(world).await, [ids[2]]);
}

async fn a_run_expires_unless_it_has_begun(world: &mut World) {
    let expiring = |gate: Option<&str>| {
        let mut new = event(&["a/work"]);
        new.runs[0].terms.expires = Some(Millis(100));
        new.runs[0].terms.gate = gate.map(|key| Gate::new(key, Order::Accepted));
        new
    };
    let (first, second, plain) = (expiring(Some("k")), expiring(Some("k")), expiring(None));
    let [first_id, second_id, plain_id] = [&first, &second, &plain].map(|new| new.runs[0].id);
    for new in [first, second] {
        world.accept_new(new).await;
    }
    assert_eq!(only(world).await.id, first_id);
    world.accept_new(plain).await;
    assert_eq!(world.expire(later(99), 10).await.unwrap(), 0);
    world.pause();
    assert_eq!(world.expire(later(100), 1).await.unwrap(), 1);
    assert_eq!(world.expire(later(100), 10).await.unwrap(), 1);
    assert_eq!(world.expire(later(9000), 10).await.unwrap(), 0);
    assert_eq!(status(world, first_id).await, RunStatus::Leased);
    for id in [second_id, plain_id] {
        assert_eq!(world.run(id).await.unwrap().state, cancelled(later(100), CancelCause::Expired));
    }
    assert_eq!((world.counts().pending, world.counts().cancelled), (0, 2));
}

async fn a_claim_hands_out_no_run_that_has_expired(world: &mut World) {
    let mut new = event(&["a/work"]);
    new.runs[0].terms.expires = Some(Millis(100));
    let late = new.runs[0].id;
    world.accept_new(new).await;
    let id = world.enqueue(job("a/work")).await.unwrap();
    world.pause();
    let claimed = claim_at(world, later(100)).await;
    assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [id]);
    assert_eq!(world.run(late).await.unwrap().state, cancelled(later(100), CancelCause::Expired));
}

async fn of_one_key_one_run_is_executed_at_a_time(world: &mut World) {
    for order in [Order::Accepted, Order::Due] {
        let ids = in_order(world, &format!("{order:?}"), order, 3).await;
        for id in ids {
            let run = only(world).await;
            assert_eq!(run.id, id);
            world.pause();
            assert_eq!(claim(world).await, [], "{order:?}");
            succeed(world, &run).await;
        }
    }
}

async fn runs_in_order_wait_for_the_next_attempt_of_the_first(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 2).await;
    let first = only(world).await;
    retry_at(world, &first, later(1000)).await;
    world.pause();
    assert_eq!(claim_at(world, later(999)).await, []);
    assert_eq!(world.next_due(&[Claimable::new(handler("a/work"))]).await.unwrap(), Some(later(1000)));
    let again = claim_at(world, later(1000)).await;
    assert_eq!(again.iter().map(|run| run.id).collect::<Vec<_>>(), [ids[0]]);
    succeed(world, &again[0]).await;
    assert_eq!(claim(world).await, [ids[1]]);
}

async fn runs_that_are_not_in_order_do_not_wait_for_a_next_attempt(world: &mut World) {
    let ids = in_order(world, "k", Order::Due, 2).await;
    let first = only(world).await;
    retry_at(world, &first, later(1000)).await;
    world.pause();
    let second = only(world).await;
    assert_eq!(second.id, ids[1]);
    assert_eq!(claim_at(world, later(2000)).await, []);
    succeed(world, &second).await;
    assert_eq!(claim_at(world, later(999)).await, []);
    assert_eq!(claim_at(world, later(2000)).await.len(), 1);
}

async fn a_dead_letter_lets_those_behind_it_go_on(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 2).await;
    let first = only(world).await;
    retry_at(world, &first, later(5)).await;
    let first = only(world).await;
    bury(world, &first).await;
    world.pause();
    assert_eq!(status(world, ids[0]).await, RunStatus::Dead);
    assert_eq!(claim(world).await, [ids[1]]);
}

async fn a_run_that_was_lost_stays_the_first(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 2).await;
    assert_eq!(only(world).await.id, ids[0]);
    world.pause();
    let attempts_max = HashMap::from([(handler("a/work"), 5)]);
    let rescue = Rescue { boot: BootId(2), now: later(9), monotonic: Monotonic(0), limit: 9, attempts_max };
    assert_eq!(world.rescue(rescue.clone()).await.unwrap().len(), 1);
    assert_eq!(claim(world).await, [ids[0]]);
    let last = Rescue { attempts_max: HashMap::from([(handler("a/work"), 2)]), ..rescue };
    assert_eq!(world.rescue(last).await.unwrap()[0].status(), RunStatus::Dead);
    assert_eq!(claim(world).await, [ids[1]]);
}

async fn a_drained_run_stays_the_first(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 2).await;
    let first = only(world).await;
    end_with(world, &first, RunEvent::Drained { at: later(5) }).await;
    world.pause();
    assert_eq!(claim(world).await, [ids[0]]);
}

async fn runs_of_other_keys_and_handlers_do_not_wait(world: &mut World) {
    let one = in_order(world, "one", Order::Accepted, 2).await;
    let two = in_order(world, "two", Order::Accepted, 2).await;
    let other = gated("b/work", "one", Order::Accepted);
    let other_id = other.runs[0].id;
    world.accept_new(other).await;
    let free = world.enqueue(job("a/work")).await.unwrap();
    world.pause();
    let mut claimed: Vec<_> = world.claim_some(&["a/work", "b/work"], 9, later(10)).await;
    claimed.sort_by_key(|run| run.id);
    let mut expected = vec![one[0], two[0], other_id, free];
    expected.sort();
    assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), expected);
}

async fn the_order_is_that_of_acceptance_whatever_the_ids(world: &mut World) {
    let mut events: Vec<_> = (0..5).map(|_| gated("a/work", "k", Order::Accepted)).collect();
    events.reverse();
    let ids: Vec<_> = events.iter().map(|new| new.runs[0].id).collect();
    assert!(ids.is_sorted_by(|a, b| a > b));
    for new in events {
        world.accept_new(new).await;
    }
    world.pause();
    for id in ids {
        let run = only(world).await;
        assert_eq!(run.id, id);
        succeed(world, &run).await;
    }
}

async fn all_runs_with_one_key_are_abandoned(world: &mut World) {
    let ids = in_order(world, "k", Order::Accepted, 5).await;
    world.pause();
    let due = in_order(world, "other", Order::Due, 2).await;
    let free = world.enqueue(job("a/work")).await.unwrap();
    let abandon = async || world.abandon(handler("a/work"), None, later(9), 3).await.unwrap();
    assert_eq!((abandon().await, abandon().await, abandon().await, abandon().await), (3, 3, 2, 0));
    assert_eq!(world.counts().pending, 0);
    for id in [ids[0], ids[4], due[1], free] {
        assert_eq!(status(world, id).await, RunStatus::Dead);
    }
}

async fn what_a_run_brings_along_is_kept(world: &mut World) {
    let mut new = gated("a/work", "k", Order::Due);
    let own = RunPolicy {
        timeout: Some(Millis(7)),
        attempts: Some(2),
        backoff: Some(Millis(3)),
        backoff_curve: Some(Curve::Constant),
        backoff_max: Some(Millis(4)),
    };
    let terms = &mut new.runs[0].terms;
    (terms.own, terms.delay, terms.expires) = (own, Millis(100), Some(Millis(50)));
    let id = new.runs[0].id;
    world.accept_new(new).await;
    world.pause();
    let run = world.run(id).await.unwrap();
    assert_eq!((run.own, run.gate), (own, Some(Gate::new("k", Order::Due))));
    assert_eq!(run.state, RunState::Pending { due: later(100) });
    assert_eq!(run.expires, Some(later(150)));
    assert_eq!(claim_at(world, later(99)).await, []);
    assert_eq!(claim_at(world, later(100)).await.len(), 1);
}

async fn the_own_attempts_of_a_run_count_where_it_was_lost(world: &mut World) {
    let mut new = event(&["a/work"]);
    new.runs[0].terms.own = RunPolicy { attempts: Some(1), ..RunPolicy::default() };
    world.accept_new(new).await;
    only(world).await;
    world.pause();
    let attempts_max = HashMap::from([(handler("a/work"), 5)]);
    let rescue = Rescue { boot: BootId(2), now: later(9), monotonic: Monotonic(0), limit: 9, attempts_max };
    assert_eq!(world.rescue(rescue).await.unwrap()[0].status(), RunStatus::Dead);
}

fn unique_event(key: &str) -> NewEvent {
    let mut new = event(&["a/work", "b/work"]);
    new.runs[0].terms.unique = Some(key.to_owned());
    new
}

async fn the_run_of_an_event_whose_key_is_taken_is_cancelled(world: &mut World) {
    let (first, second) = (unique_event("k"), unique_event("k"));
    let (holder, kept, beside) = (first.runs[0].id, second.runs[0].id, second.runs[1].id);
    world.accept_new(first).await;
    world.pause();
    let event = second.event.id;
    world.accept_new(second).await;
    let run = world.run(kept).await.unwrap();
    assert_eq!(run.state, cancelled(NOW, CancelCause::Unique(holder)));
    assert_eq!(world.event(event).await.unwrap().runs, [kept, beside]);
    assert_eq!(status(world, beside).await, RunStatus::Pending);
    assert_eq!(claim(world).await, [holder]);
    assert_eq!(world.enqueue(unique_job("a/work", "k")).await.unwrap(), holder);
    assert_eq!(world.counts().cancelled, 1);
    // The one that was left out never held the key, and does not take it along.
    let all = Retention { cancelled_for: Millis(0), ..Retention::default() };
    while world.prune(later(Millis::DAY.0), all).await.unwrap().more {}
    assert!(world.run(kept).await.is_err());
    assert_eq!(world.enqueue(unique_job("a/work", "k")).await.unwrap(), holder);
}

async fn a_dead_letter_does_not_hold_its_key(world: &mut World) {
    let mut dead = unique_event("k");
    dead.runs[0].dead = Some(DeadCause::InvalidBody);
    world.accept_new(dead).await;
    let next = unique_event("k");
    let id = next.runs[0].id;
    world.accept_new(next).await;
    world.pause();
    assert_eq!(status(world, id).await, RunStatus::Pending);
    let run = only(world).await;
    bury(world, &run).await;
    assert_ne!(world.enqueue(unique_job("a/work", "k")).await.unwrap(), id);
}

async fn a_cancelled_run_frees_its_unique_key(world: &mut World) {
    let holder = world.enqueue(unique_job("a/work", "k")).await.unwrap();
    cancel(world, &[holder]).await;
    world.pause();
    let next = world.enqueue(unique_job("a/work", "k")).await.unwrap();
    assert_ne!(next, holder);
    let all = Retention { cancelled_for: Millis(0), ..Retention::default() };
    while world.prune(later(Millis::DAY.0), all).await.unwrap().more {}
    assert!(world.run(holder).await.is_err());
    assert_eq!(world.enqueue(unique_job("a/work", "k")).await.unwrap(), next);
}
