//! Ending attempts: all of it or nothing.

use hookbox_core::attempt::{Attempt, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::denial::{Denied, DeniedKind};
use hookbox_core::effects::KvScan;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent, RunState, RunStatus};
use hookbox_store::StoreError;
use hookbox_store::types::{Accepted, Changes, Recorded};

use crate::world::{
    NOW, World, add, attempt, bytes, changes, delivery, ended, event, failed, later, plugin_name, read, set, success,
    unique_job, writes,
};

conformance! {
    a_success_commits_its_effects,
    a_failure_is_tried_again,
    a_failure_for_good_is_a_dead_letter,
    an_attempt_keeps_its_log_and_result,
    an_attempt_that_is_revoked_is_kept_and_does_not_count,
    what_a_plugin_was_denied_is_kept_with_its_record,
    a_conflict_writes_nothing_and_keeps_the_lease,
    a_refused_change_writes_nothing_and_keeps_the_lease,
    an_illegal_end_writes_nothing_and_keeps_the_lease,
    a_refused_record_leaves_its_neighbours_alone,
    an_emitted_event_is_deduped,
    a_run_may_enqueue_its_own_successor_under_its_unique_key,
    the_lease_of_another_attempt_does_not_fit,
}

/// Effects of every kind, and what tells whether they were committed.
fn all_kinds() -> Changes {
    Changes {
        jobs: vec![unique_job("a/work", "u".to_owned())],
        events: vec![delivery(&[77], 1)],
        ..writes("a", [set("k", "new"), add("n", 1), set("large", bytes(10_000, 1))])
    }
}

async fn assert_nothing_of(world: &World, effects: &Changes) {
    assert_eq!(world.value("a", "k").await, None);
    assert_eq!(world.value("a", "large").await, None);
    assert!(matches!(world.job(effects.jobs[0].job.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.run(effects.jobs[0].run.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.event(effects.events[0].event.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.run(effects.events[0].runs[0].id).await, Err(StoreError::NotFound(_))));
}

async fn assert_untouched(world: &mut World, run: &Run, effects: &Changes, before: hookbox_store::Counts) {
    world.pause();
    assert_nothing_of(world, effects).await;
    assert_eq!(world.counts(), before);
    assert_eq!(world.run(run.id).await.unwrap(), *run);
    assert_eq!(world.claim_some(&["a/work", "a/on-event"], 9, later(99)).await, []);
    // Neither the dedupe key nor the unique key was taken.
    assert_eq!(world.record(success(run, Some(all_kinds()))).await.unwrap(), Recorded::Done);
    assert_eq!(world.counts().pending, 2);
}

async fn a_success_commits_its_effects(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let effects = all_kinds();
    assert_eq!(world.record(success(&run, Some(effects.clone()))).await.unwrap(), Recorded::Done);
    world.pause();
    let run = world.run(run.id).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded { at: later(5) });
    assert_eq!(world.value("a", "k").await, Some(b"new".to_vec()));
    assert_eq!(world.value("a", "large").await, Some(bytes(10_000, 1)));
    assert_eq!(world.job(effects.jobs[0].job.id).await.unwrap(), effects.jobs[0].job);
    assert_eq!(world.event(effects.events[0].event.id).await.unwrap().event, effects.events[0].event);
    let counts = world.counts();
    assert_eq!((counts.succeeded, counts.attempts, counts.pending, counts.leased), (1, 1, 2, 0));
    assert_eq!(world.claim_some(&["a/work", "a/on-event"], 9, later(5)).await.len(), 2);
}

async fn a_failure_is_tried_again(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let event = RunEvent::FailedForNow { attempt: failed(&run), due: later(2000) };
    assert_eq!(world.record(ended(&run, event, None)).await.unwrap(), Recorded::Done);
    world.pause();
    let run = world.run(run.id).await.unwrap();
    assert_eq!((run.status(), run.attempts.len()), (RunStatus::Pending, 1));
    assert_eq!(world.claim_some(&["a/on-event"], 1, later(1999)).await, []);
    assert_eq!(world.claim_some(&["a/on-event"], 1, later(2000)).await.len(), 1);
}

async fn a_failure_for_good_is_a_dead_letter(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let event = RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent };
    assert_eq!(world.record(ended(&run, event, None)).await.unwrap(), Recorded::Done);
    world.pause();
    let run = world.run(run.id).await.unwrap();
    assert_eq!(run.state, RunState::Dead { at: later(5), cause: DeadCause::Permanent });
    assert_eq!((world.counts().dead, world.counts().leased), (1, 0));
    assert_eq!(world.claim_some(&["a/on-event"], 1, later(9999)).await, []);
}

async fn an_attempt_keeps_its_log_and_result(world: &mut World) {
    for length in [0, 1, 900, 1020, 1021, 1022, 4091, 4092, 4093, 5000, 250_000] {
        let run = world.leased("a/on-event").await;
        let line = LogLine {
            at: NOW,
            stream: LogStream::Log,
            level: LogLevel::Info,
            message: "x".repeat(length),
            fields: vec![],
        };
        let log = Log { lines: vec![line], bytes_dropped: 3 };
        let first = Attempt { log: log.clone(), ..failed(&run) };
        let event = RunEvent::FailedForNow { attempt: first.clone(), due: NOW };
        world.record(ended(&run, event, None)).await.unwrap();
        world.pause();
        let run = world.claim_some(&["a/on-event"], 1, NOW).await.remove(0);
        let output = Some(Output { content_type: "text/plain".to_owned(), data: bytes(length, 3) });
        let second = Attempt { log, outcome: Outcome::Completed { output }, ..attempt(&run) };
        world.record(ended(&run, RunEvent::Succeeded { attempt: second.clone() }, None)).await.unwrap();
        world.pause();
        assert_eq!(world.run(run.id).await.unwrap().attempts, [first, second], "{length}");
    }
}

async fn an_attempt_that_is_revoked_is_kept_and_does_not_count(world: &mut World) {
    let line = |length| LogLine {
        at: NOW,
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "x".repeat(length),
        fields: vec![],
    };
    let denied = Denied { kind: DeniedKind::Secret, what: "k".to_owned(), reason: "grant it".to_owned() };
    let mut run = world.leased("a/on-event").await;
    let mut revoked = Vec::new();
    for length in [10, 5000, 250_000] {
        let attempt = Attempt {
            outcome: Outcome::Revoked { why: "the host stopped".to_owned() },
            log: Log { lines: vec![line(length)], bytes_dropped: 3 },
            denied: vec![denied.clone()],
            ..attempt(&run)
        };
        let event = RunEvent::Revoked { attempt: attempt.clone(), due: later(5) };
        assert_eq!(world.record(ended(&run, event.clone(), None)).await.unwrap(), Recorded::Done);
        assert_eq!(world.record(ended(&run, event, None)).await.unwrap(), Recorded::Stale);
        revoked.push(attempt);
        world.pause();
        run = world.run(run.id).await.unwrap();
        assert_eq!((&run.state, run.attempts_begun), (&RunState::Pending { due: later(5) }, 0));
        run = world.claim_some(&["a/on-event"], 1, later(5)).await.remove(0);
        assert_eq!(run.lease().unwrap().attempt, 1);
    }
    let last = Attempt { log: Log { lines: vec![line(3000)], bytes_dropped: 0 }, ..attempt(&run) };
    world.record(ended(&run, RunEvent::Succeeded { attempt: last.clone() }, None)).await.unwrap();
    world.pause();
    let run = world.run(run.id).await.unwrap();
    assert_eq!((run.revoked, run.attempts), (revoked, vec![last]));
    assert_eq!((world.counts().attempts, world.counts().succeeded), (1, 1));
    assert_eq!(world.denials(&plugin_name("a")).await.unwrap().len(), 1, "what it was denied is told of its plugin");
}

async fn what_a_plugin_was_denied_is_kept_with_its_record(world: &mut World) {
    let denied = |what: &str| Denied { kind: DeniedKind::Secret, what: what.to_owned(), reason: "grant it".to_owned() };
    let run = world.leased("a/on-event").await;
    let first = Attempt { denied: vec![denied("k"), denied("l")], ..failed(&run) };
    let event = RunEvent::FailedForNow { attempt: first.clone(), due: NOW };
    world.record(ended(&run, event.clone(), None)).await.unwrap();
    // A late result counts for nothing.
    assert_eq!(world.record(ended(&run, event, None)).await.unwrap(), Recorded::Stale);
    world.pause();
    let run = world.claim_some(&["a/on-event"], 1, NOW).await.remove(0);
    let stale = Changes { reads: vec![read("seen", Some(1))], ..changes("a") };
    let second = Attempt { denied: vec![denied("k")], ..attempt(&run) };
    let event = RunEvent::Succeeded { attempt: second.clone() };
    assert_eq!(world.record(ended(&run, event.clone(), Some(stale))).await.unwrap(), Recorded::Conflict);
    world.record(ended(&run, event, None)).await.unwrap();
    world.pause();
    let shown: Vec<_> = world
        .denials(&plugin_name("a"))
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.denied.what, one.attempts))
        .collect();
    assert_eq!(shown, [("k".to_owned(), 2), ("l".to_owned(), 1)]);
    assert_eq!(world.denials(&plugin_name("b")).await.unwrap(), []);
    assert_eq!(world.run(run.id).await.unwrap().attempts, [first, second]);
}

async fn a_conflict_writes_nothing_and_keeps_the_lease(world: &mut World) {
    world.commit("b/on-event", writes("a", [set("seen", "1")])).await;
    let run = world.leased("a/on-event").await;
    let before = world.counts();
    let stale_read = Changes { reads: vec![read("seen", None)], ..all_kinds() };
    assert_eq!(world.record(success(&run, Some(stale_read.clone()))).await.unwrap(), Recorded::Conflict);
    assert_untouched(world, &run, &stale_read, before).await;

    let run = world.leased("c/on-event").await;
    let scan = KvScan { prefix: "s".to_owned(), after: None, limit: 10, keys: vec![] };
    let stale_scan = Changes { scans: vec![scan], ..changes("a") };
    assert_eq!(world.record(success(&run, Some(stale_scan))).await.unwrap(), Recorded::Conflict);
}

async fn a_refused_change_writes_nothing_and_keeps_the_lease(world: &mut World) {
    world.commit("b/on-event", writes("a", [set("text", "no number")])).await;
    for last in [add("text", 1), add("n", i64::MAX), set("big", bytes(50_000, 0)), set(&"k".repeat(129), "")] {
        let run = world.leased("a/on-event").await;
        let before = world.counts();
        let mut effects = Changes { kv_bytes_max: 40_000, ..all_kinds() };
        effects.writes.push(last);
        let recorded = world.record(success(&run, Some(effects.clone()))).await.unwrap();
        assert!(matches!(recorded, Recorded::Refused(_)), "{recorded:?}");
        world.pause();
        assert_nothing_of(world, &effects).await;
        assert_eq!(world.counts(), before);
        assert_eq!(world.run(run.id).await.unwrap(), run);
        let event = RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent };
        assert_eq!(world.record(ended(&run, event, None)).await.unwrap(), Recorded::Done);
    }
}

async fn an_illegal_end_writes_nothing_and_keeps_the_lease(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let before = world.counts();
    let effects = all_kinds();
    let mut wrong = attempt(&run);
    wrong.number += 1;
    let record = ended(&run, RunEvent::Succeeded { attempt: wrong }, Some(effects.clone()));
    assert!(matches!(world.record(record).await, Err(StoreError::Conflict(_))));
    assert_untouched(world, &run, &effects, before).await;
}

/// Good and refused records of one group do not get into each other's way.
async fn a_refused_record_leaves_its_neighbours_alone(world: &mut World) {
    let mut runs = Vec::new();
    for _ in 0..30 {
        runs.push(world.leased("a/on-event").await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (n, run) in runs.into_iter().enumerate() {
        let store = world.store.clone();
        tasks.spawn(async move {
            let mut effects = writes("a", [add("sum", 1), set(&format!("key-{n}"), bytes(6000, 1))]);
            effects.events = vec![event(&["b/on-event"])];
            match n % 3 {
                0 => effects.reads = vec![read("never", Some(1))],
                1 => effects.kv_bytes_max = 0,
                _ => {}
            }
            store.record(success(&run, Some(effects))).await.unwrap()
        });
    }
    let recorded = tasks.join_all().await;
    assert_eq!(recorded.iter().filter(|one| **one == Recorded::Done).count(), 10);
    world.pause();
    assert_eq!(world.value("a", "sum").await, Some(b"10".to_vec()));
    let used = world.kv_used(&plugin_name("a")).await.unwrap();
    let keys: u64 = (0..30).filter(|n| n % 3 == 2).map(|n| 6000 + format!("key-{n}").len() as u64).sum();
    assert_eq!(used, keys + 5);
    let counts = world.counts();
    assert_eq!((counts.succeeded, counts.leased, counts.pending, counts.events), (10, 20, 10, 40));
}

async fn an_emitted_event_is_deduped(world: &mut World) {
    let first = world.accept_new(delivery(&[77], 1)).await;
    let run = world.claim_some(&["a/on-event"], 1, NOW).await.remove(0);
    let effects = Changes { events: vec![delivery(&[77], 1), delivery(&[78], 1)], ..changes("a") };
    let emitted = effects.events[1].event.id;
    assert_eq!(world.record(success(&run, Some(effects))).await.unwrap(), Recorded::Done);
    world.pause();
    assert_eq!((world.counts().events, world.counts().duplicates), (2, 1));
    for (key, first) in [(77, first), (78, emitted)] {
        let again = world.accept(delivery(&[key], 1)).await.unwrap();
        assert_eq!(again, Accepted::Duplicate { first, same_body: true });
    }
}

async fn a_run_may_enqueue_its_own_successor_under_its_unique_key(world: &mut World) {
    let unique = || unique_job("a/work", "poll".to_owned());
    world.enqueue(unique()).await.unwrap();
    let run = world.claim_some(&["a/work"], 1, NOW).await.remove(0);
    let successor = unique();
    let effects = Changes { jobs: vec![successor.clone(), unique()], ..changes("a") };
    assert_eq!(world.record(success(&run, Some(effects))).await.unwrap(), Recorded::Done);
    world.pause();
    let next = world.claim_some(&["a/work"], 9, later(5)).await;
    assert_eq!(next.iter().map(|run| run.id).collect::<Vec<_>>(), [successor.run.id]);
}

async fn the_lease_of_another_attempt_does_not_fit(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let mut record = success(&run, Some(all_kinds()));
    record.lease.boot.0 += 1;
    assert_eq!(world.record(record.clone()).await.unwrap(), Recorded::Stale);
    record.run = crate::world::new_run("a/on-event").id;
    assert_eq!(world.record(record).await.unwrap(), Recorded::Stale);
    assert_eq!(world.record(success(&run, None)).await.unwrap(), Recorded::Done);
}
