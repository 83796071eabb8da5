//! Taking in deliveries and jobs.

use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunStatus, Work};
use hookbox_store::StoreError;
use hookbox_store::types::{Accepted, NewJob, NewRun, Replay};
use tokio::task::JoinSet;

use crate::world::{World, delivery, delivery_at, event, job, later, new_run, success, unique_job};

conformance! {
    a_delivery_is_kept_with_a_run_for_each_handler,
    an_event_without_a_handler_is_kept_as_unrouted,
    a_duplicate_gives_the_first_id_and_makes_no_run,
    another_delivery_is_no_duplicate,
    a_duplicate_with_another_body_counts_as_differing,
    either_of_two_keys_matches,
    a_duplicate_leaves_its_other_key_unmarked,
    an_expired_key_lets_a_delivery_in_again,
    a_key_still_holds_just_before_its_end,
    of_concurrent_deliveries_one_is_new,
    a_run_may_be_dead_from_the_start,
    a_job_makes_a_run,
    a_unique_key_leaves_out_a_job_while_its_run_is_alive,
    a_unique_key_is_free_when_its_run_has_ended,
    a_unique_key_is_of_one_handler,
    of_many_jobs_those_are_made_whose_id_is_free,
    of_many_jobs_unique_ones_are_made_once,
    a_run_of_an_event_is_replayed,
    a_run_of_a_job_is_replayed,
    a_run_that_is_alive_is_not_replayed,
    an_unknown_run_is_not_replayed,
    a_replay_is_listed_with_its_event,
    begin_boot_grows,
}

async fn a_delivery_is_kept_with_a_run_for_each_handler(world: &mut World) {
    let new = event(&["a/on-event", "b/on-event"]);
    assert_eq!(world.accept(new.clone()).await.unwrap(), Accepted::New(new.event.id));
    world.pause();
    let kept = world.event(new.event.id).await.unwrap();
    assert_eq!(kept.event, new.event);
    assert_eq!(kept.data_bytes, 2);
    assert_eq!(kept.runs, new.runs.iter().map(|run| run.id).collect::<Vec<_>>());
    assert_eq!(world.event_input(new.event.id).await.unwrap(), new.event);
    for wanted in &new.runs {
        let run = world.run(wanted.id).await.unwrap();
        assert_eq!((run.target, run.work), (wanted.target.clone(), Work::Event(new.event.id)));
        assert_eq!(run.state, hookbox_core::run::RunState::Pending { due: new.event.time });
    }
    assert_eq!((world.counts().events, world.counts().pending), (1, 2));
}

async fn an_event_without_a_handler_is_kept_as_unrouted(world: &mut World) {
    let id = world.accept_new(event(&[])).await;
    world.pause();
    assert_eq!(world.event(id).await.unwrap().runs, []);
    assert_eq!((world.counts().events, world.counts().unrouted, world.counts().pending), (1, 1, 0));
}

async fn a_duplicate_gives_the_first_id_and_makes_no_run(world: &mut World) {
    let first = world.accept_new(delivery(&[1], 1)).await;
    world.pause();
    let again = delivery(&[1], 1);
    let accepted = world.accept(again.clone()).await.unwrap();
    assert_eq!(accepted, Accepted::Duplicate { first, same_body: true });
    world.pause();
    assert!(matches!(world.event(again.event.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.run(again.runs[0].id).await, Err(StoreError::NotFound(_))));
    let counts = world.counts();
    assert_eq!((counts.events, counts.pending, counts.duplicates, counts.duplicates_differ), (1, 1, 1, 0));
}

async fn another_delivery_is_no_duplicate(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    world.accept_new(delivery(&[2], 1)).await;
    assert_eq!((world.counts().events, world.counts().duplicates), (2, 0));
}

async fn a_duplicate_with_another_body_counts_as_differing(world: &mut World) {
    let first = world.accept_new(delivery(&[1], 1)).await;
    let accepted = world.accept(delivery(&[1], 2)).await.unwrap();
    assert_eq!(accepted, Accepted::Duplicate { first, same_body: false });
    world.pause();
    assert_eq!((world.counts().duplicates, world.counts().duplicates_differ), (1, 1));
}

async fn either_of_two_keys_matches(world: &mut World) {
    let first = world.accept_new(delivery(&[1, 2], 1)).await;
    world.pause();
    for keys in [[1, 9], [9, 1], [2, 9], [9, 2]] {
        assert_eq!(world.accept(delivery(&keys, 1)).await.unwrap(), Accepted::Duplicate { first, same_body: true });
    }
}

async fn a_duplicate_leaves_its_other_key_unmarked(world: &mut World) {
    world.accept_new(delivery(&[1, 2], 1)).await;
    world.accept(delivery(&[1, 9], 1)).await.unwrap();
    world.accept_new(delivery(&[9], 1)).await;
}

async fn an_expired_key_lets_a_delivery_in_again(world: &mut World) {
    world.accept_new(delivery(&[1], 1)).await;
    world.pause();
    let second = world.accept_new(delivery_at(later(60_000), &[1], 1)).await;
    world.pause();
    // The mark is the second one's.
    let third = world.accept(delivery_at(later(60_001), &[1], 1)).await.unwrap();
    assert_eq!(third, Accepted::Duplicate { first: second, same_body: true });
}

async fn a_key_still_holds_just_before_its_end(world: &mut World) {
    let first = world.accept_new(delivery(&[1], 1)).await;
    let accepted = world.accept(delivery_at(later(59_999), &[1], 1)).await.unwrap();
    assert_eq!(accepted, Accepted::Duplicate { first, same_body: true });
}

async fn of_concurrent_deliveries_one_is_new(world: &mut World) {
    for key in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let store = world.store.clone();
            tasks.spawn(async move { store.accept(delivery(&[key], 1)).await.unwrap() });
        }
        let accepted = tasks.join_all().await;
        let new: Vec<_> =
            accepted.iter().filter_map(|one| if let Accepted::New(id) = one { Some(*id) } else { None }).collect();
        assert_eq!(new.len(), 1);
        for one in accepted {
            assert!(matches!(one, Accepted::New(id) | Accepted::Duplicate { first: id, .. } if id == new[0]));
        }
    }
    assert_eq!((world.counts().events, world.counts().pending, world.counts().duplicates), (20, 20, 140));
}

async fn a_run_may_be_dead_from_the_start(world: &mut World) {
    let mut new = event(&[]);
    new.runs = vec![NewRun { dead: Some(DeadCause::Loop), ..new_run("a/on-event") }];
    world.accept_new(new.clone()).await;
    world.pause();
    assert_eq!(world.run(new.runs[0].id).await.unwrap().status(), RunStatus::Dead);
    assert_eq!((world.counts().dead, world.counts().pending), (1, 0));
    assert_eq!(world.claim_some(&["a/on-event"], 9, later(1)).await, []);
}

async fn a_job_makes_a_run(world: &mut World) {
    let new = job("a/work");
    let id = world.enqueue(new.clone()).await.unwrap();
    world.pause();
    assert_eq!(id, new.run.id);
    let run = world.run(id).await.unwrap();
    assert_eq!((run.work, run.idempotency_key), (Work::Job(new.job.id), id.to_string()));
    assert_eq!(world.job(new.job.id).await.unwrap(), new.job);
}

async fn a_unique_key_leaves_out_a_job_while_its_run_is_alive(world: &mut World) {
    let unique = |key: &str| unique_job("a/work", key.to_owned());
    let first = world.enqueue(unique("k")).await.unwrap();
    world.pause();
    let again = unique("k");
    assert_eq!(world.enqueue(again.clone()).await.unwrap(), first);
    assert!(world.job(again.job.id).await.is_err());
    assert_ne!(world.enqueue(unique("other")).await.unwrap(), first);
    assert_eq!(world.counts().pending, 2);
}

async fn a_unique_key_is_free_when_its_run_has_ended(world: &mut World) {
    let unique = || unique_job("a/work", "k".to_owned());
    let first = world.enqueue(unique()).await.unwrap();
    let run = world.claim_some(&["a/work"], 1, later(1)).await.remove(0);
    assert_eq!(world.enqueue(unique()).await.unwrap(), first);
    world.record(success(&run, None)).await.unwrap();
    world.pause();
    let second = world.enqueue(unique()).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(world.enqueue(unique()).await.unwrap(), second);
}

async fn a_unique_key_is_of_one_handler(world: &mut World) {
    let unique = |target| unique_job(target, "k".to_owned());
    let first = world.enqueue(unique("a/work")).await.unwrap();
    assert_ne!(world.enqueue(unique("a/rest")).await.unwrap(), first);
    assert_ne!(world.enqueue(unique("b/work")).await.unwrap(), first);
}

async fn of_many_jobs_those_are_made_whose_id_is_free(world: &mut World) {
    let [first, second] = [job("a/on-job"), job("a/on-job")];
    assert_eq!(world.enqueue_all(vec![first.clone()], later(5)).await.unwrap(), [first.run.id]);
    world.pause();
    let again = NewJob { run: new_run("a/on-job"), ..first.clone() };
    let made = world.enqueue_all(vec![again.clone(), second.clone(), second.clone()], later(9)).await.unwrap();
    assert_eq!(made, [second.run.id]);
    world.pause();
    assert_eq!(world.run(first.run.id).await.unwrap().created, later(5), "not when the work was due");
    assert_eq!((world.counts().pending, world.job(second.job.id).await.unwrap()), (2, second.job));
    assert!(matches!(world.run(again.run.id).await, Err(StoreError::NotFound(_))));
    // What has ended is kept, too.
    let run = world.claim_some(&["a/on-job"], 1, later(9)).await.remove(0);
    world.record(success(&run, None)).await.unwrap();
    assert_eq!(world.enqueue_all(vec![again], later(9)).await.unwrap(), []);
}

async fn of_many_jobs_unique_ones_are_made_once(world: &mut World) {
    let jobs = vec![unique_job("a/on-job", "k"), unique_job("a/on-job", "k"), unique_job("a/on-job", "l")];
    let wanted = [jobs[0].run.id, jobs[2].run.id];
    assert_eq!(world.enqueue_all(jobs, later(0)).await.unwrap(), wanted);
    assert_eq!(world.counts().pending, 2);
}

async fn a_run_of_an_event_is_replayed(world: &mut World) {
    let run = world.leased("a/on-event").await;
    world.record(success(&run, None)).await.unwrap();
    world.pause();
    let old = world.run(run.id).await.unwrap();
    let new = new_run("a/on-event").id;
    assert_eq!(world.replay(Replay::new(run.id, new), later(10)).await.unwrap(), new);
    world.pause();
    let replay = world.run(new).await.unwrap();
    assert_eq!((replay.parent, replay.work), (Some(run.id), run.work));
    assert_eq!((replay.idempotency_key, replay.created), (run.idempotency_key, later(10)));
    assert_eq!((replay.attempts, replay.attempts_begun), (vec![], 0));
    assert_eq!(world.run(run.id).await.unwrap(), Run { replayed: Some(new), ..old });
    assert_eq!(world.claim_some(&["a/on-event"], 9, later(10)).await[0].id, new);
}

async fn a_run_of_a_job_is_replayed(world: &mut World) {
    let new = job("a/work");
    world.enqueue(new.clone()).await.unwrap();
    let run = world.claim_some(&["a/work"], 1, later(1)).await.remove(0);
    world.record(success(&run, None)).await.unwrap();
    let replay = world.replay(Replay::new(run.id, new_run("a/work").id), later(10)).await.unwrap();
    world.pause();
    let replay = world.run(replay).await.unwrap();
    let Work::Job(copy) = replay.work else { panic!("a job's replay is of a job") };
    assert_eq!(world.job(copy).await.unwrap().data, new.job.data);
    assert_eq!(replay.idempotency_key, run.idempotency_key);
}

async fn a_run_that_is_alive_is_not_replayed(world: &mut World) {
    let new = event(&["a/on-event"]);
    world.accept_new(new.clone()).await;
    let replay = || world.replay(Replay::new(new.runs[0].id, new_run("a/on-event").id), NOW);
    use crate::world::NOW;
    assert!(matches!(replay().await, Err(StoreError::Conflict(_))));
    world.claim_some(&["a/on-event"], 1, NOW).await;
    assert!(matches!(replay().await, Err(StoreError::Conflict(_))));
}

async fn an_unknown_run_is_not_replayed(world: &mut World) {
    let unknown = new_run("a/on-event").id;
    let refused = world.replay(Replay::new(unknown, new_run("a/on-event").id), later(1)).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
    assert_eq!(world.counts().pending, 0);
}

async fn a_replay_is_listed_with_its_event(world: &mut World) {
    let run = world.leased("a/on-event").await;
    world.record(success(&run, None)).await.unwrap();
    let replay = world.replay(Replay::new(run.id, new_run("a/on-event").id), later(10)).await.unwrap();
    world.pause();
    let Work::Event(event) = run.work else { panic!("the work is an event") };
    assert_eq!(world.event(event).await.unwrap().runs, [run.id, replay]);
    let page = world.events(hookbox_store::types::PageRequest { before: None, limit: 9 }).await.unwrap();
    assert_eq!(page.events[0].runs, [run.id, replay]);
}

async fn begin_boot_grows(world: &mut World) {
    let mut last = world.begin_boot().await.unwrap();
    for _ in 0..3 {
        world.pause();
        let next = world.begin_boot().await.unwrap();
        assert!(next > last);
        last = next;
    }
}
