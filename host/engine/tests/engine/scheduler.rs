//! Each slot of each schedule has one verdict, whatever the clock and other hosts do.

use std::sync::atomic::Ordering;

use hookbox_core::attempt::{Input, Output};
use hookbox_core::cron::{Change, Zone, Zones};
use hookbox_core::event::JobOrigin;
use hookbox_core::name::ScheduleName;
use hookbox_core::plugin::{DeclaredSchedule, PolicyPatch, Trigger};
use hookbox_core::run::{RunPolicy, RunStatus, Work};
use hookbox_core::schedule::{Origin, Overlap, Pause, Rules, Schedule, ScheduleRow, SlotCounts, Verdict, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_engine::scheduler::Scheduler;
use hookbox_engine::{Settings, schedules};
use hookbox_store::Store;
use hookbox_store::types::ScheduleChange;

use crate::host::{Host, NOON};
use crate::log::Logged;
use crate::script::{done, handler};

pub(crate) fn every(period: Millis) -> Schedule {
    Schedule {
        name: ScheduleName::parse("digest").unwrap(),
        target: handler("shop/digest"),
        when: When::every(period).unwrap(),
        payload: None,
        origin: Origin::Config,
        rules: Rules::default(),
    }
}

/// A host with one schedule, declared at noon.
async fn scheduled(schedule: Schedule) -> (Host, Scheduler) {
    let host = Host::new();
    host.store.declare_schedules(vec![schedule], NOON).await.unwrap();
    let scheduler = Scheduler::new(&host.parts);
    (host, scheduler)
}

async fn row(host: &Host) -> ScheduleRow {
    host.store.schedules(None, 99).await.unwrap().remove(0)
}

fn counts(fired: u64, missed: u64, overlap_skipped: u64) -> SlotCounts {
    SlotCounts { fired, missed, overlap_skipped, ..SlotCounts::default() }
}

/// Ends the run of the last firing, so that the next one does not overlap.
async fn finish(host: &mut Host) {
    host.script.on("shop/digest", |_| async { Ok(done()) });
    host.start().await;
    for run in host.all_runs().await {
        host.until_status(run.id, RunStatus::Succeeded).await;
    }
    host.drain(Millis(0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_fires_once_however_often_it_is_looked_at() {
    let (host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    assert_eq!(scheduler.tick().await, Millis::SECOND);
    assert_eq!(row(&host).await.counts, counts(0, 0, 0));
    host.clock.advance(Millis::HOUR);
    for _ in 0..3 {
        scheduler.tick().await;
        // As after a restart.
        scheduler = Scheduler::new(&host.parts);
    }
    assert_eq!(row(&host).await.counts, counts(1, 0, 0));
    let run = host.all_runs().await.remove(0);
    let Work::Job(job) = run.work else { panic!("{run:?}") };
    let job = host.store.job(job).await.unwrap();
    let slot = NOON.plus(Millis::HOUR);
    assert_eq!((job.scheduled_at, job.origin), (slot, JobOrigin::Schedule("digest".parse().unwrap())));
}

#[tokio::test(start_paused = true)]
async fn the_scheduler_waits_until_the_next_slot() {
    let (host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    host.clock.advance(Millis(Millis::HOUR.0 - 300));
    assert_eq!(scheduler.tick().await, Millis(300));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_runs_its_handler_with_its_payload() {
    let payload = Output { content_type: "text/plain".into(), data: b"all".to_vec() };
    let mut host = Host::started().await;
    host.script.on("shop/digest", |_| async { Ok(done()) });
    let schedule = Schedule { payload: Some(payload), ..every(Millis::MINUTE) };
    host.store.declare_schedules(vec![schedule], NOON).await.unwrap();
    host.clock.advance(Millis::MINUTE);
    host.called(1).await;
    let Input::Job(job) = host.script.calls.borrow()[0].input.clone() else { panic!("no job") };
    assert_eq!((job.content_type.as_str(), job.data.as_slice()), ("text/plain", b"all".as_slice()));
    host.drain(Millis(0)).await;
}

#[tokio::test(start_paused = true)]
async fn of_the_slots_that_were_missed_the_latest_fires_and_the_others_are_counted() {
    let (host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    host.clock.advance(Millis(5 * Millis::HOUR.0 + 1));
    scheduler.tick().await;
    let row = row(&host).await;
    assert_eq!(row.counts, counts(1, 4, 0));
    assert_eq!((row.last_fired, row.decided), (Some(NOON.plus(Millis(5 * Millis::HOUR.0))), row.last_fired.unwrap()));
    assert_eq!(row.recent[0].verdict, Verdict::Missed { slots: 4 });
}

#[tokio::test(start_paused = true)]
async fn years_of_missed_slots_are_decided_in_one_tick() {
    let (host, mut scheduler) = scheduled(every(Millis::SECOND)).await;
    host.clock.advance(Millis(250_000 * 1000));
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, counts(1, 249_999, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_skipped_while_the_run_of_an_earlier_one_is_not_finished() {
    let (mut host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    for expected in [counts(1, 0, 0), counts(1, 0, 1)] {
        host.clock.advance(Millis::HOUR);
        scheduler.tick().await;
        assert_eq!(row(&host).await.counts, expected);
    }
    finish(&mut host).await;
    host.clock.advance(Millis::HOUR);
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, counts(2, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_back_waits_and_warns_once() {
    let (logged, _guard) = Logged::here();
    let (mut host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    host.clock.advance(Millis(3 * Millis::HOUR.0));
    scheduler.tick().await;
    finish(&mut host).await;
    host.clock.set_wall(NOON);
    for _ in 0..3 {
        host.clock.advance(Millis::HOUR);
        scheduler.tick().await;
        scheduler.tick().await;
    }
    assert_eq!(row(&host).await.counts, counts(1, 2, 0));
    assert_eq!(logged.count("the clock is behind"), 1);
    host.clock.advance(Millis::HOUR);
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, counts(2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_forward_fires_the_latest_slot_only() {
    let (host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    host.clock.set_wall(NOON.plus(Millis(30 * Millis::DAY.0)));
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, counts(1, 719, 0));
    assert_eq!(host.all_runs().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_schedulers_fire_each_slot_once() {
    let (mut host, mut one) = scheduled(every(Millis::HOUR)).await;
    let mut other = Scheduler::new(&host.parts);
    for slot in 1..=20 {
        host.clock.advance(Millis::HOUR);
        tokio::join!(one.tick(), other.tick());
        assert_eq!(row(&host).await.counts, counts(slot, 0, 0));
        finish(&mut host).await;
    }
    assert_eq!(host.all_runs().await.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_redefined_schedule_follows_its_new_rule_and_fires_nothing_late() {
    let (host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    scheduler.tick().await;
    host.clock.advance(Millis(90 * 1000));
    let now = NOON.plus(Millis(90 * 1000));
    host.store.declare_schedules(vec![every(Millis::MINUTE)], now).await.unwrap();
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, counts(0, 0, 0));
    host.clock.advance(Millis::MINUTE);
    scheduler.tick().await;
    assert_eq!(row(&host).await.last_fired, Some(now.plus(Millis::MINUTE)));
}

#[tokio::test(start_paused = true)]
async fn a_new_schedule_wakes_the_scheduler() {
    let host = Host::started().await;
    host.script.on("shop/digest", |_| async { Ok(done()) });
    host.idle_for(Millis(10)).await;
    host.store.declare_schedules(vec![every(Millis::SECOND)], NOON).await.unwrap();
    host.clock.advance(Millis::SECOND);
    let before = tokio::time::Instant::now();
    host.called(1).await;
    assert!(before.elapsed() < std::time::Duration::from_millis(500), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_does_not_read_is_told_once_and_fires_when_it_reads_again() {
    let (logged, _guard) = Logged::here();
    let (host, mut scheduler) = scheduled(every(Millis::HOUR)).await;
    host.store.garbled.store(true, Ordering::SeqCst);
    host.clock.advance(Millis::HOUR);
    for _ in 0..3 {
        assert_eq!(scheduler.tick().await, Millis(50));
    }
    assert_eq!(logged.count("cannot fire"), 1);
    host.store.garbled.store(false, Ordering::SeqCst);
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, counts(1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn hooks_yaml_is_right_where_a_plugin_declares_the_same_schedule() {
    let host = Host::new();
    let declared = |name: &str| {
        let name = ScheduleName::parse(name).unwrap();
        Trigger::Schedule(DeclaredSchedule { name, when: When::every(Millis::HOUR).unwrap(), rules: Rules::default() })
    };
    let (a, b) = (declared("shop.a"), declared("shop.b"));
    host.plugin("shop", &[("a", a, PolicyPatch::default()), ("b", b, PolicyPatch::default())]).await;
    let of_config = Schedule { name: "shop.b".parse().unwrap(), ..every(Millis::MINUTE) };
    let settings = Settings { schedules: vec![of_config.clone(), every(Millis::DAY)], ..Settings::default() };
    let all = schedules::declared(&host.store.catalogue(), &settings);
    host.store.declare_schedules(all, NOON).await.unwrap();
    let rows = host.store.schedules(None, 99).await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.schedule.name.as_str()).collect();
    assert_eq!(names, ["digest", "shop.a", "shop.b"]);
    assert_eq!((rows[1].schedule.origin, &rows[1].schedule.target), (Origin::Plugin, &handler("shop/a")));
    assert_eq!((&rows[2].schedule, rows[2].shadowed.len()), (&of_config, 1));
}

/// A zone whose clocks are `hours` ahead.
fn london(hours: i32) -> Zones {
    let change = Change { at: Timestamp(0), offset_seconds: hours * 3600 };
    Zones::default().with(Zone::from_table("Europe/London", &[change]).unwrap())
}

/// Slots of a day at nine in London; noon is 20:26 UTC.
fn at_nine() -> Schedule {
    let when = When::cron("0 9 * * *", Some("Europe/London".parse().unwrap())).unwrap();
    Schedule { when, ..every(Millis::HOUR) }
}

#[tokio::test(start_paused = true)]
async fn a_release_with_other_zones_fires_where_they_say_and_no_slot_twice() {
    let (mut host, _) = scheduled(at_nine()).await;
    let mut before = Scheduler::in_zones(&host.parts, london(0));
    before.tick().await;
    let nine = row(&host).await.next.unwrap();
    host.clock.set_wall(nine);
    before.tick().await;
    assert_eq!(row(&host).await.counts, counts(1, 0, 0));
    finish(&mut host).await;

    // Clocks turn out to be an hour behind: the same nine o'clock comes again, and is another slot.
    let mut behind = Scheduler::in_zones(&host.parts, london(-1));
    behind.tick().await;
    assert_eq!(row(&host).await.next, Some(nine.plus(Millis::HOUR)));
    host.clock.set_wall(nine.plus(Millis::HOUR));
    behind.tick().await;
    assert_eq!(row(&host).await.counts, counts(2, 0, 0));
    finish(&mut host).await;

    // And ahead again: what is decided stays decided.
    let mut ahead = Scheduler::in_zones(&host.parts, london(2));
    ahead.tick().await;
    let next = nine.plus(Millis::DAY).minus(Millis(2 * Millis::HOUR.0));
    assert_eq!(row(&host).await.next, Some(next));
    host.clock.set_wall(next.minus(Millis(1)));
    ahead.tick().await;
    assert_eq!(row(&host).await.counts, counts(2, 0, 0));
    host.clock.set_wall(next);
    ahead.tick().await;
    assert_eq!(row(&host).await.counts, counts(3, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_run_of_a_slot_has_the_slots_own_key_and_the_schedules_policy() {
    let rules = Rules { policy: RunPolicy { attempts: Some(1), ..RunPolicy::default() }, ..Rules::default() };
    let (host, mut scheduler) = scheduled(Schedule { rules, ..every(Millis::HOUR) }).await;
    host.clock.advance(Millis::HOUR);
    scheduler.tick().await;
    let run = host.all_runs().await.remove(0);
    assert_eq!(run.idempotency_key, format!("digest@{}", NOON.plus(Millis::HOUR)));
    assert_eq!((run.own, run.schedule), (rules.policy, Some("digest".parse().unwrap())));
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_a_count_end_what_would_fire() {
    let rules = Rules { count: Some(2), overlap: Overlap::Allow, ..Rules::default() };
    let (host, mut scheduler) = scheduled(Schedule { rules, ..every(Millis::HOUR) }).await;
    let name: ScheduleName = "digest".parse().unwrap();
    let pause = ScheduleChange::Pause(Pause::new(NOON, None));
    host.store.change_schedule(&name, pause, NOON).await.unwrap();
    host.clock.advance(Millis(3 * Millis::HOUR.0));
    scheduler.tick().await;
    assert_eq!(row(&host).await.counts, SlotCounts::default());
    let now = NOON.plus(Millis(3 * Millis::HOUR.0));
    host.store.change_schedule(&name, ScheduleChange::Resume, now).await.unwrap();
    for _ in 0..5 {
        scheduler.tick().await;
        host.clock.advance(Millis::HOUR);
    }
    assert_eq!(row(&host).await.counts, SlotCounts { paused: 3, ..counts(2, 0, 0) });
    assert_eq!(host.store.next_slot().await.unwrap(), None);
}
