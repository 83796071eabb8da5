//! What rules make of slots, who may declare a schedule, and how it is paused and begun anew.

use hookbox_core::event::JobOrigin;
use hookbox_core::id::RunId;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{CancelCause, RunEvent, RunState};
use hookbox_core::schedule::{Missed, Origin, Overlap, Pause, Rules, Schedule, ScheduleRow, Verdict, When};
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use hookbox_store::types::{Cancellable, Fired, Replay, ScheduleChange};

use crate::schedules::{PERIOD, every_minute, firing, name, row, verdicts};
use crate::world::{NOW, World, ended, failed, handler, job, later, new_run, success};

conformance! {
    a_slot_waits_for_the_run_of_an_earlier_one_and_one_more_is_dropped,
    several_slots_wait_in_order_up_to_a_number,
    a_later_slot_takes_the_place_of_a_run_that_is_executed,
    slots_may_run_beside_one_another,
    runs_that_may_overlap_are_seen_by_the_rule_that_follows,
    a_slot_that_cannot_wait_for_the_runs_of_before_is_skipped,
    all_missed_slots_are_made_up_for_in_one_commit,
    a_paused_schedule_is_not_due_and_its_slots_are_not_made_up_for,
    a_schedule_is_paused_after_failures_in_a_row,
    runs_that_are_no_slots_do_not_pause_it,
    a_schedule_ends_with_its_count,
    a_slot_that_is_skipped_is_not_the_last_of_a_count,
    a_reset_begins_anew_before_what_was_decided,
    operators_make_change_and_remove_schedules,
    the_first_of_three_declarations_counts,
    due_schedules_come_by_time,
}

pub(crate) fn with(rules: Rules) -> Schedule {
    Schedule { rules, ..every_minute("a") }
}

/// Fires what is due at this minute.
pub(crate) async fn fire(world: &World, minute: u64) -> Vec<Verdict> {
    let seen = row(&*world.store, "a").await;
    verdicts(&world.fire(firing(&seen, later(minute * 60_000)).unwrap()).await.unwrap())
}

pub(crate) fn run_in(verdicts: &[Verdict]) -> RunId {
    match verdicts {
        [Verdict::Fired { run } | Verdict::Buffered { run }] => *run,
        other => panic!("no run: {other:?}"),
    }
}

async fn a_slot_waits_for_the_run_of_an_earlier_one_and_one_more_is_dropped(world: &mut World) {
    let rules = Rules { overlap: Overlap::BufferOne, ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    let first = run_in(&fire(world, 1).await);
    let run = world.claim_some(&["a/tick"], 9, later(60_000)).await.remove(0);
    world.pause();
    let second = fire(world, 2).await;
    assert!(matches!(second[..], [Verdict::Buffered { .. }]), "{second:?}");
    assert_eq!(fire(world, 3).await, [Verdict::Dropped]);
    assert_eq!(world.claim_some(&["a/tick"], 9, later(180_000)).await, []);
    world.pause();
    assert_eq!(run.id, first);
    let leased = world.run(first).await.unwrap();
    world.record(success(&leased, None)).await.unwrap();
    let next = world.claim_some(&["a/tick"], 9, later(180_000)).await.remove(0);
    assert_eq!(next.id, run_in(&second));
    let counts = row(&*world.store, "a").await.counts;
    assert_eq!((counts.fired, counts.buffered, counts.dropped), (1, 1, 1));
}

async fn several_slots_wait_in_order_up_to_a_number(world: &mut World) {
    let rules = Rules { overlap: Overlap::BufferAll(2), ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    let mut runs = Vec::new();
    for minute in 1..=3 {
        runs.push(run_in(&fire(world, minute).await));
    }
    assert_eq!(fire(world, 4).await, [Verdict::Dropped]);
    for run in runs {
        world.pause();
        let claimed = world.claim_some(&["a/tick"], 9, later(300_000)).await;
        assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
        world.record(success(&claimed[0], None)).await.unwrap();
    }
}

async fn a_later_slot_takes_the_place_of_a_run_that_is_executed(world: &mut World) {
    let rules = Rules { overlap: Overlap::CancelRunning, ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    let first = run_in(&fire(world, 1).await);
    let leased = world.claim_some(&["a/tick"], 9, later(60_000)).await.remove(0);
    let second = run_in(&fire(world, 2).await);
    world.pause();
    let state = world.run(first).await.unwrap().state;
    assert_eq!(state, RunState::Cancelled { at: later(120_000), cause: CancelCause::Overlap });
    assert_eq!(world.record(success(&leased, None)).await.unwrap(), hookbox_store::types::Recorded::Stale);
    assert_eq!(world.claim_some(&["a/tick"], 9, later(120_000)).await[0].id, second);
}

async fn slots_may_run_beside_one_another(world: &mut World) {
    let rules = Rules { overlap: Overlap::Allow, ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    for minute in 1..=5 {
        run_in(&fire(world, minute).await);
    }
    world.pause();
    assert_eq!(world.claim_some(&["a/tick"], 9, later(300_000)).await.len(), 5);
    assert_eq!(row(&*world.store, "a").await.open.len(), 5);
}

async fn runs_that_may_overlap_are_seen_by_the_rule_that_follows(world: &mut World) {
    let rules = |overlap| with(Rules { overlap, ..Rules::default() });
    world.declare_schedules(vec![rules(Overlap::Allow)], NOW).await.unwrap();
    let runs = [run_in(&fire(world, 1).await), run_in(&fire(world, 2).await)];
    world.declare_schedules(vec![rules(Overlap::Skip)], later(130_000)).await.unwrap();
    assert_eq!(fire(world, 3).await, [Verdict::OverlapSkipped]);
    world.declare_schedules(vec![rules(Overlap::CancelRunning)], later(190_000)).await.unwrap();
    run_in(&fire(world, 4).await);
    world.pause();
    for run in runs {
        let cause = CancelCause::Overlap;
        assert_eq!(world.run(run).await.unwrap().state, RunState::Cancelled { at: later(240_000), cause });
    }
}

async fn a_slot_that_cannot_wait_for_the_runs_of_before_is_skipped(world: &mut World) {
    let with = |target, overlap| Schedule { target: handler(target), ..with(Rules { overlap, ..Rules::default() }) };
    let buffered = |verdicts: &[Verdict]| matches!(verdicts, [Verdict::Buffered { .. }]);
    world.declare_schedules(vec![with("a/tick", Overlap::BufferOne)], NOW).await.unwrap();
    let first = run_in(&fire(world, 1).await);
    // Of another handler, it would begin beside the first.
    world.declare_schedules(vec![with("b/tick", Overlap::BufferOne)], later(70_000)).await.unwrap();
    assert_eq!(fire(world, 2).await, [Verdict::OverlapSkipped]);
    assert_eq!(world.claim_some(&["a/tick", "b/tick"], 9, later(120_000)).await.len(), 1);
    world.declare_schedules(vec![with("a/tick", Overlap::BufferAll(3))], later(130_000)).await.unwrap();
    let second = fire(world, 3).await;
    assert!(buffered(&second), "{second:?}");
    world.pause();
    let all = vec![first, run_in(&second)];
    world.cancel(all, Cancellable::Alive, CancelCause::Operator, later(180_001)).await.unwrap();
    // What was made under `allow` waits at no gate.
    world.declare_schedules(vec![with("a/tick", Overlap::Allow)], later(190_000)).await.unwrap();
    let beside = run_in(&fire(world, 4).await);
    world.declare_schedules(vec![with("a/tick", Overlap::BufferOne)], later(250_000)).await.unwrap();
    assert_eq!(fire(world, 5).await, [Verdict::OverlapSkipped]);
    world.pause();
    world.cancel(vec![beside], Cancellable::Alive, CancelCause::Operator, later(300_001)).await.unwrap();
    assert!(matches!(fire(world, 6).await[..], [Verdict::Fired { .. }]));
    let seventh = fire(world, 7).await;
    assert!(buffered(&seventh), "{seventh:?}");
}

async fn all_missed_slots_are_made_up_for_in_one_commit(world: &mut World) {
    let rules = Rules { missed: Missed::All(3), overlap: Overlap::BufferAll(9), ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    let all = fire(world, 5).await;
    world.pause();
    assert_eq!(all[0], Verdict::Missed { slots: 2 });
    assert_eq!((all.len(), world.counts().pending), (4, 3));
    let counts = row(&*world.store, "a").await.counts;
    assert_eq!((counts.fired, counts.buffered, counts.missed), (1, 2, 2));
}

async fn a_paused_schedule_is_not_due_and_its_slots_are_not_made_up_for(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    let pause = ScheduleChange::Pause(Pause::new(later(5), Some("the shop is closed")));
    let paused = world.change_schedule(&name("a"), pause, later(5)).await.unwrap();
    world.pause();
    assert_eq!(paused.pause.unwrap().note.as_deref(), Some("the shop is closed"));
    assert_eq!(world.due_schedules(later(999_999), 9).await.unwrap(), []);
    assert_eq!(world.next_slot().await.unwrap(), None);
    assert_eq!(world.fire(firing(&seen, later(60_000)).unwrap()).await.unwrap(), Fired::Stale);
    // A new declaration does not let it go on.
    let moved = Schedule { target: handler("b/tick"), ..every_minute("a") };
    world.declare_schedules(vec![moved], later(6)).await.unwrap();
    assert_eq!(world.due_schedules(later(999_999), 9).await.unwrap(), []);
    world.change_schedule(&name("a"), ScheduleChange::Resume, later(150_000)).await.unwrap();
    world.pause();
    assert_eq!(world.due_schedules(later(150_000), 9).await.unwrap().len(), 1);
    assert_eq!(fire(world, 3).await, [Verdict::Paused { slots: 2 }]);
    run_in(&fire(world, 3).await);
    let counts = row(&*world.store, "a").await.counts;
    assert_eq!((counts.paused, counts.fired, counts.missed), (2, 1, 0));
}

async fn a_schedule_is_paused_after_failures_in_a_row(world: &mut World) {
    let rules = Rules { pause_after: Some(2), ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    for minute in 1..=2 {
        run_in(&fire(world, minute).await);
        let run = world.claim_some(&["a/tick"], 9, later(minute * 60_000)).await.remove(0);
        world
            .record(ended(&run, RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent }, None))
            .await
            .unwrap();
        world.pause();
    }
    let row = row(&*world.store, "a").await;
    assert_eq!(row.pause.unwrap().failures, Some(2));
    assert_eq!(world.next_slot().await.unwrap(), None);
}

async fn runs_that_are_no_slots_do_not_pause_it(world: &mut World) {
    let rules = Rules { pause_after: Some(1), ..Rules::default() };
    let schedule = with(rules);
    world.declare_schedules(vec![schedule.clone()], NOW).await.unwrap();
    let slot = run_in(&fire(world, 1).await);
    for key in [schedule.backfill_key(NOW).0, format!("a@{slot}")] {
        let mut new = job("a/tick");
        new.job.origin = JobOrigin::Schedule(name("a"));
        new.run.terms.idempotency_key = Some(key);
        let run = world.enqueue(new).await.unwrap();
        bury(world, run).await;
        assert_eq!(row(&*world.store, "a").await.pause, None, "made by hand or by a backfill");
    }
    bury(world, slot).await;
    assert!(row(&*world.store, "a").await.pause.is_some());
    world.change_schedule(&name("a"), ScheduleChange::Resume, later(61_000)).await.unwrap();
    let again = world.replay(Replay::new(slot, new_run("a/tick").id), later(61_000)).await.unwrap();
    bury(world, again).await;
    assert_eq!(row(&*world.store, "a").await.pause, None, "a replay");
}

/// Has it fail for good.
async fn bury(world: &mut World, run: RunId) {
    world.pause();
    // It may be leased already.
    world.claim_some(&["a/tick"], 9, later(900_000)).await;
    let run = world.run(run).await.unwrap();
    let event = RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent };
    world.record(ended(&run, event, None)).await.unwrap();
    world.pause();
}

async fn a_schedule_ends_with_its_count(world: &mut World) {
    let rules = Rules { count: Some(2), overlap: Overlap::Allow, ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    for minute in 1..=2 {
        run_in(&fire(world, minute).await);
        world.pause();
    }
    let ended = row(&*world.store, "a").await;
    assert_eq!((ended.next, ended.left(), world.next_slot().await.unwrap()), (None, Some(0), None));
    assert!(firing(&ended, later(999_999)).is_none());
}

async fn a_slot_that_is_skipped_is_not_the_last_of_a_count(world: &mut World) {
    let rules = Rules { count: Some(2), ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    run_in(&fire(world, 1).await);
    assert_eq!(fire(world, 2).await, [Verdict::OverlapSkipped]);
    world.pause();
    let skipped = row(&*world.store, "a").await;
    assert_eq!((skipped.next, skipped.left()), (Some(later(180_000)), Some(1)));
}

async fn a_reset_begins_anew_before_what_was_decided(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    run_in(&fire(world, 1).await);
    let back = NOW.minus(Millis(3_600_000));
    world.change_schedule(&name("a"), ScheduleChange::Reset, back).await.unwrap();
    world.pause();
    let reset = row(&*world.store, "a").await;
    assert_eq!((reset.decided, world.next_slot().await.unwrap()), (back, reset.next));
    assert!(reset.next.unwrap() <= back.plus(PERIOD) && reset.next.unwrap() > back);
}

async fn operators_make_change_and_remove_schedules(world: &mut World) {
    let own = Schedule { origin: Origin::Operator, ..every_minute("a") };
    world.put_schedule(own.clone(), NOW).await.unwrap();
    world.declare_schedules(vec![every_minute("b")], later(1)).await.unwrap();
    world.pause();
    assert_eq!(row(&*world.store, "a").await.schedule, own, "a new declaration leaves it");
    let hourly = Schedule { when: When::every(Millis::HOUR).unwrap(), ..own };
    let changed = world.put_schedule(hourly, later(2)).await.unwrap();
    assert_eq!(changed.next, Some(later(2).plus(Millis::HOUR)));
    let other = Schedule { origin: Origin::Operator, ..every_minute("b") };
    assert!(matches!(world.put_schedule(other, NOW).await, Err(StoreError::Conflict(_))), "hooks.yaml comes first");
    assert!(matches!(world.remove_schedule(&name("b"), NOW).await, Err(StoreError::Conflict(_))));
    assert!(matches!(world.remove_schedule(&name("c"), NOW).await, Err(StoreError::NotFound(_))));
    world.remove_schedule(&name("a"), NOW).await.unwrap();
    world.pause();
    assert!(matches!(world.schedule(&name("a")).await, Err(StoreError::NotFound(_))));
}

async fn the_first_of_three_declarations_counts(world: &mut World) {
    let of = |origin, handler_name: &str| Schedule { origin, target: handler(handler_name), ..every_minute("a") };
    let (plugin, config) = (of(Origin::Plugin, "p/tick"), of(Origin::Config, "c/tick"));
    let operator = of(Origin::Operator, "o/tick");
    world.declare_schedules(vec![plugin.clone()], NOW).await.unwrap();
    world.put_schedule(operator.clone(), NOW).await.unwrap();
    let now = row(&*world.store, "a").await;
    assert_eq!((now.schedule, now.shadowed), (operator.clone(), vec![plugin.clone()]));
    world.declare_schedules(vec![plugin.clone(), config.clone()], NOW).await.unwrap();
    world.pause();
    let now = row(&*world.store, "a").await;
    assert_eq!((now.schedule, now.shadowed), (config, vec![operator.clone(), plugin.clone()]));
    world.declare_schedules(vec![plugin.clone()], NOW).await.unwrap();
    world.remove_schedule(&name("a"), NOW).await.unwrap();
    world.pause();
    let now = row(&*world.store, "a").await;
    assert_eq!((now.schedule, now.shadowed), (plugin, vec![]));
}

async fn due_schedules_come_by_time(world: &mut World) {
    let of = |text: &str, period| Schedule { when: When::every(Millis(period)).unwrap(), ..every_minute(text) };
    world.declare_schedules(vec![of("a", 30_000), of("b", 10_000), of("c", 20_000)], NOW).await.unwrap();
    world.pause();
    let due = |now, limit| world.due_schedules(later(now), limit);
    let names = |rows: Vec<ScheduleRow>| rows.iter().map(|row| row.schedule.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(due(9_999, 9).await.unwrap()), Vec::<String>::new());
    assert_eq!(names(due(30_000, 9).await.unwrap()), ["b", "c", "a"]);
    assert_eq!(names(due(30_000, 1).await.unwrap()), ["b"]);
    assert_eq!(world.next_slot().await.unwrap(), Some(later(10_000)));
    let after = world.schedules(Some(&name("a")), 1).await.unwrap();
    assert_eq!(names(after), ["b"]);
}
