//! Events and jobs of one handler with one key: a swap may change the kind that it takes while runs of the other wait.

use hookbox_core::gate::{Gate, Order};
use hookbox_core::id::RunId;
use hookbox_core::run::{Run, RunEvent, WorkKind};
use hookbox_store::types::{Claim, Claimable, Recorded};

use crate::world::{BOOT, LEASE_UNTIL, World, ended, event, failed, handler, job, later, success};

conformance! {
    an_event_and_a_job_with_one_key_are_executed_one_at_a_time,
    an_event_and_a_job_with_one_key_are_not_claimed_together,
    an_event_that_waits_keeps_no_job_with_its_key_waiting,
}

async fn of_both_kinds(world: &World, order: Order) -> (RunId, RunId) {
    let (mut event, mut job) = (event(&["a/work"]), job("a/work"));
    let gate = Some(Gate::new("k", order));
    let of_event = event.runs[0].id;
    (event.runs[0].terms.gate, job.run.terms.gate) = (gate.clone(), gate);
    world.accept_new(event).await;
    (of_event, world.enqueue(job).await.unwrap())
}

async fn succeed(world: &World, run: &Run) {
    assert_eq!(world.record(success(run, None)).await.unwrap(), Recorded::Done);
}

/// Runs of a kind, or of both.
async fn claim(world: &World, kind: Option<WorkKind>) -> Vec<Run> {
    let claim = Claim {
        handlers: [Claimable { takes: kind, ..Claimable::new(handler("a/work")) }].into(),
        limit: 100,
        per_plugin_max: usize::MAX,
        boot: BOOT,
        now: later(10),
        until: LEASE_UNTIL,
    };
    world.claim(claim).await.unwrap()
}

async fn an_event_and_a_job_with_one_key_are_executed_one_at_a_time(world: &mut World) {
    for order in [Order::Accepted, Order::Due] {
        let (event, job) = of_both_kinds(world, order).await;
        let first = claim(world, Some(WorkKind::Event)).await.remove(0);
        assert_eq!(first.id, event);
        world.pause();
        assert_eq!(claim(world, Some(WorkKind::Job)).await, []);
        // What woke before this is heard.
        while std::pin::pin!(world.signals().runs.notified()).as_mut().enable() {}
        succeed(world, &first).await;
        world.signals().runs.notified().await;
        let second = claim(world, Some(WorkKind::Job)).await.remove(0);
        assert_eq!(second.id, job);

        // The other way round.
        let (event, _) = of_both_kinds(world, order).await;
        assert_eq!(claim(world, Some(WorkKind::Event)).await, []);
        succeed(world, &second).await;
        let third = claim(world, Some(WorkKind::Event)).await.remove(0);
        assert_eq!(third.id, event);
        succeed(world, &third).await;
        succeed(world, &claim(world, None).await.remove(0)).await;
    }
}

async fn an_event_and_a_job_with_one_key_are_not_claimed_together(world: &mut World) {
    for order in [Order::Accepted, Order::Due] {
        of_both_kinds(world, order).await;
        // In one claim, and in claims that may share a commit.
        let (both, events, jobs) =
            tokio::join!(claim(world, None), claim(world, Some(WorkKind::Event)), claim(world, Some(WorkKind::Job)),);
        let claimed = [both, events, jobs].concat();
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        succeed(world, &claimed[0]).await;
        let left = claim(world, None).await;
        assert_eq!(left.len(), 1, "{left:?}");
        succeed(world, &left[0]).await;
    }
}

async fn an_event_that_waits_keeps_no_job_with_its_key_waiting(world: &mut World) {
    let (event, job) = of_both_kinds(world, Order::Accepted).await;
    let first = claim(world, Some(WorkKind::Event)).await.remove(0);
    let again = RunEvent::FailedForNow { attempt: failed(&first), due: later(5) };
    assert_eq!(world.record(ended(&first, again, None)).await.unwrap(), Recorded::Done);
    let taken = claim(world, Some(WorkKind::Job)).await.remove(0);
    assert_eq!(taken.id, job, "the handler takes no events meanwhile");
    succeed(world, &taken).await;
    assert_eq!(claim(world, Some(WorkKind::Event)).await.remove(0).id, event);
}
