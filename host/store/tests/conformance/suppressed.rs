//! Duplicates: listed once for each body, and released as events of their own.

use hookbox_core::id::EventId;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{RunStatus, Work};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::{Accepted, NewEvent, NewRun, PageRequest, Retention, Suppressed};
use tokio::task::JoinSet;

use crate::world::{World, bytes, delivery, delivery_at, event, later, new_run};

const DAY: u64 = 24 * 3_600_000;

conformance! {
    a_duplicate_is_listed_with_what_it_repeats,
    the_same_duplicate_again_is_counted_in_its_row,
    a_duplicate_with_another_body_keeps_it,
    of_the_bodies_of_one_event_some_are_kept,
    a_walk_over_duplicates_sees_each_once,
    a_released_duplicate_is_an_event_with_runs,
    a_duplicate_without_a_handler_is_released_as_unrouted,
    a_duplicate_is_released_once,
    a_duplicate_that_comes_after_a_release_is_listed_anew,
    a_released_duplicate_may_be_dead_from_the_start,
    duplicates_are_pruned_as_unrouted_events_are,
    a_duplicate_whose_body_was_pruned_is_not_released,
    several_events_are_taken_in_together,
    of_several_events_the_same_one_is_a_duplicate,
}

async fn listed(world: &World) -> Vec<Suppressed> {
    world.suppressed(PageRequest { before: None, limit: 100 }).await.unwrap().items
}

/// Takes in what is a duplicate; returns what it repeats.
async fn again(world: &World, new: NewEvent) -> EventId {
    match world.accept(new).await.unwrap() {
        Accepted::Duplicate { first, .. } => first,
        Accepted::New(id) => panic!("{id} is new"),
    }
}

fn with_body(new: NewEvent, data: Vec<u8>) -> NewEvent {
    NewEvent { event: hookbox_core::event::Event { data, ..new.event }, ..new }
}

async fn a_duplicate_is_listed_with_what_it_repeats(world: &mut World) {
    let first = world.accept_new(with_body(delivery(&[1], 1), bytes(5000, 1))).await;
    let second = with_body(delivery_at(later(5), &[1], 1), bytes(5000, 1));
    again(world, second.clone()).await;
    world.pause();
    let [row] = listed(world).await.try_into().unwrap();
    assert_eq!((row.first, row.same_body, row.times, row.last), (first, true, 1, later(5)));
    assert_eq!((row.event.id, row.data_bytes, row.event.data.len()), (second.event.id, 5000, 0));
    assert_eq!(world.suppressed_one(row.event.id).await.unwrap().event, second.event);
    assert!(matches!(world.event(row.event.id).await, Err(StoreError::NotFound(_))));
}

async fn the_same_duplicate_again_is_counted_in_its_row(world: &mut World) {
    let first = world.accept_new(delivery(&[1, 2], 1)).await;
    for n in 1..=3 {
        assert_eq!(again(world, delivery_at(later(n), &[1], 1)).await, first);
        world.pause();
    }
    let [row] = listed(world).await.try_into().unwrap();
    assert_eq!((row.times, row.last, row.event.time), (3, later(3), later(1)));
}

async fn a_duplicate_with_another_body_keeps_it(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    for (fingerprint, length) in [(2, 10), (3, 5000), (4, 200_000)] {
        let differs = with_body(delivery(&[1], fingerprint), bytes(length, fingerprint));
        again(world, differs.clone()).await;
        world.pause();
        let row = listed(world).await.remove(0);
        assert_eq!((row.same_body, row.data_bytes), (false, length as u64));
        assert_eq!(world.suppressed_one(row.event.id).await.unwrap().event, differs.event);
    }
    assert_eq!(listed(world).await.len(), 3);
}

async fn of_the_bodies_of_one_event_some_are_kept(world: &mut World) {
    world.accept_new(delivery(&[1], 0)).await;
    for fingerprint in 1..=20 {
        again(world, delivery(&[1], fingerprint)).await;
    }
    world.accept_new(delivery(&[2], 0)).await;
    again(world, delivery(&[2], 1)).await;
    world.pause();
    assert_eq!((listed(world).await.len(), world.counts().duplicates_differ), (17, 21));
}

async fn a_walk_over_duplicates_sees_each_once(world: &mut World) {
    let mut made = Vec::new();
    for n in 0..20 {
        world.accept_new(delivery(&[n], 1)).await;
        let second = delivery(&[n], 1);
        made.push(second.event.id);
        again(world, second).await;
    }
    world.pause();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = world.suppressed(PageRequest { before, limit: 7 }).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.event.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made);
}

async fn a_released_duplicate_is_an_event_with_runs(world: &mut World) {
    for (fingerprint, body) in [(1, bytes(4000, 7)), (2, bytes(4000, 8))] {
        let key = fingerprint + 10;
        let first = world.accept_new(with_body(delivery(&[key], 1), bytes(4000, 7))).await;
        let second = with_body(delivery(&[key], fingerprint), body.clone());
        let id = second.event.id;
        again(world, second).await;
        let runs = [new_run("a/on-event"), new_run("b/on-event")];
        world.release(id, runs.to_vec(), later(9)).await.unwrap();
        world.pause();
        let released = world.event(id).await.unwrap();
        assert_eq!((released.event.data, released.data_bytes), (body, 4000));
        assert_eq!(released.event.attributes.last().unwrap(), &("duplicate-of".to_owned(), first.to_string()));
        assert_eq!(released.runs, runs.clone().map(|run| run.id));
        assert_eq!(world.run(runs[0].id).await.unwrap().work, Work::Event(id));
        assert_eq!(listed(world).await, []);
    }
    assert_eq!((world.counts().events, world.counts().pending), (4, 6));
}

async fn a_duplicate_without_a_handler_is_released_as_unrouted(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    let second = delivery(&[1], 1);
    let id = second.event.id;
    again(world, second).await;
    world.release(id, Vec::new(), later(1)).await.unwrap();
    world.pause();
    assert_eq!(world.oldest_unrouted(None, 9).await.unwrap(), [id]);
    world.route(id, vec![new_run("a/on-event")], later(2)).await.unwrap();
}

async fn a_duplicate_is_released_once(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    let second = delivery(&[1], 1);
    let id = second.event.id;
    again(world, second).await;
    let mut asked = JoinSet::new();
    for _ in 0..8 {
        let store = world.store.clone();
        asked.spawn(async move { store.release(id, vec![new_run("a/on-event")], later(1)).await });
    }
    let done = asked.join_all().await;
    assert_eq!(done.iter().filter(|released| released.is_ok()).count(), 1);
    assert!(done.iter().all(|released| matches!(released, Ok(()) | Err(StoreError::NotFound(_)))));
    assert_eq!((world.counts().events, world.counts().pending), (2, 2));
}

async fn a_duplicate_that_comes_after_a_release_is_listed_anew(world: &mut World) {
    let first = world.accept_new(delivery(&[1], 1)).await;
    let second = delivery(&[1], 1);
    let id = second.event.id;
    again(world, second).await;
    world.release(id, Vec::new(), later(1)).await.unwrap();
    assert_eq!(again(world, delivery(&[1], 1)).await, first);
    world.pause();
    let [row] = listed(world).await.try_into().unwrap();
    assert!(row.event.id != id && row.first == first);
}

async fn a_released_duplicate_may_be_dead_from_the_start(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    let second = delivery(&[1], 1);
    let id = second.event.id;
    again(world, second).await;
    let run = NewRun { dead: Some(DeadCause::InvalidBody), ..new_run("a/on-event") };
    world.release(id, vec![run.clone()], later(1)).await.unwrap();
    world.pause();
    assert_eq!(world.run(run.id).await.unwrap().status(), RunStatus::Dead);
}

fn retention() -> Retention {
    Retention { events_for: Millis(DAY), ..Retention::default() }
}

async fn prune(world: &World, now: Timestamp) -> u64 {
    let mut suppressed = 0;
    loop {
        let pruned = world.prune(now, retention()).await.unwrap();
        suppressed += pruned.suppressed;
        if !pruned.more {
            return suppressed;
        }
    }
}

async fn duplicates_are_pruned_as_unrouted_events_are(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    for fingerprint in 1..=3 {
        again(world, with_body(delivery(&[1], fingerprint), bytes(9000, fingerprint))).await;
    }
    again(world, delivery_at(later(30_000), &[1], 9)).await;
    assert_eq!(prune(world, later(DAY)).await, 0);
    world.pause();
    assert_eq!(prune(world, later(DAY + 1)).await, 3);
    world.pause();
    assert_eq!(listed(world).await.len(), 1);
}

async fn a_duplicate_whose_body_was_pruned_is_not_released(world: &mut World) {
    let unrouted = NewEvent { runs: Vec::new(), ..delivery(&[1], 1) };
    world.accept_new(unrouted).await;
    // Half a minute younger than the event it repeats.
    let second = delivery_at(later(30_000), &[1], 1);
    let id = second.event.id;
    again(world, second).await;
    prune(world, later(DAY + 1)).await;
    world.pause();
    assert_eq!(listed(world).await.len(), 1);
    let refused = world.release(id, vec![new_run("a/on-event")], later(DAY + 2)).await;
    assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("pruned")), "{refused:?}");
    assert_eq!(listed(world).await.len(), 1);
}

async fn several_events_are_taken_in_together(world: &mut World) {
    let all = [event(&["a/on-event"]), event(&[]), event(&["b/on-event"])];
    let ids: Vec<EventId> = all.iter().map(|new| new.event.id).collect();
    let accepted = world.accept_all(all.to_vec()).await.unwrap();
    assert_eq!(accepted, ids.iter().map(|id| Accepted::New(*id)).collect::<Vec<_>>());
    assert_eq!(world.accept_all(Vec::new()).await.unwrap(), []);
    world.pause();
    for id in ids {
        world.event(id).await.unwrap();
    }
    assert_eq!((world.counts().events, world.counts().unrouted), (3, 1));
}

async fn of_several_events_the_same_one_is_a_duplicate(world: &mut World) {
    let all = vec![delivery(&[1], 1), delivery(&[2], 1), delivery(&[1], 2)];
    let first = all[0].event.id;
    let accepted = world.accept_all(all.clone()).await.unwrap();
    assert_eq!(accepted[2], Accepted::Duplicate { first, same_body: false });
    let again = world.accept_all(all).await.unwrap();
    assert!(again.iter().all(|accepted| matches!(accepted, Accepted::Duplicate { .. })), "{again:?}");
    world.pause();
    assert_eq!(world.counts().events, 2);
}
