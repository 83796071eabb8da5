//! Removing what is old, or more than is kept.

use std::sync::atomic::{AtomicUsize, Ordering};

use hookbox_core::event::Event;
use hookbox_core::id::{EventId, RunId};
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent, Work};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::{Accepted, Claim, Claimable, DedupeMark, NewEvent, Pruned, Replay, Retention};

use crate::world::{
    BOOT, LEASE_UNTIL, World, bytes, delivery_at, ended, event_at, failed, job, later, new_run, success, unique_job,
};

conformance! {
    a_run_and_its_event_go_when_they_are_old,
    a_young_run_stays,
    a_run_that_is_alive_keeps_its_event,
    dead_letters_are_kept_longer,
    a_surplus_goes_oldest_first,
    a_surplus_of_dead_letters_is_told,
    a_job_goes_with_its_run,
    a_replay_keeps_its_event,
    an_unrouted_event_goes,
    an_event_stays_while_its_key_holds,
    an_old_event_does_not_take_the_key_of_a_newer_one,
    a_pass_goes_on_until_nothing_is_left,
    a_pass_ends_however_much_is_kept,
    an_event_that_comes_in_the_midst_of_a_pass_is_taken_before_it_ends,
    a_pruned_run_is_not_replayed,
    a_unique_key_goes_with_its_run,
}

const DAY: u64 = Millis::DAY.0;

pub(crate) fn retention() -> Retention {
    Retention {
        succeeded_for: Millis(DAY),
        succeeded_max: 1000,
        dead_for: Millis(10 * DAY),
        dead_max: 1000,
        cancelled_for: Millis(5 * DAY),
        cancelled_max: 1000,
        events_for: Millis(DAY),
        audit_for: Millis(DAY),
        audit_max: 1000,
    }
}

pub(crate) async fn prune_all(world: &World, now: Timestamp, retention: Retention) -> Pruned {
    let mut all = Pruned::default();
    for _ in 0..1000 {
        let step = world.prune(now, retention).await.unwrap();
        all.runs += step.runs;
        all.dead += step.dead;
        all.events += step.events;
        all.kv_keys += step.kv_keys;
        if !step.more {
            return all;
        }
    }
    panic!("pruning does not end");
}

fn event_with(time: Timestamp, length: usize) -> NewEvent {
    let new = event_at(time, &["a/on-event"]);
    NewEvent { event: Event { data: bytes(length, 1), ..new.event }, ..new }
}

async fn leased_at(world: &World, new: NewEvent) -> Run {
    let now = new.event.time;
    world.accept_new(new).await;
    claim(world, "a/on-event", now).await
}

async fn claim(world: &World, target: &str, now: Timestamp) -> Run {
    let handlers = [Claimable::new(crate::world::handler(target))].into();
    world
        .claim(Claim { handlers, limit: 1, per_plugin_max: usize::MAX, boot: BOOT, now, until: LEASE_UNTIL })
        .await
        .unwrap()
        .remove(0)
}

async fn succeed(world: &World, run: &Run) {
    let mut record = success(run, None);
    let RunEvent::Succeeded { attempt } = &mut record.event else { panic!("it is a success") };
    attempt.finished = run.created;
    world.record(record).await.unwrap();
}

async fn bury(world: &World, run: &Run) {
    let attempt = hookbox_core::attempt::Attempt { finished: run.created, ..failed(run) };
    world.record(ended(run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }, None)).await.unwrap();
}

fn event_of(run: &Run) -> EventId {
    match run.work {
        Work::Event(event) => event,
        Work::Job(_) => panic!("the work is an event"),
    }
}

async fn is_there(world: &World, run: RunId) -> bool {
    match world.run(run).await {
        Ok(_) => true,
        Err(StoreError::NotFound(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn a_run_and_its_event_go_when_they_are_old(world: &mut World) {
    let run = leased_at(world, event_with(later(0), 20_000)).await;
    let attempt = hookbox_core::attempt::Attempt {
        finished: later(0),
        log: hookbox_core::attempt::Log {
            lines: vec![hookbox_core::attempt::LogLine {
                at: later(0),
                stream: hookbox_core::attempt::LogStream::Log,
                level: hookbox_core::attempt::LogLevel::Info,
                message: "x".repeat(20_000),
                fields: vec![],
            }],
            bytes_dropped: 0,
        },
        ..crate::world::attempt(&run)
    };
    world.record(ended(&run, RunEvent::Succeeded { attempt }, None)).await.unwrap();
    world.pause();
    let pruned = prune_all(world, later(DAY + 1), retention()).await;
    assert_eq!(pruned, Pruned { runs: 1, events: 1, ..Pruned::default() });
    world.pause();
    assert!(!is_there(world, run.id).await);
    assert!(matches!(world.event(event_of(&run)).await, Err(StoreError::NotFound(_))));
    assert_eq!(world.counts().succeeded, 0);
}

async fn a_young_run_stays(world: &mut World) {
    let run = leased_at(world, event_with(later(0), 10)).await;
    succeed(world, &run).await;
    assert_eq!(prune_all(world, later(DAY), retention()).await, Pruned::default());
    assert!(is_there(world, run.id).await);
}

async fn a_run_that_is_alive_keeps_its_event(world: &mut World) {
    let pending = event_with(later(0), 10);
    world.accept_new(pending.clone()).await;
    let run = leased_at(world, event_with(later(0), 10)).await;
    assert_eq!(prune_all(world, later(99 * DAY), retention()).await, Pruned::default());
    world.pause();
    assert!(world.event(pending.event.id).await.is_ok() && world.event(event_of(&run)).await.is_ok());
}

async fn dead_letters_are_kept_longer(world: &mut World) {
    let new = event_at(later(0), &["a/on-event", "a/on-event"]);
    world.accept_new(new).await;
    let (good, bad) = (claim(world, "a/on-event", later(0)).await, claim(world, "a/on-event", later(0)).await);
    succeed(world, &good).await;
    bury(world, &bad).await;
    assert_eq!(prune_all(world, later(2 * DAY), retention()).await, Pruned { runs: 1, ..Pruned::default() });
    world.pause();
    assert!(!is_there(world, good.id).await && is_there(world, bad.id).await);
    assert!(world.event(event_of(&bad)).await.is_ok());
    let rest = prune_all(world, later(10 * DAY + 1), retention()).await;
    assert_eq!(rest, Pruned { runs: 1, dead: 1, events: 1, ..Pruned::default() });
}

async fn a_surplus_goes_oldest_first(world: &mut World) {
    let mut runs = Vec::new();
    for n in 0..10 {
        let run = leased_at(world, event_with(later(n), 10)).await;
        succeed(world, &run).await;
        runs.push(run.id);
    }
    let few = Retention { succeeded_max: 4, ..retention() };
    assert_eq!(prune_all(world, later(100), few).await.runs, 6);
    world.pause();
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(is_there(world, run).await, n >= 6, "{n}");
    }
    assert_eq!(world.counts().succeeded, 4);
    assert_eq!(prune_all(world, later(100), few).await.runs, 0);
}

async fn a_surplus_of_dead_letters_is_told(world: &mut World) {
    let mut runs = Vec::new();
    for n in 0..6 {
        let run = leased_at(world, event_with(later(n), 10)).await;
        if n % 2 == 0 {
            bury(world, &run).await
        } else {
            succeed(world, &run).await
        }
        runs.push(run.id);
    }
    let pruned = prune_all(world, later(100), Retention { dead_max: 1, ..retention() }).await;
    assert_eq!((pruned.runs, pruned.dead), (2, 2));
    assert!(is_there(world, runs[4]).await && is_there(world, runs[1]).await);
    assert_eq!((world.counts().dead, world.counts().succeeded), (1, 3));
}

async fn a_job_goes_with_its_run(world: &mut World) {
    let mut new = job("a/work");
    new.job.data = bytes(9000, 1);
    world.enqueue(new.clone()).await.unwrap();
    let run = claim(world, "a/work", later(0)).await;
    succeed(world, &run).await;
    assert_eq!(prune_all(world, later(DAY + 1), retention()).await.runs, 1);
    world.pause();
    assert!(matches!(world.job(new.job.id).await, Err(StoreError::NotFound(_))));
}

async fn a_replay_keeps_its_event(world: &mut World) {
    let run = leased_at(world, event_with(later(0), 10)).await;
    succeed(world, &run).await;
    world.replay(Replay::new(run.id, new_run("a/on-event").id), later(DAY)).await.unwrap();
    assert_eq!(prune_all(world, later(DAY + 1), retention()).await, Pruned { runs: 1, ..Pruned::default() });
    world.pause();
    assert_eq!(world.event(event_of(&run)).await.unwrap().event.id, event_of(&run));
    let replay = claim(world, "a/on-event", later(DAY + 1)).await.clone();
    assert_eq!(replay.parent, Some(run.id));
    succeed(world, &replay).await;
    let rest = prune_all(world, later(3 * DAY), retention()).await;
    assert_eq!(rest, Pruned { runs: 1, events: 1, ..Pruned::default() });
}

async fn an_unrouted_event_goes(world: &mut World) {
    let id = world.accept_new(event_at(later(0), &[])).await;
    assert_eq!(prune_all(world, later(DAY), retention()).await.events, 0);
    assert_eq!(prune_all(world, later(DAY + 1), retention()).await.events, 1);
    assert!(world.event(id).await.is_err());
}

fn unrouted(time: Timestamp, key: u8, until: Timestamp) -> NewEvent {
    let dedupe = vec![DedupeMark { hash: [key; 32], until }];
    NewEvent { dedupe, runs: Vec::new(), ..delivery_at(time, &[], 1) }
}

async fn an_event_stays_while_its_key_holds(world: &mut World) {
    let first = world.accept_new(unrouted(later(0), 1, later(7 * DAY))).await;
    assert_eq!(prune_all(world, later(7 * DAY - 1), retention()).await.events, 0);
    world.pause();
    let again = world.accept(unrouted(later(7 * DAY - 1), 1, later(14 * DAY))).await.unwrap();
    assert_eq!(again, Accepted::Duplicate { first, same_body: true });
    assert_eq!(prune_all(world, later(7 * DAY), retention()).await.events, 1);
    world.accept_new(unrouted(later(7 * DAY), 1, later(14 * DAY))).await;
}

async fn an_old_event_does_not_take_the_key_of_a_newer_one(world: &mut World) {
    world.accept_new(unrouted(later(0), 1, later(10))).await;
    let second = world.accept_new(unrouted(later(DAY), 1, later(9 * DAY))).await;
    assert_eq!(prune_all(world, later(DAY + 1), retention()).await.events, 1);
    world.pause();
    let again = world.accept(unrouted(later(DAY + 2), 1, later(9 * DAY))).await.unwrap();
    assert_eq!(again, Accepted::Duplicate { first: second, same_body: true });
}

async fn a_pass_goes_on_until_nothing_is_left(world: &mut World) {
    const EVENTS: u64 = 700;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..EVENTS {
        let store = world.store.clone();
        tasks.spawn(async move { store.accept(event_at(later(n % 5), &["a/on-event"])).await.unwrap() });
    }
    tasks.join_all().await;
    let runs = world.claim_some(&["a/on-event"], 1000, later(10)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for run in runs {
        let store = world.store.clone();
        tasks.spawn(async move { store.record(success(&run, None)).await.unwrap() });
    }
    tasks.join_all().await;
    let pruned = prune_all(world, later(2 * DAY), retention()).await;
    assert_eq!(pruned, Pruned { runs: EVENTS, events: EVENTS, ..Pruned::default() });
    assert_eq!(world.counts().succeeded, 0);
}

/// Kinds of which several steps are kept do not send the pass round and round.
async fn a_pass_ends_however_much_is_kept(world: &mut World) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..600 {
        let store = world.store.clone();
        tasks.spawn(async move { store.accept(event_at(later(0), &["a/on-event"])).await.unwrap() });
    }
    tasks.join_all().await;
    let sets: Vec<_> = (0..500).map(|n| crate::world::set(&format!("k{n}"), "v")).collect();
    world.commit("w/on-event", crate::world::writes("a", sets)).await;
    let mut steps = 1;
    while world.prune(later(2 * DAY), retention()).await.unwrap().more {
        steps += 1;
        assert!(steps < 20, "the pass does not end");
    }
    assert!(steps > 3);
}

async fn an_event_that_comes_in_the_midst_of_a_pass_is_taken_before_it_ends(world: &mut World) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2_000 {
        let (store, old) = (world.store.clone(), NewEvent { runs: Vec::new(), ..event_at(later(0), &[]) });
        tasks.spawn(async move { store.accept(old).await.unwrap() });
    }
    tasks.join_all().await;
    let steps = AtomicUsize::new(0);
    let pass = async {
        while world.prune(later(2 * DAY), retention()).await.unwrap().more {
            steps.fetch_add(1, Ordering::SeqCst);
            // As the pruner does, for longer.
            tokio::task::yield_now().await;
        }
        steps.load(Ordering::SeqCst)
    };
    // It is asked for while the first step is under way.
    let accept = async {
        world.accept_new(event_at(later(2 * DAY), &["a/on-event"])).await;
        steps.load(Ordering::SeqCst)
    };
    let (steps_of_pass, steps_before) = tokio::join!(pass, accept);
    assert!(steps_before + 3 < steps_of_pass, "it came after {steps_before} of {steps_of_pass} steps");
    assert_eq!(world.counts().pending, 1);
}

async fn a_pruned_run_is_not_replayed(world: &mut World) {
    let run = leased_at(world, event_with(later(0), 10)).await;
    succeed(world, &run).await;
    prune_all(world, later(2 * DAY), retention()).await;
    let refused = world.replay(Replay::new(run.id, new_run("a/on-event").id), later(2 * DAY)).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
}

async fn a_unique_key_goes_with_its_run(world: &mut World) {
    let unique = || unique_job("a/work", "k".to_owned());
    world.enqueue(unique()).await.unwrap();
    let first = claim(world, "a/work", later(0)).await;
    succeed(world, &first).await;
    let second = world.enqueue(unique()).await.unwrap();
    // The key is the second one's, which is alive.
    assert_eq!(prune_all(world, later(2 * DAY), retention()).await.runs, 1);
    world.pause();
    assert_eq!(world.enqueue(unique()).await.unwrap(), second);
    let run = claim(world, "a/work", later(0)).await;
    succeed(world, &run).await;
    assert_eq!(prune_all(world, later(2 * DAY), retention()).await.runs, 1);
    assert_ne!(world.enqueue(unique()).await.unwrap(), second);
}
