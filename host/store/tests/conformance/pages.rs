//! Listing events and runs, newest first.

use std::collections::BTreeSet;

use hookbox_core::attempt::{Attempt, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::HandlerName;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{RunEvent, RunStatus, Work};
use hookbox_store::types::{PageRequest, RunFilter};

use crate::world::{NOW, World, attempt, bytes, ended, event, failed, plugin_name, success};

conformance! {
    an_empty_store_has_empty_pages,
    a_walk_over_events_sees_each_once,
    a_walk_over_runs_sees_each_once,
    runs_are_filtered,
    pages_have_no_bodies_logs_or_results,
    counts_survive,
}

async fn walk_events(world: &World, limit: usize) -> Vec<EventId> {
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = world.events(PageRequest { before, limit }).await.unwrap();
        assert!(page.events.len() <= limit.max(1));
        seen.extend(page.events.iter().map(|record| record.event.id));
        match page.next {
            Some(next) => before = Some(next),
            None => return seen,
        }
    }
}

async fn walk_runs(world: &World, limit: usize, filter: &RunFilter) -> Vec<RunId> {
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = world.runs(PageRequest { before, limit }, filter.clone()).await.unwrap();
        assert!(page.runs.len() <= limit.max(1));
        seen.extend(page.runs.iter().map(|run| run.id));
        match page.next {
            Some(next) => before = Some(next),
            None => return seen,
        }
    }
}

async fn an_empty_store_has_empty_pages(world: &mut World) {
    assert_eq!(walk_events(world, 10).await, []);
    assert_eq!(walk_runs(world, 10, &RunFilter::default()).await, []);
}

async fn a_walk_over_events_sees_each_once(world: &mut World) {
    let mut made = Vec::new();
    for _ in 0..150 {
        made.push(world.accept_new(event(&["a/on-event"])).await);
    }
    made.reverse();
    world.pause();
    for limit in [0, 1, 7, 149, 150, 151, 100_000] {
        assert_eq!(walk_events(world, limit).await, made, "{limit}");
    }
}

async fn a_walk_over_runs_sees_each_once(world: &mut World) {
    let mut made = Vec::new();
    for n in 0..120 {
        let new = event(&["a/on-event", "b/on-event"]);
        made.extend(new.runs.iter().map(|run| run.id));
        world.accept_new(new).await;
        // Some are leased, some have ended, most wait.
        if n % 3 == 0 {
            let run = world.claim_some(&["a/on-event"], 1, NOW).await.remove(0);
            if n % 2 == 0 {
                world.record(success(&run, None)).await.unwrap();
            }
        }
    }
    made.reverse();
    world.pause();
    for limit in [0, 1, 7, 19, 20, 21, 239, 240, 241, 100_000] {
        assert_eq!(walk_runs(world, limit, &RunFilter::default()).await, made, "{limit}");
    }
}

async fn runs_are_filtered(world: &mut World) {
    let run = world.leased("a/ok").await;
    world.record(success(&run, None)).await.unwrap();
    let dead = world.leased("a/bad").await;
    let buried = RunEvent::FailedForGood { attempt: failed(&dead), cause: DeadCause::Permanent };
    world.record(ended(&dead, buried, None)).await.unwrap();
    let leased = world.leased("b/ok").await;
    let pending = event(&["b/ok"]);
    world.accept_new(pending.clone()).await;
    let pending = pending.runs[0].id;
    world.pause();
    let filter = RunFilter::default();
    for (filter, wanted) in [
        (RunFilter { status: vec![RunStatus::Succeeded], ..filter.clone() }, vec![run.id]),
        (RunFilter { status: vec![RunStatus::Dead], ..filter.clone() }, vec![dead.id]),
        (RunFilter { status: vec![RunStatus::Leased], ..filter.clone() }, vec![leased.id]),
        (RunFilter { status: vec![RunStatus::Pending], ..filter.clone() }, vec![pending]),
        (RunFilter { status: vec![RunStatus::Cancelled], ..filter.clone() }, vec![]),
        (RunFilter { plugin: vec![plugin_name("a")], ..filter.clone() }, vec![dead.id, run.id]),
        (RunFilter { plugin: vec![plugin_name("b")], ..filter.clone() }, vec![pending, leased.id]),
        (
            RunFilter { handler: vec![HandlerName::parse("ok").unwrap()], ..filter.clone() },
            vec![pending, leased.id, run.id],
        ),
        (RunFilter { event: vec![event_of(run.work)], ..filter.clone() }, vec![run.id]),
        (RunFilter { status: vec![RunStatus::Dead], plugin: vec![plugin_name("b")], ..filter.clone() }, vec![]),
    ] {
        for limit in [1, 2, 10] {
            assert_eq!(walk_runs(world, limit, &filter).await, wanted, "{filter:?}");
        }
    }
}

fn event_of(work: Work) -> EventId {
    match work {
        Work::Event(event) => event,
        Work::Job(_) => panic!("the work is an event"),
    }
}

async fn pages_have_no_bodies_logs_or_results(world: &mut World) {
    for length in [10, 20_000] {
        let mut new = event(&["a/on-event"]);
        new.event.data = bytes(length, 0);
        world.accept_new(new).await;
        let run = world.claim_some(&["a/on-event"], 1, NOW).await.remove(0);
        let line = LogLine {
            at: NOW,
            stream: LogStream::Stdout,
            level: LogLevel::Info,
            message: "x".repeat(length),
            fields: vec![],
        };
        let output = Some(Output { content_type: "text/plain".to_owned(), data: bytes(length, 1) });
        let attempt = Attempt {
            outcome: Outcome::Completed { output },
            log: Log { lines: vec![line], bytes_dropped: 0 },
            ..attempt(&run)
        };
        world.record(ended(&run, RunEvent::Succeeded { attempt }, None)).await.unwrap();
        let events = world.events(PageRequest { before: None, limit: 1 }).await.unwrap().events;
        assert_eq!((events[0].event.data.len(), events[0].data_bytes), (0, length as u64));
        let runs = world.runs(PageRequest { before: None, limit: 1 }, RunFilter::default()).await.unwrap().runs;
        assert_eq!(runs[0].attempts[0].log, Log::default());
        assert_eq!(runs[0].attempts[0].outcome, Outcome::Completed { output: None });
    }
}

async fn counts_survive(world: &mut World) {
    for n in 0..6 {
        let run = world.leased("a/on-event").await;
        match n {
            0 => drop(world.record(success(&run, None)).await.unwrap()),
            1 => {
                let event = RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent };
                world.record(ended(&run, event, None)).await.unwrap();
            }
            _ => {}
        }
    }
    world.accept_new(event(&["a/on-event"])).await;
    let before = world.counts();
    let seen = [before.events, before.pending, before.leased, before.succeeded, before.dead, before.attempts];
    assert_eq!(seen, [7, 1, 4, 1, 1, 2]);
    world.pause();
    assert_eq!(world.counts(), before);
    let pages = walk_runs(world, 3, &RunFilter::default()).await;
    assert_eq!(pages.iter().collect::<BTreeSet<_>>().len(), 7);
}
