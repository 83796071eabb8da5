//! A schedule that stops by itself is told, and not looked at for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookbox_core::clock::Clock;
use hookbox_core::cron::{Change, Zone, Zones};
use hookbox_core::schedule::{Reason, Rules, Schedule, ScheduleRow, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_engine::scheduler::Scheduler;
use hookbox_store::Store;
use hookbox_store::types::ScheduleChange;

use crate::host::{Host, NOON};
use crate::log::Logged;
use crate::scheduler::every;

/// A time of one night of the year.
fn yearly() -> Schedule {
    let when = When::cron("30 2 8 3 *", Some("Europe/London".parse().unwrap())).unwrap();
    Schedule { when, ..every(Millis::HOUR) }
}

/// A zone whose clocks leave that night out from a year on: by five hours, for which nothing is made up.
fn without_the_night(from: u64) -> Zones {
    let at = |text: String| text.parse::<Timestamp>().unwrap();
    let mut changes = vec![Change { at: Timestamp(0), offset_seconds: 0 }];
    for year in from..2100 {
        changes.push(Change { at: at(format!("{year}-03-08T00:00:00Z")), offset_seconds: 5 * 3600 });
        changes.push(Change { at: at(format!("{year}-06-01T00:00:00Z")), offset_seconds: 0 });
    }
    Zones::default().with(Zone::from_table("Europe/London", &changes).unwrap())
}

async fn row(host: &Host) -> ScheduleRow {
    host.store.schedule(&"digest".parse().unwrap()).await.unwrap()
}

fn needing(host: &Host, now: Timestamp) -> [u64; 4] {
    host.store.schedule_counts(now).attention
}

fn reason(row: &ScheduleRow, now: Timestamp) -> Option<Reason> {
    row.attention(now).map(|attention| attention.reason)
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_gives_no_later_time_than_its_last_slot_is_told_once_and_not_asked_for_ever() {
    let (logged, _guard) = Logged::here();
    let host = Host::new();
    host.store.declare_schedules(vec![yearly()], NOON).await.unwrap();
    let mut scheduler = Scheduler::in_zones(&host.parts, without_the_night(2028));
    scheduler.tick().await;
    let slot: Timestamp = "2027-03-08T02:30:00Z".parse().unwrap();
    assert_eq!((row(&host).await.next, needing(&host, NOON)), (Some(slot), [0; 4]));
    host.clock.set_wall(slot);
    for _ in 0..3 {
        assert_eq!(scheduler.tick().await, Millis::SECOND, "there is nothing to decide");
    }
    let stopped = row(&host).await;
    assert_eq!((stopped.counts.fired, stopped.next), (1, None));
    let attention = stopped.attention(slot).unwrap();
    assert_eq!((attention.reason, attention.since), (Reason::NoNextSlot, Some(slot)));
    assert_eq!(needing(&host, slot), [0, 1, 0, 0]);
    assert_eq!(logged.count("has no next slot, and should have one"), 1);
    assert_eq!(logged.count(&stopped.cure(Reason::NoNextSlot)), 1, "the log says what the API says");
    assert_eq!(logged.count("ERROR"), 1);

    host.store.declare_schedules(vec![every(Millis::HOUR)], slot).await.unwrap();
    assert_eq!((reason(&row(&host).await, slot), needing(&host, slot)), (None, [0; 4]), "it was changed");
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_zones_leave_no_slot_tells_it_until_it_is_begun_anew() {
    let (logged, _guard) = Logged::here();
    let host = Host::new();
    host.store.declare_schedules(vec![yearly()], NOON).await.unwrap();
    let mut scheduler = Scheduler::in_zones(&host.parts, without_the_night(2027));
    for _ in 0..3 {
        scheduler.tick().await;
    }
    assert_eq!((row(&host).await.next, needing(&host, NOON)), (None, [0, 1, 0, 0]));
    assert_eq!(logged.count("has no next slot, and should have one"), 1);
    host.store.change_schedule(&"digest".parse().unwrap(), ScheduleChange::Reset, NOON).await.unwrap();
    assert_eq!((reason(&row(&host).await, NOON), needing(&host, NOON)), (None, [0; 4]));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_behind_is_told_with_its_cure_and_not_of_what_has_ended() {
    let (logged, _guard) = Logged::here();
    let host = Host::new();
    let rules = Rules { count: Some(1), ..Rules::default() };
    let ended = Schedule { name: "ended".parse().unwrap(), rules, ..every(Millis::HOUR) };
    host.store.declare_schedules(vec![ended, every(Millis::HOUR)], NOON).await.unwrap();
    host.clock.set_wall(NOON.plus(Millis::HOUR));
    Scheduler::new(&host.parts).tick().await;
    assert_eq!((host.store.counts().slots.fired, logged.count("the clock is behind")), (2, 0));
    host.clock.set_wall(NOON);
    Scheduler::new(&host.parts).tick().await;
    assert_eq!(logged.count("the clock is behind the last slot of 1 schedules"), 1);
    assert_eq!(logged.count("begin them anew with `hookbox schedules reset --all`"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_nobody_can_decide_is_told_after_a_minute() {
    let host = Host::new();
    host.store.declare_schedules(vec![every(Millis::HOUR)], NOON).await.unwrap();
    let mut scheduler = Scheduler::new(&host.parts);
    host.store.garbled.store(true, Ordering::SeqCst);
    let due = NOON.plus(Millis::HOUR);
    host.clock.set_wall(due.plus(Millis::MINUTE));
    scheduler.tick().await;
    assert_eq!(needing(&host, due.plus(Millis::MINUTE)), [0; 4]);
    let late = due.plus(Millis(60_001));
    assert_eq!((reason(&row(&host).await, late), needing(&host, late)), (Some(Reason::Undecided), [0, 0, 1, 0]));
    host.store.garbled.store(false, Ordering::SeqCst);
    scheduler.tick().await;
    assert_eq!((reason(&row(&host).await, late), needing(&host, late)), (None, [0; 4]));
}

#[tokio::test(start_paused = true)]
async fn others_have_their_turn_while_many_missed_slots_are_decided() {
    const SCHEDULES: usize = 40;
    let host = Host::new();
    let named = |n: usize| Schedule { name: format!("s{n}").parse().unwrap(), ..every(Millis::SECOND) };
    host.store.declare_schedules((0..SCHEDULES).map(named).collect(), NOON).await.unwrap();
    host.clock.set_wall(NOON.plus(Millis(20_000 * 1000)));
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    Scheduler::new(&host.parts).tick().await;
    other.abort();
    let slots = host.store.counts().slots;
    assert_eq!((slots.fired, slots.missed), (SCHEDULES as u64, SCHEDULES as u64 * 19_999));
    // Some steps for each of them; two share a turn.
    let turns = turns.load(Ordering::SeqCst);
    assert!(turns >= SCHEDULES, "{turns} turns beside {SCHEDULES} schedules of 20,000 slots");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_is_no_sign_of_life() {
    let host = Host::new();
    let age = || host.parts.meters.scheduler.age(host.clock.monotonic());
    assert_eq!(age(), None, "there is no scheduler");
    let mut scheduler = Scheduler::new(&host.parts);
    assert_eq!(age(), Some(Millis(0)), "from its start on it is waited for");
    host.clock.advance(Millis::MINUTE);
    scheduler.tick().await;
    assert_eq!(age(), Some(Millis(0)));
    host.store.declare_schedules(vec![every(Millis::SECOND)], NOON).await.unwrap();
    host.store.cut();
    host.clock.advance(Millis::MINUTE);
    assert!(tokio::time::timeout(Millis::HOUR.as_duration(), scheduler.tick()).await.is_err(), "it hangs");
    assert_eq!(age(), Some(Millis::MINUTE));
}
