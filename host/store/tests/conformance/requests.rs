//! Requests with an idempotency key, totals, and the feeds of runs.

use hookbox_core::run::{CancelCause, RunEvent};
use hookbox_core::time::Millis;
use hookbox_store::types::{
    Begun, Cancellable, KEPT_REQUESTS_MAX, KeptAnswer, Listed, REQUEST_KEPT_FOR, RequestKey, Total,
};

use crate::prune::{prune_all, retention};
use crate::world::{NOW, World, ended, event, failed, later, success};

conformance! {
    a_request_begins_once_and_its_answer_is_kept,
    a_key_is_for_one_request,
    a_request_without_an_answer_is_as_if_never_asked,
    requests_are_forgotten_in_time_and_where_too_many_come,
    a_pass_forgets_requests_whose_time_is_over_and_no_other,
    what_is_listed_is_counted,
    watchers_are_told_which_runs_have_changed,
    watchers_are_told_which_runs_had_begun_and_were_not_ended_by_an_attempt,
}

fn key(number: u8) -> RequestKey {
    RequestKey([number; 32])
}

fn answer(body: usize) -> KeptAnswer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    KeptAnswer { status: 201, headers, body: Some(vec![b'x'; body]) }
}

async fn a_request_begins_once_and_its_answer_is_kept(world: &mut World) {
    for (number, bytes) in [(1, 2), (2, 200_000)] {
        assert_eq!(world.begin_request(key(number), [9; 32], NOW).await.unwrap(), Begun::New);
        world.pause();
        assert_eq!(world.begin_request(key(number), [9; 32], NOW).await.unwrap(), Begun::UnderWay);
        world.end_request(key(number), Some(answer(bytes))).await.unwrap();
        world.pause();
        for _ in 0..2 {
            let begun = world.begin_request(key(number), [9; 32], NOW).await.unwrap();
            assert_eq!(begun, Begun::Answered(answer(bytes)));
        }
    }
}

async fn a_key_is_for_one_request(world: &mut World) {
    assert_eq!(world.begin_request(key(1), [9; 32], NOW).await.unwrap(), Begun::New);
    assert_eq!(world.begin_request(key(1), [8; 32], NOW).await.unwrap(), Begun::Other);
    world.end_request(key(1), Some(answer(2))).await.unwrap();
    assert_eq!(world.begin_request(key(1), [8; 32], NOW).await.unwrap(), Begun::Other);
    assert_eq!(world.begin_request(key(2), [8; 32], NOW).await.unwrap(), Begun::New);
}

async fn a_request_without_an_answer_is_as_if_never_asked(world: &mut World) {
    assert_eq!(world.begin_request(key(1), [9; 32], NOW).await.unwrap(), Begun::New);
    world.end_request(key(1), None).await.unwrap();
    world.end_request(key(1), None).await.unwrap();
    world.pause();
    assert_eq!(world.begin_request(key(1), [8; 32], NOW).await.unwrap(), Begun::New);
}

async fn requests_are_forgotten_in_time_and_where_too_many_come(world: &mut World) {
    assert_eq!(world.begin_request(key(1), [9; 32], NOW).await.unwrap(), Begun::New);
    world.end_request(key(1), Some(answer(2))).await.unwrap();
    let last = NOW.plus(REQUEST_KEPT_FOR);
    assert!(matches!(world.begin_request(key(1), [9; 32], last).await.unwrap(), Begun::Answered(_)));
    assert_eq!(world.begin_request(key(1), [9; 32], last.plus(Millis(1))).await.unwrap(), Begun::New);
    world.pause();

    let of = |number: u64| {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        RequestKey(hash)
    };
    let begin = |number: u64| world.begin_request(of(number), [9; 32], last);
    let all = futures::future::join_all((0..KEPT_REQUESTS_MAX).map(begin)).await;
    assert!(all.into_iter().all(|begun| begun.unwrap() == Begun::New));
    assert_eq!(begin(KEPT_REQUESTS_MAX - 1).await.unwrap(), Begun::UnderWay);
    assert_eq!(begin(1).await.unwrap(), Begun::UnderWay, "the latest are kept");
    assert_eq!(begin(KEPT_REQUESTS_MAX).await.unwrap(), Begun::New);
    assert_eq!(begin(0).await.unwrap(), Begun::New, "the oldest made room");
}

/// More than one beginning forgets, so that only a pass can have done it. By a clock that is put back, one that is still
/// there would be answered.
async fn a_pass_forgets_requests_whose_time_is_over_and_no_other(world: &mut World) {
    const OLD: u8 = 10;
    let last = NOW.plus(REQUEST_KEPT_FOR);
    for (number, at) in (1..=OLD).map(|number| (number, NOW)).chain([(OLD + 1, last)]) {
        assert_eq!(world.begin_request(key(number), [9; 32], at).await.unwrap(), Begun::New);
        world.end_request(key(number), Some(answer(2))).await.unwrap();
    }
    let begin = async |world: &World, number| world.begin_request(key(number), [9; 32], NOW).await.unwrap();
    prune_all(world, last, retention()).await;
    world.pause();
    for number in 1..=OLD + 1 {
        assert_eq!(begin(world, number).await, Begun::Answered(answer(2)), "{number} is still in time");
    }
    prune_all(world, last.plus(Millis(1)), retention()).await;
    world.pause();
    assert_eq!(begin(world, OLD + 1).await, Begun::Answered(answer(2)));
    for number in 1..=OLD {
        assert_eq!(begin(world, number).await, Begun::New, "{number} is forgotten");
    }
}

async fn what_is_listed_is_counted(world: &mut World) {
    let total = async |world: &World, listed| world.total(listed).await.unwrap();
    let exactly = |count| Total { count, exact: true };
    for listed in [Listed::Events, Listed::Unrouted, Listed::Suppressed] {
        assert_eq!(total(world, listed).await, exactly(0));
    }
    for targets in [&["a/on-event"][..], &["a/on-event", "b/on-event"], &[]] {
        world.accept_new(event(targets)).await;
    }
    world.pause();
    for (listed, count) in [(Listed::Events, 3), (Listed::Unrouted, 1), (Listed::Suppressed, 0)] {
        assert_eq!(total(world, listed).await, exactly(count), "{listed:?}");
    }
}

async fn watchers_are_told_which_runs_have_changed(world: &mut World) {
    let start = world.signals().changed.last();
    let id = world.accept_new(event(&["a/on-event", "b/on-event"])).await;
    let runs = world.event(id).await.unwrap().runs;
    let seen = world.signals().changed.since(start);
    assert_eq!((&seen.runs, seen.missed), (&runs, false));
    let waits = world.signals().changed.beyond(seen.last);
    let mut waits = std::pin::pin!(waits);
    assert!(futures::poll!(waits.as_mut()).is_pending(), "nothing has changed meanwhile");
    let cancelled = world.cancel(vec![runs[1]], Cancellable::Alive, CancelCause::Operator, NOW).await.unwrap();
    assert_eq!(cancelled, [runs[1]]);
    waits.await;
    assert_eq!(world.signals().changed.since(seen.last).runs, [runs[1]]);
}

async fn watchers_are_told_which_runs_had_begun_and_were_not_ended_by_an_attempt(world: &mut World) {
    let start = world.signals().cut_short.last();
    let ran = world.leased("a/on-event").await;
    world.record(success(&ran, None)).await.unwrap();
    let new = event(&["a/on-event"]);
    let never = new.runs[0].id;
    world.accept_new(new).await;
    world.cancel(vec![never], Cancellable::Alive, CancelCause::Operator, NOW).await.unwrap();
    let tried = world.leased("a/on-event").await;
    let event = RunEvent::FailedForNow { attempt: failed(&tried), due: later(9) };
    world.record(ended(&tried, event, None)).await.unwrap();
    let leased = world.leased("a/on-event").await;
    for run in [&tried, &leased] {
        world.cancel(vec![run.id], Cancellable::Alive, CancelCause::Operator, NOW).await.unwrap();
    }
    assert_eq!(world.signals().cut_short.since(start).runs, [tried.id, leased.id]);
}
