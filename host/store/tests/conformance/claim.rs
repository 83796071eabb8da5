//! Leasing runs, and getting them back.

use std::collections::{BTreeSet, HashMap};

use hookbox_core::attempt::Outcome;
use hookbox_core::clock::Monotonic;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, CancelCause, DRAINS_MAX, Lease, RunEvent, RunState, RunStatus, WorkKind};
use hookbox_store::types::{Cancellable, Claim, Claimable, Recorded, Rescue};
use tokio::task::JoinSet;

use crate::world::{BOOT, LEASE_UNTIL, NOW, World, ended, event, failed, handler, job, later, success};

conformance! {
    a_claim_leases_a_run,
    each_run_is_handed_out_once,
    handlers_take_turns,
    only_known_handlers_are_served,
    only_what_is_due_is_handed_out,
    no_more_than_the_limit_is_handed_out,
    no_more_of_one_plugin_than_its_limit_is_handed_out,
    claims_that_come_together_each_find_runs,
    a_renewed_lease_is_kept,
    a_lease_of_this_boot_is_lost_by_time,
    a_lease_of_an_older_boot_is_lost_at_once,
    a_lease_lost_in_the_last_attempt_ends_the_run,
    the_attempts_of_an_unknown_handler_are_the_default,
    a_rescue_takes_no_more_than_its_limit,
    a_late_result_after_a_rescue_is_stale,
    a_drained_attempt_does_not_count,
    a_drain_counts_after_many,
    a_pending_run_is_abandoned,
    a_leased_run_is_not_abandoned,
    runs_of_a_kind_that_a_handler_takes_no_longer_wait_apart,
    waiting_runs_are_counted_by_handler,
    the_next_due_time_is_of_known_handlers,
    no_more_runs_of_a_handler_are_executed_than_it_may_have,
    a_place_that_is_given_back_is_handed_out_again,
}

fn rescue(boot: BootId, monotonic: Monotonic) -> Rescue {
    Rescue { boot, now: later(10), monotonic, limit: 100, attempts_max: HashMap::new() }
}

async fn a_claim_leases_a_run(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let lease = run.lease().unwrap();
    assert_eq!((lease.boot, lease.attempt, lease.at), (BOOT, 1, NOW));
    world.pause();
    assert_eq!(world.run(run.id).await.unwrap(), run);
    assert_eq!((world.counts().pending, world.counts().leased), (0, 1));
    assert_eq!(world.claim_some(&["a/on-event"], 9, later(100)).await, []);
}

async fn each_run_is_handed_out_once(world: &mut World) {
    const RUNS: usize = 300;
    for _ in 0..RUNS / 3 {
        world.accept_new(event(&["a/one", "a/two", "b/three"])).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = world.store.clone();
        tasks.spawn(async move {
            let handlers: std::sync::Arc<[_]> = ["a/one", "a/two", "b/three"].map(handler).map(Claimable::new).into();
            let mut claimed = Vec::new();
            loop {
                let claim = Claim {
                    handlers: handlers.clone(),
                    limit: 7,
                    per_plugin_max: usize::MAX,
                    boot: BOOT,
                    now: NOW,
                    until: LEASE_UNTIL,
                };
                let runs = store.claim(claim).await.unwrap();
                if runs.is_empty() {
                    return claimed;
                }
                claimed.extend(runs.iter().map(|run| run.id));
            }
        });
    }
    let claimed: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), RUNS);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), RUNS);
    assert_eq!((world.counts().pending, world.counts().leased), (0, RUNS as u64));
}

async fn handlers_take_turns(world: &mut World) {
    for _ in 0..20 {
        world.accept_new(event(&["busy/on-event"])).await;
    }
    world.accept_new(event(&["calm/on-event"])).await;
    world.pause();
    let claimed = world.claim_some(&["busy/on-event", "calm/on-event"], 4, NOW).await;
    assert_eq!(claimed.len(), 4);
    assert!(claimed.iter().any(|run| run.target == handler("calm/on-event")));
}

async fn only_known_handlers_are_served(world: &mut World) {
    world.accept_new(event(&["a/on-event", "gone/on-event"])).await;
    let claimed = world.claim_some(&["a/on-event", "b/on-event"], 9, NOW).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].target, handler("a/on-event"));
    assert_eq!(world.claim_some(&[], 9, NOW).await, []);
}

async fn only_what_is_due_is_handed_out(world: &mut World) {
    let mut new = job("a/work");
    new.due = later(10);
    world.enqueue(new).await.unwrap();
    world.pause();
    assert_eq!(world.claim_some(&["a/work"], 9, later(9)).await, []);
    assert_eq!(world.claim_some(&["a/work"], 9, later(10)).await.len(), 1);
}

async fn no_more_than_the_limit_is_handed_out(world: &mut World) {
    for _ in 0..5 {
        world.accept_new(event(&["a/on-event"])).await;
    }
    assert_eq!(world.claim_some(&["a/on-event"], 0, NOW).await, []);
    assert_eq!(world.claim_some(&["a/on-event"], 3, NOW).await.len(), 3);
    assert_eq!(world.claim_some(&["a/on-event"], 3, NOW).await.len(), 2);
}

async fn no_more_of_one_plugin_than_its_limit_is_handed_out(world: &mut World) {
    for _ in 0..10 {
        world.accept_new(event(&["busy/one", "busy/two"])).await;
    }
    for _ in 0..2 {
        world.accept_new(event(&["calm/on-event"])).await;
    }
    let claim = |per_plugin_max| Claim {
        handlers: ["busy/one", "busy/two", "calm/on-event"].map(handler).map(Claimable::new).into(),
        limit: 100,
        per_plugin_max,
        boot: BOOT,
        now: NOW,
        until: LEASE_UNTIL,
    };
    assert_eq!(world.claim(claim(0)).await.unwrap(), []);
    let claimed = world.claim(claim(4)).await.unwrap();
    let of = |target: &str| claimed.iter().filter(|run| run.target == handler(target)).count();
    assert_eq!((of("busy/one"), of("busy/two"), of("calm/on-event")), (2, 2, 2));
    assert_eq!(world.claim(claim(4)).await.unwrap().len(), 4);
    assert_eq!(world.claim(claim(100)).await.unwrap().len(), 12);
}

/// Claims that come together are of one group, and each finds what the others leave.
async fn claims_that_come_together_each_find_runs(world: &mut World) {
    for _ in 0..40 {
        world.accept_new(event(&["a/on-event"])).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = world.store.clone();
        tasks.spawn(async move {
            let handlers = [Claimable::new(handler("a/on-event"))].into();
            let claim =
                Claim { handlers, limit: 5, per_plugin_max: usize::MAX, boot: BOOT, now: NOW, until: LEASE_UNTIL };
            store.claim(claim).await.unwrap().len()
        });
    }
    assert_eq!(tasks.join_all().await, [5; 8]);
}

async fn a_renewed_lease_is_kept(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let lease = run.lease().unwrap();
    let held = (run.id, lease);
    let others = [(run.id, Lease { attempt: 2, ..lease }), (crate::world::new_run("a/on-event").id, lease)];
    assert_eq!(world.renew(&others, Monotonic(60_000)).await.unwrap(), []);
    assert_eq!(world.renew(&[held, others[0]], Monotonic(60_000)).await.unwrap(), [held]);
    assert_eq!(world.rescue(rescue(BOOT, LEASE_UNTIL)).await.unwrap(), []);
    assert_eq!(world.rescue(rescue(BOOT, Monotonic(60_000))).await.unwrap().len(), 1);
    assert_eq!(world.renew(&[held], Monotonic(90_000)).await.unwrap(), []);
}

async fn a_lease_of_this_boot_is_lost_by_time(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let early = Monotonic(LEASE_UNTIL.0 - 1);
    assert_eq!(world.rescue(rescue(BOOT, early)).await.unwrap(), []);
    let rescued = world.rescue(rescue(BOOT, LEASE_UNTIL)).await.unwrap();
    assert_eq!(rescued.len(), 1);
    world.pause();
    let run = world.run(run.id).await.unwrap();
    assert_eq!(run.state, RunState::Pending { due: later(10) });
    assert_eq!((run.attempts.len(), &run.attempts[0].outcome), (1, &Outcome::Lost));
    assert_eq!(world.counts().attempts, 1);
}

async fn a_lease_of_an_older_boot_is_lost_at_once(world: &mut World) {
    let run = world.leased("a/on-event").await;
    world.pause();
    let rescued = world.rescue(rescue(BootId(2), Monotonic(0))).await.unwrap();
    assert_eq!(rescued[0].id, run.id);
    assert_eq!((world.counts().pending, world.counts().leased), (1, 0));
    assert_eq!(world.claim_some(&["a/on-event"], 1, later(10)).await[0].lease().unwrap().attempt, 2);
}

async fn a_lease_lost_in_the_last_attempt_ends_the_run(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let attempts_max = HashMap::from([(handler("a/on-event"), 1)]);
    let rescued = world.rescue(Rescue { attempts_max, ..rescue(BootId(2), Monotonic(0)) }).await.unwrap();
    assert_eq!(rescued[0].state, RunState::Dead { at: later(10), cause: DeadCause::AttemptsExhausted });
    world.pause();
    assert_eq!(world.run(run.id).await.unwrap().status(), RunStatus::Dead);
    assert_eq!((world.counts().dead, world.counts().leased, world.counts().attempts), (1, 0, 1));
}

async fn the_attempts_of_an_unknown_handler_are_the_default(world: &mut World) {
    let run = world.leased("a/on-event").await;
    for attempt in 1..=hookbox_core::retry::ATTEMPTS {
        let rescued = world.rescue(rescue(BootId(2), Monotonic(0))).await.unwrap();
        let last = attempt == hookbox_core::retry::ATTEMPTS;
        assert_eq!(rescued[0].status() == RunStatus::Dead, last, "attempt {attempt}");
        world.claim_some(&["a/on-event"], 1, later(10)).await;
    }
    assert_eq!(world.run(run.id).await.unwrap().status(), RunStatus::Dead);
}

async fn a_rescue_takes_no_more_than_its_limit(world: &mut World) {
    for _ in 0..5 {
        world.leased("a/on-event").await;
    }
    let few = || Rescue { limit: 3, ..rescue(BootId(2), Monotonic(0)) };
    assert_eq!(world.rescue(few()).await.unwrap().len(), 3);
    assert_eq!(world.rescue(few()).await.unwrap().len(), 2);
    assert_eq!(world.rescue(few()).await.unwrap().len(), 0);
}

async fn a_late_result_after_a_rescue_is_stale(world: &mut World) {
    let run = world.leased("a/on-event").await;
    world.rescue(rescue(BootId(2), Monotonic(0))).await.unwrap();
    let late = || {
        let mut changes = crate::world::writes("a", [crate::world::set("k", "late")]);
        changes.jobs = vec![job("a/work")];
        changes.events = vec![event(&["a/on-event"])];
        success(&run, Some(changes))
    };
    assert_eq!(world.record(late()).await.unwrap(), Recorded::Stale);
    let second = world.claim_some(&["a/on-event"], 1, later(10)).await.remove(0);
    let before = world.counts();
    assert_eq!(world.record(late()).await.unwrap(), Recorded::Stale);
    world.pause();
    assert_eq!(world.counts(), before);
    assert_eq!(world.value("a", "k").await, None);
    assert_eq!(world.run(run.id).await.unwrap(), second);
    assert_eq!(world.record(success(&second, None)).await.unwrap(), Recorded::Done);
    assert_eq!(world.record(success(&second, None)).await.unwrap(), Recorded::Stale);
}

async fn a_drained_attempt_does_not_count(world: &mut World) {
    let run = world.leased("a/on-event").await;
    let drained = ended(&run, RunEvent::Drained { at: later(5) }, None);
    assert_eq!(world.record(drained).await.unwrap(), Recorded::Done);
    world.pause();
    let run = world.run(run.id).await.unwrap();
    assert_eq!(run.state, RunState::Pending { due: later(5) });
    assert_eq!((run.attempts_begun, run.attempts.len(), run.drains), (0, 0, 1));
    assert_eq!((world.counts().attempts, world.counts().pending), (0, 1));
    assert_eq!(world.claim_some(&["a/on-event"], 1, later(5)).await[0].lease().unwrap().attempt, 1);
}

async fn a_drain_counts_after_many(world: &mut World) {
    let mut run = world.leased("a/on-event").await;
    for _ in 0..=DRAINS_MAX {
        world.record(ended(&run, RunEvent::Drained { at: later(5) }, None)).await.unwrap();
        run = world.claim_some(&["a/on-event"], 1, later(5)).await.remove(0);
    }
    assert_eq!(run.lease().unwrap().attempt, 2);
    assert_eq!(world.counts().attempts, 1);
}

async fn a_pending_run_is_abandoned(world: &mut World) {
    let new = event(&["gone/on-event", "a/on-event"]);
    world.accept_new(new.clone()).await;
    world.accept_new(event(&["gone/on-event"])).await;
    world.accept_new(event(&["gone/on-event"])).await;
    world.pause();
    assert_eq!(world.abandon(handler("gone/on-event"), None, later(1), 2).await.unwrap(), 2);
    assert_eq!(world.abandon(handler("gone/on-event"), None, later(1), 2).await.unwrap(), 1);
    assert_eq!(world.abandon(handler("gone/on-event"), None, later(1), 2).await.unwrap(), 0);
    world.pause();
    let run = world.run(new.runs[0].id).await.unwrap();
    assert_eq!(run.state, RunState::Dead { at: later(1), cause: DeadCause::HandlerVanished });
    assert_eq!((world.counts().dead, world.counts().pending), (3, 1));
}

async fn a_leased_run_is_not_abandoned(world: &mut World) {
    world.leased("a/on-event").await;
    assert_eq!(world.abandon(handler("a/on-event"), None, later(1), 9).await.unwrap(), 0);
}

async fn runs_of_a_kind_that_a_handler_takes_no_longer_wait_apart(world: &mut World) {
    let new = event(&["a/work"]);
    world.accept_new(new.clone()).await;
    let jobs = [world.enqueue(job("a/work")).await.unwrap(), world.enqueue(job("a/work")).await.unwrap()];
    world.pause();
    let mut kinds: Vec<_> = world.waiting().await.unwrap().iter().map(|waiting| (waiting.kind, waiting.runs)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [(WorkKind::Event, 1), (WorkKind::Job, 2)]);
    assert_eq!(world.waiting_of(&handler("a/work")), 3);
    let takes = |kind| Claimable { takes: Some(kind), ..Claimable::new(handler("a/work")) };
    let claim = |kind| Claim {
        handlers: [takes(kind)].into(),
        limit: 1,
        per_plugin_max: usize::MAX,
        boot: BOOT,
        now: NOW,
        until: LEASE_UNTIL,
    };
    assert_eq!(world.next_due(&[takes(WorkKind::Event)]).await.unwrap(), Some(NOW));
    assert_eq!(world.claim(claim(WorkKind::Event)).await.unwrap()[0].id, new.runs[0].id);
    assert_eq!(world.claim(claim(WorkKind::Event)).await.unwrap(), []);
    assert_eq!(world.next_due(&[takes(WorkKind::Event)]).await.unwrap(), None);
    let of_job = world.claim(claim(WorkKind::Job)).await.unwrap();
    assert!(jobs.contains(&of_job[0].id), "{of_job:?}");

    assert_eq!(world.abandon(handler("a/work"), Some(WorkKind::Event), later(1), 9).await.unwrap(), 0);
    assert_eq!(world.abandon(handler("a/work"), Some(WorkKind::Job), later(1), 9).await.unwrap(), 1);
    world.pause();
    let left = jobs.into_iter().find(|id| *id != of_job[0].id).unwrap();
    let left = world.run(left).await.unwrap();
    assert_eq!(left.state, RunState::Dead { at: later(1), cause: DeadCause::HandlerTakesEvents });
    assert_eq!((world.counts().pending, world.counts().leased), (0, 2));
}

async fn waiting_runs_are_counted_by_handler(world: &mut World) {
    for due in [30, 20] {
        let mut new = job("a/work");
        new.due = later(due);
        world.enqueue(new).await.unwrap();
    }
    world.leased("b/on-event").await;
    world.pause();
    let waiting = world.waiting().await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0].handler, waiting[0].runs, waiting[0].due), (&handler("a/work"), 2, Some(later(20))));
}

async fn the_next_due_time_is_of_known_handlers(world: &mut World) {
    for (target, due) in [("a/work", 30), ("b/work", 20), ("gone/work", 10)] {
        let mut new = job(target);
        new.due = later(due);
        world.enqueue(new).await.unwrap();
    }
    world.pause();
    let next = world.next_due(&["a/work", "b/work"].map(handler).map(Claimable::new)).await.unwrap();
    assert_eq!(next, Some(later(20)));
    assert_eq!(world.next_due(&[Claimable::new(handler("c/work"))]).await.unwrap(), None);
}

fn limited(limit: usize, concurrency: u32) -> Claim {
    let handlers = [Claimable { concurrency: Some(concurrency), ..Claimable::new(handler("a/work")) }].into();
    Claim { handlers, limit, per_plugin_max: usize::MAX, boot: BOOT, now: later(10), until: LEASE_UNTIL }
}

async fn no_more_runs_of_a_handler_are_executed_than_it_may_have(world: &mut World) {
    for _ in 0..20 {
        world.enqueue(job("a/work")).await.unwrap();
    }
    assert_eq!(world.claim(limited(2, 3)).await.unwrap().len(), 2);
    world.pause();
    assert_eq!(world.claim(limited(9, 3)).await.unwrap().len(), 1);
    assert_eq!(world.claim(limited(9, 3)).await.unwrap().len(), 0);
    let none = limited(9, 3).handlers;
    assert_eq!(world.next_due(&none).await.unwrap(), None);
    // Claims that come together see one another's runs.
    let claims = (0..8).map(|_| {
        let store = world.store.clone();
        tokio::spawn(async move { store.claim(limited(4, 10)).await.unwrap().len() })
    });
    let mut claimed = 0;
    for claim in claims.collect::<Vec<_>>() {
        claimed += claim.await.unwrap();
    }
    while claimed < 7 {
        let more = world.claim(limited(4, 10)).await.unwrap().len();
        assert!(more > 0, "{claimed}");
        claimed += more;
    }
    assert_eq!((claimed, world.counts().leased), (7, 10));
}

async fn a_place_that_is_given_back_is_handed_out_again(world: &mut World) {
    for _ in 0..4 {
        world.enqueue(job("a/work")).await.unwrap();
    }
    let runs = world.claim(limited(9, 1)).await.unwrap();
    assert_eq!(runs.len(), 1);
    let retry = RunEvent::FailedForNow { attempt: failed(&runs[0]), due: later(5) };
    world.record(ended(&runs[0], retry, None)).await.unwrap();
    let runs = world.claim(limited(9, 1)).await.unwrap();
    world.cancel(vec![runs[0].id], Cancellable::Alive, CancelCause::Operator, later(9)).await.unwrap();
    world.pause();
    let runs = world.claim(limited(9, 1)).await.unwrap();
    world.record(success(&runs[0], None)).await.unwrap();
    assert_eq!(world.claim(limited(9, 1)).await.unwrap().len(), 1);
}
