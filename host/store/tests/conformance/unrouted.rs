//! Events that have reached no handler, and routing them again.

use hookbox_core::event::Event;
use hookbox_core::id::EventId;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{RunState, RunStatus, Work};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::{Accepted, DedupeMark, NewEvent, NewRun, PageRequest, Retention};
use tokio::task::JoinSet;

use crate::world::{World, bytes, delivery, event, event_at, later, new_run, success};

conformance! {
    unrouted_events_are_listed_apart,
    a_walk_over_unrouted_events_sees_each_once,
    an_unrouted_event_is_routed_once,
    of_those_who_route_at_once_one_makes_runs,
    an_event_with_runs_is_not_routed_again,
    an_event_stays_unrouted_without_a_handler,
    an_unknown_event_is_not_routed,
    a_routed_event_keeps_its_body_and_its_key,
    a_routed_event_may_be_dead_from_the_start,
    a_routed_event_is_kept_as_long_as_its_runs,
    a_pruned_event_is_unrouted_no_more,
}

async fn listed(world: &World) -> Vec<EventId> {
    let page = world.unrouted(PageRequest { before: None, limit: 100 }).await.unwrap();
    let mut newest_first: Vec<EventId> = page.events.iter().map(|record| record.event.id).collect();
    newest_first.reverse();
    assert_eq!(world.oldest_unrouted(None, 100).await.unwrap(), newest_first);
    assert_eq!(world.counts().unrouted, newest_first.len() as u64);
    newest_first
}

async fn unrouted_events_are_listed_apart(world: &mut World) {
    world.accept_new(event(&["a/on-event"])).await;
    let first = world.accept_new(event(&[])).await;
    let second = world.accept_new(event(&[])).await;
    world.pause();
    assert_eq!(listed(world).await, [first, second]);
    let page = world.unrouted(PageRequest { before: None, limit: 9 }).await.unwrap();
    assert_eq!((page.events[0].data_bytes, page.events[0].event.data.len(), page.next), (2, 0, None));
}

async fn a_walk_over_unrouted_events_sees_each_once(world: &mut World) {
    let mut made = Vec::new();
    for n in 0..40u64 {
        made.push(world.accept_new(event_at(later(n), &[])).await);
        world.accept_new(event_at(later(n), &["a/on-event"])).await;
    }
    world.pause();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let ids = world.oldest_unrouted(after, 7).await.unwrap();
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        seen.extend(ids);
    }
    assert_eq!(seen, made);
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = world.unrouted(PageRequest { before, limit: 7 }).await.unwrap();
        seen.extend(page.events.iter().map(|record| record.event.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made);
}

async fn an_unrouted_event_is_routed_once(world: &mut World) {
    let id = world.accept_new(event(&[])).await;
    world.pause();
    let runs = [new_run("a/on-event"), new_run("b/on-event")];
    world.route(id, runs.to_vec(), later(9)).await.unwrap();
    world.pause();
    assert_eq!(listed(world).await, []);
    assert_eq!(world.event(id).await.unwrap().runs, runs.clone().map(|run| run.id));
    for wanted in runs {
        let run = world.run(wanted.id).await.unwrap();
        assert_eq!((run.target, run.work, run.created), (wanted.target, Work::Event(id), later(9)));
        assert_eq!(run.state, RunState::Pending { due: later(9) });
    }
    let again = world.route(id, vec![new_run("a/on-event")], later(10)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!((world.counts().pending, world.event(id).await.unwrap().runs.len()), (2, 2));
    assert_eq!(world.claim_some(&["a/on-event"], 9, later(9)).await.len(), 1);
}

async fn of_those_who_route_at_once_one_makes_runs(world: &mut World) {
    let id = world.accept_new(event(&[])).await;
    let mut asked = JoinSet::new();
    for _ in 0..50 {
        let store = world.store.clone();
        asked.spawn(async move { store.route(id, vec![new_run("a/on-event")], later(1)).await });
    }
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(StoreError::Conflict(_)))));
    world.pause();
    assert_eq!((world.counts().pending, world.event(id).await.unwrap().runs.len()), (1, 1));
}

async fn an_event_with_runs_is_not_routed_again(world: &mut World) {
    let new = event(&["a/on-event"]);
    let id = world.accept_new(new.clone()).await;
    assert!(matches!(world.route(id, vec![new_run("b/on-event")], later(1)).await, Err(StoreError::Conflict(_))));
    world.pause();
    assert_eq!(world.event(id).await.unwrap().runs, [new.runs[0].id]);
    assert_eq!(world.counts().pending, 1);
}

async fn an_event_stays_unrouted_without_a_handler(world: &mut World) {
    let id = world.accept_new(event(&[])).await;
    assert!(matches!(world.route(id, Vec::new(), later(1)).await, Err(StoreError::Conflict(_))));
    world.pause();
    assert_eq!(listed(world).await, [id]);
}

async fn an_unknown_event_is_not_routed(world: &mut World) {
    let answer = world.route(event(&[]).event.id, vec![new_run("a/on-event")], later(1)).await;
    assert!(matches!(answer, Err(StoreError::NotFound(_))));
    assert_eq!(world.counts().pending, 0);
}

fn unrouted_with(length: usize) -> NewEvent {
    let new = delivery(&[1], 1);
    NewEvent { event: Event { data: bytes(length, 1), ..new.event }, runs: Vec::new(), ..new }
}

async fn a_routed_event_keeps_its_body_and_its_key(world: &mut World) {
    for length in [10, 2048, 2049, 20_000] {
        let new = NewEvent {
            dedupe: vec![DedupeMark { hash: [length as u8; 32], until: later(60_000) }],
            ..unrouted_with(length)
        };
        let id = world.accept_new(new.clone()).await;
        world.route(id, vec![new_run("a/on-event")], later(1)).await.unwrap();
        world.pause();
        assert_eq!(world.event(id).await.unwrap().event, new.event, "{length}");
        assert_eq!(world.event_input(id).await.unwrap(), new.event);
        let again = NewEvent { event: Event { id: event(&[]).event.id, ..new.event.clone() }, ..new };
        assert_eq!(world.accept(again).await.unwrap(), Accepted::Duplicate { first: id, same_body: true });
    }
}

async fn a_routed_event_may_be_dead_from_the_start(world: &mut World) {
    let id = world.accept_new(event(&[])).await;
    let run = NewRun { dead: Some(DeadCause::Loop), ..new_run("a/on-event") };
    world.route(id, vec![run.clone()], later(1)).await.unwrap();
    world.pause();
    assert_eq!(world.run(run.id).await.unwrap().status(), RunStatus::Dead);
    assert_eq!((world.counts().dead, world.counts().pending), (1, 0));
}

const DAY: u64 = Millis::DAY.0;

async fn prune(world: &World, now: Timestamp) -> u64 {
    let retention = Retention { events_for: Millis(DAY), succeeded_for: Millis(DAY), ..Retention::default() };
    world.prune(now, retention).await.unwrap().events
}

async fn a_routed_event_is_kept_as_long_as_its_runs(world: &mut World) {
    let (routed, left) = (world.accept_new(event(&[])).await, world.accept_new(event(&[])).await);
    world.route(routed, vec![new_run("a/on-event")], later(DAY)).await.unwrap();
    world.pause();
    assert_eq!(prune(world, later(DAY + 1)).await, 1);
    assert!(world.event(left).await.is_err());
    assert!(world.event(routed).await.is_ok());
    let run = world.claim_some(&["a/on-event"], 1, later(DAY + 1)).await.remove(0);
    world.record(success(&run, None)).await.unwrap();
    world.pause();
    assert_eq!(prune(world, later(9 * DAY)).await, 1);
    assert!(world.event(routed).await.is_err());
}

async fn a_pruned_event_is_unrouted_no_more(world: &mut World) {
    let id = world.accept_new(event(&[])).await;
    assert_eq!(prune(world, later(DAY + 1)).await, 1);
    world.pause();
    assert_eq!(listed(world).await, []);
    assert!(matches!(world.route(id, vec![new_run("a/on-event")], later(1)).await, Err(StoreError::NotFound(_))));
}
