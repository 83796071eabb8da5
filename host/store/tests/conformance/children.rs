//! Which runs an attempt has asked for, and who asked for a run.

use hookbox_core::id::RunId;
use hookbox_core::time::Millis;
use hookbox_store::types::{Changes, NewEvent, NewJob, NewRun, PageRequest, Replay, Retention, RunFilter};

use crate::world::{World, changes, event, fresh, job, later, new_run, success};

conformance! {
    what_an_attempt_asked_for_is_found_by_its_run,
    what_is_pruned_is_no_child,
}

/// A run whose attempt enqueued a job and emitted an event.
async fn with_children(world: &World) -> (RunId, [RunId; 2]) {
    let run = world.leased("a/work").await;
    let asked = NewJob { run: NewRun { made_by: Some(run.id), ..new_run("b/job") }, ..job("b/job") };
    let told = NewEvent { runs: vec![NewRun { made_by: Some(run.id), ..new_run("b/event") }], ..event(&[]) };
    let children = [asked.run.id, told.runs[0].id];
    let wants = Changes { jobs: vec![asked], events: vec![told], ..changes("a") };
    world.record(success(&run, Some(wants))).await.unwrap();
    (run.id, children)
}

async fn children(world: &World, maker: RunId, limit: usize) -> Vec<RunId> {
    let (mut before, mut all) = (None, Vec::new());
    loop {
        let filter = RunFilter { made_by: Some(maker), ..RunFilter::default() };
        let page = world.runs(PageRequest { before, limit }, filter).await.unwrap();
        assert!(page.runs.iter().all(|run| run.made_by == Some(maker)));
        all.extend(page.runs.iter().map(|run| run.id));
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

async fn what_an_attempt_asked_for_is_found_by_its_run(world: &mut World) {
    let (maker, mut made) = with_children(world).await;
    let (other, _) = with_children(world).await;
    world.pause();
    made.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(children(world, maker, 10).await, made);
    assert_eq!(children(world, maker, 1).await, made);
    assert_eq!(children(world, other, 10).await.len(), 2);
    assert_eq!(world.run(maker).await.unwrap().made_by, None);
    // A child that has ended is one still; its replay is the operator's.
    let child =
        world.claim_some(&["b/job"], 2, later(10)).await.into_iter().find(|run| made.contains(&run.id)).unwrap();
    world.record(success(&child, None)).await.unwrap();
    let again = RunId::new(later(20), fresh());
    world.replay(Replay::new(child.id, again), later(20)).await.unwrap();
    world.pause();
    assert_eq!(children(world, maker, 10).await, made);
    assert_eq!(world.run(again).await.unwrap().made_by, None);
}

async fn what_is_pruned_is_no_child(world: &mut World) {
    let (maker, made) = with_children(world).await;
    for run in world.claim_some(&["b/job", "b/event"], 2, later(10)).await {
        world.record(success(&run, None)).await.unwrap();
    }
    assert_eq!(children(world, maker, 10).await.len(), 2);
    let day = Millis(86_400_000);
    let retention = Retention {
        succeeded_for: Millis(1),
        succeeded_max: 1000,
        dead_for: day,
        dead_max: 1000,
        cancelled_for: day,
        cancelled_max: 1000,
        events_for: Millis(1),
        audit_for: day,
        audit_max: 1000,
    };
    while world.prune(later(3 * 86_400_000), retention).await.unwrap().more {}
    world.pause();
    assert_eq!(children(world, maker, 10).await, []);
    assert!(world.run(made[0]).await.is_err());
}
