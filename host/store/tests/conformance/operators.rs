//! What operators ask of a store: holding, and replaying many runs or one with another payload.

use std::collections::BTreeMap;

use hookbox_core::gate::{Gate, Order};
use hookbox_core::hold::{Held, Hold, Holds};
use hookbox_core::id::RunId;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{CancelCause, Run, RunEvent, RunPolicy, RunStatus, Work};
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use hookbox_store::types::{Again, Cancellable, Edited, PageRequest, Recorded, Replay, Replayed, Retention, RunFilter};

use crate::world::{World, bytes, ended, event, failed, handler, job, later, new_run, success};

conformance! {
    a_hold_survives_until_it_is_released,
    what_is_held_keeps_its_first_note,
    many_runs_are_replayed_at_once,
    what_was_replayed_is_not_replayed_again_unless_asked,
    what_cannot_be_replayed_is_left_out,
    a_replay_keeps_what_its_run_waits_for,
    an_edited_event_is_another_event,
    an_edited_job_is_another_job,
    an_edited_event_goes_with_its_run,
    runs_are_found_by_time_error_and_life,
}

async fn buried(world: &World, target: &str) -> Run {
    let run = world.leased(target).await;
    let event = RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent };
    assert_eq!(world.record(ended(&run, event, None)).await.unwrap(), Recorded::Done);
    run
}

fn pairs(runs: &[RunId]) -> Vec<(RunId, RunId)> {
    runs.iter().map(|run| (*run, new_run("a/work").id)).collect()
}

fn edited(data: &[u8], gate: Option<Gate>) -> Option<Edited> {
    Some(Edited { content_type: "text/csv".to_owned(), data: data.to_vec(), gate })
}

async fn a_hold_survives_until_it_is_released(world: &mut World) {
    let held = [Held::Host, "a".parse().unwrap(), "a/work".parse().unwrap()];
    assert_eq!(*world.holds(), Holds::default());
    for (n, held) in held.iter().enumerate() {
        let hold = Hold::new(later(n as u64), (n == 1).then_some("until noon"));
        assert!(world.hold(held.clone(), Some(hold)).await.unwrap());
    }
    world.pause();
    let holds = world.holds();
    assert_eq!(holds.0.keys().cloned().collect::<Vec<_>>(), held);
    assert_eq!(holds.0[&held[1]], Hold { since: later(1), note: Some("until noon".to_owned()) });
    assert!(holds.hold(&handler("b/rest")));
    assert!(world.hold(Held::Host, None).await.unwrap());
    assert!(!world.hold(Held::Host, None).await.unwrap());
    world.pause();
    let holds = world.holds();
    assert!(holds.hold(&handler("a/rest")) && !holds.hold(&handler("b/rest")));
    for held in &held[1..] {
        assert!(world.hold(held.clone(), None).await.unwrap());
    }
    world.pause();
    assert_eq!(world.holds().0, BTreeMap::new());
}

async fn what_is_held_keeps_its_first_note(world: &mut World) {
    let hold = |at, note| Some(Hold::new(later(at), Some(note)));
    assert!(world.hold(Held::Host, hold(1, "first")).await.unwrap());
    assert!(!world.hold(Held::Host, hold(2, "second")).await.unwrap());
    world.pause();
    assert_eq!(world.holds().0[&Held::Host], hold(1, "first").unwrap());
}

async fn many_runs_are_replayed_at_once(world: &mut World) {
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(buried(world, "a/work").await.id);
    }
    let pairs = pairs(&runs);
    let made: Vec<RunId> = pairs.iter().map(|(_, new)| *new).collect();
    let replayed = world.replay_all(pairs.clone(), Again::No, later(9)).await.unwrap();
    assert_eq!(replayed, Replayed { made: made.clone(), left_out: 0 });
    world.pause();
    for (old, new) in pairs {
        assert_eq!(world.run(old).await.unwrap().replayed, Some(new));
        let run = world.run(new).await.unwrap();
        assert_eq!((run.parent, run.status()), (Some(old), RunStatus::Pending));
        assert_eq!(run.idempotency_key, old.to_string());
    }
    assert_eq!((world.counts().pending, world.counts().dead), (3, 3));
}

async fn what_was_replayed_is_not_replayed_again_unless_asked(world: &mut World) {
    let run = buried(world, "a/work").await.id;
    world.replay(Replay::new(run, new_run("a/work").id), later(9)).await.unwrap();
    world.pause();
    let left_out = Replayed { made: vec![], left_out: 1 };
    assert_eq!(world.replay_all(pairs(&[run]), Again::No, later(9)).await.unwrap(), left_out);
    let again = pairs(&[run]);
    let made = world.replay_all(again.clone(), Again::Yes, later(9)).await.unwrap();
    assert_eq!(made, Replayed { made: vec![again[0].1], left_out: 0 });
    assert_eq!(world.run(run).await.unwrap().replayed, Some(again[0].1));
    assert_eq!(world.counts().pending, 2);
    let other = buried(world, "b/work").await.id;
    let left = |world: &World| (world.counts().dead, world.counts().dead_left(), world.counts().dead_replayed);
    assert_eq!(left(world), (2, 1, Some(1)));
    for (replayed, found) in [(true, run), (false, other)] {
        let filter = RunFilter { status: vec![RunStatus::Dead], replayed: Some(replayed), ..RunFilter::default() };
        let page = world.runs(PageRequest { before: None, limit: 9 }, filter).await.unwrap();
        assert_eq!(page.runs.iter().map(|run| run.id).collect::<Vec<_>>(), [found]);
    }
    world.pause();
    assert_eq!(left(world), (2, 1, Some(1)));
    let nothing = Retention { dead_max: 0, ..Retention::default() };
    while world.prune(later(9), nothing).await.unwrap().more {}
    assert_eq!(left(world), (0, 0, Some(0)));
}

async fn what_cannot_be_replayed_is_left_out(world: &mut World) {
    let dead = buried(world, "a/work").await.id;
    let alive = world.leased("a/work").await.id;
    let unknown = new_run("a/work").id;
    let pairs = pairs(&[alive, unknown, dead]);
    let replayed = world.replay_all(pairs.clone(), Again::Yes, later(9)).await.unwrap();
    assert_eq!(replayed, Replayed { made: vec![pairs[2].1], left_out: 2 });
    world.pause();
    assert_eq!((world.counts().pending, world.counts().leased), (1, 1));
    assert!(matches!(world.run(pairs[0].1).await, Err(StoreError::NotFound(_))));
}

async fn a_replay_keeps_what_its_run_waits_for(world: &mut World) {
    let mut new = event(&["a/work"]);
    let own = RunPolicy { attempts: Some(2), ..RunPolicy::default() };
    let terms = &mut new.runs[0].terms;
    (terms.gate, terms.own) = (Some(Gate::new("k", Order::Accepted)), own);
    (terms.unique, terms.expires) = (Some("u".to_owned()), Some(Millis(100)));
    let run = new.runs[0].id;
    world.accept_new(new).await;
    world.cancel(vec![run], Cancellable::Alive, CancelCause::Operator, later(1)).await.unwrap();
    let again = world.replay(Replay::new(run, new_run("a/work").id), later(9000)).await.unwrap();
    world.pause();
    let again = world.run(again).await.unwrap();
    assert_eq!((again.gate, again.own), (Some(Gate::new("k", Order::Accepted)), own));
    // An operator asks for it, whatever the time and whoever has the key.
    assert_eq!((again.unique, again.expires), (None, None));
    let claimed = world.claim_some(&["a/work"], 9, later(9000)).await;
    assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [again.id]);
}

async fn an_edited_event_is_another_event(world: &mut World) {
    let mut new = event(&["a/work", "b/work"]);
    new.event.attributes.push(("sent-encoding".to_owned(), "gzip".to_owned()));
    new.event.attributes.push(("schema-fault".to_owned(), "/a: is missing".to_owned()));
    new.event.attributes.push(("integrity".to_owned(), "full".to_owned()));
    let old_event = new.event.id;
    world.accept_new(new).await;
    let run = world.claim_some(&["a/work"], 1, later(9)).await.remove(0);
    world.record(success(&run, None)).await.unwrap();
    let gate = Some(Gate::new("new", Order::Accepted));
    let replay = Replay { run: run.id, new: new_run("a/work").id, edited: edited(&bytes(9000, 1), gate.clone()) };
    let made = world.replay(replay, later(20)).await.unwrap();
    world.pause();
    let made = world.run(made).await.unwrap();
    assert_eq!((made.parent, &made.gate), (Some(run.id), &gate));
    assert_ne!(made.idempotency_key, run.idempotency_key);
    let Work::Event(event) = made.work else { panic!("{made:?}") };
    assert_ne!(event, old_event);
    let record = world.event(event).await.unwrap();
    assert_eq!((record.runs, record.event.time), (vec![made.id], later(20)));
    assert_eq!((record.event.data, record.event.content_type.as_str()), (bytes(9000, 1), "text/csv"));
    let attributes: Vec<_> =
        record.event.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let edited_from = old_event.to_string();
    assert_eq!(attributes, [("provider", "shop"), ("integrity", "none"), ("edited-from", edited_from.as_str())]);
    let old = world.event(old_event).await.unwrap().event.attributes;
    assert!(old.contains(&("integrity".to_owned(), "full".to_owned())), "the one that came is as it came");
    assert_eq!(world.event(old_event).await.unwrap().event.data, b"{}");
    assert_eq!((world.counts().events, world.counts().unrouted), (2, 0));
}

async fn an_edited_job_is_another_job(world: &mut World) {
    let new = job("a/work");
    let old = new.job.clone();
    world.enqueue(new).await.unwrap();
    let run = world.claim_some(&["a/work"], 1, later(9)).await.remove(0);
    world.record(success(&run, None)).await.unwrap();
    let replay = Replay { run: run.id, new: new_run("a/work").id, edited: edited(b"1;2", None) };
    let made = world.replay(replay, later(20)).await.unwrap();
    world.pause();
    let Work::Job(id) = world.run(made).await.unwrap().work else { panic!("no job") };
    let job = world.job(id).await.unwrap();
    assert_eq!((job.data.as_slice(), job.content_type.as_str(), &job.origin), (&b"1;2"[..], "text/csv", &old.origin));
    assert_eq!(world.job(old.id).await.unwrap(), old);
}

async fn an_edited_event_goes_with_its_run(world: &mut World) {
    let run = buried(world, "a/work").await;
    let replay = Replay { run: run.id, new: new_run("a/work").id, edited: edited(&bytes(9000, 1), None) };
    let made = world.replay(replay, later(20)).await.unwrap();
    let Work::Event(event) = world.run(made).await.unwrap().work else { panic!("no event") };
    let replayed = world.claim_some(&["a/work"], 1, later(30)).await.remove(0);
    world.record(success(&replayed, None)).await.unwrap();
    world.pause();
    let day = Millis::DAY.0;
    let retention = Retention { succeeded_for: Millis(day), events_for: Millis(day), ..Retention::default() };
    while world.prune(later(2 * day), retention).await.unwrap().more {}
    assert!(matches!(world.event(event).await, Err(StoreError::NotFound(_))));
    let Work::Event(old) = run.work else { panic!("no event") };
    assert!(world.event(old).await.is_ok(), "its dead letter is kept");
}

async fn runs_are_found_by_time_error_and_life(world: &mut World) {
    let dead = buried(world, "a/work").await.id;
    let leased = world.leased("a/work").await.id;
    let late = crate::world::event_at(later(1000), &["a/work"]);
    let pending = late.runs[0].id;
    world.accept_new(late).await;
    // The id of a job is older than the run: its attempt took so long.
    let mut slow = job("a/work");
    slow.job.scheduled_at = later(1000);
    let slow = world.enqueue(slow).await.unwrap();
    world.pause();
    let all = RunFilter::default();
    let found = async |filter: RunFilter| {
        let page = PageRequest { before: None, limit: 100 };
        let mut runs: Vec<RunId> = world.runs(page, filter).await.unwrap().runs.iter().map(|run| run.id).collect();
        runs.sort();
        runs
    };
    let sorted = |mut ids: Vec<RunId>| {
        ids.sort();
        ids
    };
    for (filter, expected) in [
        (RunFilter { since: Some(later(1000)), ..all.clone() }, vec![pending, slow]),
        (RunFilter { since: Some(later(1001)), ..all.clone() }, vec![]),
        (RunFilter { until: Some(later(1000)), ..all.clone() }, vec![dead, leased]),
        (RunFilter { until: Some(later(0)), ..all.clone() }, vec![]),
        (RunFilter { since: Some(later(0)), until: Some(later(1)), ..all.clone() }, vec![dead, leased]),
        (RunFilter { alive: true, ..all.clone() }, vec![leased, pending, slow]),
        (RunFilter { alive: true, status: vec![RunStatus::Leased], ..all.clone() }, vec![leased]),
        (RunFilter { error: vec!["UNREACH".to_owned()], ..all.clone() }, vec![dead]),
        (RunFilter { error: vec!["timeout".to_owned()], ..all.clone() }, vec![]),
    ] {
        assert_eq!(found(filter.clone()).await, sorted(expected), "{filter:?}");
    }
}
