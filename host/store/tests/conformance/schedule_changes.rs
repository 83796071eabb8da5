//! What becomes of slots and of state where a schedule is changed, removed and declared again.

use hookbox_core::queue::Room;
use hookbox_core::schedule::{
    Missed, Origin, Overlap, Passed, Pause, Reason, Rules, Schedule, SlotCounts, SlotDecision, Verdict, When,
};
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use hookbox_store::types::{Fired, Firing, ScheduleChange};

use crate::schedule_rules::{fire, run_in, with};
use crate::schedules::{every_minute, firing, name, row, verdicts};
use crate::world::{NOW, World, later};

conformance! {
    slots_of_a_rule_that_is_changed_are_missed,
    slots_of_a_rule_that_is_removed_are_missed,
    slots_that_a_reset_leaves_behind_are_missed,
    of_very_many_slots_each_has_its_verdict,
    more_schedules_than_one_commit_takes_are_declared,
    slots_of_a_pause_are_paused_also_where_the_rule_changes,
    a_schedule_that_comes_back_goes_on,
    a_slot_that_has_fired_does_not_fire_again_after_a_removal,
    a_schedule_that_comes_back_after_a_month_is_another,
    an_operator_who_removes_a_schedule_means_all_of_it,
    a_count_begins_anew_with_another_definition,
    of_many_that_were_removed_the_latest_are_kept,
    schedules_are_counted_by_where_they_stand,
}

fn hourly() -> Schedule {
    Schedule { when: When::every(Millis::HOUR).unwrap(), ..every_minute("a") }
}

async fn slots_of_a_rule_that_is_changed_are_missed(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    run_in(&fire(world, 1).await);
    world.declare_schedules(vec![hourly()], later(200_000)).await.unwrap();
    world.pause();
    let changed = row(&*world.store, "a").await;
    let last = changed.recent.last().unwrap();
    assert_eq!((&last.verdict, last.slot), (&Verdict::Changed { slots: 2 }, later(180_000)));
    assert_eq!((changed.counts.fired, changed.counts.missed, changed.decided), (1, 2, later(200_000)));
    assert_eq!(world.counts().slots, changed.counts);
    // Nothing is counted where nothing had come.
    world.declare_schedules(vec![every_minute("a")], later(200_001)).await.unwrap();
    assert_eq!(world.counts().slots, changed.counts);
}

async fn slots_of_a_rule_that_is_removed_are_missed(world: &mut World) {
    let own = Schedule { origin: Origin::Operator, ..every_minute("a") };
    world.put_schedule(own, NOW).await.unwrap();
    world.declare_schedules(vec![every_minute("b")], NOW).await.unwrap();
    world.remove_schedule(&name("a"), later(130_000)).await.unwrap();
    assert_eq!(world.counts().slots.missed, 2);
    world.declare_schedules(vec![], later(190_000)).await.unwrap();
    world.pause();
    assert_eq!(world.counts().slots.missed, 5);
}

async fn slots_that_a_reset_leaves_behind_are_missed(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    world.change_schedule(&name("a"), ScheduleChange::Reset, later(130_000)).await.unwrap();
    world.pause();
    assert_eq!((row(&*world.store, "a").await.counts.missed, world.counts().slots.missed), (2, 2));
}

/// More than one commit closes: by each way in which a rule ends.
async fn of_very_many_slots_each_has_its_verdict(world: &mut World) {
    let each_second = |name| Schedule { when: When::every(Millis::SECOND).unwrap(), ..every_minute(name) };
    let own = |schedule| Schedule { origin: Origin::Operator, ..schedule };
    world.declare_schedules(vec![each_second("a"), each_second("b"), each_second("c")], NOW).await.unwrap();
    for name in ["d", "e"] {
        world.put_schedule(own(each_second(name)), NOW).await.unwrap();
    }
    let then = later(12_345_500);
    world.declare_schedules(vec![hourly(), each_second("b")], then).await.unwrap();
    world.change_schedule(&name("b"), ScheduleChange::Reset, then).await.unwrap();
    world.put_schedule(own(every_minute("d")), then).await.unwrap();
    world.remove_schedule(&name("e"), then).await.unwrap();
    world.pause();
    for name in ["a", "b", "d"] {
        assert_eq!(row(&*world.store, name).await.counts.missed, 12_345, "{name}");
    }
    assert_eq!(world.counts().slots.missed, 5 * 12_345);
    // What is refused gives no verdict.
    world.declare_schedules(vec![each_second("f")], then).await.unwrap();
    let refused = world.remove_schedule(&name("f"), then.plus(Millis(12_345_500))).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(row(&*world.store, "f").await.counts.missed, 0);
}

async fn more_schedules_than_one_commit_takes_are_declared(world: &mut World) {
    let many: Vec<Schedule> = (0..2_001).map(|n| every_minute(&format!("s{n}"))).collect();
    world.declare_schedules(many, NOW).await.unwrap();
    world.pause();
    assert_eq!(world.store.schedule_counts(NOW).active, 2_001);
    world.declare_schedules(vec![every_minute("s7")], NOW).await.unwrap();
    assert_eq!(world.store.schedule_counts(NOW).active, 1);
}

async fn slots_of_a_pause_are_paused_also_where_the_rule_changes(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let pause = ScheduleChange::Pause(Pause::new(NOW, None));
    world.change_schedule(&name("a"), pause, NOW).await.unwrap();
    world.change_schedule(&name("a"), ScheduleChange::Resume, later(130_000)).await.unwrap();
    world.declare_schedules(vec![hourly()], later(200_000)).await.unwrap();
    world.pause();
    let counts = row(&*world.store, "a").await.counts;
    assert_eq!((counts.paused, counts.missed), (2, 1));
}

async fn a_schedule_that_comes_back_goes_on(world: &mut World) {
    world.declare_schedules(vec![every_minute("a"), every_minute("b")], NOW).await.unwrap();
    let run = run_in(&fire(world, 1).await);
    let pause = ScheduleChange::Pause(Pause::new(later(60_001), Some("closed")));
    let before = world.change_schedule(&name("a"), pause, later(60_001)).await.unwrap();
    world.declare_schedules(vec![every_minute("b")], later(70_000)).await.unwrap();
    world.pause();
    assert!(matches!(world.schedule(&name("a")).await, Err(StoreError::NotFound(_))));
    world.declare_schedules(vec![every_minute("a"), every_minute("b")], later(250_000)).await.unwrap();
    world.pause();
    let back = row(&*world.store, "a").await;
    assert_eq!((&back.pause, back.counts, back.anchor), (&before.pause, before.counts, NOW));
    // In step with its first registration; what came while nobody declared it never was.
    assert_eq!((back.decided, back.next), (later(250_000), Some(later(300_000))));
    world.change_schedule(&name("a"), ScheduleChange::Resume, later(250_001)).await.unwrap();
    assert_eq!(fire(world, 5).await, [Verdict::OverlapSkipped], "{run} is alive");
}

async fn a_slot_that_has_fired_does_not_fire_again_after_a_removal(world: &mut World) {
    world.declare_schedules(vec![with(Rules { overlap: Overlap::Allow, ..Rules::default() })], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    let late = firing(&seen, later(60_000)).unwrap();
    run_in(&fire(world, 1).await);
    world.declare_schedules(vec![], later(61_000)).await.unwrap();
    // The clock is set back meanwhile.
    world.declare_schedules(vec![with(Rules { overlap: Overlap::Allow, ..Rules::default() })], NOW).await.unwrap();
    world.pause();
    assert_eq!(world.fire(late).await.unwrap(), Fired::Stale);
    let back = row(&*world.store, "a").await;
    assert!(firing(&back, later(60_000)).is_none(), "{back:?}");
    assert_eq!(back.next, Some(later(120_000)));
}

async fn a_schedule_that_comes_back_after_a_month_is_another(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    run_in(&fire(world, 1).await);
    world.declare_schedules(vec![], later(61_000)).await.unwrap();
    let month = later(61_001).plus(Millis(30 * Millis::DAY.0));
    world.declare_schedules(vec![every_minute("a")], month).await.unwrap();
    world.pause();
    let back = row(&*world.store, "a").await;
    assert_eq!((back.counts, back.anchor), (SlotCounts::default(), month));
}

async fn an_operator_who_removes_a_schedule_means_all_of_it(world: &mut World) {
    let rules = Rules { count: Some(1), missed: Missed::None, ..Rules::default() };
    let own = Schedule { origin: Origin::Operator, ..with(rules) };
    world.put_schedule(own.clone(), NOW).await.unwrap();
    run_in(&fire(world, 1).await);
    world.change_schedule(&name("a"), ScheduleChange::Pause(Pause::new(NOW, None)), later(60_001)).await.unwrap();
    world.remove_schedule(&name("a"), later(61_000)).await.unwrap();
    world.pause();
    let preview = world.preview_schedule(own.clone(), later(10)).await.unwrap();
    let anew = world.put_schedule(own, later(10)).await.unwrap();
    assert_eq!(preview, anew);
    assert_eq!((&anew.pause, anew.counts, anew.left()), (&None, SlotCounts::default(), Some(1)));
    assert_eq!((anew.decided, anew.open.len()), (later(60_000), 1), "the slot has fired, and its run is alive");
}

async fn a_count_begins_anew_with_another_definition(world: &mut World) {
    let rules = Rules { count: Some(2), overlap: Overlap::Allow, ..Rules::default() };
    world.declare_schedules(vec![with(rules)], NOW).await.unwrap();
    run_in(&fire(world, 1).await);
    run_in(&fire(world, 2).await);
    let own = Schedule { origin: Origin::Operator, ..with(rules) };
    world.declare_schedules(vec![], later(121_000)).await.unwrap();
    let preview = world.preview_schedule(own.clone(), later(121_000)).await.unwrap();
    let row = world.put_schedule(own, later(121_000)).await.unwrap();
    assert_eq!(preview, row);
    world.pause();
    assert_eq!((row.left(), row.counts.fired), (Some(2), 2));
    let seen = world.schedule(&name("a")).await.unwrap();
    run_in(&verdicts(&world.fire(firing(&seen, later(180_000)).unwrap()).await.unwrap()));
    assert_eq!(world.schedule(&name("a")).await.unwrap().left(), Some(1));
}

async fn of_many_that_were_removed_the_latest_are_kept(world: &mut World) {
    let many = |from: u64, to: u64| (from..to).map(|n| every_minute(&format!("s{n}"))).collect::<Vec<_>>();
    world.declare_schedules(many(0, 1010), NOW).await.unwrap();
    world.declare_schedules(many(10, 1010), later(1)).await.unwrap();
    world.declare_schedules(vec![], later(2)).await.unwrap();
    world.pause();
    world.declare_schedules(many(0, 1010), later(3)).await.unwrap();
    let anchor = async |n: u64| row(&*world.store, &format!("s{n}")).await.anchor;
    assert_eq!((anchor(9).await, anchor(10).await), (later(3), NOW));
}

async fn schedules_are_counted_by_where_they_stand(world: &mut World) {
    let failing = with(Rules { pause_after: Some(1), ..Rules::default() });
    let once = Schedule { when: When::Once { at: later(5) }, ..every_minute("once") };
    let rules = Rules { start: Some(later(50_000)), end: Some(later(50_001)), ..Rules::default() };
    let none = Schedule { rules, ..every_minute("none") };
    world.declare_schedules(vec![failing, once, none, every_minute("b")], NOW).await.unwrap();
    world.change_schedule(&name("b"), ScheduleChange::Pause(Pause::new(NOW, None)), NOW).await.unwrap();
    world.pause();
    let counts = world.schedule_counts(later(1));
    assert_eq!((counts.active, counts.paused, counts.ended, counts.attention), (2, 1, 1, [0; 4]));
    let late = world.schedule_counts(later(200_000));
    assert_eq!((late.active, late.attention), (2, [0, 0, 2, 0]), "two have slots that are overdue");
    let early = world.schedule_counts(NOW.minus(Millis::HOUR));
    assert_eq!(early.attention, [0, 0, 0, 3], "the clock is behind all that go on");
    let named = |reason, now, limit| -> Vec<String> {
        world.schedules_to_look_at(reason, now, limit).iter().map(ToString::to_string).collect()
    };
    let hour_ago = NOW.minus(Millis::HOUR);
    assert_eq!(named(Reason::ClockBehind, hour_ago, 9), ["a", "b", "once"]);
    assert_eq!(named(Reason::ClockBehind, hour_ago, 2), ["a", "b"], "the first by name");
    assert_eq!(named(Reason::Failing, hour_ago, 9), Vec::<String>::new());
    assert_eq!(named(Reason::Undecided, later(200_000), 9), ["a", "once"]);
    for (which, to) in [("once", later(5)), ("a", NOW)] {
        let row = row(&*world.store, which).await;
        let (from, paused, missed) = (row.decided, Passed::default(), Passed::default());
        let decision = SlotDecision { from, to, paused, missed, fire: Vec::new(), next: None };
        let (schedule, basis, room) = (name(which), row.basis(), Room(1_000_000));
        let firing = Firing { schedule, basis, decision, jobs: Vec::new(), room, now: later(5) };
        world.fire(firing).await.unwrap();
    }
    world.pause();
    let counts = world.schedule_counts(later(5));
    assert_eq!((counts.active, counts.paused, counts.ended, counts.dry), (0, 1, 2, 1));
    assert_eq!(counts.attention, [0, 1, 0, 0], "one has not come to its bounds, and has no slot");
}
