//! Declaring schedules, and one verdict for each of their slots.

use hookbox_core::event::JobOrigin;
use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::queue::Room;
use hookbox_core::run::Work;
use hookbox_core::schedule::{Missed, ON_TIME, Origin, Rules, Schedule, ScheduleRow, Verdict, When, decide};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Fired, Firing, NewJob, PageRequest, RunFilter};
use hookbox_store::{Store, StoreError};
use tokio::task::JoinSet;

use crate::world::{NOW, World, handler, job, later, success};

conformance! {
    a_declared_schedule_is_kept,
    a_schedule_that_is_declared_again_keeps_its_state,
    a_redefined_schedule_begins_anew,
    a_schedule_that_is_no_longer_declared_is_removed,
    an_unknown_schedule_is_not_found,
    a_slot_fires_a_run,
    a_slot_that_was_decided_is_stale,
    of_two_concurrent_firings_one_wins,
    a_slot_is_skipped_while_the_last_run_is_alive,
    missed_slots_are_recorded,
    missed_slots_before_one_that_fires_are_recorded,
    a_removed_schedule_does_not_fire,
    a_firing_for_an_older_target_is_stale,
    a_firing_by_an_older_rule_is_stale_also_where_the_mark_stays,
    a_slot_to_fire_without_a_job_is_refused,
    each_slot_has_one_verdict_whoever_ticks,
    runs_are_filtered_by_schedule,
}

pub(crate) const PERIOD: Millis = Millis(60_000);

pub(crate) fn name(text: &str) -> ScheduleName {
    ScheduleName::parse(text).unwrap()
}

pub(crate) fn every_minute(text: &str) -> Schedule {
    Schedule {
        name: name(text),
        target: handler("a/tick"),
        when: When::every(PERIOD).unwrap(),
        payload: None,
        origin: Origin::Config,
        rules: Rules::default(),
    }
}

/// The run that the last verdict made.
fn made(fired: &Fired) -> RunId {
    match fired {
        Fired::Decided(records) => match records.last().map(|record| &record.verdict) {
            Some(Verdict::Fired { run } | Verdict::Buffered { run }) => *run,
            other => panic!("no run: {other:?}"),
        },
        Fired::Stale => panic!("stale"),
    }
}

pub(crate) fn verdicts(fired: &Fired) -> Vec<Verdict> {
    match fired {
        Fired::Decided(records) => records.iter().map(|record| record.verdict.clone()).collect(),
        Fired::Stale => panic!("stale"),
    }
}

pub(crate) async fn row(store: &dyn Store, text: &str) -> ScheduleRow {
    store.schedule(&name(text)).await.unwrap()
}

fn job_of(row: &ScheduleRow, slot: Timestamp) -> NewJob {
    let mut new = job("a/tick");
    new.job.origin = JobOrigin::Schedule(row.schedule.name.clone());
    new.job.scheduled_at = slot;
    new.run.target = row.schedule.target.clone();
    new.run.terms.gate = row.schedule.gate();
    new.run.terms.idempotency_key = Some(row.schedule.slot_key(slot));
    new
}

/// What a ticker does that looks at `row` at `now`.
pub(crate) fn firing(row: &ScheduleRow, now: Timestamp) -> Option<Firing> {
    let decision = decide(&row.slots().unwrap(), &row.schedule.rules, row.progress(), now)?;
    let jobs = decision.fire.iter().map(|slot| job_of(row, *slot)).collect();
    Some(Firing { schedule: row.schedule.name.clone(), basis: row.basis(), decision, jobs, room: Room(1_000_000), now })
}

async fn a_declared_schedule_is_kept(world: &mut World) {
    world.declare_schedules(vec![every_minute("b"), every_minute("a")], NOW).await.unwrap();
    world.pause();
    let rows = world.schedules(None, 99).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.schedule.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rows[0], ScheduleRow::new(every_minute("a"), NOW).unwrap());
    assert_eq!(row(&*world.store, "a").await, rows[0]);
}

async fn a_schedule_that_is_declared_again_keeps_its_state(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    world.fire(firing(&row(&*world.store, "a").await, later(60_000)).unwrap()).await.unwrap();
    let before = row(&*world.store, "a").await;
    world.pause();
    world.declare_schedules(vec![every_minute("a"), every_minute("b")], later(70_000)).await.unwrap();
    world.pause();
    assert_eq!(row(&*world.store, "a").await, before);
    let moved = Schedule { target: handler("b/tick"), ..every_minute("a") };
    world.declare_schedules(vec![moved.clone()], later(70_000)).await.unwrap();
    assert_eq!(row(&*world.store, "a").await, ScheduleRow { schedule: moved, counted: 0, ..before });
}

async fn a_redefined_schedule_begins_anew(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let hourly = Schedule { when: When::every(Millis::HOUR).unwrap(), ..every_minute("a") };
    world.declare_schedules(vec![hourly.clone()], later(5)).await.unwrap();
    world.pause();
    let row = row(&*world.store, "a").await;
    assert_eq!((row.schedule, row.anchor, row.decided), (hourly, later(5), later(5)));
    assert_eq!(row.next, Some(later(5).plus(Millis::HOUR)));
}

async fn a_schedule_that_is_no_longer_declared_is_removed(world: &mut World) {
    world.declare_schedules(vec![every_minute("a"), every_minute("b")], NOW).await.unwrap();
    world.declare_schedules(vec![every_minute("b")], NOW).await.unwrap();
    world.pause();
    assert_eq!(world.schedules(None, 99).await.unwrap().len(), 1);
    assert!(matches!(world.schedule(&name("a")).await, Err(StoreError::NotFound(_))));
}

async fn an_unknown_schedule_is_not_found(world: &mut World) {
    assert!(matches!(world.schedule(&name("a")).await, Err(StoreError::NotFound(_))));
    assert_eq!(world.schedules(None, 99).await.unwrap(), []);
}

async fn a_slot_fires_a_run(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let before = row(&*world.store, "a").await;
    assert!(firing(&before, later(59_999)).is_none());
    let firing = firing(&before, later(60_500)).unwrap();
    let job = firing.jobs[0].clone();
    assert_eq!(made(&world.fire(firing).await.unwrap()), job.run.id);
    world.pause();
    let after = row(&*world.store, "a").await;
    assert_eq!((after.decided, after.next), (later(60_000), Some(later(120_000))));
    assert_eq!((after.last_fired, after.last_run, after.counts.fired), (Some(later(60_000)), Some(job.run.id), 1));
    assert_eq!(after.recent.len(), 1);
    assert_eq!(world.job(job.job.id).await.unwrap().scheduled_at, later(60_000));
    assert_eq!(world.claim_some(&["a/tick"], 9, later(60_500)).await.len(), 1);
}

async fn a_slot_that_was_decided_is_stale(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    world.fire(firing(&seen, later(60_000)).unwrap()).await.unwrap();
    world.pause();
    let after = row(&*world.store, "a").await;
    let late = firing(&seen, later(60_001)).unwrap();
    let job = late.jobs[0].clone();
    assert_eq!(world.fire(late).await.unwrap(), Fired::Stale);
    world.pause();
    assert!(world.job(job.job.id).await.is_err());
    assert_eq!(row(&*world.store, "a").await, after);
}

async fn of_two_concurrent_firings_one_wins(world: &mut World) {
    let names: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    world.declare_schedules(names.iter().map(|name| every_minute(name)).collect(), NOW).await.unwrap();
    for text in names {
        let seen = row(&*world.store, &text).await;
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            let (store, firing) = (world.store.clone(), firing(&seen, later(60_000)).unwrap());
            tasks.spawn(async move { store.fire(firing).await.unwrap() });
        }
        let fired = tasks.join_all().await;
        assert_eq!(fired.iter().filter(|one| matches!(one, Fired::Decided(_))).count(), 1);
        assert_eq!(fired.iter().filter(|one| **one == Fired::Stale).count(), 1);
    }
    assert_eq!(world.counts().pending, 20);
}

async fn a_slot_is_skipped_while_the_last_run_is_alive(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    made(&world.fire(firing(&row(&*world.store, "a").await, later(60_000)).unwrap()).await.unwrap());
    world.pause();
    let skipped = world.fire(firing(&row(&*world.store, "a").await, later(120_000)).unwrap()).await.unwrap();
    assert_eq!(verdicts(&skipped), [Verdict::OverlapSkipped]);
    let run = world.claim_some(&["a/tick"], 1, later(120_000)).await.remove(0);
    let skipped = world.fire(firing(&row(&*world.store, "a").await, later(180_000)).unwrap()).await.unwrap();
    assert_eq!(verdicts(&skipped), [Verdict::OverlapSkipped]);
    world.record(success(&run, None)).await.unwrap();
    world.pause();
    let fired = world.fire(firing(&row(&*world.store, "a").await, later(240_000)).unwrap()).await.unwrap();
    made(&fired);
    let counts = row(&*world.store, "a").await.counts;
    assert_eq!((counts.fired, counts.overlap_skipped, counts.missed), (2, 2, 0));
}

async fn missed_slots_are_recorded(world: &mut World) {
    let rules = Rules { missed: Missed::None, ..Rules::default() };
    world.declare_schedules(vec![Schedule { rules, ..every_minute("a") }], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    let fired = world.fire(firing(&seen, later(180_000 + ON_TIME.0 + 1)).unwrap()).await.unwrap();
    assert_eq!(verdicts(&fired), [Verdict::Missed { slots: 3 }]);
    world.pause();
    let after = row(&*world.store, "a").await;
    assert_eq!((after.decided, after.counts.missed, after.counts.fired), (later(180_000), 3, 0));
    assert_eq!(after.recent[0].verdict, Verdict::Missed { slots: 3 });
}

async fn missed_slots_before_one_that_fires_are_recorded(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let fired = world.fire(firing(&row(&*world.store, "a").await, later(180_000)).unwrap()).await.unwrap();
    let run = made(&fired);
    world.pause();
    let after = row(&*world.store, "a").await;
    assert_eq!((after.counts.missed, after.counts.fired, after.decided), (2, 1, later(180_000)));
    let verdicts: Vec<_> = after.recent.iter().map(|record| (record.slot, record.verdict.clone())).collect();
    assert_eq!(verdicts, [(later(120_000), Verdict::Missed { slots: 2 }), (later(180_000), Verdict::Fired { run })]);
    // What was decided stays counted when the schedule is gone, and the slot that is due then is missed.
    world.fire(firing(&after, later(240_007)).unwrap()).await.unwrap();
    world.declare_schedules(vec![], later(300_000)).await.unwrap();
    world.pause();
    let slots = world.counts().slots;
    assert_eq!((slots.missed, slots.fired, slots.overlap_skipped, world.counts().slots_late_ms), (3, 1, 1, 0));
}

async fn a_removed_schedule_does_not_fire(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    world.declare_schedules(vec![], NOW).await.unwrap();
    assert_eq!(world.fire(firing(&seen, later(60_000)).unwrap()).await.unwrap(), Fired::Stale);
    assert_eq!(world.counts().pending, 0);
}

async fn a_firing_for_an_older_target_is_stale(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    world.declare_schedules(vec![Schedule { target: handler("b/tick"), ..every_minute("a") }], NOW).await.unwrap();
    assert_eq!(world.fire(firing(&seen, later(60_000)).unwrap()).await.unwrap(), Fired::Stale);
    let fired = world.fire(firing(&row(&*world.store, "a").await, later(60_000)).unwrap()).await.unwrap();
    made(&fired);
    assert_eq!(world.claim_some(&["a/tick", "b/tick"], 9, later(60_000)).await[0].target, handler("b/tick"));
}

async fn a_firing_by_an_older_rule_is_stale_also_where_the_mark_stays(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    let hourly = Schedule { when: When::every(Millis::HOUR).unwrap(), ..every_minute("a") };
    world.declare_schedules(vec![hourly], NOW).await.unwrap();
    assert_eq!(row(&*world.store, "a").await.decided, seen.decided);
    assert_eq!(world.fire(firing(&seen, later(60_000)).unwrap()).await.unwrap(), Fired::Stale);
}

async fn a_slot_to_fire_without_a_job_is_refused(world: &mut World) {
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let seen = row(&*world.store, "a").await;
    let firing = Firing { jobs: vec![], ..firing(&seen, later(60_000)).unwrap() };
    assert!(matches!(world.fire(firing).await, Err(StoreError::Conflict(_))));
    world.pause();
    assert_eq!(row(&*world.store, "a").await, seen);
}

async fn each_slot_has_one_verdict_whoever_ticks(world: &mut World) {
    const SLOTS: u64 = 30;
    world.declare_schedules(vec![every_minute("a")], NOW).await.unwrap();
    let mut tasks = JoinSet::new();
    for ticker in 0..4 {
        let store = world.store.clone();
        tasks.spawn(async move {
            for slot in 1..=SLOTS {
                let now = later(slot * PERIOD.0 + ticker);
                let seen = row(&*store, "a").await;
                if let Some(firing) = firing(&seen, now) {
                    store.fire(firing).await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
    world.pause();
    let after = row(&*world.store, "a").await;
    assert_eq!(after.decided, later(SLOTS * PERIOD.0));
    assert_eq!(after.counts.fired + after.counts.missed + after.counts.overlap_skipped, SLOTS);
    assert_eq!(after.counts.fired, world.counts().pending);
}

async fn runs_are_filtered_by_schedule(world: &mut World) {
    world.declare_schedules(vec![every_minute("a"), every_minute("b")], NOW).await.unwrap();
    let run = made(&world.fire(firing(&row(&*world.store, "a").await, later(60_000)).unwrap()).await.unwrap());
    world.fire(firing(&row(&*world.store, "b").await, later(60_000)).unwrap()).await.unwrap();
    world.enqueue(job("a/tick")).await.unwrap();
    world.accept_new(crate::world::event(&["a/tick"])).await;
    world.pause();
    let filter = RunFilter { schedule: vec![name("a")], ..RunFilter::default() };
    let page = world.runs(PageRequest { before: None, limit: 9 }, filter).await.unwrap();
    assert_eq!(page.runs.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
    assert!(matches!(page.runs[0].work, Work::Job(_)));
}
